//! A checked, immutable set of rules, and its canonical bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use covenant_core::digest::Digest;
use covenant_core::{Reading, TenantId, canon};

use crate::copies::{Every, Graph, SealingKey, Store};
use crate::feasible::Index;
use crate::load::{TenantRules, Together};
use crate::rule::{Limit, Method, Rule};
use crate::selected::{Selected, Undone};
use crate::spec::{CIVIL_NIGHT, RuleSpec, RulesFile};
use crate::{ClassId, KeyName, RuleErrors, RuleId, StoreName, Trigger};

/// A checked, immutable set of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    pub(crate) reading: Reading,
    pub(crate) rules: Arc<[Rule]>,
    index: StoreIndex,
    pub(crate) known: BTreeSet<Trigger>,
    pub(crate) graph: Graph,
    pub(crate) pairs: Index,
    tenants: BTreeMap<TenantId, ForTenant>,
    methods: BTreeMap<StoreName, Method>,
    undecided: Vec<Vec<String>>,
    file: RulesFile,
    tenant_rules: TenantRules,
    canonical: Vec<u8>,
    digest: Option<Digest>,
}

/// The rules of each class in each store.
pub(crate) type StoreIndex = BTreeMap<StoreName, BTreeMap<ClassId, Selected>>;

/// The rules for one tenant's items: those of everybody, and its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ForTenant {
    rules: Arc<[Rule]>,
    index: StoreIndex,
}

/// What a rule set is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) reading: Reading,
    pub(crate) parents: BTreeMap<ClassId, Option<ClassId>>,
    pub(crate) graph: Graph,
    pub(crate) rules: Vec<Rule>,
    pub(crate) index: Index,
    pub(crate) tenants: BTreeMap<TenantId, (Vec<Rule>, Index)>,
    pub(crate) undone: Undone,
    pub(crate) known: BTreeSet<Trigger>,
    pub(crate) undecided: Vec<Vec<String>>,
    pub(crate) file: RulesFile,
    pub(crate) tenant_rules: TenantRules,
}

impl RuleSet {
    /// Checks rules as they are written down.
    ///
    /// # Errors
    /// [`RuleErrors`]: all errors, not the first.
    pub fn load(file: RulesFile) -> Result<Self, RuleErrors> {
        crate::load::load(&file, &TenantRules::new(), &[])
    }

    /// The same rules, and these for one tenant's items: floors and ceilings on top, which name
    /// events that are known without them, and override nothing. Called again it adds to what was
    /// added before.
    ///
    /// # Errors
    /// [`RuleErrors`]: all errors, not the first; a contradiction names rules of both sides. This
    /// set stays as it is.
    // clause: P-46
    pub fn with_tenant(&self, tenant: TenantId, extra: Vec<RuleSpec>) -> Result<Self, RuleErrors> {
        let mut tenants = self.tenant_rules.clone();
        tenants.entry(tenant).or_default().extend(extra);
        crate::load::load(&self.file, &tenants, &[])
    }

    /// The same rules for everybody, and these alone for the items of tenants: what was added before
    /// goes, unless it is among them. Only what is not in this set is checked.
    ///
    /// # Errors
    /// As [`RuleSet::with_tenant`].
    // clause: P-46
    pub fn with_tenants(
        &self,
        tenants: &BTreeMap<TenantId, Vec<RuleSpec>>,
    ) -> Result<Self, RuleErrors> {
        crate::load::load_on(Some(self), &self.file, tenants, &[])
    }

    /// The rules for items of this tenant: those of everybody and its own, in order of their ids.
    #[must_use]
    pub fn rules_of(&self, tenant: TenantId) -> &[Rule] {
        self.for_tenant(tenant).0
    }

    /// The rules of everybody, as they were found to hold together.
    pub(crate) fn of_all(&self) -> Together {
        Together {
            rules: self.rules.to_vec(),
            index: self.pairs.clone(),
            undecided: self.undecided.clone(),
        }
    }

    /// What was found for a tenant that adds just these.
    pub(crate) fn of_tenant(&self, tenant: TenantId, extra: &[RuleSpec]) -> Option<Together> {
        let known = self.tenant_rules.get(&tenant)?;
        let own = self.tenants.get(&tenant).filter(|_| known == extra)?;
        let pairs = own.index.iter().flat_map(|(store, classes)| {
            let classes = classes.iter();
            classes.map(move |(class, under)| ((store.clone(), class.clone()), positions(under)))
        });
        Some(Together {
            rules: own.rules.to_vec(),
            index: pairs.collect(),
            undecided: self.undecided.clone(),
        })
    }

    pub(crate) fn new(parts: Parts) -> Self {
        let canonical = canonical(&parts);
        let digest = digest(&canonical);
        let tenants = parts.tenants.into_iter().map(|(tenant, (rules, index))| {
            let index = by_store(&rules, &index, &parts.undone);
            let rules = rules.into();
            (tenant, ForTenant { rules, index })
        });
        let stores = parts.graph.stores.iter();
        Self {
            methods: stores
                .map(|(name, store)| (name.clone(), store.method()))
                .collect(),
            reading: parts.reading,
            index: by_store(&parts.rules, &parts.index, &parts.undone),
            rules: parts.rules.into(),
            known: parts.known,
            graph: parts.graph,
            pairs: parts.index,
            tenants: tenants.collect(),
            undecided: parts.undecided,
            file: parts.file,
            tenant_rules: parts.tenant_rules,
            canonical,
            digest,
        }
    }

    /// The rules for items of this tenant, and where they are.
    pub(crate) fn for_tenant(&self, tenant: TenantId) -> (&Arc<[Rule]>, &StoreIndex) {
        self.tenants
            .get(&tenant)
            .map_or((&self.rules, &self.index), |own| (&own.rules, &own.index))
    }

    /// The rules as they are written down, in one order; what tenants added is not among them.
    #[must_use]
    pub const fn file(&self) -> &RulesFile {
        &self.file
    }

    /// Rules of which it stays open whether they can all hold, each group by its names: the reading
    /// has a zone with clock changes or the month rule `clamp`, and the bounds leave it open.
    #[must_use]
    pub fn undecided(&self) -> &[Vec<String>] {
        &self.undecided
    }

    /// A store by its name.
    #[must_use]
    pub fn store(&self, name: &str) -> Option<&Store> {
        self.graph.stores.get(name)
    }

    /// The keys that seal stores.
    #[must_use]
    pub const fn keys(&self) -> &BTreeMap<KeyName, SealingKey> {
        &self.graph.keys
    }

    /// The rules, in order of their ids.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that a class is under in a store, in order of their ids; none where the store does not
    /// hold it. What tenants added is not among them.
    #[must_use]
    // clause: P-40
    pub fn under_rules(&self, store: &str, class: &str) -> Vec<&Rule> {
        let at = self.index.get(store).and_then(|store| store.get(class));
        let rulings = at.into_iter().flat_map(Selected::rulings);
        let rules = rulings.map(|ruling| self.rules.get(ruling.rule));
        rules.flatten().collect()
    }

    /// Whether items may carry an event of this name: one that rules or cancellations name, that the
    /// file lists, or that is an action of covenant-core. An item with any other event is kept, and
    /// not judged.
    #[must_use]
    pub fn knows_event(&self, name: &str) -> bool {
        self.known.contains(name)
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

fn positions(selected: &Selected) -> Vec<usize> {
    let rulings = selected.rulings().iter();
    rulings.map(|ruling| ruling.rule).collect()
}

fn by_store(rules: &[Rule], index: &Index, undone: &Undone) -> StoreIndex {
    let mut stores = StoreIndex::new();
    for ((store, class), under) in index {
        let classes = stores.entry(store.clone()).or_default();
        classes.insert(class.clone(), Selected::new(rules, under, undone));
    }
    stores
}

/// `FORMAT.md`, "Rules".
fn canonical(parts: &Parts) -> Vec<u8> {
    let mut w = canon::Writer::new();
    let reading = &parts.reading;
    w.text("covenant/rule-set/v1");
    let zones: BTreeSet<String> = reading.zones().iter().map(ToString::to_string).collect();
    let days: BTreeSet<&str> = reading.days().iter().map(|day| day.name()).collect();
    list(&mut w, zones.len(), zones.iter().map(String::as_str));
    list(&mut w, days.len(), days.iter().copied());
    w.text(reading.months().name());
    w.u32(count(parts.parents.len()));
    for (class, parent) in &parts.parents {
        let parent = parent.as_ref().map_or("", ClassId::as_str);
        w.text(class.as_str()).text(parent);
    }
    put_fields(&mut w, &parts.file);
    w.u32(count(parts.graph.stores.len()));
    for (name, store) in &parts.graph.stores {
        put_store(&mut w, name, store);
    }
    w.u32(count(parts.graph.keys.len()));
    for (name, key) in &parts.graph.keys {
        let (from, after) = key.plan().map_or(("", String::new()), |(from, after)| {
            (from.as_str(), after.to_string())
        });
        w.text(name.as_str()).text(from).text(&after);
        w.text(&key.copies.to_string());
        list(
            &mut w,
            key.seals.len(),
            key.seals.iter().map(StoreName::as_str),
        );
    }
    w.u32(count(parts.rules.len()));
    for rule in &parts.rules {
        put_rule(&mut w, rule);
    }
    w.u32(count(parts.tenants.len()));
    for (tenant, (rules, _)) in &parts.tenants {
        let own: Vec<&Rule> = rules.iter().filter(|rule| rule.tenant.is_some()).collect();
        w.fixed(tenant.as_bytes()).u32(count(own.len()));
        for rule in own {
            put_rule(&mut w, rule);
        }
    }
    w.u32(count(parts.undone.len()));
    for (to, by) in &parts.undone {
        w.text(to.as_str());
        list(&mut w, by.len(), by.iter().map(Trigger::as_str));
    }
    list(
        &mut w,
        parts.known.len(),
        parts.known.iter().map(Trigger::as_str),
    );
    w.finish()
}

/// The data map; classes are in order and known.
fn put_fields(w: &mut canon::Writer, file: &RulesFile) {
    let fields = file.classes.iter().flat_map(|class| {
        let fields = class.fields.iter();
        fields.map(move |field| (class.id.as_str(), field))
    });
    let fields: Vec<_> = fields.collect();
    w.u32(count(fields.len()));
    for (class, field) in fields {
        w.text(class).text(&field.name).text(&field.category);
        w.u8(u8::from(field.plain.is_some()));
        w.text(field.plain.as_deref().unwrap_or_default());
    }
}

fn put_store(w: &mut canon::Writer, name: &StoreName, store: &Store) {
    w.text(name.as_str()).text(store.kind.name());
    list(
        w,
        store.classes.len(),
        store.classes.iter().map(ClassId::as_str),
    );
    list(
        w,
        store.fed_by.len(),
        store.fed_by.iter().map(StoreName::as_str),
    );
    let every = store.every.map_or_else(String::new, |every| match every {
        Every::Period(period) => period.to_string(),
        Every::CivilNight => CIVIL_NIGHT.to_owned(),
    });
    let epoch = store
        .epoch
        .map_or_else(String::new, |epoch| epoch.to_string());
    w.text(&every).text(&store.lag.to_string()).text(&epoch);
    w.u32(count(store.erase.len()));
    for method in &store.erase {
        w.u8(method.byte());
    }
}

fn put_rule(w: &mut canon::Writer, rule: &Rule) {
    let Rule {
        id,
        clause,
        classes,
        stores,
        limit,
        to,
        waived_by,
        authority,
        overrides,
        act,
        tenant: _,
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
            w.u8(1).text(from.as_str());
            w.text(&period.to_string()).u64(*early_secs);
        }
        Limit::Ceiling {
            from,
            period,
            late_secs,
        } => {
            w.u8(2).text(from.as_str());
            w.text(&period.to_string()).u64(*late_secs);
        }
        Limit::Until { event } => {
            w.u8(3).text(event.as_str());
        }
    }
    w.text(to.as_ref().map_or("", Trigger::as_str));
    list(w, waived_by.len(), waived_by.iter().map(Trigger::as_str));
    w.text(authority.name());
    list(w, overrides.len(), overrides.iter().map(RuleId::as_str));
    w.text(act.name());
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
