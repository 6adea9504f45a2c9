//! Civil time zones: fixed offsets always, named ones behind feature `zones`.
//!
//! The zone table is that of `jiff`, bundled with the program: the machine's own tables are never
//! read, so that two machines give the same answer. No type of that library is public.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::str::FromStr;

use time::{Date, Duration, PrimitiveDateTime, Time, UtcDateTime};

use crate::LogSafe;
use crate::period::Window;

#[cfg(feature = "zones")]
mod changes;
#[cfg(feature = "zones")]
mod named;

/// Largest fixed offset in seconds: 18 hours, beyond any zone there ever was.
pub const ZONE_OFFSET_SECS_MAX: i32 = 64_800;

/// A civil time zone: `UTC`, a fixed offset such as `+09:00`, or, with feature `zones`, a name such
/// as `America/Chicago`.
///
/// ```
/// use covenant_core::Zone;
/// use time::macros::utc_datetime;
///
/// let tokyo: Zone = "+09:00".parse()?;
/// let evening = utc_datetime!(2026-03-31 20:00);
/// assert_eq!(tokyo.civil_date(evening), time::macros::date!(2026-04-01));
/// assert_eq!(tokyo.midnight_after(evening), utc_datetime!(2026-04-01 15:00));
/// # Ok::<(), covenant_core::ZoneError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Zone(Kind);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    Fixed(i32),
    #[cfg(feature = "zones")]
    Named(named::Named),
}

/// A text is no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// An offset is malformed or beyond 18 hours.
    #[error("an offset is written +hh:mm or -hh:mm, at most 18 hours")]
    Offset,
    /// The table has no zone of that name, or there is no table.
    #[error("no zone of that name in the table")]
    Unknown,
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(Kind::Fixed(0));

    /// The zone so many seconds east of UTC.
    ///
    /// # Errors
    /// [`ZoneError::Offset`] beyond 18 hours, or when it is not a whole number of minutes.
    pub const fn fixed(secs_east: i32) -> Result<Self, ZoneError> {
        let in_range = secs_east >= -ZONE_OFFSET_SECS_MAX && secs_east <= ZONE_OFFSET_SECS_MAX;
        if in_range && secs_east % 60 == 0 {
            Ok(Self(Kind::Fixed(secs_east)))
        } else {
            Err(ZoneError::Offset)
        }
    }

    /// Seconds east of UTC at this instant.
    #[must_use]
    pub fn offset_secs(&self, at: UtcDateTime) -> i32 {
        self.offset_at(at.unix_timestamp())
    }

    /// The local date and time at this instant; saturates at the ends of the calendar.
    #[must_use]
    pub fn local(&self, at: UtcDateTime) -> PrimitiveDateTime {
        let utc = PrimitiveDateTime::new(at.date(), at.time());
        match i64::from(self.offset_secs(at)) {
            0 => utc,
            secs => utc.saturating_add(Duration::seconds(secs)),
        }
    }

    /// The instants that this local time may mean. One, as a rule; where the local time exists
    /// twice both; where it does not exist the readings with the offset before and after the gap.
    /// `None` outside the calendar.
    #[must_use]
    pub fn instants(&self, local: PrimitiveDateTime) -> Option<Window> {
        let (one, other) = self.offsets_at(local.assume_utc().unix_timestamp());
        let a = instant(local, one)?;
        if one == other {
            return Some(Window::at(a));
        }
        Some(Window::at(a).union(Window::at(instant(local, other)?)))
    }

    /// The local date at this instant.
    #[must_use]
    pub fn civil_date(&self, at: UtcDateTime) -> Date {
        self.local(at).date()
    }

    /// The first instant of the civil day, also where clocks jump over its midnight; saturates at
    /// the ends of the calendar. A day that the zone skipped begins where the next one does.
    #[must_use]
    pub fn start_of(&self, date: Date) -> UtcDateTime {
        let local = PrimitiveDateTime::new(date, Time::MIDNIGHT);
        let saturated = if date.year() < 0 {
            UtcDateTime::MIN
        } else {
            UtcDateTime::MAX
        };
        let Some(window) = self.instants(local) else {
            return saturated;
        };
        match &self.0 {
            Kind::Fixed(_) => window.earliest,
            #[cfg(feature = "zones")]
            Kind::Named(zone) => {
                let local = local.assume_utc().unix_timestamp();
                zone.gap_end(local, window).unwrap_or(window.earliest)
            }
        }
    }

    /// The first instant of the next civil day, always later than `at`; saturates at the end of the
    /// calendar. This is the boundary of epochs and nightly work.
    #[must_use]
    pub fn midnight_after(&self, at: UtcDateTime) -> UtcDateTime {
        let Some(next) = self.civil_date(at).next_day() else {
            return UtcDateTime::MAX;
        };
        let start = self.start_of(next);
        if start > at {
            return start;
        }
        // the clock went back over this midnight, and it comes a second time
        let again = self.instants(PrimitiveDateTime::new(next, Time::MIDNIGHT));
        again
            .map(|w| w.latest)
            .filter(|latest| *latest > at)
            .unwrap_or(UtcDateTime::MAX)
    }

    /// Seconds east of UTC, when no date can change them; `None` for a zone by name.
    pub(crate) const fn fixed_secs(&self) -> Option<i32> {
        match &self.0 {
            Kind::Fixed(secs) => Some(*secs),
            #[cfg(feature = "zones")]
            Kind::Named(_) => None,
        }
    }

    /// Largest less smallest offset since 1970.
    pub(crate) fn offset_spread_secs(&self) -> u32 {
        match &self.0 {
            Kind::Fixed(_) => 0,
            #[cfg(feature = "zones")]
            Kind::Named(zone) => zone.offset_spread_secs(),
        }
    }

    /// Local seconds from 1970-01-01 on at so many of UTC; saturates at the ends of the calendar.
    pub(crate) fn local_secs(&self, secs: i64) -> i64 {
        const MIN: i64 = UtcDateTime::MIN.unix_timestamp();
        const MAX: i64 = UtcDateTime::MAX.unix_timestamp();
        let offset = i64::from(self.offset_at(secs));
        secs.saturating_add(offset).clamp(MIN, MAX)
    }

    /// The offsets that may hold at so many local seconds from 1970-01-01 on, twice the same where
    /// only one does.
    pub(crate) fn offsets_at(&self, local_secs: i64) -> (i32, i32) {
        match &self.0 {
            Kind::Fixed(secs) => {
                let _ = local_secs;
                (*secs, *secs)
            }
            #[cfg(feature = "zones")]
            Kind::Named(zone) => zone.offsets(local_secs),
        }
    }

    fn offset_at(&self, secs: i64) -> i32 {
        match &self.0 {
            Kind::Fixed(offset) => {
                let _ = secs;
                *offset
            }
            #[cfg(feature = "zones")]
            Kind::Named(zone) => zone.offset_secs(secs),
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Fixed(0) => f.write_str("UTC"),
            Kind::Fixed(secs) => {
                let sign = if *secs < 0 { '-' } else { '+' };
                let minutes = secs.unsigned_abs() / 60;
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
            #[cfg(feature = "zones")]
            Kind::Named(zone) => f.write_str(zone.name()),
        }
    }
}
impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl LogSafe for Zone {}

impl FromStr for Zone {
    type Err = ZoneError;

    /// Reads `UTC`, `+hh:mm`, `-hh:mm`, `fixed(+hh:mm)`, or the name of a zone as the table spells
    /// it.
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        let inner = text
            .strip_prefix("fixed(")
            .map(|rest| rest.strip_suffix(')'));
        match (inner, text) {
            (Some(offset), _) => fixed(offset.ok_or(ZoneError::Offset)?),
            (None, "UTC") => Ok(Self::UTC),
            (None, text) if text.starts_with(['+', '-']) => fixed(text),
            (None, name) => by_name(name),
        }
    }
}

#[cfg(feature = "zones")]
fn by_name(name: &str) -> Result<Zone, ZoneError> {
    named::Named::new(name)
        .map(|zone| Zone(Kind::Named(zone)))
        .ok_or(ZoneError::Unknown)
}

#[cfg(not(feature = "zones"))]
const fn by_name(_name: &str) -> Result<Zone, ZoneError> {
    Err(ZoneError::Unknown)
}

fn fixed(text: &str) -> Result<Zone, ZoneError> {
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(ZoneError::Offset),
    };
    let (hours, minutes) = rest.split_once(':').ok_or(ZoneError::Offset)?;
    let two = |digits: &str, below: i32| match digits.parse::<i32>() {
        Ok(n) if digits.len() == 2 && n < below && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(n)
        }
        _ => Err(ZoneError::Offset),
    };
    let minutes = two(hours, 24)?
        .saturating_mul(60)
        .saturating_add(two(minutes, 60)?);
    Zone::fixed(minutes.saturating_mul(60).saturating_mul(sign))
}

fn instant(local: PrimitiveDateTime, offset_secs: i32) -> Option<UtcDateTime> {
    let utc = match i64::from(offset_secs) {
        0 => local,
        secs => local.checked_sub(Duration::seconds(secs))?,
    };
    Some(UtcDateTime::new(utc.date(), utc.time()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime, utc_datetime as at};

    fn check(text: &str, expect: Result<&str, ZoneError>) {
        let printed = text.parse::<Zone>().map(|z| z.to_string());
        assert_eq!(printed, expect.map(str::to_owned), "{text}");
    }

    #[test]
    fn texts() {
        check("UTC", Ok("UTC"));
        check("+00:00", Ok("UTC"));
        check("-05:30", Ok("-05:30"));
        check("fixed(+09:00)", Ok("+09:00"));
        check("+18:00", Ok("+18:00"));
        for text in [
            "+18:01",
            "+24:00",
            "+9:00",
            "+09:60",
            "+0900",
            "+09",
            "+09:00:00",
            "fixed(+09:00",
            "fixed(UTC)",
            "fixed()",
            "+-9:00",
            "++9:00",
            "-",
            "+",
        ] {
            check(text, Err(ZoneError::Offset));
        }
        for text in ["", "utc", "Z", "Atlantis/Harbour", "09:00", " UTC"] {
            check(text, Err(ZoneError::Unknown));
        }
        assert_eq!(Zone::fixed(90), Err(ZoneError::Offset));
    }

    #[test]
    fn days_at_a_fixed_offset() {
        let zone = Zone::fixed(-5 * 3_600).unwrap();
        let early = at!(2026-03-01 4:59:59);
        assert_eq!(zone.civil_date(early), date!(2026 - 02 - 28));
        assert_eq!(zone.midnight_after(early), at!(2026-03-01 5:00));
        assert_eq!(
            zone.midnight_after(at!(2026-03-01 5:00)),
            at!(2026-03-02 5:00)
        );
        assert_eq!(zone.start_of(date!(2026 - 03 - 01)), at!(2026-03-01 5:00));
        assert_eq!(zone.local(early), datetime!(2026-02-28 23:59:59));
        let window = zone.instants(datetime!(2026-02-28 23:59:59));
        assert_eq!(window, Some(Window::at(early)));
        assert_eq!(zone.midnight_after(UtcDateTime::MAX), UtcDateTime::MAX);
        assert_eq!(zone.instants(PrimitiveDateTime::MAX), None);
        assert_eq!(zone.start_of(Date::MIN), at!(-9999-01-01 5:00));
        let east = Zone::fixed(3_600).unwrap();
        assert_eq!(east.start_of(Date::MIN), UtcDateTime::MIN);
    }
}
