//! The end of a contract: nothing of a tenant goes before, and all of it is gone by the ceiling.

use std::collections::BTreeSet;

use covenant_core::{Action, BoxFuture, KeyId};
use time::{Duration, UtcDateTime};

use super::bin::nothing_left;
use super::expiry::{keys, resumed};
use super::steps::{Put, Reach, TENANT, put, reach, second_after, tenant_alone, unreadable, ways};
use super::{Scenario, Shape, Starts};
use crate::act::{
    Act, ActKind, KeyRole, KeyStanding, KeysAtHand, Record, Seen, SnapshotSeen, Tenant, VaultSeen,
};
use crate::canary::{Canary, Sight, Store};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// A second tenant: one that does not pay, or a neighbour.
const OTHER: Tenant = Tenant(2);
/// How long a contract runs here: longer than any period that could end something in it.
const CONTRACT_DAYS: i64 = 400;
/// Days between two backups, so that they lie in vaults of their own.
const APART_DAYS: i64 = 8;

/// Without a period: while the contract runs nothing goes, whatever else ends, and its end closes the
/// database.
pub(super) const NOTHING_BEFORE_THE_END: Scenario = Scenario {
    id: "termination::nothing_before_the_end",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadRecord,
        ActKind::ReadFrom,
        ActKind::RevealSensitive,
        ActKind::ListRecords,
        ActKind::SetCadence,
        ActKind::CancelSubscription,
        ActKind::StartSubscription,
        ActKind::EndContract,
    ],
    kills: &[Sabotage::PurgeEarly],
    run: nothing_before,
};

/// By the ceiling rows, files, backups and keys of the tenant are gone, in copies too, and nobody
/// else's.
pub(super) const ALL_STORES_AND_KEYS: Scenario = Scenario {
    id: "termination::all_stores_and_keys",
    shape: Shape::Ceiling,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ChangeRecord,
        ActKind::DeleteRecord,
        ActKind::ReadRecord,
        ActKind::SetCadence,
        ActKind::BackUp,
        ActKind::ListSnapshots,
        ActKind::RestoreSnapshot,
        ActKind::ListVaults,
        ActKind::ListKeys,
        ActKind::EndContract,
    ],
    kills: &[Sabotage::TerminationLate, Sabotage::StoreSkipped],
    run: all_gone,
};

fn nothing_before<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        tenant_alone(stage, OTHER).await?;
        let record = put(stage, TENANT, Record(1)).await?;
        let unpaid = put(stage, OTHER, Record(1)).await?;
        let ways = ways(stage, TENANT, &record).await?;
        let act = Act::CancelSubscription { tenant: OTHER };
        stage.done(act).await?;
        stage.pass(Duration::days(CONTRACT_DAYS)).await?;
        let ends = [
            Action::RecordPurged,
            Action::DatabaseDeleted,
            Action::DatabasePurged,
        ];
        let events = stage.events().await?;
        let gone = events.iter().filter(|e| ends.contains(&e.action)).count();
        stage.check("ends in the log while the contract runs", 0, gone)?;
        let seen = reach(stage, TENANT, &record).await?;
        stage.check("a record of a long contract", Reach::Readable, seen)?;
        let act = Act::RevealSensitive {
            tenant: TENANT,
            record: record.record,
        };
        let opens = match stage.try_act(act).await? {
            Ok(Seen::Revealed(_)) => "opens",
            _ => "does not open",
        };
        stage.check("the sensitive field of a long contract", "opens", opens)?;
        resumed(stage, OTHER, &unpaid).await?;
        let ended = stage.try_act(Act::EndContract { tenant: TENANT }).await?;
        let observed = if ended.is_ok() { "taken" } else { "refused" };
        stage.check("the end of the contract", "taken", observed)?;
        unreadable(stage, "an ended contract", TENANT, &record, &ways).await?;
        let seen = reach(stage, OTHER, &unpaid).await?;
        stage.check("a record of another contract", Reach::Readable, seen)
    })
}

/// What was put for the tenant, piece by piece.
type Pieces = Vec<(&'static str, Canary)>;

fn all_gone<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        tenant_alone(stage, OTHER).await?;
        let pieces = fill(stage).await?;
        let kept = put(stage, OTHER, Record(1)).await?;
        let (first, others) = (stage.back_up(TENANT).await?, stage.back_up(OTHER).await?);
        stage.pass(Duration::days(APART_DAYS)).await?;
        let second = stage.back_up(TENANT).await?;
        for (what, canary) in &pieces {
            let sightings = stage.search(canary).await?;
            let live = sightings.anything(Store::Rows) + sightings.anything(Store::Objects);
            stage.premise_some(format!("{what} in the live stores before"), live)?;
        }
        let vaults = vaults(stage, TENANT).await?;
        let count = u64::try_from(vaults.len()).unwrap_or(u64::MAX);
        stage.premise_some("vaults of the tenant before", count)?;
        let mut own: BTreeSet<KeyId> = vaults.iter().map(|vault| vault.root).collect();
        own.extend(keys(stage, TENANT).await?.iter().map(|key| key.id));
        let from = stage.now();
        stage.done(Act::EndContract { tenant: TENANT }).await?;
        let ceiling = stage.brief().ceiling(from)?;
        for at in [ceiling, second_after(ceiling)] {
            stage.pass_until(at).await?;
            for (what, canary) in &pieces {
                let what = format!("{what} of an ended contract");
                nothing_left(stage, &what, canary).await?;
                let sightings = stage.search(canary).await?;
                for store in [Store::Backups, Store::Replica] {
                    let opened = sightings.found(store, Sight::Opened);
                    stage.check(format!("{what} opened in {store}"), 0, opened)?;
                }
            }
            backups_gone(stage, [&first, &second]).await?;
            keys_gone(stage, &own).await?;
        }
        on_record(stage, from, ceiling, vaults.len()).await?;
        neighbour(stage, &kept, &others).await
    })
}

/// Records, one of them changed and one in the bin, with all that they consist of.
async fn fill(stage: &mut Stage<'_>) -> Result<Pieces, Stop> {
    let live = put(stage, TENANT, Record(1)).await?;
    let binned = put(stage, TENANT, Record(2)).await?;
    let new = stage.canary();
    let act = Act::ChangeRecord {
        tenant: TENANT,
        record: live.record,
        body: new.clone(),
    };
    let changed = stage.put(act).await?;
    let act = Act::DeleteRecord {
        tenant: TENANT,
        record: binned.record,
    };
    stage.done(act).await?;
    Ok(vec![
        ("a body", new.with_salts(changed.body)),
        ("a sensitive field", live.sensitive),
        ("an attachment", live.attachment),
        ("a body in the bin", binned.body),
        ("an attachment in the bin", binned.attachment),
    ])
}

/// The vaults that are stored for the tenant.
async fn vaults(stage: &mut Stage<'_>, tenant: Tenant) -> Result<Vec<VaultSeen>, Stop> {
    let Seen::Vaults(mut vaults) = stage.act(Act::ListVaults).await? else {
        return Err(Stop::WrongAnswer(ActKind::ListVaults));
    };
    vaults.retain(|vault| vault.tenant == tenant);
    Ok(vaults)
}

async fn backups_gone(stage: &mut Stage<'_>, taken: [&SnapshotSeen; 2]) -> Result<(), Stop> {
    let left = vaults(stage, TENANT).await?.len();
    stage.check("vaults of an ended contract", 0, left)?;
    let listed = stage.try_act(Act::ListSnapshots { tenant: TENANT }).await?;
    let listed = match listed {
        Ok(Seen::Snapshots(listed)) => listed.len(),
        Ok(_) => return Err(Stop::WrongAnswer(ActKind::ListSnapshots)),
        Err(_) => 0,
    };
    stage.check("backups of an ended contract", 0, listed)?;
    for taken in taken {
        let restored = stage.try_act(restore(TENANT, taken)).await?;
        let observed = if restored.is_ok() { "given" } else { "refused" };
        let property = "the restore of a backup of an ended contract";
        stage.check(property, "refused", observed)?;
    }
    Ok(())
}

const fn restore(tenant: Tenant, taken: &SnapshotSeen) -> Act {
    Act::RestoreSnapshot {
        tenant,
        snapshot: taken.id,
        keys: KeysAtHand::All,
    }
}

/// Checks that of these keys every one that is still listed is destroyed.
async fn keys_gone(stage: &mut Stage<'_>, own: &BTreeSet<KeyId>) -> Result<(), Stop> {
    let act = Act::ListKeys {
        role: KeyRole::SystemAdministrator,
    };
    let Seen::Keys(keys) = stage.act(act).await? else {
        return Err(Stop::WrongAnswer(ActKind::ListKeys));
    };
    let living = keys
        .iter()
        .filter(|key| own.contains(&key.id) && key.standing != KeyStanding::Destroyed)
        .count();
    stage.check("living keys of an ended contract", 0, living)
}

/// The log tells of the end, of the purge, and of each vault's, all by the ceiling.
async fn on_record(
    stage: &mut Stage<'_>,
    from: UtcDateTime,
    ceiling: UtcDateTime,
    vaults: usize,
) -> Result<(), Stop> {
    let events = stage.events().await?;
    let vaults = u64::try_from(vaults).unwrap_or(u64::MAX);
    for (action, expected) in [
        (Action::ContractTerminated, 1),
        (Action::DatabasePurged, 1),
        (Action::BackupPurged, vaults),
    ] {
        let told = events.iter().filter(|event| event.action == action);
        let told: Vec<_> = told.map(|event| event.at).collect();
        let count = u64::try_from(told.len()).unwrap_or(u64::MAX);
        stage.check(format!("{action} in the log"), expected, count)?;
        for at in told.into_iter().filter(|at| *at > from) {
            let when = if at > ceiling { "too late" } else { "in time" };
            stage.check(format!("when {action} was"), "in time", when)?;
            stage.note_ceiling(from, at, ceiling);
        }
    }
    Ok(())
}

/// Nobody else loses anything.
async fn neighbour(stage: &mut Stage<'_>, kept: &Put, taken: &SnapshotSeen) -> Result<(), Stop> {
    let seen = reach(stage, OTHER, kept).await?;
    stage.check("the database of a neighbour", Reach::Readable, seen)?;
    let restored = stage.try_act(restore(OTHER, taken)).await?;
    let observed = if restored.is_ok() { "given" } else { "refused" };
    stage.check("the restore of a neighbour's backup", "given", observed)
}
