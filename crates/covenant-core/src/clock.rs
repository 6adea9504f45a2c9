//! Time as an argument: wall time and monotonic time apart, so that a virtual or wrong wall clock
//! breaks no lease.

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use time::UtcDateTime;

/// A point of monotonic time: the span since an origin of the clock's own choosing.
pub type Monotonic = Duration;

/// Where time comes from.
///
/// # Contract
/// `monotonic` never decreases within a process. `now` may step in either direction; nobody may
/// conclude from it how much time has passed.
pub trait Clock: Debug + Send + Sync {
    /// Wall time, UTC.
    fn now(&self) -> UtcDateTime;
    /// Time since an arbitrary origin; for leases, time-outs and cache deadlines.
    fn monotonic(&self) -> Monotonic;
}

/// The machine's own clocks. The only place of the workspace that reads them.
#[derive(Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    pub fn new() -> Self {
        Self {
            origin: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> UtcDateTime {
        UtcDateTime::now()
    }

    fn monotonic(&self) -> Monotonic {
        self.origin.elapsed()
    }
}

/// A clock that stands still until it is moved; wall and monotonic time move apart on demand.
#[derive(Debug)]
pub struct ManualClock {
    hands: Mutex<(UtcDateTime, Monotonic)>,
}

impl ManualClock {
    /// A clock at this instant, monotonic time at zero.
    #[must_use]
    pub const fn at(now: UtcDateTime) -> Self {
        Self {
            hands: Mutex::new((now, Duration::ZERO)),
        }
    }

    /// Lets time pass: wall and monotonic time both go forward; saturates at the year 9999.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        hands.0 = time::Duration::try_from(by)
            .ok()
            .and_then(|by| hands.0.checked_add(by))
            .unwrap_or(UtcDateTime::MAX);
        hands.1 = hands.1.saturating_add(by);
    }

    /// Lets time pass until this wall time; does nothing when that is not in the future.
    pub fn advance_to(&self, at: UtcDateTime) {
        if let Ok(by) = Duration::try_from(at - self.now()) {
            self.advance(by);
        }
    }

    /// Steps the wall clock alone, as a person or a bad time server does; monotonic time stays.
    pub fn step(&self, to: UtcDateTime) {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner).0 = to;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UtcDateTime {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Monotonic {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::utc_datetime as at;

    #[test]
    fn wall_and_monotonic_time_move_apart() {
        let clock = ManualClock::at(at!(2026-01-01 0:00));
        clock.advance(Duration::from_secs(60));
        assert_eq!(
            (clock.now(), clock.monotonic()),
            (at!(2026-01-01 0:01), Duration::from_secs(60))
        );
        clock.step(at!(2025-01-01 0:00));
        assert_eq!(
            (clock.now(), clock.monotonic()),
            (at!(2025-01-01 0:00), Duration::from_secs(60))
        );
        clock.advance_to(at!(2025-01-01 0:01));
        assert_eq!(clock.monotonic(), Duration::from_secs(120));
        clock.advance_to(at!(2024-01-01 0:00));
        assert_eq!(
            (clock.now(), clock.monotonic()),
            (at!(2025-01-01 0:01), Duration::from_secs(120))
        );
    }

    #[test]
    fn time_ends_at_the_end_of_the_calendar() {
        let clock = ManualClock::at(at!(9999-12-31 0:00));
        clock.advance(Duration::MAX);
        assert_eq!(
            (clock.now(), clock.monotonic()),
            (UtcDateTime::MAX, Duration::MAX)
        );
    }
}
