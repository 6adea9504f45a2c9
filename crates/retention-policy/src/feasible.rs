//! Whether rules and keys can all hold, and on what date they first cannot.
//!
//! Rules of one class form a network: triggers are its events, and for each store the moment at
//! which the class is gone from it. A rule's `to` that no other rule of the store counts from is the
//! name of that moment, so that copies can count from it. From every event that nobody chooses a
//! course is followed: the rules it leads to, less those floors that an event on the way waives.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::network::{Calendar, Constraint, KeyPlan, Network, Verdict};
use covenant_core::{Action, Period, Reading};
use time::Date;

use crate::copies::{Graph, SealingKey};
use crate::error::Witness;
use crate::rule::{Limit, Rule};
use crate::trigger::{BACKUP_COMPLETED, BACKUP_CONSISTENT};
use crate::{ClassId, KeyName, RuleError, StoreName, Trigger};

/// Days after which the calendar repeats.
const CYCLE_DAYS: u32 = 146_097;
/// The label of what no rule says: that one event does not come before another.
const ORDER: &str = "order of events";
/// Events of a copy itself: the instant that it shows, and that from which it can be restored.
const COPIED: [&str; 2] = [BACKUP_CONSISTENT, BACKUP_COMPLETED];
const KEY_DESTROYED: &str = Action::KeyDestroyed.name();

/// Most constraints in one course: a bound of ours, so that hostile rules stay cheap.
pub(crate) const CONSTRAINTS_MAX: usize = 512;

/// Most steps in which events are followed through rules, counted as events times rules of each class: a
/// bound of ours, for the same reason.
pub(crate) const STEPS_MAX: usize = 4_000_000;

/// The rules of each class in each store, as positions.
pub(crate) type Index = BTreeMap<(StoreName, ClassId), Vec<usize>>;

/// What copies count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copies {
    /// From their own events, which come at most one rhythm before the origin loses the item.
    OwnEvents,
    /// From the moment at which their origin loses the item: the last copy is not older.
    Origin,
}

/// One rule in one store.
#[derive(Debug, Clone)]
struct Edge<'a> {
    store: &'a StoreName,
    rule: &'a Rule,
    from: String,
    to: String,
}

/// All rules of one class.
#[derive(Debug)]
pub(crate) struct ClassView<'a> {
    graph: &'a Graph,
    class: &'a ClassId,
    under: BTreeMap<&'a StoreName, Vec<&'a Rule>>,
    /// For each store the names of the moment at which the class is gone from it.
    ends: BTreeMap<&'a StoreName, BTreeSet<&'a Trigger>>,
}

/// What follows from one event.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    edges: Vec<Edge<'a>>,
    reached: BTreeSet<String>,
    network: Network,
}

/// The moment at which the class is gone from the store.
pub(crate) fn gone_from(store: &StoreName) -> String {
    format!("gone from {store}")
}

impl<'a> ClassView<'a> {
    pub(crate) fn of(
        graph: &'a Graph,
        rules: &'a [Rule],
        index: &'a Index,
        class: &'a ClassId,
    ) -> Self {
        let mut under = BTreeMap::new();
        let mut ends = BTreeMap::new();
        for ((store, _), at) in index.iter().filter(|((_, one), _)| one == class) {
            let here: Vec<&Rule> = at.iter().filter_map(|at| rules.get(*at)).collect();
            let from: BTreeSet<&Trigger> = here.iter().map(|rule| rule.limit.trigger()).collect();
            let to = here.iter().filter_map(|rule| rule.to.as_ref());
            let last: BTreeSet<&Trigger> = to
                .filter(|to| !from.contains(to) && to.as_str() != KEY_DESTROYED)
                .collect();
            under.insert(store, here);
            ends.insert(store, last);
        }
        Self {
            graph,
            class,
            under,
            ends,
        }
    }

    /// The stores that hold the class.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &'a StoreName> {
        self.under.keys().copied()
    }

    /// The name of the moment at which the class is gone from the store, where it has one.
    pub(crate) fn end(&self, store: &StoreName) -> Option<&'a Trigger> {
        self.ends.get(store)?.first().copied()
    }

    /// Events that nothing brings about, or that rules also count from although one does.
    pub(crate) fn roots(&self) -> BTreeSet<&'a Trigger> {
        let edges = self.edges();
        edges
            .iter()
            .map(|edge| (edge.from.as_str(), edge.rule.limit.trigger()))
            .filter(|(node, trigger)| *node == trigger.as_str())
            .map(|(_, trigger)| trigger)
            .collect()
    }

    /// In how many steps all its courses are followed, at most.
    fn steps(&self) -> usize {
        let rules = self.under.values().flatten();
        let events: BTreeSet<&Trigger> = rules.map(|rule| rule.limit.trigger()).collect();
        let edges = self.under.values().map(Vec::len);
        edges
            .fold(0, usize::saturating_add)
            .saturating_mul(events.len())
    }

    /// Floors and ceilings, except those about a key.
    fn edges(&self) -> Vec<Edge<'a>> {
        let mut edges = Vec::new();
        for (store, rules) in &self.under {
            for rule in rules {
                let about_key = rule
                    .to
                    .as_ref()
                    .is_some_and(|to| to.as_str() == KEY_DESTROYED);
                if about_key || matches!(rule.limit, Limit::Until { .. }) {
                    continue;
                }
                edges.push(Edge {
                    store,
                    rule,
                    from: self.node(Some(store), rule.limit.trigger()),
                    to: match &rule.to {
                        Some(to) if !self.ends_with(store, to) => to.to_string(),
                        _ => gone_from(store),
                    },
                });
            }
        }
        edges
    }

    fn ends_with(&self, store: &StoreName, event: &Trigger) -> bool {
        self.ends
            .get(store)
            .is_some_and(|ends| ends.contains(event))
    }

    /// The event as the network knows it: where it is the end in a store that feeds this one (or, of
    /// no store in particular, in any), the moment at which that store loses the class.
    fn node(&self, store: Option<&StoreName>, event: &Trigger) -> String {
        let candidates: BTreeSet<&StoreName> = match store {
            Some(store) => self.graph.feeders(store),
            None => self.ends.keys().copied().collect(),
        };
        let origin = candidates
            .into_iter()
            .find(|feeder| self.ends_with(feeder, event));
        origin.map_or_else(|| event.to_string(), gone_from)
    }

    /// What follows from the event.
    pub(crate) fn course(&self, root: &'a Trigger, copies: Copies) -> Course<'a> {
        let mut reached = BTreeSet::from([root.to_string()]);
        let mut open = self.edges();
        let mut edges: Vec<Edge<'a>> = Vec::new();
        loop {
            if COPIED.iter().any(|event| reached.contains(*event)) {
                reached.extend(COPIED.map(str::to_owned));
            }
            let is_reached = |edge: &Edge<'_>| {
                reached.contains(&edge.from)
                    || (is_of_copy(edge)
                        && self.origins(edge.store).any(|gone| reached.contains(&gone)))
            };
            let (taken, left): (Vec<_>, Vec<_>) = open.into_iter().partition(is_reached);
            open = left;
            if taken.is_empty() {
                break;
            }
            reached.extend(taken.iter().map(|edge| edge.to.clone()));
            if copies == Copies::OwnEvents && taken.iter().any(is_of_copy) {
                reached.extend(COPIED.map(str::to_owned));
            }
            edges.extend(taken);
        }
        let happens = |event: &Trigger| {
            reached.contains(event.as_str()) || reached.contains(&self.node(None, event))
        };
        edges.retain(|edge| {
            let waived = edge.rule.waived_by.iter().any(happens);
            !waived || matches!(edge.rule.limit, Limit::Ceiling { .. })
        });
        let network = self.network(root, &edges, &reached, copies);
        Course {
            edges,
            reached,
            network,
        }
    }

    fn origins(&self, store: &StoreName) -> impl Iterator<Item = String> {
        let origins = self.graph.origins(store, self.class);
        origins.into_iter().map(gone_from)
    }

    fn network(
        &self,
        root: &Trigger,
        edges: &[Edge<'a>],
        reached: &BTreeSet<String>,
        copies: Copies,
    ) -> Network {
        let mut all = Distinct::default();
        for edge in edges {
            let Some(constraint) = bounded(edge.rule, &edge.from, &edge.to) else {
                continue;
            };
            let own =
                copies == Copies::OwnEvents || !is_of_copy(edge) || reached.contains(&edge.from);
            if own {
                all.ordered(constraint);
                continue;
            }
            for gone in self
                .origins(edge.store)
                .filter(|gone| reached.contains(gone))
            {
                if let Some(moved) = bounded(edge.rule, &gone, &edge.to) {
                    all.ordered(moved);
                }
            }
        }
        if copies == Copies::OwnEvents {
            for edge in edges.iter().filter(|edge| is_of_copy(edge)) {
                self.copied(edge.store, reached, &mut all);
            }
        }
        if COPIED.iter().all(|event| reached.contains(*event)) {
            all.add(Constraint::floor(
                ORDER,
                BACKUP_CONSISTENT,
                BACKUP_COMPLETED,
                Period::ZERO,
            ));
        }
        let mut network = Network::new();
        network.root(root.as_str());
        network.extend(all.constraints);
        network
    }

    /// That the last copy of what a store loses is at most one rhythm older than the loss.
    fn copied(&self, store: &StoreName, reached: &BTreeSet<String>, all: &mut Distinct) {
        let feeders = self.graph.feeders(store).into_iter();
        let line = std::iter::once(store).chain(feeders);
        let every = line.filter_map(|name| {
            let every = self.graph.stores.get(name)?.every?;
            Some((name, every))
        });
        let every: Vec<_> = every.collect();
        for gone in self.origins(store).filter(|gone| reached.contains(gone)) {
            all.add(Constraint::floor(
                ORDER,
                BACKUP_COMPLETED,
                &gone,
                Period::ZERO,
            ));
            for (name, every) in &every {
                let label = format!("store {name}");
                let most = every.at_most();
                all.add(Constraint::ceiling(label, BACKUP_COMPLETED, &gone, most));
            }
        }
    }
}

/// Whether it counts from an event of the copy itself.
fn is_of_copy(edge: &Edge<'_>) -> bool {
    COPIED.contains(&edge.from.as_str())
}

/// The constraint that a floor or ceiling sets between these moments.
fn bounded(rule: &Rule, from: &str, to: &str) -> Option<Constraint> {
    let label = format!("rule {}", rule.id);
    Some(match &rule.limit {
        Limit::Floor {
            period, early_secs, ..
        } => {
            Constraint::floor(label, from, to, *period).with_tolerance(Period::seconds(*early_secs))
        }
        Limit::Ceiling {
            period, late_secs, ..
        } => Constraint::ceiling(label, from, to, *period)
            .with_tolerance(Period::seconds(*late_secs)),
        Limit::Until { .. } => return None,
    })
}

/// Constraints, each once.
#[derive(Debug, Default)]
struct Distinct {
    constraints: Vec<Constraint>,
}

impl Distinct {
    fn add(&mut self, constraint: Constraint) {
        if self.constraints.len() > CONSTRAINTS_MAX {
            // one too many is enough to be refused
            return;
        }
        if !self.constraints.contains(&constraint) {
            self.constraints.push(constraint);
        }
    }

    /// Likewise, and that its second event is not before the first.
    fn ordered(&mut self, constraint: Constraint) {
        let (from, to) = (constraint.from().to_owned(), constraint.to().to_owned());
        self.add(constraint);
        self.add(Constraint::floor(ORDER, from, to, Period::ZERO));
    }
}

impl Course<'_> {
    /// Whether it leads to this moment.
    pub(crate) fn reaches(&self, node: &str) -> bool {
        self.reached.contains(node)
    }

    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }
}

/// A key whose death is planned.
struct Death<'a> {
    key: &'a SealingKey,
    from: &'a Trigger,
    after: Period,
    label: String,
    sealed: BTreeSet<&'a StoreName>,
}

impl<'a> Death<'a> {
    fn of(graph: &'a Graph, name: &KeyName, key: &'a SealingKey) -> Option<Self> {
        let (from, after) = key.plan()?;
        Some(Self {
            key,
            from,
            after,
            label: format!("key {name}"),
            sealed: graph.sealed(key),
        })
    }

    /// The plan, counted from the event as a network knows it.
    fn plan(&self, from: &str) -> KeyPlan {
        KeyPlan::new(&self.label, from, self.after, self.key.copies)
    }

    fn waives(&self, rule: &Rule) -> bool {
        rule.waived_by.contains(self.from)
    }
}

/// Everything that is held against each other at load.
pub(crate) struct Feasible<'a> {
    graph: &'a Graph,
    views: Vec<ClassView<'a>>,
    reading: &'a Reading,
    from: Date,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Rules and keys that cannot hold.
    pub(crate) errors: Vec<RuleError>,
    /// Names of those for which it stays open.
    pub(crate) undecided: Vec<Vec<String>>,
}

impl<'a> Feasible<'a> {
    pub(crate) fn new(
        graph: &'a Graph,
        rules: &'a [Rule],
        index: &'a Index,
        (reading, from): (&'a Reading, Date),
    ) -> Self {
        let classes: BTreeSet<&ClassId> = index.keys().map(|(_, class)| class).collect();
        let view = |class| ClassView::of(graph, rules, index, class);
        Self {
            graph,
            views: classes.into_iter().map(view).collect(),
            reading,
            from,
        }
    }

    /// All rules and keys that cannot hold together.
    // clause: P-18, P-46, P-49, P-51, P-52, P-60, Q-23
    pub(crate) fn check(&self) -> Found {
        let calendar = Calendar::new();
        let mut found = Found::default();
        let steps = self.views.iter().map(ClassView::steps);
        if steps.fold(0, usize::saturating_add) > STEPS_MAX {
            found.errors.push(RuleError::TooMany {
                what: "steps through events and rules",
                max: STEPS_MAX,
            });
            return found;
        }
        let mut seen: Vec<Network> = Vec::new();
        for network in self.networks() {
            if network.constraints().count() > CONSTRAINTS_MAX {
                found.errors.push(RuleError::TooMany {
                    what: "constraints that follow from one event",
                    max: CONSTRAINTS_MAX,
                });
                continue;
            }
            if seen.contains(&network) {
                continue;
            }
            found.take(network.check_with(&calendar, self.reading, self.from));
            seen.push(network);
        }
        found
    }

    fn networks(&self) -> Vec<Network> {
        let courses: Vec<Vec<Course<'_>>> = self
            .views
            .iter()
            .map(|view| {
                let roots = view.roots().into_iter();
                roots
                    .map(|root| view.course(root, Copies::OwnEvents))
                    .collect()
            })
            .collect();
        let deaths = self.graph.keys.iter();
        let deaths: Vec<Death<'_>> = deaths
            .filter_map(|(name, key)| Death::of(self.graph, name, key))
            .collect();
        let mut networks = Vec::new();
        for (view, courses) in self.views.iter().zip(&courses) {
            for course in courses {
                networks.push(self.with_keys(view, course, &deaths));
            }
        }
        for death in &deaths {
            networks.extend(self.apart(death, &courses));
        }
        networks
    }

    /// A course with the keys that its events destroy.
    fn with_keys(
        &self,
        view: &ClassView<'a>,
        course: &Course<'_>,
        deaths: &[Death<'_>],
    ) -> Network {
        let mut more = Distinct::default();
        for death in deaths {
            let from = view.node(None, death.from);
            if !course.reaches(&from) {
                continue;
            }
            let plan = death.plan(&from);
            for constraint in plan.constraints() {
                more.add(constraint);
            }
            for edge in course
                .edges
                .iter()
                .filter(|edge| death.sealed.contains(edge.store))
            {
                let Some(constraint) = bounded(edge.rule, &edge.from, &edge.to) else {
                    continue;
                };
                let by_key = self
                    .graph
                    .stores
                    .get(edge.store)
                    .is_some_and(|s| s.dies_by_key());
                match edge.rule.limit {
                    Limit::Floor { .. } if !death.waives(edge.rule) => {
                        more.add(plan.outlives(&constraint));
                    }
                    Limit::Ceiling { .. } if by_key => more.add(plan.ends_by(&constraint)),
                    _ => {}
                }
            }
            for (from, rule) in view.about_keys(&death.sealed) {
                if course.reaches(&from) {
                    let ceiling = bounded(rule, &from, KEY_DESTROYED);
                    for constraint in ceiling.iter().map(|ceiling| plan.ends_by(ceiling)) {
                        more.add(constraint);
                    }
                }
            }
            for (rule, until) in self.untils(death) {
                let until = view.node(None, until);
                if course.reaches(&until) {
                    let label = format!("rule {}", rule.id);
                    more.add(Constraint::floor(
                        label,
                        until,
                        plan.destroyed(),
                        Period::ZERO,
                    ));
                }
            }
        }
        let mut network = course.network.clone();
        network.extend(more.constraints);
        network
    }

    /// Networks for what a key must outlive that no course leads to together with its death: such a
    /// floor begins just when the plan does, and nobody knows how late an event is.
    fn apart(&self, death: &Death<'_>, courses: &[Vec<Course<'_>>]) -> Vec<Network> {
        let plan = death.plan(death.from.as_str());
        let alone = || {
            let mut network = Network::new();
            network.root(death.from.as_str());
            network.extend(plan.constraints());
            network
        };
        let mut apart = Vec::new();
        for (view, courses) in self.views.iter().zip(courses) {
            let here = view.node(None, death.from);
            let with_death = |rule: &Rule| {
                let mut both = courses.iter().filter(|course| course.reaches(&here));
                both.any(|course| course.edges.iter().any(|edge| edge.rule.id == rule.id))
            };
            for edge in view.edges() {
                let is_floor = matches!(edge.rule.limit, Limit::Floor { .. });
                if !is_floor
                    || !death.sealed.contains(edge.store)
                    || death.waives(edge.rule)
                    || with_death(edge.rule)
                {
                    continue;
                }
                let mut network = alone();
                let floor = bounded(edge.rule, death.from.as_str(), &edge.to);
                network.extend(floor.map(|floor| plan.outlives(&floor)));
                apart.push(network);
            }
        }
        for (rule, until) in self.untils(death) {
            let together = self.views.iter().zip(courses).any(|(view, courses)| {
                let (from, until) = (view.node(None, death.from), view.node(None, until));
                courses
                    .iter()
                    .any(|one| one.reaches(&from) && one.reaches(&until))
            });
            if together || until == death.from {
                continue;
            }
            let label = format!("rule {}", rule.id);
            let mut network = alone();
            let later = Period::seconds(1);
            network.add(Constraint::floor(
                &death.label,
                plan.destroyed(),
                until.as_str(),
                later,
            ));
            network.add(Constraint::floor(
                label,
                until.as_str(),
                plan.destroyed(),
                Period::ZERO,
            ));
            apart.push(network);
        }
        apart
    }

    /// Rules that keep what the key seals until an event, unless what destroys it waives them.
    fn untils<'d>(&'d self, death: &Death<'_>) -> Vec<(&'a Rule, &'a Trigger)> {
        let mut found: Vec<(&'a Rule, &'a Trigger)> = Vec::new();
        for view in &self.views {
            for (store, rules) in &view.under {
                let live = self
                    .graph
                    .stores
                    .get(*store)
                    .is_some_and(|store| store.is_live());
                if !live || !death.sealed.contains(*store) {
                    continue;
                }
                for rule in rules {
                    if let Limit::Until { event } = &rule.limit
                        && !death.waives(rule)
                        && found.iter().all(|(known, _)| known.id != rule.id)
                    {
                        found.push((rule, event));
                    }
                }
            }
        }
        found
    }
}

impl<'a> ClassView<'a> {
    /// Ceilings on the death of keys that seal one of these stores.
    fn about_keys(&self, sealed: &BTreeSet<&StoreName>) -> Vec<(String, &'a Rule)> {
        let mut found = Vec::new();
        for (store, rules) in self
            .under
            .iter()
            .filter(|(store, _)| sealed.contains(*store))
        {
            for rule in rules {
                let about_key = rule
                    .to
                    .as_ref()
                    .is_some_and(|to| to.as_str() == KEY_DESTROYED);
                if about_key && matches!(rule.limit, Limit::Ceiling { .. }) {
                    found.push((self.node(Some(store), rule.limit.trigger()), *rule));
                }
            }
        }
        found
    }
}

impl Found {
    fn take(&mut self, verdict: Verdict) {
        let (labels, when) = match verdict {
            Verdict::Consistent => return,
            Verdict::Undecided { labels } => {
                let named = labels.into_iter().filter(|label| label != ORDER).collect();
                if !self.undecided.contains(&named) {
                    self.undecided.push(named);
                }
                return;
            }
            Verdict::Always { labels } => (labels, None),
            // each day has an instant from which it fails
            Verdict::SomeDates { days, labels, .. } if days == CYCLE_DAYS => (labels, None),
            Verdict::SomeDates {
                witness,
                days,
                labels,
            } => {
                let (event, date) = (witness.root, witness.date);
                (labels, Some(Witness { event, date, days }))
            }
        };
        let named = |what: &str| {
            let named = labels.iter().filter_map(|label| label.strip_prefix(what));
            named.map(str::to_owned).collect::<Vec<_>>()
        };
        let (rules, keys, stores) = (named("rule "), named("key "), named("store "));
        let known = self.errors.iter().any(|error| {
            matches!(error, RuleError::Contradiction { rules: r, keys: k, stores: s, .. }
                if (r, k, s) == (&rules, &keys, &stores))
        });
        if !known {
            self.errors.push(RuleError::Contradiction {
                rules,
                keys,
                stores,
                when,
            });
        }
    }
}
