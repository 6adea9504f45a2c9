//! A period as a function of its start, tabulated by day, forwards and backwards.
//!
//! An entry of the table is made when a search first comes to its day, by [`Period::add_exact`], so that what a period means is defined once. Under
//! `clamp-end` and at a fixed offset the end either moves with the start throughout a local day or
//! stays where it is throughout that day, and it never runs backwards.
#![deny(clippy::arithmetic_side_effects)]

use std::cell::Cell;

use time::{Date, Duration, Month, PrimitiveDateTime, Time, UtcDateTime};

use crate::{DayRule, MonthRule, Period, Reading, Zone};

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// Days in the 400 years after which the calendar repeats.
pub(super) const CYCLE_DAYS: u32 = 146_097;

/// The months and days of a period under one day rule; local seconds count from 2000-01-01 00:00.
#[derive(Debug)]
pub(super) struct Steps {
    civil: Period,
    rule: DayRule,
    /// One entry for each day of the cycle, or a single one where the day makes no difference.
    entries: Vec<Cell<Option<Entry>>>,
    /// No entry has fewer days.
    fewest: i64,
    /// No entry has more.
    most: i64,
}

/// What the period does to starts of one day.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// Days from this midnight to where it leads.
    days: u32,
    tod: TimeOfDay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum TimeOfDay {
    #[default]
    Kept,
    Dropped,
}

impl Steps {
    /// Tabulates months and days of the period, its seconds left out.
    ///
    /// `None` when it leaves the calendar, which its caps rule out.
    pub(super) fn tabulate(period: Period, rule: DayRule) -> Option<Self> {
        let civil = Period::new(period.month_part(), period.day_part(), 0).ok()?;
        let days = if civil.month_part() == 0 {
            1
        } else {
            CYCLE_DAYS
        };
        let bounds = civil.bounds(&Reading::exact(Zone::UTC, rule, MonthRule::ClampEnd));
        let days_of = |secs: u64| i64::try_from(secs).map(|secs| secs.div_euclid(DAY)).ok();
        Some(Self {
            civil,
            rule,
            entries: vec![Cell::new(None); usize::try_from(days).ok()?],
            fewest: days_of(bounds.shortest_secs)?,
            most: days_of(bounds.longest_secs)?,
        })
    }

    /// Where the start leads.
    pub(super) fn forward(&self, start: i64) -> i64 {
        let (day, tod) = (start.div_euclid(DAY), start.rem_euclid(DAY));
        let entry = self.entry(day);
        let midnight = midnight(day.saturating_add(i64::from(entry.days)));
        match entry.tod {
            TimeOfDay::Kept => midnight.saturating_add(tod),
            TimeOfDay::Dropped => midnight,
        }
    }

    /// The first start that leads to this end or beyond.
    pub(super) fn inverse(&self, end: i64) -> i64 {
        let end_day = end.div_euclid(DAY);
        // no earlier day leads so far, even with the most days and the last second
        let mut day = end_day.saturating_sub(self.most);
        // every later day leads beyond, even with the fewest
        let last = end_day.saturating_sub(self.fewest).saturating_add(1);
        loop {
            let entry = self.entry(day);
            let base = midnight(day.saturating_add(i64::from(entry.days)));
            let missing = end.saturating_sub(base);
            if missing <= 0 || day >= last {
                return midnight(day);
            }
            if entry.tod == TimeOfDay::Kept && missing < DAY {
                return midnight(day).saturating_add(missing);
            }
            day = day.saturating_add(1);
        }
    }

    fn entry(&self, day: i64) -> Entry {
        let len = i64::try_from(self.entries.len()).unwrap_or(1);
        // never zero: a table has at least one entry
        let index = day.checked_rem_euclid(len).unwrap_or(0);
        let cell = usize::try_from(index).ok();
        let Some(cell) = cell.and_then(|index| self.entries.get(index)) else {
            return Entry::default();
        };
        if let Some(known) = cell.get() {
            return known;
        }
        let day = u32::try_from(index).unwrap_or(0);
        // never beyond the calendar: 400 years and the longest period are far inside it
        let made = Entry::of(self.civil, self.rule, day).unwrap_or_default();
        cell.set(Some(made));
        made
    }
}

impl Entry {
    fn of(civil: Period, rule: DayRule, day: u32) -> Option<Self> {
        let start = epoch()?.checked_add(Duration::days(i64::from(day)))?;
        let end_from = |at: UtcDateTime| {
            let end = civil.add_exact(at, &Zone::UTC, rule, MonthRule::ClampEnd);
            end.ok().map(|window| window.earliest)
        };
        let first = end_from(start)?;
        let last = match rule {
            DayRule::Elapsed => {
                end_from(start.checked_add(Duration::seconds(DAY.saturating_sub(1)))?)?
            }
            // 24:00 of a day, whenever in its day it starts
            DayRule::EndOfDay => first,
        };
        let days = first.to_julian_day().checked_sub(start.to_julian_day())?;
        // without any months or days it is the start itself
        let is_same = civil.is_zero();
        Some(Self {
            days: u32::try_from(days).ok()?,
            tod: if first == last && !is_same {
                TimeOfDay::Dropped
            } else {
                TimeOfDay::Kept
            },
        })
    }
}

/// 2000-01-01 00:00, from which seconds count.
pub(super) fn epoch() -> Option<UtcDateTime> {
    let date = Date::from_calendar_date(2000, Month::January, 1).ok()?;
    Some(PrimitiveDateTime::new(date, Time::MIDNIGHT).as_utc())
}

const fn midnight(day: i64) -> i64 {
    day.saturating_mul(DAY)
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails"
)]
mod tests {
    use super::*;
    use crate::Reading;

    const PERIODS: [&str; 7] = ["P1M", "P6M", "P25M", "P1M3D", "P2D", "PT0S", "P1000Y"];

    fn each(check: impl Fn(&Steps, &dyn Fn(i64) -> i64)) {
        for rule in DayRule::ALL {
            let reading = Reading::exact(Zone::UTC, rule, MonthRule::ClampEnd);
            for text in PERIODS {
                let period: Period = text.parse().unwrap();
                let steps = Steps::tabulate(period, rule).unwrap();
                check(&steps, &|start| {
                    let at = epoch().unwrap() + Duration::seconds(start);
                    let end = period.resolve(at, &reading).unwrap().earliest;
                    (end - epoch().unwrap()).whole_seconds()
                });
            }
        }
    }

    /// Four seconds of every third day of a cycle and a bit, from before the epoch.
    fn starts() -> impl Iterator<Item = i64> {
        (-800..150_000)
            .step_by(3)
            .flat_map(|day: i64| [0, 1, 43_200, DAY - 1].map(|tod| day * DAY + tod))
    }

    #[test]
    fn forward_is_the_period_itself() {
        each(|steps, exact| {
            for start in starts() {
                assert_eq!(steps.forward(start), exact(start), "{start}");
            }
        });
    }

    #[test]
    fn it_never_runs_backwards_over_400_years() {
        each(|steps, _| {
            let mut last = i64::MIN;
            for day in 0..=i64::from(CYCLE_DAYS) {
                for tod in [0, 43_200, DAY - 1] {
                    let end = steps.forward(day * DAY + tod);
                    assert!(end >= last, "day {day}");
                    last = end;
                }
            }
        });
    }

    #[test]
    fn the_inverse_is_the_first_start_that_reaches_the_end() {
        each(|steps, _| {
            for end in starts() {
                let start = steps.inverse(end);
                assert!(steps.forward(start) >= end, "{end}");
                assert!(steps.forward(start - 1) < end, "{end}");
            }
        });
    }
}
