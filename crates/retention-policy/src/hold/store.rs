//! Where holds are kept, and the one question that every deletion asks: may this step be taken now?

use std::fmt::Debug;

use covenant_core::event::ActorContext;
use covenant_core::{BoxFuture, HoldId, ItemId, PrincipalId, TenantId};
use time::UtcDateTime;

use super::{Hold, HoldRecord, HoldRefused, HoldView, Release};
use crate::{ClassId, Item, StoreName};

/// What is disposed of, as holds see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DisposalTarget {
    /// Whose item.
    pub tenant: TenantId,
    /// Its class.
    pub class: ClassId,
    /// Its id.
    pub id: ItemId,
    /// When it was made; unknown, a hold that leaves out later items covers it all the same.
    pub made_at: Option<UtcDateTime>,
    /// The people it is about; unknown, every hold on a person of its tenant covers it.
    pub subjects: Option<Vec<ItemId>>,
}

impl DisposalTarget {
    /// An item of which nothing more is known.
    #[must_use]
    pub const fn new(tenant: TenantId, class: ClassId, id: ItemId) -> Self {
        Self {
            tenant,
            class,
            id,
            made_at: None,
            subjects: None,
        }
    }

    /// The item as rules and holds judge it, without events.
    #[must_use]
    pub fn item(&self) -> Item<'_> {
        Item {
            made_at: self.made_at,
            subjects: self.subjects.as_deref(),
            ..Item::new(self.tenant, self.class.as_str(), self.id.clone(), &[])
        }
    }
}

/// A step that cannot be taken back was taken: of this item, in this store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Passed {
    /// The item's class.
    pub class: ClassId,
    /// The item.
    pub id: ItemId,
    /// The store that gave it up.
    pub store: StoreName,
}

/// A hold stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The generation of the tenant's holds after it.
    pub generation: u64,
    /// What it came too late for: items in its scope of which a store has already passed the point
    /// of no return, in order.
    pub beyond: Vec<Passed>,
}

/// A hold was not placed or changed, or forbids what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HoldError {
    /// Holds keep the item: nothing may be done to it, and nothing was.
    #[error("the item is held by {}", ids(.0))]
    Held(Vec<HoldId>),
    /// The hold cannot be changed like this.
    #[error("the hold cannot be changed like this")]
    Refused(#[from] HoldRefused),
    /// Another hold has this id.
    #[error("another hold has id {0}")]
    Taken(HoldId),
    /// There is no such hold.
    #[error("no hold {0}")]
    Unknown(HoldId),
    /// The store of holds, or the log, cannot be used; nothing may be deleted then.
    #[error("the store of holds is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn ids(holds: &[HoldId]) -> String {
    let ids: Vec<String> = holds.iter().map(ToString::to_string).collect();
    ids.join(", ")
}

/// Keeps holds, one tenant apart from another.
///
/// # Contract
/// Every change of a tenant's holds raises its generation, and is durable, with its event, when the
/// call returns. `place` twice with the same hold is one hold. `pass` is atomic with `place`: either
/// the hold sees the step as passed and says so in [`Placed::beyond`], or the step sees the hold and
/// is refused; never neither. A step that passed stays passed until `settle`. A store that cannot
/// answer refuses.
///
/// # Errors
/// [`HoldError`]; nothing was changed then, save where an answer was lost: asking again settles it.
pub trait Holds: Debug + Send + Sync {
    /// Places a hold.
    fn place<'a>(
        &'a self,
        hold: &'a Hold,
        actor: ActorContext,
    ) -> BoxFuture<'a, Result<Placed, HoldError>>;
    /// Moves the end of a compliance hold later.
    fn extend(
        &self,
        tenant: TenantId,
        id: HoldId,
        until: UtcDateTime,
        act: HoldAct,
    ) -> BoxFuture<'_, Result<(), HoldError>>;
    /// Asks for the release of a governance hold.
    fn release(
        &self,
        tenant: TenantId,
        id: HoldId,
        act: HoldAct,
    ) -> BoxFuture<'_, Result<Release, HoldError>>;
    /// Every hold of the tenant, those that have ended too, in order of their ids.
    fn list(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<HoldRecord>, HoldError>>;
    /// The tenant's holds that were not released, and their generation.
    fn view(&self, tenant: TenantId) -> BoxFuture<'_, Result<HoldView, HoldError>>;
    /// Asks whether the item may be given up by the store now, and notes that it was.
    fn pass<'a>(
        &'a self,
        target: &'a DisposalTarget,
        store: &'a StoreName,
        now: UtcDateTime,
    ) -> BoxFuture<'a, Result<(), HoldError>>;
    /// The item's disposal is over: what it passed is forgotten.
    fn settle<'a>(&'a self, target: &'a DisposalTarget) -> BoxFuture<'a, Result<(), HoldError>>;
}

/// Who changes a hold, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldAct {
    /// As which principal: two different ones release a hold.
    pub by: PrincipalId,
    /// When.
    pub at: UtcDateTime,
    /// The same, as the event names them.
    pub actor: ActorContext,
}

/// Stands between a disposal and every step that cannot be taken back.
#[derive(Debug, Clone, Copy)]
pub struct HoldGuard<'a> {
    holds: &'a dyn Holds,
    target: &'a DisposalTarget,
    now: UtcDateTime,
}

impl<'a> HoldGuard<'a> {
    /// Guards the item's disposal at this instant.
    #[must_use]
    pub const fn new(holds: &'a dyn Holds, target: &'a DisposalTarget, now: UtcDateTime) -> Self {
        Self { holds, target, now }
    }

    /// Asks whether anything holds the item now, and notes nothing.
    ///
    /// # Errors
    /// [`HoldError::Held`], or the store cannot answer: the step may not be taken.
    pub async fn check(&self) -> Result<(), HoldError> {
        let view = self.holds.view(self.target.tenant).await?;
        view.permit(self.target, self.now)
    }

    /// Asks whether the store may give the item up now, and notes that it was: call it right before
    /// the step.
    ///
    /// # Errors
    /// As [`HoldGuard::check`].
    // clause: P-47
    pub async fn pass(&self, store: &StoreName) -> Result<(), HoldError> {
        self.holds.pass(self.target, store, self.now).await
    }

    /// What is guarded.
    #[must_use]
    pub const fn target(&self) -> &'a DisposalTarget {
        self.target
    }

    /// The instant at which it is guarded.
    #[must_use]
    pub const fn now(&self) -> UtcDateTime {
        self.now
    }
}
