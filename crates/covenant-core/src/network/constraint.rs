//! One promise about two events: at least, at most, or exactly a period apart.
#![deny(clippy::arithmetic_side_effects)]

use super::calendar::Calendar;
use crate::{DayRule, MonthRule, Period, Reading, Zone};

/// What a constraint asks of its two events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind must be considered by every reader"
)]
pub enum Kind {
    /// `to` is not before the latest reading of `from` + period, less the tolerance.
    Floor,
    /// `to` is not after the earliest reading of `from` + period, and the tolerance.
    Ceiling,
    /// `to` is at the latest reading of `from` + period: our own plan, not a promise with two
    /// readings. Planned deaths of keys are of this kind.
    Plan,
}

/// A floor, a ceiling or a plan between two events, labelled with the clause or key it comes from.
///
/// ```
/// use covenant_core::Period;
/// use covenant_core::network::{Constraint, Kind};
///
/// let bin = Constraint::ceiling("P-52", "record.deleted", "record.purged", Period::days(30))
///     .with_tolerance(Period::hours(25));
/// assert_eq!((bin.kind(), bin.label()), (Kind::Ceiling, "P-52"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Constraint {
    label: String,
    kind: Kind,
    from: String,
    to: String,
    period: Period,
    tolerance: Period,
}

/// Fewest and most whole seconds a constraint may ask for, tolerance included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) shortest: i64,
    pub(super) longest: i64,
}

impl Constraint {
    /// `to` comes at least `least` after `from`.
    #[must_use]
    pub fn floor(
        label: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
        least: Period,
    ) -> Self {
        Self::new(Kind::Floor, label.into(), from.into(), to.into(), least)
    }

    /// `to` comes at most `most` after `from`, or before it.
    #[must_use]
    pub fn ceiling(
        label: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
        most: Period,
    ) -> Self {
        Self::new(Kind::Ceiling, label.into(), from.into(), to.into(), most)
    }

    /// `to` is set for the latest reading of `from` + `after`.
    #[must_use]
    pub fn plan(
        label: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
        after: Period,
    ) -> Self {
        Self::new(Kind::Plan, label.into(), from.into(), to.into(), after)
    }

    const fn new(kind: Kind, label: String, from: String, to: String, period: Period) -> Self {
        Self {
            label,
            kind,
            from,
            to,
            period,
            tolerance: Period::ZERO,
        }
    }

    /// The same with a declared tolerance: how much too early a floor may end, or how much too late
    /// a ceiling may be met. Days of it are 86,400 s and months their shortest; a plan has none.
    #[must_use]
    pub const fn with_tolerance(mut self, tolerance: Period) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The same without tolerance.
    #[must_use]
    pub const fn strict(self) -> Self {
        self.with_tolerance(Period::ZERO)
    }

    /// The same towards another event.
    #[must_use]
    pub fn towards(mut self, to: impl Into<String>) -> Self {
        self.to = to.into();
        self
    }

    /// The clause or key it comes from.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What it asks.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The event it runs from.
    #[must_use]
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The event it runs to.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }

    /// The period promised or planned.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    /// The tolerance as it counts, in seconds: days at 86,400 s, months at their shortest.
    #[must_use]
    pub fn tolerance_secs(&self) -> i64 {
        if self.kind == Kind::Plan {
            return 0;
        }
        let elapsed = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd);
        signed(self.tolerance.bounds(&elapsed).shortest_secs)
    }

    /// How much it asks for at least and at most, over every start.
    pub(super) fn lengths(&self, reading: &Reading, calendar: &Calendar) -> Lengths {
        let bounds = calendar.bounds(self.period, reading);
        let (shortest, longest) = (signed(bounds.shortest_secs), signed(bounds.longest_secs));
        let tolerance = self.tolerance_secs();
        match self.kind {
            Kind::Floor => Lengths {
                shortest: shortest.saturating_sub(tolerance),
                longest: longest.saturating_sub(tolerance),
            },
            Kind::Ceiling | Kind::Plan => Lengths {
                shortest: shortest.saturating_add(tolerance),
                longest: longest.saturating_add(tolerance),
            },
        }
    }
}

/// Periods are far below 2^63 seconds.
fn signed(secs: u64) -> i64 {
    i64::try_from(secs).unwrap_or(i64::MAX)
}
