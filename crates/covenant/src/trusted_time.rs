//! Which time deletions may trust, across restarts too: the last accepted wall time is kept in the
//! control database, and a clock that says something implausible at a start is doubted until a
//! person confirms it or it is right again.

use std::time::Duration;

use covenant_core::Monotonic;
use retention_policy::{ClockGuard, Trust};
use time::UtcDateTime;

/// How far the wall clock may be ahead of the last accepted time at a start: how long a deployment
/// may stand still without anybody having to look at the clock. Ours.
pub(crate) const STANDSTILL_MAX: Duration = Duration::from_secs(30 * 86_400);

/// The time that deletions may trust.
#[derive(Debug, Clone)]
pub(crate) struct TrustedTime {
    state: State,
    /// How far the wall clock may step, either way.
    step_max: Duration,
    /// The latest wall time under which work was planned.
    planned: UtcDateTime,
}

#[derive(Debug, Clone)]
enum State {
    /// Elapsed time says how far the wall clock may have moved.
    Running(ClockGuard),
    /// Nothing says how long the deployment stood still, and the clock is further off than allowed.
    Started {
        accepted: UtcDateTime,
        since: Monotonic,
    },
}

/// What a look at the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// The time that deletions may use; `None` while the clock is in doubt.
    pub(crate) trusted: Option<UtcDateTime>,
    /// Whether plans were made under a later clock: they must be made anew.
    pub(crate) stepped_back: bool,
}

impl TrustedTime {
    /// The time at a start; `accepted` is what the process before had accepted last, `None` in a new
    /// deployment, whose clock there is nothing to doubt with.
    pub(crate) fn at_start(
        wall: UtcDateTime,
        monotonic: Monotonic,
        accepted: Option<UtcDateTime>,
        step_max: Duration,
    ) -> Self {
        let state = match accepted {
            Some(accepted) => State::Started {
                accepted,
                since: monotonic,
            },
            None => State::Running(ClockGuard::new(wall, monotonic, step_max)),
        };
        let mut time = Self {
            state,
            step_max,
            planned: wall,
        };
        time.observe(wall, monotonic);
        time
    }

    /// Looks at the clock. It is doubted when it is further ahead than elapsed time allows, and when
    /// it is further behind what was accepted than a step may be.
    // clause: P-51
    pub(crate) fn observe(&mut self, wall: UtcDateTime, monotonic: Monotonic) -> Look {
        if let State::Started { accepted, since } = self.state {
            let elapsed = monotonic.saturating_sub(since);
            let latest = later(later(accepted, STANDSTILL_MAX), elapsed);
            if wall <= latest && accepted <= later(wall, self.step_max) {
                let from = wall.max(accepted);
                self.state = State::Running(ClockGuard::new(from, monotonic, self.step_max));
            }
        }
        let trusted = match &mut self.state {
            State::Started { .. } => None,
            State::Running(guard) if later(wall, self.step_max) < guard.accepted() => None,
            State::Running(guard) => match guard.observe(wall, monotonic) {
                Trust::Trusted(now) => Some(now),
                Trust::Doubt(_) => None,
            },
        };
        Look {
            trusted,
            stepped_back: later(wall, self.step_max) < self.planned,
        }
    }

    /// A person has looked: the wall time is the one trusted from here on, whatever was accepted.
    pub(crate) fn confirm(&mut self, wall: UtcDateTime, monotonic: Monotonic) {
        self.state = State::Running(ClockGuard::new(wall, monotonic, self.step_max));
    }

    /// Work was planned under this wall time.
    pub(crate) fn planned(&mut self, wall: UtcDateTime) {
        self.planned = self.planned.max(wall);
    }

    /// All work was planned anew under this wall time.
    pub(crate) fn planned_anew(&mut self, wall: UtcDateTime) {
        self.planned = wall;
    }
}

fn later(at: UtcDateTime, by: Duration) -> UtcDateTime {
    time::Duration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by))
        .unwrap_or(UtcDateTime::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(600);
    const DAY: Duration = Duration::from_secs(86_400);

    fn at(secs: i64) -> UtcDateTime {
        UtcDateTime::from_unix_timestamp(1_800_000_000 + secs).unwrap()
    }

    fn started(accepted: i64, wall: i64) -> TrustedTime {
        TrustedTime::at_start(at(wall), Duration::ZERO, Some(at(accepted)), STEP)
    }

    #[track_caller]
    fn check(time: &mut TrustedTime, wall: i64, monotonic: Duration, expect: Option<i64>) {
        assert_eq!(time.observe(at(wall), monotonic).trusted, expect.map(at));
    }

    #[test]
    fn a_start_within_a_month_is_trusted() {
        for wall in [0, 1, 86_400, 30 * 86_400] {
            check(&mut started(0, wall), wall, Duration::ZERO, Some(wall));
        }
    }

    #[test]
    fn a_start_after_more_than_a_month_is_doubted_until_confirmed() {
        let wall = 30 * 86_400 + 1;
        let mut time = started(0, wall);
        check(&mut time, wall, Duration::ZERO, None);
        check(&mut time, wall + 86_400, DAY, None);
        time.confirm(at(wall + 86_400), DAY);
        check(&mut time, wall + 86_400, DAY, Some(wall + 86_400));
    }

    #[test]
    fn a_start_behind_what_was_accepted_is_doubted_until_the_clock_is_right() {
        let mut time = started(0, -601);
        check(&mut time, -601, Duration::ZERO, None);
        check(&mut time, 5, Duration::from_secs(10), Some(5));
        check(&mut started(0, -600), -600, Duration::ZERO, Some(0));
    }

    #[test]
    fn a_clock_that_was_right_again_is_guarded_from_there() {
        let mut time = started(0, 40 * 86_400);
        check(&mut time, 100, Duration::from_secs(1), Some(100));
        check(&mut time, 40 * 86_400, Duration::from_secs(2), None);
        check(&mut time, 102, Duration::from_secs(3), Some(102));
    }

    #[test]
    fn a_confirmed_clock_may_be_behind_what_was_accepted() {
        let mut time = TrustedTime::at_start(at(0), Duration::ZERO, None, STEP);
        check(&mut time, 400 * 86_400, Duration::ZERO, None);
        time.confirm(at(400 * 86_400), Duration::ZERO);
        check(&mut time, 10, Duration::from_secs(10), None);
        time.confirm(at(10), Duration::from_secs(10));
        check(&mut time, 20, Duration::from_secs(20), Some(20));
    }

    #[test]
    fn plans_of_a_later_clock_are_noticed_until_they_are_made_anew() {
        let mut time = TrustedTime::at_start(at(0), Duration::ZERO, None, STEP);
        time.planned(at(400 * 86_400));
        assert!(!time.observe(at(400 * 86_400), Duration::ZERO).stepped_back);
        assert!(time.observe(at(60), Duration::from_secs(60)).stepped_back);
        time.planned_anew(at(60));
        assert!(!time.observe(at(60), Duration::from_secs(60)).stepped_back);
    }
}
