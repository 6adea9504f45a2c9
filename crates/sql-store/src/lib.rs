//! SQLite and PostgreSQL behind one handle: the rows of every crate of the workspace.
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
pub mod outbox;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use db::{Db, Dialect, Quiet};
pub use error::{Cause, Constraint, DbError, OpenError};
pub use migrate::{MigrateError, Migrations};
pub use outbox::OUTBOX;
pub use row::Row;
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, READERS_MAX, SqliteOptions, SqliteProfile, maintenance};
#[cfg(feature = "postgres")]
pub use sqlx::PgConnection;
#[cfg(feature = "sqlite")]
pub use sqlx::SqliteConnection;
pub use tx::{Mode, Tx};
pub use value::{Args, Value};
