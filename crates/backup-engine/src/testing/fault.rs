//! A depot that is down, or fails before or after one chosen call.

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
    fails: AtomicU64,
    /// Calls left until one loses its answer; zero is never.
    loses: AtomicU64,
    /// Calls left until the depot goes down; zero is never.
    goes_down: AtomicU64,
}

impl Faults {
    /// From now on every call fails.
    pub fn take_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    /// From now on calls succeed again.
    pub fn bring_up(&self) {
        for countdown in [&self.fails, &self.loses, &self.goes_down] {
            countdown.store(0, Ordering::SeqCst);
        }
        self.down.store(false, Ordering::SeqCst);
    }

    /// The `n`-th call from now fails, once, before it has any effect; zero is never.
    pub fn fail_call(&self, n: u64) {
        self.fails.store(n, Ordering::SeqCst);
    }

    /// The `n`-th call from now has its effect, once, and fails after it; zero is never.
    pub fn lose_answer(&self, n: u64) {
        self.loses.store(n, Ordering::SeqCst);
    }

    /// The `n`-th call from now and all that follow fail, as after a crash; zero is never.
    pub fn take_down_at(&self, n: u64) {
        self.goes_down.store(n, Ordering::SeqCst);
    }

    /// Whether this call is the one that is counted down to.
    fn reached(countdown: &AtomicU64) -> bool {
        let last = countdown.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        last == Ok(1)
    }

    /// Fails before the call, or says whether its answer gets lost.
    fn strike(&self) -> Result<Answer, DepotError> {
        if Self::reached(&self.goes_down) {
            self.take_down();
        }
        let fails = Self::reached(&self.fails);
        let lost = Self::reached(&self.loses);
        if fails || self.down.load(Ordering::SeqCst) {
            Err(on_demand())
        } else if lost {
            Ok(Answer::Lost)
        } else {
            Ok(Answer::Given)
        }
    }
}

#[derive(Clone, Copy)]
enum Answer {
    Given,
    Lost,
}

impl Answer {
    fn of<T>(self, outcome: Result<T, DepotError>) -> Result<T, DepotError> {
        match self {
            Self::Given => outcome,
            Self::Lost => Err(on_demand()),
        }
    }
}

fn on_demand() -> DepotError {
    DepotError::Unavailable("a fault on demand".into())
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
            let answer = self.faults.strike()?;
            answer.of(self.inner.create(key, body).await)
        })
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Bytes, DepotError>> {
        Box::pin(async move {
            let answer = self.faults.strike()?;
            answer.of(self.inner.read(key, range).await)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, DepotError>> {
        Box::pin(async move {
            let answer = self.faults.strike()?;
            answer.of(self.inner.list(prefix).await)
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), DepotError>> {
        Box::pin(async move {
            let answer = self.faults.strike()?;
            answer.of(self.inner.delete(keys).await)
        })
    }
}
