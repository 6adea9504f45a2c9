//! The erasure ledger: what was deleted, restored and purged since a copy was taken, and what that
//! means for the copy when it is restored.

use std::collections::BTreeMap;
use std::fmt::Debug;

use covenant_core::digest::Digest;
use covenant_core::{Action, BoxFuture, EventId, HoldId, ItemId, TenantId};
use time::UtcDateTime;

use crate::Hold;
use crate::hold::{HoldFact, HoldReplay};

pub(crate) mod entry;
#[cfg(feature = "digest")]
mod memory;
#[cfg(feature = "sql")]
pub mod sql;

pub use entry::EntryBytesError;

#[cfg(feature = "digest")]
pub use memory::MemoryLedger;
#[cfg(feature = "sql")]
pub use sql::SqlLedger;

/// A state of a tenant's log: how many entries, and the root over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// The root over the first `size` entries.
    pub root: Digest,
}

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LedgerKey {
    /// The tenant's whole database.
    Database,
    /// One item.
    Item {
        /// Its class.
        class: String,
        /// Its id.
        id: ItemId,
    },
    /// A hold.
    Hold(HoldId),
}

/// One fact of a tenant's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its position in the log, from 0.
    pub seq: u64,
    /// The event.
    pub event: EventId,
    /// When it happened.
    pub at: UtcDateTime,
    /// What happened.
    pub action: Action,
    /// To what.
    pub key: LedgerKey,
    /// Of a hold that was placed, or whose end was moved: a part of it.
    pub hold: Option<Hold>,
}

/// The ledger did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The log does not extend a head that is known: it was cut or replaced. The restore is
    /// refused.
    #[error("the log does not extend a known head of size {size}")]
    Behind {
        /// Size of that head.
        size: u64,
    },
    /// The log cannot be read.
    #[error("the log is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Reads a tenant's deletions; writing is the event sink's, in the business transaction.
///
/// # Contract
/// `since` returns every entry from position `from.size` on, in order, or fails. It fails with
/// [`LedgerError::Behind`] unless the log extends `from` and every head in `newest`: a log that
/// cannot prove that it is current must not let a copy be read.
///
/// # Errors
/// [`LedgerError`].
pub trait Ledger: Debug + Send + Sync {
    /// The entries since the head.
    fn since<'a>(
        &'a self,
        tenant: TenantId,
        from: Head,
        newest: &'a [Head],
    ) -> BoxFuture<'a, Result<Vec<Entry>, LedgerError>>;
}

/// What becomes of an item of a restored copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a restore must consider every case"
)]
pub enum ItemFate {
    /// It stays, and leaves the bin if the copy has it there.
    Live,
    /// It goes to the bin, with its own date.
    Binned {
        /// When it was deleted.
        deleted_at: UtcDateTime,
    },
    /// It is removed.
    Purged {
        /// When it was purged.
        at: UtcDateTime,
    },
}

/// What became of the database since the copy was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a restore must consider every case"
)]
pub enum DatabaseFate {
    /// Deleted or purged: the copy may not be opened.
    Deleted {
        /// When.
        at: UtcDateTime,
    },
    /// Restored later by order: the copy may be opened.
    Restored {
        /// When it was ordered.
        at: UtcDateTime,
    },
}

/// What to do with a restored copy before anybody reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayPlan {
    /// Every item of which something happened; all others stay as they are.
    pub items: BTreeMap<(String, ItemId), ItemFate>,
    /// What became of the whole database.
    pub database: Option<DatabaseFate>,
    /// What happened to holds; taken over before anything else.
    pub holds: HoldReplay,
    /// Erasures, each of which runs again; who cannot run them must refuse the restore.
    pub erasures: Vec<Entry>,
}

impl ReplayPlan {
    /// Whether the copy may be opened at all.
    #[must_use]
    pub const fn may_open(&self) -> bool {
        !matches!(self.database, Some(DatabaseFate::Deleted { .. }))
    }
}

/// Folds the entries since a copy was taken, in order of their positions, to the last state of each
/// item: what was restored from the bin stays, what was deleted is binned with its own date. A purge
/// stands whatever follows, because the copy holds the bytes from before it; an item that was made
/// anew under the same id afterwards is not in the copy.
// clause: P-51, P-52, P-58
#[must_use]
pub fn replay(entries: &[Entry]) -> ReplayPlan {
    let mut ordered: Vec<&Entry> = entries.iter().collect();
    ordered.sort_by_key(|entry| entry.seq);
    let mut plan = ReplayPlan::default();
    let mut holds = Vec::new();
    for entry in ordered {
        let Entry {
            seq: _,
            event: _,
            at,
            action,
            key,
            hold,
        } = entry;
        match key {
            LedgerKey::Hold(id) => match (action, hold) {
                (Action::HoldPlaced, Some(part)) => holds.push(HoldFact::Placed(part.clone())),
                (Action::HoldReleased, _) => holds.push(HoldFact::Released { id: *id, at: *at }),
                _ => {}
            },
            LedgerKey::Database => fold_database(&mut plan, entry),
            LedgerKey::Item { class, id } => {
                let key = (class.clone(), id.clone());
                let purged = matches!(plan.items.get(&key), Some(ItemFate::Purged { .. }));
                let fate = match action {
                    Action::RecordDeleted => ItemFate::Binned { deleted_at: *at },
                    Action::RecordRestored => ItemFate::Live,
                    Action::RecordManualPurge | Action::RecordPurged => {
                        ItemFate::Purged { at: *at }
                    }
                    _ => {
                        fold_other(&mut plan, entry);
                        continue;
                    }
                };
                if !purged {
                    plan.items.insert(key, fate);
                }
            }
        }
    }
    plan.holds = HoldReplay::of(holds);
    plan
}

fn fold_database(plan: &mut ReplayPlan, entry: &Entry) {
    let at = entry.at;
    match entry.action {
        Action::DatabaseDeleted | Action::DatabasePurged => {
            plan.database = Some(DatabaseFate::Deleted { at });
        }
        Action::DatabaseRestored => plan.database = Some(DatabaseFate::Restored { at }),
        _ => fold_other(plan, entry),
    }
}

fn fold_other(plan: &mut ReplayPlan, entry: &Entry) {
    if matches!(
        entry.action,
        Action::ErasureRequested | Action::ErasureApplied | Action::ErasureCompleted
    ) {
        plan.erasures.push(entry.clone());
    }
}
