//! Reading: one decision, many reads, until it ends or the tenant's state changes.

use covenant_core::{ItemId, Redacted, TenantId};
use object_store::ObjectStoreExt as _;
use sql_store::Args;
use tenant_isolation::level::{Read, Rows};
use tenant_isolation::{Scope, TenantTx};

use super::map::{body_place, object_place};
use super::{Record, object_path};
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
            let path = object_path(&self.scope, &ItemId::try_from(object.bytes("id")?)?);
            let sealed = parts.objects.get(&path).await?.bytes().await?;
            let place = object_place(tenant, path.as_ref())?;
            let plain = parts.sealer.open(&place, &sealed).await?;
            attachments.push(Redacted(plain.expose().clone()));
        }
        Ok(Record {
            id: id.clone(),
            body: Redacted(body.expose().clone()),
            attachments,
            has_sensitive: row.sensitive.is_some(),
        })
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
