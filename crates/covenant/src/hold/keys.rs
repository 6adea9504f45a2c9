//! Keys under holds: while anything of a tenant is held, no root of its data is destroyed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use covenant_core::{BoxFuture, Clock, ItemId, KeyId, Owner, Region, TenantId, TxTag, TxnId};
use crypto_envelope::guard::{Cause, DestructionGuard, GuardError, KeyKind, Verdict};
use retention_policy::{Hold, HoldScope, HoldView};
use sql_store::{Db, Mode, SqliteOptions, SqliteProfile};
use time::UtcDateTime;

use super::HoldTables;
use crate::stores::Layout;

/// Asks a tenant's holds before another guard is asked: for roots of a tenant and of its data
/// subjects, which content hangs on, and for every KEK that a tenant has for itself. Roots of vaults
/// and the KEKs of epochs that tenants share, which die for all of them at once, are the other
/// guard's: what is held stays in the live store.
///
/// The tenant's file is read beside every scope, since no access decision is recorded about keys
/// that die; a tenant whose file is gone has no holds.
pub struct HeldKeys {
    sound: Arc<dyn DestructionGuard>,
    tables: Arc<dyn HoldTables>,
    layout: Layout,
    region: Region,
    clock: Arc<dyn Clock>,
}

impl HeldKeys {
    /// Holds of the tenants below this layout, before this guard.
    #[must_use]
    pub fn new(
        sound: Arc<dyn DestructionGuard>,
        tables: Arc<dyn HoldTables>,
        layout: Layout,
        region: Region,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            sound,
            tables,
            layout,
            region,
            clock,
        }
    }

    fn file(&self, tenant: TenantId) -> PathBuf {
        self.layout.tenant_file(&self.region, tenant)
    }

    async fn view(&self, tenant: TenantId) -> Result<HoldView, GuardError> {
        let there = self.layout.has_tenant_file(&self.region, tenant);
        if !there.map_err(unread)? {
            return Ok(HoldView::none());
        }
        let file = self.file(tenant);
        let options = SqliteOptions::new(file, SqliteProfile::Control).readers(1);
        let db = Db::open_sqlite(options, Arc::clone(&self.clock)).await;
        let db = db.map_err(unread)?;
        let tag = TxTag {
            txn: TxnId::from_bytes([0; 16]),
            tenant: Some(tenant),
            decision: None,
        };
        let view = match db.begin_with(Mode::ReadOnly, tag).await {
            Ok(mut tx) => {
                let view = self.tables.view(&mut tx, tenant, Mode::ReadOnly).await;
                view.map_err(unread)
            }
            Err(error) => Err(unread(error)),
        };
        db.close().await;
        view
    }

    // clause: P-47
    async fn held(&self, owner: &Owner, at: UtcDateTime) -> Result<Option<Verdict>, GuardError> {
        let (tenant, person) = match owner {
            Owner::Tenant(tenant) => (*tenant, None),
            Owner::Subject(tenant, person) => (*tenant, Some(ItemId::from(*person))),
            _ => return Ok(None),
        };
        let view = self.view(tenant).await?;
        let mut holds = view.holds(tenant);
        let held = holds.find(|hold| hold.is_active(at) && reaches(hold, person.as_ref()));
        Ok(held.map(|hold| Verdict::Held {
            hold: hold.id.as_uuid(),
        }))
    }
}

/// Whether the hold may cover something under the root: of the tenant everything, of a person all
/// but what is held of somebody else.
fn reaches(hold: &Hold, person: Option<&ItemId>) -> bool {
    match (&hold.scope, person) {
        (HoldScope::Subject(held), Some(person)) => held == person,
        _ => true,
    }
}

fn unread(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> GuardError {
    GuardError(error.into())
}

impl fmt::Debug for HeldKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldKeys")
    }
}

impl DestructionGuard for HeldKeys {
    fn may_go<'a>(
        &'a self,
        key: KeyId,
        kind: &'a KeyKind,
        cause: &'a Cause<'a>,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<Verdict, GuardError>> {
        Box::pin(async move {
            let owner = match kind {
                KeyKind::Root(owner, _) => Some(*owner),
                // it takes everything of the tenant along
                KeyKind::Kek(group) => group.tenant().map(Owner::Tenant),
            };
            if let Some(owner) = owner
                && let Some(held) = self.held(&owner, at).await?
            {
                return Ok(held);
            }
            self.sound.may_go(key, kind, cause, at).await
        })
    }
}
