//! A verdict of ours against rustic_core's `KeepOptions`: the same ten thousand items, ten rules
//! each, reasons included. Ours says besides until when, by when and what changes next, and looks
//! at two holds. Apart from the workspace, because that peer brings a backup program along.

use std::error::Error;
use std::hint::black_box;

use benches::{Bar, Measure, Stopwatch, compare_samples};
use covenant_core::{HoldId, PrincipalId, TenantId};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use retention_policy::{
    Hold, HoldMode, HoldScope, HoldView, Item, Later, Moment, Occurrence, Retention as _, RuleSet,
    Rules, State,
};
use rustic_core::KeepOptions;
use rustic_core::repofile::SnapshotFile;
use time::macros::utc_datetime;
use time::{Duration, UtcDateTime};

const NOW: UtcDateTime = utc_datetime!(2026-11-01 12:34:56);
/// Snapshots, or items: one every six hours.
const ITEMS: i64 = 10_000;
const STEP_SECS: i64 = 6 * 3_600;

fn main() -> Result<(), Box<dyn Error>> {
    let (snapshots, options) = (snapshots()?, options());
    let now = Timestamp::from_second(NOW.unix_timestamp())?.to_zoned(TimeZone::UTC);
    let kept = options.apply(snapshots.clone(), &now)?;
    let kept_by = kept
        .iter()
        .filter(|one| one.keep && !one.reasons.is_empty());
    if kept.len() != snapshots.len() || kept_by.count() < 50 {
        return Err("the peer keeps nothing: nothing to compare".into());
    }

    let (rules, holds) = (rules()?, holds()?);
    let events: Vec<[Occurrence<'_>; 1]> = (0..ITEMS)
        .map(|n| {
            [Occurrence::new(
                "backup.completed",
                NOW - Duration::seconds(n * STEP_SECS),
            )]
        })
        .collect();
    let items: Vec<Item<'_>> = (0..ITEMS)
        .zip(&events)
        .map(|(n, events)| Item::new(tenant(), "backup", n, events))
        .collect();
    let moment = Moment::at(NOW);
    let judge = || -> Vec<_> {
        let items = black_box(&items).iter();
        items
            .map(|item| rules.evaluate(item, &holds, &moment))
            .collect()
    };
    let whole = |verdict: &retention_policy::Verdict| {
        verdict.state == State::Held
            && verdict.held_by.len() == 2
            && verdict.because.rules().count() == 10
    };
    if !judge().iter().all(whole) {
        return Err("a verdict does not come from ten rules and two holds".into());
    }

    let compared = compare_samples(
        || {
            let copy = snapshots.clone();
            let watch = Stopwatch::start();
            let kept = options.apply(black_box(copy), &now);
            let took = watch.elapsed();
            drop(black_box(kept));
            took
        },
        || {
            let watch = Stopwatch::start();
            let verdicts = judge();
            let took = watch.elapsed();
            drop(black_box(verdicts));
            took
        },
    );
    Measure {
        id: "retention-policy/verdict-peer",
        value: compared.ratio,
        unit: "times the peer's items in the same time, ten rules and two holds each",
        peer: "rustic_core KeepOptions::apply with ten rules over 10,000 snapshots",
        bar: Bar::AtLeast(1.0),
    }
    .print()?;
    Ok(())
}

fn snapshots() -> Result<Vec<SnapshotFile>, jiff::Error> {
    (0..ITEMS)
        .map(|n| {
            let at = Timestamp::from_second(NOW.unix_timestamp() - n * STEP_SECS)?;
            let mut snapshot = SnapshotFile::default();
            snapshot.time = at.to_zoned(TimeZone::UTC);
            Ok(snapshot)
        })
        .collect()
}

/// Ten rules, each in force at every snapshot: counts do not run out, and spans hold the latest half
/// or less.
fn options() -> KeepOptions {
    let mut options = KeepOptions::default();
    options.keep_last = Some(10_000);
    options.keep_hourly = Some(10_000);
    options.keep_daily = Some(10_000);
    options.keep_weekly = Some(10_000);
    options.keep_monthly = Some(10_000);
    options.keep_yearly = Some(10_000);
    options.keep_within = Some(3.years());
    options.keep_within_daily = Some(3.years());
    options.keep_within_weekly = Some(3.years());
    options.keep_within_monthly = Some(3.years());
    options
}

/// Ten rules.
fn rules() -> Result<RuleSet, Box<dyn Error>> {
    let mut rules = Rules::new();
    for (keep, gone) in [
        ("P30D", "P90D"),
        ("P1M", "P4M"),
        ("P20D", "P1Y"),
        ("P7D", "P2Y"),
        ("PT25H", "P3Y"),
    ] {
        rules =
            rules
                .keep("backup", "backup.completed", keep)
                .gone("backup", "backup.completed", gone);
    }
    Ok(rules.build()?)
}

fn tenant() -> TenantId {
    TenantId::from_bytes([9; 16])
}

/// Two holds that cover every item.
fn holds() -> Result<HoldView, Box<dyn Error>> {
    let mut holds = Vec::new();
    for (n, scope) in [
        (1, HoldScope::Tenant),
        (2, HoldScope::Class("backup".parse()?)),
    ] {
        holds.push(Hold {
            id: HoldId::from_bytes([n; 16]),
            tenant: tenant(),
            matter: format!("case-{n}").parse()?,
            scope,
            later: Later::Covered,
            mode: HoldMode::Governance,
            placed_by: PrincipalId::from_bytes([7; 16]),
            reason: "litigation".parse()?,
            placed_at: NOW,
        });
    }
    Ok(HoldView::of(tenant(), 2, holds))
}
