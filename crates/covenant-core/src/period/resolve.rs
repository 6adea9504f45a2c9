//! Where one period leads from one instant; [`Reading::start`] is for many.
#![deny(clippy::arithmetic_side_effects)]

use time::UtcDateTime;

use super::start::{Civil, Rules};
use super::{DayRule, MonthRule, Period, PeriodError, Reading, UnixTime, Window};
use crate::Zone;

impl Period {
    /// Where the period leads from the anchor, over every admissible reading.
    ///
    /// # Errors
    /// [`PeriodError::OutOfRange`] when any reading ends outside the calendar.
    pub fn resolve(&self, anchor: UtcDateTime, reading: &Reading) -> Result<Window, PeriodError> {
        let start = reading.start(UnixTime::from(anchor));
        start.after(self).map(|ends| ends.window())
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
        let at = UnixTime::from(anchor);
        let rules = Rules::of(&[days], months);
        let raw = Civil::of(at, zone).after(at, zone, self, rules);
        raw.ends(at).map(|ends| ends.window())
    }
}
