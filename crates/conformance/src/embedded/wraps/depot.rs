//! A depot that is full, or slow: not a sabotage, but weather that a sound system lives through.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backup_engine::depot::{Created, Depot, DepotError, DepotFacts};
use covenant_core::{BoxFuture, ManualClock};

/// Virtual time that a call to a slow depot takes.
const SLOW_CALL: Duration = Duration::from_secs(30);

/// What the depot suffers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) enum Strain {
    None,
    Full,
    Slow,
}

/// The strain of now, set by acts, and the clock that slow calls move.
#[derive(Debug)]
pub(in crate::embedded) struct Strained {
    strain: Mutex<Strain>,
    clock: Arc<ManualClock>,
}

impl Strained {
    pub(in crate::embedded) const fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            strain: Mutex::new(Strain::None),
            clock,
        }
    }

    pub(in crate::embedded) fn set(&self, strain: Strain) {
        *self.strain.lock().unwrap_or_else(PoisonError::into_inner) = strain;
    }

    /// What the strain does to a call.
    fn feel(&self) -> Strain {
        let strain = *self.strain.lock().unwrap_or_else(PoisonError::into_inner);
        if strain == Strain::Slow {
            self.clock.advance(SLOW_CALL);
        }
        strain
    }
}

/// A depot under strain.
#[derive(Debug)]
pub(super) struct StrainedDepot {
    inner: Arc<dyn Depot>,
    strain: Arc<Strained>,
}

impl StrainedDepot {
    pub(super) const fn new(inner: Arc<dyn Depot>, strain: Arc<Strained>) -> Self {
        Self { inner, strain }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Depot for StrainedDepot {
    fn facts(&self) -> DepotFacts {
        self.inner.facts()
    }

    fn create<'a>(
        &'a self,
        key: &'a str,
        body: bytes::Bytes,
    ) -> BoxFuture<'a, Result<Created, DepotError>> {
        Box::pin(async move {
            if self.strain.feel() == Strain::Full {
                return Err(DepotError::Unavailable("the depot is full".into()));
            }
            self.inner.create(key, body).await
        })
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<bytes::Bytes, DepotError>> {
        self.strain.feel();
        self.inner.read(key, range)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, DepotError>> {
        self.strain.feel();
        self.inner.list(prefix)
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), DepotError>> {
        self.strain.feel();
        self.inner.delete(keys)
    }
}
