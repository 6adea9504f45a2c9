//! The log behind one trait, and its implementations.

pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sql;

use std::fmt::Debug;
use std::ops::Range;

use covenant_core::digest::Digest;
use covenant_core::{BoxFuture, EventId, LogId};

use crate::error::LogError;
use crate::fold::{Fold, FoldError};
use crate::leaf::Leaf;
use crate::merkle::TreeHead;

/// Most leaves that one call of [`AuditLog::read`] returns: a bound of ours on memory.
pub const READ_LEN_MAX: u64 = 4_096;

/// Where a leaf stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafRef {
    /// The log.
    pub log: LogId,
    /// Number of the leaf, from 0.
    pub index: u64,
}

/// One leaf of a log, as it was sequenced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Number of the leaf, from 0.
    pub index: u64,
    /// Its hash in the tree.
    pub hash: Digest,
    /// What it says.
    pub leaf: Leaf,
}

/// A set of append-only logs.
///
/// # Contract
/// A log never loses, changes or reorders a leaf; `head` is durable when it is returned, and of two
/// heads of one log the smaller is a prefix of the larger. An event stands in a log at most once. A
/// log that was never written to is empty. `fold` trusts nothing but leaf bytes: it reads and hashes
/// every leaf from `since` on.
///
/// # Errors
/// [`LogError`], [`FoldError`]; nothing is changed by any of these calls.
///
/// # Implementing
/// Run the suite in `testing` (feature `testing`); [`memory::MemoryLog`] is the model.
pub trait AuditLog: Debug + Send + Sync {
    /// Where an event stands.
    fn sequenced(&self, event: EventId) -> BoxFuture<'_, Result<LeafRef, LogError>>;
    /// Size and root, durable: what a snapshot stores.
    fn head(&self, log: LogId) -> BoxFuture<'_, Result<TreeHead, LogError>>;
    /// The leaves in this range, at most the first [`READ_LEN_MAX`] of them.
    fn read(&self, log: LogId, range: Range<u64>) -> BoxFuture<'_, Result<Vec<Entry>, LogError>>;
    /// What became of every item of the ledger since a head, proven to lead to the present head and
    /// through every `known` one.
    fn fold<'a>(
        &'a self,
        log: LogId,
        since: TreeHead,
        known: &'a [TreeHead],
    ) -> BoxFuture<'a, Result<Fold, FoldError>>;
}

/// All leaves of a log from this number on.
///
/// # Errors
/// Those of [`AuditLog::read`].
pub async fn entries_from(
    audit: &dyn AuditLog,
    log: LogId,
    from: u64,
) -> Result<Vec<Entry>, LogError> {
    let size = audit.head(log).await?.size;
    let mut entries: Vec<Entry> = Vec::new();
    let mut at = from;
    while at < size {
        let part = audit.read(log, at..size).await?;
        let Some(last) = part.last() else { break };
        at = last.index.saturating_add(1);
        entries.extend(part);
    }
    Ok(entries)
}
