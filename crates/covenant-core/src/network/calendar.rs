//! What was computed about periods, kept from one check to the next.
#![deny(clippy::arithmetic_side_effects)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::steps::Steps;
use crate::{Bounds, DayRule, Period, Reading};

/// Most tables that are kept; one has about a megabyte, and promises use few periods.
const TABLES_MAX: usize = 16;
/// Most bounds that are kept.
const BOUNDS_MAX: usize = 1_024;

/// Lengths and tables of periods, filled as searches need them.
///
/// One is enough for many checks, of whatever networks and readings; it only saves time.
#[derive(Debug, Default)]
pub struct Calendar {
    steps: RefCell<Vec<Known>>,
    bounds: RefCell<HashMap<(Period, Reading), Bounds>>,
}

/// The table of all periods with these months and days.
#[derive(Debug)]
struct Known {
    civil: (u32, u32),
    rule: DayRule,
    steps: Rc<Steps>,
}

impl Calendar {
    /// A calendar that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The table of the months and days of a period.
    pub(super) fn steps(&self, period: Period, rule: DayRule) -> Option<Rc<Steps>> {
        let civil = (period.month_part(), period.day_part());
        let mut all = self.steps.borrow_mut();
        let known = all
            .iter()
            .find(|known| known.civil == civil && known.rule == rule);
        if let Some(known) = known {
            return Some(Rc::clone(&known.steps));
        }
        let steps = Rc::new(Steps::tabulate(period, rule)?);
        if all.len() < TABLES_MAX {
            let steps = Rc::clone(&steps);
            all.push(Known { civil, rule, steps });
        }
        Some(steps)
    }

    /// Shortest and longest length of a period, as [`Period::bounds`] gives them.
    pub(super) fn bounds(&self, period: Period, reading: &Reading) -> Bounds {
        if period.as_secs().is_some() {
            return period.bounds(reading);
        }
        let mut all = self.bounds.borrow_mut();
        let key = (period, reading.clone());
        if let Some(known) = all.get(&key) {
            return *known;
        }
        let bounds = period.bounds(reading);
        if all.len() < BOUNDS_MAX {
            all.insert(key, bounds);
        }
        bounds
    }
}
