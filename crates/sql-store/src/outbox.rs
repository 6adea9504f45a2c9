//! The outbox table: rows that commit with the change they tell of.
//!
//! A sequencer reads committed rows in the order of (recorded_at, event), moves them into the log,
//! and deletes them afterwards; a delete that is lost is absorbed by the event's id.

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
