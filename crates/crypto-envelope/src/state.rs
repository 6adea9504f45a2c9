//! The state table of keys, as pure functions: what each state answers to each verb, and which way
//! a root version goes. No clock, no store: whoever applies an answer reads and writes the record.

use std::fmt;

use covenant_core::LogSafe;

/// Where a key stands, a KEK or a root version. For a root it lies over [`RootState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new state must be met wherever states are decided"
)]
pub enum KeyState {
    /// In use.
    Enabled,
    /// Switched off by hand, and can be switched on again.
    Disabled,
    /// Waiting for its destruction, unusable; a cancellation leaves it disabled.
    PendingDeletion,
    /// Gone.
    Destroyed,
}

impl KeyState {
    /// Every state, in the order of the table.
    pub const ALL: [Self; 4] = [
        Self::Enabled,
        Self::Disabled,
        Self::PendingDeletion,
        Self::Destroyed,
    ];

    /// The name, as it stands in records and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::PendingDeletion => "pending deletion",
            Self::Destroyed => "destroyed",
        }
    }

    /// What the table says.
    ///
    /// # Errors
    /// [`Refused`] when the state, or what else is true of the key, forbids the verb.
    // clause
    pub const fn answer(self, verb: Verb) -> Result<Step, Refused> {
        match (self, verb) {
            (Self::Destroyed, _) => Err(Refused::Destroyed),
            (Self::Enabled, Verb::Wrap(standing)) => match standing {
                Standing::Current => Ok(Step::Stays),
                Standing::Superseded => Err(Refused::Superseded),
                Standing::Expired => Err(Refused::Expired),
                Standing::Compromised => Err(Refused::Compromised),
            },
            (Self::Enabled, Verb::Unwrap | Verb::Enable) | (Self::Disabled, Verb::Disable) => {
                Ok(Step::Stays)
            }
            (Self::Enabled, Verb::Disable) | (Self::PendingDeletion, Verb::Cancel) => {
                Ok(Step::Becomes(Self::Disabled))
            }
            (Self::Enabled | Self::Disabled, Verb::Schedule) => {
                Ok(Step::Becomes(Self::PendingDeletion))
            }
            (Self::Enabled | Self::Disabled, Verb::Cancel) => Err(Refused::NotPending),
            (Self::Disabled, Verb::Wrap(_) | Verb::Unwrap) => Err(Refused::Disabled),
            (Self::Disabled, Verb::Enable) => Ok(Step::Becomes(Self::Enabled)),
            (
                Self::PendingDeletion,
                Verb::Wrap(_) | Verb::Unwrap | Verb::Enable | Verb::Disable,
            ) => Err(Refused::PendingDeletion),
            (Self::PendingDeletion, Verb::Schedule) => Err(Refused::AlreadyPending),
            (_, Verb::Destroy(Dueness::NotDue)) => Err(Refused::NotDue),
            (Self::Enabled | Self::Disabled, Verb::Destroy(Dueness::WindowOver)) => {
                Err(Refused::NotPending)
            }
            (Self::Enabled | Self::Disabled, Verb::Destroy(Dueness::PlanReached))
            | (Self::PendingDeletion, Verb::Destroy(Dueness::WindowOver | Dueness::PlanReached)) => {
                Ok(Step::Becomes(Self::Destroyed))
            }
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl LogSafe for KeyState {}

/// What is to be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new verb must be met wherever states are decided"
)]
pub enum Verb {
    /// Wrap a root under it, new or rewrapped; for a root: seal.
    Wrap(Standing),
    /// Unwrap a root under it, also for wrapping it elsewhere; for a root: open.
    Unwrap,
    /// Switch it on.
    Enable,
    /// Switch it off.
    Disable,
    /// Let it be destroyed after a window of whole days.
    Schedule,
    /// Take that back.
    Cancel,
    /// Destroy it.
    Destroy(Dueness),
}

/// Whether an enabled key may wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the table has these columns")]
pub enum Standing {
    /// The newest of its group, and its expiry is ahead.
    Current,
    /// The group has a newer one.
    Superseded,
    /// Its expiry has come: it unwraps, and wraps no more.
    Expired,
    /// Somebody else may know it: it unwraps until everything is moved, and never wraps again.
    Compromised,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 4] = [
        Self::Current,
        Self::Superseded,
        Self::Expired,
        Self::Compromised,
    ];
}

/// Whether a key's last instant has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the table has these columns")]
pub enum Dueness {
    /// Neither its window nor its plan is over.
    NotDue,
    /// The window of a scheduled destruction is over: [`crate::PendingWindow::end`].
    WindowOver,
    /// The instant planned for it has come.
    PlanReached,
}

impl Dueness {
    /// Every dueness.
    pub const ALL: [Self; 3] = [Self::NotDue, Self::WindowOver, Self::PlanReached];
}

/// What an allowed verb does to the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a state changes or it does not")]
pub enum Step {
    /// Nothing.
    Stays,
    /// The key goes into this state.
    Becomes(KeyState),
}

/// Why a verb was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the refusals of the table, no others"
)]
pub enum Refused {
    /// Its destruction is scheduled already.
    #[error("pending deletion already")]
    AlreadyPending,
    /// It is marked as compromised.
    #[error("compromised")]
    Compromised,
    /// It is gone.
    #[error("destroyed")]
    Destroyed,
    /// It is switched off.
    #[error("disabled")]
    Disabled,
    /// Its expiry has come.
    #[error("expired")]
    Expired,
    /// Its last instant is ahead.
    #[error("not due")]
    NotDue,
    /// Nothing is scheduled that could be cancelled or carried out.
    #[error("not pending deletion")]
    NotPending,
    /// It waits for its destruction.
    #[error("pending deletion")]
    PendingDeletion,
    /// A newer one has taken its place.
    #[error("superseded")]
    Superseded,
}

impl Refused {
    /// The word, as it stands in events and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlreadyPending => "pending deletion already",
            Self::Compromised => "compromised",
            Self::Destroyed => "destroyed",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::NotDue => "not due",
            Self::NotPending => "not pending deletion",
            Self::PendingDeletion => "pending deletion",
            Self::Superseded => "superseded",
        }
    }

    /// The same as one word, for the log.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AlreadyPending => "already-pending",
            Self::Compromised => "compromised",
            Self::Destroyed => "destroyed",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::NotDue => "not-due",
            Self::NotPending => "not-pending",
            Self::PendingDeletion => "pending-deletion",
            Self::Superseded => "superseded",
        }
    }
}
impl LogSafe for Refused {}

/// Where one version of a root is in its life; a switched-off version keeps its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new state must be met wherever states are decided"
)]
pub enum RootState {
    /// Made by a rotation; opens, and seals once every process can know of it.
    Pending,
    /// Seals and opens.
    Active,
    /// A newer version seals; this one opens what it sealed.
    DecryptOnly,
    /// No live value is left under it; what backups hold still opens.
    Retired,
    /// Its wrapped bytes are emptied.
    Destroyed,
}

impl RootState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Active,
        Self::DecryptOnly,
        Self::Retired,
        Self::Destroyed,
    ];

    /// The name, as it stands in records and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::DecryptOnly => "decrypt only",
            Self::Retired => "retired",
            Self::Destroyed => "destroyed",
        }
    }

    /// Whether a version goes from here to there. A compromised one is never active again; one that
    /// sealed nothing retires at once.
    #[must_use]
    pub const fn may_become(self, next: Self, trust: Trust) -> bool {
        match (self, next) {
            (Self::Pending, Self::Active) => matches!(trust, Trust::Whole),
            (Self::Pending, Self::Retired)
            | (Self::Active, Self::DecryptOnly)
            | (Self::DecryptOnly, Self::Retired)
            | (Self::Pending | Self::Active | Self::DecryptOnly | Self::Retired, Self::Destroyed) => {
                true
            }
            _ => false,
        }
    }
}

/// Whether a key is known to its owner alone. Once lost, trust does not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a key is trusted or it is not")]
pub enum Trust {
    /// Nothing else is known.
    Whole,
    /// It was marked as compromised.
    Compromised,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the design, cell by cell: state, verb, answer.
    fn check(state: KeyState, verb: Verb, expect: Result<Step, Refused>) {
        assert_eq!(state.answer(verb), expect, "{state} x {verb:?}");
    }

    const STAYS: Result<Step, Refused> = Ok(Step::Stays);
    const fn becomes(state: KeyState) -> Result<Step, Refused> {
        Ok(Step::Becomes(state))
    }

    // clause
    #[test]
    fn an_enabled_key() {
        let state = KeyState::Enabled;
        check(state, Verb::Wrap(Standing::Current), STAYS);
        for (standing, refused) in [
            (Standing::Superseded, Refused::Superseded),
            (Standing::Expired, Refused::Expired),
            (Standing::Compromised, Refused::Compromised),
        ] {
            check(state, Verb::Wrap(standing), Err(refused));
        }
        check(state, Verb::Unwrap, STAYS);
        check(state, Verb::Enable, STAYS);
        check(state, Verb::Disable, becomes(KeyState::Disabled));
        check_in_use(state);
    }

    #[test]
    fn a_disabled_key() {
        let state = KeyState::Disabled;
        for standing in Standing::ALL {
            check(state, Verb::Wrap(standing), Err(Refused::Disabled));
        }
        check(state, Verb::Unwrap, Err(Refused::Disabled));
        check(state, Verb::Enable, becomes(KeyState::Enabled));
        check(state, Verb::Disable, STAYS);
        check_in_use(state);
    }

    /// What both states say in which nothing is scheduled: only a plan ends the key.
    fn check_in_use(state: KeyState) {
        check(state, Verb::Schedule, becomes(KeyState::PendingDeletion));
        check(state, Verb::Cancel, Err(Refused::NotPending));
        for (due, answer) in [
            (Dueness::NotDue, Err(Refused::NotDue)),
            (Dueness::WindowOver, Err(Refused::NotPending)),
            (Dueness::PlanReached, becomes(KeyState::Destroyed)),
        ] {
            check(state, Verb::Destroy(due), answer);
        }
    }

    #[test]
    fn a_key_that_waits_for_its_destruction() {
        let state = KeyState::PendingDeletion;
        for standing in Standing::ALL {
            check(state, Verb::Wrap(standing), Err(Refused::PendingDeletion));
        }
        for verb in [Verb::Unwrap, Verb::Enable, Verb::Disable] {
            check(state, verb, Err(Refused::PendingDeletion));
        }
        check(state, Verb::Schedule, Err(Refused::AlreadyPending));
        check(state, Verb::Cancel, becomes(KeyState::Disabled));
        check(state, Verb::Destroy(Dueness::NotDue), Err(Refused::NotDue));
        for due in [Dueness::WindowOver, Dueness::PlanReached] {
            check(state, Verb::Destroy(due), becomes(KeyState::Destroyed));
        }
    }

    #[test]
    fn a_destroyed_key_answers_nothing() {
        let verbs = [
            Verb::Unwrap,
            Verb::Enable,
            Verb::Disable,
            Verb::Schedule,
            Verb::Cancel,
        ];
        let all = verbs.into_iter();
        let all = all.chain(Standing::ALL.map(Verb::Wrap));
        for verb in all.chain(Dueness::ALL.map(Verb::Destroy)) {
            check(KeyState::Destroyed, verb, Err(Refused::Destroyed));
        }
    }

    #[test]
    fn a_root_version_goes_one_way() {
        use RootState::{Active, DecryptOnly, Destroyed, Pending, Retired};
        let allowed = [
            (Pending, Active),
            (Pending, Retired),
            (Pending, Destroyed),
            (Active, DecryptOnly),
            (Active, Destroyed),
            (DecryptOnly, Retired),
            (DecryptOnly, Destroyed),
            (Retired, Destroyed),
        ];
        for from in RootState::ALL {
            for to in RootState::ALL {
                let expect = allowed.contains(&(from, to));
                assert_eq!(from.may_become(to, Trust::Whole), expect, "{from:?} {to:?}");
                let active = to == Active;
                let compromised = from.may_become(to, Trust::Compromised);
                assert_eq!(compromised, expect && !active, "{from:?} {to:?}");
            }
        }
    }

    #[test]
    fn refusals_are_called_alike_everywhere() {
        for state in [
            KeyState::Disabled,
            KeyState::PendingDeletion,
            KeyState::Destroyed,
        ] {
            let Err(refused) = state.answer(Verb::Unwrap) else {
                panic!("{state} unwraps");
            };
            assert_eq!(refused.name(), state.name());
            assert_eq!(refused.to_string(), refused.name());
        }
    }
}
