//! KEKs in memory: for tests and as the model of every other backend. They die with the process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use covenant_core::{KeyId, Random, Secret};

use super::{BackendError, BackendFuture, KekBackend, PortableKeks, Presence, same};
use crate::wrapped::WrappedKey;

/// KEKs in memory.
pub struct MemoryBackend {
    keys: Mutex<BTreeMap<KeyId, Secret<[u8; 32]>>>,
    random: Arc<dyn Random>,
}

impl MemoryBackend {
    /// A backend without keys.
    #[must_use]
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self {
            keys: Mutex::default(),
            random,
        }
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<KeyId, Secret<[u8; 32]>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create_now(&self, id: KeyId) -> Result<(), BackendError> {
        let mut key = Secret::new([0_u8; 32]);
        self.random
            .fill(key.expose_mut())
            .map_err(BackendError::Random)?;
        self.keys().entry(id).or_insert(key);
        Ok(())
    }
}

impl KekBackend for MemoryBackend {
    fn create(&self, id: KeyId) -> BackendFuture<'_, ()> {
        Box::pin(async move { self.create_now(id) })
    }

    fn wrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        root: &'a Secret<[u8; 32]>,
    ) -> BackendFuture<'a, WrappedKey> {
        Box::pin(async move {
            let keys = self.keys();
            let kek = keys.get(&id).ok_or(BackendError::Absent(id))?;
            WrappedKey::wrap(kek.expose(), id, context, root.expose(), &*self.random)
                .map_err(BackendError::Random)
        })
    }

    fn unwrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        wrapped: &'a WrappedKey,
    ) -> BackendFuture<'a, Secret<[u8; 32]>> {
        Box::pin(async move {
            let keys = self.keys();
            let kek = keys.get(&id).ok_or(BackendError::Absent(id))?;
            wrapped
                .unwrap_with(kek.expose(), context)
                .map_err(BackendError::NotAuthentic)
        })
    }

    fn destroy(&self, id: KeyId) -> BackendFuture<'_, ()> {
        Box::pin(async move {
            drop(self.keys().remove(&id));
            Ok(())
        })
    }

    fn probe(&self, id: KeyId) -> BackendFuture<'_, Presence> {
        Box::pin(async move {
            let there = self.keys().contains_key(&id);
            Ok(if there {
                Presence::Present
            } else {
                Presence::Absent
            })
        })
    }
}

impl PortableKeks for MemoryBackend {
    fn export(&self, id: KeyId) -> BackendFuture<'_, Secret<[u8; 32]>> {
        Box::pin(async move {
            let keys = self.keys();
            let kek = keys.get(&id).ok_or(BackendError::Absent(id))?;
            Ok(Secret::new(*kek.expose()))
        })
    }

    fn import<'a>(&'a self, id: KeyId, key: &'a Secret<[u8; 32]>) -> BackendFuture<'a, ()> {
        Box::pin(async move {
            let copy = Secret::new(*key.expose());
            same(id, self.keys().entry(id).or_insert(copy), key)
        })
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackend")
            .field("keys", &self.keys().len())
            .finish_non_exhaustive()
    }
}
