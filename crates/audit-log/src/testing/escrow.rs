//! A sealer that keeps the plaintexts itself and hands out tickets.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use covenant_core::digest::Digest;
use covenant_core::sealer::{
    DestroyError, DestroyOrder, Destroyed, OpenError, Owner, Place, SealError,
};
use covenant_core::{BoxFuture, KeyId, Sealer, Secret};

/// Keeps plaintexts in memory; what it hands out is a ticket bound to the place, which tells nothing
/// of the plaintext. It has no keys, hence none of data subjects.
#[derive(Debug, Default)]
pub struct EscrowSealer {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    plain: BTreeMap<Digest, Vec<u8>>,
    dead: Vec<Owner>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("sealed", &self.plain.len())
            .finish_non_exhaustive()
    }
}

impl EscrowSealer {
    /// A sealer that has sealed nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on nothing is sealed or opened for this owner, as after its keys were destroyed.
    pub fn forget(&self, owner: Owner) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.dead.push(owner);
    }
}

impl Sealer for EscrowSealer {
    fn subject_keys(&self) -> bool {
        false
    }

    fn seal<'a>(
        &'a self,
        place: &'a Place,
        plain: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.dead.contains(&place.owner()) {
                return Err(SealError::Key("destroyed"));
            }
            let number = u64::try_from(kept.plain.len())
                .unwrap_or(u64::MAX)
                .to_be_bytes();
            let ticket = ticket(place, &number);
            kept.plain.insert(ticket, plain.to_vec());
            Ok(number.iter().chain(ticket.as_bytes()).copied().collect())
        })
    }

    fn open<'a>(
        &'a self,
        place: &'a Place,
        sealed: &'a [u8],
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, OpenError>> {
        Box::pin(async move {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.dead.contains(&place.owner()) {
                return Err(OpenError::Key("destroyed"));
            }
            let (number, rest) = sealed.split_at_checked(8).ok_or(OpenError::NotAuthentic)?;
            let ticket = ticket(place, number);
            match kept.plain.get(&ticket) {
                Some(plain) if rest == ticket.as_bytes() => Ok(Secret::new(plain.clone())),
                _ => Err(OpenError::NotAuthentic),
            }
        })
    }

    fn destroy<'a>(
        &'a self,
        _: &'a DestroyOrder,
    ) -> BoxFuture<'a, Result<Destroyed, DestroyError>> {
        Box::pin(async { Err(DestroyError::NoSubjectKeys) })
    }
}

fn ticket(place: &Place, number: &[u8]) -> Digest {
    let context = place.context(KeyId::from_bytes([0; 16]));
    Digest::of(&[context.as_slice(), number].concat())
}
