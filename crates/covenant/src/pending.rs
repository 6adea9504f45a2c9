//! Work on a tenant's store that was begun and not finished: its row lies in the due-queue from
//! before the first step until after the last one, so that a crash in between is noticed and the
//! next sweep does the rest.

use std::collections::BTreeSet;
use std::path::Path;

use covenant_core::{TenantId, TxTag, TxnId};
use sql_store::due;
use sql_store::{Db, DbError, Mode};
use time::UtcDateTime;

use crate::sweep::kind;

/// The tenants whose stores are being made or replaced.
#[derive(Debug, Default)]
pub(crate) struct Pending(BTreeSet<TenantId>);

impl Pending {
    /// Reads them.
    pub(crate) async fn read(control: &Db) -> Result<Self, DbError> {
        let tag = TxTag {
            txn: TxnId::from_bytes([0; 16]),
            tenant: None,
            decision: None,
        };
        let mut tx = control.begin_with(Mode::ReadOnly, tag).await?;
        let rows = due::due(&mut tx, UtcDateTime::MAX, u32::MAX).await?;
        let of_stores = rows
            .into_iter()
            .filter(|row| [kind::PROVISION, kind::RESTORE].contains(&row.kind.as_str()));
        Ok(Self(of_stores.map(|row| row.tenant).collect()))
    }

    /// Whether the tenant's store is being made or replaced.
    pub(crate) fn contains(&self, tenant: TenantId) -> bool {
        self.0.contains(&tenant)
    }

    /// Whether what lies at this path lies there because of such work.
    pub(crate) fn explains(&self, path: &Path) -> bool {
        path.parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str())
            .and_then(|name| name.parse().ok())
            .is_some_and(|tenant| self.contains(tenant))
    }
}
