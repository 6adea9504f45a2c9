//! An attestation holds through the day that its period leads to, in UTC, and not a moment longer.

use std::error::Error;

use policy_document::{AttestationState, Document};
use time::{Date, Duration, Month, Time, UtcDateTime};

type Failure = Box<dyn Error>;

const FULL: &str = include_str!("data/full.toml");

fn check(signed_on: &str, valid_for: &str, last_day: Date) -> Result<(), Failure> {
    let text = FULL
        .replacen(
            "signed_on = 2026-02-28",
            &format!("signed_on = {signed_on}"),
            1,
        )
        .replacen(
            "valid_for = \"P1Y\"",
            &format!("valid_for = \"{valid_for}\""),
            1,
        );
    let document = Document::parse(&text).map_err(|errors| format!("{errors:?}"))?;
    let clause = "F-01".parse()?;
    let attestation = document.attestation(&clause).ok_or("no attestation")?;
    let end = UtcDateTime::new(last_day.next_day().ok_or("no next day")?, Time::MIDNIGHT);
    assert_eq!(attestation.expires, end, "{signed_on} for {valid_for}");
    assert_eq!(
        attestation.state(end - Duration::NANOSECOND),
        AttestationState::Attested
    );
    assert_eq!(attestation.state(end), AttestationState::Expired);
    Ok(())
}

#[test]
fn both_sides_of_the_end() -> Result<(), Failure> {
    let day = Date::from_calendar_date;
    check("2026-02-28", "P1Y", day(2027, Month::February, 28)?)?;
    check("2024-02-29", "P1Y", day(2025, Month::February, 28)?)?;
    check("2026-01-31", "P1M", day(2026, Month::February, 28)?)?;
    check("2026-11-21", "P90D", day(2027, Month::February, 19)?)?;
    Ok(())
}

#[test]
fn an_end_outside_the_calendar_is_refused() {
    let text = FULL.replacen("valid_for = \"P1Y\"", "valid_for = \"P12000M\"", 1);
    let text = text.replacen("signed_on = 2026-02-28", "signed_on = 9990-01-01", 1);
    let errors = Document::parse(&text).err().unwrap_or_default();
    assert_eq!(errors.len(), 1, "{errors:?}");
}
