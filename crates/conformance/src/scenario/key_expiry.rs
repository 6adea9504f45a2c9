//! The age of a key: it is replaced when its time is over, and what it opened still opens.

use std::fmt::Display;

use covenant_core::{BoxFuture, KeyId, Period};
use time::Duration;

use super::key_life::{keys, revealed};
use super::steps::{Put, Reach, TENANT, put, reach, second_before, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, KeySeen, KeyStanding, KeyUse, Record};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// By then a replaced key has waited, thirty days at most, and is gone.
const GONE: Duration = Duration::days(31);

/// Keys that wrap keys are replaced on the clock, after the times that the words name and no other
/// time; what they opened opens all the while.
pub(super) const EXPIRY_VALUES: Scenario = Scenario {
    id: "keys::expiry_values",
    shape: Shape::Words,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadRecord,
        ActKind::RevealSensitive,
        ActKind::SetCadence,
        ActKind::ListKeys,
        ActKind::SetKeyExpiry,
    ],
    kills: &[Sabotage::RotationMissed, Sabotage::RotationLosesOld],
    run: expiry_values,
};

fn expiry_values<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let offered = stage.brief().words(|word| word.parse::<Period>().ok());
        let count = u64::try_from(offered.len()).unwrap_or(u64::MAX);
        stage.premise_some("times after which keys are replaced", count)?;
        tenant_alone(stage, TENANT).await?;
        let put = put(stage, TENANT, Record(1)).await?;
        for other in beside(&offered) {
            let seen = set(stage, other).await?;
            stage.check(format!("keys that live for {other}"), "denied", seen)?;
        }
        for expiry in offered {
            let seen = set(stage, expiry).await?;
            stage.check(format!("keys that live for {expiry}"), "done", seen)?;
            opens(stage, &put, "after the setting").await?;
            life(stage, &put, expiry).await?;
        }
        Ok(())
    })
}

/// One life of the keys in use: not replaced before its end, and replaced by then.
async fn life(stage: &mut Stage<'_>, put: &Put, expiry: Period) -> Result<(), Stop> {
    let old = in_use(stage).await?;
    let count = u64::try_from(old.len()).unwrap_or(u64::MAX);
    stage.premise_some("keys that wrap keys", count)?;
    let created = old.iter().map(|key| key.created);
    let (first, last) = (created.clone().min(), created.max());
    let (Some(first), Some(last)) = (first, last) else {
        return Err(Stop::WrongAnswer(ActKind::ListKeys));
    };
    let before = second_before(stage.brief().resolve(expiry, first)?.earliest);
    let by = stage.brief().resolve(expiry, last)?.latest;

    stage.pass_until(before).await?;
    let left = still(stage, &old).await?;
    let what = format!("keys in use a second before {expiry}");
    stage.check(what, old.len(), left)?;
    stage.pass_until(by).await?;
    let left = still(stage, &old).await?;
    stage.check(format!("keys in use after {expiry}"), 0, left)?;
    let new = in_use(stage).await?;
    stage.check("keys in their place", old.len(), new.len())?;
    opens(stage, put, "under the new key").await?;

    stage.pass(GONE).await?;
    opens(stage, put, "without the old key").await?;
    let keys = keys(stage).await?;
    let gone = |id: KeyId| {
        let mut keys = keys.iter();
        keys.any(|key| key.id == id && key.standing == KeyStanding::Destroyed)
    };
    let left = old.iter().filter(|key| !gone(key.id)).count();
    stage.check("replaced keys that are left", 0, left)
}

/// The keys that wrap keys of contents now.
async fn in_use(stage: &mut Stage<'_>) -> Result<Vec<KeySeen>, Stop> {
    let mut keys = keys(stage).await?;
    keys.retain(|key| key.serves == KeyUse::Wrapping && key.standing == KeyStanding::Enabled);
    Ok(keys)
}

/// How many of these are in use.
async fn still(stage: &mut Stage<'_>, old: &[KeySeen]) -> Result<usize, Stop> {
    let now = in_use(stage).await?;
    let there = |key: &&KeySeen| now.iter().any(|now| now.id == key.id);
    Ok(old.iter().filter(there).count())
}

async fn set(stage: &mut Stage<'_>, expiry: Period) -> Result<&'static str, Stop> {
    let done = stage.try_act(Act::SetKeyExpiry { expiry }).await?;
    Ok(if done.is_ok() { "done" } else { "denied" })
}

/// The record and its sensitive field can be had.
async fn opens(stage: &mut Stage<'_>, put: &Put, when: impl Display) -> Result<(), Stop> {
    let seen = reach(stage, TENANT, put).await?;
    stage.check(format!("the record {when}"), Reach::Readable, seen)?;
    let seen = revealed(stage, put).await?;
    let what = format!("the sensitive field {when}");
    stage.check(what, Reach::Readable, seen)
}

/// Times near those offered, and far from them, that are none of them.
fn beside(offered: &[Period]) -> Vec<Period> {
    let mut others = vec![Period::ZERO, Period::days(1), Period::months(1_200)];
    for months in offered.iter().map(Period::month_part) {
        for other in [
            months.saturating_sub(1),
            months.saturating_add(1),
            months.saturating_mul(2),
        ] {
            others.push(Period::months(other));
        }
        // as long as these months are, give or take
        others.push(Period::days(months.saturating_mul(365).div_euclid(12)));
    }
    others.retain(|other| !offered.contains(other));
    others
}
