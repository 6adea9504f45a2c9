//! Promises about time, all together: whether they can all be kept, or which of them cannot, and on
//! what date.
//!
//! A [`Network`] has events and [`Constraint`]s between them: floors, ceilings, and plans of our
//! own such as the death of a key ([`KeyPlan`]). Roots are events that nobody here chooses; the
//! promises are consistent when, whatever day a root happens on, times of all other events can be
//! chosen. [`Network::check`] finds out in three passes:
//!
//! 1. with every floor shortest and every ceiling longest: what fails then fails on every date;
//! 2. with every floor longest and every ceiling shortest: what holds then holds on every date;
//! 3. exactly, for 00:00:00, 12:00:00 and 23:59:59 of 146,097 start days, after which the calendar
//!    repeats. It needs fixed offsets and the month rule `clamp-end`, without which a later start
//!    may have an earlier end; otherwise what is open stays [`Verdict::Undecided`].
//!
//! A start is known by the leap years around it, so that pass 3 first tries one year of each pattern
//! of leap years, and all days only where that finds a date on which promises fail.
//!
//! [`Network::span`] gives the time that may pass between two events: what was promised nowhere
//! about how long data stays, but follows. Nothing here reads a clock or does I/O.
//!
//! ```
//! use covenant_core::network::{Constraint, Network, Verdict};
//! use covenant_core::{DayRule, MonthRule, Period, Reading, Zone};
//! use time::macros::date;
//!
//! let elapsed = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd);
//! let mut network = Network::new();
//! network.root("order.closed");
//! network.add(Constraint::floor("A-01", "order.closed", "order.purged", Period::months(1)));
//! network.add(Constraint::ceiling("A-02", "order.closed", "order.purged", Period::days(30)));
//!
//! // a month is at most 30 days, unless it begins in one of 31
//! let Verdict::SomeDates { witness, days, labels } = network.check(&elapsed, date!(2026-04-10))
//! else {
//!     return Err("a contradiction was expected");
//! };
//! assert_eq!((witness.date, days), (date!(2026-05-01), 86_097));
//! assert_eq!(labels, ["A-01", "A-02"]);
//! # Ok::<(), &str>(())
//! ```
#![deny(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use time::{Date, Duration};

use crate::Reading;

mod calendar;
mod constraint;
mod difference;
mod exact;
mod explain;
mod key;
mod lift;
mod span;
mod steps;
mod verdict;

pub use calendar::Calendar;
pub use constraint::{Constraint, Kind};
pub use key::{KEY_SWEEP, KeyPlan};
pub use span::{Span, Stretch};
pub use verdict::{Verdict, Witness};

use difference::{Edge, Outlook};
use exact::{Day, Exact, Fate, Sweep};
use steps::{CYCLE_DAYS, DAY};

/// Events and the constraints between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    events: Vec<String>,
    roots: BTreeSet<usize>,
    constraints: Vec<Placed>,
}

/// A constraint with the indexes of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Placed {
    constraint: Constraint,
    from: usize,
    to: usize,
}

impl Network {
    /// A network without events.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares an event that nobody here chooses.
    ///
    /// Each root is tried on every date by itself, other roots being free. Of events that
    /// constraints connect, without a root among them, the first one named is the root.
    pub fn root(&mut self, event: &str) {
        let index = self.event(event);
        self.roots.insert(index);
    }

    /// Adds a constraint, and its events when they are new.
    pub fn add(&mut self, constraint: Constraint) {
        let (from, to) = (self.event(constraint.from()), self.event(constraint.to()));
        self.constraints.push(Placed {
            constraint,
            from,
            to,
        });
    }

    /// The events, in the order they were named.
    #[must_use]
    pub fn events(&self) -> &[String] {
        &self.events
    }

    /// The constraints, in the order they were added.
    pub fn constraints(&self) -> impl Iterator<Item = &Constraint> {
        self.constraints.iter().map(|placed| &placed.constraint)
    }

    /// The same network with no tolerance anywhere.
    ///
    /// Consistent in every single reading and not so without tolerances: the promises have no
    /// width, and someone has to declare which of them gives way.
    #[must_use]
    pub fn without_tolerances(&self) -> Self {
        let mut strict = self.clone();
        for placed in &mut strict.constraints {
            placed.constraint = placed.constraint.clone().strict();
        }
        strict
    }

    /// Whether all constraints can be kept, under every admissible reading at once: floors take the
    /// latest, ceilings the earliest. For one reading after the other pass [`Reading::exact`].
    ///
    /// A witness is the first on or after the date, in the first zone of the reading; where 400
    /// years from that date leave the calendar, those before it are tried.
    #[must_use]
    pub fn check(&self, reading: &Reading, from: Date) -> Verdict {
        self.check_with(&Calendar::new(), reading, from)
    }

    /// As [`Network::check`], with what other checks have computed about periods.
    // clause: P-18, P-49, P-51, P-52, P-60, Q-18, Q-23
    #[must_use]
    pub fn check_with(&self, calendar: &Calendar, reading: &Reading, from: Date) -> Verdict {
        let optimistic = self.edges(reading, Outlook::Optimistic, calendar);
        if let Some(labels) = self.contradiction(&optimistic) {
            return Verdict::Always { labels };
        }
        let pessimistic = self.edges(reading, Outlook::Pessimistic, calendar);
        let Some(labels) = self.contradiction(&pessimistic) else {
            return Verdict::Consistent;
        };
        self.check_exactly(calendar, reading, from)
            .unwrap_or(Verdict::Undecided { labels })
    }

    /// The least and the most time from one event to another, under every admissible reading and
    /// over every start, tolerances included; `None` when no date satisfies all constraints, or
    /// either event is not in the network.
    #[must_use]
    pub fn span(&self, from: &str, to: &str, reading: &Reading) -> Option<Span> {
        self.span_with(&Calendar::new(), (from, to), reading)
    }

    /// As [`Network::span`], between a pair of events, with what other checks have computed about
    /// periods.
    #[must_use]
    pub fn span_with(
        &self,
        calendar: &Calendar,
        (from, to): (&str, &str),
        reading: &Reading,
    ) -> Option<Span> {
        let (from, to) = (self.find(from)?, self.find(to)?);
        let edges = self.edges(reading, Outlook::Optimistic, calendar);
        let nodes = self.events.len();
        if difference::negative_cycle(nodes, &edges).is_some() {
            return None;
        }
        let stretch = |(secs, way): (i64, Vec<usize>)| Stretch {
            secs,
            labels: self.labels(&way),
        };
        let most = difference::shortest_way(nodes, &edges, (from, to)).map(stretch);
        let least = difference::shortest_way(nodes, &edges, (to, from));
        let least = least.map(|(secs, way)| stretch((secs.saturating_neg(), way)));
        Some(Span { least, most })
    }

    /// Pass 3; `None` where it is not sound or does not end.
    fn check_exactly(&self, calendar: &Calendar, reading: &Reading, from: Date) -> Option<Verdict> {
        let exact = Exact::new(self.events.len(), self.placed(), reading, calendar)?;
        let epoch = steps::epoch()?;
        let span = Duration::days(i64::from(CYCLE_DAYS));
        let from = match from.checked_add(span) {
            Some(_) => from,
            None => from.checked_sub(span)?,
        };
        let first_day =
            i64::from(from.to_julian_day()).saturating_sub(i64::from(epoch.date().to_julian_day()));
        let mut found: Option<(i64, usize)> = None;
        let mut days = Vec::new();
        for root in self.pinned() {
            if exact.sample(root).is_some() {
                continue;
            }
            match exact.sweep(root, first_day) {
                Sweep::Never => {
                    let at = first_day.saturating_mul(DAY);
                    let labels = self.minimal_at(&exact, root, at);
                    return Some(Verdict::Always { labels });
                }
                Sweep::Open => return None,
                Sweep::Days { first, bad } => {
                    days = union(days, bad);
                    let here = first.map(|at| (at, root));
                    found = [found, here].into_iter().flatten().min();
                }
            }
        }
        let Some((at, root)) = found else {
            return Some(Verdict::Consistent);
        };
        let local = epoch.checked_add(Duration::seconds(exact.local(at)))?;
        let bad = days.iter().filter(|day| **day == Day::Bad).count();
        Some(Verdict::SomeDates {
            witness: Witness {
                root: self.events.get(root)?.clone(),
                at: epoch.checked_add(Duration::seconds(at))?,
                date: local.date(),
            },
            days: u32::try_from(bad).ok()?,
            labels: self.minimal_at(&exact, root, at),
        })
    }

    /// The roots; and where events are connected without one, the first of them.
    fn pinned(&self) -> BTreeSet<usize> {
        let mut pinned = self.roots.clone();
        let mut connected: BTreeSet<usize> = BTreeSet::new();
        for event in 0..self.events.len() {
            if connected.contains(&event) {
                continue;
            }
            let group = self.connected_to(event);
            if group.is_disjoint(&self.roots) {
                pinned.insert(event);
            }
            connected.extend(group);
        }
        pinned
    }

    fn connected_to(&self, event: usize) -> BTreeSet<usize> {
        let mut group = BTreeSet::from([event]);
        loop {
            let before = group.len();
            for placed in &self.constraints {
                if group.contains(&placed.from) || group.contains(&placed.to) {
                    group.extend([placed.from, placed.to]);
                }
            }
            if group.len() == before {
                return group;
            }
        }
    }

    /// A minimal set of labels whose differences cannot all hold; `None` when all can.
    fn contradiction(&self, edges: &[Edge]) -> Option<Vec<String>> {
        let nodes = self.events.len();
        let cycle = difference::negative_cycle(nodes, edges)?;
        let fails = |kept: &BTreeSet<String>| {
            let mut edges = edges.to_vec();
            edges.retain(|edge| self.is_among(kept, edge.constraint));
            difference::negative_cycle(nodes, &edges).is_some()
        };
        Some(explain::minimise(self.labels(&cycle), fails))
    }

    /// A minimal set of labels that cannot be kept when the root happens at this instant.
    fn minimal_at(&self, exact: &Exact, root: usize, at: i64) -> Vec<String> {
        let all: Vec<usize> = (0..self.constraints.len()).collect();
        explain::minimise(self.labels(&all), |kept| {
            match exact.judge(root, at, |index| self.is_among(kept, index)) {
                Fate::Moves | Fate::Diverges => true,
                Fate::Feasible | Fate::Open => false,
            }
        })
    }

    fn edges(&self, reading: &Reading, outlook: Outlook, calendar: &Calendar) -> Vec<Edge> {
        let edges = |(one, place)| difference::edges(one, place, reading, outlook, calendar);
        self.placed().flat_map(edges).collect()
    }

    fn placed(&self) -> impl Iterator<Item = (&Constraint, (usize, usize, usize))> {
        let indexed = self.constraints.iter().enumerate();
        indexed.map(|(index, placed)| (&placed.constraint, (index, placed.from, placed.to)))
    }

    fn labels(&self, constraints: &[usize]) -> BTreeSet<String> {
        let placed = constraints
            .iter()
            .filter_map(|index| self.constraints.get(*index));
        placed
            .map(|placed| placed.constraint.label().to_owned())
            .collect()
    }

    fn is_among(&self, labels: &BTreeSet<String>, constraint: usize) -> bool {
        self.constraints
            .get(constraint)
            .is_some_and(|placed| labels.contains(placed.constraint.label()))
    }

    fn find(&self, event: &str) -> Option<usize> {
        self.events.iter().position(|known| known == event)
    }

    fn event(&mut self, event: &str) -> usize {
        self.find(event).unwrap_or_else(|| {
            self.events.push(event.to_owned());
            self.events.len().saturating_sub(1)
        })
    }
}

impl Extend<Constraint> for Network {
    fn extend<T: IntoIterator<Item = Constraint>>(&mut self, constraints: T) {
        for constraint in constraints {
            self.add(constraint);
        }
    }
}

/// Days that are bad in either; the first time there is nothing to join.
fn union(all: Vec<Day>, more: Vec<Day>) -> Vec<Day> {
    if all.is_empty() {
        return more;
    }
    let either = |(one, other)| match (one, other) {
        (Day::Good, Day::Good) => Day::Good,
        (Day::Bad, _) | (_, Day::Bad) => Day::Bad,
    };
    all.into_iter().zip(more).map(either).collect()
}
