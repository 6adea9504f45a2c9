//! The graph of stores and keys: what copies what, and what a key keeps readable.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::Period;

use crate::rule::Method;
use crate::spec::StoreKind;
use crate::{ClassId, KeyName, StoreName, Trigger};

/// A store that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub(crate) kind: StoreKind,
    pub(crate) classes: BTreeSet<ClassId>,
    pub(crate) fed_by: BTreeSet<StoreName>,
    pub(crate) every: Option<Every>,
    pub(crate) lag: Period,
    pub(crate) epoch: Option<Period>,
    pub(crate) erase: Vec<Method>,
}

/// How often a store copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a further rhythm must be considered wherever copies are counted"
)]
pub enum Every {
    /// At least so often.
    Period(Period),
    /// Once in every civil night.
    CivilNight,
}

/// Between two civil nights lie at most 49 hours: from the first hour of one to the last of the
/// next, over a clock change of an hour.
const CIVIL_NIGHTS: Period = Period::hours(49);

impl Every {
    /// The longest time between two copies.
    #[must_use]
    pub const fn at_most(self) -> Period {
        match self {
            Self::Period(period) => period,
            Self::CivilNight => CIVIL_NIGHTS,
        }
    }
}

impl Store {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> StoreKind {
        self.kind
    }

    /// The classes it holds.
    #[must_use]
    pub const fn classes(&self) -> &BTreeSet<ClassId> {
        &self.classes
    }

    /// The stores whose content it copies.
    #[must_use]
    pub const fn fed_by(&self) -> &BTreeSet<StoreName> {
        &self.fed_by
    }

    /// How often it copies, where that is said.
    #[must_use]
    pub const fn every(&self) -> Option<Every> {
        self.every
    }

    /// How long after its origin it has a copy, at worst.
    #[must_use]
    pub const fn lag(&self) -> Period {
        self.lag
    }

    /// The time span of copies that are removed together.
    #[must_use]
    pub const fn epoch(&self) -> Option<Period> {
        self.epoch
    }

    /// How its bytes may be removed, the usual way first; at least one.
    #[must_use]
    pub fn erase(&self) -> &[Method] {
        &self.erase
    }

    /// The usual way to remove its bytes.
    #[must_use]
    pub fn method(&self) -> Method {
        self.erase.first().copied().unwrap_or_default()
    }

    /// Whether nothing but the death of a key removes its bytes.
    pub(crate) fn dies_by_key(&self) -> bool {
        self.erase == [Method::DestroyKey]
    }

    /// Whether data lies in it first, or outside; copies by age and the log follow.
    pub(crate) const fn is_live(&self) -> bool {
        match self.kind {
            StoreKind::Sql | StoreKind::Object | StoreKind::External => true,
            StoreKind::Epoch | StoreKind::Log => false,
        }
    }
}

/// A key that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKey {
    pub(crate) seals: BTreeSet<StoreName>,
    pub(crate) plan: Option<(Trigger, Period)>,
    pub(crate) copies: Period,
}

impl SealingKey {
    /// The stores it seals; those that copy from them are sealed as well.
    #[must_use]
    pub const fn seals(&self) -> &BTreeSet<StoreName> {
        &self.seals
    }

    /// The event, and how long after it the key is destroyed; `None` when nothing is planned.
    #[must_use]
    pub fn plan(&self) -> Option<(&Trigger, Period)> {
        self.plan.as_ref().map(|(from, after)| (from, *after))
    }

    /// How long copies of its key store live on.
    #[must_use]
    pub const fn copies(&self) -> Period {
        self.copies
    }
}

/// Stores and keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) stores: BTreeMap<StoreName, Store>,
    pub(crate) keys: BTreeMap<KeyName, SealingKey>,
}

impl Graph {
    /// The stores that feed this one, directly or through others; itself only in a circle.
    pub(crate) fn feeders(&self, store: &StoreName) -> BTreeSet<&StoreName> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&StoreName> = self.direct(store).collect();
        while let Some(feeder) = open.pop() {
            if found.insert(feeder) {
                open.extend(self.direct(feeder));
            }
        }
        found
    }

    /// The stores that feed this one and hold the class, and that nothing feeds which holds it: where
    /// its content lies first.
    pub(crate) fn origins(&self, store: &StoreName, class: &ClassId) -> Vec<&StoreName> {
        let holds = |name: &StoreName| {
            let store = self.stores.get(name);
            store.is_some_and(|store| store.classes.contains(class))
        };
        let feeders = self.feeders(store).into_iter();
        let first = |name: &&StoreName| holds(name) && !self.feeders(name).into_iter().any(holds);
        feeders.filter(first).collect()
    }

    /// What the key keeps readable: what it seals, and every copy of that.
    pub(crate) fn sealed(&self, key: &SealingKey) -> BTreeSet<&StoreName> {
        let is_sealed = |name: &&StoreName| {
            key.seals.contains(*name)
                || self
                    .feeders(name)
                    .iter()
                    .any(|feeder| key.seals.contains(*feeder))
        };
        self.stores.keys().filter(is_sealed).collect()
    }

    fn direct<'a>(&'a self, store: &StoreName) -> impl Iterator<Item = &'a StoreName> + use<'a> {
        let store = self.stores.get(store);
        store.into_iter().flat_map(|store| store.fed_by.iter())
    }
}
