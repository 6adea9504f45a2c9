//! Rules once checked, and the words they are made of.

use covenant_core::{ClauseId, Period, TenantId};

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
    /// Somebody else deletes it, and says so by a deadline.
    Attest,
}

impl Method {
    /// Every method, in the order of the table.
    pub const ALL: [Self; 4] = [
        Self::Delete,
        Self::ClearFields,
        Self::DestroyKey,
        Self::Attest,
    ];

    /// The name, as rules and certificates spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::ClearFields => "clear",
            Self::DestroyKey => "key",
            Self::Attest => "attest",
        }
    }

    /// The byte of a plan.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Delete => 1,
            Self::ClearFields => 2,
            Self::DestroyKey => 3,
            Self::Attest => 4,
        }
    }
}

/// Who asks for a rule; the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new rank must be considered wherever ranks are compared"
)]
pub enum Authority {
    /// A law.
    Law,
    /// A contract.
    Contract,
    /// Whoever runs the service.
    #[default]
    Vendor,
    /// A customer, for its own items.
    Tenant,
}

impl Authority {
    /// Every authority, the highest first.
    pub const ALL: [Self; 4] = [Self::Law, Self::Contract, Self::Vendor, Self::Tenant];

    /// The name, as rule files spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Law => "law",
            Self::Contract => "contract",
            Self::Vendor => "vendor",
            Self::Tenant => "tenant",
        }
    }
}

impl Act {
    /// Both ways, in the order of the table.
    pub const ALL: [Self; 2] = [Self::Early, Self::Late];

    /// The name, as rule files spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Late => "late",
        }
    }
}

impl Bound {
    /// Every kind, in the order of the table.
    pub const ALL: [Self; 3] = [Self::Floor, Self::Ceiling, Self::Until];

    /// The name, as rule files spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ceiling => "ceiling",
            Self::Until => "until",
        }
    }
}

/// What kind of bound a rule sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every kind must be considered by every reader"
)]
pub enum Bound {
    /// Kept at least so long after an event; open before the event.
    #[default]
    Floor,
    /// Gone so long after an event.
    Ceiling,
    /// Kept until an event.
    Until,
}

/// A rule that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(crate) id: RuleId,
    pub(crate) clause: Option<ClauseId>,
    pub(crate) classes: Vec<ClassId>,
    pub(crate) stores: Vec<StoreName>,
    pub(crate) limit: Limit,
    pub(crate) to: Option<Trigger>,
    pub(crate) waived_by: Vec<Trigger>,
    pub(crate) authority: Authority,
    pub(crate) overrides: Vec<RuleId>,
    pub(crate) act: Act,
    pub(crate) tenant: Option<TenantId>,
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

    /// The event that it is about, where that has a name; once it has happened the rule is met.
    #[must_use]
    pub const fn to(&self) -> Option<&Trigger> {
        self.to.as_ref()
    }

    /// Who asks for it.
    #[must_use]
    pub const fn authority(&self) -> Authority {
        self.authority
    }

    /// The rules that do not count where this one does, in order of their ids.
    #[must_use]
    pub fn overrides(&self) -> &[RuleId] {
        &self.overrides
    }

    /// The tenant whose items alone it rules; `None` for everybody's.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        self.tenant
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
