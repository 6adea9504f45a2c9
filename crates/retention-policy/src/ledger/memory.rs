//! A ledger in memory: the model of all others, and enough for tests and small tools.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use covenant_core::digest::Digest;
use covenant_core::{Action, BoxFuture, EventId, TenantId, canon};
use time::UtcDateTime;

use super::{Entry, Head, Ledger, LedgerError, LedgerKey};

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
            roots: vec![Digest::of(b"covenant/ledger/v0")],
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
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs.entry(tenant).or_default();
        let seq = u64::try_from(log.entries.len()).unwrap_or(u64::MAX);
        let entry = Entry {
            seq,
            event,
            at,
            action,
            key,
        };
        let root = chain(log.roots.last(), &entry);
        log.roots.push(root);
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

fn chain(before: Option<&Digest>, entry: &Entry) -> Digest {
    let Entry {
        seq,
        event,
        at,
        action,
        key,
    } = entry;
    let mut w = canon::Writer::new();
    w.fixed(before.map_or(&[0; 32], |root| root.as_bytes()).as_slice())
        .u64(*seq)
        .fixed(event.as_bytes());
    w.instant(*at).text(action.name());
    match key {
        LedgerKey::Database => w.u8(0),
        LedgerKey::Item { class, id } => w.u8(1).text(class).bytes(id.as_bytes()),
    };
    Digest::of(&w.finish())
}
