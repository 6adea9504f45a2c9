//! Planned deaths of keys beside the promises over what they seal.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::network::{Constraint, KeyPlan, Network};
use covenant_core::{Action, Period};

use super::promise::{Promise, Side};
use super::{Lifecycle, ORDER};
use crate::{Clause, Document, Erase, Key, KeyDeath, Name, Store, StoreKind};

/// A key that is destroyed by plan, and what it seals.
#[derive(Debug, Clone)]
pub(crate) struct Death<'d> {
    key: &'d Key,
    from: Action,
    plan: KeyPlan,
    /// Sealed stores, those that copy from them included.
    sealed: Vec<&'d Store>,
}

/// Which promises a key is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    /// It may not die before these end.
    Floors,
    /// It must be gone when these end.
    Ceilings,
}

impl Against {
    pub(crate) const BOTH: [Self; 2] = [Self::Floors, Self::Ceilings];
}

/// Keys with a planned death; those that die with the epoch of their vault are its end itself.
pub(crate) fn deaths(document: &Document) -> Vec<Death<'_>> {
    let mut readers: BTreeMap<&Name, Vec<&Store>> = BTreeMap::new();
    for store in &document.stores {
        for origin in &store.fed_by {
            readers.entry(origin).or_default().push(store);
        }
    }
    let death = |key| of(document, &readers, key);
    document.keys.iter().filter_map(death).collect()
}

fn of<'d>(
    document: &'d Document,
    readers: &BTreeMap<&Name, Vec<&'d Store>>,
    key: &'d Key,
) -> Option<Death<'d>> {
    let KeyDeath::After { from, after } = key.death else {
        return None;
    };
    let mut sealed: BTreeMap<&Name, &Store> = BTreeMap::new();
    let named = |store: &&Store| key.seals.contains(&store.id);
    let mut open: Vec<&Store> = document.stores.iter().filter(named).collect();
    while let Some(store) = open.pop() {
        if sealed.insert(&store.id, store).is_none() {
            open.extend(readers.get(&store.id).into_iter().flatten());
        }
    }
    Some(Death {
        key,
        from,
        plan: KeyPlan::new(key.id.as_str(), from.name(), after, key.copies),
        sealed: sealed.into_values().collect(),
    })
}

impl Death<'_> {
    pub(crate) const fn key(&self) -> &Key {
        self.key
    }

    pub(crate) fn destroyed(&self) -> String {
        self.plan.destroyed()
    }

    /// What it adds to the network of a course that its plan belongs to.
    pub(crate) fn constraints(
        &self,
        document: &Document,
        promises: &[Promise<'_>],
        lifecycle: Lifecycle,
        against: &[Against],
    ) -> Vec<Constraint> {
        if !lifecycle.events().contains(&self.from) {
            return Vec::new();
        }
        let mut all = self.plan.constraints().to_vec();
        if against.contains(&Against::Floors) {
            all.extend(promises.iter().flat_map(|promise| self.floors(promise)));
            let events = lifecycle.events();
            let untils = document
                .clauses
                .iter()
                .flat_map(|clause| self.untils(clause));
            let here = untils.filter(|(_, until)| events.contains(until));
            all.extend(here.map(|(clause, until)| self.kept_until(clause, until)));
        }
        if against.contains(&Against::Ceilings) {
            all.extend(promises.iter().flat_map(|promise| self.ceilings(promise)));
        }
        all
    }

    /// Networks for floors of courses that its plan does not belong to: the floor begins just when
    /// the plan does.
    pub(crate) fn apart(&self, document: &Document, promises: &[Promise<'_>]) -> Vec<Network> {
        let together = |events: &BTreeSet<Action>| {
            let all = Lifecycle::ALL.iter().map(|one| one.events());
            all.into_iter()
                .any(|one| one.contains(&self.from) && one.is_superset(events))
        };
        let strangers = promises
            .iter()
            .filter(|promise| promise.to != Action::KeyDestroyed && !together(&promise.events()));
        let floors = strangers.filter_map(|promise| {
            let floors = self.floors(promise);
            (!floors.is_empty()).then(|| {
                let (plan, from) = (self.from.name(), promise.from.name());
                let mut network = self.alone();
                network.extend(floors);
                if plan != from {
                    network.add(Constraint::floor(ORDER, plan, from, Period::ZERO));
                    network.add(Constraint::ceiling(ORDER, plan, from, Period::ZERO));
                }
                network
            })
        });
        let untils = document
            .clauses
            .iter()
            .flat_map(|clause| self.untils(clause));
        let untils = untils.filter(|(_, until)| !together(&[*until].into()));
        let untils = untils.map(|(clause, until)| {
            // nobody knows how late the event is
            let later = Period::seconds(1);
            let mut network = self.alone();
            network.add(self.kept_until(clause, until));
            let key = self.key.id.as_str();
            network.add(Constraint::floor(
                key,
                self.destroyed(),
                until.name(),
                later,
            ));
            network
        });
        floors.chain(untils).collect()
    }

    fn alone(&self) -> Network {
        let mut network = Network::new();
        network.root(self.from.name());
        network.extend(self.plan.constraints());
        network
    }

    /// Floors of the promise that it must outlive.
    fn floors(&self, promise: &Promise<'_>) -> Vec<Constraint> {
        let concerns = promise.to == Action::KeyDestroyed || self.seals_one_of(promise.to);
        if !concerns || promise.is_waived_by(self.from) {
            return Vec::new();
        }
        let floors = promise.side(Side::Floor);
        floors
            .iter()
            .map(|floor| self.plan.outlives(floor))
            .collect()
    }

    /// Ceilings of the promise by which no copy of it may be left.
    fn ceilings(&self, promise: &Promise<'_>) -> Vec<Constraint> {
        let by_key_alone =
            |store: &&Store| holds(store, promise.to) && store.erase.iter().eq([Erase::Key].iter());
        if promise.to != Action::KeyDestroyed && !self.sealed.iter().any(by_key_alone) {
            return Vec::new();
        }
        let ceilings = promise.side(Side::Ceiling);
        ceilings
            .iter()
            .map(|most| self.plan.ends_by(most))
            .collect()
    }

    /// Events until which a clause keeps what it seals.
    fn untils<'c>(&self, clause: &'c Clause) -> Vec<(&'c Clause, Action)> {
        let waived = clause
            .bound
            .as_ref()
            .is_some_and(|bound| bound.waived_by.contains(&self.from));
        let until = clause.until().filter(|_| !waived);
        let sealed = self.sealed.iter().any(|store| is_live(store));
        let until = until.filter(|_| sealed).into_iter().flatten();
        until.map(|event| (clause, *event)).collect()
    }

    fn kept_until(&self, clause: &Clause, until: Action) -> Constraint {
        let label = clause.id.to_string();
        Constraint::floor(label, until.name(), self.destroyed(), Period::ZERO)
    }

    fn seals_one_of(&self, end: Action) -> bool {
        self.sealed.iter().any(|store| holds(store, end))
    }
}

/// Whether the event ends what lies in the store.
pub(crate) fn holds(store: &Store, end: Action) -> bool {
    match end {
        Action::BackupPurged | Action::BackupUnrestorable => store.kind == StoreKind::Epoch,
        Action::RecordPurged
        | Action::DatabasePurged
        | Action::DatabaseDeleted
        | Action::ErasureCompleted => is_live(store),
        Action::ObjectDeleted | Action::ObjectUnreachable => store.kind == StoreKind::Object,
        _ => false,
    }
}

/// Whether data lies in it first, or outside; backups and the log follow.
pub(crate) fn is_live(store: &Store) -> bool {
    match store.kind {
        StoreKind::Sql | StoreKind::Object | StoreKind::External => true,
        StoreKind::Epoch | StoreKind::Log => false,
    }
}
