//! When the next backup is due: pure, derived from what completed, never from what was started.

use covenant_core::{PeriodError, Zone};
use time::{Date, Duration, PrimitiveDateTime, Time, UtcDateTime};

use crate::policy::{BackupPolicy, Cadence};

/// Decides when a domain is due.
///
/// # Contract
/// Pure: the same facts give the same answer. `completed` holds the instants at which committed,
/// complete snapshots completed, in any order; a run that failed is not among them. The answer may
/// lie in the past: the domain is then overdue and due at once, once, however many slots it missed.
///
/// # Errors
/// [`PeriodError`] when the answer would lie outside the calendar.
pub trait Schedule: std::fmt::Debug + Send + Sync {
    /// The instant from which on the next run should start; `since` is when the domain came to be.
    ///
    /// # Errors
    /// [`PeriodError`] outside the calendar.
    fn next_due(
        &self,
        policy: &BackupPolicy,
        since: UtcDateTime,
        completed: &[UtcDateTime],
        now: UtcDateTime,
    ) -> Result<UtcDateTime, PeriodError>;
}

/// The schedule that the cadence promises.
#[derive(Debug, Clone, Copy, Default)]
pub struct PromisedSchedule;

impl Schedule for PromisedSchedule {
    fn next_due(
        &self,
        policy: &BackupPolicy,
        since: UtcDateTime,
        completed: &[UtcDateTime],
        now: UtcDateTime,
    ) -> Result<UtcDateTime, PeriodError> {
        let last = completed.iter().copied().filter(|at| *at <= now).max();
        match &policy.cadence {
            Cadence::Every(gap) => match last {
                Some(last) => Ok(last.saturating_add(*gap)),
                None => Ok(since),
            },
            // clause: R-22
            Cadence::CivilNight { at } => {
                let zone = &policy.zone;
                let tonight = night_of(now, zone);
                let done = |night: Date| completed.iter().any(|c| night_of(*c, zone) == night);
                let start = run_start(tonight, *at, zone);
                if !done(tonight) {
                    return Ok(start.max(since));
                }
                Ok(run_start(following(tonight), *at, zone).max(since))
            }
        }
    }
}

/// The night in which an instant lies, known by the civil day on which it began at noon.
#[must_use]
pub fn night_of(instant: UtcDateTime, zone: &Zone) -> Date {
    let local = zone.local(instant);
    if local.time() < Time::from_hms(12, 0, 0).unwrap_or(Time::MIDNIGHT) {
        local.date().previous_day().unwrap_or(Date::MIN)
    } else {
        local.date()
    }
}

/// When the run of a night starts: at local time `at`, which lies in the morning after the day on
/// which the night began, or in its evening. A time that the clocks skip is taken at the first
/// instant after the gap; one that comes twice, the first time.
#[must_use]
pub fn run_start(night: Date, at: Time, zone: &Zone) -> UtcDateTime {
    let noon = Time::from_hms(12, 0, 0).unwrap_or(Time::MIDNIGHT);
    let day = if at < noon { following(night) } else { night };
    first_instant(zone, day.with_time(at))
}

/// The first instant at which the zone's clocks show this local time or a later one.
fn first_instant(zone: &Zone, local: PrimitiveDateTime) -> UtcDateTime {
    let Some(window) = zone.instants(local) else {
        return UtcDateTime::MAX;
    };
    if zone.local(window.earliest) == local {
        return window.earliest;
    }
    // The clocks skip it: the gap lies between the two readings, and it ends where they jump.
    let (mut before, mut after) = (window.earliest, window.latest);
    while after - before > Duration::seconds(1) {
        let middle = before + Duration::seconds((after - before).whole_seconds() / 2);
        if zone.local(middle) < local {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

fn following(day: Date) -> Date {
    day.next_day().unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Keeping;
    use covenant_core::{Period, Reading};

    fn at(text: &str) -> UtcDateTime {
        UtcDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
    }

    fn policy(cadence: Cadence, zone: &str) -> BackupPolicy {
        let zone: Zone = zone.parse().unwrap();
        BackupPolicy {
            cadence,
            reading: Reading::in_zone(zone.clone()),
            zone,
            epoch_days: 7,
            keeping: Keeping::Kept {
                after_end: Period::days(35),
                floor: Period::days(31),
            },
            sweep: Duration::hours(1),
            replica: Duration::ZERO,
            session: Duration::hours(1),
        }
    }

    fn nightly() -> BackupPolicy {
        let at = Time::from_hms(2, 30, 0).unwrap();
        policy(Cadence::CivilNight { at }, "America/Chicago")
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_taken_at_the_first_instant_after_the_gap() {
        let zone: Zone = "America/Chicago".parse().unwrap();
        let spring = Date::from_calendar_date(2027, time::Month::March, 13).unwrap();
        let at_half_past_two = Time::from_hms(2, 30, 0).unwrap();
        assert_eq!(
            run_start(spring, at_half_past_two, &zone),
            at("2027-03-14T08:00:00Z")
        );
        let autumn = Date::from_calendar_date(2027, time::Month::November, 6).unwrap();
        let at_half_past_one = Time::from_hms(1, 30, 0).unwrap();
        assert_eq!(
            run_start(autumn, at_half_past_one, &zone),
            at("2027-11-07T06:30:00Z")
        );
    }

    #[test]
    fn every_civil_night_of_three_years_gets_exactly_one_run() {
        let policy = nightly();
        let since = at("2026-01-01T18:00:00Z");
        let mut now = since;
        let mut completed: Vec<UtcDateTime> = Vec::new();
        while now < at("2029-01-01T00:00:00Z") {
            let due = PromisedSchedule
                .next_due(&policy, since, &completed, now)
                .unwrap();
            assert!(
                due > now || completed.is_empty(),
                "{due} is not after {now}"
            );
            now = due.max(now);
            completed.push(now);
        }
        let nights: Vec<Date> = completed
            .iter()
            .map(|c| night_of(*c, &policy.zone))
            .collect();
        for pair in nights.windows(2) {
            assert_eq!(
                following(pair[0]),
                pair[1],
                "a night without a run, or with two"
            );
        }
    }

    #[test]
    fn a_failed_night_is_due_at_once_and_a_missed_one_is_not_made_up_twice() {
        let policy = nightly();
        let since = at("2027-05-01T00:00:00Z");
        let done = [at("2027-05-03T07:30:00Z")];
        let missed = at("2027-05-06T09:00:00Z");
        let due = PromisedSchedule
            .next_due(&policy, since, &done, missed)
            .unwrap();
        assert_eq!(
            due,
            at("2027-05-06T07:30:00Z"),
            "tonight's run is overdue: at once"
        );
        let done = [done[0], missed];
        let next = PromisedSchedule
            .next_due(&policy, since, &done, missed)
            .unwrap();
        assert_eq!(next, at("2027-05-07T07:30:00Z"));
    }

    #[test]
    fn an_hourly_domain_is_due_an_hour_after_what_completed() {
        let policy = policy(Cadence::Every(Duration::hours(1)), "+09:00");
        let since = at("2027-05-01T00:00:00Z");
        let due = |completed: &[UtcDateTime], now| {
            PromisedSchedule
                .next_due(&policy, since, completed, now)
                .unwrap()
        };
        assert_eq!(due(&[], since), since);
        let done = at("2027-05-01T00:00:05Z");
        assert_eq!(
            due(&[done], at("2027-05-01T00:10:00Z")),
            at("2027-05-01T01:00:05Z")
        );
    }
}
