//! Whole databases: once deleted, nobody reads them by any way, and their bytes leave in time.

use covenant_core::{Action, BoxFuture};
use time::Duration;

use super::bin::nothing_left;
use super::ruled::keeps_no_versions;
use super::steps::{
    TENANT, listed, put, read_by, second_after, tenant_alone, unreadable, ways, word,
};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, KeysAtHand, Reader, Record, Tenant};
use crate::canary::Store;
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// The neighbour whose database is not deleted.
const NEIGHBOUR: Tenant = Tenant(2);

/// The first read after the commit (or after the ceiling, where the clause has a longer one) fails,
/// by every way there is, and so does every later one.
pub(super) const DELETED_UNREADABLE: Scenario = Scenario {
    id: "database::deleted_unreadable",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadFrom,
        ActKind::RevealSensitive,
        ActKind::ListRecords,
        ActKind::DeleteDatabase,
        ActKind::SetCadence,
    ],
    kills: &[Sabotage::DeletedReadableInCache],
    run: deleted_unreadable,
};

/// By the ceiling no byte of a deleted database is left in the live stores, nor in copies of a restore.
pub(super) const BYTES_ABSENT: Scenario = Scenario {
    id: "database::bytes_absent",
    shape: Shape::Ceiling,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ChangeRecord,
        ActKind::DeleteRecord,
        ActKind::DeleteDatabase,
        ActKind::SetCadence,
        ActKind::BackUp,
        ActKind::RestoreSnapshot,
        ActKind::StartAnother,
    ],
    kills: &[
        Sabotage::StoreSkipped,
        Sabotage::PurgeLate,
        Sabotage::BucketUnasked,
    ],
    run: bytes_absent,
};

fn bytes_absent<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        keeps_no_versions(stage).await?;
        tenant_alone(stage, TENANT).await?;
        tenant_alone(stage, NEIGHBOUR).await?;
        let live = put(stage, TENANT, Record(1)).await?;
        let binned = put(stage, TENANT, Record(2)).await?;
        let kept = put(stage, NEIGHBOUR, Record(1)).await?;
        let new = stage.canary();
        let act = Act::ChangeRecord {
            tenant: TENANT,
            record: live.record,
            body: new.clone(),
        };
        let changed = stage.put(act).await?;
        let new = new.with_salts(changed.body);
        let act = Act::DeleteRecord {
            tenant: TENANT,
            record: binned.record,
        };
        stage.done(act).await?;
        let snapshot = stage.back_up(TENANT).await?;
        let act = Act::RestoreSnapshot {
            tenant: TENANT,
            snapshot: snapshot.id,
            keys: KeysAtHand::All,
        };
        stage.act(act).await?;
        let mut all = vec![("an earlier body", &live.body), ("a body", &new)];
        for record in [&live, &binned] {
            all.push(("a sensitive field", &record.sensitive));
            all.push(("an attachment", &record.attachment));
        }
        all.push(("a body in the bin", &binned.body));
        for (what, canary) in all.iter().skip(1) {
            let sightings = stage.search(canary).await?;
            let found = sightings.anything(Store::Rows) + sightings.anything(Store::Objects);
            stage.premise_some(format!("{what} in the live stores before"), found)?;
        }
        let from = stage.now();
        stage.done(Act::DeleteDatabase { tenant: TENANT }).await?;
        let ceiling = stage.brief().ceiling(from)?;
        for at in [ceiling, second_after(ceiling)] {
            stage.pass_until(at).await?;
            for (what, canary) in &all {
                let what = format!("{what} of a database past its ceiling");
                nothing_left(stage, &what, canary).await?;
            }
        }
        let events = stage.events().await?;
        let purge = events.iter().find(|e| e.action == Action::DatabasePurged);
        let logged = if purge.is_some() {
            "logged"
        } else {
            "not logged"
        };
        stage.check("the purge of the database", "logged", logged)?;
        if let Some(purge) = purge {
            stage.note_ceiling(from, purge.at, ceiling);
        }
        let reach = read_by(stage, NEIGHBOUR, &kept, Reader::Front).await?;
        stage.check("the database of a neighbour", "readable", word(reach))
    })
}

fn deleted_unreadable<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        tenant_alone(stage, NEIGHBOUR).await?;
        let gone = put(stage, TENANT, Record(1)).await?;
        let kept = put(stage, NEIGHBOUR, Record(1)).await?;
        let ways = ways(stage, TENANT, &gone).await?;
        let before = listed(stage, TENANT, Record(1)).await?;
        stage.premise("the list", 1, before)?;
        stage.done(Act::DeleteDatabase { tenant: TENANT }).await?;
        let by = stage.brief().at_once_or_by(stage.now())?;
        if by > stage.now() {
            stage.pass_until(by).await?;
        }
        unreadable(stage, "a deleted database", TENANT, &gone, &ways).await?;
        stage.pass(Duration::SECOND).await?;
        unreadable(stage, "a deleted database", TENANT, &gone, &ways).await?;
        stage.pass(Duration::DAY).await?;
        unreadable(stage, "a deleted database", TENANT, &gone, &ways).await?;
        let reach = read_by(stage, NEIGHBOUR, &kept, Reader::Front).await?;
        stage.check("the database of a neighbour", "readable", word(reach))
    })
}
