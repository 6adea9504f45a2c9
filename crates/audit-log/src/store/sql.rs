//! Logs in a database: one audit database holds all of them. Nothing here decides; what a row
//! becomes is decided in [`crate::sequencer`].

mod drain;
mod entries;
mod hashes;
mod heads;
mod keys;

use std::ops::Range;
use std::sync::Arc;

use covenant_core::{
    BoxFuture, EventId, Id, LogId, OutboxRow, OutboxTx as _, Random, SinkError, TenantId, TxTag,
    TxnId,
};
use sql_store::{Args, Db, DbError, MigrateError, Migrations, Mode, OUTBOX, Tx};

use super::memory::absorb;
use super::{AuditLog, Entry, LeafRef};
use crate::error::LogError;
use crate::fold::{Fold, FoldError};
use crate::merkle::TreeHead;
use crate::names::tenant_of;
use crate::sink::{Inbox, unavailable};

pub use drain::{Batch, Feed};
pub use heads::{LogKeys, SignedHead};
pub use keys::SealedKeys;

pub(crate) use entries::{Columns, EntryRow, entry_rows};
pub(crate) use hashes::subtree;
pub(crate) use heads::{HeadRow, head_row};

/// Makes the tables of the audit database, its outbox apart.
pub const AUDIT: Migrations = Migrations {
    crate_name: "audit-log",
    steps: &[(
        "0001_audit",
        include_str!("../../migrations/0001_audit.sql"),
    )],
};

/// The logs of one audit database.
#[derive(Debug, Clone)]
pub struct SqlLog {
    db: Db,
    random: Arc<dyn Random>,
}

impl SqlLog {
    /// The logs in this database, whose tables are made where they are missing.
    ///
    /// # Errors
    /// [`MigrateError`] when the tables are not those of this build.
    pub async fn open(db: Db, random: Arc<dyn Random>) -> Result<Self, MigrateError> {
        db.migrate(&OUTBOX).await?;
        db.migrate(&AUDIT).await?;
        Ok(Self { db, random })
    }

    /// The audit database.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// The sealed side value at a path of an event; `None` when there is none, or no more.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn sealed(
        &self,
        log: LogId,
        event: EventId,
        path: &str,
    ) -> Result<Option<Vec<u8>>, LogError> {
        let mut tx = self.reader().await?;
        let args = Args::new().bind(log).bind(event).bind(path);
        let row = tx
            .row(include_str!("../../sql/read_sealed.sql"), args)
            .await
            .map_err(store)?;
        row.map(|row| row.bytes("ct").map(<[u8]>::to_vec))
            .transpose()
            .map_err(store)
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.random
    }

    pub(crate) async fn reader(&self) -> Result<Tx, LogError> {
        let tag = TxTag {
            txn: TxnId::from_bytes([0; 16]),
            tenant: None,
            decision: None,
        };
        self.db.begin_with(Mode::ReadOnly, tag).await.map_err(store)
    }

    pub(crate) async fn writer(&self, tenant: Option<TenantId>) -> Result<Tx, LogError> {
        begin(&self.db, self.random(), tenant).await
    }

    async fn take(&self, row: OutboxRow) -> Result<(), SinkError> {
        let mut tx = self.writer(tenant_of(row.log)).await.map_err(unavailable)?;
        let entry = include_str!("../../sql/find_entry.sql");
        let waiting = include_str!("../../sql/find_waiting.sql");
        let of_entry = Args::new().bind(row.log).bind(row.event);
        let of_waiting = Args::new().bind(row.event).bind(row.log);
        let mut known = tx.row(entry, of_entry).await.map_err(unavailable)?;
        if known.is_none() {
            known = tx.row(waiting, of_waiting).await.map_err(unavailable)?;
        }
        if let Some(known) = known {
            return absorb(known.bytes("leaf").map_err(unavailable)?, &row);
        }
        tx.put(row).await.map_err(SinkError::Outbox)?;
        tx.commit().await.map_err(unavailable)
    }
}

/// Begins a transaction of our own that writes.
pub(crate) async fn begin(
    db: &Db,
    random: &dyn Random,
    tenant: Option<TenantId>,
) -> Result<Tx, LogError> {
    let txn = Id::mint(&**db.clock(), random).map_err(|e| LogError::Unavailable(e.into()))?;
    let tag = TxTag {
        txn,
        tenant,
        decision: None,
    };
    db.begin_with(Mode::ReadWrite, tag).await.map_err(store)
}

/// A failure of the store.
pub(crate) fn store(error: DbError) -> LogError {
    LogError::Unavailable(error.into())
}

/// A number as the database keeps it.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that the database kept; one that is negative or no number is damage.
pub(crate) fn unsigned(log: LogId, number: Result<i64, DbError>) -> Result<u64, LogError> {
    u64::try_from(number.map_err(store)?).or(Err(damaged(log, 0)))
}

pub(crate) const fn damaged(log: LogId, index: u64) -> LogError {
    LogError::Damaged {
        log,
        index,
        source: None,
    }
}

impl Inbox for SqlLog {
    fn accept(&self, row: OutboxRow) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(self.take(row))
    }
}

impl AuditLog for SqlLog {
    fn sequenced(&self, event: EventId) -> BoxFuture<'_, Result<LeafRef, LogError>> {
        Box::pin(async move {
            let mut tx = self.reader().await?;
            let sql = include_str!("../../sql/find_event.sql");
            let row = tx.row(sql, Args::new().bind(event)).await.map_err(store)?;
            let row = row.ok_or(LogError::NotSequenced(event))?;
            let log = row.id("log").map_err(store)?;
            Ok(LeafRef {
                log,
                index: unsigned(log, row.int("idx"))?,
            })
        })
    }

    fn head(&self, log: LogId) -> BoxFuture<'_, Result<TreeHead, LogError>> {
        Box::pin(async move {
            let mut tx = self.reader().await?;
            let head = head_row(&mut tx, log).await?;
            Ok(head.map_or_else(TreeHead::empty, |head| head.head))
        })
    }

    fn read(&self, log: LogId, range: Range<u64>) -> BoxFuture<'_, Result<Vec<Entry>, LogError>> {
        Box::pin(async move {
            let mut tx = self.reader().await?;
            entries::read(&mut tx, log, range).await
        })
    }

    fn fold<'a>(
        &'a self,
        log: LogId,
        since: TreeHead,
        known: &'a [TreeHead],
    ) -> BoxFuture<'a, Result<Fold, FoldError>> {
        Box::pin(async move {
            let mut tx = self.reader().await?;
            entries::fold(&mut tx, log, since, known).await
        })
    }
}
