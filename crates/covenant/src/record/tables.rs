//! The rows of records: every statement that writes them, in the caller's transaction.

use std::fmt::Debug;

use covenant_core::{BoxFuture, ItemId, TenantId};
use sql_store::{Args, DbError, Tx};
use time::UtcDateTime;

/// How many rows of each table an erasure took out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasedRows {
    /// Rows of `record`.
    pub records: u64,
    /// Rows of `content`.
    pub contents: u64,
    /// Rows of `attachment`.
    pub attachments: u64,
}

impl ErasedRows {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        let Self {
            records,
            contents,
            attachments,
        } = other;
        Self {
            records: self.records.saturating_add(records),
            contents: self.contents.saturating_add(contents),
            attachments: self.attachments.saturating_add(attachments),
        }
    }
}

/// Moves records into the bin, out of it, and out of the tables.
///
/// # Contract
/// Works in the caller's transaction and leaves committing to it. `bin` hides a live record and
/// changes nothing else of it; `unbin` brings it back as it was; both say whether there was such a
/// record. `erase` takes every row of the records out of every table.
///
/// # Errors
/// [`DbError`]; the transaction can then only be rolled back.
///
/// # Implementing
/// [`SqlTables`] is the implementation; others wrap it.
pub trait RecordTables: Debug + Send + Sync {
    /// Hides a live record; returns how many rows it hid, none or one.
    fn bin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<u64, DbError>>;
    /// Brings a hidden record back; returns how many rows it brought back, none or one.
    fn unbin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, DbError>>;
    /// Takes every row of a record out.
    fn erase<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<ErasedRows, DbError>>;
}

/// The tables as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct SqlTables;

impl RecordTables for SqlTables {
    // clause: P-51
    fn bin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async move {
            let args = Args::new().bind(tenant).bind(record).bind(at);
            tx.execute(include_str!("../../sql/bin_record.sql"), args)
                .await
        })
    }

    fn unbin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async move {
            let args = Args::new().bind(tenant).bind(record);
            tx.execute(include_str!("../../sql/unbin_record.sql"), args)
                .await
        })
    }

    // clause: P-52
    fn erase<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<ErasedRows, DbError>> {
        Box::pin(async move {
            let args = || Args::new().bind(tenant).bind(record);
            let attachments = tx
                .execute(include_str!("../../sql/delete_attachments.sql"), args())
                .await?;
            let contents = tx
                .execute(include_str!("../../sql/delete_content.sql"), args())
                .await?;
            let records = tx
                .execute(include_str!("../../sql/delete_record.sql"), args())
                .await?;
            Ok(ErasedRows {
                records,
                contents,
                attachments,
            })
        })
    }
}
