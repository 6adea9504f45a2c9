//! The answer to "what about this item, now?", with its reasons.

use std::fmt;
use std::sync::Arc;

use covenant_core::{ClauseId, Ends, HoldId, Period, UnixTime};
use time::UtcDateTime;

pub use covenant_core::Window;

use crate::rule::Rule;
use crate::selected::{Anchor, Standing};
use crate::{Act, HoldMode, Limit, Matter, RuleId};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason<'a> {
    /// The rule.
    pub rule: &'a RuleId,
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
///
/// It shares the rules with the set that it comes from: a verdict copies none of them.
#[derive(Clone, Default)]
pub struct Reasons {
    set: Option<Arc<[Rule]>>,
    standing: Vec<Option<Standing>>,
    said: Vec<Said>,
    together: Together,
    holds: Vec<HoldReason>,
    unclassified: Option<Unclassified>,
}

/// What follows from all rules together.
#[derive(Clone, Copy)]
pub(crate) struct Together {
    pub(crate) keep: Keep,
    pub(crate) gone: Option<UnixTime>,
}

/// Until when the rules keep; ordered, later is greater. [`KeepUntil`] spells it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Keep {
    Free,
    At(UnixTime),
    Open,
}

/// What a rule said. The rule is its position in the set, the anchor that among the events: a
/// verdict keeps one of these for each rule, and dates are spelled when somebody reads them.
#[derive(Clone, Copy)]
pub(crate) struct Said {
    rule: u32,
    pub(crate) anchor: Anchor,
    pub(crate) outcome: Outcome,
    /// Where the period ends, before any tolerance, or twice the instant of a waiver; beside the
    /// outcome, not in it, so that a verdict is a third smaller.
    ends: Ends,
}

/// What follows from a rule, as [`Effect`] spells it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    KeepsUntil,
    KeepsOpen,
    Ended,
    Waived,
    GoneBy,
    NotStarted,
}

impl Said {
    /// What the rule at the position said, counted from the anchor, and the instants of what it
    /// said; an outcome without an instant has any.
    pub(crate) fn new(rule: usize, anchor: Anchor, outcome: Outcome, ends: Ends) -> Self {
        Self {
            // rules are capped far below what 32 bits count
            rule: u32::try_from(rule).unwrap_or(u32::MAX),
            anchor,
            outcome,
            ends,
        }
    }

    /// The rule, if the set is the one that it was said in.
    fn rule<'a>(&self, set: &'a [Rule]) -> Option<&'a Rule> {
        set.get(usize::try_from(self.rule).ok()?)
    }

    /// When a floor that has started lets go, or a ceiling that has started wants the item gone.
    pub(crate) fn at(&self, rule: &Rule) -> Option<UnixTime> {
        match (self.outcome, &rule.limit) {
            (Outcome::KeepsUntil, Limit::Floor { early_secs, .. }) => {
                Some(self.ends.latest().earlier(*early_secs))
            }
            (Outcome::GoneBy, Limit::Ceiling { late_secs, .. }) => {
                Some(self.ends.earliest().later(*late_secs))
            }
            _ => None,
        }
    }

    fn effect(&self, rule: &Rule) -> Effect {
        match (self.outcome, self.at(rule)) {
            (Outcome::KeepsUntil, Some(at)) => Effect::KeepsUntil(at.utc()),
            (Outcome::GoneBy, Some(at)) => Effect::GoneBy(at.utc()),
            (Outcome::KeepsUntil | Outcome::KeepsOpen, _) => Effect::KeepsOpen,
            (Outcome::GoneBy | Outcome::NotStarted, _) => Effect::NotStarted,
            (Outcome::Ended, _) => Effect::Ended,
            (Outcome::Waived, _) => Effect::Waived(self.ends.earliest().utc()),
        }
    }

    fn window(&self) -> Option<Window> {
        match self.outcome {
            Outcome::KeepsUntil | Outcome::GoneBy => Some(self.ends.window()),
            Outcome::KeepsOpen | Outcome::Ended | Outcome::Waived | Outcome::NotStarted => None,
        }
    }
}

impl Together {
    /// No rule was asked.
    const NONE: Self = Self {
        keep: Keep::Open,
        gone: None,
    };

    /// Whether one of the two is this rule's.
    fn decided_by(&self, said: &Said, rule: &Rule) -> bool {
        match (said.outcome, said.at(rule)) {
            (Outcome::KeepsUntil, Some(at)) => self.keep == Keep::At(at),
            (Outcome::KeepsUntil | Outcome::KeepsOpen, _) => self.keep == Keep::Open,
            (Outcome::GoneBy, Some(at)) => self.gone == Some(at),
            (_, _) => false,
        }
    }
}

impl Default for Together {
    fn default() -> Self {
        Self::NONE
    }
}

impl Keep {
    pub(crate) fn spelled(self) -> KeepUntil {
        match self {
            Self::Free => KeepUntil::Free,
            Self::At(at) => KeepUntil::At(at.utc()),
            Self::Open => KeepUntil::Open,
        }
    }
}

impl Reasons {
    pub(crate) fn of(
        set: &Arc<[Rule]>,
        standing: Vec<Option<Standing>>,
        said: Vec<Said>,
        together: Together,
        holds: Vec<HoldReason>,
    ) -> Self {
        Self {
            set: Some(Arc::clone(set)),
            standing,
            said,
            together,
            holds,
            unclassified: None,
        }
    }

    pub(crate) const fn unjudged(why: Unclassified, holds: Vec<HoldReason>) -> Self {
        Self {
            set: None,
            standing: Vec::new(),
            said: Vec::new(),
            together: Together::NONE,
            holds,
            unclassified: Some(why),
        }
    }

    /// The rules.
    pub fn rules(&self) -> impl Iterator<Item = Reason<'_>> + Clone {
        let set = self.set.as_deref().unwrap_or_default();
        self.said.iter().filter_map(|said| {
            let rule = said.rule(set)?;
            let period = match &rule.limit {
                Limit::Floor { period, .. } | Limit::Ceiling { period, .. } => Some(*period),
                Limit::Until { .. } => None,
            };
            Some(Reason {
                rule: &rule.id,
                clause: rule.clause,
                anchor: said.anchor.of(&self.standing).map(UnixTime::utc),
                period,
                window: said.window(),
                effect: said.effect(rule),
                decided: self.together.decided_by(said, rule),
            })
        })
    }

    /// The rules that decided or were waived, in order of their ids: what a plan names. Nothing else
    /// of them is spelled.
    pub(crate) fn deciding(&self) -> impl Iterator<Item = &RuleId> + Clone {
        let set = self.set.as_deref().unwrap_or_default();
        self.said.iter().filter_map(|said| {
            let rule = said.rule(set)?;
            let named = said.outcome == Outcome::Waived || self.together.decided_by(said, rule);
            named.then_some(&rule.id)
        })
    }

    /// The holds, in order of their ids.
    #[must_use]
    pub fn holds(&self) -> &[HoldReason] {
        &self.holds
    }

    /// Why the item could not be judged.
    #[must_use]
    pub const fn unclassified(&self) -> Option<Unclassified> {
        self.unclassified
    }
}

impl PartialEq for Reasons {
    /// Two sets that say the same are equal, whatever other rules they have.
    fn eq(&self, other: &Self) -> bool {
        self.rules().eq(other.rules())
            && self.holds == other.holds
            && self.unclassified == other.unclassified
    }
}
impl Eq for Reasons {}

impl fmt::Debug for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<Reason<'_>> = self.rules().collect();
        f.debug_struct("Reasons")
            .field("rules", &rules)
            .field("holds", &self.holds)
            .field("unclassified", &self.unclassified)
            .finish()
    }
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
            || self.because.unclassified().is_some()
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
