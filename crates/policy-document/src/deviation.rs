//! A reasoned difference between what a page promises and what is delivered.

use covenant_core::ClauseId;
use time::Date;

use crate::clause::words;
use crate::{Name, Position};

words! {
    /// In which direction a delivery differs from its promise.
    DeviationClass {
        /// More is delivered than was promised.
        Stricter = "stricter",
        /// The words cannot hold as written, and are read so.
        Reinterpreted = "reinterpreted",
        /// Less is delivered than was promised; such a document is not accepted.
        Weaker = "weaker",
    }
}

/// A difference, with its reason and the day by which somebody looks at it again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deviation {
    /// The clause.
    pub clause: ClauseId,
    /// Where its table stands.
    pub at: Position,
    /// Its direction.
    pub class: DeviationClass,
    /// What the page promises, in our words.
    pub promised: String,
    /// What is delivered.
    pub delivered: String,
    /// Why.
    pub reason: String,
    /// Who accepted it.
    pub approved_by: String,
    /// In force through this day, in UTC.
    pub review_by: Date,
    /// The only profile it is about; `None` for all.
    pub profile: Option<Name>,
}

impl Deviation {
    /// Whether it is in force on this day: through the day of its review.
    #[must_use]
    pub fn in_force(&self, today: Date) -> bool {
        today <= self.review_by
    }

    /// Whether it is about this profile.
    #[must_use]
    pub fn concerns(&self, profile: &str) -> bool {
        self.profile
            .as_ref()
            .is_none_or(|name| name.as_str() == profile)
    }
}
