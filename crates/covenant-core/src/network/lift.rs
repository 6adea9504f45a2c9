//! One constraint as a lower bound: `t[to] >= h(t[from])` with `h` monotone.
#![deny(clippy::arithmetic_side_effects)]

use std::rc::Rc;

use super::calendar::Calendar;
use super::constraint::{Constraint, Kind};
use super::steps::Steps;
use crate::{DayRule, Period};

/// A lower bound on the time of `to`, computed from the time of `from`.
#[derive(Debug)]
pub(super) struct Lift {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Index of the constraint it comes from.
    pub(super) constraint: usize,
    shape: Shape,
    readings: Rc<[Civil]>,
    /// The seconds of the period.
    secs: i64,
    tolerance: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// The latest reading, forwards.
    Latest,
    /// The first start whose earliest reading reaches the time.
    ReachedByEarliest,
    /// The first start whose latest reading reaches the time.
    ReachedByLatest,
}

/// Months and days of a period in one zone under one day rule.
#[derive(Debug, Clone)]
struct Civil {
    offset: i64,
    steps: Rc<Steps>,
}

impl Lift {
    /// The bound on `to` for this time of `from`.
    pub(super) fn bound(&self, time: i64) -> i64 {
        let latest = |all: &mut dyn Iterator<Item = i64>| all.max().unwrap_or(time);
        let mut readings = self.readings.iter();
        match self.shape {
            Shape::Latest => latest(&mut readings.map(|civil| civil.forward(time)))
                .saturating_add(self.secs)
                .saturating_sub(self.tolerance),
            // each reading has to reach it
            Shape::ReachedByEarliest => {
                let end = time
                    .saturating_sub(self.tolerance)
                    .saturating_sub(self.secs);
                latest(&mut readings.map(|civil| civil.inverse(end)))
            }
            // any reading that reaches it will do
            Shape::ReachedByLatest => {
                let end = time.saturating_sub(self.secs);
                let first = readings.next().map_or(time, |civil| civil.inverse(end));
                readings.fold(first, |least, civil| least.min(civil.inverse(end)))
            }
        }
    }
}

impl Civil {
    fn forward(&self, start: i64) -> i64 {
        let local = start.saturating_add(self.offset);
        self.steps.forward(local).saturating_sub(self.offset)
    }

    fn inverse(&self, end: i64) -> i64 {
        let local = end.saturating_add(self.offset);
        self.steps.inverse(local).saturating_sub(self.offset)
    }
}

/// The tables of all periods with these months and days.
#[derive(Debug)]
struct Known {
    civil: (u32, u32),
    readings: Rc<[Civil]>,
}

/// The tables made so far: constraints of equal months and days share one.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    offsets: &'a [i64],
    rules: &'a [DayRule],
    calendar: &'a Calendar,
    known: Vec<Known>,
}

impl<'a> Tables<'a> {
    /// No table yet, for these offsets of zones and these day rules.
    pub(super) const fn new(
        offsets: &'a [i64],
        rules: &'a [DayRule],
        calendar: &'a Calendar,
    ) -> Self {
        Self {
            offsets,
            rules,
            calendar,
            known: Vec::new(),
        }
    }

    /// The bounds that a constraint between two nodes amounts to, one or two.
    pub(super) fn lifts(
        &mut self,
        constraint: &Constraint,
        (index, from, to): (usize, usize, usize),
    ) -> Option<Vec<Lift>> {
        let period = constraint.period();
        let readings = self.readings(period)?;
        let secs = i64::try_from(period.sec_part()).ok()?;
        let lift = |(from, to): (usize, usize), shape| Lift {
            from,
            to,
            constraint: index,
            shape,
            readings: Rc::clone(&readings),
            secs,
            tolerance: constraint.tolerance_secs(),
        };
        Some(match constraint.kind() {
            Kind::Floor => vec![lift((from, to), Shape::Latest)],
            Kind::Ceiling => vec![lift((to, from), Shape::ReachedByEarliest)],
            Kind::Plan => vec![
                lift((from, to), Shape::Latest),
                lift((to, from), Shape::ReachedByLatest),
            ],
        })
    }

    fn readings(&mut self, period: Period) -> Option<Rc<[Civil]>> {
        let civil = (period.month_part(), period.day_part());
        if let Some(known) = self.known.iter().find(|known| known.civil == civil) {
            return Some(Rc::clone(&known.readings));
        }
        let mut all = Vec::new();
        for rule in self.rules {
            let steps = self.calendar.steps(period, *rule)?;
            all.extend(self.offsets.iter().map(|offset| Civil {
                offset: *offset,
                steps: Rc::clone(&steps),
            }));
        }
        let readings: Rc<[Civil]> = all.into();
        self.known.push(Known {
            civil,
            readings: Rc::clone(&readings),
        });
        Some(readings)
    }
}
