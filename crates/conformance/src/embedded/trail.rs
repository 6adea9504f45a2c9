//! What the audit log recorded, read back out of its leaves as events.

use audit_log::leaf::{Leaf, LeafDatum};
use audit_log::store::entries_from;
use audit_log::{log_of, operator_log};
use covenant::Covenant;
use covenant_core::event::Datum;
use covenant_core::{ActorContext, Event, Target, TenantId};

use crate::subject::SubjectError;

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
    let logs = tenants
        .iter()
        .map(|tenant| log_of(*tenant))
        .chain([operator_log()]);
    let mut events = Vec::new();
    for log in logs {
        let entries = entries_from(covenant.log().as_ref(), log, 0).await;
        for entry in entries.map_err(SubjectError::from_source)? {
            events.push(event(&entry.leaf));
        }
    }
    Ok(events)
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
    event
}

fn word(text: &str) -> &'static str {
    WORDS
        .iter()
        .find(|word| **word == text)
        .copied()
        .unwrap_or("other")
}
