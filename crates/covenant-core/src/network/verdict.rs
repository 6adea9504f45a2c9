//! What a network's check found, and where to look.

use time::{Date, UtcDateTime};

/// Whether promises about time can all be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new outcome must be considered by every reader"
)]
pub enum Verdict {
    /// On every date that was tried, all of them can be kept.
    Consistent,
    /// On no date can all of these be kept.
    Always {
        /// Clauses and keys, sorted; without any one of them it could not be shown.
        labels: Vec<String>,
    },
    /// On some dates these cannot all be kept.
    SomeDates {
        /// The first such start.
        witness: Witness,
        /// Start days, of 146,097, on which all constraints together cannot be kept.
        days: u32,
        /// Clauses and keys, sorted; without any one of them the witness is no contradiction.
        labels: Vec<String>,
    },
    /// Bounds leave it open, and no exact answer is possible: the reading has a zone with clock
    /// changes or the month rule `clamp`, or the search ran out of steps.
    Undecided {
        /// Clauses and keys, sorted; without any one of them the bounds would show that it holds.
        labels: Vec<String>,
    },
}

/// A start from which promises cannot all be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Witness {
    /// The event that nobody chooses.
    pub root: String,
    /// When it happens.
    pub at: UtcDateTime,
    /// The same as a date in the first zone of the reading.
    pub date: Date,
}

impl Verdict {
    /// Whether all can be kept on every date.
    #[must_use]
    pub const fn is_consistent(&self) -> bool {
        matches!(self, Self::Consistent)
    }

    /// The clauses and keys that explain it; none when all is well.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Consistent => &[],
            Self::Always { labels }
            | Self::SomeDates { labels, .. }
            | Self::Undecided { labels } => labels,
        }
    }
}
