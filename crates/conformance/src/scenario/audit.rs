//! The audit log: every change leaves an entry that names the instant and the user.

use std::collections::BTreeSet;

use covenant_core::event::ActorKind;
use covenant_core::{Action, BoxFuture, EventId, ItemId, Outcome};
use time::Duration;

use super::steps::{TENANT, put, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Record, Seen};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Every mutation has an entry with instant and member, and no touched row is unaccounted for.
pub(super) const EVERY_CHANGE: Scenario = Scenario {
    id: "audit::every_change",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ChangeRecord,
        ActKind::DeleteRecord,
        ActKind::RestoreRecord,
        ActKind::AuditCoverage,
    ],
    kills: &[Sabotage::ChangeUnlogged],
    run: every_change,
};

/// How many times a record goes through its whole life.
const ROUNDS: u32 = 3;

fn every_change<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let mut touched = 0_u64;
        for number in 1..=ROUNDS {
            let record = Record(number);
            let before = known(stage).await?;
            let item = put(stage, TENANT, record).await?.item;
            logged(
                stage,
                before,
                &item,
                &[Action::RecordCreated, Action::ChangeRecorded],
            )
            .await?;
            for turn in 0..2_u8 {
                stage.pass(Duration::MINUTE).await?;
                let body = stage.canary();
                let change = Act::ChangeRecord {
                    tenant: TENANT,
                    record,
                    body,
                };
                let before = known(stage).await?;
                stage.put(change).await?;
                logged(stage, before, &item, &[Action::ChangeRecorded]).await?;
                let (act, action) = if turn == 0 {
                    (
                        Act::DeleteRecord {
                            tenant: TENANT,
                            record,
                        },
                        Action::RecordDeleted,
                    )
                } else {
                    continue;
                };
                mutate(stage, act, &item, action).await?;
                let act = Act::RestoreRecord {
                    tenant: TENANT,
                    record,
                };
                mutate(stage, act, &item, Action::RecordRestored).await?;
            }
            touched = covered(stage, touched).await?;
        }
        Ok(())
    })
}

async fn mutate(
    stage: &mut Stage<'_>,
    act: Act,
    item: &ItemId,
    action: Action,
) -> Result<(), Stop> {
    stage.pass(Duration::MINUTE).await?;
    let before = known(stage).await?;
    stage.done(act).await?;
    logged(stage, before, item, &[action, Action::ChangeRecorded]).await
}

/// What the logs hold now: their order says nothing about which entries are new.
async fn known(stage: &mut Stage<'_>) -> Result<BTreeSet<EventId>, Stop> {
    let events = stage.events().await?;
    Ok(events.iter().map(|event| event.id).collect())
}

/// Checks that the log has grown by an entry on the item that names this instant and a member.
async fn logged(
    stage: &mut Stage<'_>,
    before: BTreeSet<EventId>,
    item: &ItemId,
    actions: &[Action],
) -> Result<(), Stop> {
    let now = stage.now();
    let events = stage.events().await?;
    let mut new = events.iter().filter(|event| !before.contains(&event.id));
    let found = new.any(|event| {
        event.target.id.as_ref() == Some(item)
            && actions.contains(&event.action)
            && event.outcome == Outcome::Ok
            && event.at == now
            && event.actor.kind == ActorKind::Member
            && event.actor.id.is_some()
    });
    let names: Vec<_> = actions.iter().map(|action| action.name()).collect();
    let property = format!("{} with instant and user", names.join(" or "));
    stage.check(
        property,
        "logged",
        if found { "logged" } else { "not logged" },
    )
}

/// Checks that all touched rows are accounted for; returns how many were touched so far.
async fn covered(stage: &mut Stage<'_>, before: u64) -> Result<u64, Stop> {
    let Seen::Coverage(coverage) = stage.act(Act::AuditCoverage { tenant: TENANT }).await? else {
        return Err(Stop::WrongAnswer(ActKind::AuditCoverage));
    };
    let grown = coverage.touched.saturating_sub(before);
    stage.premise_some("rows touched that the triggers counted", grown)?;
    let missing = coverage.touched.saturating_sub(coverage.attributed);
    stage.check("touched rows without an entry in the log", 0, missing)?;
    Ok(coverage.touched)
}
