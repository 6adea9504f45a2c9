//! Calendar periods as promises spell them, and every instant that such a phrase may mean.
//!
//! A [`Period`] is months, days and seconds, kept apart: how long `P6M` is depends on when it
//! starts, on where, and on how one reads it. A [`Reading`] lists the admissible ways to read;
//! [`Period::resolve`] tries all of them and returns the earliest and the latest instant. Nobody
//! else in the workspace does date arithmetic.
//!
//! This is no clock, and no calendar of working days.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::str::FromStr;

use time::UtcDateTime;

use crate::{LogSafe, Zone};

mod bounds;
mod resolve;
mod start;
mod text;
mod unix_time;

pub use bounds::Bounds;
pub use start::Start;
pub use unix_time::{Ends, UnixTime};

/// Most months in a period: a thousand years, far beyond any promise, far inside the calendar.
pub const PERIOD_MONTHS_MAX: u32 = 12_000;
/// Most days in a period: a thousand leap years.
pub const PERIOD_DAYS_MAX: u32 = 366_000;
/// Most seconds in a period: a thousand leap years.
pub const PERIOD_SECS_MAX: u64 = 31_622_400_000;

const DAY_SECS: u32 = 86_400;

/// A span of calendar time: months, days and seconds, never mixed.
///
/// `P1D` and `PT24H` are different values, and there is no order: whether `P1M` is more than `P30D`
/// depends on the date. The text is ISO 8601 without signs and fractions,
/// `P[nY][nM][nW][nD][T[nH][nM][nS]]`; it prints canonically.
///
/// ```
/// use covenant_core::Period;
///
/// let half_a_year: Period = "P6M".parse()?;
/// assert_eq!(half_a_year, Period::months(6));
/// assert_eq!("P2W".parse::<Period>()?.to_string(), "P14D");
/// assert_ne!(Period::days(1), Period::hours(24));
/// # Ok::<(), covenant_core::PeriodError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Period {
    months: u32,
    days: u32,
    secs: u64,
}

/// Where a period leads when it has months or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new rule must be considered by every reader"
)]
pub enum DayRule {
    /// A day is 86,400 seconds, and the time of day is kept.
    Elapsed,
    /// 24:00 local of the day that months and days lead to; the event's own day is not counted.
    EndOfDay,
}

/// Where a month leads that lacks the day of the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new rule must be considered by every reader"
)]
pub enum MonthRule {
    /// Its last day at the same local time. Not monotone; for comparison with other libraries.
    Clamp,
    /// 24:00 of its last day, so that a later start never gives an earlier end.
    #[default]
    ClampEnd,
}

/// The admissible ways to read a period: every zone with every day rule, under one month rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reading {
    zones: Vec<Zone>,
    days: Vec<DayRule>,
    months: MonthRule,
}

/// Earliest and latest instant of all readings; floors use the latest, ceilings the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// The earliest instant.
    pub earliest: UtcDateTime,
    /// The latest instant; never before the earliest.
    pub latest: UtcDateTime,
}

/// A text is no period, or a period leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeriodError {
    /// The text is not `P[nY][nM][nW][nD][T[nH][nM][nS]]` with at least one part.
    #[error("a period is written P[nY][nM][nW][nD][T[nH][nM][nS]], such as P6M or PT25H")]
    Malformed,
    /// More than a thousand years.
    #[error("a period has at most 12,000 months, 366,000 days and 31,622,400,000 seconds")]
    TooLong,
    /// The end is outside the years -9999 to 9999.
    #[error("the period ends outside the calendar")]
    OutOfRange,
    /// A reading has no zone or no day rule.
    #[error("a reading needs at least one zone and one day rule")]
    EmptyReading,
    /// A text names no day rule or month rule.
    #[error("a day rule is elapsed or end-of-day, a month rule is clamp or clamp-end")]
    UnknownRule,
}

impl Period {
    /// No time at all, `PT0S`.
    pub const ZERO: Self = Self {
        months: 0,
        days: 0,
        secs: 0,
    };

    /// The period with these parts.
    ///
    /// # Errors
    /// [`PeriodError::TooLong`] when a part is above its cap.
    pub const fn new(months: u32, days: u32, secs: u64) -> Result<Self, PeriodError> {
        if months > PERIOD_MONTHS_MAX || days > PERIOD_DAYS_MAX || secs > PERIOD_SECS_MAX {
            return Err(PeriodError::TooLong);
        }
        Ok(Self { months, days, secs })
    }

    /// So many months; more than [`PERIOD_MONTHS_MAX`] are that many.
    #[must_use]
    pub const fn months(n: u32) -> Self {
        let months = if n > PERIOD_MONTHS_MAX {
            PERIOD_MONTHS_MAX
        } else {
            n
        };
        Self {
            months,
            ..Self::ZERO
        }
    }

    /// So many days; more than [`PERIOD_DAYS_MAX`] are that many.
    #[must_use]
    pub const fn days(n: u32) -> Self {
        let days = if n > PERIOD_DAYS_MAX {
            PERIOD_DAYS_MAX
        } else {
            n
        };
        Self { days, ..Self::ZERO }
    }

    /// So many hours of 3,600 seconds; capped like [`Period::seconds`].
    #[must_use]
    pub const fn hours(n: u64) -> Self {
        Self::seconds(n.saturating_mul(3_600))
    }

    /// So many minutes of 60 seconds; capped like [`Period::seconds`].
    #[must_use]
    pub const fn minutes(n: u64) -> Self {
        Self::seconds(n.saturating_mul(60))
    }

    /// So many seconds; more than [`PERIOD_SECS_MAX`] are that many.
    #[must_use]
    pub const fn seconds(n: u64) -> Self {
        let secs = if n > PERIOD_SECS_MAX {
            PERIOD_SECS_MAX
        } else {
            n
        };
        Self { secs, ..Self::ZERO }
    }

    /// The months, years included.
    #[must_use]
    pub const fn month_part(&self) -> u32 {
        self.months
    }

    /// The days, weeks included.
    #[must_use]
    pub const fn day_part(&self) -> u32 {
        self.days
    }

    /// The seconds, hours and minutes included; never days.
    #[must_use]
    pub const fn sec_part(&self) -> u64 {
        self.secs
    }

    /// Whether it is no time at all.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.months == 0 && self.days == 0 && self.secs == 0
    }

    /// The length in seconds, when no date can change it; `None` with months or days.
    #[must_use]
    pub const fn as_secs(&self) -> Option<u64> {
        if self.months == 0 && self.days == 0 {
            Some(self.secs)
        } else {
            None
        }
    }
}

impl Reading {
    /// The reading with these zones and day rules; what is listed twice counts once.
    ///
    /// # Errors
    /// [`PeriodError::EmptyReading`] without a zone or without a day rule.
    pub fn new(
        zones: impl IntoIterator<Item = Zone>,
        days: impl IntoIterator<Item = DayRule>,
        months: MonthRule,
    ) -> Result<Self, PeriodError> {
        let (zones, days) = (distinct(zones), distinct(days));
        if zones.is_empty() || days.is_empty() {
            return Err(PeriodError::EmptyReading);
        }
        Ok(Self {
            zones,
            days,
            months,
        })
    }

    /// Both day rules and `clamp-end`, in one zone.
    #[must_use]
    pub fn in_zone(zone: Zone) -> Self {
        let days = vec![DayRule::Elapsed, DayRule::EndOfDay];
        Self {
            zones: vec![zone],
            days,
            months: MonthRule::ClampEnd,
        }
    }

    /// One zone, one day rule, one month rule: nothing is left open.
    #[must_use]
    pub fn exact(zone: Zone, days: DayRule, months: MonthRule) -> Self {
        Self {
            zones: vec![zone],
            days: vec![days],
            months,
        }
    }

    /// The zones, at least one.
    #[must_use]
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// The day rules, at least one.
    #[must_use]
    pub fn days(&self) -> &[DayRule] {
        &self.days
    }

    /// The month rule.
    #[must_use]
    pub const fn months(&self) -> MonthRule {
        self.months
    }
}

impl Default for Reading {
    /// UTC, both day rules, `clamp-end`.
    fn default() -> Self {
        Self::in_zone(Zone::UTC)
    }
}

impl Window {
    /// The window that is one instant.
    #[must_use]
    pub const fn at(instant: UtcDateTime) -> Self {
        Self {
            earliest: instant,
            latest: instant,
        }
    }

    /// The smallest window around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            earliest: self.earliest.min(other.earliest),
            latest: self.latest.max(other.latest),
        }
    }
}

impl DayRule {
    /// Every rule, in the order of the table.
    pub const ALL: [Self; 2] = [Self::Elapsed, Self::EndOfDay];

    /// The name, as policy and rule files spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Elapsed => "elapsed",
            Self::EndOfDay => "end-of-day",
        }
    }
}

impl MonthRule {
    /// Every rule, in the order of the table.
    pub const ALL: [Self; 2] = [Self::Clamp, Self::ClampEnd];

    /// The name, as rule files spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clamp => "clamp",
            Self::ClampEnd => "clamp-end",
        }
    }
}

impl fmt::Display for DayRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl FromStr for DayRule {
    type Err = PeriodError;

    fn from_str(name: &str) -> Result<Self, PeriodError> {
        Self::ALL
            .into_iter()
            .find(|r| r.name() == name)
            .ok_or(PeriodError::UnknownRule)
    }
}
impl LogSafe for DayRule {}

impl fmt::Display for MonthRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl FromStr for MonthRule {
    type Err = PeriodError;

    fn from_str(name: &str) -> Result<Self, PeriodError> {
        Self::ALL
            .into_iter()
            .find(|r| r.name() == name)
            .ok_or(PeriodError::UnknownRule)
    }
}
impl LogSafe for MonthRule {}

fn distinct<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::utc_datetime as at;

    fn check(period: &str, anchor: UtcDateTime, earliest: UtcDateTime, latest: UtcDateTime) {
        let window = period
            .parse::<Period>()
            .unwrap()
            .resolve(anchor, &Reading::default());
        assert_eq!(
            window,
            Ok(Window { earliest, latest }),
            "{period} from {anchor}"
        );
    }

    #[test]
    fn windows_of_the_default_reading() {
        let noon = at!(2026-01-31 12:00);
        check("PT0S", noon, noon, noon);
        check("PT36H", noon, at!(2026-02-02 0:00), at!(2026-02-02 0:00));
        check("P0D", noon, noon, noon);
        check("P1D", noon, at!(2026-02-01 12:00), at!(2026-02-02 0:00));
        check("P30D", noon, at!(2026-03-02 12:00), at!(2026-03-03 0:00));
        check("P1M", noon, at!(2026-03-01 0:00), at!(2026-03-01 0:00));
        check("P2M", noon, at!(2026-03-31 12:00), at!(2026-04-01 0:00));
        check("P1M1D", noon, at!(2026-03-02 0:00), at!(2026-03-02 0:00));
        check("P1MT1H", noon, at!(2026-03-01 1:00), at!(2026-03-01 1:00));
        check(
            "P6M",
            at!(2026-08-31 10:00),
            at!(2027-03-01 0:00),
            at!(2027-03-01 0:00),
        );
        check(
            "P1Y",
            at!(2024-02-29 10:00),
            at!(2025-03-01 0:00),
            at!(2025-03-01 0:00),
        );
        check(
            "P1D",
            at!(2026-01-31 0:00),
            at!(2026-02-01 0:00),
            at!(2026-02-02 0:00),
        );
    }

    #[test]
    fn the_end_of_the_calendar_is_an_error() {
        let late = at!(9999-12-31 12:00);
        for period in [Period::days(1), Period::months(1), Period::hours(12)] {
            assert_eq!(
                period.resolve(late, &Reading::default()),
                Err(PeriodError::OutOfRange)
            );
        }
        let fits = Period::hours(11).resolve(late, &Reading::default());
        assert_eq!(fits, Ok(Window::at(at!(9999-12-31 23:00))));
    }

    #[test]
    fn a_reading_is_never_empty_and_lists_nothing_twice() {
        let none = Reading::new([], DayRule::ALL, MonthRule::ClampEnd);
        assert_eq!(none, Err(PeriodError::EmptyReading));
        let none = Reading::new([Zone::UTC], [], MonthRule::ClampEnd);
        assert_eq!(none, Err(PeriodError::EmptyReading));
        let twice = Reading::new([Zone::UTC, Zone::UTC], DayRule::ALL, MonthRule::ClampEnd);
        assert_eq!(twice, Ok(Reading::default()));
    }
}
