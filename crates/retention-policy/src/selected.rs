//! The rules of one class in one store, selected once when the rules are loaded: which events each
//! of them counts from, and what undoes those, so that a verdict looks at every event once and at
//! no name twice.

use std::collections::{BTreeMap, BTreeSet};

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
    pub(crate) trigger: usize,
    /// The event that it is about.
    pub(crate) to: Option<usize>,
    /// The events that waive it.
    pub(crate) waived_by: Vec<usize>,
}

/// An event that a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Watched {
    trigger: Trigger,
    undone_by: Vec<Trigger>,
}

/// The occurrences of an event up to an instant that are not cancelled.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    pub(crate) first: Option<UtcDateTime>,
    pub(crate) last: Option<UtcDateTime>,
}

/// Which occurrence a rule counts from: of the event at a position, among those that stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    None,
    First(usize),
    Last(usize),
}

impl Anchor {
    pub(crate) fn of(self, standing: &[Standing]) -> Option<UtcDateTime> {
        match self {
            Self::None => None,
            Self::First(at) => standing.get(at)?.first,
            Self::Last(at) => standing.get(at)?.last,
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
    pub(crate) fn standing(&self, events: &[Occurrence<'_>], now: UtcDateTime) -> Vec<Standing> {
        let past = |event: &&Occurrence<'_>| event.at <= now;
        let standing = self.watched.iter().map(|watched| {
            let undone = if watched.undone_by.is_empty() {
                None
            } else {
                let undoes = |event: &&Occurrence<'_>| {
                    let mut by = watched.undone_by.iter();
                    by.any(|trigger| trigger.as_str() == event.name)
                };
                let undone = events.iter().filter(past).filter(undoes);
                undone.map(|event| event.at).max()
            };
            let mut standing = Standing::default();
            for event in events.iter().filter(past) {
                if event.name == watched.trigger.as_str()
                    && undone.is_none_or(|undone| undone < event.at)
                {
                    let at = event.at;
                    standing.first = Some(standing.first.map_or(at, |first| first.min(at)));
                    standing.last = Some(standing.last.map_or(at, |last| last.max(at)));
                }
            }
            standing
        });
        standing.collect()
    }

    /// Where the event is among those that are asked for.
    fn watch(&mut self, trigger: &Trigger, undone: &Undone) -> usize {
        let mut triggers = self.watched.iter().map(|watched| &watched.trigger);
        if let Some(at) = triggers.position(|known| known == trigger) {
            return at;
        }
        let undone_by = undone.get(trigger).into_iter().flatten().cloned();
        self.watched.push(Watched {
            trigger: trigger.clone(),
            undone_by: undone_by.collect(),
        });
        self.watched.len().saturating_sub(1)
    }
}
