//! The end of a key: how long its destruction waits, and that it can be taken back.

use covenant_core::{Action, BoxFuture, ItemId, KeyId, Outcome};
use time::UtcDateTime;

use super::key_life::{administered, key_of, keys};
use super::steps::{Put, Reach, put, reach, second_before, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{ActKind, KeyStanding, KeyUse, KeyVerb, Record, Tenant};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Its key waits as briefly as may be.
const SHORT: Tenant = Tenant(1);
/// Its key waits as long as may be.
const LONG: Tenant = Tenant(2);
/// The destruction of its key is taken back in the last second.
const CANCELLED: Tenant = Tenant(3);
const TENANTS: [Tenant; 3] = [SHORT, LONG, CANCELLED];

/// No key is destroyed before the shortest wait, or kept beyond the longest; waits outside of these
/// are refused, and until its last second a destruction can be taken back.
pub(super) const WAIT_WINDOW: Scenario = Scenario {
    id: "keys::wait_window",
    shape: Shape::Exact,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadRecord,
        ActKind::SetCadence,
        ActKind::ListKeys,
        ActKind::AdministerKey,
    ],
    kills: &[Sabotage::DestroyedAtOnce, Sabotage::DestroyedLate],
    run: wait_window,
};

/// A tenant, the key of its contents, and a record under it.
type Kept = (Tenant, KeyId, Put);

fn wait_window<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let mut kept = Vec::new();
        for tenant in TENANTS {
            tenant_alone(stage, tenant).await?;
            let put = put(stage, tenant, Record(1)).await?;
            let key = key_of(stage, KeyUse::Contents(tenant)).await?.id;
            kept.push((tenant, key, put));
        }
        let from = stage.now();
        let (floor, ceiling) = (stage.brief().floor(from)?, stage.brief().ceiling(from)?);
        for kept in &kept {
            schedule(stage, kept).await?;
        }
        stage.pass_until(second_before(floor)).await?;
        for kept in &kept {
            standing(stage, kept, KeyStanding::Waiting).await?;
            if kept.0 == CANCELLED {
                take_back(stage, kept).await?;
            }
        }
        stage.pass_until(second_before(ceiling)).await?;
        for kept in kept.iter().filter(|(tenant, ..)| *tenant == LONG) {
            standing(stage, kept, KeyStanding::Waiting).await?;
        }
        stage.pass_until(ceiling).await?;
        for kept in &kept {
            over(stage, kept).await?;
        }
        on_record(stage, &kept, from, (floor, ceiling)).await
    })
}

/// Waits that are too short or too long are refused; then one that is neither begins.
async fn schedule(stage: &mut Stage<'_>, (tenant, key, put): &Kept) -> Result<(), Stop> {
    let (shortest, longest) = stage.brief().days()?;
    let days = |days: u32| KeyVerb::Schedule {
        days: u8::try_from(days).unwrap_or(u8::MAX),
    };
    for wait in [0, shortest.saturating_sub(1), longest.saturating_add(1)] {
        let seen = administered(stage, *key, days(wait)).await?;
        stage.check(format!("a wait of {wait} days"), "denied", seen)?;
    }
    let seen = reach(stage, *tenant, put).await?;
    stage.premise("a record before its key waits", Reach::Readable, seen)?;
    let wait = if *tenant == LONG { longest } else { shortest };
    let seen = administered(stage, *key, days(wait)).await?;
    stage.check(format!("a wait of {wait} days"), "done", seen)
}

async fn take_back(stage: &mut Stage<'_>, (tenant, key, put): &Kept) -> Result<(), Stop> {
    for verb in [KeyVerb::Cancel, KeyVerb::Enable] {
        let seen = administered(stage, *key, verb).await?;
        stage.check(format!("{verb} in the last second"), "done", seen)?;
    }
    let seen = reach(stage, *tenant, put).await?;
    stage.check("a record whose key was taken back", Reach::Readable, seen)
}

/// After the longest wait: what was taken back lives, the rest is gone for good.
async fn over(stage: &mut Stage<'_>, kept: &Kept) -> Result<(), Stop> {
    let (tenant, key, put) = kept;
    let (expected, record) = if *tenant == CANCELLED {
        (KeyStanding::Enabled, Reach::Readable)
    } else {
        (KeyStanding::Destroyed, Reach::Unreadable)
    };
    standing(stage, kept, expected).await?;
    if expected == KeyStanding::Destroyed {
        for verb in [KeyVerb::Cancel, KeyVerb::Enable] {
            let seen = administered(stage, *key, verb).await?;
            stage.check(format!("{verb} once it is destroyed"), "denied", seen)?;
        }
    }
    let seen = reach(stage, *tenant, put).await?;
    stage.check(format!("the record of {tenant}"), record, seen)
}

async fn standing(
    stage: &mut Stage<'_>,
    (tenant, key, _): &Kept,
    expected: KeyStanding,
) -> Result<(), Stop> {
    let keys = keys(stage).await?;
    let seen = keys.into_iter().find(|seen| seen.id == *key);
    let seen = seen.ok_or(Stop::WrongAnswer(ActKind::ListKeys))?.standing;
    stage.check(format!("the key of {tenant}"), expected, seen)
}

/// The log tells of each destruction once, inside the window, and of none that was taken back.
async fn on_record(
    stage: &mut Stage<'_>,
    kept: &[Kept],
    from: UtcDateTime,
    (floor, ceiling): (UtcDateTime, UtcDateTime),
) -> Result<(), Stop> {
    let events = stage.events().await?;
    for (tenant, key, _) in kept {
        let item = ItemId::from(key.as_uuid());
        let destroyed: Vec<_> = events
            .iter()
            .filter(|event| event.action == Action::KeyDestroyed && event.outcome == Outcome::Ok)
            .filter(|event| event.target.id.as_ref() == Some(&item))
            .map(|event| event.at)
            .collect();
        let expected = usize::from(*tenant != CANCELLED);
        let what = format!("destructions of the key of {tenant} on record");
        stage.check(what, expected, destroyed.len())?;
        for at in destroyed {
            let when = if at < floor {
                "too early"
            } else if at > ceiling {
                "too late"
            } else {
                "in the window"
            };
            stage.check("the destruction on record", "in the window", when)?;
            stage.note_floor(from, at, floor);
            stage.note_ceiling(from, at, ceiling);
        }
    }
    Ok(())
}
