//! The stores of the embedded subject, and other deployments of it whose rules lack something.

use covenant::{Covenant, Profile, RuledStore, Settings, StartError};
use retention_policy::{RuleSet, RuleSpec, RulesFile, StoreKind};

use super::{Embedded, wraps};
use crate::act::{Lacking, Seen, StoreSeen};
use crate::canary::Store;
use crate::subject::Refusal;

/// A folder that is no store of a deployment: what somebody built beside it.
const UNKNOWN: &str = "search-index";

impl Embedded {
    pub(super) fn list_stores(&self) -> Seen {
        Seen::Stores(self.covenant.stores().iter().map(store_seen).collect())
    }

    /// A deployment of its own under the rules of this one, less what is lacking.
    pub(super) async fn start_another(&self, lacking: &Lacking) -> Result<Seen, Refusal> {
        let mut file = self.document.rules.file().clone();
        self.cut(&mut file, lacking)?;
        let rules = RuleSet::load(file).map_err(|errors| Refusal::denied(errors.to_string()))?;
        let profile = Profile {
            rules,
            ..(*self.document).clone()
        };
        let folder = tempfile::tempdir().map_err(Refusal::failed)?;
        let stores = folder.path().join("stores");
        let settings = || {
            let mut wraps = wraps::of(self.sabotage, &stores, &(self.clock.clone() as _));
            if *lacking == Lacking::Removal {
                wraps::add_versions(&mut wraps);
            }
            Ok::<_, Refusal>(Settings {
                profile: profile.clone(),
                ..self
                    .settings(stores.clone(), wraps)
                    .map_err(Refusal::failed)?
            })
        };
        drop(Covenant::create(settings()?).await.map_err(refused)?);
        if *lacking == Lacking::Unknown {
            std::fs::create_dir(stores.join(UNKNOWN)).map_err(Refusal::failed)?;
            Covenant::open(settings()?).await.map_err(refused)?;
        }
        Ok(Seen::Done)
    }

    fn cut(&self, file: &mut RulesFile, lacking: &Lacking) -> Result<(), Refusal> {
        let named = |name: &str| {
            let stores = self.covenant.stores();
            let found = stores.iter().find(|store| store.name == name);
            let found = found.ok_or_else(|| Refusal::denied("no such store"))?;
            Ok::<_, Refusal>(found.ruled_as.clone())
        };
        match lacking {
            Lacking::Nothing | Lacking::Unknown | Lacking::Removal => {}
            Lacking::Store(store) => cut_store(file, &named(store)?),
            Lacking::Class { store, class } => {
                let id = named(store)?;
                let mut held = file.stores.iter_mut().filter(|spec| spec.id == id);
                let left = held.next().map(|spec| {
                    spec.classes.retain(|one| one != class);
                    spec.classes.len()
                });
                if left == Some(0) {
                    cut_store(file, &id);
                }
            }
            Lacking::Rules { store, class } => {
                let id = named(store)?;
                let rules = std::mem::take(&mut file.rules);
                let cut = |rule| cut_rule(rule, &id, class);
                file.rules = rules.into_iter().flat_map(cut).collect();
            }
        }
        Ok(())
    }
}

/// The rules without the store, as if it had never been.
fn cut_store(file: &mut RulesFile, id: &str) {
    file.stores.retain(|store| store.id != id);
    for store in &mut file.stores {
        store.fed_by.retain(|from| from != id);
    }
    for key in &mut file.keys {
        key.seals.retain(|store| store != id);
    }
    file.keys.retain(|key| !key.seals.is_empty());
    let everywhere = |rule: &RuleSpec| rule.stores.is_empty();
    let of_others = |rule: &mut RuleSpec| {
        rule.stores.retain(|store| store != id);
        !rule.stores.is_empty()
    };
    file.rules
        .retain_mut(|rule| everywhere(rule) || of_others(rule));
}

/// What is left of a rule that no longer rules this class in this store.
fn cut_rule(rule: RuleSpec, store: &str, class: &str) -> Vec<RuleSpec> {
    let here = rule.stores.iter().any(|one| one == store);
    if !here || rule.classes.iter().all(|one| one != class) {
        return vec![rule];
    }
    let mut elsewhere = rule.clone();
    elsewhere.stores.retain(|one| one != store);
    let mut others = RuleSpec {
        id: format!("{}-others", rule.id),
        stores: vec![store.to_owned()],
        ..rule
    };
    others.classes.retain(|one| one != class);
    let mut left = vec![elsewhere, others];
    left.retain(|rule| !rule.stores.is_empty() && !rule.classes.is_empty());
    left
}

fn store_seen(store: &RuledStore) -> StoreSeen {
    let classes = store.classes.iter().map(|(class, rules)| {
        let rules = rules.iter().map(ToString::to_string);
        (class.clone(), rules.collect())
    });
    StoreSeen {
        name: store.name.clone(),
        lies: match (store.kind, store.name == store.ruled_as) {
            (StoreKind::Sql, _) => Some(Store::Rows),
            (StoreKind::Object, _) => Some(Store::Objects),
            // a store of copies that is not this deployment's is known by its name in the rules alone
            (StoreKind::Epoch, false) => Some(Store::Backups),
            _ => None,
        },
        classes: classes.collect(),
    }
}

/// A deployment that does not start because of its rules, or of what its stores keep, is refused; any
/// other reason is a failure.
fn refused(error: StartError) -> Refusal {
    match error {
        StartError::Unruled { .. } | StartError::UnknownStore(_) | StartError::Bucket(_) => {
            Refusal::denied(error.to_string())
        }
        other => Refusal::failed(other),
    }
}
