//! Rewriting and checkpoints: on a connection of its own that is never pooled or lent.
//!
//! These cannot run in a transaction, and take longer than the serving profile lets a statement.
//! The role must own the database and may need `pg_checkpoint`, `pg_read_all_settings` and the right
//! to call `pg_switch_wal` and `pg_ls_waldir`; a superuser has all.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
};

use super::{PostgresOptions, failure};
use crate::error::Cause;
use crate::{DbError, OpenError};

/// How long one wait for older transactions lasts; a figure of ours.
const PAUSE: Duration = Duration::from_millis(20);

/// A connection for maintenance of one PostgreSQL database.
#[derive(Debug)]
pub struct PostgresMaintenance {
    raw: PgConnection,
    lock_wait: Duration,
}

impl PostgresMaintenance {
    /// Opens the connection. It waits for locks as long as the options say, and for statements
    /// without end.
    ///
    /// # Errors
    /// [`OpenError::Options`], else [`OpenError::Database`].
    pub async fn open(options: &PostgresOptions) -> Result<Self, OpenError> {
        options.check()?;
        let profile = [
            (
                "lock_timeout",
                format!("{}ms", options.lock_wait.as_millis()),
            ),
            ("statement_timeout", "0".to_owned()),
            ("search_path", "pg_catalog".to_owned()),
        ];
        let connect = options.connect.clone().options(profile);
        let raw = connect.connect().await;
        Ok(Self {
            raw: raw.map_err(|error| failure::db_error(&error))?,
            lock_wait: options.lock_wait,
        })
    }

    /// Waits, as long as for a lock, until no transaction is open that began before this call and
    /// may still see what was deleted: a rewrite would carry those rows over, and say nothing. One
    /// that writes in another database counts too, since the rewrite's own snapshot reaches back to it.
    ///
    /// # Errors
    /// [`DbError::Busy`] when there still is one, a prepared transaction or a replication slot too.
    pub async fn outlast_older_transactions(&mut self) -> Result<(), DbError> {
        let next = include_str!("../../sql/postgres/read_next_transaction.sql");
        let next: i64 = column(&self.row(next).await?)?;
        let count = include_str!("../../sql/postgres/count_older_holders.sql");
        let pauses = self.lock_wait.as_millis() / PAUSE.as_millis().max(1);
        for _ in 0..=pauses {
            let row = sqlx::query(count).bind(next).fetch_one(&mut self.raw).await;
            if column::<i64>(&row.map_err(|error| failure::db_error(&error))?)? == 0 {
                return Ok(());
            }
            let pause = sqlx::query("SELECT pg_sleep($1)").bind(PAUSE.as_secs_f64());
            pause
                .execute(&mut self.raw)
                .await
                .map_err(|error| failure::db_error(&error))?;
        }
        Err(DbError::Busy(Cause::new("an older transaction is open")))
    }

    /// Writes every table of the database anew, with its indexes and its out-of-line values, from the
    /// rows that are visible; then gathers the planner's statistics, which are copies of values, anew
    /// and rewrites those too.
    ///
    /// # Errors
    /// [`DbError::Rejected`] when there is a table that the role may not rewrite, [`DbError::Busy`]
    /// when somebody holds a lock, [`DbError::Full`], or as the database answers.
    pub async fn rewrite(&mut self) -> Result<(), DbError> {
        let foreign = include_str!("../../sql/postgres/count_foreign_tables.sql");
        if column::<i64>(&self.row(foreign).await?)? != 0 {
            return Err(DbError::Rejected(Cause::new("a table of another owner")));
        }
        for statement in [
            "VACUUM (FULL, ANALYZE)",
            "VACUUM (FULL) pg_catalog.pg_statistic",
            "VACUUM (FULL) pg_catalog.pg_statistic_ext_data",
        ] {
            self.run(statement).await?;
        }
        Ok(())
    }

    /// Writes all that is in memory to the files, removes files that were replaced, and recycles or
    /// removes the segments of the write-ahead log that no recovery needs.
    ///
    /// # Errors
    /// As the database answers.
    pub async fn checkpoint(&mut self) -> Result<(), DbError> {
        self.run("CHECKPOINT").await
    }

    /// Ends the present segment of the write-ahead log; the rest of it is zeroes.
    ///
    /// # Errors
    /// As the database answers.
    pub async fn switch_log(&mut self) -> Result<(), DbError> {
        self.run("SELECT pg_switch_wal()").await
    }

    /// How many files the write-ahead log has, recycled ones included, which keep what was in them
    /// until they are written again.
    ///
    /// # Errors
    /// As the database answers.
    pub async fn log_segments(&mut self) -> Result<u32, DbError> {
        let count = include_str!("../../sql/postgres/count_log_segments.sql");
        let count: i64 = column(&self.row(count).await?)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The server's data directory, as the server names it.
    ///
    /// # Errors
    /// As the database answers.
    pub async fn data_directory(&mut self) -> Result<PathBuf, DbError> {
        let folder: String = column(&self.row("SHOW data_directory").await?)?;
        Ok(PathBuf::from(folder))
    }

    /// Size of the database's files in bytes.
    ///
    /// # Errors
    /// As the database answers.
    pub async fn size_bytes(&mut self) -> Result<u64, DbError> {
        let size: i64 = column(
            &self
                .row("SELECT pg_database_size(current_database())")
                .await?,
        )?;
        Ok(u64::try_from(size).unwrap_or_default())
    }

    /// Ends all sessions of another database of the server and removes it with its files; one that
    /// is not there is no error.
    ///
    /// # Errors
    /// [`DbError::Rejected`] for the database of this connection; else as the database answers.
    pub async fn drop_database(&mut self, name: &str) -> Result<(), DbError> {
        // a database's name cannot be bound; it is quoted
        let name = name.replace('"', "\"\"");
        let sql = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
        let dropped = self.raw.execute(AssertSqlSafe(sql)).await;
        dropped.map(drop).map_err(|error| failure::db_error(&error))
    }

    /// Closes the connection and waits until it is closed.
    ///
    /// # Errors
    /// As the database answers; the connection is closed all the same.
    pub async fn close(self) -> Result<(), DbError> {
        self.raw
            .close()
            .await
            .map_err(|error| failure::db_error(&error))
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), DbError> {
        let done = self.raw.execute(sql).await;
        done.map(drop).map_err(|error| failure::db_error(&error))
    }

    async fn row(&mut self, sql: &'static str) -> Result<PgRow, DbError> {
        let row = sqlx::query(sql).fetch_one(&mut self.raw).await;
        row.map_err(|error| failure::db_error(&error))
    }
}

fn column<'r, T>(row: &'r PgRow) -> Result<T, DbError>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(0).map_err(|error| failure::db_error(&error))
}
