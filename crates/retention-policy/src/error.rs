//! Why rules do not load.

use std::fmt;

use covenant_core::{ClauseIdError, PeriodError};

use crate::NameError;

/// One reason why rules do not load. A rule is named by its id, or by `#` and its number from 1
/// where the id is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A name is malformed.
    #[error("{place}: malformed name of a {what}")]
    Name {
        /// Where.
        place: String,
        /// What it should name.
        what: &'static str,
        /// Why.
        #[source]
        source: NameError,
    },
    /// A clause id is malformed.
    #[error("rule {rule}: malformed clause id")]
    Clause {
        /// The rule.
        rule: String,
        /// Why.
        #[source]
        source: ClauseIdError,
    },
    /// A period is malformed or too long.
    #[error("rule {rule}: bad {field}")]
    Period {
        /// The rule.
        rule: String,
        /// `period`, `early` or `late`.
        field: &'static str,
        /// Why.
        #[source]
        source: PeriodError,
    },
    /// A tolerance has months or days, whose length depends on the date.
    #[error("rule {rule}: {field} takes hours, minutes and seconds only")]
    Tolerance {
        /// The rule.
        rule: String,
        /// `early` or `late`.
        field: &'static str,
    },
    /// The rule lacks something that its kind needs.
    #[error("rule {rule}: {field} is missing")]
    Missing {
        /// The rule.
        rule: String,
        /// What.
        field: &'static str,
    },
    /// The rule has something that its kind does not have.
    #[error("rule {rule}: {field} does not belong to a rule of this kind")]
    Misplaced {
        /// The rule.
        rule: String,
        /// What.
        field: &'static str,
    },
    /// Something was said about the last rule before there was one.
    #[error("{call} was called before any rule")]
    Stray {
        /// The call.
        call: &'static str,
    },
    /// Two things have one name.
    #[error("the {what} {id} is declared twice")]
    Duplicate {
        /// Rule, class or store.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// A class or store is named and not declared.
    #[error("{place}: the {what} {id} is not declared")]
    Unknown {
        /// Where.
        place: String,
        /// Class or store.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// A class is its own ancestor.
    #[error("the class {class} is its own ancestor")]
    ClassCycle {
        /// The class.
        class: String,
    },
    /// An event cancels itself.
    #[error("the event {event} cancels itself")]
    CancelsItself {
        /// The event.
        event: String,
    },
    /// No rule rules this class in this store: nobody said what becomes of it.
    #[error("no rule for class {class} in store {store}")]
    Unruled {
        /// The class.
        class: String,
        /// The store.
        store: String,
    },
    /// A floor and a ceiling are one figure and leave no room for a sweep.
    #[error("rules {floor} and {ceiling} leave no room: declare early on one or late on the other")]
    ZeroWidth {
        /// The floor.
        floor: String,
        /// The ceiling.
        ceiling: String,
    },
    /// A floor ends after a ceiling, on every date.
    #[error("rules {floor} and {ceiling} can never both hold")]
    Contradiction {
        /// The floor.
        floor: String,
        /// The ceiling.
        ceiling: String,
    },
    /// More than the rules may have.
    #[error("more than {max} of: {what}")]
    TooMany {
        /// What.
        what: &'static str,
        /// The cap.
        max: usize,
    },
}

/// Every reason why rules do not load; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleErrors(Vec<RuleError>);

impl RuleErrors {
    /// The reasons, or nothing when there is none.
    pub(crate) fn of(errors: Vec<RuleError>) -> Option<Self> {
        if errors.is_empty() {
            None
        } else {
            Some(Self(errors))
        }
    }

    /// The reasons, in the order in which they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[RuleError] {
        &self.0
    }
}

impl fmt::Display for RuleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}
impl std::error::Error for RuleErrors {}
impl IntoIterator for RuleErrors {
    type Item = RuleError;
    type IntoIter = std::vec::IntoIter<RuleError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
