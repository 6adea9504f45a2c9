//! Sources on real files: a SQLite file that is written meanwhile, objects of a store, and both as
//! one. What names the content changes whenever the content does.

use std::path::Path;
use std::sync::Arc;

use backup_engine::Source as _;
use backup_engine::source::{
    CompositeSource, DATABASE_MEMBER, ObjectsSource, SourceError, SqliteSource,
};
use covenant_core::{ManualClock, TxTag, TxnId};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStoreExt as _, path::Path as Key};
use sql_store::{Args, Db, Durability, Mode, SqliteOptions, SqliteProfile};
use time::UtcDateTime;

type Failure = Box<dyn std::error::Error>;
type Outcome = Result<(), Failure>;

const TABLE: &str = "CREATE TABLE pair (id INTEGER PRIMARY KEY, twin INTEGER NOT NULL) STRICT";
const ADD: &str = "INSERT INTO pair (id, twin) VALUES ($1, -1)";
const TWIN: &str = "UPDATE pair SET twin = id WHERE id = $1";
const BUMP: &str = "UPDATE pair SET twin = twin + 1";
const TAG: TxTag = TxTag {
    txn: TxnId::from_bytes([7; 16]),
    tenant: None,
    decision: None,
};

async fn database(file: &Path) -> Result<Db, Failure> {
    let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
    let options = SqliteOptions::new(file.to_path_buf(), SqliteProfile::Control)
        .durability(Durability::Off)
        .readers(1);
    if file.exists() {
        Ok(Db::open_sqlite(options, clock).await?)
    } else {
        Ok(Db::create_sqlite(options, clock).await?)
    }
}

async fn execute(db: &Db, sql: &'static str, args: Args) -> Outcome {
    let mut tx = db.begin_with(Mode::ReadWrite, TAG).await?;
    tx.execute(sql, args).await?;
    Ok(tx.commit().await?)
}

/// Rows of the table whose two columns differ, and all rows.
async fn counted(db: &Db) -> Result<(i64, i64), Failure> {
    let sql = "SELECT count(*) AS n, count(*) FILTER (WHERE id <> twin) AS odd FROM pair";
    let mut tx = db.begin_with(Mode::ReadOnly, TAG).await?;
    let row = tx.row(sql, Args::new()).await?.ok_or("no row")?;
    Ok((row.int("odd")?, row.int("n")?))
}

#[tokio::test]
async fn a_copy_taken_while_a_writer_writes_is_of_one_instant() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("live.db");
    let db = database(&file).await?;
    execute(&db, TABLE, Args::new()).await?;
    let writer = async {
        for id in 0..200_i64 {
            // Two statements: between them the row's columns differ.
            let mut tx = db.begin_with(Mode::ReadWrite, TAG).await?;
            tx.execute(ADD, Args::new().bind(id)).await?;
            tx.execute(TWIN, Args::new().bind(id)).await?;
            tx.commit().await?;
        }
        Ok::<_, Failure>(())
    };
    let copier = async {
        let mut seen = Vec::new();
        for number in 0..6 {
            let copy = folder.path().join("copy.db");
            let mut source = SqliteSource::new(file.clone(), copy.clone(), Durability::Off);
            let files = source.begin().await?;
            let [only] = files.as_slice() else {
                return Err("one file".into());
            };
            assert_eq!(only.path, DATABASE_MEMBER);
            let bytes = source.read(&only.path, 0, u32::MAX).await?;
            assert_eq!(u64::try_from(bytes.len())?, only.len);
            source.end().await?;
            assert!(!copy.exists(), "the copy is removed");
            let back = folder.path().join(format!("back-{number}.db"));
            std::fs::write(&back, bytes)?;
            let back = database(&back).await?;
            let (odd, all) = counted(&back).await?;
            assert_eq!(odd, 0, "no transaction is half in it");
            seen.push(all);
            back.close().await;
        }
        assert!(seen.is_sorted(), "{seen:?}");
        Ok::<_, Failure>(())
    };
    let (written, copied) = tokio::join!(writer, copier);
    written?;
    copied
}

#[tokio::test]
async fn every_commit_changes_the_token_even_one_that_changes_no_length() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("live.db");
    let db = database(&file).await?;
    execute(&db, TABLE, Args::new()).await?;
    execute(&db, ADD, Args::new().bind(1_i64)).await?;
    let mut source = SqliteSource::new(file.clone(), folder.path().join("c"), Durability::Off);
    let mut tokens = vec![source.token().await?];
    assert_eq!(source.token().await?, tokens[0], "unchanged is unchanged");
    for _ in 0..5 {
        execute(&db, BUMP, Args::new()).await?;
        tokens.push(source.token().await?);
    }
    // Closed and opened again, the log is empty and as long as before.
    db.close().await;
    for _ in 0..5 {
        let db = database(&file).await?;
        execute(&db, BUMP, Args::new()).await?;
        db.close().await;
        tokens.push(source.token().await?);
    }
    let all = tokens.len();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), all, "each commit has a token of its own");
    Ok(())
}

#[tokio::test]
async fn a_copy_that_was_given_up_is_removed_and_a_foreign_file_is_not() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (file, copy) = (folder.path().join("live.db"), folder.path().join("copy.db"));
    let db = database(&file).await?;
    execute(&db, TABLE, Args::new()).await?;
    let mut source = SqliteSource::new(file.clone(), copy.clone(), Durability::Off);
    source.begin().await?;
    assert!(copy.exists());
    drop(source);
    assert!(!copy.exists());
    std::fs::write(&copy, b"somebody else's")?;
    let mut source = SqliteSource::new(file, copy.clone(), Durability::Off);
    assert!(source.begin().await.is_err());
    source.end().await?;
    drop(source);
    assert!(copy.exists());
    Ok(())
}

#[tokio::test]
async fn an_object_that_is_overwritten_or_deleted_meanwhile_is_noticed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path())?);
    for name in ["here/a", "here/deep/b", "elsewhere/c"] {
        store.put(&Key::from(name), name.as_bytes().into()).await?;
    }
    let mut source = ObjectsSource::new(store.clone(), Key::from("here"));
    let token = source.token().await?;
    let files = source.begin().await?;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a", "deep/b"]);
    assert_eq!(source.read("deep/b", 0, 99).await?, b"here/deep/b");
    // As long as before.
    store
        .put(&Key::from("here/a"), "HERE/A".as_bytes().into())
        .await?;
    let read = source.read("a", 0, 6).await;
    assert!(matches!(read, Err(SourceError::Changed)), "{read:?}");
    store.delete(&Key::from("here/deep/b")).await?;
    let read = source.read("deep/b", 0, 6).await;
    assert!(matches!(read, Err(SourceError::Changed)), "{read:?}");
    source.end().await?;
    assert_ne!(source.token().await?, token);
    Ok(())
}

#[tokio::test]
async fn a_composite_reads_each_part_below_its_own_folder() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path())?);
    store.put(&Key::from("x/f"), "x".into()).await?;
    store.put(&Key::from("y/f"), "y".into()).await?;
    let part = |name: &str| ObjectsSource::new(store.clone(), Key::from(name));
    let mut source = CompositeSource::new()
        .with("one", part("x"))
        .with("one-more", part("y"));
    let files = source.begin().await?;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["one/f", "one-more/f"]);
    assert_eq!(source.read("one/f", 0, 9).await?, b"x");
    assert_eq!(source.read("one-more/f", 0, 9).await?, b"y");
    let none = source.read("other/f", 0, 9).await;
    assert!(matches!(none, Err(SourceError::Changed)), "{none:?}");
    source.end().await?;
    let token = source.token().await?;
    store.put(&Key::from("y/f"), "z".into()).await?;
    assert_ne!(source.token().await?, token);
    Ok(())
}
