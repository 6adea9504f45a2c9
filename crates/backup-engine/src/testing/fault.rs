//! A depot that is down, or fails at one chosen call.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use covenant_core::BoxFuture;

use crate::depot::{Created, Depot, DepotError, DepotFacts};

/// What should fail; shared with whoever wants to change it meanwhile.
#[derive(Debug, Default)]
pub struct Faults {
    down: AtomicBool,
    /// Calls left until one fails; zero is never.
    countdown: AtomicU64,
}

impl Faults {
    /// From now on every call fails.
    pub fn take_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    /// From now on calls succeed again.
    pub fn bring_up(&self) {
        self.down.store(false, Ordering::SeqCst);
    }

    /// The `n`-th call from now fails, once, before it has any effect; zero is never.
    pub fn fail_call(&self, n: u64) {
        self.countdown.store(n, Ordering::SeqCst);
    }

    fn strike(&self) -> Result<(), DepotError> {
        let last = self
            .countdown
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if self.down.load(Ordering::SeqCst) || last == Ok(1) {
            return Err(DepotError::Unavailable("a fault on demand".into()));
        }
        Ok(())
    }
}

/// A depot behind [`Faults`].
#[derive(Debug)]
pub struct FaultDepot {
    inner: Arc<dyn Depot>,
    faults: Arc<Faults>,
}

impl FaultDepot {
    /// This depot, failing as told.
    #[must_use]
    pub const fn new(inner: Arc<dyn Depot>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

impl Depot for FaultDepot {
    fn facts(&self) -> DepotFacts {
        self.inner.facts()
    }

    fn create<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
    ) -> BoxFuture<'a, Result<Created, DepotError>> {
        Box::pin(async move {
            self.faults.strike()?;
            self.inner.create(key, body).await
        })
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Bytes, DepotError>> {
        Box::pin(async move {
            self.faults.strike()?;
            self.inner.read(key, range).await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, DepotError>> {
        Box::pin(async move {
            self.faults.strike()?;
            self.inner.list(prefix).await
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), DepotError>> {
        Box::pin(async move {
            self.faults.strike()?;
            self.inner.delete(keys).await
        })
    }
}
