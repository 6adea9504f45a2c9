//! Events: the one closed table of action names, the fact itself, and where facts go.
//!
//! An event holds ids, figures and, in [`Change`] and the source address, content. Content leaves
//! an event only as a commitment or sealed; that is the sink's work.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use time::UtcDateTime;
use uuid::Uuid;

use crate::outbox::{OutboxError, OutboxRow, OutboxTx};
use crate::{BoxFuture, ClauseId, DecisionId, EventId, ItemId, LogSafe, Redacted, TenantId};

macro_rules! actions {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// What happened. The one table of action names: policies, the audit log and every crate
        /// use these and no others.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Action { $(#[doc = concat!("`", $name, "`")] $variant),* }

        impl Action {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, as policies and leaves spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl std::str::FromStr for Action {
            type Err = UnknownAction;

            fn from_str(name: &str) -> Result<Self, UnknownAction> {
                match name { $($name => Ok(Self::$variant),)* _ => Err(UnknownAction) }
            }
        }
    };
}

actions! {
    RecordCreated = "record.created",
    RecordDeleted = "record.deleted",
    RecordRestored = "record.restored",
    RecordManualPurge = "record.manual_purge",
    RecordPurged = "record.purged",
    TrialEnded = "trial.ended",
    SubscriptionStarted = "subscription.started",
    SubscriptionCancelled = "subscription.cancelled",
    ContractTerminated = "contract.terminated",
    DatabaseCreated = "database.created",
    DatabaseLocked = "database.locked",
    DatabaseDeleted = "database.deleted",
    DatabaseRestored = "database.restored",
    DatabasePurged = "database.purged",
    ErasureRequested = "erasure.requested",
    ErasureApplied = "erasure.applied",
    ErasureCompleted = "erasure.completed",
    HoldPlaced = "hold.placed",
    HoldReleased = "hold.released",
    RefusedHeld = "refused.held",
    ObjectDeleted = "object.deleted",
    ObjectUnreachable = "object.unreachable",
    BackupCompleted = "backup.completed",
    BackupFailed = "backup.failed",
    BackupReplicated = "backup.replicated",
    BackupUnrestorable = "backup.unrestorable",
    BackupPurged = "backup.purged",
    BackupStatus = "backup.status",
    RestoreCompleted = "restore.completed",
    RestoreDrilled = "restore.drilled",
    CapacitySampled = "capacity.sampled",
    CapacityAlerted = "capacity.alerted",
    KeyCreated = "key.created",
    KeyRotated = "key.rotated",
    KeyDisabled = "key.disabled",
    KeyEnabled = "key.enabled",
    KeyScheduled = "key.scheduled",
    KeyCancelled = "key.cancelled",
    KeyDestroyed = "key.destroyed",
    KeyUnwrapped = "key.unwrapped",
    KeyMaintenance = "key.maintenance",
    KeyScopeMismatch = "key.scope_mismatch",
    KeyRolledBack = "key.rolled_back",
    KeyPlanned = "key.planned",
    KeyCompromised = "key.compromised",
    KeyListed = "key.listed",
    KeyExpirySet = "key.expiry_set",
    AccessAllowed = "access.allowed",
    AccessDenied = "access.denied",
    StaffAccess = "staff.access",
    BreakglassOpened = "breakglass.opened",
    BreakglassClosed = "breakglass.closed",
    ChangeRecorded = "change.recorded",
    ChangeUnattributed = "change.unattributed",
    FieldRevealed = "field.revealed",
    FieldRefused = "field.refused",
    IncidentSuspected = "incident.suspected",
    IncidentConfirmed = "incident.confirmed",
    NoticeQueued = "notice.queued",
    NoticeDelivered = "notice.delivered",
    UpdateAnnounced = "update.announced",
    UpdateStarted = "update.started",
    UpdateCompleted = "update.completed",
    DisclosureRequested = "disclosure.requested",
    DisclosureMade = "disclosure.made",
    DisclosureTold = "disclosure.told",
    ExportRequested = "export.requested",
    ExportCompleted = "export.completed",
    LogKeyRotated = "log.key_rotated",
    LogGap = "log.gap",
    LogQuarantined = "log.quarantined",
    LogPruned = "log.pruned",
    LogRecovered = "log.recovered",
    ClockStepped = "clock.stepped",
}

/// A name that is not in the table of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name of the table of actions")]
pub struct UnknownAction;

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
impl LogSafe for Action {}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a leaf has these three and no others"
)]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was refused by a decision.
    Denied,
    /// It was tried and failed.
    Error,
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActorKind {
    /// A member of the tenant.
    Member,
    /// A person of the operator's staff.
    Staff,
    /// A named part of the system that works by itself, such as the purge.
    Service,
    /// The platform.
    System,
    /// Nobody could be named.
    Unknown,
}

/// By which way the actor came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Path {
    /// Through the application.
    App,
    /// On the server, by an operator's command.
    Server,
    /// No person: background work.
    System,
}

/// Who acted, on whose behalf, by which way and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorContext {
    /// What kind of actor.
    pub kind: ActorKind,
    /// Opaque id: of the member, of the person of staff; a version 5 UUID of a service's name.
    pub id: Option<Uuid>,
    /// On whose behalf.
    pub on_behalf_of: Option<Uuid>,
    /// By which way.
    pub path: Path,
    /// Source address; absent only for [`Path::System`].
    pub address: Option<Redacted<IpAddr>>,
}

impl ActorContext {
    /// A member of the tenant, through the application.
    #[must_use]
    pub const fn member(id: Uuid, address: IpAddr) -> Self {
        Self {
            kind: ActorKind::Member,
            id: Some(id),
            on_behalf_of: None,
            path: Path::App,
            address: Some(Redacted(address)),
        }
    }

    /// A part of the system that works by itself; `name` is a constant of the caller.
    #[must_use]
    pub fn service(name: &'static str) -> Self {
        Self {
            kind: ActorKind::Service,
            id: Some(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())),
            on_behalf_of: None,
            path: Path::System,
            address: None,
        }
    }

    /// The platform itself.
    #[must_use]
    pub const fn system() -> Self {
        Self {
            kind: ActorKind::System,
            id: None,
            on_behalf_of: None,
            path: Path::System,
            address: None,
        }
    }
}

/// What was acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The tenant whose data or log it is; `None` for the operator's log.
    pub tenant: Option<TenantId>,
    /// What kind of thing: `record`, `object`, `database`, `vault`, `key`, ...
    pub kind: &'static str,
    /// The table, for a row.
    pub table: Option<&'static str>,
    /// The opaque id.
    pub id: Option<ItemId>,
}

impl Target {
    /// A thing of a tenant.
    #[must_use]
    pub const fn of(tenant: TenantId, kind: &'static str, id: ItemId) -> Self {
        Self {
            tenant: Some(tenant),
            kind,
            table: None,
            id: Some(id),
        }
    }

    /// A row of a tenant.
    #[must_use]
    pub const fn row(
        tenant: TenantId,
        kind: &'static str,
        table: &'static str,
        id: ItemId,
    ) -> Self {
        Self {
            tenant: Some(tenant),
            kind,
            table: Some(table),
            id: Some(id),
        }
    }

    /// A thing of the operator.
    #[must_use]
    pub const fn operator(kind: &'static str, id: ItemId) -> Self {
        Self {
            tenant: None,
            kind,
            table: None,
            id: Some(id),
        }
    }
}

/// One changed column: its id and its value before and after, which are committed to and not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Id of the column; a user-defined name is content, hence an id.
    pub column: ItemId,
    /// Value before; `None` when there was none.
    pub before: Option<Redacted<Vec<u8>>>,
    /// Value after; `None` when there is none.
    pub after: Option<Redacted<Vec<u8>>>,
}

/// A value of an action's own schema: never free text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Datum {
    /// A count or a size.
    Count(u64),
    /// A word of a closed list.
    Token(&'static str),
    /// An id.
    Id(Uuid),
    /// An instant.
    At(UtcDateTime),
    /// A digest, a salt or another string of bytes that is no content.
    Bytes(Vec<u8>),
}

/// A fact: who did what to what, when, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id; the same id is recorded once.
    pub id: EventId,
    /// When it happened.
    pub at: UtcDateTime,
    /// Who acted.
    pub actor: ActorContext,
    /// What happened.
    pub action: Action,
    /// To what.
    pub target: Target,
    /// How it ended.
    pub outcome: Outcome,
    /// Rule or error code, a constant of the emitting crate.
    pub code: Option<&'static str>,
    /// The access decision that allowed it.
    pub decision: Option<DecisionId>,
    /// Clauses that the act keeps.
    pub clauses: Vec<ClauseId>,
    /// Changed columns.
    pub changes: Vec<Change>,
    /// Rows touched by a bulk statement.
    pub rows: Option<u64>,
    /// Values of the action's own schema.
    pub data: BTreeMap<&'static str, Datum>,
}

impl Event {
    /// A fact with nothing but its heads.
    #[must_use]
    pub const fn new(
        id: EventId,
        at: UtcDateTime,
        actor: ActorContext,
        action: Action,
        target: Target,
        outcome: Outcome,
    ) -> Self {
        Self {
            id,
            at,
            actor,
            action,
            target,
            outcome,
            code: None,
            decision: None,
            clauses: Vec::new(),
            changes: Vec::new(),
            rows: None,
            data: BTreeMap::new(),
        }
    }

    /// Adds a value of the action's schema.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Datum) -> Self {
        self.data.insert(name, value);
        self
    }

    /// Names the rule or error.
    #[must_use]
    pub const fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Names the access decision.
    #[must_use]
    pub const fn with_decision(mut self, decision: DecisionId) -> Self {
        self.decision = Some(decision);
        self
    }

    /// Adds a changed column.
    #[must_use]
    pub fn with_change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }
}

/// An event made ready for the outbox: all that needs keys or the network is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The event's id.
    pub event: EventId,
    /// Whose log it goes to.
    pub tenant: Option<TenantId>,
    /// What happened.
    pub action: Action,
    /// The rows to put: the leaf, and obligations that the event starts.
    pub rows: Vec<OutboxRow>,
}

/// An event was not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The event lacks something its action requires; the text names the missing part.
    #[error("the event cannot be recorded: {0}")]
    Incomplete(&'static str),
    /// The transaction belongs to another tenant than the event.
    #[error("the transaction belongs to another tenant than the event")]
    WrongTenant,
    /// Another event was recorded under the same id.
    #[error("another event was recorded under id {0}")]
    Taken(EventId),
    /// The outbox refused.
    #[error("the outbox refused the event")]
    Outbox(#[source] OutboxError),
    /// The sink's own store failed.
    #[error("the audit store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where facts go.
///
/// # Contract
/// `prepare` does all that needs keys, and is called before a transaction opens. `record` writes the
/// prepared rows in the caller's transaction: the fact is recorded if and only if the transaction
/// commits. `emit` is for facts without a transaction; it returns when the fact is durable, and is
/// idempotent: the same event again is no error and no second record. An event that lacks what its
/// action requires is refused before anything is written.
///
/// # Errors
/// [`SinkError`]; after an error nothing of the event was recorded, or, for `emit` whose answer was
/// lost, a repetition settles it.
pub trait EventSink: Debug + Send + Sync {
    /// Makes the event ready for an outbox.
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>>;
    /// Writes the prepared event in the caller's transaction.
    fn record<'a>(
        &'a self,
        tx: &'a mut dyn OutboxTx,
        prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>>;
    /// Records the event durably, by itself.
    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_one_name_and_reads_back() {
        let mut names = std::collections::BTreeSet::new();
        for action in Action::ALL {
            let name = action.name();
            assert!(names.insert(name), "{name} is there twice");
            assert_eq!(name.parse::<Action>().ok(), Some(*action));
            let parts = name.split('.').collect::<Vec<_>>();
            let clean = |part: &&str| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            };
            assert!(parts.len() == 2 && parts.iter().all(clean), "{name}");
        }
        for unknown in [
            "",
            "record",
            "record.Deleted",
            "record.deleted ",
            "record..deleted",
        ] {
            assert!(unknown.parse::<Action>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn content_is_not_printed() {
        let id = EventId::from_bytes([1; 16]);
        let tenant = TenantId::from_bytes([2; 16]);
        let address = IpAddr::from([203, 0, 113, 77]);
        let item = ItemId::from(5);
        let event = Event::new(
            id,
            UtcDateTime::UNIX_EPOCH,
            ActorContext::member(Uuid::nil(), address),
            Action::RecordDeleted,
            Target::of(tenant, "record", item.clone()),
            Outcome::Ok,
        )
        .with_change(Change {
            column: item,
            before: Some(Redacted(b"before-marker".to_vec())),
            after: Some(Redacted(b"after-marker".to_vec())),
        });
        let printed = format!("{event:?} {event:#?}");
        for content in [
            "203.0.113.77",
            "before-marker",
            "98, 101, 102",
            "after-marker",
        ] {
            assert!(!printed.contains(content), "{content} is printed");
        }
        assert!(printed.contains("[redacted]") && printed.contains(&id.to_string()));
    }
}
