//! The holds that a decision looks at, as they stood when they were read.

use std::collections::BTreeMap;

use covenant_core::{HoldId, TenantId};
use time::UtcDateTime;

use super::{DisposalTarget, Hold, HoldError};
use crate::Item;

/// Holds of one or more tenants, and the generation of each tenant's holds, which moves with every
/// change of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HoldView {
    tenants: BTreeMap<TenantId, Seen>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    generation: u64,
    holds: BTreeMap<HoldId, Hold>,
}

impl HoldView {
    /// No holds at all: for rules without holds, and for tools that look at rules alone.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            tenants: BTreeMap::new(),
        }
    }

    /// What was read of a tenant: the generation, and every hold that was not released. Holds of
    /// other tenants are left out.
    #[must_use]
    pub fn of(tenant: TenantId, generation: u64, holds: impl IntoIterator<Item = Hold>) -> Self {
        let holds = holds.into_iter();
        let of_tenant = holds.filter(|hold| hold.tenant == tenant);
        let holds = of_tenant.map(|hold| (hold.id, hold)).collect();
        Self {
            tenants: BTreeMap::from([(tenant, Seen { generation, holds })]),
        }
    }

    /// Both views; what `newer` says of a tenant stands for all of that tenant.
    #[must_use]
    pub fn with(mut self, newer: Self) -> Self {
        self.tenants.extend(newer.tenants);
        self
    }

    /// The generation of the tenant's holds; 0 before the first.
    #[must_use]
    pub fn generation(&self, tenant: TenantId) -> u64 {
        self.tenants.get(&tenant).map_or(0, |seen| seen.generation)
    }

    /// The tenant's holds, in order of their ids.
    pub fn holds(&self, tenant: TenantId) -> impl Iterator<Item = &Hold> {
        let seen = self.tenants.get(&tenant).into_iter();
        seen.flat_map(|seen| seen.holds.values())
    }

    /// Whether nothing holds what is to be disposed of at the instant.
    ///
    /// # Errors
    /// [`HoldError::Held`], naming every hold.
    pub fn permit(&self, target: &DisposalTarget, now: UtcDateTime) -> Result<(), HoldError> {
        let item = target.item();
        let held: Vec<HoldId> = self.matching(&item, now).map(|hold| hold.id).collect();
        if held.is_empty() {
            Ok(())
        } else {
            Err(HoldError::Held(held))
        }
    }

    /// The holds that cover the item and have not ended at the instant, in order of their ids.
    pub fn matching(&self, item: &Item<'_>, now: UtcDateTime) -> impl Iterator<Item = &Hold> {
        self.holds(item.tenant)
            .filter(move |hold| hold.is_active(now) && hold.covers(item))
    }
}
