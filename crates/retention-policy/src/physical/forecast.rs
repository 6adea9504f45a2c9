//! What the next flush of a file will cost, from what the last ones took: pure, so that an alarm is
//! raised before a night is lost.

use std::time::Duration;

/// Longest time a flush may keep others out: the tolerance of a backup that waits for it (P-15).
pub const FLUSH_TIME_MAX: Duration = Duration::from_secs(300);
/// Room that a rewrite needs, in sizes of the file: the new file and the log beside the old one
/// (SQLite, `VACUUM`: up to twice; PostgreSQL, `VACUUM FULL`: the new file and its images in the log).
pub const ROOM_FACTOR: u64 = 2;

/// How fast files are rewritten here: bytes in a time, as measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushRate {
    bytes: u64,
    took: Duration,
}

/// What is to be expected of a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forecast {
    /// It fits; so long it takes.
    Fits {
        /// Expected time.
        takes: Duration,
    },
    /// There is no room for it: an alarm.
    NoRoom {
        /// Bytes that must be free.
        needs_bytes: u64,
    },
    /// It takes longer than [`FLUSH_TIME_MAX`]: an alarm.
    TooSlow {
        /// Expected time.
        takes: Duration,
    },
}

impl FlushRate {
    /// The rate of a flush that left a file of so many bytes and took so long; `None` for an empty
    /// file or no time, which say nothing.
    #[must_use]
    pub const fn measured(bytes: u64, took: Duration) -> Option<Self> {
        if bytes == 0 || took.is_zero() {
            None
        } else {
            Some(Self { bytes, took })
        }
    }

    /// The slower of two rates, which is the one to plan with.
    #[must_use]
    pub fn slower(self, other: Self) -> Self {
        let cost = |rate: Self, bytes: u64| rate.took.as_nanos().saturating_mul(bytes.into());
        if cost(self, other.bytes) >= cost(other, self.bytes) {
            self
        } else {
            other
        }
    }

    /// Bytes rewritten in a second, rounded down.
    #[must_use]
    pub fn bytes_a_second(self) -> u64 {
        let bytes = u128::from(self.bytes).saturating_mul(1_000_000_000);
        let bytes = bytes.checked_div(self.took.as_nanos()).unwrap_or(0);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// How long a file of so many bytes takes at this rate, rounded up to nanoseconds.
    #[must_use]
    pub fn time_of(self, file_bytes: u64) -> Duration {
        let nanos = self.took.as_nanos().saturating_mul(file_bytes.into());
        let nanos = nanos.div_ceil(u128::from(self.bytes.max(1)));
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// What to expect for a file of so many bytes with so many bytes free on its disk.
    // clause: P-52
    #[must_use]
    pub fn forecast(self, file_bytes: u64, free_bytes: u64) -> Forecast {
        let needs_bytes = file_bytes.saturating_mul(ROOM_FACTOR);
        let takes = self.time_of(file_bytes);
        if needs_bytes > free_bytes {
            Forecast::NoRoom { needs_bytes }
        } else if takes > FLUSH_TIME_MAX {
            Forecast::TooSlow { takes }
        } else {
            Forecast::Fits { takes }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_alarms_begin_one_byte_beyond_their_bounds() {
        // 1 MiB a second: 300 MiB are the last that fit
        let rate = FlushRate::measured(MIB, Duration::from_secs(1)).unwrap();
        let takes = FLUSH_TIME_MAX;
        let check = |file, free, expect| assert_eq!(rate.forecast(file, free), expect);
        check(300 * MIB, 600 * MIB, Forecast::Fits { takes });
        let takes = rate.time_of(300 * MIB + 1);
        check(300 * MIB + 1, 700 * MIB, Forecast::TooSlow { takes });
        let needs_bytes = 600 * MIB;
        check(300 * MIB, 600 * MIB - 1, Forecast::NoRoom { needs_bytes });
        let takes = Duration::ZERO;
        check(0, 0, Forecast::Fits { takes });
        assert!(FlushRate::measured(0, Duration::from_secs(1)).is_none());
        assert!(FlushRate::measured(1, Duration::ZERO).is_none());
        assert_eq!(rate.time_of(u64::MAX), Duration::MAX);
        assert_eq!(rate.bytes_a_second(), MIB);
        let slow = FlushRate::measured(3, Duration::from_secs(2)).unwrap();
        assert_eq!(slow.bytes_a_second(), 1);
    }

    proptest! {
        #[test]
        fn a_slower_rate_never_takes_less(
            a in (1..1_u64 << 40, 1..1_u64 << 40),
            b in (1..1_u64 << 40, 1..1_u64 << 40),
            file in 0..1_u64 << 40,
        ) {
            let rate = |(bytes, nanos)| FlushRate::measured(bytes, Duration::from_nanos(nanos)).unwrap();
            let slower = rate(a).slower(rate(b)).time_of(file);
            prop_assert_eq!(slower, rate(a).time_of(file).max(rate(b).time_of(file)));
        }
    }
}
