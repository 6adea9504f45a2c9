//! Holds: what must not be disposed of, whatever the rules say, until somebody ends it. A hold
//! serves one matter; an item may be under many, and is free when the last of them has ended.
//!
//! [`Hold`] is a plain fact, [`HoldView`] the facts that a decision looks at, [`Holds`] where they
//! are kept, [`HoldGuard`] what a deletion asks before every step that cannot be taken back.

use std::collections::BTreeSet;

use covenant_core::{HoldId, ItemId, PrincipalId, TenantId};
use time::UtcDateTime;

use crate::{ClassId, Item, Matter, ReasonCode};

pub mod event;
mod memory;
mod record;
#[cfg(feature = "sql")]
pub mod sql;
mod store;
mod view;

pub use event::{HoldFact, HoldReplay};
pub use memory::MemoryHolds;
pub use record::{Asked, HoldBytesError, HoldRecord, HoldRefused, Merged, Release};
pub use store::{DisposalTarget, HoldAct, HoldError, HoldGuard, Holds, Passed, Placed};
pub use view::HoldView;

/// Most items that one hold lists; a bound of ours, above which a hold is placed on a class.
pub const HOLD_ITEMS_MAX: usize = 10_000;

/// One hold: what it covers, for which matter, who placed it when, and who may end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Whose items it covers.
    pub tenant: TenantId,
    /// What it serves.
    pub matter: Matter,
    /// Which items it covers.
    pub scope: HoldScope,
    /// Whether it covers items that are made after it was placed.
    pub later: Later,
    /// Who may end it.
    pub mode: HoldMode,
    /// Who placed it.
    pub placed_by: PrincipalId,
    /// Why, as a code.
    pub reason: ReasonCode,
    /// When.
    pub placed_at: UtcDateTime,
}

/// Which of a tenant's items a hold covers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a scope that is not understood would let items go"
)]
pub enum HoldScope {
    /// Everything of the tenant, its database too.
    Tenant,
    /// Every item of this class; classes below it in the rules are held by holds of their own.
    Class(ClassId),
    /// These items of a class.
    Items {
        /// The class.
        class: ClassId,
        /// The items.
        ids: ItemList,
    },
    /// Every item about a person, and every item of which nobody says whom it is about.
    Subject(ItemId),
}

/// 1 to 10,000 items, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemList(BTreeSet<ItemId>);

/// A list of items is empty or longer than [`HOLD_ITEMS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hold lists 1 to {HOLD_ITEMS_MAX} items, not {len}")]
pub struct ItemListError {
    len: usize,
}

/// Whether a hold covers items that are made after it was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it does or it does not")]
pub enum Later {
    /// It does.
    Covered,
    /// It covers what was there; an item whose making nobody can date counts as there.
    Free,
}

/// Who may end a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a mode that is not understood would let items go"
)]
pub enum HoldMode {
    /// Two different principals together; it has no end of its own.
    Governance,
    /// Nobody: it ends at this instant, which may be moved later and never earlier.
    Compliance {
        /// The first instant at which it no longer holds.
        until: UtcDateTime,
    },
}

impl HoldMode {
    /// When it ends by itself.
    #[must_use]
    pub const fn ends(self) -> Option<UtcDateTime> {
        match self {
            Self::Governance => None,
            Self::Compliance { until } => Some(until),
        }
    }
}

impl ItemList {
    /// These items.
    ///
    /// # Errors
    /// [`ItemListError`] for none, or more than [`HOLD_ITEMS_MAX`].
    pub fn of(ids: impl IntoIterator<Item = ItemId>) -> Result<Self, ItemListError> {
        Self::try_from(BTreeSet::from_iter(ids))
    }

    /// The items.
    #[must_use]
    pub const fn ids(&self) -> &BTreeSet<ItemId> {
        &self.0
    }
}

impl TryFrom<BTreeSet<ItemId>> for ItemList {
    type Error = ItemListError;

    fn try_from(ids: BTreeSet<ItemId>) -> Result<Self, ItemListError> {
        let len = ids.len();
        if (1..=HOLD_ITEMS_MAX).contains(&len) {
            Ok(Self(ids))
        } else {
            Err(ItemListError { len })
        }
    }
}

impl Hold {
    /// Whether it has not ended by itself at the instant. When it was placed plays no part: who
    /// sees a hold obeys it, however far the clocks are apart.
    #[must_use]
    pub fn is_active(&self, now: UtcDateTime) -> bool {
        self.mode.ends().is_none_or(|until| now < until)
    }

    /// Whether it covers the item.
    #[must_use]
    pub fn covers(&self, item: &Item<'_>) -> bool {
        let in_scope = match &self.scope {
            HoldScope::Tenant => true,
            HoldScope::Class(class) => class.as_str() == item.class,
            HoldScope::Items { class, ids } => {
                class.as_str() == item.class && ids.0.contains(&item.id)
            }
            HoldScope::Subject(subject) => {
                item.subjects.is_none_or(|about| about.contains(subject))
            }
        };
        let in_time = match self.later {
            Later::Covered => true,
            Later::Free => item.made_at.is_none_or(|made| made <= self.placed_at),
        };
        self.tenant == item.tenant && in_scope && in_time
    }
}
