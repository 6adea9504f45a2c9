//! The stores that a deployment really has, and what of its tenants lies in each: every one of them
//! must be under the rules, or the deployment does not start.
//!
//! Keys, heads of logs, ids of members and the log itself, which has commitments instead of content,
//! are no store of these.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use retention_policy::{RuleId, RuleSet, StoreKind, StoreSpec};

use crate::error::StartError;
use crate::profile::{CLASS_DATABASE, CLASS_RECORD, DeclaredStore, Profile};
use crate::stores::Layout;

/// One store that a deployment has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a further fact must be told by whoever lists stores"
)]
pub struct HeldStore {
    /// The name of its folder.
    pub name: String,
    /// What it is.
    pub kind: StoreKind,
    /// The classes that lie in it by name; it may hold others, which its rules name.
    pub classes: BTreeSet<String>,
    /// The stores whose content it copies, by their names here: what lies in them lies in it too.
    pub copies: BTreeSet<String>,
    /// Its name in the rules, where its kind does not tell which of theirs it is.
    pub ruled_as: Option<String>,
}

/// What a deployment has.
///
/// # Contract
/// `held` names every store in which something of a tenant lies.
///
/// # Implementing
/// The stores below the folder and those that the document declares are the implementation; others
/// wrap it.
pub trait Holdings: fmt::Debug + Send + Sync {
    /// The stores.
    fn held(&self) -> Vec<HeldStore>;
}

/// The stores below a deployment's folder; and those that its document declares, of which some are
/// the same, and the others are systems of others and copies at other places.
#[derive(Debug)]
pub(crate) struct AllStores {
    pub(crate) layout: Layout,
    pub(crate) declared: Vec<DeclaredStore>,
}

impl Holdings for AllStores {
    fn held(&self) -> Vec<HeldStore> {
        let declared = self.declared.iter().map(|store| HeldStore {
            name: store.id.clone(),
            kind: store.kind,
            classes: store.classes.iter().cloned().collect(),
            copies: BTreeSet::new(),
            ruled_as: Some(store.id.clone()),
        });
        self.here().into_iter().chain(declared).collect()
    }
}

impl AllStores {
    fn here(&self) -> Vec<HeldStore> {
        let [rows, objects, depot, ..] = self.layout.sources();
        let name = |folder: std::path::PathBuf| {
            let name = folder.file_name();
            name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        };
        let (rows, objects) = (name(rows), name(objects));
        let ours = [CLASS_RECORD, CLASS_DATABASE].map(str::to_owned);
        vec![
            HeldStore {
                name: rows.clone(),
                kind: StoreKind::Sql,
                classes: ours.into(),
                copies: BTreeSet::new(),
                ruled_as: None,
            },
            HeldStore {
                name: objects.clone(),
                kind: StoreKind::Object,
                classes: BTreeSet::new(),
                copies: BTreeSet::new(),
                ruled_as: None,
            },
            HeldStore {
                name: name(depot),
                kind: StoreKind::Epoch,
                classes: BTreeSet::new(),
                copies: [rows, objects].into(),
                ruled_as: None,
            },
        ]
    }
}

/// A store as the rules know it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuledStore {
    /// The name of its folder; of a store that is not of this deployment, its name in the rules.
    pub name: String,
    /// What it is.
    pub kind: StoreKind,
    /// The store of the rules that it is.
    pub ruled_as: String,
    /// What lies in it, each class with the rules that it is under there.
    pub classes: BTreeMap<String, Vec<RuleId>>,
}

/// Every store as the rules know it, each once.
///
/// # Errors
/// [`StartError::Unruled`] for the first store, or class in it, of which the rules say nothing.
// clause: P-40
pub(crate) fn ruled(profile: &Profile, held: &[HeldStore]) -> Result<Vec<RuledStore>, StartError> {
    let (rules, rows) = (&profile.rules, profile.rows.as_str());
    let mut known: Vec<RuledStore> = Vec::new();
    for store in held {
        let spec = spec_of(rules, rows, store);
        let spec = spec.ok_or_else(|| unruled(&store.name, None))?;
        let classes = classes_of(rules, &spec.id, &store.name)?;
        let copied = known.iter().filter(|one| store.copies.contains(&one.name));
        let copied = copied.flat_map(|one| one.classes.keys());
        for class in store.classes.iter().chain(copied) {
            if !classes.contains_key(class) {
                return Err(unruled(&store.name, Some(class)));
            }
        }
        if known.iter().all(|one| one.ruled_as != spec.id) {
            known.push(RuledStore {
                name: store.name.clone(),
                kind: store.kind,
                ruled_as: spec.id.clone(),
                classes,
            });
        }
    }
    Ok(known)
}

/// What the rules have in this store of theirs, each class with its rules; at least one.
fn classes_of(
    rules: &RuleSet,
    id: &str,
    name: &str,
) -> Result<BTreeMap<String, Vec<RuleId>>, StartError> {
    let mut classes = BTreeMap::new();
    let held = rules.store(id).map(|store| store.classes());
    for class in held.into_iter().flatten() {
        let under = rules.under_rules(id, class.as_str());
        if under.is_empty() {
            return Err(unruled(name, Some(class.as_str())));
        }
        let ids = under.into_iter().map(|rule| rule.id().clone());
        classes.insert(class.to_string(), ids.collect());
    }
    if classes.is_empty() {
        return Err(unruled(name, None));
    }
    Ok(classes)
}

/// The store of the rules that this one is: the one of this name, or else of rows the one that the
/// profile names, of copies the one that is made of the rows, and of others the one of this kind.
fn spec_of<'r>(rules: &'r RuleSet, rows: &str, store: &HeldStore) -> Option<&'r StoreSpec> {
    let mut specs = rules.file().stores.iter();
    if let Some(id) = &store.ruled_as {
        return specs.find(|spec| spec.id == *id);
    }
    let mut specs = specs.filter(|spec| spec.kind == store.kind);
    specs.find(|spec| match store.kind {
        StoreKind::Sql => spec.id == rows,
        StoreKind::Epoch => {
            spec.fed_by.is_empty() || spec.fed_by.iter().any(|feeder| feeder == rows)
        }
        _ => true,
    })
}

fn unruled(store: &str, class: Option<&str>) -> StartError {
    StartError::Unruled {
        store: store.to_owned(),
        class: class.map(str::to_owned),
    }
}
