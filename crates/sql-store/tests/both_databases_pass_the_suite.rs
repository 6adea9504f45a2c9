//! SQLite and PostgreSQL pass the same suite; on a pool of one connection, cancelled calls leave
//! nothing open on either.
#![cfg(all(feature = "sqlite", feature = "postgres", feature = "testing"))]

#[cfg(test)]
#[path = "common/clock.rs"]
mod clock;
#[cfg(test)]
#[path = "common/postgres.rs"]
mod postgres;
#[cfg(test)]
#[path = "common/sqlite.rs"]
mod sqlite;

use clock::clock;
use covenant_core::{Clock as _, EventId, LogId, OutboxRow, OutboxTx as _};
use postgres::TestRandom;
use sql_store::testing::suite;
use sql_store::{Db, Durability, Mode, OUTBOX, Outbox, SqliteOptions, SqliteProfile};
use sqlx::Connection as _;
use std::sync::Arc;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::test]
async fn sqlite_passes() -> Outcome {
    for profile in [SqliteProfile::Control, SqliteProfile::Tenant] {
        let folder = tempfile::tempdir()?;
        let db = sqlite::create(folder.path(), profile).await?;
        suite::all(&db).await?;
        assert_eq!(db.rejected(), 0);
        db.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_passes_on_many_threads_and_durably() -> Outcome {
    let folder = tempfile::tempdir()?;
    let options = SqliteOptions::new(folder.path().join("main.db"), SqliteProfile::Control);
    let db = Db::create_sqlite(options.durability(Durability::Full), clock()).await?;
    suite::all(&db).await?;
    db.close().await;
    Ok(())
}

#[tokio::test]
async fn sqlite_with_one_writer_and_one_reader_survives_every_cancelled_call() -> Outcome {
    let folder = tempfile::tempdir()?;
    let options = SqliteOptions::new(folder.path().join("main.db"), SqliteProfile::Tenant);
    let options = options.durability(Durability::Off).readers(1);
    let db = Db::create_sqlite(options, clock()).await?;
    suite::cancelled_calls_leave_nothing_open(&db).await?;
    db.close().await;
    Ok(())
}

#[tokio::test]
async fn postgres_passes() -> Outcome {
    let Some(options) = postgres::schema("suite_all").await? else {
        return Ok(());
    };
    let db = Db::open_postgres(options, clock(), Arc::new(TestRandom)).await?;
    suite::all(&db).await?;
    assert_eq!(db.rejected(), 0);
    db.close().await;
    Ok(())
}

#[tokio::test]
async fn postgres_with_a_pool_of_one_survives_every_cancelled_call() -> Outcome {
    let Some(options) = postgres::schema("suite_one").await? else {
        return Ok(());
    };
    let db = Db::open_postgres(options.connections(1), clock(), Arc::new(TestRandom)).await?;
    suite::cancelled_calls_leave_nothing_open(&db).await?;
    db.close().await;
    Ok(())
}

/// One event, as a sink would make it.
fn event(n: u8) -> OutboxRow {
    let (event, log) = (EventId::from_bytes([n; 16]), LogId::from_bytes([1; 16]));
    OutboxRow {
        event,
        log,
        kind: 0,
        leaf: vec![n],
        sealed: Vec::new(),
    }
}

#[tokio::test]
async fn transactions_of_sqlx_have_an_outbox_too() -> Outcome {
    let folder = tempfile::tempdir()?;
    let db = sqlite::create(folder.path(), SqliteProfile::Tenant).await?;
    db.migrate(&OUTBOX).await?;
    let clock = clock();
    let mut tx = db.begin_with(Mode::ReadWrite, suite::tag(1)).await?;
    let mut inner = tx.sqlite().ok_or("not lent")?.begin().await?;
    Outbox::sqlite(&mut inner, suite::tag(2), &*clock)
        .put(event(1))
        .await?;
    let again = Outbox::sqlite(&mut inner, suite::tag(2), &*clock)
        .put(event(1))
        .await;
    assert!(again.is_err());
    inner.commit().await?;
    let read = sql_store::outbox::read(&mut tx, 10).await?;
    assert_eq!(read.len(), 1);
    assert_eq!(
        (read[0].txn, read[0].recorded_at),
        (suite::tag(2).txn, clock.now())
    );
    tx.commit().await?;

    let Some(options) = postgres::schema("suite_outbox").await? else {
        return Ok(());
    };
    let db = Db::open_postgres(options, clock.clone(), Arc::new(TestRandom)).await?;
    db.migrate(&OUTBOX).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, suite::tag(1)).await?;
    let mut inner = tx.postgres().ok_or("not lent")?.begin().await?;
    Outbox::postgres(&mut inner, suite::tag(2), &*clock)
        .put(event(1))
        .await?;
    inner.commit().await?;
    let read = sql_store::outbox::read(&mut tx, 10).await?;
    assert_eq!(read.len(), 1);
    assert_eq!((read[0].txn, &read[0].row), (suite::tag(2).txn, &event(1)));
    tx.commit().await?;
    Ok(())
}
