//! A backend that is wrong in one way.

use std::sync::Arc;

use covenant_core::{KeyId, Secret};

use crate::backend::{BackendFuture, Capabilities, KekBackend, Presence};
use crate::wrapped::WrappedKey;

/// What is wrong with an [`UnsoundBackend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendFlaw {
    /// What a wrapped root is bound to is ignored.
    ContextIgnored,
    /// A destroyed KEK stays, and is seen.
    Kept,
    /// A destroyed KEK stays, and the backend says that it is gone.
    KeptAndDenied,
}

impl BackendFlaw {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::ContextIgnored, Self::Kept, Self::KeptAndDenied];
}

/// A backend that is wrong in one way.
#[derive(Debug)]
pub struct UnsoundBackend {
    inner: Arc<dyn KekBackend>,
    flaw: BackendFlaw,
    denied: std::sync::Mutex<Vec<KeyId>>,
}

impl UnsoundBackend {
    /// The backend with the flaw.
    #[must_use]
    pub fn new(inner: Arc<dyn KekBackend>, flaw: BackendFlaw) -> Self {
        Self {
            inner,
            flaw,
            denied: std::sync::Mutex::default(),
        }
    }

    fn bound<'a>(&self, context: &'a [u8]) -> &'a [u8] {
        match self.flaw {
            BackendFlaw::ContextIgnored => b"the same for all",
            BackendFlaw::Kept | BackendFlaw::KeptAndDenied => context,
        }
    }

    fn denied(&self) -> std::sync::MutexGuard<'_, Vec<KeyId>> {
        let denied = self.denied.lock();
        denied.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[deny(clippy::missing_trait_methods)]
impl KekBackend for UnsoundBackend {
    fn create(&self, id: KeyId) -> BackendFuture<'_, ()> {
        self.denied().retain(|denied| *denied != id);
        self.inner.create(id)
    }
    fn wrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        root: &'a Secret<[u8; 32]>,
    ) -> BackendFuture<'a, WrappedKey> {
        self.inner.wrap_root(id, self.bound(context), root)
    }
    fn unwrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        wrapped: &'a WrappedKey,
    ) -> BackendFuture<'a, Secret<[u8; 32]>> {
        self.inner.unwrap_root(id, self.bound(context), wrapped)
    }
    fn wrap_roots<'a>(
        &'a self,
        id: KeyId,
        roots: &'a [(Vec<u8>, Secret<[u8; 32]>)],
    ) -> BackendFuture<'a, Vec<WrappedKey>> {
        Box::pin(async move {
            let mut all = Vec::new();
            for (context, root) in roots {
                all.push(self.wrap_root(id, context, root).await?);
            }
            Ok(all)
        })
    }
    fn unwrap_roots<'a>(
        &'a self,
        id: KeyId,
        wrapped: &'a [(Vec<u8>, WrappedKey)],
    ) -> BackendFuture<'a, Vec<Secret<[u8; 32]>>> {
        Box::pin(async move {
            let mut all = Vec::new();
            for (context, wrapped) in wrapped {
                all.push(self.unwrap_root(id, context, wrapped).await?);
            }
            Ok(all)
        })
    }
    fn destroy(&self, id: KeyId) -> BackendFuture<'_, ()> {
        match self.flaw {
            BackendFlaw::ContextIgnored => self.inner.destroy(id),
            BackendFlaw::Kept => Box::pin(async { Ok(()) }),
            BackendFlaw::KeptAndDenied => {
                self.denied().push(id);
                Box::pin(async { Ok(()) })
            }
        }
    }
    fn probe(&self, id: KeyId) -> BackendFuture<'_, Presence> {
        if self.denied().contains(&id) {
            return Box::pin(async { Ok(Presence::Absent) });
        }
        self.inner.probe(id)
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
