//! The suite of [`Holds`]: [`run`] takes a store that knows nothing of its tenants.

use std::collections::BTreeSet;

use covenant_core::event::ActorContext;
use covenant_core::{HoldId, ItemId, PrincipalId, TenantId};
use time::{Duration, UtcDateTime};

use crate::hold::{HoldGuard, HoldRefused, ItemList};
use crate::{
    DisposalTarget, Hold, HoldAct, HoldError, HoldMode, HoldScope, Holds, Later, NameError, Passed,
    Release,
};

/// What a store did wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// It failed where it should not.
    #[error("the store failed")]
    Failed(#[from] HoldError),
    /// It did not do this.
    #[error("the store does not keep its contract: {0}")]
    Contract(&'static str),
    /// The suite itself is wrong.
    #[error("the suite is wrong")]
    Suite(#[from] NameError),
}

/// Whether a case ended as it must.
pub type Checked = Result<(), Broken>;

const NOW_SECS: i64 = 1_800_000_000;

fn at(secs: i64) -> UtcDateTime {
    let base = UtcDateTime::from_unix_timestamp(NOW_SECS).unwrap_or(UtcDateTime::UNIX_EPOCH);
    base.saturating_add(Duration::seconds(secs))
}

fn expect(kept: impl Into<Kept>, what: &'static str) -> Checked {
    match kept.into() {
        Kept::Yes => Ok(()),
        Kept::No => Err(Broken::Contract(what)),
    }
}

/// Whether an expectation was met.
enum Kept {
    Yes,
    No,
}

impl From<bool> for Kept {
    fn from(kept: bool) -> Self {
        if kept { Self::Yes } else { Self::No }
    }
}

/// A hold of the suite's: number `n` of the tenant.
///
/// # Errors
/// [`Broken::Suite`].
pub fn hold(tenant: TenantId, n: u8, scope: HoldScope, mode: HoldMode) -> Result<Hold, Broken> {
    Ok(Hold {
        id: HoldId::from_bytes([n; 16]),
        tenant,
        matter: "case-7".parse()?,
        scope,
        later: Later::Covered,
        mode,
        placed_by: person(1),
        reason: "litigation".parse()?,
        placed_at: at(0),
    })
}

fn person(n: u8) -> PrincipalId {
    PrincipalId::from_bytes([n; 16])
}

fn act(n: u8, secs: i64) -> HoldAct {
    HoldAct {
        by: person(n),
        at: at(secs),
        actor: ActorContext::system(),
    }
}

fn tenant(n: u8) -> TenantId {
    TenantId::from_bytes([n; 16])
}

fn target(tenant: TenantId, n: i64) -> Result<DisposalTarget, Broken> {
    let about = Some(vec![ItemId::from(1_000)]);
    Ok(DisposalTarget {
        subjects: about,
        ..DisposalTarget::new(tenant, "record".parse()?, ItemId::from(n))
    })
}

/// Runs every case against the store, each on a tenant of its own.
///
/// # Errors
/// [`Broken`], for the first case that fails.
pub async fn run(holds: &dyn Holds) -> Checked {
    many_matters_hold_until_the_last_is_released(holds, tenant(0xa1)).await?;
    two_different_principals_release(holds, tenant(0xa2)).await?;
    an_end_is_only_moved_later(holds, tenant(0xa3)).await?;
    placing_tells_what_it_came_too_late_for(holds, tenant(0xa4)).await?;
    lists_come_back_whole(holds, tenant(0xa5)).await?;
    tenants_are_apart(holds, tenant(0xa6), tenant(0xa7)).await?;
    every_change_moves_the_generation(holds, tenant(0xa8)).await
}

async fn passes(
    holds: &dyn Holds,
    target: &DisposalTarget,
    secs: i64,
) -> Result<Vec<HoldId>, Broken> {
    let store = "rows".parse()?;
    let guard = HoldGuard::new(holds, target, at(secs));
    let checked = guard.check().await;
    let by = match guard.pass(&store).await {
        Ok(()) => Vec::new(),
        Err(HoldError::Held(by)) => by,
        Err(error) => return Err(error.into()),
    };
    expect(
        checked.is_ok() == by.is_empty(),
        "a check and a pass say the same",
    )?;
    Ok(by)
}

async fn many_matters_hold_until_the_last_is_released(
    holds: &dyn Holds,
    tenant: TenantId,
) -> Checked {
    let item = target(tenant, 5)?;
    let first = hold(tenant, 1, HoldScope::Tenant, HoldMode::Governance)?;
    let class = HoldScope::Class("record".parse()?);
    let second = hold(tenant, 2, class, HoldMode::Governance)?;
    holds.place(&first, ActorContext::system()).await?;
    holds.place(&second, ActorContext::system()).await?;
    let by = passes(holds, &item, 1).await?;
    expect(by == [first.id, second.id], "both matters are named")?;
    for (id, still) in [(first.id, true), (second.id, false)] {
        holds.release(tenant, id, act(1, 2)).await?;
        holds.release(tenant, id, act(2, 3)).await?;
        let held = !passes(holds, &item, 4).await?.is_empty();
        expect(held == still, "free when the last is released")?;
    }
    Ok(())
}

async fn two_different_principals_release(holds: &dyn Holds, tenant: TenantId) -> Checked {
    let placed = hold(tenant, 1, HoldScope::Tenant, HoldMode::Governance)?;
    let unknown = holds.release(tenant, placed.id, act(1, 1)).await;
    expect(
        matches!(unknown, Err(HoldError::Unknown(id)) if id == placed.id),
        "an unknown hold is not released",
    )?;
    holds.place(&placed, ActorContext::system()).await?;
    let asked = holds.release(tenant, placed.id, act(1, 1)).await?;
    expect(asked == Release::Asked, "one principal asks")?;
    let again = holds.release(tenant, placed.id, act(1, 2)).await;
    expect(
        matches!(again, Err(HoldError::Refused(HoldRefused::SamePrincipal))),
        "the same principal does not count twice",
    )?;
    let item = target(tenant, 5)?;
    expect(
        !passes(holds, &item, 3).await?.is_empty(),
        "asking does not release",
    )?;
    let released = holds.release(tenant, placed.id, act(2, 4)).await?;
    expect(released == Release::Released, "another one releases")?;
    expect(passes(holds, &item, 5).await?.is_empty(), "then it is free")?;
    let ended = holds.release(tenant, placed.id, act(3, 6)).await;
    expect(
        matches!(ended, Err(HoldError::Refused(HoldRefused::Ended))),
        "a released hold is not released again",
    )?;
    let list = holds.list(tenant).await?;
    expect(
        matches!(list.as_slice(), [record] if record.released_at() == Some(at(4))),
        "a released hold stays on record",
    )
}

async fn an_end_is_only_moved_later(holds: &dyn Holds, tenant: TenantId) -> Checked {
    let mode = HoldMode::Compliance { until: at(100) };
    let placed = hold(tenant, 1, HoldScope::Tenant, mode)?;
    holds.place(&placed, ActorContext::system()).await?;
    let item = target(tenant, 5)?;
    for by in [1, 2] {
        let refused = holds.release(tenant, placed.id, act(by, 1)).await;
        let refused = matches!(
            refused,
            Err(HoldError::Refused(HoldRefused::Compliance { .. }))
        );
        expect(refused, "nobody releases a compliance hold")?;
    }
    for sooner in [50, 100] {
        let refused = holds.extend(tenant, placed.id, at(sooner), act(1, 2)).await;
        let refused = matches!(
            refused,
            Err(HoldError::Refused(HoldRefused::NotLater { .. }))
        );
        expect(refused, "an end is not moved earlier")?;
    }
    holds.extend(tenant, placed.id, at(200), act(1, 3)).await?;
    expect(
        !passes(holds, &item, 199).await?.is_empty(),
        "the later end counts",
    )?;
    expect(passes(holds, &item, 200).await?.is_empty(), "and ends it")?;
    let ended = holds.extend(tenant, placed.id, at(300), act(1, 200)).await;
    expect(
        matches!(ended, Err(HoldError::Refused(HoldRefused::Ended))),
        "what has ended is not extended",
    )?;
    let endless = hold(tenant, 2, HoldScope::Tenant, HoldMode::Governance)?;
    holds.place(&endless, ActorContext::system()).await?;
    let refused = holds.extend(tenant, endless.id, at(300), act(1, 1)).await;
    expect(
        matches!(refused, Err(HoldError::Refused(HoldRefused::NoEnd))),
        "a governance hold has no end to move",
    )
}

async fn placing_tells_what_it_came_too_late_for(holds: &dyn Holds, tenant: TenantId) -> Checked {
    let (early, late) = (target(tenant, 1)?, target(tenant, 2)?);
    let [search, rows] = ["search".parse()?, "rows".parse()?];
    for (item, store) in [(&early, &search), (&early, &rows), (&late, &search)] {
        let guard = HoldGuard::new(holds, item, at(1));
        guard.pass(store).await?;
        guard.pass(store).await?;
    }
    let other = target(tenant, 3)?;
    HoldGuard::new(holds, &other, at(1)).pass(&rows).await?;
    holds.settle(&other).await?;
    let passed = |item: &DisposalTarget, store| Passed {
        class: item.class.clone(),
        id: item.id.clone(),
        store,
    };
    let all = hold(tenant, 1, HoldScope::Tenant, HoldMode::Governance)?;
    let placed = holds.place(&all, ActorContext::system()).await?;
    let expected = [
        passed(&early, rows),
        passed(&early, search.clone()),
        passed(&late, search.clone()),
    ];
    expect(
        placed.beyond == expected,
        "what passed is told, what settled is not",
    )?;
    let again = holds.place(&all, ActorContext::system()).await?;
    expect(again == placed, "placing twice is one hold")?;
    let mut ids = BTreeSet::new();
    ids.insert(late.id.clone());
    let ids = ItemList::try_from(ids).or(Err(Broken::Contract("a list of one")))?;
    let class = late.class.clone();
    let some = hold(
        tenant,
        2,
        HoldScope::Items { class, ids },
        HoldMode::Governance,
    )?;
    let placed = holds.place(&some, ActorContext::system()).await?;
    expect(
        placed.beyond == [passed(&late, search)],
        "only what is in its scope",
    )?;
    let nobody = HoldScope::Subject(ItemId::from(7));
    let nobody = hold(tenant, 3, nobody, HoldMode::Governance)?;
    let placed = holds.place(&nobody, ActorContext::system()).await?;
    expect(placed.beyond.is_empty(), "nothing of another person")
}

async fn lists_come_back_whole(holds: &dyn Holds, tenant: TenantId) -> Checked {
    let ids: BTreeSet<ItemId> = (0..10_000).map(ItemId::from).collect();
    let ids = ItemList::try_from(ids).or(Err(Broken::Contract("a full list")))?;
    let class = "record".parse()?;
    let mode = HoldMode::Compliance { until: at(90) };
    let placed = Hold {
        later: Later::Free,
        ..hold(tenant, 1, HoldScope::Items { class, ids }, mode)?
    };
    holds.place(&placed, ActorContext::system()).await?;
    let list = holds.list(tenant).await?;
    expect(
        matches!(list.as_slice(), [record] if *record.hold() == placed),
        "a hold comes back as it was placed",
    )?;
    let other = Hold {
        later: Later::Covered,
        ..placed
    };
    let taken = holds.place(&other, ActorContext::system()).await;
    expect(
        matches!(taken, Err(HoldError::Taken(id)) if id == other.id),
        "an id names one hold",
    )
}

async fn tenants_are_apart(holds: &dyn Holds, one: TenantId, other: TenantId) -> Checked {
    let placed = hold(one, 1, HoldScope::Tenant, HoldMode::Governance)?;
    holds.place(&placed, ActorContext::system()).await?;
    expect(
        passes(holds, &target(other, 5)?, 1).await?.is_empty(),
        "a hold covers its own tenant",
    )?;
    expect(
        holds.list(other).await?.is_empty(),
        "and is listed nowhere else",
    )?;
    let foreign = holds.release(other, placed.id, act(1, 1)).await;
    expect(
        matches!(foreign, Err(HoldError::Unknown(_))),
        "nobody releases another tenant's hold",
    )
}

async fn every_change_moves_the_generation(holds: &dyn Holds, tenant: TenantId) -> Checked {
    let mode = HoldMode::Compliance { until: at(100) };
    let ends = hold(tenant, 1, HoldScope::Tenant, mode)?;
    let endless = hold(tenant, 2, HoldScope::Tenant, HoldMode::Governance)?;
    let mut seen = vec![holds.view(tenant).await?.generation(tenant)];
    let first = holds.place(&ends, ActorContext::system()).await?;
    seen.push(holds.view(tenant).await?.generation(tenant));
    expect(
        Some(&first.generation) == seen.last(),
        "placing tells the generation",
    )?;
    holds.place(&endless, ActorContext::system()).await?;
    seen.push(holds.view(tenant).await?.generation(tenant));
    holds.extend(tenant, ends.id, at(200), act(1, 1)).await?;
    seen.push(holds.view(tenant).await?.generation(tenant));
    holds.release(tenant, endless.id, act(1, 1)).await?;
    seen.push(holds.view(tenant).await?.generation(tenant));
    holds.release(tenant, endless.id, act(2, 1)).await?;
    let view = holds.view(tenant).await?;
    seen.push(view.generation(tenant));
    expect(
        seen.windows(2)
            .all(|pair| matches!(pair, [before, after] if before < after)),
        "every change moves the generation",
    )?;
    let standing: Vec<HoldId> = view.holds(tenant).map(|hold| hold.id).collect();
    expect(standing == [ends.id], "a view has what was not released")
}
