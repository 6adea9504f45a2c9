//! What the audit log recorded, read back out of its leaves as events.

use audit_log::leaf::{Leaf, LeafDatum};
use audit_log::store::entries_from;
use audit_log::{log_of, operator_log};
use covenant::Covenant;
use covenant_core::event::Datum;
use covenant_core::{ActorContext, Event, ItemId, Target, TenantId};
use policy_document::monitor::{Recorded, Value};

use crate::subject::SubjectError;
use crate::trace::Entry;

/// Kinds and tables that leaves of the assembly name: an event holds words of the code, so a leaf's
/// text is matched against them.
const WORDS: &[&str] = &[
    "record",
    "content",
    "attachment",
    "database",
    "backup",
    "key",
    "tenant",
    "store",
    "object",
];

/// Every event of the tenants' logs and of the operator's, each log in its order.
pub(super) async fn events(
    covenant: &Covenant,
    tenants: &[TenantId],
) -> Result<Vec<Event>, SubjectError> {
    let leaves = leaves(covenant, tenants).await?;
    Ok(leaves.iter().map(event).collect())
}

/// The same, with transactions and all values.
pub(super) async fn entries(
    covenant: &Covenant,
    tenants: &[TenantId],
) -> Result<Vec<Entry>, SubjectError> {
    let leaves = leaves(covenant, tenants).await?;
    Ok(leaves.iter().map(entry).collect())
}

/// What an exported leaf says, as a monitor sees it.
pub(crate) fn entry(leaf: &Leaf) -> Entry {
    let value = |datum: &LeafDatum| match datum {
        LeafDatum::Count(count) => Value::Count(*count),
        LeafDatum::Text(text) => Value::of_text(text),
    };
    let data = leaf.data.iter();
    let recorded = Recorded {
        at: leaf.at,
        action: leaf.action,
        outcome: leaf.outcome,
        tenant: leaf.tenant(),
        key: leaf
            .target
            .id
            .as_ref()
            .map(|id| Box::from(ItemId::as_bytes(id))),
        txn: leaf.txn,
        attributes: data
            .map(|(name, datum)| (name.clone(), value(datum)))
            .collect(),
    };
    Entry {
        id: leaf.event,
        recorded,
    }
}

async fn leaves(covenant: &Covenant, tenants: &[TenantId]) -> Result<Vec<Leaf>, SubjectError> {
    let logs = tenants
        .iter()
        .map(|tenant| log_of(*tenant))
        .chain([operator_log()]);
    let mut leaves = Vec::new();
    for log in logs {
        let entries = entries_from(covenant.log().as_ref(), log, 0).await;
        let entries = entries.map_err(SubjectError::from_source)?;
        leaves.extend(entries.into_iter().map(|entry| entry.leaf));
    }
    Ok(leaves)
}

fn event(leaf: &Leaf) -> Event {
    let actor = ActorContext {
        kind: leaf.actor.kind,
        id: leaf.actor.id,
        on_behalf_of: leaf.on_behalf_of,
        path: leaf.source.path,
        address: None,
    };
    let target = Target {
        tenant: leaf.tenant(),
        kind: word(&leaf.target.kind),
        table: leaf.target.table.as_deref().map(word),
        id: leaf.target.id.clone(),
    };
    let mut event = Event::new(
        leaf.event,
        leaf.at,
        actor,
        leaf.action,
        target,
        leaf.outcome,
    );
    event.decision = leaf.decision;
    event.rows = leaf.rows;
    for name in ["consistent_at", "epoch_start"] {
        if let Some(at) = leaf.data.get(name).and_then(LeafDatum::instant) {
            event = event.with(name, Datum::At(at));
        }
    }
    if let Some(vault) = leaf.data.get("vault").and_then(LeafDatum::id) {
        event = event.with("vault", Datum::Id(vault));
    }
    event
}

fn word(text: &str) -> &'static str {
    WORDS
        .iter()
        .find(|word| **word == text)
        .copied()
        .unwrap_or("other")
}
