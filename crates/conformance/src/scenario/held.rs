//! Deleting whenever the customer likes: accepted in every state of the database, put off under a hold
//! and never dropped, also when the store is replaced by a backup from before the hold.

use covenant_core::{Action, BoxFuture};
use time::Duration;

use super::steps::{Put, TENANT, put, tenant_alone, unreadable, ways};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Reader, Record, Tenant};
use crate::canary::Store;
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Tenants whose databases are in use, expired and locked.
const STATES: [(Tenant, &str); 3] = [
    (Tenant(2), "in use"),
    (Tenant(3), "expired"),
    (Tenant(4), "locked"),
];
/// Days after which whatever was deleted has gone, if nothing holds it.
const GONE_AFTER_DAYS: i64 = 60;
/// Days after the end of a hold within which what waited for it goes.
const AFTER_RELEASE_DAYS: i64 = 3;

/// Accepted in every state; under a hold nothing goes and nothing is forgotten.
pub(super) const DELETE_IN_EVERY_STATE: Scenario = Scenario {
    id: "database::delete_in_every_state",
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
        ActKind::EndTrial,
        ActKind::CancelSubscription,
        ActKind::DeleteDatabase,
        ActKind::BackUp,
        ActKind::PlaceHold,
        ActKind::ReleaseHold,
        ActKind::RestoreInPlace,
    ],
    kills: &[
        Sabotage::DeleteDropped,
        Sabotage::HoldIgnored,
        Sabotage::HoldLostOnRestore,
    ],
    run: every_state,
};

fn every_state<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let mut deleted = Vec::new();
        for (tenant, state) in STATES {
            tenant_alone(stage, tenant).await?;
            let record = put(stage, tenant, Record(1)).await?;
            match state {
                "expired" => stage.done(Act::EndTrial { tenant }).await?,
                "locked" => stage.done(Act::CancelSubscription { tenant }).await?,
                _ => {}
            }
            let ordered = stage.try_act(Act::DeleteDatabase { tenant }).await?;
            let observed = if ordered.is_ok() {
                "accepted"
            } else {
                "refused"
            };
            let property = format!("deleting a database that is {state}");
            stage.check(property, "accepted", observed)?;
            let what = format!("a deleted database that was {state}");
            unreadable(stage, &what, tenant, &record, &[Reader::Front]).await?;
            deleted.push((what, record));
        }
        let held = under_a_hold(stage).await?;
        stage.pass(Duration::days(GONE_AFTER_DAYS)).await?;
        for (what, record) in &deleted {
            here(stage, what, record, Here::Gone).await?;
        }
        here(stage, "a deleted record that is held", &held, Here::Still).await?;
        let events = stage.events().await?;
        let ends = events
            .iter()
            .filter(|event| event.action == Action::DatabasePurged);
        stage.check("purged databases in the log", deleted.len(), ends.count())?;
        stage.done(Act::ReleaseHold { tenant: TENANT }).await?;
        stage.pass(Duration::days(AFTER_RELEASE_DAYS)).await?;
        let what = "a deleted record after the end of its hold";
        here(stage, what, &held, Here::Gone).await
    })
}

/// Deletes a record under a hold, and puts a backup from before the hold in the place of the store.
async fn under_a_hold(stage: &mut Stage<'_>) -> Result<Put, Stop> {
    tenant_alone(stage, TENANT).await?;
    let record = put(stage, TENANT, Record(1)).await?;
    put(stage, TENANT, Record(2)).await?;
    let ways = ways(stage, TENANT, &record).await?;
    let snapshot = stage.back_up(TENANT).await?;
    stage.done(Act::PlaceHold { tenant: TENANT }).await?;
    let act = Act::DeleteRecord {
        tenant: TENANT,
        record: record.record,
    };
    let ordered = stage.try_act(act).await?;
    let observed = if ordered.is_ok() {
        "accepted"
    } else {
        "refused"
    };
    stage.check("deleting a record that is held", "accepted", observed)?;
    unreadable(
        stage,
        "a deleted record that is held",
        TENANT,
        &record,
        &ways,
    )
    .await?;
    stage.pass(Duration::HOUR).await?;
    let act = Act::RestoreInPlace {
        tenant: TENANT,
        snapshot: snapshot.id,
    };
    stage.done(act).await?;
    let what = "a deleted record after the store was restored";
    unreadable(stage, what, TENANT, &record, &[Reader::Front]).await?;
    Ok(record)
}

/// Whether bytes are in the live stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Here {
    Still,
    Gone,
}

async fn here(stage: &mut Stage<'_>, what: &str, put: &Put, expect: Here) -> Result<(), Stop> {
    for canary in [&put.body, &put.attachment] {
        let sightings = stage.search(canary).await?;
        let found = sightings.anything(Store::Rows) + sightings.anything(Store::Objects);
        let word = |here| match here {
            Here::Still => "there",
            Here::Gone => "gone",
        };
        let observed = if found > 0 { Here::Still } else { Here::Gone };
        stage.check(format!("bytes of {what}"), word(expect), word(observed))?;
    }
    Ok(())
}
