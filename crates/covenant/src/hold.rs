//! Holds: placed, extended and released in the tenant's own store, with their events; asked by
//! every deletion; taken over by a restored copy from the log.

mod keys;

use std::fmt::Debug;

use audit_log::fold::{Fold, LedgerKey};
use covenant_core::canon::unhex;
use covenant_core::event::{ActorContext, Datum};
use covenant_core::{Action, BoxFuture, Event, EventId, HoldId, ItemId, Outcome, Target, TenantId};
use retention_policy::hold::event::{HOLD_DATUM, placed, release};
use retention_policy::hold::{HoldFact, HoldReplay, sql};
use retention_policy::{
    DisposalTarget, Hold, HoldAct, HoldError, HoldRecord, HoldRefused, HoldView, Placed, Release,
    StoreName,
};
use sql_store::{Mode, Tx};
use tenant_isolation::level::Maintain;
use tenant_isolation::{AccessAction, Caller, Scope, ServiceKind, TenantState};
use time::UtcDateTime;
use uuid::Uuid;

use crate::assembly::Covenant;
use crate::error::Error;

pub use keys::HeldKeys;

/// The class of a tenant's backups, as holds name it; the items are its epochs.
pub const CLASS_BACKUP: &str = "backup";

/// The holds of a tenant, in the caller's transaction.
///
/// # Contract
/// `view` shows every hold that was not released; in a writing transaction nobody changes them
/// before it ends. `pass` refuses what is held and notes what is not, so that a hold placed later
/// tells that it came too late. `replay` takes over what the log says of holds since a copy was
/// taken.
///
/// # Errors
/// [`HoldError`]; nothing may be deleted then, and the transaction can only be rolled back.
///
/// # Implementing
/// [`SqlHoldTables`] is the implementation; others wrap it.
pub trait HoldTables: Debug + Send + Sync {
    /// The tenant's holds.
    fn view<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        mode: Mode,
    ) -> BoxFuture<'a, Result<HoldView, HoldError>>;
    /// Asks whether the store may give the item up now, and notes that it was.
    fn pass<'a>(
        &'a self,
        tx: &'a mut Tx,
        target: &'a DisposalTarget,
        store: &'a StoreName,
        now: UtcDateTime,
    ) -> BoxFuture<'a, Result<(), HoldError>>;
    /// Takes over in a restored copy what happened to holds since.
    fn replay<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        facts: &'a HoldReplay,
    ) -> BoxFuture<'a, Result<(), HoldError>>;
}

/// The tables as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct SqlHoldTables;

impl HoldTables for SqlHoldTables {
    fn view<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        mode: Mode,
    ) -> BoxFuture<'a, Result<HoldView, HoldError>> {
        Box::pin(sql::view(tx, tenant, mode))
    }

    fn pass<'a>(
        &'a self,
        tx: &'a mut Tx,
        target: &'a DisposalTarget,
        store: &'a StoreName,
        now: UtcDateTime,
    ) -> BoxFuture<'a, Result<(), HoldError>> {
        Box::pin(sql::pass(tx, target, store, now))
    }

    fn replay<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        facts: &'a HoldReplay,
    ) -> BoxFuture<'a, Result<(), HoldError>> {
        Box::pin(sql::replay(tx, tenant, facts))
    }
}

impl Covenant {
    /// Places a hold in the store of its tenant, which is in use or deleted and not yet purged.
    /// Returns what it came too late for. Who may place holds is the operator's to decide: this is
    /// his legal desk's entry, and no member's.
    ///
    /// # Errors
    /// [`Error::Hold`] when another hold has the id; else [`Error`].
    // clause: P-47
    pub async fn place_hold(&self, hold: &Hold, actor: ActorContext) -> Result<Placed, Error> {
        let tenant = hold.tenant;
        let scope = self.store_scope(tenant).await?;
        let _writing = self.parts().writing(tenant).await;
        let there = self.holds_in(&scope).await?;
        let there = there.iter().any(|record| record.hold().id == hold.id);
        let now = self.parts().clock.now();
        let events = if there {
            Vec::new()
        } else {
            placed(hold, now, &actor)
        };
        let mut change = self.begin_change(&scope, events).await?;
        let placed = sql::place(change.tx().await?, hold).await?;
        change.commit().await?;
        Ok(placed)
    }

    /// Moves the end of a compliance hold later.
    ///
    /// # Errors
    /// [`Error::Hold`] when there is no such hold or it cannot be extended so; else [`Error`].
    pub async fn extend_hold(
        &self,
        tenant: TenantId,
        id: HoldId,
        until: UtcDateTime,
        act: &HoldAct,
    ) -> Result<(), Error> {
        let scope = self.store_scope(tenant).await?;
        let _writing = self.parts().writing(tenant).await;
        let mut record = self.hold_in(&scope, id).await?;
        record.extend(until, act.at).map_err(HoldError::from)?;
        let events = placed(record.hold(), act.at, &act.actor);
        let mut change = self.begin_change(&scope, events).await?;
        sql::extend(change.tx().await?, tenant, id, until, act.at).await?;
        change.commit().await
    }

    /// Asks for the release of a governance hold: the second of two different principals ends it.
    ///
    /// # Errors
    /// [`Error::Hold`] when there is no such hold or this principal cannot release it; else
    /// [`Error`].
    pub async fn release_hold(
        &self,
        tenant: TenantId,
        id: HoldId,
        act: &HoldAct,
    ) -> Result<Release, Error> {
        let scope = self.store_scope(tenant).await?;
        let _writing = self.parts().writing(tenant).await;
        let mut record = self.hold_in(&scope, id).await?;
        let expected = record.release(act.by, act.at).map_err(HoldError::from)?;
        let event = release(tenant, id, expected, act);
        let mut change = self.begin_change(&scope, vec![event]).await?;
        let done = sql::release(change.tx().await?, tenant, id, act.by, act.at).await?;
        if done != expected {
            return Err(HoldError::from(HoldRefused::Overtaken).into());
        }
        change.commit().await?;
        Ok(done)
    }

    /// Every hold of the tenant, those that have ended too.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn holds(&self, tenant: TenantId) -> Result<Vec<HoldRecord>, Error> {
        let scope = self.store_scope(tenant).await?;
        self.holds_in(&scope).await
    }

    /// A scope on the store of a tenant in use, or deleted and not yet purged.
    pub(crate) async fn store_scope(&self, tenant: TenantId) -> Result<Scope<Maintain>, Error> {
        let facts = self.parts().registry.snapshot(tenant, None).await?;
        let deleted = facts
            .record
            .is_some_and(|record| record.state == TenantState::Deleted);
        let (service, action) = if deleted {
            (ServiceKind::Purge, AccessAction::StoreRemove)
        } else {
            (ServiceKind::Retention, AccessAction::StoreSweep)
        };
        self.enter::<Maintain>(&Caller::service(service), tenant, action)
            .await
    }

    async fn holds_in(&self, scope: &Scope<Maintain>) -> Result<Vec<HoldRecord>, Error> {
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        Ok(sql::list(tx.tx().await?, scope.tenant()).await?)
    }

    async fn hold_in(&self, scope: &Scope<Maintain>, id: HoldId) -> Result<HoldRecord, Error> {
        let all = self.holds_in(scope).await?;
        let found = all.into_iter().find(|record| record.hold().id == id);
        found.ok_or_else(|| HoldError::Unknown(id).into())
    }

    /// The tenant's holds as they stand; none of a tenant whose store is gone.
    pub(crate) async fn hold_view(&self, tenant: TenantId) -> Result<HoldView, Error> {
        let parts = self.parts();
        if !parts.layout.has_tenant_file(&parts.region, tenant)? {
            return Ok(HoldView::none());
        }
        let scope = self.store_scope(tenant).await?;
        self.hold_view_in(&scope).await
    }

    pub(crate) async fn hold_view_in(&self, scope: &Scope<Maintain>) -> Result<HoldView, Error> {
        let parts = self.parts();
        let mut tx = scope.begin(parts.tenants.as_ref()).await?;
        let tx = tx.tx().await?;
        let view = parts.holds.view(tx, scope.tenant(), Mode::ReadOnly).await;
        Ok(view?)
    }

    /// Whether nothing of the tenant is held, so that its whole store may go.
    ///
    /// # Errors
    /// [`Error::Hold`] with every hold.
    // clause: P-47
    pub(crate) fn permit_all(
        &self,
        tenant: TenantId,
        holds: &HoldView,
        now: UtcDateTime,
    ) -> Result<(), Error> {
        let active = holds.holds(tenant).filter(|hold| hold.is_active(now));
        let active: Vec<HoldId> = active.map(|hold| hold.id).collect();
        if active.is_empty() {
            Ok(())
        } else {
            Err(HoldError::Held(active).into())
        }
    }

    /// Tells the tenant's log, once for each item and hold, that a deletion that was due was
    /// refused.
    pub(crate) async fn tell_held(
        &self,
        tenant: TenantId,
        kind: &'static str,
        item: &ItemId,
        holds: &[HoldId],
    ) -> Result<(), Error> {
        for hold in holds {
            let name = [kind.as_bytes(), item.as_bytes(), hold.as_bytes()].concat();
            let id = EventId::from_uuid(Uuid::new_v5(&tenant.as_uuid(), &name));
            let sink = &self.parts().sink;
            let event = Event::new(
                id,
                self.parts().clock.now(),
                ActorContext::service("retention"),
                Action::RefusedHeld,
                Target::of(tenant, kind, item.clone()),
                Outcome::Denied,
            );
            let event = event.with("hold", Datum::Id(hold.as_uuid()));
            match sink.emit(event).await {
                // Told before, at another instant.
                Ok(_) | Err(covenant_core::SinkError::Taken(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// What the log says of holds since a copy was taken.
///
/// # Errors
/// [`Error`] for a leaf that does not read as a hold: the copy stays shut.
pub(crate) fn replay_of(fold: &Fold) -> Result<HoldReplay, Error> {
    let mut facts = Vec::new();
    for (key, last) in &fold.last {
        let LedgerKey::Hold { id, part } = key else {
            continue;
        };
        let damaged = || Error::unavailable(format!("leaf {} does not read as a hold", last.index));
        match part {
            None => {
                let id = <[u8; 16]>::try_from(id.as_bytes()).or(Err(damaged()))?;
                let id = HoldId::from_bytes(id);
                facts.push(HoldFact::Released { id, at: last.at });
            }
            Some(_) => {
                let text = last.data.get(HOLD_DATUM).and_then(|datum| datum.text());
                let hold = text.and_then(unhex).ok_or_else(damaged)?;
                let hold = Hold::from_bytes(&hold).or(Err(damaged()))?;
                facts.push(HoldFact::Placed(hold));
            }
        }
    }
    Ok(HoldReplay::of(facts))
}
