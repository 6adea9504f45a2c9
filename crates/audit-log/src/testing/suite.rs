//! What every log does, seen through the sink that fills it and the trait that reads it.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use covenant_core::event::Prepared;
use covenant_core::{
    Action, ActorContext, BoxFuture, Event, EventId, EventSink, ItemId, Outcome, SinkError, Target,
    TenantId, TxnId,
};
use time::UtcDateTime;
use uuid::Uuid;

use crate::error::LogError;
use crate::fold::{FoldError, LedgerKey, LedgerState};
use crate::merkle::{MerkleTree, TreeHead, empty_root};
use crate::names::log_of;
use crate::sequencer::Drained;
use crate::store::{AuditLog, Entry, entries_from};

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "transactions end in one of two ways"
)]
pub enum End {
    /// It commits.
    Commit,
    /// It rolls back.
    Rollback,
}

/// A log under test, with what fills it.
pub trait Rig: Debug + Send + Sync {
    /// The sink whose facts end in the log.
    fn sink(&self) -> Arc<dyn EventSink>;
    /// The log.
    fn log(&self) -> Arc<dyn AuditLog>;
    /// Runs a transaction in the tenant's store that records these events in their order.
    fn transact(
        &self,
        tenant: TenantId,
        events: Vec<Prepared>,
        end: End,
    ) -> BoxFuture<'_, Result<TxnId, SuiteError>>;
    /// Sequences everything committed.
    fn drain(&self) -> BoxFuture<'_, Result<Drained, SuiteError>>;
}

/// A sentence of the contract does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("AuditLog: {0}")]
pub struct SuiteError(String);

impl SuiteError {
    /// The sentence that does not hold.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

type Suite = Result<(), SuiteError>;

/// What every [`AuditLog`] does. The logs of tenants 1 to 4 (`Uuid::from_u128`) are empty before.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn audit_log_suite(rig: &dyn Rig) -> Suite {
    let names = [1, 2, 3, 4].map(|n| TenantId::from_uuid(Uuid::from_u128(n)));
    let [one, two, three, four] = names;
    for tenant in names {
        let head = that(
            rig.log().head(log_of(tenant)).await,
            "the head of an empty log",
        )?;
        holds(
            head == TreeHead {
                size: 0,
                root: empty_root(),
            },
            "a log never written is empty",
        )?;
    }
    commits_or_leaves_nothing(rig, one).await?;
    keeps_order_and_stamps(rig, two).await?;
    records_once(rig, three).await?;
    folds_the_ledger(rig, four).await
}

async fn commits_or_leaves_nothing(rig: &dyn Rig, tenant: TenantId) -> Suite {
    let (sink, log) = (rig.sink(), rig.log());
    let [kept, lost] = [10, 11].map(|n| event(tenant, n, Action::RecordCreated, 1));
    let lost_id = lost.id;
    let prepared = that(sink.prepare(lost).await, "preparing")?;
    rig.transact(tenant, vec![prepared], End::Rollback).await?;
    let prepared = that(sink.prepare(kept.clone()).await, "preparing")?;
    let unrecorded = log.sequenced(kept.id).await;
    holds(
        unrecorded.is_err(),
        "an event that was only prepared is in no log",
    )?;
    let txn = rig.transact(tenant, vec![prepared], End::Commit).await?;
    rig.drain().await?;
    let lost = log.sequenced(lost_id).await;
    let absent = matches!(lost, Err(LogError::NotSequenced(id)) if id == lost_id);
    holds(absent, "what was rolled back leaves no leaf")?;
    let at = that(log.sequenced(kept.id).await, "finding a sequenced event")?;
    let entries = that(
        log.read(at.log, at.index..at.index + 1).await,
        "reading a leaf",
    )?;
    let Some(Entry {
        index: 0,
        hash,
        leaf,
    }) = entries.first()
    else {
        return Err(SuiteError::new("the first leaf of a log has number 0"));
    };
    holds(leaf.txn == Some(txn), "a leaf names its transaction")?;
    holds(leaf.recorded_at.is_some(), "a leaf has its record time")?;
    holds(
        leaf.hash().ok() == Some(*hash),
        "an entry's hash is its leaf's",
    )?;
    holds(
        leaf.event == kept.id && leaf.action == kept.action,
        "a leaf says what was recorded",
    )?;
    let text = that(leaf.encode(), "encoding a leaf")?;
    let canary = b"192.0.2.77";
    holds(
        !text.windows(canary.len()).any(|w| w == canary),
        "no address is in a leaf",
    )
}

async fn keeps_order_and_stamps(rig: &dyn Rig, tenant: TenantId) -> Suite {
    let (sink, log) = (rig.sink(), rig.log());
    let name = log_of(tenant);
    let mut heads = vec![TreeHead::empty()];
    for round in 0_u64..20 {
        let mut prepared = Vec::new();
        for n in 0..=round % 3 {
            let event = event(tenant, 100 + 10 * round + n, Action::ChangeRecorded, n);
            prepared.push(that(sink.prepare(event).await, "preparing")?);
        }
        rig.transact(tenant, prepared, End::Commit).await?;
        rig.drain().await?;
        heads.push(that(log.head(name).await, "the head")?);
    }
    let entries = that(entries_from(&*log, name, 0).await, "reading all leaves")?;
    let mut tree = MerkleTree::new();
    entries.iter().for_each(|entry| tree.push(entry.hash));
    for head in &heads {
        holds(
            tree.head_at(head.size) == Some(*head),
            "every head is a prefix of the last",
        )?;
    }
    let indices = entries.iter().map(|entry| entry.index);
    holds(
        indices.eq(0..tree.size()),
        "leaves are numbered without a gap",
    )?;
    let ordered = entries.is_sorted_by_key(|entry| entry.leaf.recorded_at);
    holds(
        ordered,
        "what was recorded earlier, in an earlier drain, stands earlier",
    )?;
    let part = that(log.read(name, 5..9).await, "reading a range")?;
    holds(
        entries.get(5..9) == Some(&part[..]),
        "a range is the same leaves",
    )?;
    let over = that(
        log.read(name, tree.size()..tree.size() + 9).await,
        "reading at the end",
    )?;
    holds(over.is_empty(), "there is nothing at the end")?;
    let beyond = log.read(name, tree.size() + 1..tree.size() + 2).await;
    let refused = matches!(beyond, Err(LogError::OutOfRange { .. }));
    holds(refused, "a range after the end is refused")
}

async fn records_once(rig: &dyn Rig, tenant: TenantId) -> Suite {
    let (sink, log) = (rig.sink(), rig.log());
    let event = event(tenant, 300, Action::AccessAllowed, 1);
    let mut other = event.clone();
    other.action = Action::AccessDenied;
    for _ in 0..2 {
        that(sink.emit(event.clone()).await, "emitting")?;
        taken(&sink.emit(other.clone()).await, event.id)?;
    }
    rig.drain().await?;
    that(sink.emit(event.clone()).await, "emitting what is sequenced")?;
    taken(&sink.emit(other).await, event.id)?;
    rig.drain().await?;
    let head = that(log.head(log_of(tenant)).await, "the head")?;
    holds(head.size == 1, "an event stands in its log once")?;
    let mut bare = event.clone();
    bare.id = EventId::from_uuid(Uuid::from_u128(301));
    bare.actor.address = None;
    let refused = matches!(sink.emit(bare).await, Err(SinkError::Incomplete(_)));
    holds(refused, "an access without address is refused")
}

async fn folds_the_ledger(rig: &dyn Rig, tenant: TenantId) -> Suite {
    let (sink, log) = (rig.sink(), rig.log());
    let name = log_of(tenant);
    let steps = [
        (Action::RecordCreated, 1),
        (Action::RecordDeleted, 1),
        (Action::RecordRestored, 1),
        (Action::RecordDeleted, 2),
        (Action::RecordPurged, 2),
        (Action::RecordRestored, 2),
        (Action::ContractTerminated, 9),
        (Action::RecordDeleted, 3),
    ];
    let mut heads = vec![TreeHead::empty()];
    for (n, (action, item)) in (400_u64..).zip(steps) {
        let prepared = that(
            sink.prepare(event(tenant, n, action, item)).await,
            "preparing",
        )?;
        rig.transact(tenant, vec![prepared], End::Commit).await?;
        rig.drain().await?;
        heads.push(that(log.head(name).await, "the head")?);
    }
    let (Some(first), Some(last)) = (heads.first().copied(), heads.last().copied()) else {
        return Err(SuiteError::new("the suite's own steps"));
    };
    let known = [last];
    let fold = that(log.fold(name, first, &known).await, "folding")?;
    let state = |key: LedgerKey| fold.last.get(&key).map(|last| last.state);
    let item = |id: u64| LedgerKey::Item {
        table: "records".to_owned(),
        id: key(id),
    };
    holds(
        state(item(1)) == Some(LedgerState::Live),
        "the last event of an item wins",
    )?;
    holds(
        state(item(2)) == Some(LedgerState::Purged),
        "an item that was purged stays so",
    )?;
    holds(
        state(item(3)) == Some(LedgerState::Hidden),
        "a deleted item is hidden",
    )?;
    let database = state(LedgerKey::Database);
    holds(
        database == Some(LedgerState::Deleted),
        "a deleted database is deleted",
    )?;
    holds(
        fold.from == first && fold.to == last,
        "a fold leads from head to head",
    )?;
    for since in &heads {
        let part = that(
            log.fold(name, *since, &heads).await,
            "folding from every head",
        )?;
        let later = part.last.values().all(|last| last.index >= since.size);
        holds(
            later && part.to == last,
            "a fold holds what came after its head",
        )?;
    }
    refuses_to_fold(rig, tenant, &heads, last).await
}

async fn refuses_to_fold(
    rig: &dyn Rig,
    tenant: TenantId,
    heads: &[TreeHead],
    last: TreeHead,
) -> Suite {
    let (sink, log) = (rig.sink(), rig.log());
    let name = log_of(tenant);
    let none = log.fold(name, last, &[]).await;
    holds(
        matches!(none, Err(FoldError::NoOutsideHead(_))),
        "no known head, no fold",
    )?;
    let beyond = TreeHead {
        size: last.size + 1,
        ..last
    };
    let behind = log.fold(name, last, &[last, beyond]).await;
    holds(
        matches!(behind, Err(FoldError::Behind { .. })),
        "a head beyond the end is refused",
    )?;
    let behind = log.fold(name, beyond, &[last]).await;
    holds(
        matches!(behind, Err(FoldError::Behind { .. })),
        "a start beyond the end is refused",
    )?;
    for head in heads {
        let forged = TreeHead {
            root: covenant_core::digest::Digest::of(b"another past"),
            ..*head
        };
        for (since, known) in [
            (forged, last),
            (heads.first().copied().unwrap_or(*head), forged),
        ] {
            let forked = log.fold(name, since, &[known]).await;
            let refused = matches!(forked, Err(FoldError::Forked { .. }));
            holds(refused, "a head of another past is refused")?;
        }
    }
    that(
        sink.emit(event(tenant, 500, Action::AccessAllowed, 1))
            .await,
        "emitting",
    )?;
    let waiting = log.fold(name, last, &[last]).await;
    holds(
        matches!(waiting, Err(FoldError::NotDrained(_))),
        "a fold waits for the outbox",
    )?;
    rig.drain().await?;
    that(
        log.fold(name, last, &[last]).await,
        "folding after the drain",
    )
    .map(drop)
}

fn taken(result: &Result<EventId, SinkError>, id: EventId) -> Suite {
    let refused = matches!(result, Err(SinkError::Taken(taken)) if *taken == id);
    holds(refused, "another event under an id in use is refused")
}

fn key(n: u64) -> ItemId {
    ItemId::from(i64::try_from(n).unwrap_or(i64::MAX))
}

fn event(tenant: TenantId, id: u64, action: Action, item: u64) -> Event {
    let member = Uuid::from_u128(7);
    let actor = ActorContext::member(member, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77)));
    let target = Target::row(tenant, "record", "records", key(item));
    let id = EventId::from_uuid(Uuid::from_u128(u128::from(id)));
    Event::new(
        id,
        UtcDateTime::UNIX_EPOCH,
        actor,
        action,
        target,
        Outcome::Ok,
    )
}

fn holds(holds: impl Into<Holds>, what: &str) -> Suite {
    if holds.into().0 {
        Ok(())
    } else {
        Err(SuiteError::new(what))
    }
}

/// A condition; a type of its own, as no function here takes a bare truth value.
struct Holds(bool);

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        Self(holds)
    }
}

fn that<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> Result<T, SuiteError> {
    result.map_err(|error| SuiteError::new(format!("{what}: {error}")))
}
