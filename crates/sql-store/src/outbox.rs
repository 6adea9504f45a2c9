//! The outbox table: rows that commit with the change they tell of.
//!
//! A sequencer reads committed rows in the order of (recorded_at, event), moves them into the log,
//! and deletes them afterwards; a delete that is lost is absorbed by the event's id.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use std::fmt;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use covenant_core::{BoxFuture, Clock, OutboxTx};
use covenant_core::{EventId, LogId, OutboxError, OutboxRow, TxTag, TxnId};
use time::UtcDateTime;

use crate::{Args, DbError, Migrations, Row, Tx};

/// Makes the outbox table.
pub const OUTBOX: Migrations = Migrations {
    crate_name: "sql-store-outbox",
    steps: &[("0001_outbox", include_str!("../migrations/0001_outbox.sql"))],
};

pub(crate) const PUT: &str = include_str!("../sql/put_outbox.sql");
const READ: &str = include_str!("../sql/read_outbox.sql");
const DELETE: &str = include_str!("../sql/delete_outbox.sql");
const COUNT: &str = include_str!("../sql/count_outbox.sql");

/// One committed row, as a sequencer reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The row as it was put.
    pub row: OutboxRow,
    /// The time of the store's clock when it was put.
    pub recorded_at: UtcDateTime,
    /// The transaction that put it.
    pub txn: TxnId,
}

/// Reads at most `limit` rows in the order of (recorded_at, event).
///
/// # Errors
/// [`DbError`].
pub async fn read(tx: &mut Tx, limit: u32) -> Result<Vec<OutboxEntry>, DbError> {
    tx.rows(READ, Args::new().bind(limit))
        .await?
        .iter()
        .map(entry)
        .collect()
}

/// Deletes these rows; one that is not there is no error.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, events: &[EventId]) -> Result<(), DbError> {
    for event in events {
        tx.execute(DELETE, Args::new().bind(event)).await?;
    }
    Ok(())
}

/// How many rows wait.
///
/// # Errors
/// [`DbError`].
pub async fn count(tx: &mut Tx) -> Result<u64, DbError> {
    let row = tx.row(COUNT, Args::new()).await?;
    let rows = row.map_or(Ok(0), |row| row.int("n"))?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// The outbox of a transaction of sqlx's own, for code that keeps its transactions.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub struct Outbox<'t> {
    conn: Lent<'t>,
    tag: TxTag,
    clock: &'t dyn Clock,
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
enum Lent<'t> {
    #[cfg(feature = "postgres")]
    Postgres(&'t mut crate::PgConnection),
    #[cfg(feature = "sqlite")]
    Sqlite(&'t mut crate::SqliteConnection),
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl<'t> Outbox<'t> {
    /// The outbox of a transaction on SQLite; rows are stamped with this tag and this clock.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(
        tx: &'t mut sqlx::Transaction<'_, sqlx::Sqlite>,
        tag: TxTag,
        clock: &'t dyn Clock,
    ) -> Self {
        Self {
            conn: Lent::Sqlite(tx),
            tag,
            clock,
        }
    }

    /// The outbox of a transaction on PostgreSQL; rows are stamped with this tag and this clock.
    #[cfg(feature = "postgres")]
    pub fn postgres(
        tx: &'t mut sqlx::Transaction<'_, sqlx::Postgres>,
        tag: TxTag,
        clock: &'t dyn Clock,
    ) -> Self {
        Self {
            conn: Lent::Postgres(tx),
            tag,
            clock,
        }
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl OutboxTx for Outbox<'_> {
    fn tag(&self) -> TxTag {
        self.tag
    }

    fn put(&mut self, row: OutboxRow) -> BoxFuture<'_, Result<(), OutboxError>> {
        Box::pin(async move {
            let args = args(row, self.tag, self.clock.now())?;
            let put = match &mut self.conn {
                #[cfg(feature = "postgres")]
                Lent::Postgres(conn) => crate::postgres::execute(conn, PUT, args).await,
                #[cfg(feature = "sqlite")]
                Lent::Sqlite(conn) => crate::sqlite::execute(conn, PUT, args).await,
            };
            put.map(drop)
                .map_err(|error| OutboxError::Store(Box::new(error)))
        })
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl fmt::Debug for Outbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

pub(crate) fn args(row: OutboxRow, tag: TxTag, now: UtcDateTime) -> Result<Args, OutboxError> {
    let OutboxRow {
        event,
        log,
        kind,
        leaf,
        sealed,
    } = row;
    if leaf.len() > covenant_core::outbox::LEAF_LEN_BYTES_MAX {
        return Err(OutboxError::TooLarge);
    }
    Ok(Args::new()
        .bind(event)
        .bind(log)
        .bind(kind)
        .bind(now)
        .bind(tag.txn)
        .bind(leaf)
        .bind(sealed))
}

fn entry(row: &Row) -> Result<OutboxEntry, DbError> {
    let kind = u8::try_from(row.int("kind")?);
    let kind = kind.ok().ok_or_else(|| DbError::Column {
        name: "kind".to_owned(),
        expected: "0 to 255",
    })?;
    Ok(OutboxEntry {
        row: OutboxRow {
            event: EventId::from_uuid(row.uuid("event")?),
            log: LogId::from_uuid(row.uuid("log")?),
            kind,
            leaf: row.bytes("leaf")?.to_vec(),
            sealed: row.bytes("sealed")?.to_vec(),
        },
        recorded_at: row.instant("recorded_at")?,
        txn: row.id("txn")?,
    })
}
