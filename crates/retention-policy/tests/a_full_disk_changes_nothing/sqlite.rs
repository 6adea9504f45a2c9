//! SQLite: the file lies on the disk that is full.

use std::path::Path;
use std::sync::Arc;

use covenant_core::{ManualClock, TxTag, TxnId};
use retention_policy::SqliteFlush;
use retention_policy::apply::{Flush as _, FlushError};
use retention_policy::physical::Verify as _;
use retention_policy::scan::{Needle, NeedleError};
use sql_store::{Args, Db, Durability, Mode, SqliteOptions, SqliteProfile};
use time::UtcDateTime;

use crate::disk::{Disk, Outcome};

/// Room beside the file: enough to open it, too little to write it again.
const SLACK_BYTES: u64 = 256 << 10;

async fn open(path: &Path) -> Outcome<Db> {
    let options = SqliteOptions::new(path, SqliteProfile::Tenant).durability(Durability::Off);
    let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
    Ok(if path.exists() {
        Db::open_sqlite(options, clock).await?
    } else {
        Db::create_sqlite(options, clock).await?
    })
}

async fn run(db: &Db, sql: &'static str) -> Outcome<u64> {
    let tag = TxTag {
        txn: TxnId::from_bytes([7; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
    let rows = tx.execute(sql, Args::new()).await?;
    tx.commit().await?;
    Ok(rows)
}

fn needles(from: usize) -> Result<Vec<Needle>, NeedleError> {
    (from..10_000)
        .step_by(10)
        .map(|n| Needle::new(format!("marker-{n:05}~")))
        .collect()
}

// clause: P-52
#[tokio::test]
async fn with_and_without_a_full_text_index() -> Outcome {
    for full_text in [None, Some("CREATE VIRTUAL TABLE words USING fts5(body)")] {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("main.db");
        let db = open(&path).await?;
        run(&db, "CREATE TABLE note (n INTEGER PRIMARY KEY, body TEXT)").await?;
        run(
            &db,
            "WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 9999) \
             INSERT INTO note SELECT n * 7919 % 10000, printf('marker-%05d~', n * 7919 % 10000) FROM i",
        )
        .await?;
        run(
            &db,
            "UPDATE note SET body = body || hex(zeroblob(20 + n % 37))",
        )
        .await?;
        if let Some(sql) = full_text {
            run(&db, sql).await?;
            run(
                &db,
                "INSERT INTO words(rowid, body) SELECT n, body FROM note WHERE n < 50",
            )
            .await?;
        }
        run(&db, "DELETE FROM note WHERE n % 10 = 3").await?;
        db.close().await;
        let size = std::fs::metadata(&path)?.len();
        let Some(disk) = Disk::mount(folder.path(), size + SLACK_BYTES, None)? else {
            return Ok(());
        };
        let made = path;
        let path = disk.folder().join("main.db");
        std::fs::copy(&made, &path)?;

        let flush = SqliteFlush::new(Durability::Off);
        let full = flush.flush(&path).await;
        assert!(matches!(full, Err(FlushError::Full)), "{full:?}");
        assert_eq!(std::fs::metadata(&path)?.len(), size, "not rewritten");
        let kept = flush.verify(&path, &needles(4)?).await?;
        assert!(kept.live.sightings.len() >= 1_000, "nothing is lost");

        disk.resize(64 << 20)?;
        let db = open(&path).await?;
        assert_eq!(run(&db, "UPDATE note SET n = n").await?, 9_000);
        db.close().await;
        flush.flush(&path).await?;
        if full_text.is_none() {
            assert!(flush.verify(&path, &needles(3)?).await?.is_absent());
        }
        assert!(
            flush
                .verify(&path, &needles(4)?)
                .await?
                .live
                .sightings
                .len()
                >= 1_000
        );
    }
    Ok(())
}
