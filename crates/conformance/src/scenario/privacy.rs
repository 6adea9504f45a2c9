//! Privacy: an especially sensitive field is shown only to whoever asks for it by an act of its own,
//! and the log tells of each such act.
//!
//! What stands on a screen before the click is attested; what a service could put there is seen here.

use std::collections::BTreeSet;

use covenant_core::event::ActorKind;
use covenant_core::{Action, BoxFuture, EventId, Outcome};
use time::Duration;

use super::key_life::revealed;
use super::steps::{Put, Reach, TENANT, put, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Reader, Record, RecordSeen, Seen};
use crate::canary::occurrences;
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// No way of reading shows anything of the field; revealing it does, and each reveal is on record with
/// its instant and its member when the field is there.
pub(super) const MASKED_UNTIL_REVEALED: Scenario = Scenario {
    id: "privacy::masked_until_revealed",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadFrom,
        ActKind::RevealSensitive,
    ],
    kills: &[Sabotage::AccessUnlogged],
    run: masked_until_revealed,
};

/// How often the field is revealed: what is kept after the first time must not make the second silent.
const REVEALS: usize = 2;

fn masked_until_revealed<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let shown = put(stage, TENANT, Record(1)).await?;
        let other = put(stage, TENANT, Record(2)).await?;
        masked(stage, &[&shown, &other]).await?;
        check_reveals(stage, &shown, 0).await?;
        for times in 1..=REVEALS {
            stage.pass(Duration::MINUTE).await?;
            let before = known(stage).await?;
            let seen = revealed(stage, &shown).await?;
            stage.premise("the field when revealed", Reach::Readable, seen)?;
            on_record(stage, &before, &shown).await?;
            check_reveals(stage, &shown, times).await?;
            // the field is masked again for the next look
            masked(stage, &[&shown, &other]).await?;
        }
        check_reveals(stage, &other, 0).await
    })
}

/// Checks that no way of reading shows anything of the records' fields, and that what stands in
/// their places does not tell them apart.
async fn masked(stage: &mut Stage<'_>, puts: &[&Put]) -> Result<(), Stop> {
    let mut masks = BTreeSet::new();
    let mut ways: u64 = 0;
    for put in puts {
        for reader in Reader::ALL {
            let Some(seen) = read_by(stage, put, *reader).await? else {
                continue;
            };
            let reach = Reach::of(Some(&seen), put);
            stage.premise(format!("the record by {reader:?}"), Reach::Readable, reach)?;
            let RecordSeen {
                body,
                attachment,
                sensitive,
            } = seen;
            let all = [Some(body), attachment, sensitive.clone()];
            let marker = put.sensitive.marker();
            let shows = |bytes: Vec<u8>| occurrences(&bytes, marker) > 0;
            let found = if all.into_iter().flatten().any(shows) {
                "shown"
            } else {
                "masked"
            };
            stage.check(format!("the field by {reader:?}"), "masked", found)?;
            masks.insert(sensitive);
            ways = ways.saturating_add(1);
        }
    }
    stage.premise_some("records read", ways)?;
    let kinds = if masks.len() > 1 {
        "different"
    } else {
        "the same"
    };
    stage.check("what stands in the place of the fields", "the same", kinds)
}

/// What this way gives of the record; `None` when there is no such way.
async fn read_by(
    stage: &mut Stage<'_>,
    put: &Put,
    reader: Reader,
) -> Result<Option<RecordSeen>, Stop> {
    let act = Act::ReadFrom {
        tenant: TENANT,
        record: put.record,
        reader,
    };
    match stage.try_act(act).await? {
        Ok(Seen::Record(seen)) => Ok(Some(seen)),
        Ok(Seen::Absent) | Err(_) => Ok(None),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::ReadFrom)),
    }
}

async fn known(stage: &mut Stage<'_>) -> Result<BTreeSet<EventId>, Stop> {
    let events = stage.events().await?;
    Ok(events.iter().map(|event| event.id).collect())
}

/// Checks that the log has got an entry on the record's field that names this instant and a member.
async fn on_record(
    stage: &mut Stage<'_>,
    before: &BTreeSet<EventId>,
    put: &Put,
) -> Result<(), Stop> {
    let now = stage.now();
    let events = stage.events().await?;
    let mut new = events.iter().filter(|event| !before.contains(&event.id));
    let found = new.any(|event| {
        event.action == Action::FieldRevealed
            && event.target.id.as_ref() == Some(&put.item)
            && event.outcome == Outcome::Ok
            && event.at == now
            && event.actor.kind == ActorKind::Member
            && event.actor.id.is_some()
    });
    let found = if found { "on record" } else { "unknown" };
    stage.check("the reveal, with instant and member", "on record", found)
}

/// Checks how many reveals of the record's field the log tells of.
async fn check_reveals(stage: &mut Stage<'_>, put: &Put, times: usize) -> Result<(), Stop> {
    let events = stage.events().await?;
    let reveals = events.iter().filter(|event| {
        event.action == Action::FieldRevealed && event.target.id.as_ref() == Some(&put.item)
    });
    let record = put.record;
    stage.check(
        format!("reveals of {record} on record"),
        times,
        reveals.count(),
    )
}
