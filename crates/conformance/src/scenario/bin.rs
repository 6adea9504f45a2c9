//! The recycle bin: a deleted record can be had back for the whole floor, and its bytes are gone by
//! the ceiling.

use covenant_core::{Action, BoxFuture};
use time::Duration;

use super::steps::{
    Put, Reach, TENANT, around_midnight, events_on, listed, put, reach, second_after,
    second_before, tenant_alone, unreadable, ways,
};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, KeysAtHand, Record, Seen, Tenant};
use crate::canary::{Canary, Sight, Store};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Rows of the database that has lived, and how many of them are deleted at once: on a smaller or
/// fresh file what a faulty purge leaves behind does not show (conformance design, 4.7).
const CHURN_ROWS: u32 = 20_000;
const CHURN_DELETES: u32 = 2_000;
/// A tenant that does nothing but delete one record.
const QUIET: Tenant = Tenant(2);
/// How far the wall clock jumps ahead: beyond any bin.
const JUMP: Duration = Duration::days(400);

/// Invisible once deleted, restorable whole until the last second of the floor, also when the wall
/// clock was wrong in between.
pub(super) const RESTORABLE_FOR_THE_WHOLE_FLOOR: Scenario = Scenario {
    id: "bin::restorable_for_the_whole_floor",
    shape: Shape::Floor,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::DeleteRecord,
        ActKind::RestoreRecord,
        ActKind::ReadRecord,
        ActKind::ListRecords,
        ActKind::SetCadence,
        ActKind::StepClock,
    ],
    kills: &[
        Sabotage::PurgeEarly,
        Sabotage::BinLost,
        Sabotage::ClockTrusted,
    ],
    run: restorable,
};

/// From the commit of the deletion on (or from the ceiling on, where the clause has a longer one) no
/// normal read sees the record, by any way there is.
pub(super) const INVISIBLE_AT_COMMIT: Scenario = Scenario {
    id: "bin::invisible_at_commit",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::DeleteRecord,
        ActKind::ReadFrom,
        ActKind::RevealSensitive,
        ActKind::ListRecords,
        ActKind::SetCadence,
    ],
    kills: &[Sabotage::BinVisible],
    run: invisible,
};

/// By the ceiling no byte of a deleted record is left in the live stores, on a file that has lived.
pub(super) const PURGED_IN_TIME: Scenario = Scenario {
    id: "bin::purged_in_time",
    shape: Shape::Ceiling,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::DeleteRecord,
        ActKind::Churn,
        ActKind::SetCadence,
    ],
    kills: &[
        Sabotage::PurgeLate,
        Sabotage::IndexRowOnly,
        Sabotage::NoVacuum,
        Sabotage::NoCheckpoint,
    ],
    run: purged,
};

fn restorable<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let neighbour = put(stage, TENANT, Record(9)).await?;
        let mut deleted = Vec::new();
        for (number, at) in (1..).zip(around_midnight(stage, Duration::SECOND)) {
            let record = put(stage, TENANT, Record(number)).await?;
            let reached = reach(stage, TENANT, &record).await?;
            stage.premise("a new record", Reach::Readable, reached)?;
            stage.pass_until(at).await?;
            delete_to_bin(stage, &record).await?;
            deleted.push((record, at));
        }
        let left = put(stage, TENANT, Record(8)).await?;
        let left_at = stage.now();
        delete_to_bin(stage, &left).await?;
        jump_and_return(stage).await?;
        for (record, from) in &deleted {
            let floor = stage.brief().floor(*from)?;
            stage.pass_until(second_before(floor)).await?;
            let act = Act::RestoreRecord {
                tenant: TENANT,
                record: record.record,
            };
            let answer = stage.try_act(act).await?;
            let observed = if answer.is_ok() {
                "restored"
            } else {
                "refused"
            };
            let property = "restoring from the bin one second before the floor ends";
            stage.check(property, "restored", observed)?;
            let reached = reach(stage, TENANT, record).await?;
            stage.check("the record after it was restored", Reach::Readable, reached)?;
        }
        let reached = reach(stage, TENANT, &neighbour).await?;
        stage.check("a record that was never deleted", Reach::Readable, reached)?;
        let floor = stage.brief().floor(left_at)?;
        stage
            .pass_until(floor.checked_add(Duration::days(2)).unwrap_or(floor))
            .await?;
        let events = stage.events().await?;
        if let Some(purge) = events_on(&events, &left.item, &[Action::RecordPurged]).next() {
            let early = if purge.at < floor {
                "early"
            } else {
                "not early"
            };
            stage.check("the purge that the log recorded", "not early", early)?;
            stage.note_floor(left_at, purge.at, floor);
        }
        Ok(())
    })
}

/// Deletes the record and checks that normal reads no longer see it.
async fn delete_to_bin(stage: &mut Stage<'_>, put: &Put) -> Result<(), Stop> {
    let before = listed(stage, TENANT, put.record).await?;
    stage.premise("the list before deleting", 1, before)?;
    stage
        .done(Act::DeleteRecord {
            tenant: TENANT,
            record: put.record,
        })
        .await?;
    let reached = reach(stage, TENANT, put).await?;
    stage.check(
        "a normal read of a deleted record",
        Reach::Unreadable,
        reached,
    )?;
    let count = listed(stage, TENANT, put.record).await?;
    stage.check("a deleted record in normal lists", 0, count)
}

fn invisible<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let gone = put(stage, TENANT, Record(1)).await?;
        let kept = put(stage, TENANT, Record(2)).await?;
        let ways = ways(stage, TENANT, &gone).await?;
        let before = listed(stage, TENANT, gone.record).await?;
        stage.premise("the list before deleting", 1, before)?;
        let act = Act::DeleteRecord {
            tenant: TENANT,
            record: gone.record,
        };
        stage.done(act).await?;
        let by = stage.brief().at_once_or_by(stage.now())?;
        if by > stage.now() {
            stage.pass_until(by).await?;
        }
        unreadable(stage, "a deleted record", TENANT, &gone, &ways).await?;
        stage.pass(Duration::SECOND).await?;
        unreadable(stage, "a deleted record", TENANT, &gone, &ways).await?;
        let reached = reach(stage, TENANT, &kept).await?;
        stage.check("a record that was not deleted", Reach::Readable, reached)
    })
}

/// The wall clock jumps far ahead, background work runs, and the clock is put right again.
async fn jump_and_return(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let now = stage.now();
    stage
        .step_clock(now.checked_add(JUMP).unwrap_or(now))
        .await?;
    stage.step_clock(now).await
}

fn purged<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let act = Act::Churn {
            tenant: TENANT,
            rows: CHURN_ROWS,
            deletes: CHURN_DELETES,
            seed: CHURN_SEED,
        };
        let Seen::Churned(churned) = stage.act(act).await? else {
            return Err(Stop::WrongAnswer(ActKind::Churn));
        };
        let seen = stage
            .search(&churned)
            .await?
            .found(Store::Rows, Sight::Salt);
        let all = if seen >= u64::from(CHURN_DELETES) {
            "all"
        } else {
            "not all"
        };
        stage.premise("salts of deleted rows found while in the bin", "all", all)?;
        let quiet = delete_in_quiet(stage).await?;
        let quiet_from = stage.now();
        let mut deleted = Vec::new();
        for (number, at) in (1..).zip(around_midnight(stage, Duration::SECOND)) {
            let record = put(stage, TENANT, Record(number)).await?;
            stage.pass_until(at).await?;
            stage
                .done(Act::DeleteRecord {
                    tenant: TENANT,
                    record: record.record,
                })
                .await?;
            deleted.push((record, at));
        }
        for (number, (record, from)) in (0_u32..).zip(&deleted) {
            let ceiling = stage.brief().ceiling(*from)?;
            stage.pass_until(ceiling).await?;
            if number == 0 {
                nothing_left(stage, "deleted rows of a database that has lived", &churned).await?;
                stage.pass_until(stage.brief().ceiling(quiet_from)?).await?;
                for canary in [&quiet.body, &quiet.sensitive, &quiet.attachment] {
                    let what = "a record of a tenant that does nothing else";
                    nothing_left(stage, what, canary).await?;
                }
            }
            let canaries = [&record.body, &record.sensitive, &record.attachment];
            for (what, canary) in ["body", "sensitive field", "attachment"]
                .iter()
                .zip(canaries)
            {
                nothing_left(stage, what, canary).await?;
            }
            let events = stage.events().await?;
            let purge = events_on(&events, &record.item, &[Action::RecordPurged]).next();
            let logged = if purge.is_some() {
                "logged"
            } else {
                "not logged"
            };
            stage.check("the purge", "logged", logged)?;
            if let Some(purge) = purge {
                stage.note_ceiling(*from, purge.at, ceiling);
            }
        }
        stage.pass_until(second_after(stage.now())).await?;
        nothing_left(stage, "deleted rows of a database that has lived", &churned).await
    })
}

/// Deletes the one record of a tenant that does nothing else, so that no other work falls due there;
/// it was backed up and restored before, if the system does that, and no copy of that may stay.
async fn delete_in_quiet(stage: &mut Stage<'_>) -> Result<Put, Stop> {
    tenant_alone(stage, QUIET).await?;
    let record = put(stage, QUIET, Record(1)).await?;
    match stage.back_up(QUIET).await {
        Err(Stop::Unsupported(_)) => {}
        snapshot => {
            let act = Act::RestoreSnapshot {
                tenant: QUIET,
                snapshot: snapshot?.id,
                keys: KeysAtHand::All,
            };
            stage.act(act).await?;
        }
    }
    let act = Act::DeleteRecord {
        tenant: QUIET,
        record: Record(1),
    };
    stage.done(act).await?;
    Ok(record)
}

/// Where the contents of the churned database come from: the same for every run, so that a subject
/// may keep one as a template.
pub(super) const CHURN_SEED: u64 = 0x0c0f_fee5;

/// Checks that nothing of the canary is left in the live stores.
pub(super) async fn nothing_left(
    stage: &mut Stage<'_>,
    what: &str,
    canary: &Canary,
) -> Result<(), Stop> {
    let sightings = stage.search(canary).await?;
    for store in [Store::Rows, Store::Objects, Store::Other] {
        let found = sightings.anything(store);
        stage.check(format!("bytes of purged {what} in {store}"), 0, found)?;
    }
    Ok(())
}
