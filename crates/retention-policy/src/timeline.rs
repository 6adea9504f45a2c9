//! What goes when: the changes of a simulation, counted by day.

use std::collections::BTreeMap;

use covenant_core::Zone;
use time::Date;

use crate::{Change, Item, State};

/// Items, and their bytes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many items.
    pub items: u64,
    /// Their sizes together.
    pub bytes: u64,
}

/// What changed on one civil day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DayCount {
    /// Items that came into each state on this day, those of the first instant included.
    pub entered: BTreeMap<State, Count>,
    /// Items that a sweep disposes of from some instant of this day on and of no earlier day; a hold
    /// that begins later is not looked ahead at.
    pub goes: Count,
}

impl Count {
    fn add(&mut self, bytes: u64) {
        self.items = self.items.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// The changes of [`crate::simulate`] over these items, by civil day of the zone.
pub fn per_day(
    items: &[Item<'_>],
    changes: impl IntoIterator<Item = Change>,
    zone: &Zone,
) -> BTreeMap<Date, DayCount> {
    let mut days: BTreeMap<Date, DayCount> = BTreeMap::new();
    let mut gone = vec![Gone::No; items.len()];
    for change in changes {
        let bytes = items.get(change.item).map_or(0, |item| item.bytes);
        let day = days.entry(zone.civil_date(change.at)).or_default();
        day.entered
            .entry(change.verdict.state)
            .or_default()
            .add(bytes);
        if let Some(gone) = gone.get_mut(change.item)
            && *gone == Gone::No
            && change.verdict.disposes()
        {
            *gone = Gone::Yes;
            day.goes.add(bytes);
        }
    }
    days
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gone {
    No,
    Yes,
}
