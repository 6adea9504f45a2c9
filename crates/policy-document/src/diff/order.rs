//! Which of two values promises more.

use std::collections::BTreeSet;

use covenant_core::{Period, Reading};

use super::Direction;

/// What more of something means for a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    /// It promises more.
    Stricter,
    /// It promises less.
    Weaker,
    /// It cannot be said.
    Unclear,
}

impl More {
    /// What there being more of it now means.
    const fn grown(self) -> Direction {
        match self {
            Self::Stricter => Direction::Stricter,
            Self::Weaker => Direction::Weaker,
            Self::Unclear => Direction::Changed,
        }
    }

    /// What there being less of it now means.
    const fn shrunk(self) -> Direction {
        match self {
            Self::Stricter => Direction::Weaker,
            Self::Weaker => Direction::Stricter,
            Self::Unclear => Direction::Changed,
        }
    }
}

/// Values without an order: they are alike or they are others.
pub(super) fn other<T: PartialEq + ?Sized>(before: &T, after: &T) -> Option<Direction> {
    (before != after).then_some(Direction::Changed)
}

/// Sets: more when it has all that was there and something besides.
pub(super) fn set<T: Ord>(
    before: &BTreeSet<T>,
    after: &BTreeSet<T>,
    more: More,
) -> Option<Direction> {
    if before == after {
        None
    } else if before.is_subset(after) {
        Some(more.grown())
    } else if before.is_superset(after) {
        Some(more.shrunk())
    } else {
        Some(Direction::Changed)
    }
}

/// Numbers.
pub(super) fn number(before: u64, after: u64, more: More) -> Option<Direction> {
    match before.cmp(&after) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Less => Some(more.grown()),
        std::cmp::Ordering::Greater => Some(more.shrunk()),
    }
}

/// Periods, where having none leaves the promise without that side: longer when it is on every
/// date and under every reading.
pub(super) fn side(
    before: Option<Period>,
    after: Option<Period>,
    more: More,
    readings: [&Reading; 2],
) -> Option<Direction> {
    match (before, after) {
        (None, None) => None,
        (None, Some(_)) => Some(Direction::Stricter),
        (Some(_), None) => Some(Direction::Weaker),
        (Some(before), Some(after)) => period(before, after, more, readings),
    }
}

/// Periods that are always there, such as tolerances.
pub(super) fn period(
    before: Period,
    after: Period,
    more: More,
    [earlier, later]: [&Reading; 2],
) -> Option<Direction> {
    if before == after {
        return None;
    }
    let parts = |p: Period| (p.month_part(), p.day_part(), p.sec_part());
    let ((m, d, s), (months, days, secs)) = (parts(before), parts(after));
    // part by part first: P6M against P7M holds although their lengths overlap
    if m <= months && d <= days && s <= secs {
        return Some(more.grown());
    }
    if m >= months && d >= days && s >= secs {
        return Some(more.shrunk());
    }
    let (before, after) = (before.bounds(earlier), after.bounds(later));
    if before.longest_secs < after.shortest_secs {
        Some(more.grown())
    } else if before.shortest_secs > after.longest_secs {
        Some(more.shrunk())
    } else {
        Some(Direction::Changed)
    }
}

/// Words between bars.
pub(super) fn joined<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<_> = all.into_iter().map(|one| one.to_string()).collect();
    all.join(" | ")
}
