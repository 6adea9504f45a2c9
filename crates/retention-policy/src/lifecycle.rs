//! Which states records and databases go through, on which events, and what stands in the way: a
//! pure table. Holds are no states: one that stands blocks every arrow into `Purged`, and into
//! `Gone`.

use covenant_core::Action;

use crate::HoldError;

/// The state of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordState {
    /// Anybody allowed can read it.
    Live,
    /// In the bin: no normal read sees it, and it can be restored.
    Binned,
    /// Its bytes have left the live stores, or must.
    Purged,
    /// No copy of it can be restored.
    Gone,
}

/// The state of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DatabaseState {
    /// In use.
    Active,
    /// Its trial or subscription has ended: no read succeeds.
    Expired,
    /// Expired, paid: kept until it is deleted, its keys switched off.
    Locked,
    /// No read succeeds.
    Deleted,
    /// Its bytes have left the live stores.
    Purged,
    /// No copy of it can be restored.
    Gone,
}

/// Whether a hold stands on a record or a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "one stands or none does")]
pub enum Held {
    /// None does.
    No,
    /// At least one does.
    Yes,
}

impl Held {
    /// What [`HoldView::permit`](crate::HoldView::permit) said; holds that could not be asked count
    /// as standing.
    #[must_use]
    pub const fn of(permitted: &Result<(), HoldError>) -> Self {
        match permitted {
            Ok(()) => Self::No,
            Err(_) => Self::Yes,
        }
    }
}

/// Whether a copy of it, such as a backup, can still be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "one can or none can")]
pub enum Copies {
    /// At least one can.
    Restorable,
    /// None can, nor ever will again.
    None,
}

/// What else is true of a record or a database when an event comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing {
    /// Holds.
    pub held: Held,
    /// Copies, those of the past included.
    pub copies: Copies,
}

impl Standing {
    /// Every combination.
    pub const ALL: [Self; 4] = [
        Self::new(Held::No, Copies::Restorable),
        Self::new(Held::No, Copies::None),
        Self::new(Held::Yes, Copies::Restorable),
        Self::new(Held::Yes, Copies::None),
    ];

    /// Both.
    #[must_use]
    pub const fn new(held: Held, copies: Copies) -> Self {
        Self { held, copies }
    }

    /// Whether something whose bytes have left the live stores is gone for good.
    const fn is_last(self) -> bool {
        matches!((self.held, self.copies), (Held::No, Copies::None))
    }
}

/// No arrow leads out of the state on this event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Forbidden {
    /// There is none.
    #[error("{action} is not possible in state {state}")]
    NoArrow {
        /// The state's name.
        state: &'static str,
        /// The event.
        action: Action,
    },
    /// There is one, and a hold blocks it.
    #[error("a hold forbids {action} in state {state}")]
    Held {
        /// The state's name.
        state: &'static str,
        /// The event.
        action: Action,
    },
}

impl RecordState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Live, Self::Binned, Self::Purged, Self::Gone];

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Binned => "binned",
            Self::Purged => "purged",
            Self::Gone => "gone",
        }
    }

    /// The state after the event, with what else is true then. A purge that is told of again
    /// changes nothing; the last backup that ends takes a purged record with it.
    ///
    /// # Errors
    /// [`Forbidden`] when no arrow leads there, or a hold is in the way.
    // clause: P-47, P-48, P-51, P-52, P-53
    pub const fn after(self, action: Action, standing: Standing) -> Result<Self, Forbidden> {
        let state = self.name();
        match (self, action) {
            (Self::Live, Action::RecordDeleted) => Ok(Self::Binned),
            (Self::Binned, Action::RecordRestored) => Ok(Self::Live),
            (Self::Binned, Action::RecordManualPurge | Action::RecordPurged) => {
                match standing.held {
                    Held::No => Ok(Self::Purged),
                    Held::Yes => Err(Forbidden::Held { state, action }),
                }
            }
            (Self::Purged, Action::RecordPurged) => Ok(Self::Purged),
            (Self::Purged, Action::BackupUnrestorable | Action::BackupPurged)
                if standing.is_last() =>
            {
                Ok(Self::Gone)
            }
            _ => Err(Forbidden::NoArrow { state, action }),
        }
    }

    /// The state once copies are counted: what is purged, and neither held nor in any copy, is gone.
    #[must_use]
    pub const fn settled(self, standing: Standing) -> Self {
        match self {
            Self::Purged if standing.is_last() => Self::Gone,
            state => state,
        }
    }

    /// Whether a normal read sees the record.
    #[must_use]
    pub const fn is_visible(self) -> bool {
        matches!(self, Self::Live)
    }
}

impl DatabaseState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Expired,
        Self::Locked,
        Self::Deleted,
        Self::Purged,
        Self::Gone,
    ];

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Locked => "locked",
            Self::Deleted => "deleted",
            Self::Purged => "purged",
            Self::Gone => "gone",
        }
    }

    /// The state after the event, with what else is true then. `database.restored` leads back only
    /// through the restore gate, and from `Purged` only while a copy can be restored.
    ///
    /// # Errors
    /// [`Forbidden`] when no arrow leads there, or a hold is in the way.
    pub const fn after(self, action: Action, standing: Standing) -> Result<Self, Forbidden> {
        let state = self.name();
        match (self, action) {
            // clause: P-54
            (Self::Active, Action::TrialEnded | Action::SubscriptionCancelled) => Ok(Self::Expired),
            // clause: P-56
            (Self::Expired, Action::DatabaseLocked) => Ok(Self::Locked),
            (Self::Expired | Self::Locked, Action::SubscriptionStarted) => Ok(Self::Active),
            (Self::Active | Self::Expired | Self::Locked, Action::DatabaseDeleted) => {
                Ok(Self::Deleted)
            }
            // clause
            (
                Self::Active | Self::Expired | Self::Locked | Self::Deleted,
                Action::ContractTerminated,
            ) => Ok(Self::Deleted),
            (Self::Purged, Action::ContractTerminated) => Ok(Self::Purged),
            // clause: P-47, P-59
            (Self::Deleted, Action::DatabasePurged) => match standing.held {
                Held::No => Ok(Self::Purged),
                Held::Yes => Err(Forbidden::Held { state, action }),
            },
            // clause: P-49, P-60
            (Self::Purged, Action::BackupUnrestorable | Action::BackupPurged)
                if standing.is_last() =>
            {
                Ok(Self::Gone)
            }
            (Self::Deleted, Action::DatabaseRestored) => Ok(Self::Active),
            (Self::Purged, Action::DatabaseRestored) => match standing.copies {
                Copies::Restorable => Ok(Self::Active),
                Copies::None => Err(Forbidden::NoArrow { state, action }),
            },
            _ => Err(Forbidden::NoArrow { state, action }),
        }
    }

    /// The state once copies are counted: what is purged, and neither held nor in any copy, is gone.
    // clause: P-49, P-60
    #[must_use]
    pub const fn settled(self, standing: Standing) -> Self {
        match self {
            Self::Purged if standing.is_last() => Self::Gone,
            state => state,
        }
    }

    /// Whether any read may succeed: from the commit of the deletion on, none.
    // clause: P-58
    #[must_use]
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::Active)
    }
}
