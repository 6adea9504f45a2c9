//! One transaction on a PostgreSQL connection.

use std::sync::Arc;

use covenant_core::{BoxFuture, TxTag};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Encode, Executor as _, PgConnection, Postgres,
    Row as _, Type, TypeInfo as _, ValueRef as _,
};
use time::UtcDateTime;
use uuid::Uuid;

use super::connect::{Opener, within};
use super::failure;
use super::scrub::{self, State};
use crate::codec::micros;
use crate::error::Cause;
use crate::pool::Slot;
use crate::tx::Session;
use crate::value::{Value, placeholders};
use crate::{Args, DbError, Row};

/// A begun transaction; dropped, it is rolled back and its connection scrubbed by a task of its own,
/// or closed where there is no runtime.
pub(super) struct PgSession {
    slot: Option<Slot<Opener>>,
    tag: TxTag,
}

impl PgSession {
    pub(super) const fn new(slot: Slot<Opener>, tag: TxTag) -> Self {
        Self {
            slot: Some(slot),
            tag,
        }
    }

    fn conn(&mut self) -> Result<&mut PgConnection, DbError> {
        self.slot
            .as_mut()
            .map(|slot| &mut slot.conn.raw)
            .ok_or(DbError::Closed)
    }
}

impl PgSession {
    /// Makes a call with the connection, and closes it when the server has not answered in time: SQL
    /// can lift the server's own time-outs, but not this one.
    async fn timely<T: Send>(
        &mut self,
        call: impl for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, DbError>> + Send,
    ) -> Result<T, DbError> {
        let slot = self.slot.as_mut().ok_or(DbError::Closed)?;
        let done = within(slot.conn.deadline, call(&mut slot.conn.raw)).await;
        done.unwrap_or_else(|late| {
            self.slot = None;
            Err(late)
        })
    }
}

impl Session for PgSession {
    fn execute(&mut self, sql: &'static str, args: Args) -> BoxFuture<'_, Result<u64, DbError>> {
        Box::pin(self.timely(move |conn| Box::pin(execute(conn, sql, args))))
    }

    fn rows(&mut self, sql: &'static str, args: Args) -> BoxFuture<'_, Result<Vec<Row>, DbError>> {
        Box::pin(self.timely(move |conn| {
            Box::pin(async move {
                let args = bind(sql, args)?;
                let rows = sqlx::query_with(sql, args).fetch_all(conn).await;
                read(&rows.map_err(|error| failure::db_error(&error))?)
            })
        }))
    }

    fn script<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), DbError>> {
        let sql = AssertSqlSafe(sql.to_owned());
        Box::pin(self.timely(move |conn| {
            Box::pin(async move {
                let done = conn.execute(sqlx::raw_sql(sql)).await;
                done.map(drop).map_err(|error| failure::db_error(&error))
            })
        }))
    }

    fn computed<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<Vec<Row>, DbError>> {
        let sql = AssertSqlSafe(sql.to_owned());
        Box::pin(self.timely(move |conn| {
            Box::pin(async move {
                let rows = sqlx::query(sql).persistent(false).fetch_all(conn).await;
                read(&rows.map_err(|error| failure::db_error(&error))?)
            })
        }))
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), DbError>> {
        Box::pin(async move {
            // COMMIT of a failed transaction succeeds and rolls back, and COMMIT of one that was
            // ended by hand succeeds and does nothing: so the server first proves, in the same
            // message, that this is the transaction that was begun
            let sql = format!(
                "SELECT 1 / coalesce((current_setting('covenant.txn', true) = '{}')::int, 0); \
                 COMMIT",
                self.tag.txn
            );
            match self.script(&sql).await {
                Err(DbError::Unavailable(cause)) => {
                    self.slot = None;
                    Err(DbError::CommitUnknown(cause))
                }
                // dropped, the session gives the connection back
                done => done.map_err(|error| match error.code() {
                    Some("22012") => DbError::Aborted,
                    _ => error,
                }),
            }
        })
    }

    fn rollback(mut self: Box<Self>) -> BoxFuture<'static, Result<(), DbError>> {
        Box::pin(async move { self.script("ROLLBACK").await })
    }

    fn database_now(&self) -> Option<UtcDateTime> {
        self.slot.as_ref()?.conn.now()
    }

    #[cfg(feature = "sqlite")]
    fn sqlite(&mut self) -> Option<&mut crate::SqliteConnection> {
        None
    }

    fn postgres(&mut self) -> Option<&mut PgConnection> {
        self.conn().ok()
    }
}

impl Drop for PgSession {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            give_back(slot);
        }
    }
}

/// Scrubs and checks the connection in a task of its own, so that nobody waits for it who does not
/// need this connection; without a runtime the connection is closed.
fn give_back(mut slot: Slot<Opener>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    runtime.spawn(async move {
        match within(slot.conn.deadline, scrub::scrub(&mut slot.conn)).await {
            Ok(Ok(State::Clean)) => slot.give_back(),
            Ok(Ok(State::Unclean)) => slot.reject(),
            // lost: dropped here
            Ok(Err(_)) | Err(_) => {}
        }
    });
}

/// A UUID on the wire; sqlx's own feature for it is not needed for 16 bytes.
struct PgUuid(Uuid);

impl Type<Postgres> for PgUuid {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(2950))
    }
}

impl Encode<'_, Postgres> for PgUuid {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

/// A null whose type is left to the server: it takes that of its place in the statement.
struct PgNull;

impl Type<Postgres> for PgNull {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for PgNull {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

/// Runs a statement on a connection.
pub(crate) async fn execute(
    conn: &mut PgConnection,
    sql: &'static str,
    args: Args,
) -> Result<u64, DbError> {
    let args = bind(sql, args)?;
    let done = sqlx::query_with(sql, args).execute(conn).await;
    done.map(|done| done.rows_affected())
        .map_err(|error| failure::db_error(&error))
}

fn bind(sql: &str, args: Args) -> Result<PgArguments, DbError> {
    let (expected, bound) = (placeholders(sql), args.len());
    if expected != bound {
        return Err(DbError::Arguments { expected, bound });
    }
    let mut bounds = PgArguments::default();
    for value in args.into_values() {
        let added = match value {
            Value::Bytes(bytes) => bounds.add(bytes),
            Value::Instant(at) => bounds.add(micros(at)),
            Value::Int(number) => bounds.add(number),
            Value::Null => bounds.add(PgNull),
            Value::Text(text) => bounds.add(text),
            Value::Uuid(uuid) => bounds.add(PgUuid(uuid)),
        };
        added.or(Err(DbError::Rejected(Cause::new(
            "a value cannot be bound",
        ))))?;
    }
    Ok(bounds)
}

fn read(rows: &[PgRow]) -> Result<Vec<Row>, DbError> {
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

fn cell(row: &PgRow, at: usize, name: &str) -> Result<Value, DbError> {
    let refuse = || DbError::Column {
        name: name.to_owned(),
        expected: "an integer, a text, bytes, a UUID or null",
    };
    let raw = row.try_get_raw(at).ok().ok_or_else(refuse)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let value = match raw.type_info().name() {
        "INT8" => row.try_get(at).ok().map(Value::Int),
        "INT4" => row.try_get::<i32, _>(at).ok().map(Value::from),
        "INT2" => row.try_get::<i16, _>(at).ok().map(|n| Value::Int(n.into())),
        "BOOL" => row.try_get::<bool, _>(at).ok().map(Value::from),
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" => row.try_get(at).ok().map(Value::Text),
        "BYTEA" => row.try_get(at).ok().map(Value::Bytes),
        "UUID" => raw
            .as_bytes()
            .ok()
            .and_then(|b| Uuid::from_slice(b).ok())
            .map(Value::Uuid),
        "TIMESTAMPTZ" => raw.as_bytes().ok().and_then(timestamp).map(Value::Int),
        _ => None,
    };
    value.ok_or_else(refuse)
}

/// Microseconds since 1970 of a time stamp on the wire, which counts from 2000; infinity is none.
fn timestamp(bytes: &[u8]) -> Option<i64> {
    const FROM_1970_TO_2000: i64 = 946_684_800_000_000;
    let micros = i64::from_be_bytes(bytes.try_into().ok()?);
    micros
        .checked_add(FROM_1970_TO_2000)
        .filter(|_| micros != i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn time_stamps_count_from_1970_and_infinity_is_none() {
        assert_eq!(timestamp(&0_i64.to_be_bytes()), Some(946_684_800_000_000));
        assert_eq!(
            timestamp(&(-946_684_800_000_000_i64).to_be_bytes()),
            Some(0)
        );
        for none in [i64::MIN, i64::MAX] {
            assert_eq!(timestamp(&none.to_be_bytes()), None);
        }
        assert_eq!(timestamp(&[0; 4]), None);
    }
}
