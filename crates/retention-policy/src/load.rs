//! Checks rules as they are written down and makes a [`RuleSet`] of them. All errors are found, not
//! the first; what cannot hold on any date does not load. Contradictions that exist on some dates
//! only, and between keys and stores, are not seen here.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use covenant_core::{Action, ClauseId, Period, Reading};

use crate::rule::{Bound, Limit, Method, Rule, RuleSpec, RulesFile};
use crate::trigger::ORDERED;
use crate::{ClassId, NameError, RuleError, RuleErrors, RuleId, RuleSet, StoreName, Trigger};

/// Most rules in a set (design, rule file caps).
pub const RULES_MAX: usize = 10_000;
/// Most classes in a set.
pub const CLASSES_MAX: usize = 256;
/// Most stores in a set.
pub const STORES_MAX: usize = 64;

/// Checks the file; `stray` are builder calls that came before any rule.
pub(crate) fn load(file: RulesFile, stray: &[&'static str]) -> Result<RuleSet, RuleErrors> {
    let RulesFile {
        reading,
        classes,
        stores,
        events,
        rules,
        cancels,
    } = file;
    let mut check = Check::default();
    check
        .errors
        .extend(stray.iter().map(|&call| RuleError::Stray { call }));
    check.cap("rules", rules.len(), RULES_MAX);
    check.cap("classes", classes.len(), CLASSES_MAX);
    check.cap("stores", stores.len(), STORES_MAX);

    let mut parents = BTreeMap::new();
    for class in &classes {
        let place = format!("class {}", class.id);
        let Some(id) = check.name::<ClassId>(&place, "class", &class.id) else {
            continue;
        };
        let parent = class
            .parent
            .as_ref()
            .and_then(|p| check.name::<ClassId>(&place, "class", p));
        if parents.insert(id, parent).is_some() {
            check.duplicate("class", &class.id);
        }
    }
    check.families(&parents);

    let mut holds: BTreeMap<StoreName, (BTreeSet<ClassId>, Method)> = BTreeMap::new();
    for store in &stores {
        let place = format!("store {}", store.id);
        let Some(id) = check.name::<StoreName>(&place, "store", &store.id) else {
            continue;
        };
        let named = check.known(&place, &store.classes, &parents);
        let held = if store.classes.is_empty() {
            parents.keys().cloned().collect()
        } else {
            named
        };
        if holds.insert(id, (held, store.erase)).is_some() {
            check.duplicate("store", &store.id);
        }
    }

    let mut checked: BTreeMap<RuleId, Rule> = BTreeMap::new();
    for (at, spec) in rules.iter().enumerate() {
        if let Some(rule) = check.rule(at, spec, &parents, &holds)
            && let Some(twice) = checked.insert(rule.id.clone(), rule)
        {
            check.duplicate("rule", twice.id.as_str());
        }
    }
    let rules: Vec<Rule> = checked.into_values().collect();

    let mut undone: BTreeMap<Trigger, BTreeSet<Trigger>> = BTreeMap::new();
    for cancel in &cancels {
        let event = check.name::<Trigger>("cancel", "event", &cancel.event);
        let cancels = check.name::<Trigger>("cancel", "event", &cancel.cancels);
        if let (Some(event), Some(cancels)) = (event, cancels) {
            if event == cancels {
                check.errors.push(RuleError::CancelsItself {
                    event: event.to_string(),
                });
            }
            undone.entry(cancels).or_default().insert(event);
        }
    }

    let mut known: BTreeSet<Trigger> = Action::ALL
        .iter()
        .filter_map(|action| action.name().parse().ok())
        .collect();
    known.extend(
        events
            .iter()
            .filter_map(|event| check.name("events", "event", event)),
    );
    known.extend(
        undone
            .iter()
            .flat_map(|(to, by)| by.iter().chain([to]))
            .cloned(),
    );
    known.extend(
        rules
            .iter()
            .flat_map(|r| r.waived_by.iter().chain([r.limit.trigger()]))
            .cloned(),
    );

    let mut index = BTreeMap::new();
    for (store, (held, _)) in &holds {
        for class in held {
            let line = lineage(class, &parents);
            let under: Vec<usize> = rules
                .iter()
                .enumerate()
                .filter(|(_, r)| r.stores.contains(store))
                .filter(|(_, r)| r.classes.iter().any(|c| line.contains(c)))
                .map(|(at, _)| at)
                .collect();
            if under.is_empty() {
                check.errors.push(RuleError::Unruled {
                    class: class.to_string(),
                    store: store.to_string(),
                });
            }
            check.room(&rules, &under, &reading);
            index.insert((store.clone(), class.clone()), under);
        }
    }

    match RuleErrors::of(check.distinct()) {
        Some(errors) => Err(errors),
        None => {
            let methods = holds
                .into_iter()
                .map(|(store, (_, erase))| (store, erase))
                .collect();
            Ok(RuleSet::new(
                reading, parents, methods, rules, index, undone, known,
            ))
        }
    }
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

#[derive(Default)]
struct Check {
    errors: Vec<RuleError>,
}

impl Check {
    fn cap(&mut self, what: &'static str, len: usize, max: usize) {
        if len > max {
            self.errors.push(RuleError::TooMany { what, max });
        }
    }

    fn duplicate(&mut self, what: &'static str, id: &str) {
        self.errors.push(RuleError::Duplicate {
            what,
            id: id.to_owned(),
        });
    }

    fn name<N: FromStr<Err = NameError>>(
        &mut self,
        place: &str,
        what: &'static str,
        text: &str,
    ) -> Option<N> {
        match text.parse() {
            Ok(name) => Some(name),
            Err(source) => {
                self.errors.push(RuleError::Name {
                    place: place.to_owned(),
                    what,
                    source,
                });
                None
            }
        }
    }

    /// The declared classes among these names.
    fn known(
        &mut self,
        place: &str,
        names: &[String],
        parents: &BTreeMap<ClassId, Option<ClassId>>,
    ) -> BTreeSet<ClassId> {
        let mut known = BTreeSet::new();
        for text in names {
            let Some(class) = self.name::<ClassId>(place, "class", text) else {
                continue;
            };
            if parents.contains_key(&class) {
                known.insert(class);
            } else {
                self.unknown(place, "class", text);
            }
        }
        known
    }

    fn unknown(&mut self, place: &str, what: &'static str, id: &str) {
        let (place, id) = (place.to_owned(), id.to_owned());
        self.errors.push(RuleError::Unknown { place, what, id });
    }

    /// Every parent is declared, and nobody descends from itself.
    fn families(&mut self, parents: &BTreeMap<ClassId, Option<ClassId>>) {
        for (class, parent) in parents {
            let Some(parent) = parent else { continue };
            if !parents.contains_key(parent) {
                self.unknown(&format!("class {class}"), "class", parent.as_str());
            }
            if lineage(parent, parents).contains(class) {
                self.errors.push(RuleError::ClassCycle {
                    class: class.to_string(),
                });
            }
        }
    }

    fn rule(
        &mut self,
        at: usize,
        spec: &RuleSpec,
        parents: &BTreeMap<ClassId, Option<ClassId>>,
        holds: &BTreeMap<StoreName, (BTreeSet<ClassId>, Method)>,
    ) -> Option<Rule> {
        let RuleSpec {
            id,
            clause,
            classes,
            stores,
            bound,
            from,
            until,
            period,
            early,
            late,
            waived_by,
            act,
        } = spec;
        let number = at.saturating_add(1);
        let label = if crate::name::well_formed(id).is_ok() {
            id.clone()
        } else {
            format!("#{number}")
        };
        let place = format!("rule {label}");
        let before = self.errors.len();

        let id = self.name::<RuleId>(&place, "rule", id);
        let clause = match clause.as_deref().map(str::parse::<ClauseId>).transpose() {
            Ok(clause) => clause,
            Err(source) => {
                self.errors.push(RuleError::Clause {
                    rule: label.clone(),
                    source,
                });
                None
            }
        };
        if classes.is_empty() {
            self.errors.push(RuleError::Missing {
                rule: label.clone(),
                field: "class",
            });
        }
        let classes = self.known(&place, classes, parents);
        let mut ruled = BTreeSet::new();
        for text in stores {
            let Some(store) = self.name::<StoreName>(&place, "store", text) else {
                continue;
            };
            if !holds.contains_key(&store) {
                self.unknown(&place, "store", text);
            }
            ruled.insert(store);
        }
        if stores.is_empty() {
            ruled = holds.keys().cloned().collect();
        }
        let waivers: BTreeSet<Trigger> = waived_by
            .iter()
            .filter_map(|event| self.name(&place, "event", event))
            .collect();

        let misplaced: &[(&'static str, bool)] = match bound {
            Bound::Floor => &[("until", until.is_some()), ("late", late.is_some())],
            Bound::Ceiling => &[
                ("until", until.is_some()),
                ("early", early.is_some()),
                ("waived_by", !waived_by.is_empty()),
            ],
            Bound::Until => &[
                ("from", from.is_some()),
                ("period", period.is_some()),
                ("early", early.is_some()),
                ("late", late.is_some()),
            ],
        };
        for (field, _) in misplaced.iter().filter(|(_, there)| *there) {
            self.errors.push(RuleError::Misplaced {
                rule: label.clone(),
                field,
            });
        }

        let limit = match bound {
            Bound::Floor => {
                let from = self.event(&label, "from", from.as_deref());
                let period = self.period(&label, period.as_deref());
                let early_secs = self.tolerance(&label, "early", early.as_deref());
                from.zip(period).map(|(from, period)| Limit::Floor {
                    from,
                    period,
                    early_secs,
                })
            }
            Bound::Ceiling => {
                let from = self.event(&label, "from", from.as_deref());
                let period = self.period(&label, period.as_deref());
                let late_secs = self.tolerance(&label, "late", late.as_deref());
                from.zip(period).map(|(from, period)| Limit::Ceiling {
                    from,
                    period,
                    late_secs,
                })
            }
            Bound::Until => self
                .event(&label, "until", until.as_deref())
                .map(|event| Limit::Until { event }),
        };
        if self.errors.len() > before {
            return None;
        }
        Some(Rule {
            id: id?,
            clause,
            classes: classes.into_iter().collect(),
            stores: ruled.into_iter().collect(),
            limit: limit?,
            waived_by: waivers.into_iter().collect(),
            act: *act,
        })
    }

    fn event(&mut self, rule: &str, field: &'static str, text: Option<&str>) -> Option<Trigger> {
        match text {
            Some(text) => self.name(&format!("rule {rule}"), "event", text),
            None => {
                self.errors.push(RuleError::Missing {
                    rule: rule.to_owned(),
                    field,
                });
                None
            }
        }
    }

    fn period(&mut self, rule: &str, text: Option<&str>) -> Option<Period> {
        let Some(text) = text else {
            self.errors.push(RuleError::Missing {
                rule: rule.to_owned(),
                field: "period",
            });
            return None;
        };
        text.parse()
            .map_err(|source| self.bad_period(rule, "period", source))
            .ok()
    }

    fn tolerance(&mut self, rule: &str, field: &'static str, text: Option<&str>) -> u64 {
        let Some(text) = text else { return 0 };
        match text.parse::<Period>() {
            Ok(period) => period.as_secs().unwrap_or_else(|| {
                self.errors.push(RuleError::Tolerance {
                    rule: rule.to_owned(),
                    field,
                });
                0
            }),
            Err(source) => {
                self.bad_period(rule, field, source);
                0
            }
        }
    }

    fn bad_period(&mut self, rule: &str, field: &'static str, source: covenant_core::PeriodError) {
        self.errors.push(RuleError::Period {
            rule: rule.to_owned(),
            field,
            source,
        });
    }

    /// Whether every floor leaves room before every ceiling of the same items that counts from the
    /// same event, or from one that is never later.
    // clause: P-18
    fn room(&mut self, rules: &[Rule], under: &[usize], reading: &Reading) {
        let under: Vec<&Rule> = under.iter().filter_map(|at| rules.get(*at)).collect();
        for floor in &under {
            let Limit::Floor {
                from: begin,
                period: kept,
                early_secs,
            } = &floor.limit
            else {
                continue;
            };
            for ceiling in &under {
                let Limit::Ceiling {
                    from,
                    period: gone,
                    late_secs,
                } = &ceiling.limit
                else {
                    continue;
                };
                let ordered = ORDERED.contains(&(from.as_str(), begin.as_str()));
                if from != begin && !ordered {
                    continue;
                }
                let (floor, ceiling) = (floor.id.to_string(), ceiling.id.to_string());
                let shortest = kept
                    .bounds(reading)
                    .shortest_secs
                    .saturating_sub(*early_secs);
                let longest = gone.bounds(reading).longest_secs.saturating_add(*late_secs);
                if shortest > longest {
                    self.errors
                        .push(RuleError::Contradiction { floor, ceiling });
                } else if kept == gone && *early_secs == 0 && *late_secs == 0 {
                    self.errors.push(RuleError::ZeroWidth { floor, ceiling });
                }
            }
        }
    }

    /// The errors, each once: a pair of rules meets in every class and store.
    fn distinct(self) -> Vec<RuleError> {
        let mut distinct: Vec<RuleError> = Vec::new();
        for error in self.errors {
            if !distinct.contains(&error) {
                distinct.push(error);
            }
        }
        distinct
    }
}
