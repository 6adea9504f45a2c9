//! Object stores: one that keeps old versions, or locks objects, gives back after a deletion what was
//! deleted. Clients of object stores cannot list or delete versions, nor see a lock; so a store is
//! asked at start-up, by what it does.

use std::fmt::Debug;

use covenant_core::BoxFuture;

use crate::apply::FlushError;

/// What a probe writes first; then it writes something else, and deletes.
const FIRST: &[u8] = b"covenant version probe, first";
const SECOND: &[u8] = b"covenant version probe, second";

/// A bucket, as far as the probe needs it: one scratch object that nobody else uses.
///
/// # Contract
/// Calls are carried out in the store itself, not in a cache.
///
/// # Errors
/// [`FlushError::Unavailable`]; the bucket is then not admitted.
///
/// # Implementing
/// `put` returns the version that the store names, if it names one. `get` reads the object, or that
/// version of it; an object or version that is not there is `None`. On `object_store` these are
/// `PutResult::version` and `GetOptions::version`.
pub trait Scratch: Debug + Send + Sync {
    /// Writes the object, over what is there.
    fn put<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<Option<String>, FlushError>>;
    /// Reads the object, or a version of it.
    fn get<'a>(
        &'a self,
        version: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, FlushError>>;
    /// Deletes the object; one that is not there is no error.
    fn delete(&self) -> BoxFuture<'_, Result<(), FlushError>>;
}

/// What a bucket does with what was overwritten or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keeps {
    /// Nothing, as far as a client can see.
    Nothing,
    /// It is still read after its deletion, or cannot be deleted at all.
    Deleted,
    /// The store names versions and does not give old ones to this client: others may read them.
    Hidden,
}

/// Under what the objects of a class lie in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "every object is, or not every one")]
pub enum Sealing {
    /// Every object there is sealed under a key that we destroy: what stays cannot be opened.
    EveryObject,
    /// Some object is not.
    NotEvery,
}

/// A bucket is not fit for what is promised to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bucket keeps deleted objects: switch versions and locks off, or seal every object")]
pub struct BucketRefused;

/// Whether a class that must be deletable may lie in such a bucket.
///
/// # Errors
/// [`BucketRefused`] for a bucket that keeps anything, unless every object is sealed under a key
/// that dies.
// clause: P-52, P-59, Q-25
pub const fn admit(keeps: Keeps, sealing: Sealing) -> Result<(), BucketRefused> {
    match (keeps, sealing) {
        (Keeps::Nothing, _) | (Keeps::Deleted | Keeps::Hidden, Sealing::EveryObject) => Ok(()),
        (Keeps::Deleted | Keeps::Hidden, Sealing::NotEvery) => Err(BucketRefused),
    }
}

/// Writes an object twice, deletes it, and asks for every version that the store has named.
///
/// # Errors
/// [`FlushError`] when the store fails or does not hold what was written; nothing is known then.
pub async fn probe(scratch: &dyn Scratch) -> Result<Keeps, FlushError> {
    let first = scratch.put(FIRST).await?;
    let second = scratch.put(SECOND).await?;
    if scratch.get(None).await?.as_deref() != Some(SECOND) {
        return Err(FlushError::Unavailable(Box::new(Forgetful)));
    }
    scratch.delete().await?;
    if scratch.get(None).await?.is_some() {
        return Ok(Keeps::Deleted);
    }
    let mut keeps = Keeps::Nothing;
    for version in [first, second].into_iter().flatten() {
        if scratch.get(Some(&version)).await?.is_some() {
            return Ok(Keeps::Deleted);
        }
        keeps = Keeps::Hidden;
    }
    Ok(keeps)
}

#[derive(Debug, thiserror::Error)]
#[error("the object store does not return what was written")]
struct Forgetful;
