//! The judgement, and what is counted towards it.

use std::fmt;

use covenant_core::Action;
use time::UtcDateTime;

use super::limit::Side;
use super::observed::{CaseKey, Key};

/// Most violations that are listed, the first to be found: as many as a person reads.
pub const VIOLATIONS_MAX: usize = 1_000;

/// What a monitor says of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Judgement {
    /// Nothing was violated, but these cases were not decided when the history ended.
    Pending(Vec<Open>),
    /// Every case held.
    Satisfied {
        /// How many there were, at least one.
        cases: u64,
        /// The one that was nearest to failing, where the pattern is about time.
        worst: Option<Margin>,
    },
    /// No case was decided: nothing is proven, and this is never success.
    Unseen,
    /// At least one case failed; the first [`VIOLATIONS_MAX`] of them.
    Violated(Vec<Violation>),
}

/// How near a case came to its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Margin {
    /// When its clock started.
    pub since: UtcDateTime,
    /// When it must have happened, or before when it may not.
    pub limit: UtcDateTime,
    /// When it happened.
    pub met: UtcDateTime,
    /// Whole seconds to spare, rounded down.
    pub spare_secs: i64,
}

/// How a case failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Breach {
    /// What must be in the same transaction is not.
    Alone,
    /// Before the floor's end.
    Early,
    /// While it may not.
    Forbidden,
    /// After the ceiling's end.
    Late,
    /// The attribute is absent or not on the list.
    NotMember,
    /// The attribute is absent or belongs to another already.
    NotUnique,
    /// Never, although the ceiling has ended.
    Overdue,
    /// Without what must come first.
    Unpreceded,
}

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which.
    pub case: CaseKey,
    /// How.
    pub breach: Breach,
    /// The event that failed it; `None` when the lack of one did.
    pub action: Option<Action>,
    /// When it failed: the time of that event, else the limit.
    pub at: UtcDateTime,
    /// When its clock started.
    pub since: Option<UtcDateTime>,
    /// The limit that was missed.
    pub limit: Option<UtcDateTime>,
}

/// A case that was not decided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Open {
    /// Which; all of the operator's for [`Undecided::Gap`].
    pub case: CaseKey,
    /// When its clock started; when the gap began.
    pub since: UtcDateTime,
    /// When it would be decided; when the gap ended.
    pub limit: UtcDateTime,
    /// Why it was not.
    pub why: Undecided,
}

/// Why a case was not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Undecided {
    /// The history ended first.
    End,
    /// Not one case: any of them, since nothing is known of what happened in between.
    Gap,
    /// What decided it may lie in a gap of the history.
    Lost,
}

/// In words, without the case.
impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (since, limit) = (self.since, self.limit);
        match self.why {
            Undecided::End => write!(f, "open since {since}, to be decided by {limit}"),
            Undecided::Gap => write!(
                f,
                "nothing is known of what happened from {since} to {limit}"
            ),
            Undecided::Lost => {
                write!(
                    f,
                    "open since {since}, to be decided by {limit}; lost in a gap"
                )
            }
        }
    }
}

/// In words, without the case: `late: at .., limit .., since ..`.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.breach {
            Breach::Alone => "without its counterpart in the transaction",
            Breach::Early => "early",
            Breach::Forbidden => "while it may not",
            Breach::Late => "late",
            Breach::NotMember => "a value that is not on the list",
            Breach::NotUnique => "a value that belongs to another",
            Breach::Overdue => "overdue",
            Breach::Unpreceded => "without what must come first",
        };
        f.write_str(word)?;
        if let Some(action) = self.action {
            write!(f, ": {action}")?;
        }
        write!(f, " at {}", self.at)?;
        if let Some(limit) = self.limit {
            write!(f, ", limit {limit}")?;
        }
        if let Some(since) = self.since {
            write!(f, ", since {since}")?;
        }
        Ok(())
    }
}

/// A record of an open case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) since: UtcDateTime,
    pub(super) limit: UtcDateTime,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    cases: u64,
    worst: Option<Margin>,
    violations: Vec<Violation>,
    open: Vec<Open>,
}

impl Tally {
    /// A case that held, without a time.
    pub(super) const fn hold(&mut self) {
        self.cases = self.cases.saturating_add(1);
    }

    pub(super) fn violate(&mut self, violation: Violation) {
        self.hold();
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }

    pub(super) fn leave_open(&mut self, key: Key, case: Case, why: Undecided) {
        let (since, limit) = (case.since, case.limit);
        self.open.push(Open {
            case: key.into(),
            since,
            limit,
            why,
        });
    }

    /// `action` of a case came at `at`: in time or not.
    pub(super) fn settle(
        &mut self,
        key: Key,
        case: Case,
        side: Side,
        at: UtcDateTime,
        action: Action,
    ) {
        let (spare, breach) = match side {
            Side::Ceiling => (case.limit - at, Breach::Late),
            Side::Floor => (at - case.limit, Breach::Early),
        };
        if spare.is_negative() {
            self.violate(Violation {
                case: key.into(),
                breach,
                action: Some(action),
                at,
                since: Some(case.since),
                limit: Some(case.limit),
            });
            return;
        }
        self.hold();
        let spare_secs = spare.whole_seconds();
        if self.worst.is_none_or(|worst| spare_secs < worst.spare_secs) {
            self.worst = Some(Margin {
                since: case.since,
                limit: case.limit,
                met: at,
                spare_secs,
            });
        }
    }

    /// A ceiling ended and nothing came.
    pub(super) fn overdue(&mut self, key: Key, case: Case) {
        self.violate(Violation {
            case: key.into(),
            breach: Breach::Overdue,
            action: None,
            at: case.limit,
            since: Some(case.since),
            limit: Some(case.limit),
        });
    }

    pub(super) const fn decided(&self) -> u64 {
        self.cases
    }

    /// The one that was nearest to failing and did not.
    pub(super) const fn worst(&self) -> Option<Margin> {
        self.worst
    }

    pub(super) fn judgement(self) -> Judgement {
        if !self.violations.is_empty() {
            Judgement::Violated(self.violations)
        } else if !self.open.is_empty() {
            Judgement::Pending(self.open)
        } else if self.cases == 0 {
            Judgement::Unseen
        } else {
            Judgement::Satisfied {
                cases: self.cases,
                worst: self.worst,
            }
        }
    }
}
