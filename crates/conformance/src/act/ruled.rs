//! What is under the rules: stores and the classes in them.

use std::collections::BTreeMap;

use crate::canary::Store;

/// A store in which something of a tenant lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSeen {
    /// Its name.
    pub name: String,
    /// Where its bytes are looked for; `None` for a store that is not of this deployment.
    pub lies: Option<Store>,
    /// The classes in it, each with the names of the rules that say when it goes from there.
    pub classes: BTreeMap<String, Vec<String>>,
}

/// What the rules of a deployment lack.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lacking {
    /// Nothing.
    Nothing,
    /// The store of this name: they do not know it.
    Store(String),
    /// A class in a store: they do not know that it lies there.
    Class {
        /// The store.
        store: String,
        /// The class.
        class: String,
    },
    /// Every rule of a class in a store, which they do know.
    Rules {
        /// The store.
        store: String,
        /// The class.
        class: String,
    },
    /// Nothing; but in the deployment lies a store that they do not know.
    Unknown,
    /// Nothing; but its store of attachments has every version of what was overwritten or deleted.
    Removal,
}
