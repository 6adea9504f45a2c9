//! Reading: one decision, many reads, until it ends or the tenant's state changes.

use covenant_core::{ItemId, Redacted, TenantId};
use object_store::ObjectStoreExt as _;
use sql_store::Args;
use tenant_isolation::level::{Read, Rows};
use tenant_isolation::{Scope, TenantTx};

use super::map::{body_place, object_place};
use super::{Attachment, Record, object_path};
use crate::assembly::Covenant;
use crate::error::Error;

/// A reading session.
#[derive(Debug)]
pub struct Session {
    covenant: Covenant,
    scope: Scope<Read>,
}

impl Session {
    pub(super) const fn new(covenant: Covenant, scope: Scope<Read>) -> Self {
        Self { covenant, scope }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// As [`Covenant::get`]; [`Error::Revoked`] once the session has ended.
    // clause: P-58
    pub async fn get(&self, id: &ItemId) -> Result<Record, Error> {
        let tenant = self.scope.tenant();
        let parts = self.covenant.parts();
        let mut tx = self.scope.begin(parts.tenants.as_ref()).await?;
        let row = read_row(&mut tx, tenant, id)
            .await?
            .ok_or(Error::NotFound)?;
        let args = Args::new().bind(tenant).bind(id);
        let listed = tx
            .tx()
            .await?
            .rows(include_str!("../../sql/list_attachments.sql"), args)
            .await?;
        drop(tx);
        let body = parts
            .sealer
            .open(&body_place(tenant, id)?, &row.body)
            .await?;
        let mut attachments = Vec::new();
        for object in &listed {
            let file = ItemId::try_from(object.bytes("id")?)?;
            match self.open_file(&file).await {
                Ok(plain) => attachments.push(plain),
                // Deleted since it was listed.
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Record {
            id: id.clone(),
            body: Redacted(body.expose().clone()),
            attachments,
            has_sensitive: row.sensitive.is_some(),
        })
    }

    /// Lists the attached files of a record.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that is not there or in the bin; else [`Error`].
    pub async fn attachments(&self, record: &ItemId) -> Result<Vec<Attachment>, Error> {
        let tenant = self.scope.tenant();
        let parts = self.covenant.parts();
        let mut tx = self.scope.begin(parts.tenants.as_ref()).await?;
        read_row(&mut tx, tenant, record)
            .await?
            .ok_or(Error::NotFound)?;
        let args = Args::new().bind(tenant).bind(record);
        let sql = include_str!("../../sql/list_attachments.sql");
        let rows = tx.tx().await?.rows(sql, args).await?;
        let attachment = |row: &sql_store::Row| {
            Ok(Attachment {
                id: ItemId::try_from(row.bytes("id")?)?,
                stored_len: u64::try_from(row.int("stored_len")?).unwrap_or(0),
            })
        };
        rows.iter().map(attachment).collect()
    }

    /// Reads one attached file.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a file of no record, or of one in the bin; else [`Error`].
    // clause: Q-25
    pub async fn attachment(&self, file: &ItemId) -> Result<Redacted<Vec<u8>>, Error> {
        if !self.is_named(file).await? {
            return Err(Error::NotFound);
        }
        self.open_file(file).await
    }

    /// Whether a record that is not in the bin has the file.
    async fn is_named(&self, file: &ItemId) -> Result<bool, Error> {
        let parts = self.covenant.parts();
        let mut tx = self.scope.begin(parts.tenants.as_ref()).await?;
        let args = Args::new().bind(self.scope.tenant()).bind(file);
        let sql = include_str!("../../sql/read_attachment.sql");
        Ok(tx.tx().await?.row(sql, args).await?.is_some())
    }

    /// Opens a file that a row named; one that is gone together with its row is not found.
    async fn open_file(&self, file: &ItemId) -> Result<Redacted<Vec<u8>>, Error> {
        let parts = self.covenant.parts();
        let path = object_path(&self.scope, file);
        let found = match parts.objects.get(&path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) if !self.is_named(file).await? => {
                return Err(Error::NotFound);
            }
            Err(error) => return Err(error.into()),
        };
        let sealed = found.bytes().await?;
        let place = object_place(self.scope.tenant(), path.as_ref())?;
        let plain = parts.sealer.open(&place, &sealed).await?;
        Ok(Redacted(plain.expose().clone()))
    }

    /// Lists the records that are not in the bin.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Revoked`] once the session has ended.
    pub async fn list(&self) -> Result<Vec<ItemId>, Error> {
        let mut tx = self
            .scope
            .begin(self.covenant.parts().tenants.as_ref())
            .await?;
        let args = Args::new().bind(self.scope.tenant());
        let rows = tx
            .tx()
            .await?
            .rows(include_str!("../../sql/list_records.sql"), args)
            .await?;
        rows.iter()
            .map(|row| Ok(ItemId::try_from(row.bytes("id")?)?))
            .collect()
    }
}

/// The sealed columns of a live record.
pub(super) struct SealedRow {
    pub(super) body: Vec<u8>,
    pub(super) sensitive: Option<Vec<u8>>,
}

pub(super) async fn read_row<L: Rows>(
    tx: &mut TenantTx<'_, L>,
    tenant: TenantId,
    id: &ItemId,
) -> Result<Option<SealedRow>, Error> {
    let args = Args::new().bind(tenant).bind(id);
    let row = tx
        .tx()
        .await?
        .row(include_str!("../../sql/read_record.sql"), args)
        .await?;
    let Some(row) = row else { return Ok(None) };
    if row.opt_instant("deleted_at")?.is_some() {
        return Ok(None);
    }
    let body = row.bytes("body")?.to_vec();
    let sensitive = row.opt_bytes("sensitive")?.map(<[u8]>::to_vec);
    Ok(Some(SealedRow { body, sensitive }))
}
