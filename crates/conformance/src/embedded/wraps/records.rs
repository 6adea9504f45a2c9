//! Wrong about deletion and change: rows that stay, rows that go too soon, flushes that do half the
//! work, changes that nobody records.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use covenant::{ErasedRows, RecordTables};
use covenant_core::{
    Action, BoxFuture, Event, EventId, EventSink, ItemId, ManualClock, OutboxTx, Prepared,
    SinkError, TenantId, TxTag, TxnId,
};
use retention_policy::apply::{Flush, FlushError, Flushed};
use sql_store::maintenance::Maintenance;
use sql_store::{Args, Db, DbError, Durability, Mode, SqliteOptions, SqliteProfile, Tx};
use time::UtcDateTime;

/// Takes the index row out and leaves the content where it is.
#[derive(Debug)]
pub(super) struct IndexRowOnly(pub(super) Arc<dyn RecordTables>);

impl RecordTables for IndexRowOnly {
    fn bin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        self.0.bin(tx, tenant, record, at)
    }

    fn unbin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        self.0.unbin(tx, tenant, record)
    }

    fn erase<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<ErasedRows, DbError>> {
        Box::pin(async move {
            let sql = include_str!("../../../sql/delete_index_row.sql");
            let records = tx
                .execute(sql, Args::new().bind(tenant).bind(record))
                .await?;
            Ok(ErasedRows {
                records,
                ..ErasedRows::default()
            })
        })
    }
}

/// Says that a record is in the bin, and leaves it where every read sees it.
#[derive(Debug)]
pub(super) struct BinVisible(pub(super) Arc<dyn RecordTables>);

impl RecordTables for BinVisible {
    fn bin<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _tenant: TenantId,
        _record: &'a ItemId,
        _at: UtcDateTime,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async { Ok(1) })
    }

    fn unbin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        self.0.unbin(tx, tenant, record)
    }

    fn erase<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<ErasedRows, DbError>> {
        self.0.erase(tx, tenant, record)
    }
}

/// Takes the content out as soon as a record goes into the bin.
#[derive(Debug)]
pub(super) struct BinLost(pub(super) Arc<dyn RecordTables>);

impl RecordTables for BinLost {
    fn bin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async move {
            let sql = include_str!("../../../sql/delete_content.sql");
            tx.execute(sql, Args::new().bind(tenant).bind(record))
                .await?;
            self.0.bin(tx, tenant, record, at).await
        })
    }

    fn unbin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        self.0.unbin(tx, tenant, record)
    }

    fn erase<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<ErasedRows, DbError>> {
        self.0.erase(tx, tenant, record)
    }
}

/// Empties the log and leaves the gaps of live pages as they are.
#[derive(Debug)]
pub(super) struct CheckpointOnly;

/// Rewrites the file while somebody still reads it, and does not ask whether the log was emptied:
/// the old pages stay where they were.
#[derive(Debug, Default)]
pub(super) struct VacuumOnly {
    /// The readers, which never end.
    readers: tokio::sync::Mutex<BTreeMap<PathBuf, Tx>>,
}

impl Flush for CheckpointOnly {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(async move {
            let mut connection = open(file).await?;
            connection
                .checkpoint_truncate()
                .await
                .map_err(unavailable)?;
            finish(connection, file).await
        })
    }
}

impl Flush for VacuumOnly {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(async move {
            let mut readers = self.readers.lock().await;
            if !readers.contains_key(file) {
                readers.insert(file.to_path_buf(), read_for_ever(file).await?);
            }
            let mut connection = open(file).await?;
            connection.vacuum().await.map_err(unavailable)?;
            finish(connection, file).await
        })
    }
}

/// A transaction that has begun to read.
async fn read_for_ever(file: &Path) -> Result<Tx, FlushError> {
    let options = SqliteOptions::new(file, SqliteProfile::Control).durability(Durability::Off);
    let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
    let db = Db::open_sqlite(options, clock).await.map_err(unavailable)?;
    let tag = TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db
        .begin_with(Mode::ReadOnly, tag)
        .await
        .map_err(unavailable)?;
    tx.rows(include_str!("../../../sql/count_records.sql"), Args::new())
        .await
        .map_err(unavailable)?;
    Ok(tx)
}

async fn open(file: &Path) -> Result<Maintenance, FlushError> {
    Maintenance::open(file, Durability::Off)
        .await
        .map_err(unavailable)
}

async fn finish(connection: Maintenance, file: &Path) -> Result<Flushed, FlushError> {
    connection.close().await.map_err(unavailable)?;
    let bytes = std::fs::metadata(file).map_err(unavailable)?.len();
    Ok(Flushed { bytes })
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> FlushError {
    FlushError::Unavailable(Box::new(error))
}

/// Records no change of a record.
#[derive(Debug)]
pub(super) struct Forgetful(pub(super) Arc<dyn EventSink>);

impl EventSink for Forgetful {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        Box::pin(async move {
            let forgotten = event.action == Action::ChangeRecorded;
            let mut prepared = self.0.prepare(event).await?;
            if forgotten {
                prepared.rows.clear();
            }
            Ok(prepared)
        })
    }

    fn record<'a>(
        &'a self,
        tx: &'a mut dyn OutboxTx,
        prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        self.0.record(tx, prepared)
    }

    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        self.0.emit(event)
    }
}
