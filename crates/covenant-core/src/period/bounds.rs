//! How short and how long a period can be, over every start.
#![deny(clippy::arithmetic_side_effects)]

use time::{Date, Month};

use super::{DAY_SECS, DayRule, MonthRule, Period, Reading};

/// Months in the 400 years after which the calendar repeats.
const CYCLE_MONTHS: u32 = 4_800;

/// Shortest and longest length of a period, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// No start gives less.
    pub shortest_secs: u64,
    /// No start gives more.
    pub longest_secs: u64,
}

impl Period {
    /// Shortest and longest length over every reading and every start of the calendar's 400-year
    /// cycle.
    ///
    /// Under fixed offsets some start comes within a second of either. A zone with
    /// clock changes widens them by the whole range of its offsets since 1970, which is safe, and
    /// wider than needed where no single period crosses the two extremes.
    #[must_use]
    pub fn bounds(&self, reading: &Reading) -> Bounds {
        if let Some(secs) = self.as_secs() {
            return Bounds {
                shortest_secs: secs,
                longest_secs: secs,
            };
        }
        let civil = reading
            .days()
            .iter()
            .map(|days| self.civil_days(*days, reading.months()));
        let civil = civil.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let (fewest, most) = civil.unwrap_or_default();
        // P1D elapsed has no local time in it; only it is free of the zone
        let local = self.months > 0 || reading.days().contains(&DayRule::EndOfDay);
        let spread = reading
            .zones()
            .iter()
            .map(|zone| zone.offset_spread_secs())
            .max();
        let spread = if local {
            u64::from(spread.unwrap_or(0))
        } else {
            0
        };
        let secs = |days: u32| {
            u64::from(days)
                .saturating_mul(u64::from(DAY_SECS))
                .saturating_add(self.secs)
        };
        Bounds {
            shortest_secs: secs(fewest).saturating_sub(spread).max(self.secs),
            longest_secs: secs(most).saturating_add(spread),
        }
    }

    /// Fewest and most days of 86,400 s that months and days span at a fixed offset. Every bound is
    /// a whole number of days: what keeps the time of day is one, and what runs to 24:00 comes from
    /// 00:00, a whole day more than from just before 24:00.
    fn civil_days(&self, days: DayRule, months: MonthRule) -> (u32, u32) {
        let (mut fewest, mut most) = (u32::MAX, 0);
        let end_of_day = u32::from(days == DayRule::EndOfDay);
        let end_of_month = end_of_day.max(u32::from(months == MonthRule::ClampEnd));
        if self.months == 0 {
            return (self.days, self.days.saturating_add(end_of_day));
        }
        for start in 0..CYCLE_MONTHS {
            let (first, first_len) = month(start);
            let (last, last_len) = month(start.saturating_add(self.months));
            let span = last.saturating_sub(first);
            fewest = fewest.min(span);
            most = most.max(span.saturating_add(end_of_day));
            if first_len > last_len {
                // from the last day, and from the first that is missing
                fewest = fewest.min(span.saturating_sub(first_len.saturating_sub(last_len)));
                most = most.max(span.saturating_sub(1).saturating_add(end_of_month));
            }
        }
        (
            fewest.saturating_add(self.days),
            most.saturating_add(self.days),
        )
    }
}

/// Day number of the first of a month, counted from January 2000, and the month's length in days.
fn month(index: u32) -> (u32, u32) {
    let year = i32::try_from(index / 12).unwrap_or(0).saturating_add(2000);
    let number = u8::try_from(index % 12).unwrap_or(0).saturating_add(1);
    let month = Month::try_from(number).unwrap_or(Month::January);
    let first = Date::from_calendar_date(year, month, 1).map_or(0, Date::to_julian_day);
    (
        u32::try_from(first).unwrap_or(0),
        u32::from(month.length(year)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Zone;

    const DAY: u64 = 86_400;

    fn check(period: &str, reading: &Reading, shortest_secs: u64, longest_secs: u64) {
        let bounds = period.parse::<Period>().unwrap().bounds(reading);
        assert_eq!(
            bounds,
            Bounds {
                shortest_secs,
                longest_secs
            },
            "{period}"
        );
    }

    #[test]
    fn bounds_of_the_declared_figures() {
        let elapsed = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd);
        check("P1M", &elapsed, 28 * DAY, 31 * DAY);
        check("P6M", &elapsed, 181 * DAY, 184 * DAY);
        check("P1Y", &elapsed, 365 * DAY, 366 * DAY);
        check("P30D", &elapsed, 30 * DAY, 30 * DAY);
        check("P1MT1H", &elapsed, 28 * DAY + 3_600, 31 * DAY + 3_600);
        let both = Reading::default();
        check("P6M", &both, 181 * DAY, 185 * DAY);
        check("P30D", &both, 30 * DAY, 31 * DAY);
        check("PT25H", &both, 90_000, 90_000);
        let clamp = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::Clamp);
        check("P1M", &clamp, 28 * DAY, 31 * DAY);
    }

    #[test]
    fn bounds_hold_and_are_met_within_a_second_at_every_start() {
        for months in MonthRule::ALL {
            for days in DayRule::ALL {
                let reading = Reading::exact(Zone::UTC, days, months);
                for text in ["P1M", "P6M", "P25M", "P1M3D", "P2D", "P1M1DT5S"] {
                    let period: Period = text.parse().unwrap();
                    let bounds = period.bounds(&reading);
                    let spans = starts().map(|at| {
                        let end = period.resolve(at, &reading).unwrap();
                        u64::try_from((end.earliest - at).whole_seconds()).unwrap()
                    });
                    let (mut least, mut most) = (u64::MAX, 0);
                    for span in spans {
                        least = least.min(span);
                        most = most.max(span);
                    }
                    assert!(least - bounds.shortest_secs <= 1, "{text} {days} {months}");
                    assert_eq!(most, bounds.longest_secs, "{text} {days} {months}");
                }
            }
        }
    }

    /// First and last second of every day of 400 years.
    fn starts() -> impl Iterator<Item = time::UtcDateTime> {
        let first = time::macros::utc_datetime!(2000-01-01 0:00);
        (0..146_097_i64).flat_map(move |day| {
            let at = first.saturating_add(time::Duration::days(day));
            [at, at.saturating_add(time::Duration::seconds(86_399))]
        })
    }
}
