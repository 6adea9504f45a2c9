//! When disposal must start so that it ends in time, and when the nightly flush is.

use std::time::Duration;

use covenant_core::Zone;
use time::UtcDateTime;

mod feasible;

pub use feasible::{Infeasible, Rate, TokenBucket, Work, done_by, feasible};

/// The worst case of everything between the start of a disposal and its proof, each term measured
/// or declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Slack {
    /// One batch at its slowest.
    pub batch: Duration,
    /// What retries may use up.
    pub retry: Duration,
    /// By how much the clock may be wrong.
    pub clock: Duration,
    /// How far replicas are behind.
    pub replica: Duration,
    /// How long a key waits between order and destruction.
    pub key_wait: Duration,
    /// The byte scan.
    pub verification: Duration,
}

impl Slack {
    /// No time at all.
    pub const NONE: Self = Self {
        batch: Duration::ZERO,
        retry: Duration::ZERO,
        clock: Duration::ZERO,
        replica: Duration::ZERO,
        key_wait: Duration::ZERO,
        verification: Duration::ZERO,
    };

    /// The sum; saturates.
    #[must_use]
    pub const fn total(&self) -> Duration {
        let Self {
            batch,
            retry,
            clock,
            replica,
            key_wait,
            verification,
        } = *self;
        batch
            .saturating_add(retry)
            .saturating_add(clock)
            .saturating_add(replica)
            .saturating_add(key_wait)
            .saturating_add(verification)
    }
}

/// The latest instant at which disposal must start to be over by the deadline; the beginning of the
/// calendar when the slack is longer than all time before it.
// clause: P-52
#[must_use]
pub fn start_by(gone_by: UtcDateTime, slack: &Slack) -> UtcDateTime {
    earlier(gone_by, slack.total())
}

/// The next nightly flush after the instant: the first instant of the next civil day of the zone.
///
/// Under the reading `end-of-day` every floor of days ends at a local midnight, so a flush that
/// starts there batches a whole night's purges and adds nothing to what the reading costs.
// clause: P-52
#[must_use]
pub fn flush_after(zone: &Zone, at: UtcDateTime) -> UtcDateTime {
    zone.midnight_after(at)
}

/// So much earlier; saturates at the beginning of the calendar.
pub(crate) fn earlier(at: UtcDateTime, by: Duration) -> UtcDateTime {
    if by.is_zero() {
        return at;
    }
    time::Duration::try_from(by)
        .ok()
        .and_then(|by| at.checked_sub(by))
        .unwrap_or(UtcDateTime::MIN)
}

/// So much later; saturates at the end of the calendar.
pub(crate) fn later(at: UtcDateTime, by: Duration) -> UtcDateTime {
    if by.is_zero() {
        return at;
    }
    time::Duration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by))
        .unwrap_or(UtcDateTime::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_brings_the_start_forward() {
        let gone_by = UtcDateTime::from_unix_timestamp(1_000_000).unwrap();
        let full = Slack {
            batch: Duration::from_secs(1),
            retry: Duration::from_secs(2),
            clock: Duration::from_secs(4),
            replica: Duration::from_secs(8),
            key_wait: Duration::from_secs(16),
            verification: Duration::from_secs(32),
        };
        assert_eq!((gone_by - start_by(gone_by, &full)).whole_seconds(), 63);
        assert_eq!(start_by(gone_by, &Slack::NONE), gone_by);
        let endless = Slack {
            batch: Duration::MAX,
            ..Slack::NONE
        };
        assert_eq!(start_by(gone_by, &endless), UtcDateTime::MIN);
    }

    #[test]
    fn the_flush_is_the_next_local_midnight() {
        let tokyo: Zone = "+09:00".parse().unwrap();
        let noon = UtcDateTime::from_unix_timestamp(12 * 3_600).unwrap();
        assert_eq!(flush_after(&tokyo, noon).unix_timestamp(), 15 * 3_600);
        let midnight = UtcDateTime::from_unix_timestamp(15 * 3_600).unwrap();
        assert_eq!(flush_after(&tokyo, midnight).unix_timestamp(), 39 * 3_600);
    }
}
