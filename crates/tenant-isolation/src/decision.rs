//! The answer to a request: allowed or denied, by which rule, for which clauses.

use std::fmt;

use covenant_core::{ClauseId, LogSafe};

use crate::clause;

/// Allowed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Effect {
    /// Allowed.
    Allow,
    /// Denied.
    Deny,
}

impl Effect {
    /// The name, as stored and printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A rule. The order of the variants is the order in which deny rules are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum RuleId {
    /// Denies: the facts could not be loaded.
    Facts,
    /// Denies: the facts changed under every try to commit the decision.
    Epoch,
    /// Denies: the tenant's region is not one of those served.
    Region,
    /// Denies: the tenant does not exist, or its state bars this principal from this action.
    State,
    /// Allows what a member's role has; denies another tenant, no role, or a role without it.
    Member,
    /// Allows what a service is for; denies a service everything else.
    Service,
    /// Denies: above the ceiling of the role or service, or above what the action needs.
    Level,
    /// Denies: no rule allowed it.
    DefaultDeny,
}

impl RuleId {
    /// Every rule, in order.
    pub const ALL: [Self; 8] = [
        Self::Facts,
        Self::Epoch,
        Self::Region,
        Self::State,
        Self::Member,
        Self::Service,
        Self::Level,
        Self::DefaultDeny,
    ];

    /// The name, as stored and printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Epoch => "epoch",
            Self::Region => "region",
            Self::State => "state",
            Self::Member => "member",
            Self::Service => "service",
            Self::Level => "level",
            Self::DefaultDeny => "default-deny",
        }
    }

    /// The clauses that the rule keeps.
    #[must_use]
    pub const fn clauses(self) -> &'static [ClauseId] {
        match self {
            Self::Region => clause::REGION,
            Self::State => clause::STATE,
            Self::Member => clause::MEMBER,
            Self::Level => clause::LEVEL,
            Self::Facts | Self::Epoch | Self::Service | Self::DefaultDeny => clause::NOBODY_ELSE,
        }
    }

    const fn bit(self) -> u16 {
        match self {
            Self::Facts => 1,
            Self::Epoch => 1 << 1,
            Self::Region => 1 << 2,
            Self::State => 1 << 3,
            Self::Member => 1 << 4,
            Self::Service => 1 << 5,
            Self::Level => 1 << 6,
            Self::DefaultDeny => 1 << 7,
        }
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl LogSafe for RuleId {}

/// A set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct RuleSet(u16);

impl RuleSet {
    /// No rule.
    pub const EMPTY: Self = Self(0);

    /// The set with this rule too.
    #[must_use]
    pub const fn with(self, rule: RuleId) -> Self {
        Self(self.0 | rule.bit())
    }

    /// The set without this rule.
    #[must_use]
    pub const fn without(self, rule: RuleId) -> Self {
        Self(self.0 & !rule.bit())
    }

    /// Whether the rule is in the set.
    #[must_use]
    pub const fn contains(self, rule: RuleId) -> bool {
        self.0 & rule.bit() != 0
    }

    /// Whether no rule is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rules, in their order.
    pub fn iter(self) -> impl Iterator<Item = RuleId> {
        RuleId::ALL
            .into_iter()
            .filter(move |rule| self.contains(*rule))
    }
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, rule) in self.iter().enumerate() {
            if nth > 0 {
                f.write_str(" ")?;
            }
            f.write_str(rule.name())?;
        }
        Ok(())
    }
}
impl LogSafe for RuleSet {}

/// A reasoned answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    effect: Effect,
    rule: RuleId,
    also: RuleSet,
}

impl Decision {
    /// Allowed by this rule.
    #[must_use]
    pub const fn allow(by: RuleId) -> Self {
        Self {
            effect: Effect::Allow,
            rule: by,
            also: RuleSet::EMPTY,
        }
    }

    /// Denied by these rules; the first in order decides. No rule at all is the default deny.
    #[must_use]
    pub fn deny(by: RuleSet) -> Self {
        let rule = by.iter().next().unwrap_or(RuleId::DefaultDeny);
        Self {
            effect: Effect::Deny,
            rule,
            also: by.without(rule),
        }
    }

    /// Allowed or not.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// The rule that decided.
    #[must_use]
    pub const fn rule(&self) -> RuleId {
        self.rule
    }

    /// The other rules that denied as well.
    #[must_use]
    pub const fn also(&self) -> RuleSet {
        self.also
    }

    /// The clauses of the rule that decided.
    #[must_use]
    pub const fn clauses(&self) -> &'static [ClauseId] {
        self.rule.clauses()
    }
}
