//! The figures that one scenario reads, taken from the clauses that bind it: nothing else of a
//! policy reaches a scenario, so the same scenario serves any policy.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use covenant_core::{Action, Period, PeriodError, Reading, Window, Zone};
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

/// What a scenario may be told: figures and how to read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// The limits, for a promise about time.
    pub limits: Option<Limits>,
    /// The count, for a promise that is one.
    pub count: Option<u64>,
    /// The words of a closed list.
    pub tokens: BTreeSet<String>,
    /// Shares of a whole, as parts of so many, of all clauses of the document that bind the scenario.
    pub shares: BTreeSet<(u64, u64)>,
    /// The event from which the clause declares that its limits count; `None` where the page says it.
    pub start: Option<Action>,
    /// A period that the clause declares beside its bound, with its name; `None` where the scenario
    /// reads none.
    pub declared: Option<(&'static str, Period)>,
    /// How periods are read.
    pub reading: Reading,
    /// The document's civil zone: the first that it names.
    pub zone: Zone,
}

/// A figure of a clause that a scenario read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Read {
    /// `min`.
    Min,
    /// `max`.
    Max,
    /// `early`.
    Early,
    /// `late`.
    Late,
    /// `per = "civil-night"`.
    Nights,
    /// The count.
    Count,
    /// A share of a whole.
    Share,
    /// One word of a list.
    Word(String),
    /// A declared figure, by its name.
    Declared(String),
}

/// What a scenario is told, and which of it it read: a figure that nobody reads is proven by
/// nothing, whatever the scenario is called.
#[derive(Debug)]
pub struct Brief {
    figures: Figures,
    read: Mutex<BTreeSet<Read>>,
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
    /// A brief of which nothing was read yet.
    #[must_use]
    pub const fn new(figures: Figures) -> Self {
        Self {
            figures,
            read: Mutex::new(BTreeSet::new()),
        }
    }

    /// The figures that were read.
    #[must_use]
    pub fn read(&self) -> BTreeSet<Read> {
        self.read
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The instant before which it must not have happened: the latest reading of the floor, less the
    /// declared tolerance.
    ///
    /// # Errors
    /// [`BriefError`] when there is no floor, or it ends outside the calendar.
    pub fn floor(&self, from: UtcDateTime) -> Result<UtcDateTime, BriefError> {
        let limits = self.figures.limits.as_ref();
        let limits = limits.ok_or(BriefError::Missing("floor"))?;
        let min = limits.min.ok_or(BriefError::Missing("floor"))?;
        self.note([Read::Min, Read::Early]);
        let latest = min.resolve(from, &self.figures.reading)?.latest;
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
        let limits = self.figures.limits.as_ref();
        let limits = limits.ok_or(BriefError::Missing("ceiling"))?;
        let max = limits.max.ok_or(BriefError::Missing("ceiling"))?;
        self.note([Read::Max, Read::Late]);
        let earliest = max.resolve(from, &self.figures.reading)?.earliest;
        let late = self.shortest(&limits.late);
        earliest
            .checked_add(late)
            .ok_or(BriefError::Period(PeriodError::OutOfRange))
    }

    /// The floor and the ceiling as whole days, for a wait that is told in days.
    ///
    /// # Errors
    /// [`BriefError::Missing`] when either is none, or no number of days.
    pub fn days(&self) -> Result<(u32, u32), BriefError> {
        let limits = self.figures.limits.as_ref();
        let limits = limits.ok_or(BriefError::Missing("floor"))?;
        let min = limits.min.and_then(whole_days);
        let max = limits.max.and_then(whole_days);
        self.note([Read::Min, Read::Max]);
        Ok((
            min.ok_or(BriefError::Missing("floor in days"))?,
            max.ok_or(BriefError::Missing("ceiling in days"))?,
        ))
    }

    /// Where a period leads in the document's readings.
    ///
    /// # Errors
    /// [`BriefError::Period`] when it ends outside the calendar.
    pub fn resolve(&self, period: Period, from: UtcDateTime) -> Result<Window, BriefError> {
        Ok(period.resolve(from, &self.figures.reading)?)
    }

    /// The instant by which a state must be reached: the ceiling, or at once when there is none.
    ///
    /// # Errors
    /// [`BriefError::Period`] when the ceiling ends outside the calendar.
    pub fn at_once_or_by(&self, from: UtcDateTime) -> Result<UtcDateTime, BriefError> {
        match self.ceiling(from) {
            Err(BriefError::Missing(_)) => Ok(from),
            other => other,
        }
    }

    /// The instant by which it must have happened as the clause declares beside its bound: the
    /// earliest reading.
    ///
    /// # Errors
    /// [`BriefError`] when nothing is declared, or it ends outside the calendar.
    pub fn declared(&self, from: UtcDateTime) -> Result<UtcDateTime, BriefError> {
        let declared = self.figures.declared.as_ref();
        let (name, period) = declared.ok_or(BriefError::Missing("declared period"))?;
        self.note([Read::Declared((*name).to_owned())]);
        Ok(period.resolve(from, &self.figures.reading)?.earliest)
    }

    /// The count.
    ///
    /// # Errors
    /// [`BriefError::Missing`] when there is none.
    pub fn count(&self) -> Result<u64, BriefError> {
        let count = self.figures.count.ok_or(BriefError::Missing("count"))?;
        self.note([Read::Count]);
        Ok(count)
    }

    /// How many of so many the shares ask for at least; all of them where there is no share.
    #[must_use]
    pub fn least_of(&self, whole: u64) -> u64 {
        let of = |(parts, of): &(u64, u64)| {
            let least = u128::from(whole) * u128::from(*parts);
            let least = least.div_ceil(u128::from(*of).max(1));
            u64::try_from(least).unwrap_or(u64::MAX)
        };
        let shares = self.figures.shares.iter();
        self.note(shares.clone().map(|_| Read::Share));
        shares.map(of).max().unwrap_or(whole)
    }

    /// The event from which the limits count, where the clause declares one; else this one.
    #[must_use]
    pub fn start_or(&self, stated: Action) -> Action {
        let declared = self.figures.start;
        self.note(declared.map(|_| Read::Declared("from".to_owned())));
        declared.unwrap_or(stated)
    }

    /// Key bits that the words demand: the number after `aes-`.
    #[must_use]
    pub fn key_bits(&self) -> Option<u16> {
        let bits = |token: &&String| {
            let lower = token.to_ascii_lowercase();
            lower.strip_prefix("aes-")?.parse().ok()
        };
        let ciphers = self
            .figures
            .tokens
            .iter()
            .filter(|token| bits(token).is_some());
        self.note(ciphers.clone().map(|token| Read::Word(token.clone())));
        ciphers.filter_map(|token| bits(&token)).max()
    }

    /// The words of which something can be made, with what was made of each; the others count as not
    /// read.
    #[must_use]
    pub fn words<T>(&self, made_of: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let tokens = self.figures.tokens.iter();
        tokens
            .filter_map(|token| {
                let made = made_of(token)?;
                self.note([Read::Word(token.clone())]);
                Some(made)
            })
            .collect()
    }

    /// The zone by which dates and midnights are told.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.figures.zone
    }

    /// The zone whose civil nights are a rhythm.
    #[must_use]
    pub fn nights(&self) -> &Zone {
        self.note([Read::Nights]);
        &self.figures.zone
    }

    fn note(&self, read: impl IntoIterator<Item = Read>) {
        self.read
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(read);
    }

    /// A tolerance in its shortest reading, which is the strict one on either side.
    fn shortest(&self, tolerance: &Period) -> Duration {
        let secs = tolerance.bounds(&self.figures.reading).shortest_secs;
        Duration::seconds(i64::try_from(secs).unwrap_or(i64::MAX))
    }
}

fn whole_days(period: Period) -> Option<u32> {
    let other = period.month_part() > 0 || period.sec_part() > 0;
    (!other).then(|| period.day_part())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(shares: &[(u64, u64)], start: Option<Action>) -> Brief {
        Brief::new(Figures {
            limits: None,
            count: None,
            tokens: BTreeSet::new(),
            shares: shares.iter().copied().collect(),
            start,
            declared: None,
            reading: Reading::default(),
            zone: Zone::UTC,
        })
    }

    #[test]
    fn a_share_asks_for_as_many_as_make_it_up_and_none_for_all() {
        for (shares, whole, least) in [
            (&[(100, 100)][..], 7, 7),
            (&[(9, 10)], 10, 9),
            (&[(9, 10)], 11, 10),
            (&[(9, 10), (1, 2)], 10, 9),
            (&[(1, 0)], 3, 3),
            (&[(u64::MAX, 1)], u64::MAX, u64::MAX),
        ] {
            let brief = brief(shares, None);
            assert_eq!(brief.least_of(whole), least, "{shares:?} of {whole}");
            assert_eq!(brief.read(), [Read::Share].into(), "{shares:?}");
        }
        let none = brief(&[], None);
        assert_eq!(none.least_of(5), 5);
        assert_eq!(none.read(), BTreeSet::new());
    }

    #[test]
    fn a_declared_start_is_read_and_a_stated_one_is_not() {
        let (stated, other) = (Action::RecordPurged, Action::RecordDeleted);
        let declared = brief(&[], Some(other));
        assert_eq!(declared.start_or(stated), other);
        assert_eq!(declared.read(), [Read::Declared("from".to_owned())].into());
        let none = brief(&[], None);
        assert_eq!(none.start_or(stated), stated);
        assert_eq!(none.read(), BTreeSet::new());
    }
}
