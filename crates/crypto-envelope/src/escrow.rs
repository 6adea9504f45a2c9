//! Copies of KEKs away from the machine, so that a lost machine is not a lost key: made before a
//! KEK first wraps, gone when it is destroyed.

#[cfg(feature = "object-store")]
mod objects;
#[cfg(feature = "object-store")]
mod restore;

use std::fmt::Debug;

use covenant_core::{BoxFuture, KeyId};
use time::Duration;

use crate::backend::Presence;

#[cfg(feature = "object-store")]
pub use objects::{ESCROWED_LEN_BYTES, ObjectEscrow};
#[cfg(feature = "object-store")]
pub use restore::RestoredKeks;

/// Escrow is out of reach.
#[derive(Debug, thiserror::Error)]
#[error("escrow of keys is not available")]
pub struct EscrowError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl EscrowError {
    #[cfg(feature = "object-store")]
    fn of(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// An answer of an escrow, later.
pub type EscrowFuture<'a, T> = BoxFuture<'a, Result<T, EscrowError>>;

/// In whose reach the copies of KEKs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "dates are computed from each of these"
)]
pub enum Reach {
    /// There are no copies.
    NoCopies,
    /// Every copy is made and removed here: while its KEK lives it is there.
    Ours,
    /// A module keeps copies by itself; the operator attests that a destroyed KEK has left all of
    /// them so long after.
    Attested(Duration),
    /// Somebody keeps copies, and nobody says for how long: no date can be given.
    Unknown,
}

/// Keeps copies of KEKs at other sites.
///
/// # Contract
/// `deposit` returns once every site holds the KEK, and may be repeated. After `remove` returned no
/// site holds it; removing what is not there succeeds. `probe` says whether any site may hold it;
/// while a KEK is deposited and not removed, it does. `reach` says the same for ever.
///
/// # Errors
/// [`EscrowError`]: of `deposit`, the KEK is not used; of `remove`, the KEK is gone from its
/// backend, the date of its end stays unknown, and the removal is tried again.
///
/// # Implementing
/// Run `testing::escrow_suite` (feature `testing`) against an implementation whose reach is
/// [`Reach::Ours`]. A module that lets no key out keeps copies by itself: [`ModuleReplica`].
pub trait Escrow: Debug + Send + Sync {
    /// Deposits the KEK at every site.
    fn deposit(&self, kek: KeyId) -> EscrowFuture<'_, ()>;
    /// Removes it from every site.
    fn remove(&self, kek: KeyId) -> EscrowFuture<'_, ()>;
    /// Whether a site holds it.
    fn probe(&self, kek: KeyId) -> EscrowFuture<'_, Presence>;
    /// In whose reach the copies are.
    fn reach(&self) -> Reach {
        Reach::Ours
    }
}

/// No escrow: a KEK that its backend loses is lost.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEscrow;

impl Escrow for NoEscrow {
    fn deposit(&self, _kek: KeyId) -> EscrowFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
    fn remove(&self, _kek: KeyId) -> EscrowFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
    fn probe(&self, _kek: KeyId) -> EscrowFuture<'_, Presence> {
        Box::pin(async { Ok(Presence::Absent) })
    }
    fn reach(&self) -> Reach {
        Reach::NoCopies
    }
}

/// The replica that a PKCS#11 module keeps by itself: nothing leaves it, so nothing is deposited,
/// and what the operator attests of its end is all that is known of it.
#[derive(Debug, Clone, Copy)]
pub struct ModuleReplica {
    gone_after: Option<Duration>,
}

impl ModuleReplica {
    /// A replica that drops a destroyed KEK so long after, as the operator attests.
    #[must_use]
    pub const fn attested(gone_after: Duration) -> Self {
        Self {
            gone_after: Some(gone_after),
        }
    }

    /// A replica of which nobody says when it drops a destroyed KEK: destruction goes on, and no
    /// date is given.
    #[must_use]
    pub const fn unattested() -> Self {
        Self { gone_after: None }
    }
}

impl Escrow for ModuleReplica {
    fn deposit(&self, _kek: KeyId) -> EscrowFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
    fn remove(&self, _kek: KeyId) -> EscrowFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
    fn probe(&self, _kek: KeyId) -> EscrowFuture<'_, Presence> {
        Box::pin(async { Ok(Presence::Absent) })
    }
    fn reach(&self) -> Reach {
        self.gone_after.map_or(Reach::Unknown, Reach::Attested)
    }
}
