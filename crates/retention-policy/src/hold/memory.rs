//! Holds in memory: the model of all other stores, and enough for tests and small tools.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use covenant_core::event::ActorContext;
use covenant_core::{BoxFuture, HoldId, TenantId};
use time::UtcDateTime;

use super::{
    DisposalTarget, Hold, HoldAct, HoldError, HoldRecord, HoldView, Holds, Passed, Placed, Release,
};
use crate::StoreName;

/// Holds in memory; no event tells of them.
#[derive(Debug, Default)]
pub struct MemoryHolds {
    tenants: Mutex<BTreeMap<TenantId, Kept>>,
}

/// One tenant's holds.
#[derive(Debug, Default)]
struct Kept {
    generation: u64,
    holds: BTreeMap<HoldId, HoldRecord>,
    passed: BTreeMap<Passed, DisposalTarget>,
}

impl MemoryHolds {
    /// No holds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tenants(&self) -> MutexGuard<'_, BTreeMap<TenantId, Kept>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(
        &self,
        tenant: TenantId,
        id: HoldId,
        with: impl FnOnce(&mut HoldRecord) -> Result<T, HoldError>,
    ) -> Result<T, HoldError> {
        let mut tenants = self.tenants();
        let kept = tenants.get_mut(&tenant).ok_or(HoldError::Unknown(id))?;
        let record = kept.holds.get_mut(&id).ok_or(HoldError::Unknown(id))?;
        let done = with(record)?;
        kept.generation = kept.generation.saturating_add(1);
        Ok(done)
    }
}

impl Kept {
    fn place(&mut self, hold: &Hold) -> Result<Placed, HoldError> {
        match self.holds.get(&hold.id) {
            Some(record) if record.hold() == hold => {}
            Some(_) => return Err(HoldError::Taken(hold.id)),
            None => {
                self.generation = self.generation.saturating_add(1);
                self.holds.insert(hold.id, HoldRecord::new(hold.clone()));
            }
        }
        let beyond = self.passed.iter();
        let beyond = beyond.filter(|(_, target)| hold.covers(&target.item()));
        Ok(Placed {
            generation: self.generation,
            beyond: beyond.map(|(passed, _)| passed.clone()).collect(),
        })
    }

    fn view(&self, tenant: TenantId) -> HoldView {
        let standing = self.holds.values();
        let standing = standing.filter(|record| record.released_at().is_none());
        let holds = standing.map(|record| record.hold().clone());
        HoldView::of(tenant, self.generation, holds)
    }

    fn pass(
        &mut self,
        target: &DisposalTarget,
        store: &StoreName,
        now: UtcDateTime,
    ) -> Result<(), HoldError> {
        self.view(target.tenant).permit(target, now)?;
        let passed = Passed {
            class: target.class.clone(),
            id: target.id.clone(),
            store: store.clone(),
        };
        self.passed.insert(passed, target.clone());
        Ok(())
    }
}

/// What needs no waiting, as a future.
fn now<'a, T: Send + 'a>(result: Result<T, HoldError>) -> BoxFuture<'a, Result<T, HoldError>> {
    Box::pin(std::future::ready(result))
}

impl Holds for MemoryHolds {
    fn place<'a>(
        &'a self,
        hold: &'a Hold,
        _actor: ActorContext,
    ) -> BoxFuture<'a, Result<Placed, HoldError>> {
        now(self.tenants().entry(hold.tenant).or_default().place(hold))
    }

    fn extend(
        &self,
        tenant: TenantId,
        id: HoldId,
        until: UtcDateTime,
        act: HoldAct,
    ) -> BoxFuture<'_, Result<(), HoldError>> {
        now(self.change(tenant, id, |record| Ok(record.extend(until, act.at)?)))
    }

    fn release(
        &self,
        tenant: TenantId,
        id: HoldId,
        act: HoldAct,
    ) -> BoxFuture<'_, Result<Release, HoldError>> {
        now(self.change(tenant, id, |record| Ok(record.release(act.by, act.at)?)))
    }

    fn list(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<HoldRecord>, HoldError>> {
        let tenants = self.tenants();
        let kept = tenants.get(&tenant).into_iter();
        now(Ok(kept
            .flat_map(|kept| kept.holds.values().cloned())
            .collect()))
    }

    fn view(&self, tenant: TenantId) -> BoxFuture<'_, Result<HoldView, HoldError>> {
        let tenants = self.tenants();
        let view = tenants.get(&tenant).map(|kept| kept.view(tenant));
        now(Ok(view.unwrap_or_else(|| HoldView::of(tenant, 0, []))))
    }

    fn pass<'a>(
        &'a self,
        target: &'a DisposalTarget,
        store: &'a StoreName,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<(), HoldError>> {
        let mut tenants = self.tenants();
        now(tenants
            .entry(target.tenant)
            .or_default()
            .pass(target, store, at))
    }

    fn settle<'a>(&'a self, target: &'a DisposalTarget) -> BoxFuture<'a, Result<(), HoldError>> {
        if let Some(kept) = self.tenants().get_mut(&target.tenant) {
            kept.passed
                .retain(|passed, _| passed.class != target.class || passed.id != target.id);
        }
        now(Ok(()))
    }
}
