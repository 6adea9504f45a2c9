//! Vacuum and a truncating checkpoint leave nothing of a deleted row; copies open as databases.
#![cfg(feature = "sqlite")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use covenant_core::{ManualClock, TxTag, TxnId};
use sql_store::maintenance::Maintenance;
use sql_store::{Args, Db, DbError, Durability, Mode, OpenError, SqliteOptions, SqliteProfile};
use time::UtcDateTime;

type Outcome = Result<(), Box<dyn Error>>;

fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([7; 16]),
        tenant: None,
        decision: None,
    }
}

fn options(path: &Path) -> SqliteOptions {
    SqliteOptions::new(path, SqliteProfile::Tenant).durability(Durability::Off)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH))
}

fn contains(path: &Path, marker: &[u8]) -> std::io::Result<bool> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes.windows(marker.len()).any(|window| window == marker)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

const MARKER: &str = "marker-of-a-deleted-row";

async fn with_deleted_row(path: &Path) -> Result<Db, Box<dyn Error>> {
    let db = Db::create_sqlite(options(path), clock()).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("CREATE TABLE t (k BIGINT PRIMARY KEY, v TEXT)", Args::new())
        .await?;
    for k in 0..500_i64 {
        let args = Args::new().bind(k).bind(format!("{MARKER}-{k}"));
        tx.execute("INSERT INTO t (k, v) VALUES ($1, $2)", args)
            .await?;
    }
    tx.commit().await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("DELETE FROM t", Args::new()).await?;
    tx.commit().await?;
    Ok(db)
}

#[tokio::test]
async fn a_flush_with_nobody_reading_leaves_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("main.db");
    let wal = folder.path().join("main.db-wal");
    let db = with_deleted_row(&path).await?;
    assert!(
        contains(&wal, MARKER.as_bytes())?,
        "the log must hold it before the flush"
    );

    // a reader inside a transaction keeps the log from being cut
    let mut reader = db.begin_with(Mode::ReadOnly, tag()).await?;
    reader.rows("SELECT k FROM t", Args::new()).await?;
    let wait = Duration::from_millis(20);
    let mut maintenance = Maintenance::open_waiting(&path, Durability::Off, wait).await?;
    let report = maintenance.checkpoint_truncate().await?;
    assert!(report.busy);
    assert!(matches!(db.quiesce(wait).await, Err(DbError::Busy(_))));
    reader.commit().await?;

    let quiet = db.quiesce(Duration::from_secs(5)).await?;
    maintenance.vacuum().await?;
    let report = maintenance.checkpoint_truncate().await?;
    assert!(!report.busy);
    assert!(!contains(&path, MARKER.as_bytes())?);
    assert!(!contains(&wal, MARKER.as_bytes())?);
    maintenance.close().await?;
    drop(quiet);

    let mut tx = db.begin_with(Mode::ReadOnly, tag()).await?;
    assert!(tx.rows("SELECT k FROM t", Args::new()).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn copies_are_whole_databases_and_never_overwrite() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("main.db");
    let db = with_deleted_row(&path).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("INSERT INTO t (k, v) VALUES (1, 'kept')", Args::new())
        .await?;
    tx.commit().await?;

    let mut maintenance = Maintenance::open(&path, Durability::Full).await?;
    let vacuumed = folder.path().join("vacuumed.db");
    let paged = folder.path().join("paged.db");
    maintenance.vacuum_into(&vacuumed).await?;
    maintenance.page_copy(&paged).await?;
    let again = maintenance.vacuum_into(&vacuumed).await;
    assert!(matches!(again, Err(OpenError::Exists { .. })), "{again:?}");
    assert!(!contains(&vacuumed, MARKER.as_bytes())?);

    for copy in [vacuumed, paged] {
        let db = Db::open_sqlite(options(&copy), clock()).await?;
        let mut tx = db.begin_with(Mode::ReadOnly, tag()).await?;
        let row = tx
            .row("SELECT v FROM t", Args::new())
            .await?
            .ok_or("no row")?;
        assert_eq!(row.text("v")?, "kept");
    }
    Ok(())
}
