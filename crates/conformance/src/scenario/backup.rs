//! Backups: one every night, restorable for the whole floor, unreadable after the ceiling.

use covenant_core::{Action, BoxFuture};
use time::{Duration, PrimitiveDateTime, Time, UtcDateTime};

use super::steps::{TENANT, around_midnight, put, second_after, second_before, tenant_alone};
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, Cadence, DepotFault, KeysAtHand, Record, Seen, SnapshotSeen};
use crate::canary::{Canary, Sight, Store, occurrences};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// How long before midnight the second of three backups is taken: room for a session that has to
/// end in the civil day in which it began.
const BEFORE_MIDNIGHT: Duration = Duration::MINUTE;
/// Nights of real backups: the middle one is that of a clock change.
const NIGHTS: u16 = 7;
/// The night, counted from 0, in which the depot is down until four in the morning.
const FAULTY_NIGHT: u16 = 1;

/// One completed backup in every civil night, across a change of the clock and a failing depot.
pub(super) const EVERY_NIGHT: Scenario = Scenario {
    id: "backup::every_night",
    shape: Shape::EveryNight,
    starts: Starts::Nights,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::SetCadence,
        ActKind::Fault,
        ActKind::ListSnapshots,
        ActKind::RestoreSnapshot,
    ],
    kills: &[Sabotage::NightSkippedAtDst, Sabotage::FailedCountedAsDone],
    run: every_night,
};

/// Restorable through the latest reading of the floor.
pub(super) const MONTH_FLOOR: Scenario = Scenario {
    id: "backup::month_floor",
    shape: Shape::Floor,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ChangeRecord,
        ActKind::SetCadence,
        ActKind::BackUp,
        ActKind::RestoreSnapshot,
    ],
    kills: &[Sabotage::BackupGoneEarly],
    run: month_floor,
};

/// Restorable until the tolerance before the latest reading; refused, gone from the depot and opened
/// by no key from the earliest one on.
pub(super) const SIX_MONTHS: Scenario = Scenario {
    id: "backup::six_months",
    shape: Shape::Exact,
    starts: Starts::Bounds,
    needs: &[
        ActKind::CreateTenant,
        ActKind::PutRecord,
        ActKind::ChangeRecord,
        ActKind::SetCadence,
        ActKind::BackUp,
        ActKind::ListSnapshots,
        ActKind::RestoreSnapshot,
    ],
    kills: &[Sabotage::BackupGoneEarly, Sabotage::BackupKeptLate],
    run: six_months,
};

/// The last instant at which a backup must be there.
pub(super) const BEFORE_FLOOR: &str = "a second before its floor";

/// A backup, and the body that the record had in it alone.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) snapshot: SnapshotSeen,
    pub(super) body: Canary,
}

fn every_night<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        tenant_alone(stage, TENANT).await?;
        let kept = put(stage, TENANT, Record(1)).await?;
        let noons = noons(stage);
        if let Some(first) = noons.first() {
            stage.pass_until(*first).await?;
        }
        stage
            .done(Act::SetCadence {
                cadence: Cadence::AsPromised,
            })
            .await?;
        for (night, noon) in (0_u16..).zip(noons.iter().skip(1)) {
            if night == FAULTY_NIGHT {
                let until = noon.checked_sub(Duration::hours(8)).unwrap_or(*noon);
                stage
                    .done(Act::Fault {
                        fault: DepotFault::Down,
                        until,
                    })
                    .await?;
            }
            stage.pass_until(*noon).await?;
        }
        let snapshots = stage.snapshots(TENANT).await?;
        for (night, pair) in (0_u16..).zip(noons.windows(2)) {
            let [from, to] = pair else { continue };
            let mut done = snapshots
                .iter()
                .filter(|snapshot| (*from..*to).contains(&snapshot.completed_at));
            let some = if done.clone().next().is_some() {
                "at least one"
            } else {
                "none"
            };
            let property = format!("completed backups in the civil night after {from}");
            stage.check(property, "at least one", some)?;
            if night == FAULTY_NIGHT
                && let Some(last) = done.next_back()
            {
                let body = restore(stage, last, Record(1)).await?;
                let whole = body.is_some_and(|body| occurrences(&body, kept.body.marker()) > 0);
                let observed = if whole {
                    "restorable"
                } else {
                    "not restorable"
                };
                let property = "the backup of the night in which the depot failed";
                stage.check(property, "restorable", observed)?;
            }
        }
        Ok(())
    })
}

/// The local noons between which the nights lie, the first one not before now.
fn noons(stage: &Stage<'_>) -> Vec<UtcDateTime> {
    let zone = stage.brief().nights();
    let noon = Time::from_hms(12, 0, 0).unwrap_or(Time::MIDNIGHT);
    let mut date = zone.civil_date(stage.now());
    let mut noons = Vec::new();
    while noons.len() <= usize::from(NIGHTS) {
        let at = zone
            .instants(PrimitiveDateTime::new(date, noon))
            .map(|window| window.earliest);
        noons.extend(at.filter(|at| *at >= stage.now()));
        let Some(next) = date.next_day() else { break };
        date = next;
    }
    noons
}

fn month_floor<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        for taken in three_backups(stage).await? {
            let floor = stage.brief().floor(taken.snapshot.completed_at)?;
            stage.pass_until(second_before(floor)).await?;
            still_there(stage, &taken, BEFORE_FLOOR).await?;
        }
        Ok(())
    })
}

/// What is looked at, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Probe {
    StillThere,
    MayGo,
    Gone,
}

fn six_months<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let before = depot_bytes(stage).await?;
        let taken = three_backups(stage).await?;
        let mut probes = Vec::new();
        for (number, taken) in taken.iter().enumerate() {
            let floor = stage.brief().floor(taken.snapshot.completed_at)?;
            let ceiling = stage.brief().ceiling(taken.snapshot.consistent_at)?;
            probes.push((second_before(floor), Probe::StillThere, number));
            probes.push((floor, Probe::MayGo, number));
            probes.push((ceiling, Probe::Gone, number));
            probes.push((second_after(ceiling), Probe::Gone, number));
        }
        probes.sort_unstable();
        if let Some(first) = taken.first() {
            let opened = stage
                .search(&first.body)
                .await?
                .found(Store::Backups, Sight::Opened);
            stage.premise_some("the marker in what keys open of the backups", opened)?;
        }
        for (at, probe, number) in probes {
            let Some(taken) = taken.get(number) else {
                continue;
            };
            stage.pass_until(at).await?;
            match probe {
                Probe::StillThere => still_there(stage, taken, BEFORE_FLOOR).await?,
                Probe::MayGo => {}
                Probe::Gone => gone(stage, taken).await?,
            }
        }
        for taken in &taken {
            note_end(stage, taken.snapshot.consistent_at, taken).await?;
        }
        let after = depot_bytes(stage).await?;
        stage.check(
            "bytes at the depot, all backups past their ceiling, as before the first",
            before,
            after,
        )
    })
}

/// How many bytes lie at the depot.
async fn depot_bytes(stage: &mut Stage<'_>) -> Result<u64, Stop> {
    let nothing = stage.canary();
    let sightings = stage.search(&nothing).await?;
    Ok(sightings.scanned_bytes(Store::Backups))
}

/// Three backups on both sides of a civil midnight, each with another body of the same record.
async fn three_backups(stage: &mut Stage<'_>) -> Result<Vec<Taken>, Stop> {
    tenant_alone(stage, TENANT).await?;
    put(stage, TENANT, Record(1)).await?;
    let mut all = Vec::new();
    for at in around_midnight(stage, BEFORE_MIDNIGHT) {
        stage.pass_until(at).await?;
        let body = stage.canary();
        let act = Act::ChangeRecord {
            tenant: TENANT,
            record: Record(1),
            body: body.clone(),
        };
        let seen = stage.put(act).await?;
        let snapshot = stage.back_up(TENANT).await?;
        all.push(Taken {
            snapshot,
            body: body.with_salts(seen.body),
        });
    }
    let last = stage.canary();
    let act = Act::ChangeRecord {
        tenant: TENANT,
        record: Record(1),
        body: last,
    };
    stage.put(act).await?;
    Ok(all)
}

/// The body of a record in a backup; `None` when the restore is denied or lacks the record.
pub(super) async fn restore(
    stage: &mut Stage<'_>,
    snapshot: &SnapshotSeen,
    record: Record,
) -> Result<Option<Vec<u8>>, Stop> {
    let act = Act::RestoreSnapshot {
        tenant: TENANT,
        snapshot: snapshot.id,
        keys: KeysAtHand::All,
    };
    match stage.try_act(act).await? {
        Ok(Seen::Restored(mut records)) => Ok(records.remove(&record)),
        Ok(_) => Err(Stop::WrongAnswer(ActKind::RestoreSnapshot)),
        Err(_) => Ok(None),
    }
}

/// Checks that the backup gives the record back now, which is `when`.
pub(super) async fn still_there(
    stage: &mut Stage<'_>,
    taken: &Taken,
    when: &str,
) -> Result<(), Stop> {
    let body = restore(stage, &taken.snapshot, Record(1)).await?;
    let observed = match body {
        Some(body) if occurrences(&body, taken.body.marker()) > 0 => "restorable",
        Some(_) => "restorable, with other content",
        None => "not restorable",
    };
    let property = format!("backup of {} {when}", taken.snapshot.completed_at);
    stage.check(property, "restorable", observed)
}

pub(super) async fn gone(stage: &mut Stage<'_>, taken: &Taken) -> Result<(), Stop> {
    let what = format!("backup of {} at its ceiling", taken.snapshot.completed_at);
    let body = restore(stage, &taken.snapshot, Record(1)).await?;
    let observed = if body.is_some() {
        "restorable"
    } else {
        "not restorable"
    };
    stage.check(&what, "not restorable", observed)?;
    let snapshots = stage.snapshots(TENANT).await?;
    let listed = snapshots
        .iter()
        .any(|snapshot| snapshot.id == taken.snapshot.id);
    stage.check(
        &what,
        "not listed",
        if listed { "listed" } else { "not listed" },
    )?;
    let sightings = stage.search(&taken.body).await?;
    for store in [Store::Backups, Store::Replica] {
        let opened = sightings.found(store, Sight::Opened);
        stage.check(
            format!("{what}: marker in what any key opens of {store}"),
            0,
            opened,
        )?;
        let raw = sightings.found(store, Sight::Marker);
        stage.check(format!("{what}: marker in {store}, raw"), 0, raw)?;
    }
    Ok(())
}

/// Notes when the backup ended, as the log recorded it: the last end until the ceiling, which counts
/// from here.
pub(super) async fn note_end(
    stage: &mut Stage<'_>,
    counted_from: UtcDateTime,
    taken: &Taken,
) -> Result<(), Stop> {
    let completed = taken.snapshot.completed_at;
    let ceiling = stage.brief().ceiling(counted_from)?;
    let events = stage.events().await?;
    let ends = [
        Action::BackupPurged,
        Action::BackupUnrestorable,
        Action::KeyDestroyed,
    ];
    let end = events
        .iter()
        .filter(|event| ends.contains(&event.action))
        .rfind(|event| (completed..=ceiling).contains(&event.at));
    if let Some(end) = end {
        stage.note_ceiling(counted_from, end.at, ceiling);
    }
    Ok(())
}
