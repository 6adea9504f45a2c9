//! The typed number of a promise: a bound in time, or a count, ratio, closed list or word.

use std::collections::BTreeSet;
use std::fmt;

use covenant_core::{Action, Period};

use crate::{Name, Token};

/// A figure that is no bound in time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Figure {
    /// So many.
    Count(u64),
    /// The named parts, all of them.
    Fields(BTreeSet<Token>),
    /// One of the named values, no other.
    OneOf(BTreeSet<Token>),
    /// A share of the whole.
    Ratio {
        /// Parts.
        num: u64,
        /// Of so many.
        den: u64,
        /// Whether only more than the share counts.
        over: bool,
    },
    /// A single word.
    Text(Token),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Fields(parts) => list(f, parts, " + "),
            Self::OneOf(values) => list(f, values, " | "),
            Self::Ratio { num, den, over } => {
                write!(f, "{}{num}/{den}", if *over { "> " } else { "" })
            }
            Self::Text(word) => write!(f, "{word}"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, words: &BTreeSet<Token>, between: &str) -> fmt::Result {
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        write!(f, "{word}")?;
    }
    Ok(())
}

/// A figure the vendor did not give, with the reason for ours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Declared {
    /// The figure.
    pub value: DeclaredValue,
    /// Why this one, in words.
    pub why: String,
    /// Words of the page that it gives a meaning, of those in the clause's `hedges`.
    pub answers: BTreeSet<Token>,
}

/// The value of a declared figure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeclaredValue {
    /// So many.
    Count(u64),
    /// The event that starts the clock.
    Event(Action),
    /// A length of time.
    Period(Period),
    /// Named values.
    Set(BTreeSet<Token>),
    /// A single word.
    Text(Token),
}

impl Declared {
    /// The length of time, if it is one.
    #[must_use]
    pub const fn period(&self) -> Option<Period> {
        match &self.value {
            DeclaredValue::Period(period) => Some(*period),
            DeclaredValue::Count(_)
            | DeclaredValue::Event(_)
            | DeclaredValue::Set(_)
            | DeclaredValue::Text(_) => None,
        }
    }

    /// The count, if it is one.
    #[must_use]
    pub const fn count(&self) -> Option<u64> {
        match &self.value {
            DeclaredValue::Count(count) => Some(*count),
            DeclaredValue::Event(_)
            | DeclaredValue::Period(_)
            | DeclaredValue::Set(_)
            | DeclaredValue::Text(_) => None,
        }
    }
}

impl fmt::Display for DeclaredValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Event(action) => write!(f, "{action}"),
            Self::Period(period) => write!(f, "{period}"),
            Self::Set(words) => list(f, words, " + "),
            Self::Text(word) => write!(f, "{word}"),
        }
    }
}

/// A rhythm that no period expresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Per {
    /// Once in each night of the civil calendar of the declared zone.
    CivilNight,
}

/// A state that an event must put its object into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum State {
    /// A database out of its trial or subscription.
    Expired,
    /// No normal read shows it.
    Invisible,
    /// A paid database that is kept and cannot be opened.
    Locked,
    /// No read of any kind succeeds.
    Unreadable,
}

impl State {
    /// Every state, in the order of their names.
    pub const ALL: &'static [Self] = &[
        Self::Expired,
        Self::Invisible,
        Self::Locked,
        Self::Unreadable,
    ];

    /// The state as a document spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Invisible => "invisible",
            Self::Locked => "locked",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A bound in time between events, one constraint for each event of `to`.
///
/// For a floor without `min` the events of `to` are the end of the duty to keep. Values are either
/// as stated by the page ([`crate::Clause::stated`]) or in force, with the declared figures filled
/// in ([`crate::Clause::bound`]).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bound {
    /// The events that start the clock, any of them; empty for a rhythm or an attribute.
    pub from: BTreeSet<Action>,
    /// The events that must, or must not yet, have happened; empty when a state is meant.
    pub to: BTreeSet<Action>,
    /// The states that `from` must lead to, any of them.
    pub state: BTreeSet<State>,
    /// The attribute of `to` that is itself the period.
    pub of: Option<Name>,
    /// At least this long.
    pub min: Option<Period>,
    /// At most this long.
    pub max: Option<Period>,
    /// The rhythm, where it is no period.
    pub per: Option<Per>,
    /// Declared tolerance of the floor: it may end this much earlier.
    pub early: Period,
    /// Declared tolerance of the ceiling: it may be met this much later.
    pub late: Period,
    /// Events that end the floor.
    pub waived_by: BTreeSet<Action>,
}

impl Bound {
    /// The one event that starts the clock; `None` when there is none or a choice.
    #[must_use]
    pub fn start(&self) -> Option<Action> {
        let mut all = self.from.iter();
        match (all.next(), all.next()) {
            (Some(action), None) => Some(*action),
            _ => None,
        }
    }
}
