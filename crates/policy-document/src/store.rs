//! The store graph: where data of a class lies, what copies it, and which keys seal it.

use std::collections::BTreeSet;

use covenant_core::{Action, Period};

use crate::clause::words;
use crate::{Name, Position};

/// A kind of data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Class {
    /// Its id.
    pub id: Name,
    /// Where its table stands.
    pub at: Position,
    /// The wider kind whose rules it takes.
    pub parent: Option<Name>,
}

words! {
    /// What a store is.
    StoreKind {
        /// Rows in a database.
        Sql = "sql",
        /// Objects in an object store.
        Object = "object",
        /// Vaults that die as a whole, an epoch at a time.
        Epoch = "epoch",
        /// The audit log.
        Log = "log",
        /// A system outside, such as support or billing.
        External = "external",
    }
}

words! {
    /// How data leaves a store.
    Erase {
        /// Deleted.
        Delete = "delete",
        /// Its fields are cleared.
        Clear = "clear",
        /// The key that opens it is destroyed.
        Key = "key",
        /// Somebody outside attests it.
        Attest = "attest",
    }
}

/// How often a store is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cadence {
    /// Once in each night of the civil calendar of the declared zone.
    CivilNight,
    /// At intervals of at most this length.
    Every(Period),
}

/// A place where data lies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Store {
    /// Its id.
    pub id: Name,
    /// Where its table stands.
    pub at: Position,
    /// What it is.
    pub kind: StoreKind,
    /// The classes that lie in it.
    pub classes: BTreeSet<Name>,
    /// The stores that it copies from.
    pub fed_by: BTreeSet<Name>,
    /// How often it copies.
    pub every: Option<Cadence>,
    /// How far behind it may be.
    pub lag: Option<Period>,
    /// The length of its epochs.
    pub epoch: Option<Period>,
    /// How long a copy is kept, where no clause says so: a constant of the profile.
    pub kept: Option<Period>,
    /// How data leaves it.
    pub erase: BTreeSet<Erase>,
}

/// When a key is destroyed by plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyDeath {
    /// So long after an event, in its latest reading.
    After {
        /// The event.
        from: Action,
        /// The time from it.
        after: Period,
    },
    /// On the day of the epoch it belongs to.
    WithEpoch,
}

/// Keys that seal stores.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// Its id.
    pub id: Name,
    /// Where its table stands.
    pub at: Position,
    /// The stores that it seals.
    pub seals: BTreeSet<Name>,
    /// When it is destroyed.
    pub death: KeyDeath,
    /// How long copies of the key store outlive it; zero where the wrapping key dies with it.
    pub copies: Period,
}
