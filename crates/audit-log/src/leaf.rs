//! Leaf version 0: one event as canonical JSON. It holds ids, figures and commitments, never
//! content. Decoding caps, parses, encodes again and compares.
#![deny(clippy::arithmetic_side_effects)]

mod codec;

use std::collections::BTreeMap;

use covenant_core::digest::Digest;
use covenant_core::event::{ActorKind, Path};
use covenant_core::{
    Action, ClauseId, DecisionId, EventId, ItemId, LogId, Outcome, TenantId, TxnId,
};
use time::UtcDateTime;
use uuid::Uuid;

use crate::field::Keep;
use crate::merkle::leaf_hash;
use crate::names::tenant_of;
use crate::rfc3339;

pub use codec::LeafError;
#[cfg(feature = "sqlite")]
pub(crate) use codec::outcome_word;

/// Version of the leaf format.
pub const LEAF_VERSION: u64 = 0;
/// Most commitments in one leaf: so many still fit an entry with their changes.
pub const FIELDS_MAX: usize = 256;
/// Longest code, kind, table or path in bytes: a bound of ours.
pub const WORD_LEN_BYTES_MAX: usize = 128;
/// Longest text in `data` in bytes: a bound of ours that leaves room for the rest of the entry.
pub const DATUM_LEN_BYTES_MAX: usize = 32_768;

/// One event as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The log it belongs to.
    pub log: LogId,
    /// Id of the event.
    pub event: EventId,
    /// When it happened, microseconds.
    pub at: UtcDateTime,
    /// When the outbox took it; `None` until the sequencer stamps it.
    pub recorded_at: Option<UtcDateTime>,
    /// The business transaction it was recorded in; `None` until the sequencer stamps it.
    pub txn: Option<TxnId>,
    /// What happened.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Rule or error code.
    pub code: Option<String>,
    /// Who acted.
    pub actor: LeafActor,
    /// On whose behalf.
    pub on_behalf_of: Option<Uuid>,
    /// By which way, and where the address stands in `fields`.
    pub source: LeafSource,
    /// To what.
    pub target: LeafTarget,
    /// The access decision that allowed it.
    pub decision: Option<DecisionId>,
    /// Changed columns.
    pub changes: Vec<LeafChange>,
    /// Rows touched by a bulk statement.
    pub rows: Option<u64>,
    /// Commitments.
    pub fields: Vec<LeafField>,
    /// Clauses that the act keeps.
    pub clauses: Vec<ClauseId>,
    /// Values of the action's own schema.
    pub data: BTreeMap<String, LeafDatum>,
}

/// Who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafActor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// Opaque id.
    pub id: Option<Uuid>,
}

/// By which way the actor came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafSource {
    /// The way.
    pub path: Path,
    /// Index of the address's commitment in `fields`; absent only for [`Path::System`].
    pub address: Option<u64>,
}

/// What was acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafTarget {
    /// What kind of thing.
    pub kind: String,
    /// The table, for a row.
    pub table: Option<String>,
    /// The opaque id.
    pub id: Option<ItemId>,
}

/// One changed column: indices of its commitments in `fields`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafChange {
    /// Id of the column.
    pub column: ItemId,
    /// Commitment to the value before.
    pub before: Option<u64>,
    /// Commitment to the value after.
    pub after: Option<u64>,
}

/// A commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafField {
    /// What it is the value of: `src.ip`, `changes.0.a`, ...
    pub path: String,
    /// The commitment (see [`crate::field::commit`]).
    pub commitment: Digest,
    /// Whether it can ever be opened.
    pub keep: Keep,
}

/// A value of an action's own schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "canonical JSON of the subset has these two"
)]
pub enum LeafDatum {
    /// A count or a size.
    Count(u64),
    /// A word, an id, an instant or hexadecimal bytes: no free text.
    Text(String),
}

impl LeafDatum {
    /// The count, if it is one.
    #[must_use]
    pub const fn count(&self) -> Option<u64> {
        match self {
            Self::Count(count) => Some(*count),
            Self::Text(_) => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Count(_) => None,
            Self::Text(text) => Some(text),
        }
    }

    /// The UUID that the text spells.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        self.text().and_then(|text| Uuid::try_parse(text).ok())
    }

    /// The instant that the text spells.
    #[must_use]
    pub fn instant(&self) -> Option<UtcDateTime> {
        self.text().and_then(rfc3339::parse)
    }

    /// The bytes that the text spells in hexadecimal.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.text().and_then(covenant_core::canon::unhex)
    }
}

impl Leaf {
    /// The canonical bytes: what is hashed into the log.
    ///
    /// # Errors
    /// [`LeafError`] when a part is outside the format or the whole is longer than an entry.
    pub fn encode(&self) -> Result<Vec<u8>, LeafError> {
        codec::encode(self)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`LeafError`] for anything that [`Leaf::encode`] would not have written: another version, an
    /// unknown, missing or repeated key, other spacing or order, an index outside `fields`.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        codec::decode(bytes)
    }

    /// Hash of the leaf in its tree.
    ///
    /// # Errors
    /// As [`Leaf::encode`].
    pub fn hash(&self) -> Result<Digest, LeafError> {
        self.encode().map(|bytes| leaf_hash(&bytes))
    }

    /// The tenant whose log it is in; `None` for the operator's.
    #[must_use]
    pub fn tenant(&self) -> Option<TenantId> {
        tenant_of(self.log)
    }

    /// Whether two leaves state the same fact: equal in all but what differs from one preparation
    /// of an event to the next, which are stamps and the salts in commitments.
    #[must_use]
    pub fn same_fact(&self, other: &Self) -> bool {
        self.without_chance() == other.without_chance()
    }

    fn without_chance(&self) -> Self {
        let nothing = Digest::from_bytes([0; 32]);
        let blank = |f: &LeafField| LeafField {
            commitment: nothing,
            keep: Keep::Never,
            ..f.clone()
        };
        let fields = self.fields.iter().map(blank).collect();
        Self {
            recorded_at: None,
            txn: None,
            fields,
            ..self.clone()
        }
    }
}
