//! Planned deaths of keys: not before what they keep readable may go, not after it must be gone.

use super::constraint::Constraint;
use crate::{PERIOD_SECS_MAX, Period};

/// How long the sweep may take until it has dealt with a key whose time has come: one hour.
pub const KEY_SWEEP: Period = Period::hours(1);

/// When a key is planned to be destroyed, and how long copies of its store live on.
///
/// The events are `key.destroyed` and `key.unrecoverable`, each with the label of the key behind a
/// slash, so that every key has events of its own.
///
/// ```
/// use covenant_core::Period;
/// use covenant_core::network::{Constraint, KeyPlan, Network};
/// use time::macros::date;
///
/// let backups = Constraint::floor("P-60", "database.purged", "backup.purged", Period::months(6));
/// let verdict = |after| {
///     let key = KeyPlan::new("tenant", "database.purged", after, Period::days(5));
///     let mut network = Network::new();
///     network.extend(key.constraints());
///     network.add(key.outlives(&backups));
///     network.check(&Default::default(), date!(2026-01-01))
/// };
/// assert_eq!(verdict(Period::ZERO).labels(), ["P-60", "tenant"]);
/// assert!(verdict(Period::months(6)).is_consistent());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlan {
    label: String,
    from: String,
    after: Period,
    copies: Period,
}

impl KeyPlan {
    /// A key destroyed at the latest reading of `from` + `after`, whose store has copies that live
    /// on for `copies`.
    #[must_use]
    pub fn new(
        label: impl Into<String>,
        from: impl Into<String>,
        after: Period,
        copies: Period,
    ) -> Self {
        Self {
            label: label.into(),
            from: from.into(),
            after,
            copies,
        }
    }

    /// The event of its destruction.
    #[must_use]
    pub fn destroyed(&self) -> String {
        format!("key.destroyed/{}", self.label)
    }

    /// The event from which no copy of it is left: copies and a sweep after its destruction.
    #[must_use]
    pub fn unrecoverable(&self) -> String {
        format!("key.unrecoverable/{}", self.label)
    }

    /// The plan itself: the destruction, and the end of the copies and of a sweep.
    #[must_use]
    pub fn constraints(&self) -> [Constraint; 2] {
        let secs = self.copies.sec_part().saturating_add(KEY_SWEEP.sec_part());
        let secs = secs.min(PERIOD_SECS_MAX);
        let copies = Period::new(self.copies.month_part(), self.copies.day_part(), secs);
        let copies = copies.unwrap_or(self.copies);
        [
            Constraint::plan(&self.label, &self.from, self.destroyed(), self.after),
            Constraint::plan(&self.label, self.destroyed(), self.unrecoverable(), copies),
        ]
    }

    /// That it is not destroyed before the end of a floor over a store that it seals, unless the
    /// event it runs from waives that floor: its caller knows.
    #[must_use]
    pub fn outlives(&self, floor: &Constraint) -> Constraint {
        floor.clone().towards(self.destroyed())
    }

    /// That no copy of it is left when the ceiling ends: for a ceiling that names the key's
    /// destruction, or is over a store erased by key alone.
    #[must_use]
    pub fn ends_by(&self, ceiling: &Constraint) -> Constraint {
        ceiling.clone().towards(self.unrecoverable())
    }
}
