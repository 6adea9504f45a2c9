//! Forty monitors over a long log that is made up here: `watch_a_log [EVENTS]` says how long it took
//! and how many records were held at the end.
#![expect(clippy::disallowed_methods, reason = "the example measures itself")]
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::time::Instant;

use covenant_core::{Action, TenantId};
use policy_document::Document;
use policy_document::monitor::{Judgement, MonitorSet, Observed};
use time::Duration;
use time::macros::utc_datetime;

fn main() -> Result<(), Box<dyn Error>> {
    let events = std::env::args()
        .nth(1)
        .map_or(Ok(10_000), |text| text.parse::<u32>())?;
    let prodb = Document::parse(include_str!("../../../policies/prodb.toml"));
    let document = prodb.map_err(|errors| format!("{errors:?}"))?;
    let own = document.monitors();
    let mut monitors = MonitorSet::new(own.iter().cycle().take(40).cloned());
    let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "one.example");
    let start = utc_datetime!(2027-01-01 0:00);
    let began = Instant::now();
    for number in 0..events {
        // a backup every hour, and a record deleted each minute that is purged 31 days later
        let (action, key, back) = match number % 20 {
            0 => (Action::BackupCompleted, number, 0),
            even if even % 2 == 0 => (Action::RecordDeleted, number, 0),
            _ => (Action::RecordPurged, number, 14_881),
        };
        let key = key.wrapping_sub(back).to_be_bytes();
        let mut event = Observed::new(start + Duration::minutes(3) * number, action);
        event.tenant = Some(tenant);
        event.key = Some(&key);
        monitors.see(&event)?;
    }
    let took = began.elapsed();
    let all = monitors.monitors();
    let held: usize = all.iter().map(|monitor| monitor.open_cases()).sum();
    println!(
        "{events} events, {} monitors: {took:?}, {held} records held",
        all.len()
    );
    let end = start + Duration::minutes(3) * events;
    for watched in monitors.close(end).into_iter().take(own.len()) {
        let name = format!("{} {}", watched.clause, watched.pattern);
        let word = match watched.judgement {
            Judgement::Satisfied { cases, .. } => format!("{cases} cases held"),
            Judgement::Violated(all) => format!("violated, {} listed", all.len()),
            Judgement::Pending(open) => format!("{} open", open.len()),
            _ => "unseen, so not proven".to_owned(),
        };
        println!("{word}: {name}");
    }
    Ok(())
}
