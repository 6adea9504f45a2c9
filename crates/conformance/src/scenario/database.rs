//! Whole databases: once deleted, nobody reads them by any way.

use covenant_core::BoxFuture;
use time::Duration;

use super::steps::{Put, Reach, TENANT, listed, put, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Reader, Record, Seen, Tenant};
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

fn deleted_unreadable<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        tenant_alone(stage, NEIGHBOUR).await?;
        let gone = put(stage, TENANT, Record(1)).await?;
        let kept = put(stage, NEIGHBOUR, Record(1)).await?;
        let mut ways = Vec::new();
        for reader in Reader::ALL {
            match read(stage, TENANT, &gone, *reader).await? {
                None => {}
                Some(reach) => {
                    stage.premise(format!("read by {reader:?}"), Reach::Readable, reach)?;
                    ways.push(*reader);
                }
            }
        }
        for way in [Reader::Front, Reader::OpenSession] {
            let has = if ways.contains(&way) {
                "there"
            } else {
                "missing"
            };
            stage.premise(format!("a way to read by {way:?}"), "there", has)?;
        }
        let before = listed(stage, TENANT, Record(1)).await?;
        stage.premise("the list", 1, before)?;
        stage.done(Act::DeleteDatabase { tenant: TENANT }).await?;
        let by = stage.brief().at_once_or_by(stage.now())?;
        if by > stage.now() {
            stage.pass_until(by).await?;
        }
        unreadable(stage, &gone, &ways).await?;
        stage.pass(Duration::SECOND).await?;
        unreadable(stage, &gone, &ways).await?;
        stage.pass(Duration::DAY).await?;
        unreadable(stage, &gone, &ways).await?;
        let reach = read(stage, NEIGHBOUR, &kept, Reader::Front).await?;
        stage.check("the database of a neighbour", "readable", word(reach))
    })
}

/// Checks that nothing of a deleted database is read: by any of the ways, by list or by reveal.
async fn unreadable(stage: &mut Stage<'_>, put: &Put, ways: &[Reader]) -> Result<(), Stop> {
    for reader in ways {
        let reach = read(stage, TENANT, put, *reader).await?;
        let property = format!("a deleted database read by {reader:?}");
        stage.check(property, "unreadable", word(reach))?;
    }
    let count = listed(stage, TENANT, put.record).await?;
    stage.check("records listed of a deleted database", 0, count)?;
    let act = Act::RevealSensitive {
        tenant: TENANT,
        record: put.record,
    };
    let revealed = stage.try_act(act).await?;
    let observed = if matches!(revealed, Ok(Seen::Revealed(_))) {
        "revealed"
    } else {
        "refused"
    };
    stage.check(
        "a sensitive field of a deleted database",
        "refused",
        observed,
    )
}

/// What one way of reading gives; `None` when the system has no such way.
async fn read(
    stage: &mut Stage<'_>,
    tenant: Tenant,
    put: &Put,
    reader: Reader,
) -> Result<Option<Reach>, Stop> {
    let act = Act::ReadFrom {
        tenant,
        record: put.record,
        reader,
    };
    match stage.try_act(act).await? {
        Ok(Seen::Record(seen)) => Ok(Some(Reach::of(Some(&seen), put))),
        Ok(Seen::Absent) => Ok(None),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::ReadFrom)),
        Err(_) => Ok(Some(Reach::Unreadable)),
    }
}

const fn word(reach: Option<Reach>) -> &'static str {
    match reach {
        Some(Reach::Readable | Reach::Altered) => "readable",
        Some(Reach::Unreadable) | None => "unreadable",
    }
}
