//! How long data stays, store by store: what no single line of a page says, but all of them imply.
//!
//! The longest and the shortest way through the promises, from the event that nobody chooses to the
//! event after which the store no longer has it. Days are counted as elapsed, at the figures that
//! are promised; what tolerances add or take stands beside. A copy counts from the moment at which
//! its origin loses the thing: the last backup is taken no earlier than its cadence before.

use std::collections::BTreeMap;

use covenant_core::network::{Calendar, Network, Stretch};
use covenant_core::{Action, ClauseId, DayRule, MonthRule, Period, Reading, Zone};

use crate::lifecycle::{Figures, Promise, holds, is_live, promises};
use crate::{Document, Lifecycle, Name, Store, StoreKind};

/// How long data of a class may and must stay in stores after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Residency {
    /// The kind of data.
    pub class: Name,
    /// What it goes through.
    pub lifecycle: Lifecycle,
    /// The event from which days are counted.
    pub from: Action,
    /// The event after which the stores no longer have it.
    pub to: Action,
    /// The stores, in the order of the document.
    pub stores: Vec<Name>,
    /// It stays at least so many whole days, if nobody waives a floor; 0 when it may go at once.
    pub min_days: u32,
    /// It is gone after so many days, a part of a day counted as a day; `None` when nothing says so.
    pub max_days: Option<u32>,
    /// The same to the second, as elapsed time: `PT10S` where `max_days` is 1.
    pub max: Option<Period>,
    /// What declared tolerances change.
    pub tolerance: Tolerance,
    /// The clauses that give both figures, ascending.
    pub clauses: Vec<ClauseId>,
}

/// How much the declared tolerances of all clauses on the way change a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tolerance {
    /// It may stay so much longer than the most.
    pub more: Period,
    /// It may stay so much shorter than the least.
    pub less: Period,
}

impl std::fmt::Display for Tolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.more.is_zero(), self.less.is_zero()) {
            (true, true) => f.write_str("none"),
            (false, true) => write!(f, "at most {} more", self.more),
            (true, false) => write!(f, "at most {} less", self.less),
            (false, false) => write!(f, "at most {} more, {} less", self.more, self.less),
        }
    }
}

impl Residency {
    /// How long it stays, in words: whole days, or the exact length of less than a day.
    #[must_use]
    pub fn stays(&self) -> String {
        if let Some(most) = self.less_than_a_day() {
            return format!("at most {most}");
        }
        match (self.min_days, self.max_days) {
            (least, Some(most)) if least == most => in_words(most),
            (0, Some(most)) => format!("at most {}", in_words(most)),
            (least, Some(most)) => format!("{least} to {}", in_words(most)),
            (0, None) => "nothing says how long".to_owned(),
            (least, None) => {
                format!(
                    "at least {}, and nothing says when it goes",
                    in_words(least)
                )
            }
        }
    }

    /// The longest stay where it is shorter than a day, which whole days say wrongly.
    #[must_use]
    pub fn less_than_a_day(&self) -> Option<Period> {
        let is_less = |most: &Period| most.as_secs().is_some_and(|secs| secs < SECS_PER_DAY);
        self.max.filter(is_less)
    }
}

fn in_words(days: u32) -> String {
    match days {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

const SECS_PER_DAY: u64 = 86_400;

/// What stays equal between stores of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stay {
    to: Action,
    min_days: u32,
    max_days: Option<u32>,
    max: Option<Period>,
    tolerance: Tolerance,
    clauses: Vec<ClauseId>,
}

impl Document {
    /// How long data of each class stays in each store, in the order of [`Lifecycle::ALL`]; stores
    /// with equal figures share a row.
    ///
    /// A course speaks of the class of its name (a record's of `record`, a database's, trial's and
    /// contract's of `database`, an erasure's of `account`) and of the classes below it; where the
    /// document has no class `database`, databases hold all of them. Backups hold what lies in them.
    #[must_use]
    pub fn residency(&self) -> Vec<Residency> {
        let all = promises(self, Figures::InForce);
        let calendar = Calendar::new();
        let of = |lifecycle: &Lifecycle| {
            let about = lifecycle.select(&all);
            let rows = lifecycle.start().filter(|_| !about.is_empty());
            rows.map_or_else(Vec::new, |from| {
                self.stays(&calendar, (*lifecycle, from), &about)
            })
        };
        Lifecycle::ALL.iter().flat_map(of).collect()
    }

    fn stays(
        &self,
        calendar: &Calendar,
        (lifecycle, from): (Lifecycle, Action),
        about: &[Promise<'_>],
    ) -> Vec<Residency> {
        let network = stay_network(self, lifecycle, about);
        let mut known: BTreeMap<Action, Option<Stay>> = BTreeMap::new();
        let mut rows = Vec::new();
        for class in self.concerned(lifecycle) {
            let mut groups: Vec<(Stay, Vec<Name>)> = Vec::new();
            for store in self
                .stores
                .iter()
                .filter(|store| store.classes.contains(class))
            {
                let end = end_in(lifecycle, store, &network);
                let stay = end.and_then(|end| {
                    known
                        .entry(end)
                        .or_insert_with(|| stay(calendar, &network, (from, end)))
                        .clone()
                });
                let Some(stay) = stay else { continue };
                match groups.iter_mut().find(|(group, _)| *group == stay) {
                    Some((_, stores)) => stores.push(store.id.clone()),
                    None => groups.push((stay, vec![store.id.clone()])),
                }
            }
            rows.extend(groups.into_iter().map(|(stay, stores)| {
                let Stay {
                    to,
                    min_days,
                    max_days,
                    max,
                    tolerance,
                    clauses,
                } = stay;
                Residency {
                    class: class.clone(),
                    lifecycle,
                    from,
                    to,
                    stores,
                    min_days,
                    max_days,
                    max,
                    tolerance,
                    clauses,
                }
            }));
        }
        rows
    }

    /// The classes that a course speaks of.
    fn concerned(&self, lifecycle: Lifecycle) -> Vec<&Name> {
        let all = || self.classes.iter().map(|class| &class.id);
        let below = |root: &str| {
            let is_below = |id: &&Name| self.ancestors(id).any(|one| one.as_str() == root);
            all().filter(is_below).collect::<Vec<_>>()
        };
        match lifecycle {
            Lifecycle::Record => below("record"),
            Lifecycle::Erasure => below("account"),
            Lifecycle::Trial | Lifecycle::Database | Lifecycle::Contract => {
                let databases = below("database");
                if databases.is_empty() {
                    all().collect()
                } else {
                    databases
                }
            }
            Lifecycle::Backup | Lifecycle::Object => all().collect(),
            Lifecycle::Key
            | Lifecycle::Incident
            | Lifecycle::Access
            | Lifecycle::Export
            | Lifecycle::Update
            | Lifecycle::Other => Vec::new(),
        }
    }

    /// The class and the wider ones whose rules it takes.
    fn ancestors<'d>(&'d self, id: &'d Name) -> impl Iterator<Item = &'d Name> {
        let parent = |id: &&'d Name| {
            let class = self.classes.iter().find(|class| class.id == **id);
            class.and_then(|class| class.parent.as_ref())
        };
        // a document's parents do not run in a circle
        std::iter::successors(Some(id), parent)
    }
}

/// The promises with copies counted from the end of what they copy. Promises of the course itself
/// come before those on backups as such, those from its start first, so that of equal figures the
/// nearest counts.
pub(crate) fn stay_network(
    document: &Document,
    lifecycle: Lifecycle,
    about: &[Promise<'_>],
) -> Network {
    let Some(end) = lifecycle.live_end() else {
        return lifecycle.network(document, about, Figures::InForce, (&[], &[]));
    };
    let is_copy = |promise: &&Promise<'_>| promise.from == Action::BackupCompleted;
    let (copies, mut own): (Vec<_>, Vec<_>) = about.iter().partition(is_copy);
    own.sort_by_key(|promise| Some(promise.from) != lifecycle.start());
    let copies = copies.into_iter().cloned();
    let copies = copies.map(|promise| {
        let to = promise.to;
        promise.between(end, to)
    });
    let all: Vec<_> = own.into_iter().cloned().chain(copies).collect();
    lifecycle.network(document, &all, Figures::InForce, (&[], &[]))
}

/// The event after which a store no longer has it.
fn end_in(lifecycle: Lifecycle, store: &Store, network: &Network) -> Option<Action> {
    let has = |event: &Action| network.events().iter().any(|known| known == event.name());
    match lifecycle {
        Lifecycle::Erasure if store.kind != StoreKind::Log => Some(Action::ErasureCompleted),
        Lifecycle::Object => Some(Action::ObjectUnreachable),
        _ if is_live(store) => lifecycle.live_end(),
        _ => [Action::BackupPurged, Action::BackupUnrestorable]
            .into_iter()
            .find(has),
    }
    .filter(|end| has(end))
    .filter(|end| holds(store, *end) || *end == Action::ErasureCompleted)
}

fn stay(calendar: &Calendar, network: &Network, (from, to): (Action, Action)) -> Option<Stay> {
    let elapsed = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd);
    let span = |network: &Network| network.span_with(calendar, (from.name(), to.name()), &elapsed);
    let declared = span(network)?;
    // without tolerances promises of one figure may have no room at all; these then have
    let strict = span(&network.without_tolerances()).unwrap_or_else(|| declared.clone());
    let secs = |way: Option<&Stretch>| way.map(|way| way.secs);
    let apart = |a: Option<i64>, b: Option<i64>| {
        let secs = a.zip(b).map_or(0, |(a, b)| a.abs_diff(b));
        Period::seconds(secs)
    };
    let more = apart(secs(strict.most.as_ref()), secs(declared.most.as_ref()));
    let less = apart(secs(strict.least.as_ref()), secs(declared.least.as_ref()));
    let days = |days: i64| u32::try_from(days.max(0)).unwrap_or(u32::MAX);
    let ways = [strict.least.as_ref(), strict.most.as_ref()];
    let labels = ways.into_iter().flatten().flat_map(|way| &way.labels);
    let mut clauses: Vec<ClauseId> = labels.filter_map(|label| label.parse().ok()).collect();
    clauses.sort_unstable();
    clauses.dedup();
    if clauses.is_empty() {
        return None;
    }
    let most = strict.most.as_ref().map(|way| way.secs.max(0));
    let most = most.and_then(|secs| u64::try_from(secs).ok());
    Some(Stay {
        to,
        min_days: strict.min_days().map_or(0, days),
        max_days: strict.max_days().map(days),
        max: most.map(Period::seconds),
        tolerance: Tolerance { more, less },
        clauses,
    })
}
