//! Wrong about time: verdicts that come early or late, or not at all, a clock that believes the wall, a nightly run
//! that looks for a time of day which a clock change skips.

use std::sync::{Arc, Mutex, PoisonError};

use backup_engine::schedule::night_of;
use backup_engine::{BackupPolicy, Cadence, Schedule};
use covenant_core::digest::Digest;
use covenant_core::{Action, Clock, Monotonic, PeriodError};
use retention_policy::{HoldView, Item, KeepUntil, Moment, Retention, State, Verdict};
use time::{Date, Duration, UtcDateTime};

/// How far a verdict is off.
const OFF: Duration = Duration::days(2);

/// Verdicts of another day.
#[derive(Debug)]
pub(super) struct Shifted {
    sound: Arc<dyn Retention>,
    /// What is added to the end of a floor; negative is early.
    by: Duration,
}

impl Shifted {
    pub(super) fn late(sound: Arc<dyn Retention>) -> Self {
        Self { sound, by: OFF }
    }

    pub(super) fn early(sound: Arc<dyn Retention>) -> Self {
        Self {
            sound,
            by: Duration::ZERO.saturating_sub(OFF),
        }
    }
}

impl Retention for Shifted {
    fn evaluate(&self, item: &Item<'_>, holds: &HoldView, moment: &Moment) -> Verdict {
        let mut verdict = self.sound.evaluate(item, holds, moment);
        if self.by.is_positive() {
            let late = |at: UtcDateTime| at.saturating_add(self.by);
            verdict.gone_by = verdict.gone_by.map(late);
        }
        if self.by.is_negative() && verdict.keep_until == KeepUntil::Open {
            // An end that is not known is taken for one that has come.
            (verdict.keep_until, verdict.state) = (KeepUntil::Free, State::Due);
        }
        if verdict.state != State::Held
            && let KeepUntil::At(until) = verdict.keep_until
        {
            let until = until.saturating_add(self.by);
            verdict.keep_until = KeepUntil::At(until);
            verdict.state = if moment.now < until {
                State::Keep
            } else {
                State::Eligible
            };
        }
        verdict
    }

    fn digest(&self) -> Option<Digest> {
        self.sound.digest()
    }
}

/// Takes the end of a contract for a deletion like any other: nothing is counted from it.
#[derive(Debug)]
pub(super) struct ForgetsContract(pub(super) Arc<dyn Retention>);

impl Retention for ForgetsContract {
    fn evaluate(&self, item: &Item<'_>, holds: &HoldView, moment: &Moment) -> Verdict {
        let events = item.events.iter();
        let events = events.filter(|event| event.name != Action::ContractTerminated.name());
        let events: Vec<_> = events.cloned().collect();
        let item = Item {
            events: &events,
            ..item.clone()
        };
        self.0.evaluate(&item, holds, moment)
    }

    fn digest(&self) -> Option<Digest> {
        self.0.digest()
    }
}

/// A clock whose elapsed time is whatever the wall says, so that a wrong wall is never doubted.
#[derive(Debug)]
pub(super) struct TrustingClock {
    sound: Arc<dyn Clock>,
    origin: UtcDateTime,
    /// Elapsed time never runs back, even here.
    furthest: Mutex<Monotonic>,
}

impl TrustingClock {
    pub(super) fn new(sound: Arc<dyn Clock>) -> Self {
        let origin = sound.now();
        Self {
            sound,
            origin,
            furthest: Mutex::default(),
        }
    }
}

impl Clock for TrustingClock {
    fn now(&self) -> UtcDateTime {
        self.sound.now()
    }

    fn monotonic(&self) -> Monotonic {
        let elapsed = Monotonic::try_from(self.sound.now() - self.origin).unwrap_or_default();
        let mut furthest = self.furthest.lock().unwrap_or_else(PoisonError::into_inner);
        *furthest = (*furthest).max(elapsed);
        *furthest
    }
}

/// A nightly run at a time of day, on days that have it: a table of hours and minutes, as a naive
/// scheduler keeps it.
#[derive(Debug)]
pub(super) struct CronSchedule;

/// Days that the table is searched ahead.
const DAYS_AHEAD: u32 = 400;

impl Schedule for CronSchedule {
    fn next_due(
        &self,
        policy: &BackupPolicy,
        since: UtcDateTime,
        completed: &[UtcDateTime],
        now: UtcDateTime,
    ) -> Result<UtcDateTime, PeriodError> {
        let Cadence::CivilNight { at } = policy.cadence else {
            return backup_engine::PromisedSchedule.next_due(policy, since, completed, now);
        };
        let zone = &policy.zone;
        let done = |night: Date| completed.iter().any(|c| night_of(*c, zone) == night);
        let mut day = zone.civil_date(now);
        for _ in 0..DAYS_AHEAD {
            let local = day.with_time(at);
            let instant = zone.instants(local).map(|window| window.earliest);
            // A day whose clocks skip the time has no such row.
            let row = instant.filter(|instant| zone.local(*instant) == local);
            if let Some(instant) = row.filter(|instant| !done(night_of(*instant, zone)))
                && (instant >= now || !done(night_of(now, zone)) && zone.civil_date(now) == day)
            {
                return Ok(instant.max(since));
            }
            day = day.next_day().unwrap_or(day);
        }
        Ok(now.saturating_add(Duration::days(i64::from(DAYS_AHEAD))))
    }
}
