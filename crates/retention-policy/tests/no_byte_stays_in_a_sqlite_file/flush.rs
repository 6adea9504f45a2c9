//! Files of somebody else, in every journal mode of SQLite, with and without `secure_delete`, in
//! every text encoding, with a reader and with a backup in the way: after a flush no file holds a
//! marker of any version of a deleted row in any form, nor a salt; the rows that stay are read as
//! before, and the file is in the mode in which it was.

use std::path::Path;
use std::time::Duration;

use retention_policy::SqliteFlush;
use retention_policy::apply::{Flush as _, FlushError};
use retention_policy::physical::Verify as _;
use retention_policy::scan::{Needle, sqlite_files};
use sql_store::Durability;
use sql_store::maintenance::Maintenance;
use sqlx::sqlite::SqliteJournalMode as Journal;

use crate::lived::SEED;
use crate::lived::{JOURNALS, Make, Outcome, by_file, close, look, number, run};
use crate::markers::{ROWS, deleted_forms, kept_forms};

const KEPT: &str = "SELECT count(*) FROM note WHERE length(body) > 40 AND length(salt) = 24";
const MATCHES: &str = "SELECT count(*) FROM words WHERE words MATCH 'q9e3779b1z OR q78dde6c4z'";

/// Nothing of the deleted rows, everything of the others.
async fn check(make: Make, path: &Path) -> Outcome {
    let flush = SqliteFlush::new(Durability::Off);
    let gone = flush.verify(path, &deleted_forms(SEED)).await?;
    assert!(
        gone.is_absent(),
        "{make:?}: {:?}",
        by_file(path, &gone.live)
    );
    // every byte of every file was looked at
    let lengths = sqlite_files(path).map(|file| file.metadata().map_or(0, |m| m.len()));
    assert_eq!(gone.live.bytes, lengths.iter().sum::<u64>());
    // the control: what was not deleted is found, and read
    let kept = flush.verify(path, &kept_forms(SEED)).await?;
    assert!(kept.live.sightings.len() as u64 >= ROWS / 5, "{make:?}");
    let mut db = make.connect(path).await?;
    assert_eq!(
        u64::try_from(number(&mut db, KEPT).await?)?,
        ROWS - ROWS / 10
    );
    assert_eq!(number(&mut db, "SELECT count(*) FROM words").await?, 2_000);
    assert_eq!(number(&mut db, MATCHES).await?, 1, "row 4, and not row 1");
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut db)
        .await?;
    assert_eq!(sound, "ok");
    close(db).await
}

/// Whether the file's header says write-ahead logging.
fn is_wal(path: &Path) -> std::io::Result<bool> {
    Ok(std::fs::read(path)?.get(18) == Some(&2))
}

// clause: P-52
#[tokio::test]
async fn in_every_mode_with_and_without_secure_delete() -> Outcome {
    let folder = tempfile::tempdir()?;
    for secure_delete in ["ON", "OFF"] {
        for journal in JOURNALS {
            let path = folder.path().join("main.db");
            let make = Make::new(journal).secure_delete(secure_delete);
            let db = make.lived(&path).await?;
            let before = by_file(&path, &look(&path, &deleted_forms(SEED))?);
            println!("{journal:?}, `{secure_delete}`, before the flush: {before:?}");
            assert!(!before.is_empty(), "there is something to remove");
            // who made the file has gone, or sits idle beside the flush
            if secure_delete == "ON" {
                close(db).await?;
                SqliteFlush::new(Durability::Off).flush(&path).await?;
            } else {
                SqliteFlush::new(Durability::Off).flush(&path).await?;
                close(db).await?;
            }
            assert_eq!(is_wal(&path)?, journal == Journal::Wal, "{journal:?}");
            check(make, &path).await?;
            for file in sqlite_files(&path) {
                match std::fs::remove_file(file) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)?,
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn in_every_encoding_of_text() -> Outcome {
    let folder = tempfile::tempdir()?;
    for encoding in ["'UTF-16le'", "'UTF-16be'"] {
        let path = folder.path().join(encoding.trim_matches('\''));
        let make = Make::new(Journal::Wal).encoding(encoding);
        let mut db = make.lived(&path).await?;
        run(
            &mut db,
            "CREATE TABLE copy (n INTEGER, hex TEXT, salt TEXT); \
             INSERT INTO copy SELECT n, hex(CAST(CAST(title AS BLOB) AS TEXT)), \
             lower(hex(salt)) FROM note WHERE n % 10 = 4"
                .into(),
        )
        .await?;
        close(db).await?;
        SqliteFlush::new(Durability::Off).flush(&path).await?;
        check(make, &path).await?;
    }
    Ok(())
}

// clause: P-52
#[tokio::test]
async fn a_reader_is_told_and_then_nothing_is_left() -> Outcome {
    let folder = tempfile::tempdir()?;
    for journal in [Journal::Wal, Journal::Delete, Journal::Persist] {
        let path = folder.path().join(format!("{journal:?}"));
        let make = Make::new(journal);
        close(make.lived(&path).await?).await?;
        let mut reader = make.connect(&path).await?;
        run(&mut reader, "BEGIN".into()).await?;
        number(&mut reader, "SELECT count(*) FROM note").await?;
        let flush = SqliteFlush::new(Durability::Full).waiting(Duration::from_millis(20));
        let blocked = flush.flush(&path).await;
        assert!(
            matches!(blocked, Err(FlushError::Busy)),
            "{journal:?}: {blocked:?}"
        );
        // the read is not harmed
        let rows = number(&mut reader, "SELECT count(*) FROM note").await?;
        assert_eq!(u64::try_from(rows)?, ROWS - ROWS / 10);
        run(&mut reader, "COMMIT".into()).await?;
        close(reader).await?;
        flush.flush(&path).await?;
        check(make, &path).await?;
    }
    Ok(())
}

// clause: P-52
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_runs_meanwhile_is_no_hiding_place() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("main.db");
    let make = Make::new(Journal::Wal);
    close(make.lived(&path).await?).await?;
    let copies = folder.path().to_owned();
    let from = path.clone();
    let backup = tokio::spawn(async move {
        let mut done = 0;
        for n in 0..6 {
            let opened = Maintenance::open(&from, Durability::Off).await;
            let mut maintenance = opened.map_err(|e| e.to_string())?;
            let target = copies.join(format!("copy-{n}"));
            // one copies pages as they are, the other rewrites; either may find the file busy
            let copied = if n % 2 == 0 {
                maintenance.page_copy(&target).await
            } else {
                maintenance.vacuum_into(&target).await
            };
            done += usize::from(copied.is_ok());
            maintenance.close().await.map_err(|e| e.to_string())?;
        }
        Ok::<_, String>(done)
    });
    let flush = SqliteFlush::new(Durability::Off);
    let mut tries = 0;
    loop {
        match flush.flush(&path).await {
            Ok(_) => break,
            Err(FlushError::Busy) if tries < 1_000 => tries += 1,
            Err(error) => Err(error)?,
        }
    }
    let gone = flush.verify(&path, &deleted_forms(SEED)).await?;
    assert!(gone.is_absent(), "{:?}", by_file(&path, &gone.live));
    let copies = backup.await??;
    println!("flushed after {tries} refusals beside {copies} copies");
    // a copy begun before does not come back into the file's own files
    check(make, &path).await
}

#[tokio::test]
async fn samples_of_the_query_planner_go_with_their_rows() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("main.db");
    let make = Make::new(Journal::Wal);
    let mut db = make.live(&path).await?;
    run(&mut db, "ANALYZE".into()).await?;
    make.delete(&mut db).await?;
    // a vacuum and a checkpoint alone carry the samples over
    run(&mut db, "VACUUM".into()).await?;
    run(
        &mut db,
        "INSERT INTO words(words) VALUES ('rebuild')".into(),
    )
    .await?;
    run(&mut db, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)".into()).await?;
    let left = by_file(&path, &look(&path, &deleted_forms(SEED))?);
    println!("samples left after VACUUM and checkpoint: {left:?}");
    assert!(left.get("").is_some_and(|n| *n > 0), "{left:?}");
    close(db).await?;
    SqliteFlush::new(Durability::Off).flush(&path).await?;
    check(make, &path).await?;
    let mut db = make.connect(&path).await?;
    assert!(number(&mut db, "SELECT count(*) FROM sqlite_stat4").await? > 0);
    close(db).await
}

/// The older full-text modules, and one that keeps no content.
#[tokio::test]
async fn older_full_text_indexes_are_made_anew_or_refused() -> Outcome {
    let folder = tempfile::tempdir()?;
    let words = |digit: u64| -> Vec<Needle> {
        let all = (0..1_000).filter(|n| n % 10 == digit);
        all.filter_map(|n| {
            Needle::new(format!(
                "{:08x}word{n:03}",
                n * 2_654_435_761_u64 % 4_294_967_296
            ))
            .ok()
        })
        .collect()
    };
    for (name, columns, clean) in [
        ("fts3", "body", true),
        ("fts4", "body", true),
        ("fts4", "body, content=''", false),
    ] {
        let path = folder.path().join(format!("{name}-{clean}"));
        let mut db = Make::new(Journal::Wal).connect(&path).await?;
        let content = format!("CREATE VIRTUAL TABLE words USING {name}({columns})");
        run(&mut db, content).await?;
        for digit in 0..10 {
            run(
                &mut db,
                format!(
                    "WITH RECURSIVE i(n) AS (SELECT {digit} UNION ALL SELECT n + 10 FROM i \
                     WHERE n < 990) INSERT INTO words(rowid, body) \
                     SELECT n, printf('%08xword%03d', n * 2654435761 % 4294967296, n) FROM i"
                ),
            )
            .await?;
        }
        if clean {
            run(&mut db, "DELETE FROM words WHERE rowid % 10 = 3".into()).await?;
        }
        close(db).await?;
        let flushed = SqliteFlush::new(Durability::Off).flush(&path).await;
        assert_eq!(flushed.is_ok(), clean, "{name}({columns}): {flushed:?}");
        if clean {
            let gone = by_file(&path, &look(&path, &words(3))?);
            assert!(gone.is_empty(), "{name}: {gone:?}");
            assert!(look(&path, &words(4))?.sightings.len() >= 100);
        }
    }
    Ok(())
}
