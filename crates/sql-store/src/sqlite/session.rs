//! One transaction on a SQLite connection.

use std::sync::Arc;

use covenant_core::BoxFuture;
use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Either, Executor as _, Row as _, SqliteConnection,
    TypeInfo as _, ValueRef as _,
};
use time::UtcDateTime;

use super::connect::{COMMIT_CHECK, Opener, ROLLBACK_CHECK};
use super::failure;
use crate::codec::micros;
use crate::error::Cause;
use crate::pool::Slot;
use crate::tx::Session;
use crate::value::{Value, placeholders};
use crate::{Args, DbError, Row};

/// A begun transaction; dropped, it is rolled back and its connection checked by a task of its own,
/// or closed where there is no runtime.
pub(super) struct SqliteSession {
    slot: Option<Slot<Opener>>,
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Commit,
    Rollback,
}

impl SqliteSession {
    pub(super) const fn new(slot: Slot<Opener>) -> Self {
        Self { slot: Some(slot) }
    }

    fn conn(&mut self) -> Result<&mut SqliteConnection, DbError> {
        self.slot
            .as_mut()
            .map(|slot| &mut slot.conn.raw)
            .ok_or(DbError::Closed)
    }
}

impl Session for SqliteSession {
    fn execute(&mut self, sql: &'static str, args: Args) -> BoxFuture<'_, Result<u64, DbError>> {
        Box::pin(async move { execute(self.conn()?, sql, args).await })
    }

    fn rows(&mut self, sql: &'static str, args: Args) -> BoxFuture<'_, Result<Vec<Row>, DbError>> {
        Box::pin(async move {
            let args = bind(sql, args)?;
            let rows = sqlx::query_with(sql, args).fetch_all(self.conn()?).await;
            read(&rows.map_err(|error| failure::db_error(&error))?)
        })
    }

    fn script<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(async move {
            let conn = self.conn()?;
            let done = conn
                .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
                .await;
            done.map(drop).map_err(|error| failure::db_error(&error))
        })
    }

    fn computed<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<Vec<Row>, DbError>> {
        Box::pin(async move {
            let conn = self.conn()?;
            let rows = conn
                .fetch_all(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
                .await;
            read(&rows.map_err(|error| failure::db_error(&error))?)
        })
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), DbError>> {
        Box::pin(async move {
            let slot = self.slot.take().ok_or(DbError::Closed)?;
            end(slot, End::Commit).await
        })
    }

    fn rollback(mut self: Box<Self>) -> BoxFuture<'static, Result<(), DbError>> {
        Box::pin(async move {
            let slot = self.slot.take().ok_or(DbError::Closed)?;
            end(slot, End::Rollback).await
        })
    }

    fn database_now(&self) -> Option<UtcDateTime> {
        None
    }

    fn sqlite(&mut self) -> Option<&mut SqliteConnection> {
        self.conn().ok()
    }

    #[cfg(feature = "postgres")]
    fn postgres(&mut self) -> Option<&mut crate::PgConnection> {
        None
    }
}

impl Drop for SqliteSession {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // whether it worked is the slot's matter: it gives the connection back or closes it
            runtime.spawn(async move { drop(end(slot, End::Rollback).await) });
        }
    }
}

/// Ends the transaction and checks the connection, in one message to its thread. The slot is given
/// back when everything is as it must be, and closed otherwise.
async fn end(mut slot: Slot<Opener>, how: End) -> Result<(), DbError> {
    let sql = match how {
        End::Commit => COMMIT_CHECK,
        End::Rollback => ROLLBACK_CHECK,
    };
    let mut ended = false;
    let mut check = None;
    let mut failed = None;
    {
        let mut results = slot.conn.raw.fetch_many(sqlx::query(sql));
        loop {
            match results.try_next().await {
                Ok(Some(Either::Left(_))) => ended = true,
                Ok(Some(Either::Right(row))) => check = Some(row),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(failure::db_error(&error));
                    break;
                }
            }
        }
    }
    match check {
        Some(row) if failed.is_none() && slot.conn.is_clean(&row) => slot.give_back(),
        _ => slot.reject(),
    }
    match (ended, failed) {
        (true, _) => Ok(()),
        (false, Some(DbError::Unavailable(cause))) if how == End::Commit => {
            Err(DbError::CommitUnknown(cause))
        }
        (false, Some(error)) => Err(error),
        (false, None) => Err(DbError::CommitUnknown(Cause::new("no answer"))),
    }
}

/// Runs a statement on a connection.
pub(crate) async fn execute(
    conn: &mut SqliteConnection,
    sql: &'static str,
    args: Args,
) -> Result<u64, DbError> {
    let args = bind(sql, args)?;
    let done = sqlx::query_with(sql, args).execute(conn).await;
    done.map(|done| done.rows_affected())
        .map_err(|error| failure::db_error(&error))
}

fn bind(sql: &str, args: Args) -> Result<SqliteArguments, DbError> {
    let (expected, bound) = (placeholders(sql), args.len());
    if expected != bound {
        return Err(DbError::Arguments { expected, bound });
    }
    let mut bounds = SqliteArguments::default();
    for value in args.into_values() {
        let added = match value {
            Value::Bytes(bytes) => bounds.add(bytes),
            Value::Instant(at) => bounds.add(micros(at)),
            Value::Int(number) => bounds.add(number),
            Value::Null => bounds.add(None::<i64>),
            Value::Text(text) => bounds.add(text),
            Value::Uuid(uuid) => bounds.add(uuid.as_bytes().to_vec()),
        };
        added.or(Err(DbError::Rejected(Cause::new(
            "a value cannot be bound",
        ))))?;
    }
    Ok(bounds)
}

fn read(rows: &[SqliteRow]) -> Result<Vec<Row>, DbError> {
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let columns: Arc<[Box<str>]> = first.columns().iter().map(|c| c.name().into()).collect();
    rows.iter()
        .map(|row| {
            let cells = columns
                .iter()
                .enumerate()
                .map(|(at, name)| cell(row, at, name));
            Ok(Row::new(
                Arc::clone(&columns),
                cells.collect::<Result<_, DbError>>()?,
            ))
        })
        .collect()
}

fn cell(row: &SqliteRow, at: usize, name: &str) -> Result<Value, DbError> {
    let refuse = || DbError::Column {
        name: name.to_owned(),
        expected: "an integer, a text, bytes or null",
    };
    let (null, kind) = {
        let raw = row.try_get_raw(at).ok().ok_or_else(refuse)?;
        (raw.is_null(), raw.type_info().name().to_owned())
    };
    if null {
        return Ok(Value::Null);
    }
    let value = match kind.as_str() {
        "INTEGER" => row.try_get_unchecked(at).map(Value::Int),
        "TEXT" => row.try_get_unchecked(at).map(Value::Text),
        "BLOB" => row.try_get_unchecked(at).map(Value::Bytes),
        _ => return Err(refuse()),
    };
    value.ok().ok_or_else(refuse)
}
