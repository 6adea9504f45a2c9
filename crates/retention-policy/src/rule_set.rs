//! A checked, immutable set of rules, and its canonical bytes.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::digest::Digest;
use covenant_core::{Reading, canon};

use crate::rule::{Act, Limit, Method, Rule, RulesFile};
use crate::{ClassId, RuleErrors, StoreName, Trigger};

/// A checked, immutable set of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    pub(crate) reading: Reading,
    pub(crate) rules: Vec<Rule>,
    pub(crate) index: BTreeMap<StoreName, BTreeMap<ClassId, Vec<usize>>>,
    pub(crate) undone: BTreeMap<Trigger, BTreeSet<Trigger>>,
    pub(crate) known: BTreeSet<Trigger>,
    methods: BTreeMap<StoreName, Method>,
    canonical: Vec<u8>,
    digest: Option<Digest>,
}

impl RuleSet {
    /// Checks rules as they are written down.
    ///
    /// # Errors
    /// [`RuleErrors`]: all errors, not the first.
    pub fn load(file: RulesFile) -> Result<Self, RuleErrors> {
        crate::load::load(file, &[])
    }

    pub(crate) fn new(
        reading: Reading,
        parents: BTreeMap<ClassId, Option<ClassId>>,
        methods: BTreeMap<StoreName, Method>,
        rules: Vec<Rule>,
        pairs: BTreeMap<(StoreName, ClassId), Vec<usize>>,
        undone: BTreeMap<Trigger, BTreeSet<Trigger>>,
        known: BTreeSet<Trigger>,
    ) -> Self {
        let canonical = canonical(
            &reading, &parents, &methods, &rules, &pairs, &undone, &known,
        );
        let digest = digest(&canonical);
        let mut index: BTreeMap<StoreName, BTreeMap<ClassId, Vec<usize>>> = BTreeMap::new();
        for ((store, class), under) in pairs {
            index.entry(store).or_default().insert(class, under);
        }
        Self {
            reading,
            rules,
            index,
            undone,
            known,
            methods,
            canonical,
            digest,
        }
    }

    /// The rules, in order of their ids.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How periods are read.
    #[must_use]
    pub const fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The stores, and how the bytes of each are removed.
    #[must_use]
    pub const fn stores(&self) -> &BTreeMap<StoreName, Method> {
        &self.methods
    }

    /// The canonical bytes of the rules: equal for equal rules in any order.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// SHA-256 of the canonical bytes; `None` without feature `digest`.
    #[must_use]
    pub const fn rules_digest(&self) -> Option<Digest> {
        self.digest
    }
}

#[cfg(feature = "digest")]
fn digest(bytes: &[u8]) -> Option<Digest> {
    Some(Digest::of(bytes))
}

#[cfg(not(feature = "digest"))]
const fn digest(_bytes: &[u8]) -> Option<Digest> {
    None
}

/// `FORMAT.md`, "Rules".
fn canonical(
    reading: &Reading,
    parents: &BTreeMap<ClassId, Option<ClassId>>,
    methods: &BTreeMap<StoreName, Method>,
    rules: &[Rule],
    pairs: &BTreeMap<(StoreName, ClassId), Vec<usize>>,
    undone: &BTreeMap<Trigger, BTreeSet<Trigger>>,
    known: &BTreeSet<Trigger>,
) -> Vec<u8> {
    let mut w = canon::Writer::new();
    w.text("covenant/rule-set/v0");
    let zones: BTreeSet<String> = reading.zones().iter().map(ToString::to_string).collect();
    let days: BTreeSet<&str> = reading.days().iter().map(|day| day.name()).collect();
    list(&mut w, zones.len(), zones.iter().map(String::as_str));
    list(&mut w, days.len(), days.iter().copied());
    w.text(reading.months().name());
    w.u32(count(parents.len()));
    for (class, parent) in parents {
        w.text(class.as_str())
            .text(parent.as_ref().map_or("", ClassId::as_str));
    }
    w.u32(count(methods.len()));
    for (store, method) in methods {
        w.text(store.as_str()).u8(method.byte());
    }
    w.u32(count(pairs.len()));
    for (store, class) in pairs.keys() {
        w.text(store.as_str()).text(class.as_str());
    }
    w.u32(count(rules.len()));
    for rule in rules {
        put_rule(&mut w, rule);
    }
    w.u32(count(undone.len()));
    for (to, by) in undone {
        w.text(to.as_str());
        list(&mut w, by.len(), by.iter().map(Trigger::as_str));
    }
    list(&mut w, known.len(), known.iter().map(Trigger::as_str));
    w.finish()
}

fn put_rule(w: &mut canon::Writer, rule: &Rule) {
    let Rule {
        id,
        clause,
        classes,
        stores,
        limit,
        waived_by,
        act,
    } = rule;
    w.text(id.as_str())
        .text(&clause.map_or_else(String::new, |clause| clause.to_string()));
    list(w, classes.len(), classes.iter().map(ClassId::as_str));
    list(w, stores.len(), stores.iter().map(StoreName::as_str));
    match limit {
        Limit::Floor {
            from,
            period,
            early_secs,
        } => {
            w.u8(1)
                .text(from.as_str())
                .text(&period.to_string())
                .u64(*early_secs);
        }
        Limit::Ceiling {
            from,
            period,
            late_secs,
        } => {
            w.u8(2)
                .text(from.as_str())
                .text(&period.to_string())
                .u64(*late_secs);
        }
        Limit::Until { event } => {
            w.u8(3).text(event.as_str());
        }
    }
    list(w, waived_by.len(), waived_by.iter().map(Trigger::as_str));
    w.u8(match act {
        Act::Early => 1,
        Act::Late => 2,
    });
}

fn list<'a>(w: &mut canon::Writer, len: usize, texts: impl Iterator<Item = &'a str>) {
    w.u32(count(len));
    for text in texts {
        w.text(text);
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
