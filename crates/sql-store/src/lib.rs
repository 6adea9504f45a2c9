//! SQLite and PostgreSQL behind one handle: the rows of every crate of the workspace (Q-03).
//!
//! A transaction of [`Db::begin_with`] is begun completely or not at all: a future dropped at any
//! await closes its connection, and a connection returns to its pool only after it has been proven
//! clean. SQL is static text with bound values. Where a store keeps content, deleting overwrites.
//!
//! To open a database use `Db::open_sqlite` or `Db::open_postgres`; to make its tables use
//! [`Db::migrate`]; to read and write use [`Tx`] with [`Args`] and [`Row`]; to commit events with
//! the change use [`OutboxTx::put`](covenant_core::OutboxTx::put) on the [`Tx`], or `Outbox` in
//! sqlx's own transactions; to remember what falls due use [`due`]; to let one of many workers
//! work use [`lease`]; to vacuum and copy a SQLite file use `maintenance`.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # async fn example(folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use covenant_core::{SystemClock, TxTag, TxnId};
//! use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};
//!
//! let options = SqliteOptions::new(folder.join("control.db"), SqliteProfile::Control);
//! let db = Db::create_sqlite(options, Arc::new(SystemClock::new())).await?;
//! db.migrate(&sql_store::OUTBOX).await?;
//! let tag = TxTag { txn: TxnId::from_bytes([1; 16]), tenant: None, decision: None };
//! let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
//! tx.execute("CREATE TABLE note (id BIGINT PRIMARY KEY, body TEXT)", Args::new()).await?;
//! tx.execute("INSERT INTO note VALUES ($1, $2)", Args::new().bind(1_i64).bind("hello")).await?;
//! let row = tx.row("SELECT body FROM note", Args::new()).await?;
//! assert_eq!(row.map(|row| row.text("body").map(str::to_owned)).transpose()?, Some("hello".into()));
//! tx.commit().await?;
//! # Ok(())
//! # }
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
//! #     .block_on(example(tempfile::tempdir().unwrap().path())).unwrap();
//! ```
//!
//! # Features
//! - `sqlite`: SQLite files, with the one unsafe module of the workspace.
//! - `postgres`: PostgreSQL 15 and later.
//! - `testing`: the suite that both databases pass.
#![deny(unsafe_code)]

mod db;
mod error;
mod migrate;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod pool;
mod row;
mod tx;
mod value;

pub mod codec;
pub mod due;
pub mod lease;
pub mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(all(feature = "testing", any(feature = "sqlite", feature = "postgres")))]
pub mod testing;

pub use db::{Db, Dialect, Quiet};
pub use error::{Cause, Constraint, DbError, OpenError};
pub use migrate::{MigrateError, Migrations};
pub use outbox::OUTBOX;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use outbox::Outbox;
#[cfg(feature = "postgres")]
pub use postgres::{Isolation, PostgresMaintenance, PostgresOptions, Transport};
pub use row::Row;
#[cfg(feature = "sqlite")]
pub use sqlite::{
    Durability, READERS_MAX, SqliteOptions, SqliteProfile, check_secure_delete, maintenance,
    probe_secure_delete,
};
#[cfg(feature = "postgres")]
pub use sqlx::PgConnection;
#[cfg(feature = "sqlite")]
pub use sqlx::SqliteConnection;
pub use tx::{Mode, Tx};
pub use value::{Args, Value};
