//! Key records in memory: the model that every other store is compared with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{KeyId, OrderId, Owner, TenantId};
use time::UtcDateTime;

use super::{Added, Due, Flush, KeyStore, Planned, StoreError, StoreFuture};
use crate::group::GroupName;
use crate::record::{Erasure, KekRecord, KekState, RootRecord, RootState};
use crate::wrapped::WRAPS_MAX;

/// Key records in memory.
#[derive(Default)]
pub struct MemoryStore(Mutex<Records>);

#[derive(Default)]
struct Records {
    keks: BTreeMap<KeyId, KekRecord>,
    roots: BTreeMap<KeyId, RootRecord>,
    erasures: BTreeMap<OrderId, Erasure>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn kek_of(&self, group: &GroupName) -> Option<&KekRecord> {
        self.keks.values().find(|kek| kek.group == *group)
    }

    fn root_of(&self, owner: Owner, purpose: Purpose) -> Option<&RootRecord> {
        self.roots
            .values()
            .find(|root| root.owner == owner && root.purpose == purpose)
    }

    fn add_root(&mut self, root: &RootRecord) -> Result<Added, StoreError> {
        let mut root = root.clone();
        if let Some(existing) = self.root_of(root.owner, root.purpose) {
            return Ok(Added::Exists(existing.clone()));
        }
        if let Owner::Subject(tenant, subject) = root.owner {
            let Some(data) = self.root_of(Owner::Tenant(tenant), Purpose::Data) else {
                return Ok(Added::NoTenant);
            };
            if data.state != RootState::Active {
                return Ok(Added::Refused(data.state.name()));
            }
            let erased = |e: &Erasure| e.tenant == tenant && e.subject == subject;
            if self.erasures.values().any(erased) {
                return Ok(Added::Refused(RootState::Destroyed.name()));
            }
            root.destroy_at = data.destroy_at;
        }
        let Some(kek) = self.keks.get_mut(&root.kek) else {
            return Ok(Added::Refused(KekState::Destroyed.name()));
        };
        if kek.state != KekState::Enabled {
            return Ok(Added::Refused(kek.state.name()));
        }
        if kek.wraps >= WRAPS_MAX {
            return Ok(Added::Exhausted);
        }
        if self.roots.contains_key(&root.id) {
            return Err(StoreError::Taken(root.id));
        }
        kek.wraps = kek.wraps.saturating_add(1);
        self.roots.insert(root.id, root.clone());
        Ok(Added::Stored(root))
    }

    fn plan_roots(&mut self, tenant: TenantId, at: UtcDateTime) -> Planned {
        let of_tenant = |root: &&mut RootRecord| {
            let owner =
                matches!(root.owner, Owner::Tenant(t) | Owner::Subject(t, _) if t == tenant);
            owner && root.state == RootState::Active
        };
        let differs = |root: &&mut RootRecord| root.destroy_at.is_some_and(|planned| planned != at);
        if let Some(root) = self.roots.values_mut().filter(of_tenant).find(differs) {
            return Planned::Differs(root.id, root.destroy_at.unwrap_or(at));
        }
        let mut count: u64 = 0;
        for root in self.roots.values_mut().filter(of_tenant) {
            root.destroy_at = Some(at);
            count = count.saturating_add(1);
        }
        Planned::Done(count)
    }

    fn bury_kek(
        &mut self,
        id: KeyId,
        at: UtcDateTime,
    ) -> Result<(KekRecord, Vec<RootRecord>), StoreError> {
        let kek = self.keks.get_mut(&id).ok_or(StoreError::NoRecord(id))?;
        if matches!(kek.state, KekState::Intended | KekState::Enabled) {
            kek.state = KekState::Dying;
            kek.destroyed_at = Some(at);
            let active = self
                .roots
                .values_mut()
                .filter(|r| r.kek == id && r.state == RootState::Active);
            active.for_each(|root| empty(root, at));
        }
        let at = kek.destroyed_at;
        let went = self
            .roots
            .values()
            .filter(|r| r.kek == id && r.destroyed_at == at);
        Ok((kek.clone(), went.cloned().collect()))
    }

    fn erase_subject(
        &mut self,
        order: &DestroyOrder,
        at: UtcDateTime,
    ) -> Result<Erasure, StoreError> {
        if let Some(done) = self.erasures.get(&order.id) {
            let same = done.tenant == order.tenant && done.subject == order.subject;
            return if same {
                Ok(done.clone())
            } else {
                Err(StoreError::OtherOrder)
            };
        }
        let same = |e: &&Erasure| e.tenant == order.tenant && e.subject == order.subject;
        let erasure = if let Some(first) = self.erasures.values().find(same) {
            Erasure {
                order: order.id,
                ..first.clone()
            }
        } else {
            let owner = Owner::Subject(order.tenant, order.subject);
            let mut keys = Vec::new();
            for root in self.roots.values_mut().filter(|root| root.owner == owner) {
                if root.state == RootState::Active {
                    empty(root, at);
                }
                keys.push(root.id);
            }
            let (tenant, subject) = (order.tenant, order.subject);
            let order = order.id;
            Erasure {
                order,
                tenant,
                subject,
                destroyed_at: at,
                keys,
                complete_by: None,
            }
        };
        self.erasures.insert(order.id, erasure.clone());
        Ok(erasure)
    }
}

impl KeyStore for MemoryStore {
    fn kek(&self, id: KeyId) -> StoreFuture<'_, Option<KekRecord>> {
        Box::pin(async move { Ok(self.records().keks.get(&id).cloned()) })
    }

    fn kek_of<'a>(&'a self, group: &'a GroupName) -> StoreFuture<'a, Option<KekRecord>> {
        Box::pin(async move { Ok(self.records().kek_of(group).cloned()) })
    }

    fn intend_kek<'a>(&'a self, kek: &'a KekRecord) -> StoreFuture<'a, KekRecord> {
        Box::pin(async move {
            let mut records = self.records();
            if let Some(existing) = records.kek_of(&kek.group) {
                return Ok(existing.clone());
            }
            if records.keks.contains_key(&kek.id) {
                return Err(StoreError::Taken(kek.id));
            }
            records.keks.insert(kek.id, kek.clone());
            Ok(kek.clone())
        })
    }

    fn enable_kek(&self, id: KeyId) -> StoreFuture<'_, KekRecord> {
        Box::pin(async move {
            let mut records = self.records();
            let kek = records.keks.get_mut(&id).ok_or(StoreError::NoRecord(id))?;
            if kek.state == KekState::Intended {
                kek.state = KekState::Enabled;
            }
            Ok(kek.clone())
        })
    }

    fn root(&self, id: KeyId) -> StoreFuture<'_, Option<RootRecord>> {
        Box::pin(async move { Ok(self.records().roots.get(&id).cloned()) })
    }

    fn root_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Option<RootRecord>> {
        Box::pin(async move { Ok(self.records().root_of(owner, purpose).cloned()) })
    }

    fn add_root<'a>(&'a self, root: &'a RootRecord) -> StoreFuture<'a, Added> {
        Box::pin(async move { self.records().add_root(root) })
    }

    fn plan_roots(&self, tenant: TenantId, at: UtcDateTime) -> StoreFuture<'_, Planned> {
        Box::pin(async move { Ok(self.records().plan_roots(tenant, at)) })
    }

    fn due(&self, now: UtcDateTime) -> StoreFuture<'_, Due> {
        Box::pin(async move {
            let records = self.records();
            let due = |at: Option<UtcDateTime>| at.is_some_and(|at| at <= now);
            let keks = records.keks.values().filter(|kek| match kek.state {
                KekState::Intended | KekState::Enabled => due(kek.destroy_at),
                KekState::Dying => true,
                KekState::Destroyed => false,
            });
            let roots = records.roots.values();
            let roots = roots.filter(|r| r.state == RootState::Active && due(r.destroy_at));
            Ok(Due {
                keks: keks.cloned().collect(),
                roots: roots.cloned().collect(),
            })
        })
    }

    fn next_due(&self) -> StoreFuture<'_, Option<UtcDateTime>> {
        Box::pin(async move {
            let records = self.records();
            let keks = records.keks.values().filter_map(|kek| match kek.state {
                KekState::Intended | KekState::Enabled => kek.destroy_at,
                KekState::Dying => kek.destroyed_at,
                KekState::Destroyed => None,
            });
            let roots = records
                .roots
                .values()
                .filter(|r| r.state == RootState::Active);
            Ok(keks.chain(roots.filter_map(|root| root.destroy_at)).min())
        })
    }

    fn bury_kek(
        &self,
        id: KeyId,
        at: UtcDateTime,
    ) -> StoreFuture<'_, (KekRecord, Vec<RootRecord>)> {
        Box::pin(async move { self.records().bury_kek(id, at) })
    }

    fn finish_kek(&self, id: KeyId) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut records = self.records();
            let kek = records.keks.get_mut(&id).ok_or(StoreError::NoRecord(id))?;
            if kek.state == KekState::Dying {
                kek.state = KekState::Destroyed;
            }
            Ok(())
        })
    }

    fn bury_root(&self, id: KeyId, at: UtcDateTime) -> StoreFuture<'_, RootRecord> {
        Box::pin(async move {
            let mut records = self.records();
            let root = records.roots.get_mut(&id).ok_or(StoreError::NoRecord(id))?;
            if root.state == RootState::Active {
                empty(root, at);
            }
            Ok(root.clone())
        })
    }

    fn erase_subject<'a>(
        &'a self,
        order: &'a DestroyOrder,
        at: UtcDateTime,
    ) -> StoreFuture<'a, Erasure> {
        Box::pin(async move { self.records().erase_subject(order, at) })
    }

    fn settle_erasure(
        &self,
        order: OrderId,
        complete_by: UtcDateTime,
    ) -> StoreFuture<'_, UtcDateTime> {
        Box::pin(async move {
            let mut records = self.records();
            let erasure = records
                .erasures
                .get_mut(&order)
                .ok_or(StoreError::NoOrder(order))?;
            Ok(*erasure.complete_by.get_or_insert(complete_by))
        })
    }

    fn flush(&self) -> StoreFuture<'_, Flush> {
        Box::pin(async move { Ok(Flush::Clean) })
    }

    fn keks(&self) -> StoreFuture<'_, Vec<KekRecord>> {
        Box::pin(async move { Ok(self.records().keks.values().cloned().collect()) })
    }

    fn roots(&self) -> StoreFuture<'_, Vec<RootRecord>> {
        Box::pin(async move { Ok(self.records().roots.values().cloned().collect()) })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.records();
        f.debug_struct("MemoryStore")
            .field("keks", &records.keks.len())
            .field("roots", &records.roots.len())
            .finish_non_exhaustive()
    }
}

fn empty(root: &mut RootRecord, at: UtcDateTime) {
    root.wrapped = Vec::new();
    root.state = RootState::Destroyed;
    root.destroyed_at = Some(at);
}
