//! A ledger in memory: the model of all others, and enough for tests and small tools.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use covenant_core::digest::Digest;
use covenant_core::{Action, BoxFuture, EventId, TenantId};
use time::UtcDateTime;

use super::entry::{chain, empty_root};
use super::{Entry, Head, Ledger, LedgerError, LedgerKey};
use crate::Hold;

/// A ledger in memory. Its root is a chain of digests over its entries; the empty one is SHA-256 of
/// the name of the format.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    logs: Mutex<BTreeMap<TenantId, Log>>,
}

#[derive(Debug)]
struct Log {
    entries: Vec<Entry>,
    /// The root at each size, one more than there are entries.
    roots: Vec<Digest>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            roots: vec![empty_root()],
        }
    }
}

impl MemoryLedger {
    /// A ledger without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a fact and returns the head after it.
    pub fn append(
        &self,
        tenant: TenantId,
        event: EventId,
        at: UtcDateTime,
        action: Action,
        key: LedgerKey,
    ) -> Head {
        self.push(tenant, |seq| Entry {
            seq,
            event,
            at,
            action,
            key,
            hold: None,
        })
    }

    /// Appends a part of a hold that was placed or extended, and returns the head after it.
    pub fn append_hold(&self, part: &Hold, event: EventId, at: UtcDateTime) -> Head {
        self.push(part.tenant, |seq| Entry {
            seq,
            event,
            at,
            action: Action::HoldPlaced,
            key: LedgerKey::Hold(part.id),
            hold: Some(part.clone()),
        })
    }

    fn push(&self, tenant: TenantId, entry: impl FnOnce(u64) -> Entry) -> Head {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs.entry(tenant).or_default();
        let seq = u64::try_from(log.entries.len()).unwrap_or(u64::MAX);
        let entry = entry(seq);
        let before = log.roots.last().copied().unwrap_or_else(empty_root);
        log.roots.push(chain(&before, &entry));
        log.entries.push(entry);
        log.head()
    }

    /// The head now.
    #[must_use]
    pub fn head(&self, tenant: TenantId) -> Head {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.get(&tenant)
            .map_or_else(|| Log::default().head(), Log::head)
    }

    /// Forgets every entry from this position on, as a rolled-back store does; for tests of what
    /// must then be refused.
    pub fn truncate(&self, tenant: TenantId, size: usize) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = logs.get_mut(&tenant) {
            log.entries.truncate(size);
            log.roots.truncate(size.saturating_add(1));
        }
    }

    fn read(
        &self,
        tenant: TenantId,
        from: Head,
        newest: &[Head],
    ) -> Result<Vec<Entry>, LedgerError> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = Log::default();
        let log = logs.get(&tenant).unwrap_or(&empty);
        for head in newest.iter().chain([&from]) {
            let root = usize::try_from(head.size)
                .ok()
                .and_then(|size| log.roots.get(size));
            if root != Some(&head.root) {
                return Err(LedgerError::Behind { size: head.size });
            }
        }
        let skip = usize::try_from(from.size).unwrap_or(usize::MAX);
        Ok(log.entries.iter().skip(skip).cloned().collect())
    }
}

impl Ledger for MemoryLedger {
    fn since<'a>(
        &'a self,
        tenant: TenantId,
        from: Head,
        newest: &'a [Head],
    ) -> BoxFuture<'a, Result<Vec<Entry>, LedgerError>> {
        Box::pin(std::future::ready(self.read(tenant, from, newest)))
    }
}

impl Log {
    fn head(&self) -> Head {
        let size = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        Head {
            size,
            root: self
                .roots
                .last()
                .copied()
                .unwrap_or(Digest::from_bytes([0; 32])),
        }
    }
}
