//! One attached file, deleted by itself: its public name is gone within seconds, and from then on no
//! way leads to it.

use covenant_core::{Action, BoxFuture, Event, ItemId};
use time::Duration;

use super::ruled::keeps_no_versions;
use super::steps::{
    Put, Reach, TENANT, around_midnight, events_on, put, reach, tenant_alone, ways,
};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, FileWay, Reader, Record, RecordSeen, Seen};
use crate::canary::occurrences;
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Ways that every store of files has: one that lacks any of them is looked at by nobody.
const USUAL: [FileWay; 4] = [FileWay::Service, FileWay::Get, FileWay::Head, FileWay::List];
/// How long the log may take to say that a deleted file is out of reach: far longer than any promise,
/// so that another scenario tells a slow system.
const PATIENCE: [Duration; 4] = [
    Duration::ZERO,
    Duration::MINUTE,
    Duration::HOUR,
    Duration::DAY,
];

/// By the ceiling the log says that a deleted file is out of reach, and its name leads nowhere; no
/// record shows it from the deletion on.
pub(super) const UNREACHABLE: Scenario = Scenario {
    id: "bin::object_unreachable",
    shape: Shape::Ceiling,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadRecord,
        ActKind::ReadFrom,
        ActKind::DeleteAttachment,
        ActKind::ReachAttachment,
        ActKind::SetCadence,
    ],
    kills: &[Sabotage::ObjectStillPublic],
    run: unreachable,
};

/// Once the log says that a deleted file is out of reach, as many ways lead to it as the clause says,
/// which is none: not then, not later, and not after a backup from before its deletion was put in the
/// place of the store.
pub(super) const GONE_EVERY_WAY: Scenario = Scenario {
    id: "bin::object_gone_every_way",
    shape: Shape::Count,
    starts: Starts::Once,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ReadRecord,
        ActKind::ReadFrom,
        ActKind::DeleteAttachment,
        ActKind::ReachAttachment,
        ActKind::BackUp,
        ActKind::RestoreInPlace,
        ActKind::SetCadence,
        ActKind::StartAnother,
    ],
    kills: &[Sabotage::ObjectStillPublic, Sabotage::BucketUnasked],
    run: gone_every_way,
};

fn unreachable<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let kept = put(stage, TENANT, Record(9)).await?;
        file_ways(stage, &kept).await?;
        for (number, at) in (1..).zip(around_midnight(stage, Duration::SECOND)) {
            let one = put(stage, TENANT, Record(number)).await?;
            let before = reach(stage, TENANT, &one).await?;
            stage.premise("a record with a file", Reach::Readable, before)?;
            file_ways(stage, &one).await?;
            stage.pass_until(at).await?;
            let file = delete(stage, &one).await?;
            let from = stage.now();
            without_file(stage, &one, &[Reader::Front]).await?;
            let by = stage.brief().ceiling(from)?;
            stage.pass_until(by).await?;
            let events = stage.events().await?;
            let told = unreachable_events(&events, &file);
            stage.check("events that the file is out of reach", 1, told.len())?;
            if let Some(event) = told.first() {
                let word = if event.at <= by { "in time" } else { "late" };
                stage.check("the file out of reach", "in time", word)?;
                stage.note_ceiling(from, event.at, by);
            }
            for way in [FileWay::Get, FileWay::Head, FileWay::List] {
                let open = is_open(reached(stage, &one, way).await?);
                let property = format!("{way}, of a deleted file after the ceiling");
                stage.check(property, word(Open::No), word(open))?;
            }
            without_file(stage, &one, &[Reader::Front]).await?;
        }
        still_there(stage, &kept).await
    })
}

fn gone_every_way<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        keeps_no_versions(stage).await?;
        tenant_alone(stage, TENANT).await?;
        let gone = put(stage, TENANT, Record(1)).await?;
        let kept = put(stage, TENANT, Record(2)).await?;
        let readers = ways(stage, TENANT, &gone).await?;
        file_ways(stage, &gone).await?;
        file_ways(stage, &kept).await?;
        let snapshot = stage.back_up(TENANT).await?;
        let file = delete(stage, &gone).await?;
        told(stage, &file).await?;
        closed(stage, "once it is out of reach", &gone, &readers).await?;
        stage.pass(Duration::DAY).await?;
        closed(stage, "a day later", &gone, &readers).await?;
        let act = Act::RestoreInPlace {
            tenant: TENANT,
            snapshot: snapshot.id,
        };
        stage.done(act).await?;
        let fresh = [Reader::Front];
        closed(stage, "after a restore", &gone, &fresh).await?;
        stage.pass(Duration::DAY).await?;
        closed(stage, "a day after a restore", &gone, &fresh).await?;
        still_there(stage, &kept).await
    })
}

/// Waits until the log says that the file is out of reach; a system that never says so has not kept
/// its name from leading there.
async fn told(stage: &mut Stage<'_>, file: &ItemId) -> Result<(), Stop> {
    for wait in PATIENCE {
        if !wait.is_zero() {
            stage.pass(wait).await?;
        }
        let events = stage.events().await?;
        if !unreachable_events(&events, file).is_empty() {
            return Ok(());
        }
    }
    stage.check("the log on a deleted file", "out of reach", "silent")
}

fn unreachable_events<'e>(events: &'e [Event], file: &'e ItemId) -> Vec<&'e Event> {
    events_on(events, file, &[Action::ObjectUnreachable]).collect()
}

/// Deletes the file of the record; its id, as events name it.
async fn delete(stage: &mut Stage<'_>, put: &Put) -> Result<ItemId, Stop> {
    let act = Act::DeleteAttachment {
        tenant: TENANT,
        record: put.record,
    };
    let Seen::File(file) = stage.act(act).await? else {
        return Err(Stop::WrongAnswer(ActKind::DeleteAttachment));
    };
    let events = stage.events().await?;
    let told = events_on(&events, &file, &[Action::ObjectDeleted]).count();
    stage.check("events of the deletion in the log", 1, told)?;
    Ok(file)
}

/// That the usual ways lead to the file, so that it means something when they do not.
async fn file_ways(stage: &mut Stage<'_>, put: &Put) -> Result<(), Stop> {
    for way in FileWay::ALL {
        let seen = reached(stage, put, way).await?;
        if USUAL.contains(&way) || seen != Reached::NoSuchWay {
            let open = word(is_open(seen));
            stage.premise(format!("{way}, before"), word(Open::Yes), open)?;
        }
    }
    Ok(())
}

/// Checks that as many ways as the clause says lead to the file: each that the system has, and each
/// that it said it has not.
async fn closed(
    stage: &mut Stage<'_>,
    when: &str,
    put: &Put,
    readers: &[Reader],
) -> Result<(), Stop> {
    without_file(stage, put, readers).await?;
    let mut open = 0_u64;
    for way in FileWay::ALL {
        let seen = is_open(reached(stage, put, way).await?);
        let property = format!("{way}, of a deleted file {when}");
        stage.check(property, word(Open::No), word(seen))?;
        open = open.saturating_add(u64::from(seen == Open::Yes));
    }
    let allowed = stage.brief().count()?;
    let property = format!("ways to a deleted file {when}");
    stage.check(property, allowed, open)
}

/// Checks that no way of reading the record shows its file, and that a fresh request shows the rest.
async fn without_file(stage: &mut Stage<'_>, put: &Put, readers: &[Reader]) -> Result<(), Stop> {
    for reader in readers {
        let act = Act::ReadFrom {
            tenant: TENANT,
            record: put.record,
            reader: *reader,
        };
        let seen = stage.read(act).await?;
        let observed = match &seen {
            Some(seen) => shows(seen, put),
            None if *reader == Reader::Front => "no record",
            // a session has an end, and shows nothing then
            None => "without the file",
        };
        let property = format!("a record read by {reader:?} after its file was deleted");
        stage.check(property, "without the file", observed)?;
    }
    Ok(())
}

/// What of the record is shown.
fn shows(seen: &RecordSeen, put: &Put) -> &'static str {
    let file = seen.attachment.as_deref().unwrap_or_default();
    if occurrences(&seen.body, put.body.marker()) == 0 {
        "with another body"
    } else if occurrences(file, put.attachment.marker()) > 0 {
        "with the file"
    } else {
        "without the file"
    }
}

/// Checks that a record whose file was not deleted is as it was, and that its file can be reached.
async fn still_there(stage: &mut Stage<'_>, kept: &Put) -> Result<(), Stop> {
    let reached_record = reach(stage, TENANT, kept).await?;
    let property = "a record whose file was not deleted";
    stage.check(property, Reach::Readable, reached_record)?;
    for way in USUAL {
        let open = is_open(reached(stage, kept, way).await?);
        let property = format!("{way}, of a file that was not deleted");
        stage.check(property, word(Open::Yes), word(open))?;
    }
    Ok(())
}

/// What came of trying a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    File,
    Nothing,
    NoSuchWay,
}

/// Whether a way leads to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Yes,
    No,
}

fn is_open(reached: Reached) -> Open {
    if reached == Reached::File {
        Open::Yes
    } else {
        Open::No
    }
}

const fn word(open: Open) -> &'static str {
    match open {
        Open::Yes => "leads there",
        Open::No => "leads nowhere",
    }
}

async fn reached(stage: &mut Stage<'_>, put: &Put, way: FileWay) -> Result<Reached, Stop> {
    let act = Act::ReachAttachment {
        tenant: TENANT,
        record: put.record,
        way,
    };
    match stage.try_act(act).await? {
        Ok(Seen::Done) => Ok(Reached::File),
        Ok(Seen::Absent) => Ok(Reached::NoSuchWay),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::ReachAttachment)),
        Err(_) => Ok(Reached::Nothing),
    }
}
