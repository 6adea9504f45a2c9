//! Purging by hand: an administrator of the database alone can, gets a signed certificate, and the
//! bytes are gone within the declared time.

use covenant_core::note::Vkey;
use covenant_core::statement::Statement;
use covenant_core::{Action, BoxFuture};

use super::bin::{CHURN_SEED, nothing_left};
use super::steps::{Put, Reach, TENANT, events_on, put, reach, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Certified, Person, Record, Seen, Tenant};
use crate::canary::{Sight, Store};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Rows of the database that has lived, and how many of them are purged at once.
const CHURN_ROWS: u32 = 20_000;
const CHURN_DELETES: u32 = 2_000;
/// Whose administrator is a stranger to [`TENANT`].
const OTHER: Tenant = Tenant(2);

/// Those whom the words name can purge by hand, and get a certificate; others are denied and change
/// nothing.
pub(super) const ADMIN_ONLY: Scenario = Scenario {
    id: "bin::manual_purge_admin_only",
    shape: Shape::Words,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::DeleteRecord,
        ActKind::RestoreRecord,
        ActKind::ReadRecord,
        ActKind::PurgeByHand,
        ActKind::SetCadence,
    ],
    kills: &[Sabotage::RoleByMember],
    run: admin_only,
};

/// What is purged by hand leaves no byte in the live stores after the declared time, on a file that
/// has lived.
pub(super) const BYTES: Scenario = Scenario {
    id: "bin::manual_purge_bytes",
    shape: Shape::Declared("manual_purge"),
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::DeleteRecord,
        ActKind::Churn,
        ActKind::PurgeByHand,
        ActKind::SetCadence,
    ],
    kills: &[Sabotage::IndexRowOnly, Sabotage::NoVacuum],
    run: bytes,
};

fn admin_only<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let everybody = |word: &str| Person::ALL.into_iter().find(|who| who.name() == word);
        let allowed = stage.brief().words(everybody);
        let named = u64::try_from(allowed.len()).unwrap_or(u64::MAX);
        stage.premise_some("somebody whom the clause names", named)?;
        tenant_alone(stage, TENANT).await?;
        tenant_alone(stage, OTHER).await?;
        for (number, who) in (1..).zip(Person::ALL) {
            let record = put(stage, TENANT, Record(number)).await?;
            delete(stage, &record).await?;
            let purged = purge(stage, Some(record.record), who).await?;
            let observed = if purged.is_some() { "purged" } else { "denied" };
            let expected = if allowed.contains(&who) {
                "purged"
            } else {
                "denied"
            };
            let property = format!("a record in the bin, purged by hand by a {who}");
            stage.check(property, expected, observed)?;
            match purged {
                Some(certified) => {
                    certificate(stage, &certified, 1)?;
                    gone(stage, &record).await?;
                }
                None => back(stage, &record).await?,
            }
        }
        Ok(())
    })
}

async fn delete(stage: &mut Stage<'_>, record: &Put) -> Result<(), Stop> {
    let act = Act::DeleteRecord {
        tenant: TENANT,
        record: record.record,
    };
    stage.done(act).await
}

/// Purges by hand; `None` when it was denied.
async fn purge(
    stage: &mut Stage<'_>,
    record: Option<Record>,
    by: Person,
) -> Result<Option<Certified>, Stop> {
    let act = Act::PurgeByHand {
        tenant: TENANT,
        record,
        by,
    };
    match stage.try_act(act).await? {
        Ok(Seen::Certified(certified)) => Ok(Some(certified)),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::PurgeByHand)),
        Err(_) => Ok(None),
    }
}

/// Checks that the certificate opens under the system's key, in no other form, and tells of so many
/// records in stores that are all done.
fn certificate(stage: &mut Stage<'_>, certified: &Certified, records: u64) -> Result<(), Stop> {
    let known: Vec<Vkey> = certified.key.parse().into_iter().collect();
    let opened = Statement::open(&certified.note, &known);
    let word = |ok: &bool| if *ok { "opens" } else { "does not open" };
    stage.check(
        "the signed certificate under the system's key",
        "opens",
        word(&opened.is_ok()),
    )?;
    let Ok(statement) = opened else { return Ok(()) };
    let altered = certified.note.replacen("items.count ", "items.count 9", 1);
    stage.check(
        "the certificate with another count",
        "does not open",
        word(&Statement::open(&altered, &known).is_ok()),
    )?;
    let count = statement.value("items.count").unwrap_or("none").to_owned();
    stage.check("records on the certificate", records.to_string(), count)?;
    let stores = statement
        .lines()
        .filter(|(name, _)| name.starts_with("store."));
    let (done, open): (Vec<_>, Vec<_>) = stores.partition(|(_, told)| told.contains(" done at "));
    let some = if done.is_empty() { "none" } else { "some" };
    stage.check("stores on the certificate", "some", some)?;
    stage.check("stores that are not done", 0, open.len())
}

/// Checks that the record cannot be had back, and that the log tells of its purge.
async fn gone(stage: &mut Stage<'_>, record: &Put) -> Result<(), Stop> {
    let act = Act::RestoreRecord {
        tenant: TENANT,
        record: record.record,
    };
    let restored = stage.try_act(act).await?;
    let observed = if restored.is_ok() {
        "restored"
    } else {
        "refused"
    };
    stage.check("restoring what was purged by hand", "refused", observed)?;
    let events = stage.events().await?;
    for action in [Action::RecordManualPurge, Action::RecordPurged] {
        let told = events_on(&events, &record.item, &[action]).count();
        stage.check(format!("{action} of it in the log"), 1, told)?;
    }
    Ok(())
}

/// Checks that the record is in the bin as it was.
async fn back(stage: &mut Stage<'_>, record: &Put) -> Result<(), Stop> {
    let act = Act::RestoreRecord {
        tenant: TENANT,
        record: record.record,
    };
    let restored = stage.try_act(act).await?;
    let observed = if restored.is_ok() {
        "restored"
    } else {
        "refused"
    };
    let property = "restoring from the bin what somebody was denied to purge";
    stage.check(property, "restored", observed)?;
    let reached = reach(stage, TENANT, record).await?;
    stage.check("the record after it was restored", Reach::Readable, reached)
}

fn bytes<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let one = put(stage, TENANT, Record(1)).await?;
        let kept = put(stage, TENANT, Record(2)).await?;
        let act = Act::Churn {
            tenant: TENANT,
            rows: CHURN_ROWS,
            deletes: CHURN_DELETES,
            seed: CHURN_SEED,
        };
        let Seen::Churned(churned) = stage.act(act).await? else {
            return Err(Stop::WrongAnswer(ActKind::Churn));
        };
        delete(stage, &one).await?;
        let seen = stage.search(&churned).await?;
        let seen = seen.found(Store::Rows, Sight::Salt);
        stage.premise_some("salts of deleted rows while they are in the bin", seen)?;
        let from = stage.now();
        let act = Act::PurgeByHand {
            tenant: TENANT,
            record: None,
            by: Person::DatabaseAdministrator,
        };
        // One that fails has until then, and its bytes are looked for all the same.
        let certified = match stage.act(act).await {
            Ok(Seen::Certified(certified)) => Some(certified),
            Err(Stop::Refused { .. }) => None,
            Ok(_) => return Err(Stop::WrongAnswer(ActKind::PurgeByHand)),
            Err(stop) => return Err(stop),
        };
        let by = stage.brief().declared(from)?;
        stage.note_ceiling(from, stage.now(), by);
        stage.pass_until(by).await?;
        let what = "records that were purged by hand, on a file that has lived,";
        nothing_left(stage, what, &churned).await?;
        for canary in [&one.body, &one.sensitive, &one.attachment] {
            nothing_left(stage, "a record that was purged by hand", canary).await?;
        }
        let observed = if certified.is_some() {
            "done"
        } else {
            "failed"
        };
        stage.check("the purge by hand", "done", observed)?;
        if let Some(certified) = certified {
            certificate(stage, &certified, u64::from(CHURN_DELETES) + 1)?;
        }
        let reached = reach(stage, TENANT, &kept).await?;
        stage.check("a record that is not in the bin", Reach::Readable, reached)
    })
}
