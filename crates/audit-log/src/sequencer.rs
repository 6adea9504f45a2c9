//! What sequencing decides about one outbox row: the stamped leaf, or why it is set aside.

use covenant_core::digest::Digest;
use covenant_core::{Action, ActorContext, EventId, LogId, OutboxRow, Outcome, TenantId, TxnId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::leaf::{Leaf, LeafActor, LeafDatum, LeafSource, LeafTarget};
use crate::merkle::leaf_hash;
use crate::names::{log_of, operator_log};
use crate::rfc3339;
use crate::sink::ROW_KIND_LEAF;

/// Most rows sequenced in one transaction (audit-log 4, "Sequencer").
pub const BATCH_LEN_MAX: usize = 256;

/// Which logs an outbox may write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an outbox belongs to a tenant or to the platform"
)]
pub enum Serves {
    /// The platform's own: all logs.
    All,
    /// The outbox in a tenant's store: that tenant's log alone.
    Tenant(TenantId),
}

impl Serves {
    /// Whether rows for this log may come from such an outbox.
    #[must_use]
    pub fn log(self, log: LogId) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(tenant) => log == log_of(tenant),
        }
    }
}

/// Why a row was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum QuarantineReason {
    /// Another leaf stands in the log under the event's id.
    OtherLeaf,
    /// Its outbox does not serve its log.
    ForeignLog,
    /// It holds no leaf of its event and log.
    NoLeaf,
}

impl QuarantineReason {
    /// The word in leaves.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherLeaf => "other_leaf",
            Self::ForeignLog => "foreign_log",
            Self::NoLeaf => "no_leaf",
        }
    }
}

/// What a drain did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Rows that became leaves.
    pub sequenced: u64,
    /// Rows that already were leaves.
    pub absorbed: u64,
    /// Rows that were set aside.
    pub quarantined: u64,
}

/// A leaf with its stamps, ready to be appended.
#[derive(Debug, Clone)]
pub(crate) struct Stamped {
    pub(crate) leaf: Leaf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: Digest,
}

/// Writes record time and transaction into the leaf of a row.
pub(crate) fn stamp(
    row: &OutboxRow,
    recorded_at: UtcDateTime,
    txn: TxnId,
    serves: Serves,
) -> Result<Stamped, QuarantineReason> {
    if !serves.log(row.log) {
        return Err(QuarantineReason::ForeignLog);
    }
    let mut leaf = Leaf::decode(&row.leaf).or(Err(QuarantineReason::NoLeaf))?;
    let own = leaf.log == row.log && leaf.event == row.event && row.kind == ROW_KIND_LEAF;
    if !own || leaf.txn.is_some() || leaf.recorded_at.is_some() {
        return Err(QuarantineReason::NoLeaf);
    }
    leaf.recorded_at = Some(rfc3339::to_micros(recorded_at));
    leaf.txn = Some(txn);
    let bytes = leaf.encode().or(Err(QuarantineReason::NoLeaf))?;
    let hash = leaf_hash(&bytes);
    Ok(Stamped { leaf, bytes, hash })
}

/// The leaf of the operator's log that says a row was set aside: the same row gives the same leaf.
pub(crate) fn quarantine_leaf(
    row: &OutboxRow,
    recorded_at: UtcDateTime,
    txn: TxnId,
    reason: QuarantineReason,
) -> Option<Stamped> {
    let hash = leaf_hash(&row.leaf);
    let event = Uuid::new_v5(&row.event.as_uuid(), hash.as_bytes());
    let at = rfc3339::to_micros(recorded_at);
    let ActorContext { kind, id, path, .. } = ActorContext::system();
    let text = |text: String| LeafDatum::Text(text);
    let data = [
        ("hash", text(hash.to_string())),
        ("log", text(row.log.to_string())),
        ("reason", text(reason.name().to_owned())),
    ];
    let leaf = Leaf {
        log: operator_log(),
        event: EventId::from_uuid(event),
        at,
        recorded_at: Some(at),
        txn: Some(txn),
        action: Action::LogQuarantined,
        outcome: Outcome::Ok,
        code: None,
        actor: LeafActor { kind, id },
        on_behalf_of: None,
        source: LeafSource {
            path,
            address: None,
        },
        target: LeafTarget {
            kind: "event".to_owned(),
            table: None,
            id: Some(row.event.as_uuid().into()),
        },
        decision: None,
        changes: Vec::new(),
        rows: None,
        fields: Vec::new(),
        clauses: Vec::new(),
        data: data
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    };
    let bytes = leaf.encode().ok()?;
    let hash = leaf_hash(&bytes);
    Some(Stamped { leaf, bytes, hash })
}
