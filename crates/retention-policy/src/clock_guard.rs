//! Which time deletions may trust: a clock that jumps ahead must not empty the bin.

use std::time::Duration;

use covenant_core::Monotonic;
use time::UtcDateTime;

use crate::schedule::later;

/// Guards deletions against a wrong wall clock.
///
/// It remembers a wall time that was trusted, and the monotonic time then. Since that moment the
/// wall clock cannot have moved further than monotonic time did, save for a small step; small steps
/// do not add up. A wall clock that stepped back is not followed: the later time stands.
///
/// ```
/// use std::time::Duration;
/// use retention_policy::{ClockGuard, Trust};
/// use time::UtcDateTime;
///
/// let start = UtcDateTime::UNIX_EPOCH;
/// let mut guard = ClockGuard::new(start, Duration::ZERO, Duration::from_secs(60));
/// let jumped = start + Duration::from_secs(86_400);
/// assert!(matches!(guard.observe(jumped, Duration::from_secs(1)), Trust::Doubt(_)));
/// guard.confirm(jumped, Duration::from_secs(2)); // a person looked
/// assert_eq!(guard.observe(jumped, Duration::from_secs(2)), Trust::Trusted(jumped));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockGuard {
    origin: (UtcDateTime, Monotonic),
    accepted: UtcDateTime,
    step_max: Duration,
}

/// What deletions may do with the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a sweep must consider both cases and no third exists"
)]
pub enum Trust {
    /// Deletions may use this instant.
    Trusted(UtcDateTime),
    /// Nothing may be deleted.
    Doubt(ClockDoubt),
}

/// The wall clock is further ahead than time that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock says {claimed}, elapsed time allows {supported}: confirm the time to delete")]
pub struct ClockDoubt {
    /// What the wall clock says; ceilings are counted and alarmed with it.
    pub claimed: UtcDateTime,
    /// The latest time that elapsed monotonic time supports.
    pub supported: UtcDateTime,
}

impl ClockGuard {
    /// A guard that trusts this time; `step_max` is how far the wall clock may be set ahead.
    #[must_use]
    pub const fn new(wall: UtcDateTime, monotonic: Monotonic, step_max: Duration) -> Self {
        Self {
            origin: (wall, monotonic),
            accepted: wall,
            step_max,
        }
    }

    /// Looks at the clock: deletions use the later of the wall time and the last accepted one,
    /// unless the wall time is in doubt. Doubt lasts until a person confirms, or until the wall
    /// clock is back where elapsed time allows it to be.
    // clause: P-51
    pub fn observe(&mut self, wall: UtcDateTime, monotonic: Monotonic) -> Trust {
        let (trusted, then) = self.origin;
        let elapsed = monotonic.saturating_sub(then);
        let supported = later(later(trusted, elapsed), self.step_max);
        if wall > supported {
            return Trust::Doubt(ClockDoubt {
                claimed: wall,
                supported,
            });
        }
        self.accepted = self.accepted.max(wall);
        Trust::Trusted(self.accepted)
    }

    /// A person confirmed the wall time; from here on it is the one trusted. A time before the last
    /// accepted one is not taken: deletions never go back.
    pub fn confirm(&mut self, wall: UtcDateTime, monotonic: Monotonic) {
        self.accepted = self.accepted.max(wall);
        self.origin = (self.accepted, monotonic);
    }

    /// The last time that deletions were allowed to use; what to store, and to start again from.
    #[must_use]
    pub const fn accepted(&self) -> UtcDateTime {
        self.accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(secs: i64) -> UtcDateTime {
        UtcDateTime::from_unix_timestamp(1_700_000_000 + secs).unwrap()
    }

    #[test]
    fn time_that_passed_is_trusted() {
        let mut guard = ClockGuard::new(at(0), Duration::ZERO, MINUTE);
        assert_eq!(guard.observe(at(86_400), DAY), Trust::Trusted(at(86_400)));
        assert_eq!(guard.observe(at(86_460), DAY), Trust::Trusted(at(86_460)));
    }

    #[test]
    fn a_jump_ahead_is_doubted_until_confirmed_or_undone() {
        let mut guard = ClockGuard::new(at(0), Duration::ZERO, MINUTE);
        let jumped = guard.observe(at(61), Duration::ZERO);
        assert_eq!(
            jumped,
            Trust::Doubt(ClockDoubt {
                claimed: at(61),
                supported: at(60)
            })
        );
        assert_eq!(guard.accepted(), at(0));
        assert_eq!(
            guard.observe(at(10), Duration::from_secs(10)),
            Trust::Trusted(at(10))
        );
        guard.confirm(at(5_000), Duration::from_secs(11));
        let next = guard.observe(at(5_009), Duration::from_secs(20));
        assert_eq!(next, Trust::Trusted(at(5_009)));
    }

    #[test]
    fn small_steps_do_not_add_up() {
        let mut guard = ClockGuard::new(at(0), Duration::ZERO, MINUTE);
        assert_eq!(
            guard.observe(at(60), Duration::ZERO),
            Trust::Trusted(at(60))
        );
        assert!(matches!(
            guard.observe(at(120), Duration::ZERO),
            Trust::Doubt(_)
        ));
    }

    #[test]
    fn a_step_back_keeps_the_later_time() {
        let mut guard = ClockGuard::new(at(1_000), Duration::ZERO, MINUTE);
        assert_eq!(
            guard.observe(at(0), Duration::from_secs(1)),
            Trust::Trusted(at(1_000))
        );
        guard.confirm(at(0), Duration::from_secs(2));
        assert_eq!(guard.accepted(), at(1_000));
    }
}
