//! When things happen at the earliest and at the latest after one event, as a document promises:
//! a simulation without any store.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::network::{Constraint, Kind};
use covenant_core::{Action, ClauseId, Period, Reading};
use time::{Duration, UtcDateTime};

use crate::lifecycle::{Against, Figures, deaths, promises};
use crate::{Document, Lifecycle, Name, State};

/// What a milestone is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Mark {
    /// An event.
    Event(Action),
    /// The planned destruction of a key.
    KeyDestroyed(Name),
    /// The first event has led to this state.
    State(State),
}

/// Something that happens after the first event of a course, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Milestone {
    /// What happens.
    pub mark: Mark,
    /// Not before this; `None` when nothing holds it back.
    pub earliest: Option<UtcDateTime>,
    /// Not after this; `None` when nothing demands it.
    pub latest: Option<UtcDateTime>,
    /// The clauses that say so, ascending; those that only bear on it through an earlier event are
    /// with that event.
    pub clauses: Vec<ClauseId>,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Event(action) => f.write_str(action.name()),
            Self::KeyDestroyed(key) => write!(f, "{} of {key}", Action::KeyDestroyed),
            Self::State(state) => f.write_str(state.name()),
        }
    }
}

/// Times found so far.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    earliest: Option<UtcDateTime>,
    latest: Option<UtcDateTime>,
}

impl Document {
    /// What happens when, once the first event of the course has happened at `from`: floors end at
    /// their latest reading less `early`, ceilings at their earliest plus `late`. In order of time,
    /// the first event first; empty when no promise is about the course, or for
    /// [`Lifecycle::Other`]. A limit after the year 9999 is left out.
    #[must_use]
    pub fn timeline(&self, lifecycle: Lifecycle, from: UtcDateTime) -> Vec<Milestone> {
        let about = lifecycle.select(&promises(self, Figures::InForce));
        let Some(start) = lifecycle.start().filter(|_| !about.is_empty()) else {
            return Vec::new();
        };
        let deaths = deaths(self);
        let keys = (deaths.as_slice(), Against::BOTH.as_slice());
        let network = lifecycle.network(self, &about, Figures::InForce, keys);
        let constraints: Vec<_> = network.constraints().collect();
        let mut times: BTreeMap<&str, Times> = BTreeMap::new();
        times.insert(
            start.name(),
            Times {
                earliest: Some(from),
                latest: Some(from),
            },
        );
        // a time settles after as many rounds as there are events, unless the promises contradict
        // each other; a document that was read has none that do
        for _ in network.events() {
            let moved = constraints.iter().filter(|c| c.to() != start.name());
            let moved = moved.filter(|constraint| relax(constraint, &mut times, self.reading()));
            if moved.count() == 0 {
                break;
            }
        }
        let keys: BTreeMap<String, &Name> = deaths
            .iter()
            .map(|death| (death.destroyed(), &death.key().id))
            .filter(|(event, _)| times.contains_key(event.as_str()))
            .collect();
        let mut all: Vec<Milestone> = times
            .iter()
            .filter_map(|(event, times)| {
                let mark = match (event.parse::<Action>(), keys.get(*event)) {
                    // told of each key
                    (Ok(Action::KeyDestroyed), _) if !keys.is_empty() => return None,
                    (Ok(action), _) => Mark::Event(action),
                    (Err(_), Some(key)) => Mark::KeyDestroyed((*key).clone()),
                    (Err(_), None) => return None,
                };
                let said = constraints.iter().filter(|c| is_about(c, event, lifecycle));
                Some(Milestone {
                    mark,
                    earliest: times.earliest,
                    latest: times.latest,
                    clauses: distinct(said.filter_map(|c| c.label().parse().ok())),
                })
            })
            .collect();
        all.extend(self.states(&times));
        let first = Mark::Event(start);
        all.sort_by(|a, b| {
            let order = |m: &Milestone| (m.mark != first, m.latest.or(m.earliest), m.mark.clone());
            let (a, b) = (order(a), order(b));
            (a.0, a.1.is_none(), a.1, a.2).cmp(&(b.0, b.1.is_none(), b.1, b.2))
        });
        all
    }

    /// States that events of the course lead to.
    fn states(&self, times: &BTreeMap<&str, Times>) -> Vec<Milestone> {
        let mut found: BTreeMap<State, (Times, BTreeSet<ClauseId>)> = BTreeMap::new();
        for clause in &self.clauses {
            let Some(bound) = &clause.bound else { continue };
            let starts = bound.from.iter().filter_map(|from| times.get(from.name()));
            for (start, state) in
                starts.flat_map(|start| bound.state.iter().map(move |state| (start, state)))
            {
                let max = bound.max.unwrap_or_default();
                let latest = start
                    .latest
                    .and_then(|at| end(at, max, self.reading()).map(|w| w.0));
                let (times, clauses) = found.entry(*state).or_default();
                times.latest = [times.latest, latest].into_iter().flatten().min();
                clauses.insert(clause.id);
            }
        }
        let milestone = |(state, (times, clauses)): (_, (Times, BTreeSet<_>))| Milestone {
            mark: Mark::State(state),
            earliest: times.earliest,
            latest: times.latest,
            clauses: clauses.into_iter().collect(),
        };
        found.into_iter().map(milestone).collect()
    }
}

/// Whether the constraint says when the event happens. How often backups are made says when the last
/// one of a thing is; what must be true when no copy of a key is left is about its destruction.
fn is_about(constraint: &Constraint, event: &str, lifecycle: Lifecycle) -> bool {
    let end = lifecycle.live_end().map(Action::name);
    let is_last_copy =
        constraint.from() == Action::BackupCompleted.name() && Some(constraint.to()) == end;
    let about = if is_last_copy {
        constraint.from()
    } else {
        constraint.to()
    };
    let of_key = |event: &'_ str| event.split_once('/').map(|(_, key)| key.to_owned());
    about == event || (of_key(about).is_some() && of_key(about) == of_key(event))
}

fn distinct(ids: impl Iterator<Item = ClauseId>) -> Vec<ClauseId> {
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Earliest and latest reading of the period; `None` outside the calendar.
fn end(at: UtcDateTime, period: Period, reading: &Reading) -> Option<(UtcDateTime, UtcDateTime)> {
    let window = period.resolve(at, reading).ok()?;
    Some((window.earliest, window.latest))
}

/// Moves the times of both events as the constraint asks; whether any moved.
fn relax<'n>(
    constraint: &'n Constraint,
    times: &mut BTreeMap<&'n str, Times>,
    reading: &Reading,
) -> bool {
    let start = times.get(constraint.from()).copied().unwrap_or_default();
    let target = times.get(constraint.to()).copied().unwrap_or_default();
    let (period, secs) = (constraint.period(), constraint.tolerance_secs());
    let tolerance = Duration::seconds(secs);
    let latest_reading = |at| end(at, period, reading).map(|window| window.1);
    let earliest_reading = |at| end(at, period, reading).map(|window| window.0);
    // backwards only over periods that are the same on every date
    let back = period.as_secs().and_then(|secs| i64::try_from(secs).ok());
    let back = back.map(Duration::seconds);
    let (mut first, mut second) = (start, target);
    match constraint.kind() {
        Kind::Floor => {
            let at = start.earliest.and_then(latest_reading);
            let at = at.and_then(|at| at.checked_sub(tolerance));
            second.earliest = second.earliest.max(at);
            let at = target.latest.zip(back);
            let at = at.and_then(|(at, back)| at.checked_sub(back)?.checked_add(tolerance));
            first.latest = least(first.latest, at);
        }
        Kind::Ceiling => {
            let at = start.latest.and_then(earliest_reading);
            let at = at.and_then(|at| at.checked_add(tolerance));
            second.latest = least(second.latest, at);
            let at = target.earliest.zip(back);
            let at = at.and_then(|(at, back)| at.checked_sub(back)?.checked_sub(tolerance));
            first.earliest = first.earliest.max(at);
        }
        Kind::Plan => {
            let at = start.earliest.and_then(latest_reading);
            second.earliest = second.earliest.max(at);
            let at = start.latest.and_then(latest_reading);
            second.latest = least(second.latest, at);
        }
    }
    let differ = |a: Times, b: Times| a.earliest != b.earliest || a.latest != b.latest;
    let moved = differ(first, start) || differ(second, target);
    times.insert(constraint.from(), first);
    times.insert(constraint.to(), second);
    moved
}

fn least(a: Option<UtcDateTime>, b: Option<UtcDateTime>) -> Option<UtcDateTime> {
    [a, b].into_iter().flatten().min()
}
