//! Copies of KEKs away from the machine, so that a lost machine is not a lost key: made before a
//! KEK first wraps, gone when it is destroyed.

use std::fmt::Debug;

use covenant_core::{BoxFuture, KeyId};

use crate::backend::Presence;

/// Escrow is out of reach.
#[derive(Debug, thiserror::Error)]
#[error("escrow of keys is not available")]
pub struct EscrowError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// An answer of an escrow, later.
pub type EscrowFuture<'a, T> = BoxFuture<'a, Result<T, EscrowError>>;

/// Keeps copies of KEKs at other sites.
///
/// # Contract
/// `deposit` returns once every site holds the KEK, and may be repeated. After `remove` returned no
/// site holds it; removing what is not there succeeds. `probe` says whether any site may hold it.
///
/// # Errors
/// [`EscrowError`]: of `deposit`, the KEK is not used; of `remove`, the KEK is gone from its
/// backend, the date of its end stays unknown, and the removal is tried again.
///
/// # Implementing
/// The assembly, which reads KEKs out of its backend and seals them for the sites. A module that
/// lets no key out keeps copies by itself; its date is then attested.
pub trait Escrow: Debug + Send + Sync {
    /// Deposits the KEK at every site.
    fn deposit(&self, kek: KeyId) -> EscrowFuture<'_, ()>;
    /// Removes it from every site.
    fn remove(&self, kek: KeyId) -> EscrowFuture<'_, ()>;
    /// Whether a site holds it.
    fn probe(&self, kek: KeyId) -> EscrowFuture<'_, Presence>;
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
}
