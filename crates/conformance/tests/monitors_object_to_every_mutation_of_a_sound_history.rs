//! Each monitor of the three documents is given a sound history of its own shape, drawn at random,
//! and objects to every mutation of it that breaks its promise; a mutation that breaks none says why.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use conformance::testing::load;
use conformance::{TraceOutcome, TraceSabotage, attempt};
use covenant_core::{Action, Outcome, Reading, TenantId, TxnId};
use policy_document::monitor::{Cases, Monitor, Recorded, Rhythm, Value};
use policy_document::{Judgement, MonitorSpec, Pattern};
use proptest::prelude::*;
use time::macros::utc_datetime;
use time::{Duration, UtcDateTime};
use uuid::Uuid;

const START: UtcDateTime = utc_datetime!(2027-01-31 12:00);

fn monitors() -> Result<Vec<Monitor>, Box<dyn Error>> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let documents = load(&policies, &["prodb", "protopie", "immidb"])?;
    let mut all: Vec<_> = documents.iter().flat_map(|d| d.monitors()).collect();
    // shapes that no clause of the three has
    for text in [
        "never(record.purged while hold.placed until hold.released), per thing",
        "member(backup.completed region, eu-1 | us-1)",
        "unique(backup.completed root per vault)",
    ] {
        if let MonitorSpec::Pattern(pattern) = text.parse()? {
            all.push(Monitor::new("A-01".parse()?, pattern, &Reading::default()));
        }
    }
    Ok(all)
}

fn event(at: UtcDateTime, action: Action, thing: u32, txn: u32) -> Recorded {
    Recorded {
        at,
        action,
        outcome: Outcome::Ok,
        tenant: Some(TenantId::from_uuid(Uuid::from_u128(1))),
        key: Some(
            Uuid::from_u128(u128::from(thing))
                .as_bytes()
                .as_slice()
                .into(),
        ),
        txn: Some(TxnId::from_uuid(Uuid::from_u128(u128::from(txn)))),
        attributes: BTreeMap::new(),
    }
}

/// How long after its start a case of the pattern may be met, as the monitor itself says.
fn window(
    monitor: &Monitor,
    from: Action,
    at: UtcDateTime,
    cases: Cases,
) -> Result<Duration, Box<dyn Error>> {
    let mut watching = monitor.clone();
    let start = event(at, from, 7, 1);
    watching.see(&start.observed())?;
    let same = event(at, from, 7, 1);
    let open = watching.open_case(&same.observed());
    let open = open.ok_or_else(|| format!("{monitor} opens no case {cases}"))?;
    Ok(open.limit - at)
}

/// A history that keeps the promise, with cases at random distances, and its end.
fn sound(monitor: &Monitor, gaps: &[u16]) -> Result<(Vec<Recorded>, UtcDateTime), Box<dyn Error>> {
    let mut trace = Vec::new();
    let mut at = START;
    for (number, gap) in (1_u32..).zip(gaps) {
        at += Duration::seconds(i64::from(*gap)) + Duration::hours(30);
        let share = |whole: Duration| whole / 100 * i32::from(gap % 90 + 5);
        match monitor.pattern() {
            Pattern::Within {
                from, to, cases, ..
            } => {
                let first = *from.first().ok_or("no start")?;
                let room = window(monitor, first, at, *cases)?;
                trace.push(event(at, first, number, number));
                let met = at + share(room);
                trace.push(event(met, *to, number, number));
                // a case of the tenant as a whole ends before the next begins
                at = if *cases == Cases::Tenant { met } else { at };
            }
            Pattern::NotBefore {
                from, to, cases, ..
            } => {
                let first = *from.first().ok_or("no start")?;
                let room = window(monitor, first, at, *cases)?;
                trace.push(event(at, first, number, number));
                trace.push(event(
                    at + room + share(Duration::days(2)),
                    *to,
                    number,
                    number,
                ));
            }
            Pattern::Every { action, rhythm, .. } => {
                let step = match rhythm {
                    Rhythm::Period(_) => window(monitor, *action, START, Cases::Tenant)? / 3 * 2,
                    _ => Duration::DAY,
                };
                let when = START + step * number + share(step / 8);
                trace.push(event(when, *action, number, number));
                at = when;
            }
            Pattern::Always { when, then } => {
                trace.push(event(at, *when, number, number));
                trace.push(event(
                    at + Duration::seconds(i64::from(gap % 60)),
                    *then,
                    9,
                    number,
                ));
            }
            Pattern::Before { first, then, .. } => {
                trace.push(event(at, *first, number, number));
                trace.push(event(at + share(Duration::DAY), *then, number, number));
            }
            Pattern::Never {
                action,
                from,
                until,
                ..
            } => {
                let on = *from.first().ok_or("no start")?;
                let off = *until.first().ok_or("no end")?;
                trace.push(event(at, on, number, number));
                trace.push(event(at + share(Duration::HOUR), off, number, number));
                trace.push(event(at + Duration::hours(2), *action, number, number));
            }
            Pattern::Member {
                action,
                attribute,
                set,
            } => {
                let mut told = event(at, *action, number, number);
                let word = set.first().ok_or("no word")?.to_string();
                told.attributes
                    .insert(attribute.to_string(), Value::of_text(&word));
                trace.push(told);
            }
            Pattern::Unique {
                action,
                attribute,
                per,
            } => {
                let mut told = event(at, *action, number, number);
                for name in [attribute, per] {
                    told.attributes
                        .insert(name.to_string(), Value::Count(u64::from(number)));
                }
                trace.push(told);
            }
            other => return Err(format!("no history for {other}").into()),
        }
    }
    trace.sort_by_key(|event| event.at);
    let last = trace.last().map_or(START, |event| event.at);
    Ok((trace, last + Duration::days(800)))
}

/// Mutations that break a promise of this pattern.
fn breaking(pattern: &Pattern) -> BTreeSet<TraceSabotage> {
    use TraceSabotage::{Dropped, FieldStripped, Moved, TenantSwapped};
    match pattern {
        Pattern::NotBefore { .. } => [Moved].into(),
        Pattern::Always { .. } => [Moved, Dropped, FieldStripped].into(),
        Pattern::Member { .. } | Pattern::Unique { .. } => [FieldStripped].into(),
        _ => [Moved, Dropped, TenantSwapped, FieldStripped].into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_mutation_is_caught_or_says_why_not(
        gaps in prop::collection::vec(1_u16..50_000, 3..12)
    ) {
        for monitor in monitors().map_err(|e| TestCaseError::fail(e.to_string()))? {
            let (trace, end) = sound(&monitor, &gaps)
                .map_err(|e| TestCaseError::fail(e.to_string()))?;
            let mut watching = monitor.clone();
            for event in &trace {
                watching
                    .see(&event.observed())
                    .map_err(|e| TestCaseError::fail(e.to_string()))?;
            }
            let rhythm = matches!(monitor.pattern(), Pattern::Every { .. });
            let end = if rhythm { trace.last().map_or(end, |event| event.at) } else { end };
            let judged = watching.close(end);
            let held = matches!(judged, Judgement::Satisfied { .. });
            prop_assert!(held, "{monitor}: {judged:?}");
            let breaking = breaking(monitor.pattern());
            for sabotage in TraceSabotage::ALL {
                let outcome = attempt(*sabotage, &monitor, &trace, end);
                if breaking.contains(sabotage) {
                    prop_assert_eq!(outcome, TraceOutcome::Caught, "{} {}", monitor, sabotage);
                } else {
                    let told = matches!(outcome, TraceOutcome::Inapplicable(_));
                    prop_assert!(told, "{} {} {:?}", monitor, sabotage, outcome);
                }
            }
        }
    }
}
