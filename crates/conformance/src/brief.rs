//! The figures that one scenario reads, taken from the clauses that bind it: nothing else of a
//! policy reaches a scenario, so the same scenario serves any policy.

use std::collections::BTreeSet;

use covenant_core::{Period, PeriodError, Reading, Zone};
use time::{Duration, UtcDateTime};

/// The limits of one promise about time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Not sooner than this after the start, less `early`.
    pub min: Option<Period>,
    /// Not later than this after the start, plus `late`.
    pub max: Option<Period>,
    /// Declared tolerance below the floor.
    pub early: Period,
    /// Declared tolerance above the ceiling.
    pub late: Period,
}

/// What a scenario is told: figures and how to read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// The limits, for a promise about time.
    pub limits: Option<Limits>,
    /// The count, for a promise that is one.
    pub count: Option<u64>,
    /// The words of a closed list.
    pub tokens: BTreeSet<String>,
    /// How periods are read.
    pub reading: Reading,
    /// The document's civil zone: the first that it names.
    pub zone: Zone,
}

/// A figure that a scenario needs is not in the clause, or leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BriefError {
    /// The clause lacks the figure.
    #[error("the clause gives no {0}")]
    Missing(&'static str),
    /// The period ends outside the calendar.
    #[error("the period of the clause cannot be resolved")]
    Period(#[from] PeriodError),
}

impl Brief {
    /// The instant before which it must not have happened: the latest reading of the floor, less the
    /// declared tolerance.
    ///
    /// # Errors
    /// [`BriefError`] when there is no floor, or it ends outside the calendar.
    pub fn floor(&self, from: UtcDateTime) -> Result<UtcDateTime, BriefError> {
        let limits = self.limits.as_ref().ok_or(BriefError::Missing("floor"))?;
        let min = limits.min.ok_or(BriefError::Missing("floor"))?;
        let latest = min.resolve(from, &self.reading)?.latest;
        let early = self.shortest(&limits.early);
        latest
            .checked_sub(early)
            .ok_or(BriefError::Period(PeriodError::OutOfRange))
    }

    /// The instant by which it must have happened: the earliest reading of the ceiling, plus the
    /// declared tolerance.
    ///
    /// # Errors
    /// [`BriefError`] when there is no ceiling, or it ends outside the calendar.
    pub fn ceiling(&self, from: UtcDateTime) -> Result<UtcDateTime, BriefError> {
        let limits = self.limits.as_ref().ok_or(BriefError::Missing("ceiling"))?;
        let max = limits.max.ok_or(BriefError::Missing("ceiling"))?;
        let earliest = max.resolve(from, &self.reading)?.earliest;
        let late = self.shortest(&limits.late);
        earliest
            .checked_add(late)
            .ok_or(BriefError::Period(PeriodError::OutOfRange))
    }

    /// Key bits that the words demand: the number after `aes-`.
    #[must_use]
    pub fn key_bits(&self) -> Option<u16> {
        self.tokens
            .iter()
            .filter_map(|token| {
                token
                    .to_ascii_lowercase()
                    .strip_prefix("aes-")?
                    .parse()
                    .ok()
            })
            .max()
    }

    /// A tolerance in its shortest reading, which is the strict one on either side.
    fn shortest(&self, tolerance: &Period) -> Duration {
        let secs = tolerance.bounds(&self.reading).shortest_secs;
        Duration::seconds(i64::try_from(secs).unwrap_or(i64::MAX))
    }
}
