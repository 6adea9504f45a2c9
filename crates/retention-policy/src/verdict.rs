//! The answer to "what about this item, now?", with its reasons.

use covenant_core::{ClauseId, HoldId, Period};
use time::UtcDateTime;

pub use covenant_core::Window;

use crate::{Act, HoldMode, Matter, RuleId};

/// What is to be done with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum State {
    /// A hold keeps it, whatever the rules say; see [`Verdict::held_by`].
    Held,
    /// A floor keeps it, or nothing has started yet.
    Keep,
    /// It may go; [`Act`] says whether it does.
    Eligible,
    /// Disposal must start, or the deadline is missed.
    Due,
    /// The deadline has come and the item is still there: dispose of it, and alarm.
    Overdue,
    /// Facts make a floor end after the deadline: kept, an alarm, a person decides.
    Conflict,
}

/// Until when an item is kept; ordered, later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a restore must consider every case"
)]
pub enum KeepUntil {
    /// Nothing keeps it.
    Free,
    /// Up to this instant; from it on the item is free.
    At(UtcDateTime),
    /// The end is not known: an event has not happened yet.
    Open,
}

/// What a rule had to say about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// A floor keeps the item until this instant.
    KeepsUntil(UtcDateTime),
    /// A floor or `until` rule keeps the item, and its end is not known.
    KeepsOpen,
    /// An `until` rule has ended, or the event that a rule is about has happened.
    Ended,
    /// A floor or `until` rule was waived by an event at this instant.
    Waived(UtcDateTime),
    /// A ceiling wants the item gone by this instant.
    GoneBy(UtcDateTime),
    /// A ceiling has not started, or its end lies beyond the calendar.
    NotStarted,
}

/// One rule that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The rule.
    pub rule: RuleId,
    /// The clause it stands for.
    pub clause: Option<ClauseId>,
    /// The occurrence it counts from.
    pub anchor: Option<UtcDateTime>,
    /// How long it counts.
    pub period: Option<Period>,
    /// Both readings of the period, before any tolerance.
    pub window: Option<Window>,
    /// What follows from it.
    pub effect: Effect,
    /// Whether `keep_until` or `gone_by` is this rule's.
    pub decided: bool,
}

/// One hold that was found to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldReason {
    /// The hold.
    pub hold: HoldId,
    /// What it serves.
    pub matter: Matter,
    /// Who may end it, and when it ends by itself.
    pub mode: HoldMode,
}

/// Why an item could not be judged; it is kept, and somebody must look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unclassified {
    /// The rules do not know the class, or not in this store.
    #[error("the class of the item is not known to the rules in this store")]
    Class,
    /// The rules do not know the store.
    #[error("the store of the item is not known to the rules")]
    Store,
    /// The rules do not know one of its events.
    #[error("an event of the item is not known to the rules")]
    Trigger,
}

/// Every rule that was looked at, in order of their ids, and every hold that matches; no customer
/// content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons {
    /// The rules.
    pub rules: Vec<Reason>,
    /// The holds, in order of their ids.
    pub holds: Vec<HoldReason>,
    /// Why the item could not be judged.
    pub unclassified: Option<Unclassified>,
}

/// What is to be done with an item at one instant, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What is to be done.
    pub state: State,
    /// Until when it is kept.
    pub keep_until: KeepUntil,
    /// By when every copy in its store must be gone; from this instant on nothing is given back.
    pub gone_by: Option<UtcDateTime>,
    /// When its disposal must start.
    pub start_by: Option<UtcDateTime>,
    /// The active holds that match, in order of their ids; not empty exactly when it is held.
    pub held_by: Vec<HoldId>,
    /// The deadline that has passed while holds keep the item: it goes as soon as the last ends.
    pub suspended: Option<UtcDateTime>,
    /// The first later instant at which the state is another, if nothing more happens to the item.
    pub next_change: Option<UtcDateTime>,
    /// Whether an eligible item goes at once.
    pub act: Act,
    /// Why.
    pub because: Reasons,
}

impl Verdict {
    /// Whether a sweep disposes of the item now.
    #[must_use]
    pub const fn disposes(&self) -> bool {
        match self.state {
            State::Eligible => matches!(self.act, Act::Early),
            State::Due | State::Overdue => true,
            State::Held | State::Keep | State::Conflict => false,
        }
    }

    /// Whether the item may still be given back to anybody at this instant: a restore of a snapshot
    /// is refused from `gone_by` on, whatever bytes remain.
    // clause: P-18
    #[must_use]
    pub fn restorable_at(&self, at: UtcDateTime) -> bool {
        self.gone_by.is_none_or(|gone_by| at < gone_by)
    }

    /// Whether somebody must be told: overdue, in conflict, or not to be judged.
    #[must_use]
    pub const fn alarms(&self) -> bool {
        matches!(self.state, State::Overdue | State::Conflict)
            || self.because.unclassified.is_some()
    }
}

impl State {
    /// The name, as reports spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Keep => "keep",
            Self::Eligible => "eligible",
            Self::Due => "due",
            Self::Overdue => "overdue",
            Self::Conflict => "conflict",
        }
    }
}
