//! Wrong about deletion: rows that stay, rows that go too soon, a flush that does half the work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use covenant::{ErasedRows, RecordTables};
use covenant_core::{BoxFuture, ItemId, ManualClock, TenantId, TxTag, TxnId};
use retention_policy::apply::{Flush, FlushError, Flushed};
use retention_policy::testing::physical::NoCheckpoint;
use sql_store::{Args, Db, DbError, Durability, Mode, SqliteOptions, SqliteProfile, Tx};
use time::UtcDateTime;

/// What is wrong with [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Takes the index row out and leaves the content where it is.
    IndexRowOnly,
    /// Says that a record is in the bin, and leaves it where every read sees it.
    BinVisible,
    /// Takes the content out as soon as a record goes into the bin.
    BinLost,
}

/// The tables of records, wrong in one way.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) sound: Arc<dyn RecordTables>,
    pub(super) flaw: Flaw,
}

impl RecordTables for Tables {
    fn bin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async move {
            if self.flaw == Flaw::BinVisible {
                return Ok(1);
            }
            if self.flaw == Flaw::BinLost {
                let sql = include_str!("../../../sql/delete_content.sql");
                tx.execute(sql, Args::new().bind(tenant).bind(record))
                    .await?;
            }
            self.sound.bin(tx, tenant, record, at).await
        })
    }

    fn unbin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        self.sound.unbin(tx, tenant, record)
    }

    fn erase<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<ErasedRows, DbError>> {
        if self.flaw != Flaw::IndexRowOnly {
            return self.sound.erase(tx, tenant, record);
        }
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

/// Rewrites the file while somebody still reads it, and does not ask whether the log was emptied:
/// the old pages stay where they were.
#[derive(Debug, Default)]
pub(super) struct VacuumOnly {
    /// The readers, which never end.
    readers: tokio::sync::Mutex<BTreeMap<PathBuf, Tx>>,
}

impl Flush for VacuumOnly {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(async move {
            let mut readers = self.readers.lock().await;
            if !readers.contains_key(file) {
                readers.insert(file.to_path_buf(), read_for_ever(file).await?);
            }
            NoCheckpoint.flush(file).await
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

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> FlushError {
    FlushError::Unavailable(Box::new(error))
}
