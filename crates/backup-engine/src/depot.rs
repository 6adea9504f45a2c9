//! A depot: where backups lie. Durable create, durable delete, and nothing is ever overwritten.

mod memory;
mod objects;

use std::fmt::Debug;
use std::ops::Range;

use bytes::Bytes;
use covenant_core::{BoxFuture, Region};

pub use memory::MemoryDepot;
pub use objects::{Fsync, ObjectDepot};

/// Outcome of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller must tell all three apart"
)]
pub enum Created {
    /// It was not there, and is now, durably.
    New,
    /// The same bytes were there already, durably: an earlier try of ours succeeded.
    AlreadyMine,
    /// Other bytes were there first.
    TakenBy(Bytes),
}

/// A depot failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DepotError {
    /// No object of that key.
    #[error("no object {0}")]
    Missing(String),
    /// The depot cannot be used now; whether anything changed is not known.
    #[error("the depot is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a depot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepotFacts {
    /// Where it is; compared with the tenant's region.
    pub region: Region,
}

/// Where backups lie.
///
/// # Contract
/// `create` returns when the object is durable, and never overwrites. `delete` returns when the
/// objects are durably gone and reading back says so; a missing one is no error. `list` returns
/// every key under the prefix, sorted, and nothing that was never created. A range gives the part of
/// it that the object has. Keys are those of
/// [`crate::layout`].
///
/// # Errors
/// [`DepotError`]; after `Unavailable` the caller repeats the call, or reads back, before it concludes
/// anything.
///
/// # Implementing
/// Run `testing::depot_suite`.
pub trait Depot: Debug + Send + Sync {
    /// What it is.
    fn facts(&self) -> DepotFacts;
    /// Creates an object.
    fn create<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
    ) -> BoxFuture<'a, Result<Created, DepotError>>;
    /// Reads an object, or a range of its bytes.
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Bytes, DepotError>>;
    /// Lists keys.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, DepotError>>;
    /// Deletes objects.
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), DepotError>>;
}
