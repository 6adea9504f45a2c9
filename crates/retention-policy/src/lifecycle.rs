//! Which states records and databases go through, and on which events: a pure table.

use covenant_core::Action;

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
}

/// No arrow leads out of the state on this event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{action} is not possible in state {state}")]
pub struct Forbidden {
    state: &'static str,
    action: Action,
}

impl RecordState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Live, Self::Binned, Self::Purged];

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Binned => "binned",
            Self::Purged => "purged",
        }
    }

    /// The state after the event.
    ///
    /// # Errors
    /// [`Forbidden`] when no arrow leads there.
    // clause: P-48, P-51, P-52, P-53
    pub const fn after(self, action: Action) -> Result<Self, Forbidden> {
        match (self, action) {
            (Self::Live, Action::RecordDeleted) => Ok(Self::Binned),
            (Self::Binned, Action::RecordRestored) => Ok(Self::Live),
            (Self::Binned, Action::RecordManualPurge | Action::RecordPurged)
            | (Self::Purged, Action::RecordPurged) => Ok(Self::Purged),
            _ => Err(Forbidden {
                state: self.name(),
                action,
            }),
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
    pub const ALL: [Self; 5] = [
        Self::Active,
        Self::Expired,
        Self::Locked,
        Self::Deleted,
        Self::Purged,
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
        }
    }

    /// The state after the event. `database.restored` leads back only through the restore gate.
    ///
    /// # Errors
    /// [`Forbidden`] when no arrow leads there.
    pub const fn after(self, action: Action) -> Result<Self, Forbidden> {
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
            (Self::Purged, Action::ContractTerminated)
            | (Self::Deleted, Action::DatabasePurged) => Ok(Self::Purged),
            (Self::Deleted | Self::Purged, Action::DatabaseRestored) => Ok(Self::Active),
            _ => Err(Forbidden {
                state: self.name(),
                action,
            }),
        }
    }

    /// Whether any read may succeed: from the commit of the deletion on, none.
    // clause: P-58
    #[must_use]
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::Active)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn records_take_these_arrows_and_no_others() {
        use RecordState::{Binned, Live, Purged};
        let allowed = [
            (Live, Action::RecordDeleted, Binned),
            (Binned, Action::RecordRestored, Live),
            (Binned, Action::RecordManualPurge, Purged),
            (Binned, Action::RecordPurged, Purged),
            (Purged, Action::RecordPurged, Purged),
        ];
        for state in RecordState::ALL {
            for &action in Action::ALL {
                let to = allowed.iter().find(|(s, a, _)| (*s, *a) == (state, action));
                assert_eq!(
                    state.after(action).ok(),
                    to.map(|to| to.2),
                    "{state:?} {action}"
                );
            }
        }
    }

    #[test]
    fn databases_take_these_arrows_and_no_others() {
        use DatabaseState::{Active, Deleted, Expired, Locked, Purged};
        let allowed = [
            (Active, Action::TrialEnded, Expired),
            (Active, Action::SubscriptionCancelled, Expired),
            (Expired, Action::DatabaseLocked, Locked),
            (Expired, Action::SubscriptionStarted, Active),
            (Locked, Action::SubscriptionStarted, Active),
            (Expired, Action::DatabaseDeleted, Deleted),
            (Locked, Action::DatabaseDeleted, Deleted),
            (Active, Action::DatabaseDeleted, Deleted),
            (Active, Action::ContractTerminated, Deleted),
            (Expired, Action::ContractTerminated, Deleted),
            (Locked, Action::ContractTerminated, Deleted),
            (Deleted, Action::ContractTerminated, Deleted),
            (Purged, Action::ContractTerminated, Purged),
            (Deleted, Action::DatabasePurged, Purged),
            (Deleted, Action::DatabaseRestored, Active),
            (Purged, Action::DatabaseRestored, Active),
        ];
        for state in DatabaseState::ALL {
            for &action in Action::ALL {
                let to = allowed.iter().find(|(s, a, _)| (*s, *a) == (state, action));
                assert_eq!(
                    state.after(action).ok(),
                    to.map(|to| to.2),
                    "{state:?} {action}"
                );
            }
        }
        let readable = DatabaseState::ALL.into_iter().filter(|s| s.is_readable());
        assert_eq!(readable.collect::<Vec<_>>(), [Active]);
    }

    /// Every state that some events lead to.
    fn reached<S: Copy + Ord>(from: S, after: impl Fn(S, Action) -> Option<S>) -> BTreeSet<S> {
        let mut seen = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(state) = open.pop() {
            let next = Action::ALL
                .iter()
                .filter_map(|&action| after(state, action));
            for state in next {
                if seen.insert(state) {
                    open.push(state);
                }
            }
        }
        seen
    }

    #[test]
    fn every_state_is_reached_and_the_end_from_everywhere() {
        let record = |state: RecordState, action| state.after(action).ok();
        let all = BTreeSet::from(RecordState::ALL);
        assert_eq!(reached(RecordState::Live, record), all);
        for state in RecordState::ALL {
            assert!(
                reached(state, record).contains(&RecordState::Purged),
                "{state:?}"
            );
        }
        // what is purged comes back from nowhere
        assert_eq!(
            reached(RecordState::Purged, record),
            BTreeSet::from([RecordState::Purged])
        );
        let database = |state: DatabaseState, action| state.after(action).ok();
        let all = BTreeSet::from(DatabaseState::ALL);
        for state in DatabaseState::ALL {
            // also from the end: through the gate, by an order of the customer's administrator
            assert_eq!(reached(state, database), all, "{state:?}");
        }
        let without_order = |state: DatabaseState, action| match action {
            Action::DatabaseRestored => None,
            action => state.after(action).ok(),
        };
        assert_eq!(
            reached(DatabaseState::Purged, without_order),
            BTreeSet::from([DatabaseState::Purged])
        );
        assert!(!reached(DatabaseState::Deleted, without_order).contains(&DatabaseState::Active));
    }
}
