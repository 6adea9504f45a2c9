//! Checks rules as they are written down and makes a [`RuleSet`] of them. All errors are found, not
//! the first; what cannot hold, on every date or on some, does not load.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::{Action, Reading, TenantId};
use time::{Date, Month};

use crate::copies::{Graph, SealingKey, Store};
use crate::feasible::{Feasible, Index};
use crate::rule::{Limit, Rule};
use crate::rule_set::{Parts, RuleSet};
use crate::spec::{CancelSpec, ClassSpec, KeySpec, RuleSpec, RulesFile, StoreSpec};
use crate::trigger::ORDERED;
use crate::{ClassId, KeyName, RuleError, RuleErrors, RuleId, StoreName, Trigger};

mod check;
mod circle;
mod narrow;

use check::Check;
use circle::Overrides;

/// Most rules in a set (design, rule file caps).
pub const RULES_MAX: usize = 10_000;
/// Most classes in a set.
pub const CLASSES_MAX: usize = 256;
/// Most stores in a set.
pub const STORES_MAX: usize = 64;
/// Most keys in a set.
pub const KEYS_MAX: usize = 64;
/// Most rules for one class in one store: a bound of ours, which keeps each verdict small.
pub const RULES_PER_ITEM_MAX: usize = 256;

/// Most rules over all classes and stores, each counted wherever it rules: a bound of ours, which
/// keeps what a file of a mebibyte becomes in memory in proportion.
pub(crate) const RULINGS_MAX: usize = 500_000;

/// Rules that were added for tenants.
pub(crate) type TenantRules = BTreeMap<TenantId, Vec<RuleSpec>>;

/// Checks the file and what tenants add; `stray` are builder calls that came before any rule.
pub(crate) fn load(
    file: &RulesFile,
    tenants: &TenantRules,
    stray: &[&'static str],
) -> Result<RuleSet, RuleErrors> {
    load_on(None, file, tenants, stray)
}

/// Likewise; what the set has already, of the same file, is not looked at again.
pub(crate) fn load_on(
    loaded: Option<&RuleSet>,
    file: &RulesFile,
    tenants: &TenantRules,
    stray: &[&'static str],
) -> Result<RuleSet, RuleErrors> {
    let mut check = Check::default();
    let strays = stray.iter().map(|&call| RuleError::Stray { call });
    check.errors.extend(strays);
    check.cap("rules", file.rules.len(), RULES_MAX);
    check.cap("classes", file.classes.len(), CLASSES_MAX);
    check.cap("stores", file.stores.len(), STORES_MAX);
    check.cap("keys", file.keys.len(), KEYS_MAX);
    if !check.errors.is_empty() {
        // what is too much is not looked at
        return Err(RuleErrors::of(check.errors).unwrap_or_default());
    }

    let parents = classes(&mut check, &file.classes);
    let graph = Graph {
        stores: stores(&mut check, &file.stores, &parents),
        keys: BTreeMap::new(),
    };
    let graph = Graph {
        keys: keys(&mut check, &file.keys, &graph.stores),
        ..graph
    };
    for store in graph.stores.keys() {
        if graph.feeders(store).contains(store) {
            let store = store.to_string();
            check.errors.push(RuleError::FeedCycle { store });
        }
    }

    let base = rules(&mut check, &file.rules, None, (&parents, &graph.stores));
    let undone = cancels(&mut check, &file.cancels);
    let known = known(&mut check, &file.events, &undone, &base);
    let reviewed = file
        .reviewed
        .or_else(|| Date::from_calendar_date(2026, Month::January, 1).ok());
    let from = reviewed.unwrap_or(Date::MIN);
    let mut sets = BTreeMap::new();
    let rules_of_all = match loaded {
        Some(loaded) => loaded.of_all(),
        None => held_together(&mut check, &base, &parents, &graph, (&file.reading, from)),
    };
    for (tenant, extra) in tenants {
        if let Some(own) = loaded.and_then(|loaded| loaded.of_tenant(*tenant, extra)) {
            sets.insert(*tenant, own);
            continue;
        }
        let added = rules(&mut check, extra, Some(*tenant), (&parents, &graph.stores));
        check.tenants(&added, &known);
        let everybodys = (rules_of_all.rules.as_slice(), &rules_of_all.index);
        check.weaker(&added, everybodys, &parents, &file.reading);
        let all = merged(&mut check, &base, added);
        let set = held_together(&mut check, &all, &parents, &graph, (&file.reading, from));
        sets.insert(*tenant, set);
    }
    if let Some(errors) = RuleErrors::of(check.distinct()) {
        return Err(errors);
    }
    let undecided = sets.values().chain([&rules_of_all]);
    let undecided: BTreeSet<Vec<String>> = undecided
        .flat_map(|set| set.undecided.iter().cloned())
        .collect();
    Ok(RuleSet::new(Parts {
        reading: file.reading.clone(),
        parents,
        graph,
        rules: rules_of_all.rules,
        index: rules_of_all.index,
        tenants: sets
            .into_iter()
            .map(|(tenant, set)| (tenant, (set.rules, set.index)))
            .collect(),
        undone,
        known,
        undecided: undecided.into_iter().collect(),
        file: file.clone().in_order(),
        tenant_rules: tenants.clone(),
    }))
}

/// The class and its ancestors; ends at a cycle.
pub(crate) fn lineage(
    class: &ClassId,
    parents: &BTreeMap<ClassId, Option<ClassId>>,
) -> BTreeSet<ClassId> {
    let mut line = BTreeSet::new();
    let mut next = Some(class);
    while let Some(class) = next {
        if !line.insert(class.clone()) {
            break;
        }
        next = parents.get(class).and_then(Option::as_ref);
    }
    line
}

fn classes(check: &mut Check, specs: &[ClassSpec]) -> BTreeMap<ClassId, Option<ClassId>> {
    let mut parents = BTreeMap::new();
    for class in specs {
        let place = format!("class {}", class.id);
        let Some(id) = check.name::<ClassId>(&place, "class", &class.id) else {
            continue;
        };
        let parent = class.parent.as_ref();
        let parent = parent.and_then(|p| check.name::<ClassId>(&place, "class", p));
        let mut fields = BTreeSet::new();
        for field in &class.fields {
            check.name::<ClassId>(&place, "field", &field.name);
            check.name::<ClassId>(&place, "category", &field.category);
            if !fields.insert(&field.name) {
                check.duplicate("field", &field.name);
            }
        }
        if parents.insert(id, parent).is_some() {
            check.duplicate("class", &class.id);
        }
    }
    check.families(&parents);
    parents
}

fn stores(
    check: &mut Check,
    specs: &[StoreSpec],
    parents: &BTreeMap<ClassId, Option<ClassId>>,
) -> BTreeMap<StoreName, Store> {
    let mut stores: BTreeMap<StoreName, Store> = BTreeMap::new();
    for spec in specs {
        let place = format!("store {}", spec.id);
        let Some(id) = check.name::<StoreName>(&place, "store", &spec.id) else {
            continue;
        };
        let named = check.known(&place, &spec.classes, parents);
        let classes = if spec.classes.is_empty() {
            parents.keys().cloned().collect()
        } else {
            named
        };
        let fed_by = spec.fed_by.iter();
        let fed_by = fed_by.filter_map(|feeder| check.name::<StoreName>(&place, "store", feeder));
        let store = Store {
            kind: spec.kind,
            classes,
            fed_by: fed_by.collect(),
            every: check.every(&place, spec.every.as_deref()),
            lag: check
                .optional(&place, "lag", spec.lag.as_deref())
                .unwrap_or_default(),
            epoch: check.optional(&place, "epoch", spec.epoch.as_deref()),
            erase: check::or_delete(&spec.erase),
        };
        if stores.insert(id, store).is_some() {
            check.duplicate("store", &spec.id);
        }
    }
    for (id, store) in &stores {
        for feeder in store
            .fed_by
            .iter()
            .filter(|name| !stores.contains_key(*name))
        {
            check.unknown(&format!("store {id}"), "store", feeder.as_str());
        }
    }
    stores
}

fn keys(
    check: &mut Check,
    specs: &[KeySpec],
    stores: &BTreeMap<StoreName, Store>,
) -> BTreeMap<KeyName, SealingKey> {
    let mut keys = BTreeMap::new();
    for spec in specs {
        let place = format!("key {}", spec.id);
        let Some(id) = check.name::<KeyName>(&place, "key", &spec.id) else {
            continue;
        };
        if spec.seals.is_empty() {
            check.missing(&place, "seals");
        }
        let seals = check.stores(&place, &spec.seals, stores);
        let from = spec.from.as_ref();
        let from = from.and_then(|from| check.name::<Trigger>(&place, "event", from));
        let after = check.optional(&place, "after", spec.after.as_deref());
        match (&spec.from, &spec.after) {
            (Some(_), None) => check.missing(&place, "after"),
            (None, Some(_)) => check.missing(&place, "from"),
            _ => {}
        }
        let copies = check.optional(&place, "copies", spec.copies.as_deref());
        let key = SealingKey {
            seals,
            plan: from.zip(after),
            copies: copies.unwrap_or_default(),
        };
        if keys.insert(id, key).is_some() {
            check.duplicate("key", &spec.id);
        }
    }
    keys
}

fn rules(
    check: &mut Check,
    specs: &[RuleSpec],
    tenant: Option<TenantId>,
    (parents, stores): (
        &BTreeMap<ClassId, Option<ClassId>>,
        &BTreeMap<StoreName, Store>,
    ),
) -> Vec<Rule> {
    let mut checked: BTreeMap<RuleId, Rule> = BTreeMap::new();
    for (at, spec) in specs.iter().enumerate() {
        let rule = check.rule(at, spec, parents, stores);
        if let Some(rule) = rule
            && let Some(twice) = checked.insert(rule.id.clone(), Rule { tenant, ..rule })
        {
            check.duplicate("rule", twice.id.as_str());
        }
    }
    checked.into_values().collect()
}

/// The rules of everybody and those of one tenant, in order of their ids.
fn merged(check: &mut Check, base: &[Rule], added: Vec<Rule>) -> Vec<Rule> {
    let mut all: BTreeMap<&RuleId, Rule> = base.iter().map(|r| (&r.id, r.clone())).collect();
    for rule in &added {
        if all.insert(&rule.id, rule.clone()).is_some() {
            check.duplicate("rule", rule.id.as_str());
        }
    }
    all.into_values().collect()
}

fn cancels(check: &mut Check, specs: &[CancelSpec]) -> BTreeMap<Trigger, BTreeSet<Trigger>> {
    let mut undone: BTreeMap<Trigger, BTreeSet<Trigger>> = BTreeMap::new();
    for cancel in specs {
        let event = check.name::<Trigger>("cancel", "event", &cancel.event);
        let cancels = check.name::<Trigger>("cancel", "event", &cancel.cancels);
        if let (Some(event), Some(cancels)) = (event, cancels) {
            if event == cancels {
                let event = event.to_string();
                check.errors.push(RuleError::CancelsItself { event });
            }
            undone.entry(cancels).or_default().insert(event);
        }
    }
    undone
}

/// Every event that an item may carry.
fn known(
    check: &mut Check,
    events: &[String],
    undone: &BTreeMap<Trigger, BTreeSet<Trigger>>,
    rules: &[Rule],
) -> BTreeSet<Trigger> {
    let actions = Action::ALL.iter();
    let mut known: BTreeSet<Trigger> = actions
        .filter_map(|action| action.name().parse().ok())
        .collect();
    let named = events.iter();
    known.extend(named.filter_map(|event| check.name::<Trigger>("events", "event", event)));
    let undone = undone.iter().flat_map(|(to, by)| by.iter().chain([to]));
    known.extend(undone.cloned());
    for rule in rules {
        let named = rule.waived_by.iter().chain([rule.limit.trigger()]);
        known.extend(named.chain(rule.to.as_ref()).cloned());
    }
    known
}

/// Rules that count together, and what stays open about them.
pub(crate) struct Together {
    pub(crate) rules: Vec<Rule>,
    pub(crate) index: Index,
    pub(crate) undecided: Vec<Vec<String>>,
}

/// The rules of each class in each store, and whether they can all hold.
fn held_together(
    check: &mut Check,
    rules: &[Rule],
    parents: &BTreeMap<ClassId, Option<ClassId>>,
    graph: &Graph,
    (reading, from): (&Reading, Date),
) -> Together {
    let overrides = Overrides::of(rules);
    check.overrides(rules, &overrides);
    let mut index = Index::new();
    let mut by_class: BTreeMap<&ClassId, Vec<usize>> = BTreeMap::new();
    for (at, rule) in rules.iter().enumerate() {
        for class in &rule.classes {
            by_class.entry(class).or_default().push(at);
        }
    }
    let mut rulings = 0_usize;
    for (name, store) in &graph.stores {
        for class in &store.classes {
            if rulings > RULINGS_MAX {
                break;
            }
            let line = lineage(class, parents);
            let candidates: BTreeSet<usize> = line
                .iter()
                .filter_map(|class| by_class.get(class))
                .flatten()
                .copied()
                .filter(|at| {
                    rules
                        .get(*at)
                        .is_some_and(|rule| rule.stores.binary_search(name).is_ok())
                })
                .collect();
            if candidates.is_empty() {
                check.errors.push(RuleError::Unruled {
                    class: class.to_string(),
                    store: name.to_string(),
                });
            }
            let what = "rules for one class in one store";
            if candidates.len() > RULES_PER_ITEM_MAX {
                // what is too much is not looked at
                check.cap(what, candidates.len(), RULES_PER_ITEM_MAX);
                continue;
            }
            let under = overrides.counting(&candidates);
            rulings = rulings.saturating_add(under.len());
            index.insert((name.clone(), class.clone()), under);
        }
    }
    check.cap("rules over all classes and stores", rulings, RULINGS_MAX);
    let mut undecided = Vec::new();
    if check.errors.is_empty() {
        let distinct: BTreeSet<&Vec<usize>> = index.values().collect();
        for under in distinct {
            check.room(rules, under, reading);
        }
        let found = Feasible::new(graph, rules, &index, (reading, from)).check();
        check.contradictions(found.errors);
        undecided = found.undecided;
    }
    Together {
        rules: rules.to_vec(),
        index,
        undecided,
    }
}

impl Check {
    /// Whether every floor leaves room before every ceiling of the same figure and items that counts
    /// from the same event, or from one that is never later.
    // clause: P-18
    fn room(&mut self, rules: &[Rule], under: &[usize], reading: &Reading) {
        let under: Vec<&Rule> = under.iter().filter_map(|at| rules.get(*at)).collect();
        for floor in &under {
            let Limit::Floor {
                from: begin,
                period: kept,
                early_secs: 0,
            } = &floor.limit
            else {
                continue;
            };
            for ceiling in &under {
                let Limit::Ceiling {
                    from,
                    period: gone,
                    late_secs: 0,
                } = &ceiling.limit
                else {
                    continue;
                };
                let ordered = ORDERED.contains(&(from.as_str(), begin.as_str()));
                let same = kept == gone && !kept.is_zero() && floor.to == ceiling.to;
                if same && (from == begin || ordered) && !reading.zones().is_empty() {
                    let (floor, ceiling) = (floor.id.to_string(), ceiling.id.to_string());
                    self.errors.push(RuleError::ZeroWidth { floor, ceiling });
                }
            }
        }
    }

    /// Adds contradictions, unless one is already told as a lack of width.
    fn contradictions(&mut self, found: Vec<RuleError>) {
        let widthless: Vec<Vec<String>> = self
            .errors
            .iter()
            .filter_map(|error| match error {
                RuleError::ZeroWidth { floor, ceiling } => {
                    let mut pair = vec![floor.clone(), ceiling.clone()];
                    pair.sort_unstable();
                    Some(pair)
                }
                _ => None,
            })
            .collect();
        let is_news = |error: &RuleError| match error {
            RuleError::Contradiction { rules, keys, .. } => {
                !keys.is_empty() || !widthless.contains(rules)
            }
            _ => true,
        };
        self.errors.extend(found.into_iter().filter(is_news));
    }
}
