//! The stores of the model and their rules.

use super::{Model, Refusal, Sabotage, Seen};
use crate::act::{Lacking, StoreSeen};
use crate::canary::Store;

/// The model's stores, with the classes in each.
const STORES: [(Store, &[&str]); 3] = [
    (Store::Rows, &["record", "database"]),
    (Store::Objects, &["attachment"]),
    (Store::Backups, &["record", "database", "attachment"]),
];

impl Model {
    /// Every store that the model knows of itself.
    pub(super) fn stores(&self) -> Vec<StoreSeen> {
        let known = STORES.iter().filter(|(store, _)| !self.overlooks(*store));
        let seen = known.map(|(store, classes)| {
            let classes = classes.iter().map(|class| {
                let class = (*class).to_owned();
                (class.clone(), vec![format!("{class}-in-{store}")])
            });
            StoreSeen {
                name: store.to_string(),
                lies: Some(*store),
                classes: classes.collect(),
            }
        });
        seen.collect()
    }

    /// Another model, whose rules are held against the stores that it knows of itself.
    pub(super) fn start_another(&self, lacking: &Lacking) -> Result<Seen, Refusal> {
        let known = self.stores();
        let knows = |name: &str| known.iter().any(|store| store.name == name);
        match lacking {
            Lacking::Nothing => Ok(Seen::Done),
            Lacking::Removal if self.is(Sabotage::BucketUnasked) => Ok(Seen::Done),
            Lacking::Store(store) | Lacking::Class { store, .. } | Lacking::Rules { store, .. }
                if !knows(store) =>
            {
                Ok(Seen::Done)
            }
            _ => Err(Refusal::denied("a store is not ruled")),
        }
    }

    fn overlooks(&self, store: Store) -> bool {
        store == Store::Objects && self.is(Sabotage::StoreSkipped)
    }
}
