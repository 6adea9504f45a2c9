//! Backups of what is not live any more: of a purged database they stay for their time, and of a purged
//! record none gives anything back after it.

use covenant_core::{Action, BoxFuture};
use time::{Duration, UtcDateTime};

use super::backup::{BEFORE_FLOOR, Taken, gone, note_end, restore, still_there};
use super::steps::{Put, TENANT, events_on, put, second_after, second_before, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Person, Record, Seen, SnapshotSeen};
use crate::canary::{Sight, Store, occurrences};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Days after its deletion within which a database must have been purged for anything to be seen.
const PURGED_WITHIN_DAYS: u16 = 400;
/// The record that is purged, and the one that stays.
const GONE: Record = Record(1);
const KEPT: Record = Record(2);

/// A last backup is taken just before the purge of a database; it restores, and its rows open, until
/// the tolerance before the latest reading, and not from the earliest one on.
pub(super) const DELETED_DATABASE_RESIDENCE: Scenario = Scenario {
    id: "backup::deleted_database_residence",
    shape: Shape::Exact,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ChangeRecord,
        ActKind::DeleteDatabase,
        ActKind::SetCadence,
        ActKind::ListSnapshots,
        ActKind::RestoreSnapshot,
    ],
    kills: &[
        Sabotage::BackupGoneEarly,
        Sabotage::KeyWithPurge,
        Sabotage::BackupKeptLate,
    ],
    run: residence,
};

/// From its purge on no backup gives a record back, behind no log; after the ceiling nothing that is
/// left opens under any key that exists.
pub(super) const PURGED_RECORD_GONE: Scenario = Scenario {
    id: "backup::purged_record_gone",
    shape: Shape::Ceiling,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::DeleteRecord,
        ActKind::PurgeByHand,
        ActKind::SetCadence,
        ActKind::BackUp,
        ActKind::ListSnapshots,
        ActKind::RestoreSnapshot,
        ActKind::RestoreBehindLog,
    ],
    kills: &[
        Sabotage::BackupKeptLate,
        Sabotage::ChunkKeyKept,
        Sabotage::WrongStartEvent,
        Sabotage::RestoreWithoutReplay,
        Sabotage::LogRolledBack,
    ],
    run: purged_record,
};

fn residence<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        put(stage, TENANT, Record(1)).await?;
        let body = stage.canary();
        let act = Act::ChangeRecord {
            tenant: TENANT,
            record: Record(1),
            body: body.clone(),
        };
        let seen = stage.put(act).await?;
        stage.pass(Duration::HOUR).await?;
        stage.done(Act::DeleteDatabase { tenant: TENANT }).await?;
        let from = stage.brief().start_or(Action::DatabasePurged);
        let purged = when_told(stage, from).await?;
        let last = stage.snapshots(TENANT).await?.pop();
        let observed = if last.is_some() { "taken" } else { "not taken" };
        let property = "a last backup of a database before its purge";
        stage.check(property, "taken", observed)?;
        let Some(snapshot) = last else { return Ok(()) };
        let taken = Taken {
            snapshot,
            body: body.with_salts(seen.body),
        };
        still_there(stage, &taken, "once the database is purged").await?;
        let floor = stage.brief().floor(purged)?;
        let ceiling = stage.brief().ceiling(purged)?;
        stage.pass_until(second_before(floor)).await?;
        still_there(stage, &taken, BEFORE_FLOOR).await?;
        stage.pass_until(ceiling).await?;
        gone(stage, &taken).await?;
        stage.pass_until(second_after(ceiling)).await?;
        gone(stage, &taken).await?;
        note_end(stage, purged, &taken).await
    })
}

/// Lets time pass until the log tells of the purge of the database; returns when the event was from
/// which its time in backups counts.
async fn when_told(stage: &mut Stage<'_>, from: Action) -> Result<UtcDateTime, Stop> {
    for _ in 0..PURGED_WITHIN_DAYS {
        stage.pass(Duration::DAY).await?;
        let events = stage.events().await?;
        if events.iter().any(|e| e.action == Action::DatabasePurged) {
            let start = events.iter().find(|e| e.action == from);
            stage.premise_some(format!("{from} in the log"), u64::from(start.is_some()))?;
            return Ok(start.map_or_else(|| stage.now(), |event| event.at));
        }
    }
    stage.premise_some("a purge of the deleted database in the log", 0)?;
    Ok(stage.now())
}

fn purged_record<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let record = put(stage, TENANT, GONE).await?;
        let kept = put(stage, TENANT, KEPT).await?;
        let mut taken = vec![stage.back_up(TENANT).await?];
        let act = Act::DeleteRecord {
            tenant: TENANT,
            record: GONE,
        };
        stage.done(act).await?;
        stage.pass(Duration::HOUR).await?;
        taken.push(stage.back_up(TENANT).await?);
        let opened = stage.search(&record.body).await?;
        let opened = opened.found(Store::Backups, Sight::Opened);
        stage.premise_some("the marker in what keys open of the backups", opened)?;
        let purged = purge(stage, &record).await?;
        for snapshot in &taken {
            given_back(stage, snapshot, &record, &kept).await?;
        }
        behind_the_log(stage, &taken).await?;
        let ceiling = stage.brief().ceiling(purged)?;
        for at in [ceiling, second_after(ceiling)] {
            stage.pass_until(at).await?;
            for snapshot in &taken {
                let taken = Taken {
                    snapshot: *snapshot,
                    body: record.body.clone(),
                };
                gone(stage, &taken).await?;
            }
            for canary in [&record.sensitive, &record.attachment] {
                let sightings = stage.search(canary).await?;
                for store in [Store::Backups, Store::Replica] {
                    for sight in [Sight::Opened, Sight::Marker] {
                        let what = format!("a purged record at its ceiling: {sight:?} in {store}");
                        stage.check(what, 0, sightings.found(store, sight))?;
                    }
                }
            }
        }
        for snapshot in taken {
            let body = record.body.clone();
            note_end(stage, purged, &Taken { snapshot, body }).await?;
        }
        Ok(())
    })
}

/// Purges the record by hand; returns when the event was from which its time in backups counts.
async fn purge(stage: &mut Stage<'_>, record: &Put) -> Result<UtcDateTime, Stop> {
    let act = Act::PurgeByHand {
        tenant: TENANT,
        record: Some(record.record),
        by: Person::DatabaseAdministrator,
    };
    let Seen::Certified(_) = stage.act(act).await? else {
        return Err(Stop::WrongAnswer(ActKind::PurgeByHand));
    };
    let events = stage.events().await?;
    let from = stage.brief().start_or(Action::RecordPurged);
    let when = |action| {
        let told = events_on(&events, &record.item, std::slice::from_ref(action)).next();
        told.map(|event| event.at)
    };
    for action in [&Action::RecordPurged, &from] {
        let told = u64::from(when(action).is_some());
        stage.premise_some(format!("{action} of the record in the log"), told)?;
    }
    Ok(when(&from).unwrap_or_else(|| stage.now()))
}

/// Checks that a restore gives back what stayed, and nothing of what was purged since.
async fn given_back(
    stage: &mut Stage<'_>,
    snapshot: &SnapshotSeen,
    record: &Put,
    kept: &Put,
) -> Result<(), Stop> {
    let word = |given: bool| {
        if given {
            "given back"
        } else {
            "not given back"
        }
    };
    let body = restore(stage, snapshot, record.record).await?;
    let property = "a purged record, by a backup from before its purge";
    stage.check(property, "not given back", word(body.is_some()))?;
    let body = restore(stage, snapshot, kept.record).await?;
    let whole = body.is_some_and(|body| occurrences(&body, kept.body.marker()) > 0);
    let property = "a record that stayed, by the same backup";
    stage.check(property, "given back", word(whole))
}

/// Checks that no backup is restored while the log is older than what is known of it.
async fn behind_the_log(stage: &mut Stage<'_>, taken: &[SnapshotSeen]) -> Result<(), Stop> {
    let Some(first) = taken.first() else {
        return Ok(());
    };
    let act = Act::RestoreBehindLog {
        tenant: TENANT,
        snapshot: first.id,
    };
    let observed = match stage.try_act(act).await? {
        Ok(Seen::Restored(records)) if records.contains_key(&GONE) => "restored, with the record",
        Ok(Seen::Restored(_)) => "restored",
        Ok(_) => return Err(Stop::WrongAnswer(ActKind::RestoreBehindLog)),
        Err(_) => "refused",
    };
    let property = "a restore while the log is one from before the purge";
    stage.check(property, "refused", observed)
}
