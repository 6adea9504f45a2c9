//! The end of a trial and of a subscription: nobody gets in, a trial is deleted in its time, and a paid
//! database is kept, locked, until somebody deletes it.

use covenant_core::{Action, BoxFuture};
use time::Duration;

use super::steps::{
    Put, Reach, TENANT, listed, put, read_by, second_after, tenant_alone, unreadable, ways, word,
};
use super::{Scenario, Shape, Starts};
use crate::act::{
    Act, ActKind, Cadence, KeyRole, KeySeen, KeyStanding, KeyUse, KeyVerb, Person, Reader, Record,
    Seen, Tenant,
};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// A second tenant: the other event, or a neighbour.
const OTHER: Tenant = Tenant(2);
/// A tenant to which nothing happens.
const NEIGHBOUR: Tenant = Tenant(3);
/// How long a locked database is looked at: longer than any period that could end it.
const LOCKED_DAYS: i64 = 400;

/// Either event ends every way in at its commit, and a new subscription brings all of it back.
pub(super) const EXPIRES_ON_BOTH_EVENTS: Scenario = Scenario {
    id: "database::expires_on_both_events",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadFrom,
        ActKind::RevealSensitive,
        ActKind::ListRecords,
        ActKind::SetCadence,
        ActKind::EndTrial,
        ActKind::CancelSubscription,
        ActKind::StartSubscription,
    ],
    kills: &[Sabotage::TrialForgotten],
    run: both_events,
};

/// Of all entry points as many let somebody into an expired database as the clause says; backups and
/// rotations of its keys go on.
pub(super) const EXPIRED_DENIED: Scenario = Scenario {
    id: "access::expired_denied",
    shape: Shape::Count,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ChangeRecord,
        ActKind::DeleteRecord,
        ActKind::RestoreRecord,
        ActKind::PurgeByHand,
        ActKind::ReadFrom,
        ActKind::ReadAs,
        ActKind::RevealSensitive,
        ActKind::ListRecords,
        ActKind::SetCadence,
        ActKind::EndTrial,
        ActKind::BackUp,
        ActKind::ListKeys,
        ActKind::AdministerKey,
    ],
    kills: &[Sabotage::ExpiredReadable],
    run: expired_denied,
};

/// A paid database is locked with its keys switched off, backed up, and whole again whenever a
/// subscription starts.
pub(super) const PAID_LOCKED: Scenario = Scenario {
    id: "database::paid_locked",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadFrom,
        ActKind::RevealSensitive,
        ActKind::ListRecords,
        ActKind::SetCadence,
        ActKind::CancelSubscription,
        ActKind::StartSubscription,
        ActKind::ListSnapshots,
        ActKind::ListKeys,
    ],
    kills: &[Sabotage::LockWithoutKey, Sabotage::PurgeEarly],
    run: paid_locked,
};

/// A trial that has ended is deleted by the ceiling, without a person; one that goes on as a
/// subscription is not.
pub(super) const TRIAL_DELETED: Scenario = Scenario {
    id: "database::trial_deleted",
    shape: Shape::Ceiling,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadFrom,
        ActKind::RevealSensitive,
        ActKind::ListRecords,
        ActKind::SetCadence,
        ActKind::EndTrial,
        ActKind::StartSubscription,
    ],
    kills: &[Sabotage::TrialForgotten, Sabotage::PurgeLate],
    run: trial_deleted,
};

fn both_events<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let ends = [
            (TENANT, Action::TrialEnded, Act::EndTrial { tenant: TENANT }),
            (
                OTHER,
                Action::SubscriptionCancelled,
                Act::CancelSubscription { tenant: OTHER },
            ),
        ];
        for (tenant, action, act) in ends {
            tenant_alone(stage, tenant).await?;
            let record = put(stage, tenant, Record(1)).await?;
            let ways = ways(stage, tenant, &record).await?;
            stage.done(act).await?;
            let what = format!("a database after {action}");
            unreadable(stage, &what, tenant, &record, &ways).await?;
            stage.pass(Duration::SECOND).await?;
            unreadable(stage, &what, tenant, &record, &ways).await?;
            stage.pass(Duration::DAY).await?;
            unreadable(stage, &what, tenant, &record, &ways).await?;
            let events = stage.events().await?;
            let told = events.iter().filter(|event| event.action == action).count();
            stage.check(format!("{action} in the log"), 1, told)?;
            resumed(stage, tenant, &record).await?;
        }
        Ok(())
    })
}

/// Checks that a subscription can start, and that the record is there again.
pub(super) async fn resumed(
    stage: &mut Stage<'_>,
    tenant: Tenant,
    record: &Put,
) -> Result<(), Stop> {
    let started = stage.try_act(Act::StartSubscription { tenant }).await?;
    let observed = if started.is_ok() {
        "started"
    } else {
        "refused"
    };
    let property = "a subscription of an expired database";
    stage.check(property, "started", observed)?;
    let reach = read_by(stage, tenant, record, Reader::Front).await?;
    let property = "a record after the subscription started";
    stage.check(
        property,
        Reach::Readable,
        reach.unwrap_or(Reach::Unreadable),
    )
}

fn expired_denied<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        tenant_alone(stage, NEIGHBOUR).await?;
        let record = put(stage, TENANT, Record(1)).await?;
        let binned = put(stage, TENANT, Record(2)).await?;
        let kept = put(stage, NEIGHBOUR, Record(1)).await?;
        let ways = ways(stage, TENANT, &record).await?;
        for who in [
            Person::DatabaseAdministrator,
            Person::Member,
            Person::Reader,
        ] {
            let read = stage.try_act(read_as(&record, who)).await?;
            let observed = if read.is_ok() { "reads" } else { "is denied" };
            stage.premise(format!("a {who} before the end"), "reads", observed)?;
        }
        let act = Act::DeleteRecord {
            tenant: TENANT,
            record: binned.record,
        };
        stage.done(act).await?;
        stage.done(Act::EndTrial { tenant: TENANT }).await?;
        let count = stage.brief().count()?;
        let mut entered = listed(stage, TENANT, record.record).await?;
        for way in ways {
            let reach = read_by(stage, TENANT, &record, way).await?;
            entered += u64::from(word(reach) == "readable");
        }
        for act in entries(stage, &record, &binned) {
            entered += u64::from(stage.try_act(act).await?.is_ok());
        }
        stage.check("entry points into an expired database", count, entered)?;
        let made = stage.try_act(Act::BackUp { tenant: TENANT }).await?;
        let observed = if made.is_ok() { "made" } else { "refused" };
        stage.check("a backup of an expired database", "made", observed)?;
        for key in keys(stage, TENANT).await? {
            let act = Act::AdministerKey {
                role: KeyRole::SystemAdministrator,
                key: key.id,
                verb: KeyVerb::Rotate,
            };
            let rotated = stage.try_act(act).await?;
            let observed = if rotated.is_ok() { "done" } else { "refused" };
            stage.check("a rotation of its keys", "done", observed)?;
        }
        let reach = read_by(stage, NEIGHBOUR, &kept, Reader::Front).await?;
        stage.check("the database of a neighbour", "readable", word(reach))
    })
}

fn read_as(record: &Put, by: Person) -> Act {
    Act::ReadAs {
        tenant: TENANT,
        record: record.record,
        by,
    }
}

/// Every act by which somebody would get into the database, the operator's staff included.
fn entries(stage: &mut Stage<'_>, record: &Put, binned: &Put) -> Vec<Act> {
    let tenant = TENANT;
    let mut acts: Vec<Act> = Person::ALL
        .iter()
        .map(|who| read_as(record, *who))
        .collect();
    acts.extend(Person::ALL.iter().map(|who| Act::PurgeByHand {
        tenant,
        record: Some(binned.record),
        by: *who,
    }));
    acts.extend([
        Act::RevealSensitive {
            tenant,
            record: record.record,
        },
        Act::ChangeRecord {
            tenant,
            record: record.record,
            body: stage.canary(),
        },
        Act::DeleteRecord {
            tenant,
            record: record.record,
        },
        Act::RestoreRecord {
            tenant,
            record: binned.record,
        },
        Act::PutRecord {
            tenant,
            record: Record(3),
            body: stage.canary(),
            sensitive: None,
            attachment: None,
        },
    ]);
    acts
}

/// The keys of the tenant's contents, as an administrator of the system sees them.
pub(super) async fn keys(stage: &mut Stage<'_>, tenant: Tenant) -> Result<Vec<KeySeen>, Stop> {
    let act = Act::ListKeys {
        role: KeyRole::SystemAdministrator,
    };
    let Seen::Keys(mut keys) = stage.act(act).await? else {
        return Err(Stop::WrongAnswer(ActKind::ListKeys));
    };
    let of_contents = [KeyUse::Contents(tenant), KeyUse::Sensitive(tenant)];
    keys.retain(|key| of_contents.contains(&key.serves));
    let count = u64::try_from(keys.len()).unwrap_or(u64::MAX);
    stage.premise_some("keys of the tenant's contents", count)?;
    Ok(keys)
}

fn paid_locked<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let record = put(stage, TENANT, Record(1)).await?;
        let ways = ways(stage, TENANT, &record).await?;
        stage
            .done(Act::CancelSubscription { tenant: TENANT })
            .await?;
        let locked_at = stage.now();
        stage.pass(Duration::HOUR).await?;
        unreadable(stage, "a locked database", TENANT, &record, &ways).await?;
        for key in keys(stage, TENANT).await? {
            let property = "a key of a locked database";
            stage.check(property, KeyStanding::Disabled, key.standing)?;
        }
        let cadence = Cadence::Daily;
        stage.done(Act::SetCadence { cadence }).await?;
        stage.pass(Duration::days(2)).await?;
        let cadence = Cadence::Off;
        stage.done(Act::SetCadence { cadence }).await?;
        let snapshots = stage.snapshots(TENANT).await?;
        let since = snapshots.iter().any(|one| one.completed_at > locked_at);
        let observed = if since { "made" } else { "not made" };
        stage.check("backups of a locked database", "made", observed)?;
        stage.pass(Duration::days(LOCKED_DAYS)).await?;
        unreadable(stage, "a locked database", TENANT, &record, &ways).await?;
        let events = stage.events().await?;
        let gone = [Action::DatabaseDeleted, Action::DatabasePurged];
        let ended = events.iter().filter(|e| gone.contains(&e.action)).count();
        stage.check("ends of a locked database in the log", 0, ended)?;
        resumed(stage, TENANT, &record).await?;
        let act = Act::RevealSensitive {
            tenant: TENANT,
            record: record.record,
        };
        let revealed = stage.try_act(act).await?;
        let observed = if revealed.is_ok() {
            "opens"
        } else {
            "does not open"
        };
        let property = "its sensitive field after the subscription started";
        stage.check(property, "opens", observed)
    })
}

fn trial_deleted<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        tenant_alone(stage, OTHER).await?;
        let record = put(stage, TENANT, Record(1)).await?;
        let kept = put(stage, OTHER, Record(1)).await?;
        let ways = ways(stage, TENANT, &record).await?;
        let from = stage.now();
        for tenant in [TENANT, OTHER] {
            stage.done(Act::EndTrial { tenant }).await?;
        }
        stage.pass(Duration::DAY).await?;
        let act = Act::StartSubscription { tenant: OTHER };
        drop(stage.try_act(act).await?);
        let ceiling = stage.brief().ceiling(from)?;
        stage.pass_until(ceiling).await?;
        let events = stage.events().await?;
        let deleted = events.iter().find(|e| e.action == Action::DatabaseDeleted);
        let logged = if deleted.is_some() {
            "logged"
        } else {
            "not logged"
        };
        stage.check("the deletion of an expired trial", "logged", logged)?;
        if let Some(deleted) = deleted {
            stage.note_ceiling(from, deleted.at, ceiling);
        }
        let act = Act::StartSubscription { tenant: TENANT };
        let started = stage.try_act(act).await?;
        let observed = if started.is_ok() {
            "started"
        } else {
            "refused"
        };
        let property = "a subscription of a trial past its ceiling";
        stage.check(property, "refused", observed)?;
        unreadable(stage, "a trial past its ceiling", TENANT, &record, &ways).await?;
        stage.pass_until(second_after(ceiling)).await?;
        let reach = read_by(stage, OTHER, &kept, Reader::Front).await?;
        let property = "a database whose trial went on as a subscription";
        stage.check(property, "readable", word(reach))
    })
}
