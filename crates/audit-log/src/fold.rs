//! The ledger of erasures as a view of the log: the last state of every item and of the database
//! since a head. What a restore must do again before it may open.

use std::collections::BTreeMap;

use covenant_core::{EventId, ItemId, LogId, Outcome};
use time::UtcDateTime;

use crate::action::{self, Effect};
use crate::error::LogError;
use crate::leaf::{Leaf, LeafDatum};
use crate::merkle::{Edge, TreeHead, leaf_hash};

/// What a state is the state of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LedgerKey {
    /// The tenant's database as a whole.
    Database,
    /// One item.
    Item {
        /// Its table, or its kind where there is no table.
        table: String,
        /// Its id.
        id: ItemId,
    },
    /// A hold: a part of it as it was last placed, or its release.
    Hold {
        /// Its id.
        id: ItemId,
        /// The number of the part; `None` for the release.
        part: Option<u64>,
    },
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LedgerState {
    /// In use.
    Live,
    /// An item in the bin.
    Hidden,
    /// A database deleted and not yet purged.
    Deleted,
    /// Gone from the live stores; of an item, for good.
    Purged,
    /// A hold that was placed.
    Held,
    /// A hold that was released.
    Free,
}

/// The last state, and the leaf that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastState {
    /// What became of it.
    pub state: LedgerState,
    /// When it happened.
    pub at: UtcDateTime,
    /// Number of the leaf.
    pub index: u64,
    /// The event.
    pub event: EventId,
    /// Values of the action's own schema.
    pub data: BTreeMap<String, LeafDatum>,
}

/// All that happened to the ledger between two heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The head it starts from: leaves below are not in it.
    pub from: TreeHead,
    /// The head it leads to.
    pub to: TreeHead,
    /// The last state of everything that changed.
    pub last: BTreeMap<LedgerKey, LastState>,
}

/// There is no trustworthy fold. Each of these keeps a restore shut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// The log ends before a head that is known: an older copy of it.
    #[error("log {log} has {size} leaves, and {known} are known")]
    Behind {
        /// The log.
        log: LogId,
        /// Its size.
        size: u64,
        /// The size that is known.
        known: u64,
    },
    /// The log has another past than a head that is known.
    #[error("log {log} is not the one whose head at {size} is known")]
    Forked {
        /// The log.
        log: LogId,
        /// Size at which the roots differ.
        size: u64,
    },
    /// No head from outside the store was given: nothing shows that this log is the newest.
    #[error("no head of log {0} is known from outside")]
    NoOutsideHead(LogId),
    /// Events of this log are committed and not sequenced.
    #[error("log {0} has events that are not sequenced")]
    NotDrained(LogId),
    /// The log did not answer.
    #[error("the log cannot be read")]
    Store(#[from] LogError),
}

/// Refuses what can be refused before any leaf is read.
pub(crate) fn check_bounds(
    log: LogId,
    size: u64,
    since: TreeHead,
    known: &[TreeHead],
) -> Result<(), FoldError> {
    if known.is_empty() {
        return Err(FoldError::NoOutsideHead(log));
    }
    match known.iter().map(|head| head.size).chain([since.size]).max() {
        Some(known) if known > size => Err(FoldError::Behind { log, size, known }),
        _ => Ok(()),
    }
}

/// Refuses a known head that is not the log's own at its size.
pub(crate) fn check_same(log: LogId, known: TreeHead, own: TreeHead) -> Result<(), FoldError> {
    if known == own {
        Ok(())
    } else {
        Err(FoldError::Forked {
            log,
            size: known.size,
        })
    }
}

/// A fold in the making.
#[derive(Debug)]
pub(crate) struct Folder<'a> {
    log: LogId,
    since: TreeHead,
    known: &'a [TreeHead],
    edge: Edge,
    last: BTreeMap<LedgerKey, LastState>,
}

impl<'a> Folder<'a> {
    /// Starts at the log's own edge at `since.size`, which must give `since.root`.
    pub(crate) fn new(
        log: LogId,
        edge: Edge,
        since: TreeHead,
        known: &'a [TreeHead],
    ) -> Result<Self, FoldError> {
        check_same(log, since, edge.head())?;
        Ok(Self {
            log,
            since,
            known,
            edge,
            last: BTreeMap::new(),
        })
    }

    /// Takes the next leaf.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), FoldError> {
        let index = self.edge.size();
        self.edge.push(leaf_hash(bytes), |_, _| ());
        for known in self
            .known
            .iter()
            .filter(|known| known.size == self.edge.size())
        {
            check_same(self.log, *known, self.edge.head())?;
        }
        let leaf = Leaf::decode(bytes).ok().filter(|leaf| leaf.log == self.log);
        let leaf = leaf.ok_or(LogError::Damaged {
            log: self.log,
            index,
            source: None,
        })?;
        if let Some((key, state)) = effect_of(&leaf) {
            self.apply(key, state, index, leaf);
        }
        Ok(())
    }

    /// Ends at the log's head.
    pub(crate) fn finish(self, head: TreeHead) -> Result<Fold, FoldError> {
        check_same(self.log, head, self.edge.head())?;
        Ok(Fold {
            from: self.since,
            to: head,
            last: self.last,
        })
    }

    fn apply(&mut self, key: LedgerKey, state: LedgerState, index: u64, leaf: Leaf) {
        let item = matches!(key, LedgerKey::Item { .. });
        let gone = self
            .last
            .get(&key)
            .is_some_and(|last| last.state == LedgerState::Purged);
        if item && gone {
            return;
        }
        let Leaf {
            at, event, data, ..
        } = leaf;
        self.last.insert(
            key,
            LastState {
                state,
                at,
                index,
                event,
                data,
            },
        );
    }
}

fn effect_of(leaf: &Leaf) -> Option<(LedgerKey, LedgerState)> {
    if leaf.outcome != Outcome::Ok {
        return None;
    }
    let item = || {
        let table = leaf
            .target
            .table
            .as_ref()
            .unwrap_or(&leaf.target.kind)
            .clone();
        Some(LedgerKey::Item {
            table,
            id: leaf.target.id.clone()?,
        })
    };
    Some(match action::settings(leaf.action)?.effect()? {
        Effect::Hidden => (item()?, LedgerState::Hidden),
        Effect::Live => (item()?, LedgerState::Live),
        Effect::Purged => (item()?, LedgerState::Purged),
        Effect::DatabaseDeleted => (LedgerKey::Database, LedgerState::Deleted),
        Effect::DatabaseLive => (LedgerKey::Database, LedgerState::Live),
        Effect::DatabasePurged => (LedgerKey::Database, LedgerState::Purged),
        Effect::Held => {
            let part = leaf.data.get("part").and_then(LeafDatum::count);
            let part = Some(part.unwrap_or(0));
            let id = leaf.target.id.clone()?;
            (LedgerKey::Hold { id, part }, LedgerState::Held)
        }
        Effect::Free => {
            let id = leaf.target.id.clone()?;
            (LedgerKey::Hold { id, part: None }, LedgerState::Free)
        }
    })
}
