//! What SQLite leaves of deleted rows, by journal mode, `secure_delete`, checkpoint, vacuum and
//! full-text index: each row of the table that the design was made of, measured again on the bundled
//! SQLite. A relation is asserted (nothing left, something left, in which file); counts are printed.

use std::path::Path;

use sqlx::sqlite::SqliteJournalMode as Journal;
use sqlx::{Row as _, SqliteConnection};

use crate::lived::SEED;
use crate::lived::{self, JOURNALS, Make, Outcome, Schema, by_file, close, look, run};
use crate::markers::{deleted_forms, deleted_markers};

const FRESH_ROWS: usize = 2_000;

/// What should be seen in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// At least so many markers, all in the file with this suffix.
    In(&'static str, usize),
}

/// Compares what is there with what should be, prints it, and says how many.
fn check(
    path: &Path,
    needles: &[retention_policy::scan::Needle],
    left: Left,
    row: &str,
) -> Outcome<usize> {
    let found = by_file(path, &look(path, needles)?);
    println!("| {row} | {found:?} |");
    match left {
        Left::Nothing => assert!(found.is_empty(), "{row}: {found:?}"),
        Left::In(suffix, least) => {
            assert_eq!(found.keys().collect::<Vec<_>>(), [suffix], "{row}");
            assert!(
                found.get(suffix).is_some_and(|n| *n >= least),
                "{row}: {found:?}"
            );
        }
    }
    Ok(found.values().sum())
}

/// 2,000 rows of one version in a file of their own.
async fn fresh(make: Make, path: &Path) -> Outcome<SqliteConnection> {
    let mut db = make.connect(path).await?;
    run(
        &mut db,
        "CREATE TABLE note (n INTEGER PRIMARY KEY, body TEXT)".into(),
    )
    .await?;
    run(
        &mut db,
        format!(
            "WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < {}) \
             INSERT INTO note SELECT n, printf('marker-%08d~', n) || hex(zeroblob(20)) FROM i",
            FRESH_ROWS - 1
        ),
    )
    .await?;
    Ok(db)
}

fn fresh_markers() -> Vec<retention_policy::scan::Needle> {
    (0..FRESH_ROWS)
        .filter_map(|n| retention_policy::scan::Needle::new(format!("marker-{n:08}~")).ok())
        .collect()
}

async fn emptied(make: Make, path: &Path) -> Outcome<SqliteConnection> {
    let mut db = fresh(make, path).await?;
    run(&mut db, "DELETE FROM note WHERE n >= 0".into()).await?;
    Ok(db)
}

/// A checkpoint's busy flag.
async fn checkpoint(db: &mut SqliteConnection, mode: &'static str) -> Outcome<i64> {
    let sql = match mode {
        "PASSIVE" => "PRAGMA wal_checkpoint(PASSIVE)",
        _ => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    Ok(sqlx::query(sql).fetch_one(db).await?.try_get(0)?)
}

#[tokio::test]
async fn fresh_without_secure_delete_all_is_left_in_the_file() -> Outcome {
    let folder = tempfile::tempdir()?;
    for secure_delete in ["OFF", "FAST"] {
        for journal in JOURNALS {
            let path = folder
                .path()
                .join(format!("{secure_delete}-{}", name(journal)));
            let make = Make::new(journal).secure_delete(secure_delete);
            let mut db = emptied(make, &path).await?;
            if journal == Journal::Wal {
                assert_eq!(checkpoint(&mut db, "TRUNCATE").await?, 0);
            }
            let row = format!("fresh, `{secure_delete}`, {}", name(journal));
            let found = by_file(&path, &look(&path, &fresh_markers())?);
            println!("| {row} | {found:?} |");
            let in_file = found.get("").copied().unwrap_or_default();
            assert!(in_file * 2 > FRESH_ROWS, "{row}: {found:?}");
            close(db).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn fresh_with_secure_delete_nothing_is_left_but_in_journals() -> Outcome {
    let folder = tempfile::tempdir()?;
    for (journal, left) in [
        (Journal::Delete, Left::Nothing),
        (Journal::Truncate, Left::Nothing),
        (Journal::Memory, Left::Nothing),
        (Journal::Off, Left::Nothing),
        (Journal::Persist, Left::In("-journal", FRESH_ROWS)),
        (Journal::Wal, Left::In("-wal", FRESH_ROWS)),
    ] {
        let path = folder.path().join(name(journal));
        let db = emptied(Make::new(journal), &path).await?;
        check(
            &path,
            &fresh_markers(),
            left,
            &format!("fresh, `ON`, {}", name(journal)),
        )?;
        close(db).await?;
    }
    Ok(())
}

#[tokio::test]
async fn only_a_truncating_checkpoint_without_a_reader_empties_the_log() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("main.db");
    let make = Make::new(Journal::Wal);
    let mut db = emptied(make, &path).await?;
    let left = Left::In("-wal", FRESH_ROWS);
    check(
        &path,
        &fresh_markers(),
        left,
        "fresh, `ON`, WAL, no checkpoint",
    )?;
    let mut reader = make.connect(&path).await?;
    run(&mut reader, "BEGIN".into()).await?;
    lived::number(&mut reader, "SELECT count(*) FROM note").await?;
    let busy = checkpoint(&mut db, "TRUNCATE").await?;
    assert_eq!(busy, 1, "and no error");
    let row = "fresh, `ON`, WAL, TRUNCATE, a reader";
    check(&path, &fresh_markers(), left, row)?;
    run(&mut reader, "COMMIT".into()).await?;

    checkpoint(&mut db, "PASSIVE").await?;
    check(&path, &fresh_markers(), left, "fresh, `ON`, WAL, PASSIVE")?;
    assert_eq!(checkpoint(&mut db, "TRUNCATE").await?, 0);
    let row = "fresh, `ON`, WAL, TRUNCATE";
    check(&path, &fresh_markers(), Left::Nothing, row)?;
    Ok(())
}

#[tokio::test]
async fn a_vacuum_without_a_checkpoint_leaves_them_in_the_log() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("main.db");
    let mut db = emptied(Make::new(Journal::Wal), &path).await?;
    run(&mut db, "VACUUM".into()).await?;
    let left = Left::In("-wal", FRESH_ROWS);
    check(
        &path,
        &fresh_markers(),
        left,
        "fresh, WAL, `VACUUM`, no checkpoint",
    )?;
    Ok(())
}

#[tokio::test]
async fn churned_copies_stay_in_the_gaps_of_live_pages() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut left = 0;
    for schema in [
        Schema::Plain,
        Schema::Indexed,
        Schema::KeyedPlain,
        Schema::Keyed,
    ] {
        let path = folder.path().join(format!("{schema:?}"));
        let mut db = Make::new(Journal::Wal).schema(schema).lived(&path).await?;
        assert_eq!(checkpoint(&mut db, "TRUNCATE").await?, 0);
        let found = by_file(&path, &look(&path, &deleted_markers(SEED))?);
        println!("| churned, `ON`, TRUNCATE, busy = 0, {schema:?} | {found:?} |");
        assert!(
            found.keys().all(String::is_empty),
            "all in the database: {found:?}"
        );
        // a few gaps, not the rows
        let count = found.get("").copied().unwrap_or_default();
        assert!(count < 2_000, "{schema:?}: {count}");
        left += count;
        run(&mut db, "VACUUM".into()).await?;
        assert_eq!(checkpoint(&mut db, "TRUNCATE").await?, 0);
        check(
            &path,
            &deleted_forms(SEED),
            Left::Nothing,
            &format!("the same, `VACUUM`, {schema:?}"),
        )?;
        close(db).await?;
    }
    assert!(left > 0, "`secure_delete` is no proof");
    Ok(())
}

#[tokio::test]
async fn churned_with_index_and_overflow_only_a_vacuum_removes_all() -> Outcome {
    let folder = tempfile::tempdir()?;
    for journal in [Journal::Wal, Journal::Delete] {
        for (secure_delete, least) in [("ON", 1), ("OFF", 2_000)] {
            let path = folder
                .path()
                .join(format!("{secure_delete}-{}", name(journal)));
            let make = Make::new(journal)
                .schema(Schema::Indexed)
                .secure_delete(secure_delete);
            let mut db = make.lived(&path).await?;
            if journal == Journal::Wal {
                assert_eq!(checkpoint(&mut db, "TRUNCATE").await?, 0);
            }
            let row = format!(
                "churned, index and overflow, {}, `{secure_delete}`",
                name(journal)
            );
            check(&path, &deleted_markers(SEED), Left::In("", least), &row)?;
            run(&mut db, "VACUUM".into()).await?;
            if journal == Journal::Wal {
                assert_eq!(checkpoint(&mut db, "TRUNCATE").await?, 0);
            }
            check(
                &path,
                &deleted_forms(SEED),
                Left::Nothing,
                &format!("{row}, `VACUUM`"),
            )?;
            close(db).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn churned_with_full_text_a_vacuum_is_not_enough() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("main.db");
    let mut db = Make::new(Journal::Delete).lived(&path).await?;
    check(
        &path,
        &deleted_forms(SEED),
        Left::In("", 1),
        "churned, FTS5, `ON`",
    )?;
    run(&mut db, "VACUUM".into()).await?;
    check(
        &path,
        &deleted_forms(SEED),
        Left::In("", 1),
        "churned, FTS5, `VACUUM`",
    )?;
    run(
        &mut db,
        "INSERT INTO words(words) VALUES ('optimize')".into(),
    )
    .await?;
    run(&mut db, "VACUUM".into()).await?;
    // nothing on 3.40.1; one segment is left on 3.51.3, and `optimize` does nothing any more
    let found = by_file(&path, &look(&path, &deleted_forms(SEED))?);
    println!("| churned, FTS5, `optimize`, `VACUUM` | {found:?} |");
    run(
        &mut db,
        "INSERT INTO words(words) VALUES ('rebuild')".into(),
    )
    .await?;
    run(&mut db, "VACUUM".into()).await?;
    check(
        &path,
        &deleted_forms(SEED),
        Left::Nothing,
        "churned, FTS5, `rebuild`, `VACUUM`",
    )?;
    run(
        &mut db,
        "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, row)".into(),
    )
    .await?;
    let terms = "SELECT count(*) FROM vocabulary WHERE term LIKE 'q________z'";
    assert_eq!(
        lived::number(&mut db, terms).await?,
        2_000,
        "those of the rows that stay"
    );
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut db)
        .await?;
    println!("| measured on SQLite | {version} |");
    Ok(())
}

fn name(journal: Journal) -> &'static str {
    match journal {
        Journal::Delete => "DELETE",
        Journal::Truncate => "TRUNCATE",
        Journal::Persist => "PERSIST",
        Journal::Memory => "MEMORY",
        Journal::Wal => "WAL",
        Journal::Off => "OFF",
    }
}
