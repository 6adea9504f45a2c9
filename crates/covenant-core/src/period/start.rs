//! An instant that periods are counted from, taken apart once for all of them.
//!
//! What a month or a day leads to depends on the local date of the start, and to find that date is
//! most of the work. Rules count ten periods from one event; the event is taken apart once.
#![deny(clippy::arithmetic_side_effects)]

use time::{Date, Month, UtcDateTime};

use super::unix_time::Ticks;
use super::{DayRule, Ends, MonthRule, Period, PeriodError, Reading, UnixTime};
use crate::Zone;

/// The Julian day of 1970-01-01.
const EPOCH_JULIAN_DAY: i32 = UtcDateTime::UNIX_EPOCH.date().to_julian_day();
/// The last day of the calendar, counted from 1970-01-01.
const LAST_DAY: i64 = UtcDateTime::MAX.unix_timestamp().div_euclid(DAY);
/// Seconds of a day.
const DAY: i64 = 86_400;

/// An instant, and its local date in every zone of a reading: any number of periods are counted
/// from it, each for a few integer operations.
///
/// ```
/// use covenant_core::{Period, Reading};
/// use time::macros::utc_datetime;
///
/// let reading = Reading::default();
/// let start = reading.start(utc_datetime!(2026-01-31 12:00).into());
/// for months in [1, 2, 3] {
///     let period = Period::months(months);
///     let window = period.resolve(utc_datetime!(2026-01-31 12:00), &reading)?;
///     assert_eq!(start.after(&period)?.window(), window);
/// }
/// # Ok::<(), covenant_core::PeriodError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Start<'r> {
    at: UnixTime,
    reading: &'r Reading,
    rules: Rules,
    first: Civil,
    /// In the other zones of the reading, in its order: most readings have one zone.
    others: Vec<Civil>,
}

impl Reading {
    /// The instant as something to count periods from.
    #[must_use]
    pub fn start(&self, at: UnixTime) -> Start<'_> {
        let mut zones = self.zones.iter().map(|zone| Civil::of(at, zone));
        Start {
            at,
            reading: self,
            rules: Rules::of(&self.days, self.months),
            first: zones.next().unwrap_or_else(|| Civil::of(at, &Zone::UTC)),
            others: zones.collect(),
        }
    }
}

impl Start<'_> {
    /// The instant.
    #[must_use]
    pub const fn at(&self) -> UnixTime {
        self.at
    }

    /// Where the period leads, over every admissible reading: [`Period::resolve`], not yet spelled
    /// in dates.
    ///
    /// # Errors
    /// [`PeriodError::OutOfRange`] when any reading ends outside the calendar.
    // clause: P-18, P-52, P-57, P-59, R-23
    #[inline]
    pub fn after(&self, period: &Period) -> Result<Ends, PeriodError> {
        let zones = &self.reading.zones;
        let zone = zones.first().ok_or(PeriodError::EmptyReading)?;
        let mut all = self.first.after(self.at, zone, period, self.rules);
        if !self.others.is_empty() {
            for (zone, civil) in zones.iter().skip(1).zip(&self.others) {
                all = all.union(civil.after(self.at, zone, period, self.rules));
            }
        }
        all.ends(self.at)
    }
}

/// The admissible rules of a reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    elapsed: bool,
    end_of_day: bool,
    months: MonthRule,
}

impl Rules {
    pub(super) fn of(days: &[DayRule], months: MonthRule) -> Self {
        Self {
            elapsed: days.contains(&DayRule::Elapsed),
            end_of_day: days.contains(&DayRule::EndOfDay),
            months,
        }
    }
}

/// The local date and time of day in a zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Civil {
    /// Days from 1970-01-01 on.
    day: i64,
    /// Since the day's midnight.
    time: Ticks,
    /// Months from January of the year 0 on.
    month: i32,
    day_of_month: u8,
}

impl Civil {
    pub(super) fn of(at: UnixTime, zone: &Zone) -> Self {
        let local = zone.local_secs(at.secs());
        let (day, secs) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let julian = i32::try_from(day).unwrap_or(i32::MAX);
        // a local time is one of the calendar, so this is never the other date
        let date = Date::from_julian_day(julian.saturating_add(EPOCH_JULIAN_DAY));
        let (year, month, day_of_month) = date.unwrap_or(Date::MAX).to_calendar_date();
        let month = i32::from(u8::from(month)).saturating_sub(1);
        Self {
            day,
            time: Ticks::whole(secs).and(at.nanos()),
            month: year.saturating_mul(12).saturating_add(month),
            day_of_month,
        }
    }

    /// Where the period leads from here, the instant that this is the date of; outside the calendar
    /// also when it only passes there.
    pub(super) fn after(&self, at: UnixTime, zone: &Zone, period: &Period, rules: Rules) -> Raw {
        let secs = secs(period.secs);
        if period.months == 0 && period.days == 0 {
            return Raw::at(Ticks::of(at).later(secs));
        }
        let landed = if period.months == 0 {
            Some((self.day, Fit::Same))
        } else {
            self.landing(period.months)
        };
        let Some((day, fit)) = landed else {
            return Raw::at(Ticks::NEVER);
        };
        let mut all = Raw::NONE;
        if rules.end_of_day {
            // the day after the one that ends
            let days = i64::from(period.days).saturating_add(1);
            all = Raw::of(zone, midnight(day.saturating_add(days)));
        }
        if rules.elapsed {
            let start = if period.months == 0 {
                Raw::at(Ticks::of(at))
            } else {
                Raw::of(zone, self.local(day, fit, rules.months))
            };
            all = all.union(start.later(day_ticks(i64::from(period.days))));
        }
        all.later(secs)
    }

    /// The same-numbered day so many months later, or the last day of a month that is too short;
    /// days are counted from 1970-01-01 on. `None` outside the calendar.
    fn landing(&self, months: u32) -> Option<(i64, Fit)> {
        let index = self.month.saturating_add(i32::try_from(months).ok()?);
        let month = u8::try_from(index.rem_euclid(12)).ok()?;
        let month = Month::try_from(month.saturating_add(1)).ok()?;
        let year = index.div_euclid(12);
        let (day, fit) = match month.length(year) {
            length if self.day_of_month > length => (length, Fit::Short),
            _ => (self.day_of_month, Fit::Same),
        };
        let date = Date::from_calendar_date(year, month, day).ok()?;
        let day = date.to_julian_day().saturating_sub(EPOCH_JULIAN_DAY);
        Some((i64::from(day), fit))
    }

    /// The local time that the months alone lead to.
    const fn local(&self, day: i64, fit: Fit, rule: MonthRule) -> Ticks {
        match (fit, rule) {
            (Fit::Short, MonthRule::ClampEnd) => midnight(day.saturating_add(1)),
            _ => midnight(day).later(self.time),
        }
    }
}

/// Whether the month that a period leads to has the day of the start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Same,
    Short,
}

/// The earliest and the latest end, perhaps outside the calendar.
#[derive(Clone, Copy)]
pub(super) struct Raw {
    earliest: Ticks,
    latest: Ticks,
}

impl Raw {
    /// No end at all, which is outside the calendar.
    const NONE: Self = Self {
        earliest: Ticks::NEVER,
        latest: Ticks::BEFORE,
    };

    const fn at(instant: Ticks) -> Self {
        Self {
            earliest: instant,
            latest: instant,
        }
    }

    /// The instants that a local time may mean.
    fn of(zone: &Zone, local: Ticks) -> Self {
        let (one, other) = zone.offsets_at(local.secs());
        Self {
            earliest: local.west(one.max(other)),
            latest: local.west(one.min(other)),
        }
    }

    const fn later(self, by: Ticks) -> Self {
        Self {
            earliest: self.earliest.later(by),
            latest: self.latest.later(by),
        }
    }

    fn union(self, other: Self) -> Self {
        Self {
            earliest: self.earliest.min(other.earliest),
            latest: self.latest.max(other.latest),
        }
    }

    /// The ends, counted from this instant.
    #[inline]
    pub(super) fn ends(self, from: UnixTime) -> Result<Ends, PeriodError> {
        Ends::new(self.earliest, self.latest, from).ok_or(PeriodError::OutOfRange)
    }
}

/// The first local second of a day.
const fn midnight(day: i64) -> Ticks {
    if day > LAST_DAY {
        return Ticks::NEVER;
    }
    day_ticks(day)
}

/// So many days, which a period and the calendar bound.
const fn day_ticks(days: i64) -> Ticks {
    Ticks::whole(days.wrapping_mul(DAY))
}

/// A period's seconds, which are capped.
fn secs(secs: u64) -> Ticks {
    i64::try_from(secs).map_or(Ticks::NEVER, Ticks::whole)
}
