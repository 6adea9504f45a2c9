//! Stores and backends whose calls fail on demand, before or after they took effect.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use covenant_core::event::ActorContext;
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{EventId, KeyId, OrderId, Owner, Secret, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::backend::{BackendError, BackendFuture, Capabilities, KekBackend, Presence};
use crate::copies::KeyCopy;
use crate::group::GroupName;
use crate::journal::KeyEvent;
use crate::record::{Erasure, KekRecord, RootRecord};
use crate::store::{
    Added, Changes, Counted, Due, Flush, Gate, KeyStore, Moved, Planned, StoreError, StoreFuture,
    StoreStanding, Swap,
};
use crate::wrapped::WrappedKey;

/// Counts calls, and makes one of them fail: half of the numbers fail before the call took effect,
/// the other half after.
#[derive(Debug, Default)]
pub struct Faults {
    calls: AtomicU64,
    fails: AtomicU64,
    halt: Mutex<Option<fn()>>,
}

/// The injected failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("injected failure")]
pub struct Injected;

#[derive(PartialEq, Eq)]
enum Fate {
    Works,
    FailsBefore,
    FailsAfter,
}

impl Faults {
    /// No failures.
    #[must_use]
    pub fn none() -> Arc<Self> {
        Arc::default()
    }

    /// From now on the calls work but the one with number `point / 2`, counted from 0, which fails
    /// before its effect when `point` is even and after it when it is odd.
    pub fn fail_at(&self, point: u64) {
        self.calls.store(0, Ordering::SeqCst);
        self.fails.store(point.saturating_add(1), Ordering::SeqCst);
    }

    /// From now on the calls work until that point, where the call says so through `halt` and never
    /// returns: a process to be killed there.
    pub fn halt_at(&self, point: u64, halt: fn()) {
        *self.halt.lock().unwrap_or_else(PoisonError::into_inner) = Some(halt);
        self.fail_at(point);
    }

    /// From now on all calls work. Returns how many there were since the last setting.
    pub fn heal(&self) -> u64 {
        self.fails.store(0, Ordering::SeqCst);
        self.calls.swap(0, Ordering::SeqCst)
    }

    fn fate(&self) -> Fate {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let before = call.saturating_mul(2).saturating_add(1);
        match self.fails.load(Ordering::SeqCst) {
            point if point == before => Fate::FailsBefore,
            point if point == before.saturating_add(1) => Fate::FailsAfter,
            _ => Fate::Works,
        }
    }

    async fn run<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        failure: fn() -> E,
    ) -> Result<T, E> {
        let fate = self.fate();
        if fate == Fate::FailsBefore {
            self.halt_here().await;
            return Err(failure());
        }
        let result = call.await;
        if fate == Fate::FailsAfter {
            self.halt_here().await;
            Err(failure())
        } else {
            result
        }
    }

    async fn halt_here(&self) {
        let halt = *self.halt.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(halt) = halt {
            halt();
            std::future::pending::<()>().await;
        }
    }
}

fn store_failure() -> StoreError {
    StoreError::Database(Box::new(Injected))
}

fn backend_failure() -> BackendError {
    BackendError::Io(Box::new(Injected))
}

/// A key store whose calls fail on demand.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn KeyStore>,
    faults: Arc<Faults>,
}

impl FaultyStore {
    /// The store, failing as `faults` says.
    #[must_use]
    pub fn new(inner: Arc<dyn KeyStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    fn run<'a, T: Send + 'a>(&'a self, call: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(self.faults.run(call, store_failure))
    }
}

#[deny(clippy::missing_trait_methods)]
impl KeyStore for FaultyStore {
    fn kek(&self, id: KeyId) -> StoreFuture<'_, Option<KekRecord>> {
        self.run(self.inner.kek(id))
    }
    fn keks_of<'a>(&'a self, group: &'a GroupName) -> StoreFuture<'a, Vec<KekRecord>> {
        self.run(self.inner.keks_of(group))
    }
    fn intend_kek<'a>(&'a self, kek: &'a KekRecord) -> StoreFuture<'a, KekRecord> {
        self.run(self.inner.intend_kek(kek))
    }
    fn enable_kek<'a>(
        &'a self,
        id: KeyId,
        canary: &'a [u8],
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, KekRecord> {
        self.run(self.inner.enable_kek(id, canary, event))
    }
    fn put_kek<'a>(&'a self, kek: &'a KekRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        self.run(self.inner.put_kek(kek, event))
    }
    fn put_empty_kek<'a>(
        &'a self,
        kek: &'a KekRecord,
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, Swap> {
        self.run(self.inner.put_empty_kek(kek, event))
    }
    fn count_wrap(&self, kek: KeyId) -> StoreFuture<'_, Counted> {
        self.run(self.inner.count_wrap(kek))
    }
    fn root(&self, id: KeyId) -> StoreFuture<'_, Option<RootRecord>> {
        self.run(self.inner.root(id))
    }
    fn root_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Option<RootRecord>> {
        self.run(self.inner.root_of(owner, purpose))
    }
    fn roots_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Vec<RootRecord>> {
        self.run(self.inner.roots_of(owner, purpose))
    }
    fn add_root<'a>(&'a self, root: &'a RootRecord) -> StoreFuture<'a, Added> {
        self.run(self.inner.add_root(root))
    }
    fn put_root<'a>(&'a self, root: &'a RootRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        self.run(self.inner.put_root(root, event))
    }
    fn roots_under(
        &self,
        kek: KeyId,
        after: Option<KeyId>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<RootRecord>> {
        self.run(self.inner.roots_under(kek, after, limit))
    }
    fn move_roots<'a>(&'a self, to: KeyId, roots: &'a [RootRecord]) -> StoreFuture<'a, Moved> {
        self.run(self.inner.move_roots(to, roots))
    }
    fn plan_roots(&self, tenant: TenantId, at: UtcDateTime) -> StoreFuture<'_, Planned> {
        self.run(self.inner.plan_roots(tenant, at))
    }
    fn due(&self, now: UtcDateTime) -> StoreFuture<'_, Due> {
        self.run(self.inner.due(now))
    }
    fn next_due(&self) -> StoreFuture<'_, Option<UtcDateTime>> {
        self.run(self.inner.next_due())
    }
    fn bury_kek<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, (KekRecord, Vec<RootRecord>)> {
        self.run(self.inner.bury_kek(id, at, actor))
    }
    fn finish_kek(&self, id: KeyId, at: UtcDateTime) -> StoreFuture<'_, ()> {
        self.run(self.inner.finish_kek(id, at))
    }
    fn bury_root<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, RootRecord> {
        self.run(self.inner.bury_root(id, at, actor))
    }
    fn erase_subject<'a>(
        &'a self,
        order: &'a DestroyOrder,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, Erasure> {
        self.run(self.inner.erase_subject(order, at, actor))
    }
    fn settle_erasure(
        &self,
        order: OrderId,
        complete_by: UtcDateTime,
    ) -> StoreFuture<'_, UtcDateTime> {
        self.run(self.inner.settle_erasure(order, complete_by))
    }
    fn flush(&self) -> StoreFuture<'_, Flush> {
        self.run(self.inner.flush())
    }
    fn keks(&self) -> StoreFuture<'_, Vec<KekRecord>> {
        self.run(self.inner.keks())
    }
    fn roots(&self) -> StoreFuture<'_, Vec<RootRecord>> {
        self.run(self.inner.roots())
    }
    fn standing(&self) -> StoreFuture<'_, StoreStanding> {
        self.run(self.inner.standing())
    }
    fn set_gate(&self, gate: Gate) -> StoreFuture<'_, ()> {
        self.run(self.inner.set_gate(gate))
    }
    fn changes(&self, after: u64) -> StoreFuture<'_, Changes> {
        self.run(self.inner.changes(after))
    }
    fn restore<'a>(&'a self, copies: &'a [Changes]) -> StoreFuture<'a, ()> {
        self.run(self.inner.restore(copies))
    }
    fn put_copy<'a>(&'a self, copy: &'a KeyCopy) -> StoreFuture<'a, ()> {
        self.run(self.inner.put_copy(copy))
    }
    fn copies(&self) -> StoreFuture<'_, Vec<KeyCopy>> {
        self.run(self.inner.copies())
    }
    fn forget_copy(&self, id: Uuid) -> StoreFuture<'_, ()> {
        self.run(self.inner.forget_copy(id))
    }
    fn add_event<'a>(&'a self, event: &'a KeyEvent) -> StoreFuture<'a, ()> {
        self.run(self.inner.add_event(event))
    }
    fn events(&self, limit: u32) -> StoreFuture<'_, Vec<KeyEvent>> {
        self.run(self.inner.events(limit))
    }
    fn settle_events<'a>(&'a self, ids: &'a [EventId]) -> StoreFuture<'a, ()> {
        self.run(self.inner.settle_events(ids))
    }
}

/// A backend whose calls fail on demand.
#[derive(Debug)]
pub struct FaultyBackend {
    inner: Arc<dyn KekBackend>,
    faults: Arc<Faults>,
}

impl FaultyBackend {
    /// The backend, failing as `faults` says.
    #[must_use]
    pub fn new(inner: Arc<dyn KekBackend>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    fn run<'a, T: Send + 'a>(&'a self, call: BackendFuture<'a, T>) -> BackendFuture<'a, T> {
        Box::pin(self.faults.run(call, backend_failure))
    }
}

#[deny(clippy::missing_trait_methods)]
impl KekBackend for FaultyBackend {
    fn create(&self, id: KeyId) -> BackendFuture<'_, ()> {
        self.run(self.inner.create(id))
    }
    fn wrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        root: &'a Secret<[u8; 32]>,
    ) -> BackendFuture<'a, WrappedKey> {
        self.run(self.inner.wrap_root(id, context, root))
    }
    fn unwrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        wrapped: &'a WrappedKey,
    ) -> BackendFuture<'a, Secret<[u8; 32]>> {
        self.run(self.inner.unwrap_root(id, context, wrapped))
    }
    fn wrap_roots<'a>(
        &'a self,
        id: KeyId,
        roots: &'a [(Vec<u8>, Secret<[u8; 32]>)],
    ) -> BackendFuture<'a, Vec<WrappedKey>> {
        self.run(self.inner.wrap_roots(id, roots))
    }
    fn unwrap_roots<'a>(
        &'a self,
        id: KeyId,
        wrapped: &'a [(Vec<u8>, WrappedKey)],
    ) -> BackendFuture<'a, Vec<Secret<[u8; 32]>>> {
        self.run(self.inner.unwrap_roots(id, wrapped))
    }
    fn destroy(&self, id: KeyId) -> BackendFuture<'_, ()> {
        self.run(self.inner.destroy(id))
    }
    fn probe(&self, id: KeyId) -> BackendFuture<'_, Presence> {
        self.run(self.inner.probe(id))
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
