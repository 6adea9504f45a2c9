//! Retention rules that a tenant sets for itself, and those of the vendor beside them.

use std::fmt;

use covenant_core::Period;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Matter {
    /// Records, from their deletion to their purge.
    Record,
    /// The database, from its deletion to its purge.
    Database,
}

/// What a rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "something is kept so long, or gone by then"
)]
pub enum Asks {
    /// Keep it at least so long.
    Keep,
    /// Have it gone by then.
    Gone,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRule {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub matter: Matter,
    /// What it asks for.
    pub asks: Asks,
    /// How long.
    pub period: Period,
    /// How much later than the period something may be gone, in seconds.
    pub late_secs: u64,
}

/// Whose rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two sides")]
pub enum Whose {
    /// Of whoever runs the service.
    Vendor,
    /// Of the tenant.
    Tenant,
}

/// A rule that a tenant's items are under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSeen {
    /// The rule.
    pub rule: OwnRule,
    /// Whose it is.
    pub whose: Whose,
}

impl fmt::Display for OwnRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (matter, asks) = match (self.matter, self.asks) {
            (Matter::Record, Asks::Keep) => ("a deleted record", "kept"),
            (Matter::Record, Asks::Gone) => ("a deleted record", "gone after"),
            (Matter::Database, Asks::Keep) => ("a deleted database", "kept"),
            (Matter::Database, Asks::Gone) => ("a deleted database", "gone after"),
        };
        write!(f, "{matter} {asks} {}", self.period)
    }
}
