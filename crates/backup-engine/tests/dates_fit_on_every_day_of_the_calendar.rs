//! The deadline sum holds for every epoch of the 400-year cycle, and a tighter one is refused with
//! the first epoch that shows it.

use backup_engine::PolicyError;
use backup_engine::testing::{a_month, six_months};
use time::Date;
use time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Days of the 400-year cycle of the calendar.
const CYCLE_DAYS: u32 = 146_097;

// clause: P-18
#[test]
fn six_months_less_49_hours_fit_every_day() -> Outcome {
    Ok(six_months(Duration::hours(49)).validate(Date::from_ordinal_date(2000, 1)?, CYCLE_DAYS)?)
}

// clause: R-23
#[test]
fn thirty_one_days_fit_every_week() -> Outcome {
    Ok(a_month().validate(Date::from_ordinal_date(2000, 1)?, CYCLE_DAYS / 7)?)
}

#[test]
fn a_second_less_than_49_hours_is_refused_with_a_witness() -> Outcome {
    let tight = six_months(Duration::hours(49) - Duration::seconds(2));
    let refused = tight.validate(Date::from_ordinal_date(2000, 1)?, CYCLE_DAYS);
    assert!(
        matches!(refused, Err(PolicyError::DiesTooEarly { .. })),
        "{refused:?}"
    );
    Ok(())
}

#[test]
fn an_epoch_of_a_week_does_not_fit_six_months() -> Outcome {
    let mut weekly = six_months(Duration::hours(49));
    weekly.epoch_days = 7;
    assert!(
        weekly
            .validate(Date::from_ordinal_date(2000, 1)?, 52)
            .is_err()
    );
    Ok(())
}

#[test]
fn an_epoch_cut_in_another_zone_does_not_fit() -> Outcome {
    let mut elsewhere = six_months(Duration::hours(49));
    elsewhere.zone = covenant_core::Zone::UTC;
    assert!(
        elsewhere
            .validate(Date::from_ordinal_date(2000, 1)?, CYCLE_DAYS)
            .is_err()
    );
    Ok(())
}
