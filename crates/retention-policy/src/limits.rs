//! How much one plan may dispose of, and what else makes it inadmissible.

use std::collections::BTreeMap;

use covenant_core::TenantId;

use crate::Plan;

/// Caps on one plan; `None` is no cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most items.
    pub items_max: Option<u64>,
    /// Most bytes, by the sizes of the items.
    pub bytes_max: Option<u64>,
    /// Most items of one tenant.
    pub tenant_items_max: Option<u64>,
    /// Most bytes of one tenant.
    pub tenant_bytes_max: Option<u64>,
    /// Most items of a class in percent of all that are there, per tenant and in total.
    pub percent_max: Option<u8>,
}

/// How many items of each class each tenant has.
pub type Population = BTreeMap<(TenantId, String), u64>;

/// Why a plan is not carried out; nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The plan is not the one that was approved.
    #[error("the plan is not the one that was approved")]
    HashMoved,
    /// The rules are not those of the plan, or have no digest.
    #[error("the rules are not those that the plan was made under")]
    RulesMoved,
    /// Holds of the tenant were placed, extended or released since the plan was made.
    #[error("the holds of tenant {0} are not those that the plan was made under")]
    HoldsMoved(TenantId),
    /// Too many items.
    #[error("the plan has {found} items{}, the limit is {max}", whose(tenant.as_ref()))]
    Items {
        /// Whose; `None` for all tenants together.
        tenant: Option<TenantId>,
        /// In the plan.
        found: u64,
        /// The cap.
        max: u64,
    },
    /// Too many bytes.
    #[error("the plan has {found} bytes{}, the limit is {max}", whose(tenant.as_ref()))]
    Bytes {
        /// Whose; `None` for all tenants together.
        tenant: Option<TenantId>,
        /// In the plan.
        found: u64,
        /// The cap.
        max: u64,
    },
    /// Too great a part of a class.
    #[error(
        "the plan has {found} of {population} items of class {class}{}, the limit is {percent} percent",
        whose(tenant.as_ref())
    )]
    Percent {
        /// Whose items; `None` for all tenants together.
        tenant: Option<TenantId>,
        /// The class.
        class: String,
        /// In the plan.
        found: u64,
        /// All that are there.
        population: u64,
        /// The cap.
        percent: u8,
    },
}

fn whose(tenant: Option<&TenantId>) -> String {
    tenant.map_or_else(String::new, |tenant| format!(" of tenant {tenant}"))
}

impl Limits {
    /// Checks the plan against the caps; a class without a population counts as empty, so that a
    /// percentage of the unknown is never allowed.
    ///
    /// # Errors
    /// [`Refused`], for the first cap that is exceeded.
    pub fn check(&self, plan: &Plan, population: &Population) -> Result<(), Refused> {
        let Self {
            items_max,
            bytes_max,
            tenant_items_max,
            tenant_bytes_max,
            percent_max,
        } = *self;
        // All together first, then each tenant.
        let mut sums: BTreeMap<Option<TenantId>, (u64, u64)> = BTreeMap::new();
        for item in plan.items() {
            for tenant in [None, Some(item.tenant)] {
                let (items, bytes) = sums.entry(tenant).or_default();
                *items = items.saturating_add(1);
                *bytes = bytes.saturating_add(item.bytes);
            }
        }
        for (tenant, (items, bytes)) in sums {
            let (items_max, bytes_max) = match tenant {
                None => (items_max, bytes_max),
                Some(_) => (tenant_items_max, tenant_bytes_max),
            };
            if let Some(max) = items_max.filter(|max| items > *max) {
                let found = items;
                return Err(Refused::Items { tenant, found, max });
            }
            if let Some(max) = bytes_max.filter(|max| bytes > *max) {
                let found = bytes;
                return Err(Refused::Bytes { tenant, found, max });
            }
        }
        percent_max.map_or(Ok(()), |percent| check_percent(plan, population, percent))
    }
}

impl Plan {
    /// Whether the plan may be carried out: it is the approved one, the rules and the holds of every
    /// tenant are still the same, and no limit is exceeded. `holds` are those of now.
    ///
    /// # Errors
    /// [`Refused`]; nothing may be done then.
    #[cfg(feature = "digest")]
    pub fn admit(
        &self,
        approved: &covenant_core::digest::Digest,
        rules: &dyn crate::Retention,
        holds: &crate::HoldView,
        limits: &Limits,
        population: &Population,
    ) -> Result<(), Refused> {
        if self.hash() != *approved {
            return Err(Refused::HashMoved);
        }
        if self.rules().is_none() || self.rules() != rules.digest() {
            return Err(Refused::RulesMoved);
        }
        let moved = self.tenants().iter();
        let mut moved = moved.filter(|(tenant, seen)| holds.generation(**tenant) != **seen);
        if let Some((tenant, _)) = moved.next() {
            return Err(Refused::HoldsMoved(*tenant));
        }
        // bytes of others may name items of a tenant at whose holds nobody has looked
        let mut unseen = self.items().iter().map(|item| item.tenant);
        if let Some(tenant) = unseen.find(|tenant| !self.tenants().contains_key(tenant)) {
            return Err(Refused::HoldsMoved(tenant));
        }
        limits.check(self, population)
    }
}

fn check_percent(plan: &Plan, population: &Population, percent: u8) -> Result<(), Refused> {
    let mut going: BTreeMap<(Option<TenantId>, &str), u64> = BTreeMap::new();
    for item in plan.items() {
        for tenant in [Some(item.tenant), None] {
            let count = going.entry((tenant, &item.class)).or_default();
            *count = count.saturating_add(1);
        }
    }
    let mut of_class: BTreeMap<&str, u64> = BTreeMap::new();
    for ((_, class), count) in population {
        let all = of_class.entry(class).or_default();
        *all = all.saturating_add(*count);
    }
    for ((tenant, class), found) in going {
        let there = match tenant {
            Some(tenant) => population.get(&(tenant, class.to_owned())),
            None => of_class.get(class),
        };
        let there = there.copied().unwrap_or(0);
        if found.saturating_mul(100) > there.saturating_mul(u64::from(percent)) {
            let class = class.to_owned();
            return Err(Refused::Percent {
                tenant,
                class,
                found,
                population: there,
                percent,
            });
        }
    }
    Ok(())
}
