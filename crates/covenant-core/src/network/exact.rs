//! Pass 3: pins an event to every start day of 400 years and looks for times of all the others.
//!
//! Every constraint is `t[to] >= h(t[from])` with `h` monotone: for a floor the period forwards, for
//! a ceiling its inverse. The least times that satisfy all of them are found by raising; that the
//! pinned event would have to move means that there are none. What was found for one start bounds
//! every later one from below, so each start goes on where the one before it ended.
//!
//! The calendar knows a year only by the leap years around it. Where times stay within a few years
//! of the start, one year of each pattern of leap years stands for all of them.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

use time::Date;
use time::util::is_leap_year;

use super::calendar::Calendar;
use super::constraint::Constraint;
use super::lift::{Lift, Tables};
use super::steps::{CYCLE_DAYS, DAY, epoch};
use crate::{MonthRule, Reading};

/// Rounds a start may take on average before the whole search gives up.
const ROUNDS_MAX: u64 = 16;

/// Years on each side of a start that a pattern of leap years may cover: as bits they fit a word.
const PATTERN_YEARS_MAX: i32 = 60;

/// Days beyond the times of a search that it may have looked at: two zones a day apart each, and
/// the four days by which a period of months differs from start to start.
const FURTHER_DAYS: i64 = 8;

/// Constraints ready to be computed under one reading.
#[derive(Debug)]
pub(super) struct Exact {
    nodes: usize,
    lifts: Vec<Lift>,
    /// How far beyond its start a time can be, unless times rise without end.
    horizon: i64,
    /// Whether one day stands for all.
    days: Days,
    /// The longest length of a constraint.
    widest: i64,
    /// The lengths of all constraints together: how far from its start a time is, unless months of
    /// different lengths put it off to one that suits.
    total: i64,
    /// The instants to try in each local day, in order, as seconds of that day.
    instants: Vec<i64>,
    /// Offset of the zone whose local days these are.
    offset: i64,
}

/// Whether it makes a difference on which day an event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Days {
    /// No period has months.
    Alike,
    Differ,
}

/// What became of one start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// All others can be chosen.
    Feasible,
    /// The pinned event would have to be later.
    Moves,
    /// Times rise without end: on no date can all be kept.
    Diverges,
    /// Out of rounds.
    Open,
}

/// What became of some starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    /// All are feasible.
    Good,
    /// One is not, or the search ran out of rounds.
    Bad,
    /// A time went further from its start than was looked at.
    Beyond,
}

/// What became of all starts of one pinned event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sweep {
    /// The first infeasible start, in seconds since 2000, and for each day whether it has any.
    Days { first: Option<i64>, bad: Vec<Day> },
    /// Infeasible on every date.
    Never,
    /// Out of rounds.
    Open,
}

/// Whether a day has an infeasible start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    Good,
    Bad,
}

impl Exact {
    /// `None` where pass 3 is not sound: clock changes, or a month rule that runs backwards.
    pub(super) fn new<'a>(
        nodes: usize,
        constraints: impl Iterator<Item = (&'a Constraint, (usize, usize, usize))>,
        reading: &Reading,
        calendar: &Calendar,
    ) -> Option<Self> {
        if reading.months() != MonthRule::ClampEnd {
            return None;
        }
        let offsets = reading.zones().iter().map(crate::Zone::fixed_secs);
        let offsets: Option<Vec<i64>> = offsets.map(|secs| secs.map(i64::from)).collect();
        let offsets = offsets?;
        let offset = offsets.first().copied()?;
        let mut tables = Tables::new(&offsets, reading.days(), calendar);
        let (mut lifts, mut widest, mut total) = (Vec::new(), DAY, DAY);
        let mut days = Days::Alike;
        for (constraint, place) in constraints {
            if constraint.period().month_part() > 0 {
                days = Days::Differ;
            }
            let longest = constraint.lengths(reading, calendar).longest;
            widest = widest.max(longest);
            total = total
                .saturating_add(longest.saturating_abs())
                .saturating_add(constraint.tolerance_secs());
            lifts.extend(tables.lifts(constraint, place)?);
        }
        // a time that rose further came back to some event 400 years later than before, by bounds
        // that will lift it 400 years again, as the calendar repeats
        let once = i64::from(CYCLE_DAYS).saturating_mul(DAY);
        let once = once.saturating_add(widest).saturating_add(DAY);
        let count = i64::try_from(nodes).ok()?.saturating_add(1);
        Some(Self {
            nodes,
            lifts,
            horizon: once.saturating_mul(count),
            days,
            widest,
            total,
            instants: instants(&offsets, offset),
            offset,
        })
    }

    /// Seconds since 2000 as local seconds of the zone whose days are counted.
    pub(super) const fn local(&self, at: i64) -> i64 {
        at.saturating_add(self.offset)
    }

    /// Pins the event to the starts of 146,097 local days, from this one counted from 2000-01-01.
    pub(super) fn sweep(&self, pinned: usize, first_day: i64) -> Sweep {
        let (mut search, rest) = self.split(pinned, |_| true);
        match rest {
            Fate::Diverges => return Sweep::Never,
            Fate::Open => return Sweep::Open,
            Fate::Feasible | Fate::Moves => {}
        }
        let (mut first, mut bad) = (None, Vec::new());
        let days = match self.days {
            Days::Alike => 1,
            Days::Differ => i64::from(CYCLE_DAYS),
        };
        for day in 0..days {
            let midnight = first_day.saturating_add(day).saturating_mul(DAY);
            let midnight = midnight.saturating_sub(self.offset);
            let mut this = Day::Good;
            for instant in &self.instants {
                let at = midnight.saturating_add(*instant);
                match search.pin(at) {
                    Fate::Feasible => {}
                    Fate::Moves => {
                        first = first.or(Some(at));
                        this = Day::Bad;
                    }
                    Fate::Diverges => return Sweep::Never,
                    Fate::Open => return Sweep::Open,
                }
            }
            bad.push(this);
        }
        if let (Days::Alike, [this]) = (self.days, bad.as_slice()) {
            bad = vec![*this; usize::try_from(CYCLE_DAYS).unwrap_or(usize::MAX)];
        }
        Sweep::Days { first, bad }
    }

    /// Whether all can be chosen on every date, found out from one year of each pattern of leap
    /// years; `None` when a date among them is infeasible, or when times went so far from their
    /// start that no pattern tells.
    pub(super) fn sample(&self, pinned: usize) -> Option<()> {
        if self.days == Days::Alike {
            return (self.try_days(pinned, (0, 1), self.horizon) == Sample::Good).then_some(());
        }
        // the less is looked at, the fewer patterns there are
        let reaches = [
            self.widest.saturating_add(self.widest.div_euclid(2)),
            self.widest.saturating_mul(3),
            self.total,
        ];
        for reach in reaches {
            match self.try_patterns(pinned, reach)? {
                Sample::Good => return Some(()),
                Sample::Bad => return None,
                Sample::Beyond => {}
            }
        }
        None
    }

    fn try_patterns(&self, pinned: usize, reach: i64) -> Option<Sample> {
        for year in pattern_years(reach)? {
            let next = days_since_epoch(year.saturating_add(1))?;
            match self.try_days(pinned, (days_since_epoch(year)?, next), reach) {
                Sample::Good => {}
                other => return Some(other),
            }
        }
        Some(Sample::Good)
    }

    /// Pins the event to each day from the first to before the next.
    fn try_days(&self, pinned: usize, (first, next): (i64, i64), reach: i64) -> Sample {
        let (mut search, Fate::Feasible) = self.split(pinned, |_| true) else {
            return Sample::Bad;
        };
        for day in first..next {
            let midnight = day.saturating_mul(DAY).saturating_sub(self.offset);
            for instant in &self.instants {
                let at = midnight.saturating_add(*instant);
                if search.pin(at) != Fate::Feasible {
                    return Sample::Bad;
                }
                if !search.is_within(at, reach) {
                    return Sample::Beyond;
                }
            }
        }
        Sample::Good
    }

    /// Pins the event to one instant, under the constraints chosen by index.
    pub(super) fn judge(&self, pinned: usize, at: i64, chosen: impl Fn(usize) -> bool) -> Fate {
        match self.split(pinned, chosen) {
            (mut search, Fate::Feasible) => search.pin(at),
            (_, rest) => rest,
        }
    }

    /// The search for what the pinned event pushes, and the fate of what it does not push: that
    /// may come as early as it likes, so that any date at all will do.
    fn split(&self, pinned: usize, chosen: impl Fn(usize) -> bool) -> (Search<'_>, Fate) {
        let mut others: Vec<&Lift> = self.lifts.iter().collect();
        others.retain(|lift| chosen(lift.constraint));
        let (mut pushed, mut reached) = (Vec::new(), vec![pinned]);
        loop {
            let next: Vec<&Lift>;
            (next, others) = others.iter().partition(|lift| reached.contains(&lift.from));
            if next.is_empty() {
                break;
            }
            reached.extend(next.iter().map(|lift| lift.to));
            pushed.extend(next);
        }
        others.retain(|lift| !reached.contains(&lift.to));
        let mut rest = self.search(others, None, 0);
        let fate = rest.raise(0);
        (self.search(pushed, Some(pinned), i64::MIN), fate)
    }

    fn search<'a>(&'a self, lifts: Vec<&'a Lift>, pinned: Option<usize>, time: i64) -> Search<'a> {
        let used = |lift| Used {
            lift,
            time: i64::MIN,
            bound: i64::MIN,
        };
        let instants = u64::try_from(self.instants.len()).unwrap_or(u64::MAX);
        Search {
            lifts: lifts.into_iter().map(used).collect(),
            pinned,
            times: vec![time; self.nodes],
            horizon: self.horizon,
            rounds_left: u64::from(CYCLE_DAYS)
                .saturating_mul(instants)
                .saturating_mul(ROUNDS_MAX),
        }
    }
}

/// The times found so far, all of them lower bounds; the least number is no bound yet.
#[derive(Debug)]
struct Search<'a> {
    lifts: Vec<Used<'a>>,
    pinned: Option<usize>,
    times: Vec<i64>,
    horizon: i64,
    rounds_left: u64,
}

/// A bound with its last argument and value.
#[derive(Debug)]
struct Used<'a> {
    lift: &'a Lift,
    time: i64,
    bound: i64,
}

impl Search<'_> {
    /// Pins the event to an instant, no earlier than the one before.
    fn pin(&mut self, at: i64) -> Fate {
        let time = self.pinned.and_then(|node| self.times.get_mut(node));
        if let Some(time) = time {
            *time = at;
        }
        self.raise(at)
    }

    /// Whether all times found are near this one.
    fn is_within(&self, at: i64, reach: i64) -> bool {
        let mut found = self.times.iter().filter(|time| **time != i64::MIN);
        found.all(|time| time.saturating_sub(at).saturating_abs() <= reach)
    }

    /// Raises times until every bound holds.
    fn raise(&mut self, start: i64) -> Fate {
        loop {
            let mut raised = false;
            for used in &mut self.lifts {
                let time = self.times.get(used.lift.from).copied();
                let time = time.unwrap_or(i64::MIN);
                if time == i64::MIN {
                    continue;
                }
                if time != used.time {
                    (used.time, used.bound) = (time, used.lift.bound(time));
                }
                let Some(bounded) = self.times.get_mut(used.lift.to) else {
                    continue;
                };
                if *bounded >= used.bound {
                    continue;
                }
                if Some(used.lift.to) == self.pinned {
                    return Fate::Moves;
                }
                if used.bound.saturating_sub(start) > self.horizon {
                    return Fate::Diverges;
                }
                *bounded = used.bound;
                raised = true;
            }
            if !raised {
                return Fate::Feasible;
            }
            let Some(left) = self.rounds_left.checked_sub(1) else {
                return Fate::Open;
            };
            self.rounds_left = left;
        }
    }
}

/// One year of 400 for each pattern of leap years as far as times may be; `None` when that is too
/// far for a pattern.
fn pattern_years(reach: i64) -> Option<Vec<i32>> {
    // the first and last days of the year are that far from its neighbours; zones, and the days
    // among which a bound is looked for, go a few days further
    let days = reach.div_euclid(DAY).saturating_add(FURTHER_DAYS);
    let years = days.saturating_add(364).div_euclid(365);
    let years = i32::try_from(years).ok();
    let years = years.filter(|years| *years <= PATTERN_YEARS_MAX)?;
    let mut found: BTreeMap<u128, i32> = BTreeMap::new();
    for year in 2000_i32..2400 {
        let around = year.saturating_sub(years)..=year.saturating_add(years);
        let pattern = around.fold(0_u128, |bits, year| {
            (bits << 1) | u128::from(is_leap_year(year))
        });
        found.entry(pattern).or_insert(year);
    }
    Some(found.into_values().collect())
}

/// The first day of a year, counted from 2000-01-01.
fn days_since_epoch(year: i32) -> Option<i64> {
    let first = Date::from_ordinal_date(year, 1).ok()?.to_julian_day();
    let epoch = epoch()?.date().to_julian_day();
    Some(i64::from(first).saturating_sub(i64::from(epoch)))
}

/// 00:00:00, 12:00:00 and 23:59:59 of every zone, as seconds of a local day of the first.
fn instants(offsets: &[i64], first: i64) -> Vec<i64> {
    let in_zone = |offset: &i64| {
        let ahead = first.saturating_sub(*offset);
        [0, DAY / 2, DAY.saturating_sub(1)]
            .map(|local: i64| local.saturating_add(ahead).rem_euclid(DAY))
    };
    let mut all: Vec<i64> = offsets.iter().flat_map(in_zone).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests;
