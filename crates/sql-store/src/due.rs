//! The one due-queue: what must happen when, for bins, grants, notices, drills, keys and epochs.
//!
//! A row commits with what creates it. It is a reminder and no fact: whoever takes it looks at the
//! facts first, so a row may be drained late, twice, or by two workers.

use covenant_core::TenantId;
use time::UtcDateTime;

use crate::{Args, DbError, Migrations, Row, Tx};

/// Makes the due-queue's table.
pub const DUE: Migrations = Migrations {
    crate_name: "sql-store-due",
    steps: &[("0001_due", include_str!("../migrations/0001_due.sql"))],
};

/// Longest kind in bytes: a bound of ours; kinds are words of the code.
pub const KIND_LEN_BYTES_MAX: usize = 64;
/// Longest key in bytes: a bound of ours; an item id has at most 64.
pub const KEY_LEN_BYTES_MAX: usize = 512;

const PUT: &str = include_str!("../sql/put_due.sql");
const READ: &str = include_str!("../sql/read_due.sql");
const FIND: &str = include_str!("../sql/find_due.sql");
const OF_KIND: &str = include_str!("../sql/list_due_of_kind.sql");
const DELETE: &str = include_str!("../sql/delete_due.sql");
const CANCEL: &str = include_str!("../sql/cancel_due.sql");
const CLEAR: &str = include_str!("../sql/clear_due.sql");
const NEXT: &str = include_str!("../sql/next_due.sql");

/// One thing that falls due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When.
    pub due_at: UtcDateTime,
    /// What kind of thing: who drains the queue dispatches on it.
    pub kind: String,
    /// Whose.
    pub tenant: TenantId,
    /// Which one of its kind.
    pub key: Vec<u8>,
}

impl Due {
    fn args(&self) -> Result<Args, DbError> {
        for (what, len, max) in [
            ("kind", self.kind.len(), KIND_LEN_BYTES_MAX),
            ("key", self.key.len(), KEY_LEN_BYTES_MAX),
        ] {
            if len > max {
                return Err(DbError::TooLong { what, max });
            }
        }
        Ok(Args::new()
            .bind(self.tenant)
            .bind(&self.kind)
            .bind(&self.key))
    }
}

/// Puts a row; one with the same tenant, kind and key moves to the new instant.
///
/// # Errors
/// [`DbError::TooLong`], or as the database answers.
pub async fn put(tx: &mut Tx, due: &Due) -> Result<(), DbError> {
    tx.execute(PUT, due.args()?.bind(due.due_at))
        .await
        .map(drop)
}

/// The rows due at `now`, the oldest first, at most `limit`. Rows due at the same instant come in
/// the order of kind, tenant and key, so that two runs see the same order.
///
/// # Errors
/// [`DbError`].
pub async fn due(tx: &mut Tx, now: UtcDateTime, limit: u32) -> Result<Vec<Due>, DbError> {
    tx.rows(READ, Args::new().bind(now).bind(limit))
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Takes a row off the queue. One that was moved to another instant meanwhile stays.
///
/// # Errors
/// [`DbError`].
pub async fn done(tx: &mut Tx, due: &Due) -> Result<(), DbError> {
    tx.execute(DELETE, due.args()?.bind(due.due_at))
        .await
        .map(drop)
}

/// All rows of this tenant and kind, the oldest first.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, tenant: TenantId, kind: &str) -> Result<Vec<Due>, DbError> {
    tx.rows(FIND, Args::new().bind(tenant).bind(kind))
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The rows of this kind that fall due until the instant, of all tenants, the oldest first. What else
/// is in the queue is not read.
///
/// # Errors
/// [`DbError`].
pub async fn of_kind(tx: &mut Tx, kind: &str, until: UtcDateTime) -> Result<Vec<Due>, DbError> {
    tx.rows(OF_KIND, Args::new().bind(kind).bind(until))
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Takes the row of this tenant, kind and key off the queue, whatever its instant.
///
/// # Errors
/// [`DbError`].
pub async fn cancel(tx: &mut Tx, tenant: TenantId, kind: &str, key: &[u8]) -> Result<(), DbError> {
    tx.execute(CANCEL, Args::new().bind(tenant).bind(kind).bind(key))
        .await
        .map(drop)
}

/// Replaces all rows of this tenant and kind by these instants and keys: after a rule change or a
/// restore the queue is derived again.
///
/// # Errors
/// [`DbError::TooLong`], or as the database answers.
pub async fn replace(
    tx: &mut Tx,
    tenant: TenantId,
    kind: &str,
    rows: &[(UtcDateTime, Vec<u8>)],
) -> Result<(), DbError> {
    tx.execute(CLEAR, Args::new().bind(tenant).bind(kind))
        .await?;
    for (due_at, key) in rows {
        let due = Due {
            due_at: *due_at,
            kind: kind.to_owned(),
            tenant,
            key: key.clone(),
        };
        put(tx, &due).await?;
    }
    Ok(())
}

/// When the first row falls due; `None` for an empty queue.
///
/// # Errors
/// [`DbError`].
pub async fn next(tx: &mut Tx) -> Result<Option<UtcDateTime>, DbError> {
    tx.row(NEXT, Args::new())
        .await?
        .map_or(Ok(None), |row| row.opt_instant("due_at"))
}

fn read(row: &Row) -> Result<Due, DbError> {
    Ok(Due {
        due_at: row.instant("due_at")?,
        kind: row.text("kind")?.to_owned(),
        tenant: row.id("tenant")?,
        key: row.bytes("key")?.to_vec(),
    })
}
