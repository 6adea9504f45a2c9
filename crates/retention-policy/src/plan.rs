//! What a sweep would dispose of, in one canonical text that a person or a limit can approve.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::digest::Digest;
use covenant_core::{ItemId, TenantId, canon};
use time::UtcDateTime;

use crate::rule::Method;
use crate::{Effect, Item, KeepUntil, RuleId, RuleSet, StoreName, Verdict};

/// What a plan is made under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanContext {
    /// Digest of the rules, from [`crate::Retention::digest`]; without one the plan cannot be
    /// approved.
    pub rules: Option<Digest>,
    /// How the bytes of each store are removed; a store that is not here is deleted from.
    pub methods: BTreeMap<StoreName, Method>,
    /// Tenants that were looked at, whether or not anything of them goes.
    pub tenants: BTreeSet<TenantId>,
}

impl PlanContext {
    /// The context of this rule set: its digest and its stores.
    #[must_use]
    pub fn of(rules: &RuleSet) -> Self {
        let methods = rules.stores().clone();
        Self {
            rules: rules.rules_digest(),
            methods,
            tenants: BTreeSet::new(),
        }
    }

    /// Adds a tenant that was looked at.
    #[must_use]
    pub fn with_tenant(mut self, tenant: TenantId) -> Self {
        self.tenants.insert(tenant);
        self
    }
}

/// One item that goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanItem {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its store.
    pub store: String,
    /// Its class.
    pub class: String,
    /// Its id.
    pub id: ItemId,
    /// Its size in bytes.
    pub bytes: u64,
    /// How its bytes are removed.
    pub method: Method,
    /// Until when it was kept, in seconds since 1970, rounded up; `i64::MIN` when nothing kept it.
    pub keep_until: i64,
    /// By when it must be gone, in seconds since 1970, rounded down; `i64::MAX` without a ceiling.
    pub gone_by: i64,
    /// The rules that were looked at, in order of their ids.
    pub rules: Vec<RuleId>,
}

/// What a sweep would dispose of: sorted, each item once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    made_at: UtcDateTime,
    rules: Option<Digest>,
    tenants: BTreeSet<TenantId>,
    items: Vec<PlanItem>,
}

/// Picks what goes now among what was found, by each verdict's [`Verdict::disposes`].
#[must_use]
pub fn plan(found: &[(Item<'_>, Verdict)], made_at: UtcDateTime, context: &PlanContext) -> Plan {
    let PlanContext {
        rules,
        methods,
        tenants,
    } = context;
    let mut tenants = tenants.clone();
    tenants.extend(found.iter().map(|(item, _)| item.tenant));
    let mut items: Vec<PlanItem> = found
        .iter()
        .filter(|(_, verdict)| verdict.disposes())
        .map(|(item, verdict)| PlanItem {
            tenant: item.tenant,
            store: item.store.to_owned(),
            class: item.class.to_owned(),
            id: item.id.clone(),
            bytes: item.bytes,
            method: methods.get(item.store).copied().unwrap_or_default(),
            keep_until: match verdict.keep_until {
                KeepUntil::Free => i64::MIN,
                KeepUntil::At(at) => ceil(at),
                KeepUntil::Open => i64::MAX,
            },
            gone_by: verdict
                .gone_by
                .map_or(i64::MAX, UtcDateTime::unix_timestamp),
            rules: verdict
                .because
                .rules
                .iter()
                .filter(|reason| reason.decided || matches!(reason.effect, Effect::Waived(_)))
                .map(|reason| reason.rule.clone())
                .collect(),
        })
        .collect();
    items.sort_unstable();
    items.dedup_by(|a, b| {
        (&a.tenant, &a.store, &a.class, &a.id) == (&b.tenant, &b.store, &b.class, &b.id)
    });
    Plan {
        made_at,
        rules: *rules,
        tenants,
        items,
    }
}

impl Plan {
    /// When it was made.
    #[must_use]
    pub const fn made_at(&self) -> UtcDateTime {
        self.made_at
    }

    /// Digest of the rules it was made under.
    #[must_use]
    pub const fn rules(&self) -> Option<Digest> {
        self.rules
    }

    /// Tenants that were looked at.
    #[must_use]
    pub const fn tenants(&self) -> &BTreeSet<TenantId> {
        &self.tenants
    }

    /// What goes, sorted by tenant, store, class and id.
    #[must_use]
    pub fn items(&self) -> &[PlanItem] {
        &self.items
    }

    /// The canonical bytes, version 0: `FORMAT.md`, "Plan".
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self {
            made_at,
            rules,
            tenants,
            items,
        } = self;
        let mut w = canon::Writer::new();
        w.text("covenant/plan/v0")
            .instant(*made_at)
            .fixed(rules.map_or([0; 32], |rules| *rules.as_bytes()).as_slice());
        w.u32(count(tenants.len()));
        for tenant in tenants {
            w.fixed(tenant.as_bytes());
        }
        w.u32(count(items.len()));
        for item in items {
            let PlanItem {
                tenant,
                store,
                class,
                id,
                bytes,
                method,
                keep_until,
                gone_by,
                rules,
            } = item;
            w.fixed(tenant.as_bytes())
                .text(store)
                .text(class)
                .bytes(id.as_bytes())
                .u64(*bytes)
                .u8(method.byte())
                .i64(*keep_until)
                .i64(*gone_by)
                .u32(count(rules.len()));
            for rule in rules {
                w.text(rule.as_str());
            }
        }
        w.finish()
    }

    /// SHA-256 of [`Plan::bytes`]: what a person approves.
    #[cfg(feature = "digest")]
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::of(&self.bytes())
    }
}

/// Whole seconds since 1970, rounded up.
fn ceil(at: UtcDateTime) -> i64 {
    let seconds = at.unix_timestamp();
    if at.nanosecond() == 0 {
        seconds
    } else {
        seconds.saturating_add(1)
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
