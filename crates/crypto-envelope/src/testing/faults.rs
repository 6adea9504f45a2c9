//! Stores and backends whose calls fail on demand, before or after they took effect.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use covenant_core::{KeyId, Secret};

use crate::backend::{BackendError, BackendFuture, Capabilities, KekBackend, Presence};
use crate::store::{KeyStore, StoreError, StoreFuture};
use crate::testing::AroundStore;
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
}

impl AroundStore for FaultyStore {
    fn within(&self) -> &dyn KeyStore {
        &*self.inner
    }

    fn pass<'a, T: Send + 'a>(&'a self, call: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(self.faults.run(call, store_failure))
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
