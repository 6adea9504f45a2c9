//! Rules: as they are written down (plain structs of text) and as they are once checked.

use covenant_core::{ClauseId, Period, Reading};

use crate::{ClassId, RuleId, StoreName, Trigger};

/// When an item that may go is disposed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a third way must be considered by every sweep"
)]
pub enum Act {
    /// As soon as no floor keeps it.
    #[default]
    Early,
    /// Only when its ceiling makes it due.
    Late,
}

/// How the bytes of a store are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Method {
    /// The item is deleted.
    #[default]
    Delete,
    /// The item stays, its fields are cleared.
    ClearFields,
    /// The key that seals it is destroyed.
    DestroyKey,
}

impl Method {
    /// The name, as rules and certificates spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::ClearFields => "clear",
            Self::DestroyKey => "key",
        }
    }

    /// The byte of a plan.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Delete => 1,
            Self::ClearFields => 2,
            Self::DestroyKey => 3,
        }
    }
}

/// What kind of bound a rule sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every kind must be considered by every reader"
)]
pub enum Bound {
    /// Kept at least so long after an event; open before the event.
    Floor,
    /// Gone so long after an event.
    Ceiling,
    /// Kept until an event.
    Until,
}

/// A rule as it is written down; every text is checked by [`crate::RuleSet::load`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// Its id.
    pub id: String,
    /// The clause it stands for, such as `P-51`.
    pub clause: Option<String>,
    /// The classes it rules, their subclasses included; at least one.
    pub classes: Vec<String>,
    /// The stores it rules; empty for all.
    pub stores: Vec<String>,
    /// What kind of bound.
    pub bound: Bound,
    /// The event that a floor or ceiling counts from.
    pub from: Option<String>,
    /// The event that ends an `until` rule.
    pub until: Option<String>,
    /// How long, for a floor or ceiling.
    pub period: Option<String>,
    /// How much earlier than the floor's latest reading the item may go; hours, minutes, seconds.
    pub early: Option<String>,
    /// How much later than the ceiling's earliest reading it must be gone; hours, minutes, seconds.
    pub late: Option<String>,
    /// Events each of which waives a floor or `until` rule.
    pub waived_by: Vec<String>,
    /// When items under the rule are disposed of.
    pub act: Act,
}

/// A class as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassSpec {
    /// Its id.
    pub id: String,
    /// The class whose rules it is also under.
    pub parent: Option<String>,
}

/// A store as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSpec {
    /// Its name.
    pub id: String,
    /// The classes it holds; empty for all.
    pub classes: Vec<String>,
    /// How its bytes are removed.
    pub erase: Method,
}

/// An event that undoes another: `record.restored` cancels `record.deleted`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelSpec {
    /// The event that undoes.
    pub event: String,
    /// The event that is undone: every occurrence up to and at the instant of the first.
    pub cancels: String,
}

/// A rule set as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesFile {
    /// How periods are read.
    pub reading: Reading,
    /// The classes; a class that a rule names and that is not here is an error.
    pub classes: Vec<ClassSpec>,
    /// The stores.
    pub stores: Vec<StoreSpec>,
    /// Event names that items may carry although no rule names them; the table of actions of
    /// covenant-core is always known.
    pub events: Vec<String>,
    /// The rules.
    pub rules: Vec<RuleSpec>,
    /// The cancellations.
    pub cancels: Vec<CancelSpec>,
}

/// A rule that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(crate) id: RuleId,
    pub(crate) clause: Option<ClauseId>,
    pub(crate) classes: Vec<ClassId>,
    pub(crate) stores: Vec<StoreName>,
    pub(crate) limit: Limit,
    pub(crate) waived_by: Vec<Trigger>,
    pub(crate) act: Act,
}

/// What a checked rule bounds, and from when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every kind must be considered by every reader"
)]
pub enum Limit {
    /// Kept at least so long after the latest occurrence of `from`.
    Floor {
        /// The event.
        from: Trigger,
        /// How long.
        period: Period,
        /// Seconds by which the item may go before the latest reading.
        early_secs: u64,
    },
    /// Gone so long after the earliest occurrence of `from`.
    Ceiling {
        /// The event.
        from: Trigger,
        /// How long.
        period: Period,
        /// Seconds by which it must be gone after the earliest reading.
        late_secs: u64,
    },
    /// Kept until the event.
    Until {
        /// The event.
        event: Trigger,
    },
}

impl Rule {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &RuleId {
        &self.id
    }

    /// The clause it stands for.
    #[must_use]
    pub const fn clause(&self) -> Option<ClauseId> {
        self.clause
    }

    /// The classes it names, in order of their names.
    #[must_use]
    pub fn classes(&self) -> &[ClassId] {
        &self.classes
    }

    /// The stores it rules, in order of their names.
    #[must_use]
    pub fn stores(&self) -> &[StoreName] {
        &self.stores
    }

    /// What it bounds.
    #[must_use]
    pub const fn limit(&self) -> &Limit {
        &self.limit
    }

    /// The events each of which waives it.
    #[must_use]
    pub fn waived_by(&self) -> &[Trigger] {
        &self.waived_by
    }

    /// When items under it are disposed of.
    #[must_use]
    pub const fn act(&self) -> Act {
        self.act
    }
}

impl Limit {
    /// The event it counts from, or that ends it.
    #[must_use]
    pub const fn trigger(&self) -> &Trigger {
        match self {
            Self::Floor { from, .. } | Self::Ceiling { from, .. } => from,
            Self::Until { event } => event,
        }
    }
}
