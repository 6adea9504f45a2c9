//! The deadline sum holds for every epoch of the 400-year cycle, and a tighter one is refused with
//! the first epoch that shows it.

use backup_engine::PolicyError;
use backup_engine::testing::{a_month, six_months};
use time::Duration;
use time::{Date, Month};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn cycle() -> Date {
    Date::from_calendar_date(2000, Month::January, 1).unwrap()
}

/// Days of the 400-year cycle of the calendar.
const CYCLE_DAYS: u32 = 146_097;

// clause: P-18
#[test]
fn six_months_less_49_hours_fit_every_day() -> Outcome {
    Ok(six_months(Duration::hours(49)).validate(cycle(), CYCLE_DAYS)?)
}

// clause: R-23
#[test]
fn thirty_one_days_fit_every_week() -> Outcome {
    Ok(a_month().validate(cycle(), CYCLE_DAYS / 7)?)
}

#[test]
fn a_second_less_than_49_hours_is_refused_with_a_witness() {
    let tight = six_months(Duration::hours(49) - Duration::seconds(2));
    let refused = tight.validate(cycle(), CYCLE_DAYS);
    assert!(
        matches!(refused, Err(PolicyError::DiesTooEarly { .. })),
        "{refused:?}"
    );
}

#[test]
fn an_epoch_of_a_week_does_not_fit_six_months() {
    let mut weekly = six_months(Duration::hours(49));
    weekly.epoch_days = 7;
    assert!(weekly.validate(cycle(), 52).is_err());
}

#[test]
fn an_epoch_cut_in_another_zone_does_not_fit() {
    let mut elsewhere = six_months(Duration::hours(49));
    elsewhere.zone = covenant_core::Zone::UTC;
    assert!(elsewhere.validate(cycle(), CYCLE_DAYS).is_err());
}
