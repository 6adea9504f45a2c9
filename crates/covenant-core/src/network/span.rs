//! How long after one event another may come: the residency of whatever goes from one to the other.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

/// Least and most time between two events that the constraints allow, over every start.
///
/// It is a bound: where several periods of months follow each other, no single start need come as
/// near to it as a day or two.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Span {
    /// No start gives less: the longest way over floors. `None` without any such way.
    pub least: Option<Stretch>,
    /// No start gives more: the shortest way over ceilings. `None` without any such way.
    pub most: Option<Stretch>,
}

/// One side of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stretch {
    /// Its length; negative when the other event may come before.
    pub secs: i64,
    /// The clauses that give it.
    pub labels: BTreeSet<String>,
}

impl Span {
    /// The least in whole days, rounded down: this many days are certain.
    #[must_use]
    pub fn min_days(&self) -> Option<i64> {
        self.least.as_ref().map(|way| way.secs.div_euclid(86_400))
    }

    /// The most in whole days, rounded up: after this many days it has happened.
    #[must_use]
    pub fn max_days(&self) -> Option<i64> {
        let up = |way: &Stretch| {
            way.secs
                .saturating_neg()
                .div_euclid(86_400)
                .saturating_neg()
        };
        self.most.as_ref().map(up)
    }
}
