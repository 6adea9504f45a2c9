//! An escrow in memory, beside a backend in memory: what a second site would hold.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use covenant_core::{KeyId, Secret};

use super::Injected;
use crate::backend::{MemoryBackend, PortableKeks, Presence, same};
use crate::escrow::{Escrow, EscrowError, EscrowFuture};
use crate::wrapped::WrappedKey;

/// Copies of the KEKs of a backend in memory. It can be out of reach.
pub struct MemoryEscrow {
    backend: Arc<MemoryBackend>,
    held: Mutex<BTreeMap<KeyId, Secret<[u8; 32]>>>,
    down: AtomicBool,
}

impl MemoryEscrow {
    /// An empty escrow for this backend.
    #[must_use]
    pub fn new(backend: Arc<MemoryBackend>) -> Self {
        Self {
            backend,
            held: Mutex::default(),
            down: AtomicBool::new(false),
        }
    }

    /// From now on every call fails.
    pub fn take_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    /// From now on calls work.
    pub fn bring_up(&self) {
        self.down.store(false, Ordering::SeqCst);
    }

    /// Unwraps with the copy of a KEK, as whoever finds the site would.
    #[must_use]
    pub fn unwrap_root(&self, context: &[u8], wrapped: &WrappedKey) -> Option<Secret<[u8; 32]>> {
        let held = self.held();
        let kek = held.get(&wrapped.kek())?;
        wrapped.unwrap_with(kek.expose(), context).ok()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<KeyId, Secret<[u8; 32]>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self) -> Result<(), EscrowError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(EscrowError(Box::new(Injected)));
        }
        Ok(())
    }
}

impl Escrow for MemoryEscrow {
    fn deposit(&self, kek: KeyId) -> EscrowFuture<'_, ()> {
        Box::pin(async move {
            self.reach()?;
            let key = self.backend.export(kek).await;
            let key = key.map_err(|error| EscrowError(Box::new(error)))?;
            let mut held = self.held();
            let found = held
                .entry(kek)
                .or_insert_with(|| Secret::new(*key.expose()));
            same(kek, found, &key).map_err(|error| EscrowError(Box::new(error)))
        })
    }

    fn remove(&self, kek: KeyId) -> EscrowFuture<'_, ()> {
        Box::pin(async move {
            self.reach()?;
            drop(self.held().remove(&kek));
            Ok(())
        })
    }

    fn probe(&self, kek: KeyId) -> EscrowFuture<'_, Presence> {
        Box::pin(async move {
            self.reach()?;
            let there = self.held().contains_key(&kek);
            Ok(if there {
                Presence::Present
            } else {
                Presence::Absent
            })
        })
    }
}

impl fmt::Debug for MemoryEscrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEscrow")
            .field("held", &self.held().len())
            .finish_non_exhaustive()
    }
}
