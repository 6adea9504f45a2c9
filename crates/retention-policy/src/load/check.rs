//! Names, figures and references of single tables, with an error for each that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use covenant_core::{ClauseId, Period};

use super::circle::Overrides;
use crate::copies::{Every, Store};
use crate::rule::{Authority, Bound, Limit, Method, Rule};
use crate::spec::{CIVIL_NIGHT, RuleSpec};
use crate::{ClassId, NameError, RuleError, RuleId, StoreName, Trigger};

/// The errors so far.
#[derive(Default)]
pub(super) struct Check {
    pub(super) errors: Vec<RuleError>,
}

/// The ways to remove bytes, each once in their order; deletion without any.
pub(super) fn or_delete(erase: &[Method]) -> Vec<Method> {
    let mut methods: Vec<Method> = Vec::new();
    for method in erase {
        if !methods.contains(method) {
            methods.push(*method);
        }
    }
    if methods.is_empty() {
        methods.push(Method::Delete);
    }
    methods
}

impl Check {
    pub(super) fn cap(&mut self, what: &'static str, len: usize, max: usize) {
        if len > max {
            self.errors.push(RuleError::TooMany { what, max });
        }
    }

    pub(super) fn duplicate(&mut self, what: &'static str, id: &str) {
        self.errors.push(RuleError::Duplicate {
            what,
            id: id.to_owned(),
        });
    }

    pub(super) fn missing(&mut self, place: &str, field: &'static str) {
        self.errors.push(RuleError::Missing {
            place: place.to_owned(),
            field,
        });
    }

    pub(super) fn name<N: FromStr<Err = NameError>>(
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
    pub(super) fn known(
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

    /// The declared stores among these names.
    pub(super) fn stores(
        &mut self,
        place: &str,
        names: &[String],
        stores: &BTreeMap<StoreName, Store>,
    ) -> BTreeSet<StoreName> {
        let mut known = BTreeSet::new();
        for text in names {
            let Some(store) = self.name::<StoreName>(place, "store", text) else {
                continue;
            };
            if !stores.contains_key(&store) {
                self.unknown(place, "store", text);
            }
            known.insert(store);
        }
        known
    }

    pub(super) fn unknown(&mut self, place: &str, what: &'static str, id: &str) {
        let (place, id) = (place.to_owned(), id.to_owned());
        self.errors.push(RuleError::Unknown { place, what, id });
    }

    /// Every parent is declared, and nobody descends from itself.
    pub(super) fn families(&mut self, parents: &BTreeMap<ClassId, Option<ClassId>>) {
        for (class, parent) in parents {
            let Some(parent) = parent else { continue };
            if !parents.contains_key(parent) {
                self.unknown(&format!("class {class}"), "class", parent.as_str());
            }
            if super::lineage(parent, parents).contains(class) {
                self.errors.push(RuleError::ClassCycle {
                    class: class.to_string(),
                });
            }
        }
    }

    /// Every overridden rule is there and of no higher authority, and no rule overrides itself.
    pub(super) fn overrides(&mut self, rules: &[Rule], overrides: &Overrides) {
        let by_id: BTreeMap<&RuleId, &Rule> = rules.iter().map(|rule| (&rule.id, rule)).collect();
        for rule in rules.iter().filter(|rule| !rule.overrides.is_empty()) {
            let id = rule.id.to_string();
            if rule.authority == Authority::Tenant {
                self.errors
                    .push(RuleError::TenantOverrides { rule: id.clone() });
            }
            for other in &rule.overrides {
                match by_id.get(other) {
                    None => self.unknown(&format!("rule {id}"), "rule", other.as_str()),
                    Some(overridden) if overridden.authority < rule.authority => {
                        self.errors.push(RuleError::OverridesHigher {
                            rule: id.clone(),
                            other: other.to_string(),
                        });
                    }
                    Some(_) => {}
                }
            }
        }
        for at in overrides.circles() {
            if let Some(rule) = rules.get(at) {
                let rule = rule.id.to_string();
                self.errors.push(RuleError::OverrideCycle { rule });
            }
        }
    }

    /// What is added for a tenant says so, and counts from events that are known without it: an item
    /// that could not be judged is not let go by a tenant's rule.
    // clause: P-46
    pub(super) fn tenants(&mut self, added: &[Rule], known: &BTreeSet<Trigger>) {
        for rule in added {
            if rule.authority != Authority::Tenant {
                let rule = rule.id.to_string();
                self.errors.push(RuleError::NotATenants { rule });
            }
            let named = rule.waived_by.iter().chain([rule.limit.trigger()]);
            for event in named.chain(rule.to.as_ref()) {
                if !known.contains(event) {
                    self.unknown(&format!("rule {}", rule.id), "event", event.as_str());
                }
            }
        }
    }

    pub(super) fn rule(
        &mut self,
        at: usize,
        spec: &RuleSpec,
        parents: &BTreeMap<ClassId, Option<ClassId>>,
        stores: &BTreeMap<StoreName, Store>,
    ) -> Option<Rule> {
        let label = if crate::name::well_formed(&spec.id).is_ok() {
            spec.id.clone()
        } else {
            format!("#{}", at.saturating_add(1))
        };
        let place = format!("rule {label}");
        let before = self.errors.len();

        let id = self.name::<RuleId>(&place, "rule", &spec.id);
        let clause = match spec
            .clause
            .as_deref()
            .map(str::parse::<ClauseId>)
            .transpose()
        {
            Ok(clause) => clause,
            Err(source) => {
                let place = place.clone();
                self.errors.push(RuleError::Clause { place, source });
                None
            }
        };
        if spec.classes.is_empty() {
            self.missing(&place, "class");
        }
        let classes = self.known(&place, &spec.classes, parents);
        let mut ruled = self.stores(&place, &spec.stores, stores);
        if spec.stores.is_empty() {
            ruled = stores.keys().cloned().collect();
        }
        let waivers = spec.waived_by.iter();
        let waivers: BTreeSet<Trigger> = waivers
            .filter_map(|event| self.name(&place, "event", event))
            .collect();
        let overrides = spec.overrides.iter();
        let overrides: BTreeSet<RuleId> = overrides
            .filter_map(|rule| self.name(&place, "rule", rule))
            .collect();
        let to = spec.to.as_ref();
        let to = to.and_then(|event| self.name::<Trigger>(&place, "event", event));
        self.misplaced(&place, spec);
        let limit = self.limit(&place, spec);
        if self.errors.len() > before {
            return None;
        }
        Some(Rule {
            id: id?,
            clause,
            classes: classes.into_iter().collect(),
            stores: ruled.into_iter().collect(),
            limit: limit?,
            to,
            waived_by: waivers.into_iter().collect(),
            authority: spec.authority,
            overrides: overrides.into_iter().collect(),
            act: spec.act,
            tenant: None,
        })
    }

    /// Fields that rules of this kind do not have.
    fn misplaced(&mut self, place: &str, spec: &RuleSpec) {
        let until = ("until", spec.until.is_some());
        let (early, late) = (
            ("early", spec.early.is_some()),
            ("late", spec.late.is_some()),
        );
        let (from, to) = (("from", spec.from.is_some()), ("to", spec.to.is_some()));
        let period = ("period", spec.period.is_some());
        let fields: &[(&'static str, bool)] = match spec.bound {
            Bound::Floor => &[until, late],
            Bound::Ceiling => &[until, early, ("waived_by", !spec.waived_by.is_empty())],
            Bound::Until => &[from, to, period, early, late],
        };
        for (field, _) in fields.iter().filter(|(_, there)| *there) {
            self.errors.push(RuleError::Misplaced {
                place: place.to_owned(),
                field,
            });
        }
    }

    fn limit(&mut self, place: &str, spec: &RuleSpec) -> Option<Limit> {
        match spec.bound {
            Bound::Floor => {
                let from = self.event(place, "from", spec.from.as_deref());
                let period = self.period(place, spec.period.as_deref());
                let early_secs = self.tolerance(place, "early", spec.early.as_deref());
                from.zip(period).map(|(from, period)| Limit::Floor {
                    from,
                    period,
                    early_secs,
                })
            }
            Bound::Ceiling => {
                let from = self.event(place, "from", spec.from.as_deref());
                let period = self.period(place, spec.period.as_deref());
                let late_secs = self.tolerance(place, "late", spec.late.as_deref());
                from.zip(period).map(|(from, period)| Limit::Ceiling {
                    from,
                    period,
                    late_secs,
                })
            }
            Bound::Until => self
                .event(place, "until", spec.until.as_deref())
                .map(|event| Limit::Until { event }),
        }
    }

    fn event(&mut self, place: &str, field: &'static str, text: Option<&str>) -> Option<Trigger> {
        match text {
            Some(text) => self.name(place, "event", text),
            None => {
                self.missing(place, field);
                None
            }
        }
    }

    fn period(&mut self, place: &str, text: Option<&str>) -> Option<Period> {
        if text.is_none() {
            self.missing(place, "period");
        }
        self.optional(place, "period", text)
    }

    /// A period that need not be there.
    pub(super) fn optional(
        &mut self,
        place: &str,
        field: &'static str,
        text: Option<&str>,
    ) -> Option<Period> {
        match text?.parse() {
            Ok(period) => Some(period),
            Err(source) => {
                self.errors.push(RuleError::Period {
                    place: place.to_owned(),
                    field,
                    source,
                });
                None
            }
        }
    }

    pub(super) fn every(&mut self, place: &str, text: Option<&str>) -> Option<Every> {
        if text == Some(CIVIL_NIGHT) {
            return Some(Every::CivilNight);
        }
        self.optional(place, "every", text).map(Every::Period)
    }

    fn tolerance(&mut self, place: &str, field: &'static str, text: Option<&str>) -> u64 {
        let Some(period) = self.optional(place, field, text) else {
            return 0;
        };
        period.as_secs().unwrap_or_else(|| {
            self.errors.push(RuleError::Tolerance {
                place: place.to_owned(),
                field,
            });
            0
        })
    }

    /// The errors, each once: a pair of rules meets in every class and store.
    pub(super) fn distinct(self) -> Vec<RuleError> {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut errors = self.errors;
        errors.retain(|error| seen.insert(format!("{error:?}")));
        errors
    }
}
