//! The rules of one class in one store, selected once when the rules are loaded: which events each
//! of them counts from, and what undoes those, so that a verdict looks at every event once and at
//! no name twice.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::UnixTime;
use time::UtcDateTime;

use crate::rule::Rule;
use crate::{Occurrence, Trigger};

/// Which events undo which.
pub(crate) type Undone = BTreeMap<Trigger, BTreeSet<Trigger>>;

/// The rules of a class in a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    rulings: Vec<Ruling>,
    watched: Vec<Watched>,
}

/// A rule, and the events it asks for, all as positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruling {
    /// Among the rules.
    pub(crate) rule: usize,
    /// The event it counts from, or that ends it.
    pub(crate) trigger: u32,
    /// The event that it is about.
    pub(crate) to: Option<u32>,
    /// The events that waive it.
    pub(crate) waived_by: Vec<u32>,
}

/// An event that a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Watched {
    trigger: Trigger,
    undone_by: Vec<Trigger>,
}

/// The occurrences of an event up to an instant that are not cancelled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) first: UnixTime,
    pub(crate) last: UnixTime,
}

/// Which occurrence a rule counts from: of the event at a position, among those that stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    None,
    First(u32),
    Last(u32),
}

impl Anchor {
    pub(crate) fn of(self, standing: &[Option<Standing>]) -> Option<UnixTime> {
        let of = |at: u32| standing.get(usize::try_from(at).ok()?).copied()?;
        match self {
            Self::None => None,
            Self::First(at) => of(at).map(|of| of.first),
            Self::Last(at) => of(at).map(|of| of.last),
        }
    }
}

impl Selected {
    /// The rules at these positions.
    pub(crate) fn new(rules: &[Rule], at: &[usize], undone: &Undone) -> Self {
        let mut selected = Self::default();
        for (at, rule) in at.iter().filter_map(|at| Some((*at, rules.get(*at)?))) {
            let ruling = Ruling {
                rule: at,
                trigger: selected.watch(rule.limit.trigger(), undone),
                to: rule.to.as_ref().map(|to| selected.watch(to, undone)),
                waived_by: rule
                    .waived_by
                    .iter()
                    .map(|event| selected.watch(event, undone))
                    .collect(),
            };
            selected.rulings.push(ruling);
        }
        selected
    }

    pub(crate) fn rulings(&self) -> &[Ruling] {
        &self.rulings
    }

    /// Whether a rule asks for the event.
    pub(crate) fn watches(&self, event: &str) -> bool {
        let mut triggers = self.watched.iter().map(|watched| &watched.trigger);
        triggers.any(|trigger| trigger.as_str() == event)
    }

    /// What stands at the instant of each event that a rule asks for.
    pub(crate) fn standing(
        &self,
        events: &[Occurrence<'_>],
        now: UtcDateTime,
    ) -> Vec<Option<Standing>> {
        let watched = self.watched.iter();
        watched
            .map(|watched| watched.standing(events, now))
            .collect()
    }

    /// Where the event is among those that are asked for.
    fn watch(&mut self, trigger: &Trigger, undone: &Undone) -> u32 {
        let mut triggers = self.watched.iter().map(|watched| &watched.trigger);
        let known = triggers.position(|known| known == trigger);
        let at = known.unwrap_or_else(|| {
            let undone_by = undone.get(trigger).into_iter().flatten().cloned();
            self.watched.push(Watched {
                trigger: trigger.clone(),
                undone_by: undone_by.collect(),
            });
            self.watched.len().saturating_sub(1)
        });
        // rules are capped far below what 32 bits count
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

impl Watched {
    /// The first and the last occurrence up to the instant that nothing cancels.
    fn standing(&self, events: &[Occurrence<'_>], now: UtcDateTime) -> Option<Standing> {
        let past = |event: &&Occurrence<'_>| event.at <= now;
        let undone = if self.undone_by.is_empty() {
            None
        } else {
            let undoes = |event: &&Occurrence<'_>| {
                let mut by = self.undone_by.iter();
                by.any(|trigger| trigger.as_str() == event.name)
            };
            let undone = events.iter().filter(past).filter(undoes);
            undone.map(|event| event.at).max()
        };
        let mut standing: Option<(UtcDateTime, UtcDateTime)> = None;
        for event in events.iter().filter(past) {
            if event.name == self.trigger.as_str() && undone.is_none_or(|undone| undone < event.at)
            {
                let at = event.at;
                standing =
                    Some(standing.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
            }
        }
        standing.map(|(first, last)| Standing {
            first: first.into(),
            last: last.into(),
        })
    }
}
