//! Instants as a count of seconds: cheap to compare, to shift and to store by the thousand.
#![deny(clippy::arithmetic_side_effects)]

use time::UtcDateTime;

use super::Window;

/// An instant, in seconds since 1970-01-01 in UTC and what is left of one.
///
/// [`UtcDateTime`] keeps the calendar date and the time of day apart, which is what people read and
/// dear to compute with. This is the other form, for code that decides about many items; it holds
/// every instant of the calendar and no other, and all arithmetic on it saturates at its ends.
///
/// ```
/// use covenant_core::UnixTime;
/// use time::macros::utc_datetime;
///
/// let noon = UnixTime::from(utc_datetime!(2026-03-31 12:00));
/// assert_eq!(noon.later(60).utc(), utc_datetime!(2026-03-31 12:01));
/// assert_eq!(noon.earlier(u64::MAX).utc(), time::UtcDateTime::MIN);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime {
    secs: i64,
    nanos: u32,
}

impl UnixTime {
    /// The first second of the calendar.
    pub const MIN: Self = Self {
        secs: UtcDateTime::MIN.unix_timestamp(),
        nanos: 0,
    };
    /// The last instant of the calendar.
    pub const MAX: Self = Self {
        secs: UtcDateTime::MAX.unix_timestamp(),
        nanos: UtcDateTime::MAX.nanosecond(),
    };

    /// Whole seconds, and nanoseconds below a thousand million; `None` outside the calendar.
    pub(super) const fn in_calendar(secs: i64, nanos: u32) -> Option<Self> {
        if Self::MIN.secs <= secs && secs <= Self::MAX.secs {
            Some(Self { secs, nanos })
        } else {
            None
        }
    }

    /// Seconds since 1970-01-01, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.secs
    }

    /// Nanoseconds of the second that has begun.
    #[must_use]
    pub const fn nanos(self) -> u32 {
        self.nanos
    }

    /// So many seconds later; saturates at the end of the calendar.
    #[must_use]
    #[inline]
    pub fn later(self, secs: u64) -> Self {
        // most rules declare no tolerance
        if secs == 0 {
            return self;
        }
        let secs = self.secs.checked_add_unsigned(secs);
        let at = secs.and_then(|secs| Self::in_calendar(secs, self.nanos));
        at.unwrap_or(Self::MAX)
    }

    /// So many seconds earlier; saturates at the beginning of the calendar.
    #[must_use]
    #[inline]
    pub fn earlier(self, secs: u64) -> Self {
        if secs == 0 {
            return self;
        }
        let secs = self.secs.checked_sub_unsigned(secs);
        let at = secs.and_then(|secs| Self::in_calendar(secs, self.nanos));
        at.unwrap_or(Self::MIN)
    }

    /// The date and time.
    #[must_use]
    pub fn utc(self) -> UtcDateTime {
        let at = UtcDateTime::from_unix_timestamp(self.secs);
        let at = match self.nanos {
            0 => at,
            nanos => at.and_then(|at| at.replace_nanosecond(nanos)),
        };
        at.unwrap_or(UtcDateTime::MAX)
    }
}

impl From<UtcDateTime> for UnixTime {
    fn from(at: UtcDateTime) -> Self {
        Self {
            secs: at.unix_timestamp(),
            nanos: at.nanosecond(),
        }
    }
}

/// Twice the seconds since 1970-01-01, and one more where the fraction of a second that a period is
/// counted from is still there: a day rule drops it, and nothing else changes it. Among the ends of
/// one start the order is that of time, and each is one register.
///
/// The calendar, and the longest period on top of it, stay below 2^42, so that sums of these do not
/// wrap; [`Ticks::NEVER`] lies so far beyond that no sum brings it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticks(i64);

impl Ticks {
    /// Beyond the calendar, and with any period or offset still beyond it.
    pub(super) const NEVER: Self = Self(1 << 60);
    /// As far on the other side.
    pub(super) const BEFORE: Self = Self(-1 << 60);

    pub(super) const fn of(at: UnixTime) -> Self {
        Self::whole(at.secs).and(at.nanos)
    }

    /// So many seconds, which a period and the calendar bound.
    pub(super) const fn whole(secs: i64) -> Self {
        Self(secs.wrapping_mul(2))
    }

    /// With the fraction, if there is one.
    pub(super) const fn and(self, nanos: u32) -> Self {
        if nanos == 0 { self } else { Self(self.0 | 1) }
    }

    pub(super) const fn secs(self) -> i64 {
        self.0 >> 1
    }

    /// So much later; at most one of the two has a fraction.
    pub(super) const fn later(self, by: Self) -> Self {
        Self(self.0.wrapping_add(by.0))
    }

    /// The instant in UTC of a local time so many seconds east of it.
    pub(super) fn west(self, offset: i32) -> Self {
        Self(self.0.wrapping_sub(Self::whole(i64::from(offset)).0))
    }

    /// The instant, counted from one with these nanoseconds.
    const fn at(self, nanos: u32) -> UnixTime {
        UnixTime {
            secs: self.secs(),
            nanos: if self.0 & 1 == 0 { 0 } else { nanos },
        }
    }
}

/// The earliest and the latest end of a period over all readings: a [`Window`] that is not yet
/// spelled in dates.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    earliest: Ticks,
    /// From there to the latest: readings lie some days apart at most.
    width: u32,
    /// Of the instant that the period is counted from.
    nanos: u32,
}

impl Ends {
    /// The two ends, the earlier one first, of a period from this instant; `None` when one is outside
    /// the calendar.
    #[inline]
    pub(super) fn new(earliest: Ticks, latest: Ticks, from: UnixTime) -> Option<Self> {
        let inside = UnixTime::MIN.secs <= earliest.secs() && latest.secs() <= UnixTime::MAX.secs;
        // no end at all is the other way round, and has no width
        let width = u32::try_from(latest.0.checked_sub(earliest.0)?).ok()?;
        inside.then_some(Self {
            earliest,
            width,
            nanos: from.nanos,
        })
    }

    /// The earliest instant: what a ceiling is met by.
    #[must_use]
    pub const fn earliest(&self) -> UnixTime {
        self.earliest.at(self.nanos)
    }

    /// The latest instant, never before the earliest: what a floor keeps until.
    #[must_use]
    pub fn latest(&self) -> UnixTime {
        let latest = self.earliest.0.saturating_add(i64::from(self.width));
        Ticks(latest).at(self.nanos)
    }

    /// The same in dates.
    #[must_use]
    pub fn window(&self) -> Window {
        let latest = self.latest();
        if self.width == 0 {
            return Window::at(latest.utc());
        }
        Window {
            earliest: self.earliest().utc(),
            latest: latest.utc(),
        }
    }
}

impl From<UnixTime> for Ends {
    /// Both ends at one instant.
    fn from(at: UnixTime) -> Self {
        Self {
            earliest: Ticks::of(at),
            width: 0,
            nanos: at.nanos,
        }
    }
}

impl PartialEq for Ends {
    fn eq(&self, other: &Self) -> bool {
        self.earliest() == other.earliest() && self.latest() == other.latest()
    }
}
impl Eq for Ends {}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::utc_datetime as at;

    #[test]
    fn every_instant_comes_back() {
        for instant in [
            UtcDateTime::MIN,
            at!(-0044-03-15 12:00:00.000000001),
            at!(1969-12-31 23:59:59.999999999),
            UtcDateTime::UNIX_EPOCH,
            at!(2026-02-28 0:00),
            UtcDateTime::MAX,
        ] {
            assert_eq!(UnixTime::from(instant).utc(), instant);
        }
    }

    #[test]
    fn the_order_is_that_of_time() {
        let first = UnixTime::from(at!(1969-12-31 23:59:59.5));
        let then = UnixTime::from(at!(1970-01-01 0:00));
        assert!(UnixTime::MIN < first && first < then && then < UnixTime::MAX);
    }

    #[test]
    fn shifts_stop_at_the_ends_of_the_calendar() {
        let noon = UnixTime::from(at!(2026-01-31 12:00:00.25));
        assert_eq!(noon.later(86_400).utc(), at!(2026-02-01 12:00:00.25));
        assert_eq!(noon.earlier(43_201).utc(), at!(2026-01-30 23:59:59.25));
        for far in [u64::MAX, 400_000_000_000] {
            assert_eq!(noon.later(far), UnixTime::MAX);
            assert_eq!(noon.earlier(far), UnixTime::MIN);
        }
        assert_eq!(UnixTime::MAX.utc(), UtcDateTime::MAX);
        assert_eq!(UnixTime::MIN.utc(), UtcDateTime::MIN);
    }
}
