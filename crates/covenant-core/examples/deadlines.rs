//! Prints when a deleted record goes, in every admissible reading: by default in UTC, else in the
//! zones that are given.
//!
//! `cargo run -p covenant-core --example deadlines -- P30D 2026-01-31T12:00:00Z +09:00`
#![expect(clippy::print_stdout, reason = "an example that prints")]

use std::error::Error;

use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use covenant_core::{DayRule, MonthRule, Period, Reading, Zone};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let period: Period = args.next().as_deref().unwrap_or("P30D").parse()?;
    let start = args
        .next()
        .unwrap_or_else(|| "2026-01-31T12:00:00Z".to_owned());
    let start = UtcDateTime::parse(&start, &Rfc3339)?;
    let zones = args
        .map(|zone| zone.parse())
        .collect::<Result<Vec<Zone>, _>>()?;
    let zones = if zones.is_empty() {
        vec![Zone::UTC]
    } else {
        zones
    };

    let reading = Reading::new(zones, DayRule::ALL, MonthRule::ClampEnd)?;
    let window = period.resolve(start, &reading)?;
    println!("{period} from {start}");
    println!("keep until   {}", window.latest);
    println!("gone by      {}", window.earliest);
    let bounds = period.bounds(&reading);
    println!(
        "any start    {} to {} seconds",
        bounds.shortest_secs, bounds.longest_secs
    );
    Ok(())
}
