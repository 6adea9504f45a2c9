//! What each action of covenant-core's table means to the log: its class, its effect on the ledger,
//! and the kinds of row change it accounts for. Every action here is recorded or the business
//! transaction fails; there is no class that may be lost.

use covenant_core::Action;

/// What an action is about, and with it what its event must carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Somebody reached, or tried to reach, data or keys.
    Access,
    /// Rows changed: the target is a row, or a table with a count.
    Change,
    /// The life of a database, a subscription, a contract or an order.
    Life,
    /// Keys, backups, objects: what the platform does by itself.
    Platform,
    /// The log's own life.
    Log,
}

/// How a trigger saw a row change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "SQL has these three")]
pub enum Op {
    /// A row appeared.
    Insert,
    /// A row changed.
    Update,
    /// A row went.
    Delete,
}

impl Op {
    /// The word that triggers and leaves use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The operation with this word.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Insert, Self::Update, Self::Delete]
            .into_iter()
            .find(|op| op.name() == name)
    }
}

/// What an action does to the ledger of erasures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// The item went to the bin.
    Hidden,
    /// The item came back from the bin.
    Live,
    /// The item left the live store for good.
    Purged,
    /// The database was deleted.
    DatabaseDeleted,
    /// The database came back.
    DatabaseLive,
    /// The database's bytes left the live stores.
    DatabasePurged,
    /// A hold was placed, or its end moved.
    Held,
    /// A hold was released.
    Free,
}

/// What the log knows about one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    class: Class,
    effect: Option<Effect>,
    ops: &'static [Op],
}

impl Settings {
    /// What the action is about.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// What it does to the ledger.
    #[must_use]
    pub const fn effect(&self) -> Option<Effect> {
        self.effect
    }

    /// Row changes it accounts for, unless its leaf names one in `data.op`.
    #[must_use]
    pub const fn ops(&self) -> &'static [Op] {
        self.ops
    }
}

const fn about(class: Class) -> Settings {
    Settings {
        class,
        effect: None,
        ops: &[],
    }
}

const fn change(effect: Option<Effect>, ops: &'static [Op]) -> Settings {
    Settings {
        class: Class::Change,
        effect,
        ops,
    }
}

const fn life(effect: Effect) -> Settings {
    Settings {
        class: Class::Life,
        effect: Some(effect),
        ops: &[],
    }
}

/// The settings of an action; `None` for one that this version of the log does not know, whose
/// events are refused.
#[must_use]
pub const fn settings(action: Action) -> Option<Settings> {
    Some(match action {
        Action::RecordCreated => change(None, &[Op::Insert]),
        Action::RecordDeleted => change(Some(Effect::Hidden), &[Op::Update, Op::Delete]),
        Action::RecordRestored => change(Some(Effect::Live), &[Op::Update, Op::Insert]),
        Action::RecordManualPurge | Action::RecordPurged => {
            change(Some(Effect::Purged), &[Op::Delete, Op::Update])
        }
        // a file has no bin: its row goes for good
        Action::ObjectDeleted => change(Some(Effect::Purged), &[Op::Delete]),
        Action::ChangeRecorded => change(None, &[Op::Update]),
        Action::ChangeUnattributed => change(None, &[]),
        Action::ContractTerminated | Action::DatabaseDeleted => life(Effect::DatabaseDeleted),
        Action::DatabaseRestored => life(Effect::DatabaseLive),
        Action::DatabasePurged => life(Effect::DatabasePurged),
        Action::HoldPlaced => life(Effect::Held),
        Action::HoldReleased => life(Effect::Free),
        Action::TrialEnded
        | Action::SubscriptionStarted
        | Action::SubscriptionCancelled
        | Action::DatabaseLocked
        | Action::DatabaseCreated
        | Action::RestoreCompleted
        | Action::RestoreDrilled
        | Action::ExportRequested
        | Action::ExportCompleted
        | Action::RefusedHeld => about(Class::Life),
        Action::AccessAllowed
        | Action::AccessDenied
        // clause: R-12
        | Action::FieldRevealed
        | Action::FieldRefused => about(Class::Access),
        Action::ObjectUnreachable
        | Action::BackupCompleted
        | Action::BackupFailed
        | Action::BackupReplicated
        | Action::BackupUnrestorable
        | Action::BackupPurged
        | Action::BackupStatus
        | Action::CapacitySampled
        | Action::CapacityAlerted
        | Action::KeyCreated
        | Action::KeyRotated
        | Action::KeyDisabled
        | Action::KeyEnabled
        | Action::KeyScheduled
        | Action::KeyCancelled
        | Action::KeyDestroyed
        | Action::KeyUnwrapped
        | Action::KeyMaintenance
        | Action::KeyScopeMismatch
        | Action::KeyRolledBack
        | Action::KeyPlanned
        | Action::KeyCompromised
        | Action::KeyListed
        | Action::KeyExpirySet => about(Class::Platform),
        Action::LogQuarantined | Action::ClockStepped => about(Class::Log),
        _ => return None,
    })
}
