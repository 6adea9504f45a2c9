//! A SQLite transaction commits whole or leaves nothing, and its connection comes back clean.
#![cfg(feature = "sqlite")]

use std::error::Error;
use std::sync::Arc;

use covenant_core::{ManualClock, TxTag, TxnId};
use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};
use time::UtcDateTime;

type Outcome = Result<(), Box<dyn Error>>;

fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([7; 16]),
        tenant: None,
        decision: None,
    }
}

async fn fresh(folder: &std::path::Path) -> Result<Db, Box<dyn Error>> {
    let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
    let options = SqliteOptions::new(folder.join("main.db"), SqliteProfile::Control);
    let db = Db::create_sqlite(options, clock).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("CREATE TABLE t (n BIGINT NOT NULL)", Args::new())
        .await?;
    tx.commit().await?;
    Ok(db)
}

async fn count(db: &Db) -> Result<i64, Box<dyn Error>> {
    let mut tx = db.begin_with(Mode::ReadOnly, tag()).await?;
    let row = tx
        .row("SELECT count(*) AS n FROM t", Args::new())
        .await?
        .ok_or("no row")?;
    Ok(row.int("n")?)
}

#[tokio::test]
async fn what_is_committed_is_there_and_what_is_dropped_is_not() -> Outcome {
    let folder = tempfile::tempdir()?;
    let db = fresh(folder.path()).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("INSERT INTO t (n) VALUES ($1)", Args::new().bind(1_i64))
        .await?;
    tx.commit().await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("INSERT INTO t (n) VALUES ($1)", Args::new().bind(2_i64))
        .await?;
    drop(tx);
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("INSERT INTO t (n) VALUES ($1)", Args::new().bind(3_i64))
        .await?;
    tx.rollback().await?;
    assert_eq!(count(&db).await?, 1);
    assert_eq!(db.rejected(), 0);
    let mut tx = db.begin_with(Mode::ReadOnly, tag()).await?;
    let refused = tx
        .execute("INSERT INTO t (n) VALUES (1)", Args::new())
        .await;
    assert!(
        matches!(refused, Err(sql_store::DbError::ReadOnly)),
        "{refused:?}"
    );
    drop(tx);
    db.migrate(&sql_store::OUTBOX).await?;
    db.migrate(&sql_store::OUTBOX).await?;
    db.migrate(&sql_store::due::DUE).await?;
    db.close().await;
    Ok(())
}
