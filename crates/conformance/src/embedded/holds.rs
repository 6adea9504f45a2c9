//! Holds on the embedded subject, and backups in the place of its live stores.

use covenant_core::event::ActorContext;
use covenant_core::{Clock as _, HoldId, PrincipalId, SnapshotId};
use retention_policy::{Hold, HoldAct, HoldMode, HoldScope, Later};
use tenant_isolation::{Caller, ServiceKind};

use super::Embedded;
use super::acts::refusal;
use crate::act::{Seen, Tenant};
use crate::subject::Refusal;

/// The one hold of a tenant.
const HOLD: HoldId = HoldId::from_bytes([0x11; 16]);
/// Who asks for its release, one after the other.
const DESK: [PrincipalId; 2] = [
    PrincipalId::from_bytes([1; 16]),
    PrincipalId::from_bytes([2; 16]),
];

impl Embedded {
    pub(super) async fn place_hold(&self, tenant: Tenant) -> Result<Seen, Refusal> {
        let [first, _] = DESK;
        let hold = Hold {
            id: HOLD,
            tenant: self.home(tenant)?.id,
            matter: "case-1".parse().map_err(Refusal::failed)?,
            scope: HoldScope::Tenant,
            later: Later::Covered,
            mode: HoldMode::Governance,
            placed_by: first,
            reason: "litigation".parse().map_err(Refusal::failed)?,
            placed_at: self.clock.now(),
        };
        let placed = self.covenant.place_hold(&hold, legal()).await;
        placed.map_err(refusal)?;
        Ok(Seen::Done)
    }

    pub(super) async fn release_hold(&self, tenant: Tenant) -> Result<Seen, Refusal> {
        let id = self.home(tenant)?.id;
        for by in DESK {
            let act = HoldAct {
                by,
                at: self.clock.now(),
                actor: legal(),
            };
            let released = self.covenant.release_hold(id, HOLD, &act).await;
            released.map_err(refusal)?;
        }
        Ok(Seen::Done)
    }

    pub(super) async fn restore_in_place(
        &mut self,
        tenant: Tenant,
        snapshot: SnapshotId,
    ) -> Result<Seen, Refusal> {
        let caller = Caller::service(ServiceKind::Restore);
        let id = self.home(tenant)?.id;
        let restored = self.covenant.restore_in_place(&caller, id, snapshot).await;
        restored.map_err(refusal)?;
        if let Some(home) = self.homes.get_mut(&tenant) {
            home.session = None;
        }
        Ok(Seen::Done)
    }
}

fn legal() -> ActorContext {
    ActorContext::service("legal")
}
