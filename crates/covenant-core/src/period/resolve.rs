//! Where a period leads. All of it is arithmetic on whole seconds, so that a reading costs a few
//! integer operations; only months ask the calendar.
#![deny(clippy::arithmetic_side_effects)]

use time::{Date, Month, UtcDateTime};

use super::{DAY_SECS, DayRule, MonthRule, Period, PeriodError, Reading, Window};
use crate::Zone;

/// The Julian day of 1970-01-01.
const EPOCH_JULIAN_DAY: i32 = UtcDateTime::UNIX_EPOCH.date().to_julian_day();
/// The last day of the calendar, counted from 1970-01-01.
const LAST_DAY: i64 = UtcDateTime::MAX.unix_timestamp().div_euclid(DAY);
/// Seconds of a day.
const DAY: i64 = 86_400;

impl Period {
    /// Where the period leads from the anchor, over every admissible reading.
    ///
    /// # Errors
    /// [`PeriodError::OutOfRange`] when any reading ends outside the calendar.
    // clause: P-18, P-52, P-57, P-59, R-23
    pub fn resolve(&self, anchor: UtcDateTime, reading: &Reading) -> Result<Window, PeriodError> {
        let start = Instant::from(anchor);
        if let Some(secs) = self.as_secs() {
            return Ends::at(start).later(secs).window();
        }
        let mut all: Option<Ends> = None;
        for zone in &reading.zones {
            let landing = self.landing(start, zone, &reading.days)?;
            for days in &reading.days {
                let one = self.end(start, zone, *days, reading.months, landing)?;
                all = Some(all.map_or(one, |all| all.union(one)));
            }
        }
        all.ok_or(PeriodError::EmptyReading)?.window()
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
        let start = Instant::from(anchor);
        let landing = self.landing(start, zone, &[days])?;
        self.end(start, zone, days, months, landing)?.window()
    }

    /// Where the months alone lead: the same for every day rule. `None` where none of these rules
    /// asks for it.
    fn landing(
        &self,
        start: Instant,
        zone: &Zone,
        rules: &[DayRule],
    ) -> Result<Option<Landing>, PeriodError> {
        let ends_a_day = self.days > 0 && rules.contains(&DayRule::EndOfDay);
        if self.months == 0 && !ends_a_day {
            return Ok(None);
        }
        let local = zone.local_secs(start.secs);
        let (day, secs) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (day, fit) = if self.months == 0 {
            (day, Fit::Same)
        } else {
            add_months(day, self.months)?
        };
        let time = Instant {
            secs,
            nanos: start.nanos,
        };
        Ok(Some(Landing { day, time, fit }))
    }

    fn end(
        &self,
        start: Instant,
        zone: &Zone,
        days: DayRule,
        months: MonthRule,
        landing: Option<Landing>,
    ) -> Result<Ends, PeriodError> {
        let day_secs = u64::from(self.days).saturating_mul(u64::from(DAY_SECS));
        let (ends, secs) = match (days, landing) {
            (DayRule::Elapsed, Some(landing)) if self.months > 0 => {
                (Ends::of(zone, landing.local(months)?), day_secs)
            }
            (DayRule::EndOfDay, Some(landing)) => {
                // the day after the one that ends
                let days = i64::from(self.days).saturating_add(1);
                let end = midnight(landing.day.saturating_add(days))?;
                (Ends::of(zone, end), 0)
            }
            (DayRule::Elapsed, _) => (Ends::at(start), day_secs),
            (DayRule::EndOfDay, None) => (Ends::at(start), 0),
        };
        Ok(ends.later(secs.saturating_add(self.secs)))
    }
}

/// Seconds from 1970-01-01 on, of UTC or of local time, and what is left of one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Instant {
    secs: i64,
    nanos: u32,
}

impl From<UtcDateTime> for Instant {
    fn from(at: UtcDateTime) -> Self {
        Self {
            secs: at.unix_timestamp(),
            nanos: at.nanosecond(),
        }
    }
}

impl Instant {
    const fn later(self, secs: i64) -> Self {
        Self {
            secs: self.secs.saturating_add(secs),
            nanos: self.nanos,
        }
    }

    fn utc(self) -> Result<UtcDateTime, PeriodError> {
        let at = UtcDateTime::from_unix_timestamp(self.secs);
        let at = match self.nanos {
            0 => at,
            nanos => at.and_then(|at| at.replace_nanosecond(nanos)),
        };
        at.or(Err(PeriodError::OutOfRange))
    }
}

/// The earliest and the latest end.
#[derive(Clone, Copy)]
struct Ends {
    earliest: Instant,
    latest: Instant,
}

impl Ends {
    const fn at(instant: Instant) -> Self {
        Self {
            earliest: instant,
            latest: instant,
        }
    }

    /// The instants that a local time may mean.
    fn of(zone: &Zone, local: Instant) -> Self {
        let (one, other) = zone.offsets_at(local.secs);
        let west = |offset: i32| local.later(i64::from(offset).saturating_neg());
        Self {
            earliest: west(one.max(other)),
            latest: west(one.min(other)),
        }
    }

    /// A period's seconds are capped far below what 64 bits hold.
    fn later(self, secs: u64) -> Self {
        let secs = i64::try_from(secs).unwrap_or(i64::MAX);
        Self {
            earliest: self.earliest.later(secs),
            latest: self.latest.later(secs),
        }
    }

    fn union(self, other: Self) -> Self {
        Self {
            earliest: self.earliest.min(other.earliest),
            latest: self.latest.max(other.latest),
        }
    }

    fn window(self) -> Result<Window, PeriodError> {
        let latest = self.latest.utc()?;
        if self.earliest == self.latest {
            return Ok(Window::at(latest));
        }
        let earliest = self.earliest.utc()?;
        Ok(Window { earliest, latest })
    }
}

/// Where months lead, before a rule says what becomes of a month that is too short.
#[derive(Clone, Copy)]
struct Landing {
    /// Days from 1970-01-01 on.
    day: i64,
    /// Since the day's midnight.
    time: Instant,
    fit: Fit,
}

impl Landing {
    fn local(self, rule: MonthRule) -> Result<Instant, PeriodError> {
        match (self.fit, rule) {
            (Fit::Short, MonthRule::ClampEnd) => midnight(self.day.saturating_add(1)),
            _ => Ok(Instant {
                secs: day_secs(self.day).saturating_add(self.time.secs),
                nanos: self.time.nanos,
            }),
        }
    }
}

/// Whether the month that a period leads to has the day of the start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Same,
    Short,
}

/// The same-numbered day so many months later, or the last day of a month that is too short; days
/// are counted from 1970-01-01 on.
fn add_months(day: i64, months: u32) -> Result<(i64, Fit), PeriodError> {
    let out_of_range = PeriodError::OutOfRange;
    let months = i32::try_from(months).or(Err(out_of_range))?;
    let day = i32::try_from(day).or(Err(out_of_range))?;
    let date = Date::from_julian_day(day.saturating_add(EPOCH_JULIAN_DAY));
    let (year, month, day) = date.or(Err(out_of_range))?.to_calendar_date();
    let index = year
        .saturating_mul(12)
        .saturating_add(i32::from(u8::from(month)));
    let index = index.saturating_sub(1).saturating_add(months);
    let month = u8::try_from(index.rem_euclid(12))
        .or(Err(out_of_range))?
        .saturating_add(1);
    let month = Month::try_from(month).or(Err(out_of_range))?;
    let year = index.div_euclid(12);
    let (day, fit) = match month.length(year) {
        length if day > length => (length, Fit::Short),
        _ => (day, Fit::Same),
    };
    let date = Date::from_calendar_date(year, month, day).or(Err(out_of_range))?;
    let day = date.to_julian_day().saturating_sub(EPOCH_JULIAN_DAY);
    Ok((i64::from(day), fit))
}

/// The first local second of a day.
const fn midnight(day: i64) -> Result<Instant, PeriodError> {
    if day > LAST_DAY {
        return Err(PeriodError::OutOfRange);
    }
    let secs = day_secs(day);
    Ok(Instant { secs, nanos: 0 })
}

const fn day_secs(day: i64) -> i64 {
    day.saturating_mul(DAY)
}
