//! What a monitor looks for.

use std::collections::BTreeSet;
use std::fmt;

use covenant_core::{Action, Period};

use crate::Token;

/// What belongs together: which events are about the same case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cases {
    /// All of a tenant is one case.
    Tenant,
    /// Each thing of a tenant is a case.
    Thing,
    /// Each vault of backups is a case: the `vault` of a backup that completed, the thing itself of
    /// any other event.
    Vault,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rhythm {
    /// Once in each night of the civil calendar, which runs from noon to noon of local time; under
    /// several zones in the nights of each.
    CivilNight,
    /// With no longer gap than this.
    Period(Period),
}

/// A pattern over events. Names of events mean events of the same case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pattern {
    /// Each `when` has a `then` in its transaction, before it or after it.
    Always {
        /// What obliges.
        when: Action,
        /// What must be there too.
        then: Action,
    },
    /// Nothing of `then` before the first `first`.
    Before {
        /// What must come first.
        first: Action,
        /// What may come only then.
        then: Action,
        /// What belongs together.
        cases: Cases,
    },
    /// `action` comes again in the rhythm, from its first time on. The interval that runs when the
    /// history ends is passed over once another was whole.
    Every {
        /// What comes again.
        action: Action,
        /// How often.
        rhythm: Rhythm,
        /// Declared tolerance.
        late: Period,
        /// What ends the rhythm until the next `action`.
        ended_by: BTreeSet<Action>,
        /// What belongs together.
        cases: Cases,
    },
    /// In each `action` the attribute is a word of the list.
    Member {
        /// What is looked at.
        action: Action,
        /// The attribute.
        attribute: Token,
        /// The list.
        set: BTreeSet<Token>,
    },
    /// No `action` between a `from` and the next `until`.
    Never {
        /// What may not happen.
        action: Action,
        /// What begins the state.
        from: BTreeSet<Action>,
        /// What ends it.
        until: BTreeSet<Action>,
        /// What belongs together.
        cases: Cases,
    },
    /// After a `from` no `to` for at least `min`. A second `from` before the `to` begins the time
    /// anew: the later end holds.
    NotBefore {
        /// What starts the clock, any of them.
        from: BTreeSet<Action>,
        /// What may not come yet.
        to: Action,
        /// At least this long.
        min: Period,
        /// Declared tolerance: it may end this much earlier.
        early: Period,
        /// What waives or undoes it.
        ended_by: BTreeSet<Action>,
        /// What belongs together.
        cases: Cases,
    },
    /// One value of the attribute for each value of `per` and the other way round, in each tenant's
    /// and every other's events together.
    Unique {
        /// What is looked at.
        action: Action,
        /// The attribute.
        attribute: Token,
        /// To what it belongs.
        per: Token,
    },
    /// After a `from` a `to` in at most `max`. A second `from` before the `to` does not move the
    /// end: the earlier one holds.
    Within {
        /// What starts the clock, any of them.
        from: BTreeSet<Action>,
        /// What must come.
        to: Action,
        /// At most this long.
        max: Period,
        /// Declared tolerance: it may come this much later.
        late: Period,
        /// What undoes it; too late it does not.
        ended_by: BTreeSet<Action>,
        /// What belongs together.
        cases: Cases,
    },
}

impl Pattern {
    /// What belongs together; `None` for a pattern without cases of its own.
    #[must_use]
    pub const fn cases(&self) -> Option<Cases> {
        match self {
            Self::Before { cases, .. }
            | Self::Every { cases, .. }
            | Self::Never { cases, .. }
            | Self::NotBefore { cases, .. }
            | Self::Within { cases, .. } => Some(*cases),
            Self::Always { .. } | Self::Member { .. } | Self::Unique { .. } => None,
        }
    }

    /// Every action that it looks at; no other changes what it says.
    #[must_use]
    pub fn actions(&self) -> BTreeSet<Action> {
        match self {
            Self::Always { when, then } => [*when, *then].into(),
            Self::Before { first, then, .. } => [*first, *then].into(),
            Self::Every {
                action, ended_by, ..
            } => ended_by.iter().copied().chain([*action]).collect(),
            Self::Member { action, .. } | Self::Unique { action, .. } => [*action].into(),
            Self::Never {
                action,
                from,
                until,
                ..
            } => from.iter().chain(until).copied().chain([*action]).collect(),
            Self::NotBefore {
                from, to, ended_by, ..
            }
            | Self::Within {
                from, to, ended_by, ..
            } => from.iter().chain(ended_by).copied().chain([*to]).collect(),
        }
    }
}

impl fmt::Display for Cases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Thing => "thing",
            Self::Vault => "vault",
        })
    }
}

impl fmt::Display for Rhythm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CivilNight => f.write_str("civil-night"),
            Self::Period(period) => write!(f, "{period}"),
        }
    }
}

/// `within(record.deleted, record.purged, P30D) late PT25H unless record.restored, per thing`.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always { when, then } => write!(f, "always({when} implies {then})"),
            Self::Before { first, then, cases } => {
                write!(f, "before({first}, {then}), per {cases}")
            }
            Self::Every {
                action,
                rhythm,
                late,
                ended_by,
                cases,
            } => {
                write!(
                    f,
                    "every({action}, {rhythm}) late {late}{}, per {cases}",
                    Unless(ended_by)
                )
            }
            Self::Member {
                action,
                attribute,
                set,
            } => {
                let words: Vec<_> = set.iter().map(ToString::to_string).collect();
                write!(f, "member({action} {attribute}, {})", words.join(" | "))
            }
            Self::Never {
                action,
                from,
                until,
                cases,
            } => {
                let (from, until) = (names(from), names(until));
                write!(f, "never({action} while {from} until {until}), per {cases}")
            }
            Self::NotBefore {
                from,
                to,
                min,
                early,
                ended_by,
                cases,
            } => {
                write!(f, "not_before({}, {to}, {min}) early {early}", names(from))?;
                write!(f, "{}, per {cases}", Unless(ended_by))
            }
            Self::Unique {
                action,
                attribute,
                per,
            } => {
                write!(f, "unique({action} {attribute} per {per})")
            }
            Self::Within {
                from,
                to,
                max,
                late,
                ended_by,
                cases,
            } => {
                write!(f, "within({}, {to}, {max}) late {late}", names(from))?;
                write!(f, "{}, per {cases}", Unless(ended_by))
            }
        }
    }
}

struct Unless<'a>(&'a BTreeSet<Action>);

impl fmt::Display for Unless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, " unless {}", names(self.0))
    }
}

fn names(actions: &BTreeSet<Action>) -> String {
    let names: Vec<_> = actions.iter().map(|action| action.name()).collect();
    names.join(" or ")
}
