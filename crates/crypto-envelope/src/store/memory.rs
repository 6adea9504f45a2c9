//! Key records in memory: the model that every other store is compared with.

mod records;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use covenant_core::event::ActorContext;
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{EventId, KeyId, OrderId, Owner, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use self::records::Records;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) use self::records::refusal;
use super::{
    Added, Changes, Counted, Due, Flush, Gate, KeyStore, Moved, Planned, StoreError, StoreFuture,
    StoreStanding, Swap,
};
use crate::copies::KeyCopy;
use crate::group::GroupName;
use crate::journal::KeyEvent;
use crate::record::{Erasure, KekRecord, RootRecord};

/// Key records in memory.
#[derive(Default)]
pub struct MemoryStore(Mutex<Records>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<'a, T>(
        &'a self,
        work: impl FnOnce(&mut Records) -> Result<T, StoreError> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move { work(&mut self.records()) })
    }
}

impl KeyStore for MemoryStore {
    fn kek(&self, id: KeyId) -> StoreFuture<'_, Option<KekRecord>> {
        self.with(move |r| Ok(r.keks.get(&id).cloned()))
    }

    fn keks_of<'a>(&'a self, group: &'a GroupName) -> StoreFuture<'a, Vec<KekRecord>> {
        self.with(move |r| Ok(r.keks_of(group)))
    }

    fn intend_kek<'a>(&'a self, kek: &'a KekRecord) -> StoreFuture<'a, KekRecord> {
        self.with(move |r| r.intend_kek(kek))
    }

    fn enable_kek<'a>(
        &'a self,
        id: KeyId,
        canary: &'a [u8],
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, KekRecord> {
        self.with(move |r| r.enable_kek(id, canary, event))
    }

    fn put_kek<'a>(&'a self, kek: &'a KekRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        self.with(move |r| r.put_kek(kek, event))
    }

    fn put_empty_kek<'a>(
        &'a self,
        kek: &'a KekRecord,
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, Swap> {
        self.with(move |r| r.put_empty_kek(kek, event))
    }

    fn count_wrap(&self, kek: KeyId) -> StoreFuture<'_, Counted> {
        self.with(move |r| Ok(r.count(kek, 1)))
    }

    fn root(&self, id: KeyId) -> StoreFuture<'_, Option<RootRecord>> {
        self.with(move |r| Ok(r.roots.get(&id).cloned()))
    }

    fn root_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Option<RootRecord>> {
        self.with(move |r| Ok(r.root_of(owner, purpose).cloned()))
    }

    fn roots_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Vec<RootRecord>> {
        self.with(move |r| Ok(r.versions(owner, purpose).into_iter().cloned().collect()))
    }

    fn add_root<'a>(&'a self, root: &'a RootRecord) -> StoreFuture<'a, Added> {
        self.with(move |r| r.add_root(root))
    }

    fn put_root<'a>(&'a self, root: &'a RootRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        self.with(move |r| r.put_root(root, event))
    }

    fn roots_under(
        &self,
        kek: KeyId,
        after: Option<KeyId>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<RootRecord>> {
        self.with(move |r| Ok(r.roots_under(kek, after, limit)))
    }

    fn move_roots<'a>(&'a self, to: KeyId, roots: &'a [RootRecord]) -> StoreFuture<'a, Moved> {
        self.with(move |r| Ok(r.move_roots(to, roots)))
    }

    fn plan_roots(&self, tenant: TenantId, at: UtcDateTime) -> StoreFuture<'_, Planned> {
        self.with(move |r| Ok(r.plan_roots(tenant, at)))
    }

    fn due(&self, now: UtcDateTime) -> StoreFuture<'_, Due> {
        self.with(move |r| Ok(r.due(now)))
    }

    fn next_due(&self) -> StoreFuture<'_, Option<UtcDateTime>> {
        self.with(move |r| Ok(r.next_due()))
    }

    fn bury_kek<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, (KekRecord, Vec<RootRecord>)> {
        self.with(move |r| r.bury_kek(id, at, actor))
    }

    fn finish_kek(&self, id: KeyId, at: UtcDateTime) -> StoreFuture<'_, ()> {
        self.with(move |r| r.finish_kek(id, at))
    }

    fn bury_root<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, RootRecord> {
        self.with(move |r| r.bury_root(id, at, actor))
    }

    fn erase_subject<'a>(
        &'a self,
        order: &'a DestroyOrder,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, Erasure> {
        self.with(move |r| r.erase_subject(order, at, actor))
    }

    fn settle_erasure(
        &self,
        order: OrderId,
        complete_by: UtcDateTime,
    ) -> StoreFuture<'_, UtcDateTime> {
        self.with(move |r| r.settle_erasure(order, complete_by))
    }

    fn flush(&self) -> StoreFuture<'_, Flush> {
        Box::pin(async { Ok(Flush::Clean) })
    }

    fn keks(&self) -> StoreFuture<'_, Vec<KekRecord>> {
        self.with(move |r| Ok(r.keks.values().cloned().collect()))
    }

    fn roots(&self) -> StoreFuture<'_, Vec<RootRecord>> {
        self.with(move |r| Ok(r.roots.values().cloned().collect()))
    }

    fn standing(&self) -> StoreFuture<'_, StoreStanding> {
        self.with(move |r| Ok(r.standing()))
    }

    fn set_gate(&self, gate: Gate) -> StoreFuture<'_, ()> {
        self.with(move |r| {
            r.shut = (gate == Gate::Shut).then_some(());
            Ok(())
        })
    }

    fn changes(&self, after: u64) -> StoreFuture<'_, Changes> {
        self.with(move |r| Ok(r.changes(after)))
    }

    fn restore<'a>(&'a self, copies: &'a [Changes]) -> StoreFuture<'a, ()> {
        self.with(move |r| r.restore(copies))
    }

    fn put_copy<'a>(&'a self, copy: &'a KeyCopy) -> StoreFuture<'a, ()> {
        self.with(move |r| {
            drop(r.copies.insert(copy.id, copy.clone()));
            Ok(())
        })
    }

    fn copies(&self) -> StoreFuture<'_, Vec<KeyCopy>> {
        self.with(move |r| Ok(r.copies.values().cloned().collect()))
    }

    fn forget_copy(&self, id: Uuid) -> StoreFuture<'_, ()> {
        self.with(move |r| {
            drop(r.copies.remove(&id));
            Ok(())
        })
    }

    fn add_event<'a>(&'a self, event: &'a KeyEvent) -> StoreFuture<'a, ()> {
        self.with(move |r| {
            r.tell(event.clone());
            Ok(())
        })
    }

    fn events(&self, limit: u32) -> StoreFuture<'_, Vec<KeyEvent>> {
        self.with(move |r| {
            Ok(r.events
                .values()
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .cloned()
                .collect())
        })
    }

    fn settle_events<'a>(&'a self, ids: &'a [EventId]) -> StoreFuture<'a, ()> {
        self.with(move |r| {
            r.events.retain(|id, _| !ids.contains(id));
            Ok(())
        })
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
