//! An escrow that is wrong in one way.

use std::sync::Arc;

use covenant_core::KeyId;

use crate::backend::Presence;
use crate::escrow::{Escrow, EscrowFuture, Reach};

/// What is wrong with an [`UnsoundEscrow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EscrowFlaw {
    /// Nothing is deposited.
    DepositsNothing,
    /// What is removed stays, and is seen.
    Kept,
    /// What is removed stays, and the escrow says that it is gone.
    KeptAndDenied,
}

impl EscrowFlaw {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::DepositsNothing, Self::Kept, Self::KeptAndDenied];
}

/// An escrow that is wrong in one way.
#[derive(Debug)]
pub struct UnsoundEscrow {
    inner: Arc<dyn Escrow>,
    flaw: EscrowFlaw,
    denied: std::sync::Mutex<Vec<KeyId>>,
}

impl UnsoundEscrow {
    /// The escrow with the flaw.
    #[must_use]
    pub fn new(inner: Arc<dyn Escrow>, flaw: EscrowFlaw) -> Self {
        Self {
            inner,
            flaw,
            denied: std::sync::Mutex::default(),
        }
    }

    fn denied(&self) -> std::sync::MutexGuard<'_, Vec<KeyId>> {
        let denied = self.denied.lock();
        denied.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Escrow for UnsoundEscrow {
    fn deposit(&self, kek: KeyId) -> EscrowFuture<'_, ()> {
        match self.flaw {
            EscrowFlaw::DepositsNothing => Box::pin(async { Ok(()) }),
            EscrowFlaw::Kept | EscrowFlaw::KeptAndDenied => self.inner.deposit(kek),
        }
    }
    fn remove(&self, kek: KeyId) -> EscrowFuture<'_, ()> {
        match self.flaw {
            EscrowFlaw::DepositsNothing => self.inner.remove(kek),
            EscrowFlaw::Kept => Box::pin(async { Ok(()) }),
            EscrowFlaw::KeptAndDenied => {
                self.denied().push(kek);
                Box::pin(async { Ok(()) })
            }
        }
    }
    fn probe(&self, kek: KeyId) -> EscrowFuture<'_, Presence> {
        if self.denied().contains(&kek) {
            return Box::pin(async { Ok(Presence::Absent) });
        }
        self.inner.probe(kek)
    }
    fn reach(&self) -> Reach {
        self.inner.reach()
    }
}
