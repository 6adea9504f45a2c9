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

use time::{Date, Duration, PrimitiveDateTime, Time, UtcDateTime};

use crate::{LogSafe, Zone};

mod bounds;
mod text;

pub use bounds::Bounds;

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

    /// Where the period leads from the anchor, over every admissible reading.
    ///
    /// # Errors
    /// [`PeriodError::OutOfRange`] when any reading ends outside the calendar.
    // clause: P-18, P-52, P-57, P-59, R-23
    pub fn resolve(&self, anchor: UtcDateTime, reading: &Reading) -> Result<Window, PeriodError> {
        if let Some(secs) = self.as_secs() {
            return Ok(Window::at(later(anchor, secs)?));
        }
        let mut all: Option<Window> = None;
        for zone in &reading.zones {
            let day = self.day_after_months(anchor, zone, &reading.days)?;
            for days in &reading.days {
                let one = self.end(anchor, zone, *days, reading.months, day)?;
                all = Some(all.map_or(one, |window| window.union(one)));
            }
        }
        all.ok_or(PeriodError::EmptyReading)
    }

    /// Where the period leads from the anchor under one reading: months first, then days, then
    /// seconds, each added once. The window is wider than an instant only where the local time that
    /// the months or the day rule lead to does not exist, or exists twice: both offsets count.
    ///
    /// # Errors
    /// [`PeriodError::OutOfRange`] when it ends outside the calendar.
    pub fn add_exact(
        &self,
        anchor: UtcDateTime,
        zone: &Zone,
        days: DayRule,
        months: MonthRule,
    ) -> Result<Window, PeriodError> {
        let day = self.day_after_months(anchor, zone, &[days])?;
        self.end(anchor, zone, days, months, day)
    }

    /// Where the months alone lead: the same for every day rule. `None` where none of these rules
    /// asks for it.
    fn day_after_months(
        &self,
        anchor: UtcDateTime,
        zone: &Zone,
        rules: &[DayRule],
    ) -> Result<Option<Landing>, PeriodError> {
        let ends_a_day = self.days > 0 && rules.contains(&DayRule::EndOfDay);
        if self.months == 0 && !ends_a_day {
            return Ok(None);
        }
        let local = zone.local(anchor);
        let (date, fit) = if self.months == 0 {
            (local.date(), Fit::Same)
        } else {
            add_months(local.date(), self.months)?
        };
        let time = local.time();
        Ok(Some(Landing { date, time, fit }))
    }

    fn end(
        &self,
        anchor: UtcDateTime,
        zone: &Zone,
        days: DayRule,
        months: MonthRule,
        day: Option<Landing>,
    ) -> Result<Window, PeriodError> {
        let out_of_range = PeriodError::OutOfRange;
        let day_secs = u64::from(self.days).saturating_mul(u64::from(DAY_SECS));
        let (window, secs) = match (days, day) {
            (DayRule::Elapsed, Some(day)) if self.months > 0 => {
                let local = day.local(months).ok_or(out_of_range)?;
                (zone.instants(local).ok_or(out_of_range)?, day_secs)
            }
            (DayRule::EndOfDay, Some(day)) => {
                // the day after the one that ends
                let days = Duration::days(i64::from(self.days).saturating_add(1));
                let end = day.date.checked_add(days).ok_or(out_of_range)?;
                (zone.instants(midnight(end)).ok_or(out_of_range)?, 0)
            }
            (DayRule::Elapsed, _) => (Window::at(anchor), day_secs),
            (DayRule::EndOfDay, None) => (Window::at(anchor), 0),
        };
        let secs = secs.saturating_add(self.secs);
        if window.earliest == window.latest {
            return Ok(Window::at(later(window.earliest, secs)?));
        }
        Ok(Window {
            earliest: later(window.earliest, secs)?,
            latest: later(window.latest, secs)?,
        })
    }
}

/// Where months lead, before a rule says what becomes of a month that is too short.
#[derive(Clone, Copy)]
struct Landing {
    date: Date,
    time: Time,
    fit: Fit,
}

impl Landing {
    fn local(self, rule: MonthRule) -> Option<PrimitiveDateTime> {
        match (self.fit, rule) {
            (Fit::Short, MonthRule::ClampEnd) => self.date.next_day().map(midnight),
            _ => Some(PrimitiveDateTime::new(self.date, self.time)),
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

/// Whether the month that a period leads to has the day of the start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Same,
    Short,
}

/// The same-numbered day so many months later, or the last day of a month that is too short.
fn add_months(date: Date, months: u32) -> Result<(Date, Fit), PeriodError> {
    let out_of_range = PeriodError::OutOfRange;
    let months = i32::try_from(months).or(Err(out_of_range))?;
    let index = date
        .year()
        .saturating_mul(12)
        .saturating_add(i32::from(u8::from(date.month())));
    let index = index.saturating_sub(1).saturating_add(months);
    let month = u8::try_from(index.rem_euclid(12))
        .or(Err(out_of_range))?
        .saturating_add(1);
    let month = time::Month::try_from(month).or(Err(out_of_range))?;
    let year = index.div_euclid(12);
    let (day, fit) = match month.length(year) {
        length if date.day() > length => (length, Fit::Short),
        _ => (date.day(), Fit::Same),
    };
    Ok((
        Date::from_calendar_date(year, month, day).or(Err(out_of_range))?,
        fit,
    ))
}

fn later(at: UtcDateTime, secs: u64) -> Result<UtcDateTime, PeriodError> {
    if secs == 0 {
        return Ok(at);
    }
    let secs = i64::try_from(secs).or(Err(PeriodError::OutOfRange))?;
    at.checked_add(Duration::seconds(secs))
        .ok_or(PeriodError::OutOfRange)
}

const fn midnight(date: Date) -> PrimitiveDateTime {
    PrimitiveDateTime::new(date, Time::MIDNIGHT)
}

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
