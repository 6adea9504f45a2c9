//! Logs in memory: the model that every other store is compared with.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use covenant_core::{
    BoxFuture, Clock, EventId, Id, LogId, OutboxError, OutboxRow, OutboxTx, Random, SinkError,
    TxTag, TxnId,
};
use time::UtcDateTime;

use super::{AuditLog, Entry, LeafRef, READ_LEN_MAX};
use crate::error::LogError;
use crate::fold::{Fold, FoldError, Folder, check_bounds, check_same};
use crate::leaf::Leaf;
use crate::merkle::{Edge, MerkleTree, TreeHead, subtrees};
use crate::rfc3339;
use crate::sequencer::{Drained, QuarantineReason, Serves, Stamped, quarantine_leaf, stamp};
use crate::sink::{Inbox, unavailable};

/// Logs in memory, with an outbox of their own.
#[derive(Debug)]
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    state: Mutex<State>,
}

/// A transaction that records into the outbox of a [`MemoryLog`]; dropped, it leaves nothing.
#[derive(Debug)]
pub struct MemoryTx<'a> {
    log: &'a MemoryLog,
    tag: TxTag,
    rows: Vec<Pending>,
}

#[derive(Debug, Default)]
struct State {
    outbox: Vec<Pending>,
    logs: BTreeMap<LogId, Log>,
    places: BTreeMap<EventId, LeafRef>,
}

#[derive(Debug, Default)]
struct Log {
    tree: MerkleTree,
    leaves: Vec<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Pending {
    row: OutboxRow,
    recorded_at: UtcDateTime,
    txn: TxnId,
    serves: Serves,
}

impl MemoryLog {
    /// Logs without leaves.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            clock,
            random,
            state: Mutex::default(),
        }
    }

    /// Opens a transaction with an outbox.
    #[must_use]
    pub const fn begin(&self, tag: TxTag) -> MemoryTx<'_> {
        MemoryTx {
            log: self,
            tag,
            rows: Vec::new(),
        }
    }

    /// Moves everything committed into the logs.
    pub fn drain(&self) -> Drained {
        let mut state = self.state();
        let mut rows = std::mem::take(&mut state.outbox);
        rows.sort_by_key(|pending| (pending.recorded_at, pending.row.event));
        let mut drained = Drained::default();
        for pending in rows {
            state.sequence(&pending, &mut drained);
        }
        drained
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryTx<'_> {
    /// Commits: what was recorded will be sequenced.
    pub fn commit(self) {
        self.log.state().outbox.extend(self.rows);
    }
}

impl OutboxTx for MemoryTx<'_> {
    fn tag(&self) -> TxTag {
        self.tag
    }

    fn put(&mut self, row: OutboxRow) -> BoxFuture<'_, Result<(), OutboxError>> {
        Box::pin(async move {
            if row.leaf.len() > covenant_core::outbox::LEAF_LEN_BYTES_MAX {
                return Err(OutboxError::TooLarge);
            }
            let state = self.log.state();
            let mut waiting = state.outbox.iter().chain(&self.rows);
            if waiting.any(|pending| pending.row.event == row.event) {
                return Err(OutboxError::Store(
                    "the event is already in the outbox".into(),
                ));
            }
            drop(state);
            let recorded_at = rfc3339::to_micros(self.log.clock.now());
            let serves = self.tag.tenant.map_or(Serves::All, Serves::Tenant);
            self.rows.push(Pending {
                row,
                recorded_at,
                txn: self.tag.txn,
                serves,
            });
            Ok(())
        })
    }
}

impl Inbox for MemoryLog {
    fn accept(&self, row: OutboxRow) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            let txn = Id::mint(&*self.clock, &*self.random).map_err(unavailable)?;
            let recorded_at = rfc3339::to_micros(self.clock.now());
            let mut state = self.state();
            let known = state.leaf_of(row.log, row.event);
            match known {
                Some(known) => absorb(&known, &row),
                None => {
                    let serves = Serves::All;
                    state.outbox.push(Pending {
                        row,
                        recorded_at,
                        txn,
                        serves,
                    });
                    Ok(())
                }
            }
        })
    }
}

/// Whether a row states what is already known under its id.
pub(crate) fn absorb(known: &[u8], row: &OutboxRow) -> Result<(), SinkError> {
    let taken = SinkError::Taken(row.event);
    let (Ok(known), Ok(new)) = (Leaf::decode(known), Leaf::decode(&row.leaf)) else {
        return Err(taken);
    };
    if known.same_fact(&new) {
        Ok(())
    } else {
        Err(taken)
    }
}

impl AuditLog for MemoryLog {
    fn sequenced(&self, event: EventId) -> BoxFuture<'_, Result<LeafRef, LogError>> {
        let found = self.state().places.get(&event).copied();
        Box::pin(async move { found.ok_or(LogError::NotSequenced(event)) })
    }

    fn head(&self, log: LogId) -> BoxFuture<'_, Result<TreeHead, LogError>> {
        let head = self.state().logs.get(&log).map(|log| log.tree.head());
        Box::pin(async move { Ok(head.unwrap_or_else(TreeHead::empty)) })
    }

    fn read(&self, log: LogId, range: Range<u64>) -> BoxFuture<'_, Result<Vec<Entry>, LogError>> {
        Box::pin(async move {
            let state = self.state();
            let leaves = state.logs.get(&log).map_or(&[][..], |log| &log.leaves);
            let size = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
            if range.start > size {
                return Err(LogError::OutOfRange { log, size });
            }
            let to = range
                .end
                .min(size)
                .min(range.start.saturating_add(READ_LEN_MAX));
            (range.start..to)
                .map(|index| entry(log, index, leaves))
                .collect()
        })
    }

    fn fold<'a>(
        &'a self,
        log: LogId,
        since: TreeHead,
        known: &'a [TreeHead],
    ) -> BoxFuture<'a, Result<Fold, FoldError>> {
        Box::pin(async move {
            let state = self.state();
            if state.outbox.iter().any(|pending| pending.row.log == log) {
                return Err(FoldError::NotDrained(log));
            }
            let none = Log::default();
            state
                .logs
                .get(&log)
                .unwrap_or(&none)
                .fold(log, since, known)
        })
    }
}

impl Log {
    fn fold(&self, log: LogId, since: TreeHead, known: &[TreeHead]) -> Result<Fold, FoldError> {
        check_bounds(log, self.tree.size(), since, known)?;
        for head in known {
            let own = self.tree.head_at(head.size).unwrap_or_else(TreeHead::empty);
            check_same(log, *head, own)?;
        }
        let damaged = || LogError::Damaged {
            log,
            index: since.size,
            source: None,
        };
        let peaks: Option<Vec<_>> = subtrees(0, since.size)
            .into_iter()
            .map(|at| self.tree.subtree(at))
            .collect();
        let edge = peaks
            .and_then(|peaks| Edge::new(since.size, peaks).ok())
            .ok_or_else(damaged)?;
        let mut folder = Folder::new(log, edge, since, known)?;
        let from = usize::try_from(since.size).unwrap_or(usize::MAX);
        for leaf in self.leaves.iter().skip(from) {
            folder.take(leaf)?;
        }
        folder.finish(self.tree.head())
    }
}

impl State {
    fn leaf_of(&self, log: LogId, event: EventId) -> Option<Vec<u8>> {
        let mut waiting = self.outbox.iter();
        if let Some(found) = waiting.find(|p| p.row.event == event && p.row.log == log) {
            return Some(found.row.leaf.clone());
        }
        let place = self.places.get(&event).filter(|place| place.log == log)?;
        let leaves = &self.logs.get(&log)?.leaves;
        leaves.get(usize::try_from(place.index).ok()?).cloned()
    }

    fn sequence(&mut self, pending: &Pending, drained: &mut Drained) {
        let Pending {
            row,
            recorded_at,
            txn,
            serves,
        } = pending;
        let reason = match stamp(row, *recorded_at, *txn, *serves) {
            Err(reason) => reason,
            Ok(stamped) => match self.leaf_of(row.log, row.event) {
                None => {
                    drained.sequenced += 1;
                    return self.append(stamped);
                }
                Some(known) if known == stamped.bytes => {
                    drained.absorbed += 1;
                    return;
                }
                Some(_) => QuarantineReason::OtherLeaf,
            },
        };
        drained.quarantined += 1;
        if let Some(note) = quarantine_leaf(row, *recorded_at, *txn, reason)
            && self.leaf_of(note.leaf.log, note.leaf.event).is_none()
        {
            self.append(note);
        }
    }

    fn append(&mut self, stamped: Stamped) {
        let Stamped { leaf, bytes, hash } = stamped;
        let log = self.logs.entry(leaf.log).or_default();
        let index = log.tree.size();
        log.tree.push(hash);
        log.leaves.push(bytes);
        self.places.insert(
            leaf.event,
            LeafRef {
                log: leaf.log,
                index,
            },
        );
    }
}

fn entry(log: LogId, index: u64, leaves: &[Vec<u8>]) -> Result<Entry, LogError> {
    let bytes = usize::try_from(index).ok().and_then(|n| leaves.get(n));
    let bytes = bytes.ok_or(LogError::Damaged {
        log,
        index,
        source: None,
    })?;
    let hash = crate::merkle::leaf_hash(bytes);
    match Leaf::decode(bytes) {
        Ok(leaf) => Ok(Entry { index, hash, leaf }),
        Err(error) => Err(LogError::Damaged {
            log,
            index,
            source: Some(error),
        }),
    }
}
