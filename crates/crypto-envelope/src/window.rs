//! Two settings that have few values: how long a scheduled destruction waits, and after how many
//! years a KEK is replaced.

#[cfg(feature = "serde")]
mod settings;

use std::fmt;
use std::str::FromStr;

use covenant_core::{DayRule, MonthRule, Period, PeriodError, Reading, Zone};
use time::{Duration, UtcDateTime};

/// Days between scheduling and destruction: 7 to 30, 30 unless set. They are over when so
/// many days are in every reading: 24 hours each, and the last one to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PendingWindow(u8);

/// The shortest window in days.
pub const WINDOW_DAYS_MIN: u8 = 7;
/// The longest window in days.
pub const WINDOW_DAYS_MAX: u8 = 30;

/// A number of days that is no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window has {WINDOW_DAYS_MIN} to {WINDOW_DAYS_MAX} days")]
pub struct WindowError;

impl PendingWindow {
    /// The shortest one: 7 days.
    pub const SHORTEST: Self = Self(WINDOW_DAYS_MIN);

    /// How many days.
    #[must_use]
    pub const fn days(self) -> u8 {
        self.0
    }

    /// The instant at which a window that begins then is over: the later of so many times 24 hours
    /// and the end of the last day in this zone, so that it is no day short in either reading. It
    /// is never beyond 30 days in the reading that ends first, which is the longest wait promised.
    // clause: Q-18
    #[must_use]
    pub fn end(self, begins: UtcDateTime, zone: &Zone) -> UtcDateTime {
        let reading = Reading::in_zone(zone.clone());
        let days = |days: u8| Period::days(u32::from(days)).resolve(begins, &reading);
        match (days(self.0), days(WINDOW_DAYS_MAX)) {
            (Ok(wait), Ok(longest)) => wait.latest.min(longest.earliest),
            // at the end of the calendar
            _ => begins.saturating_add(Duration::days(i64::from(self.0))),
        }
    }
}

impl Default for PendingWindow {
    fn default() -> Self {
        Self(WINDOW_DAYS_MAX)
    }
}

impl TryFrom<u8> for PendingWindow {
    type Error = WindowError;

    // clause: Q-18
    fn try_from(days: u8) -> Result<Self, WindowError> {
        if (WINDOW_DAYS_MIN..=WINDOW_DAYS_MAX).contains(&days) {
            Ok(Self(days))
        } else {
            Err(WindowError)
        }
    }
}

impl FromStr for PendingWindow {
    type Err = WindowError;

    fn from_str(days: &str) -> Result<Self, WindowError> {
        let plain = !days.starts_with(['+', '0']);
        let days: Option<u8> = days.parse().ok();
        days.filter(|_| plain).ok_or(WindowError)?.try_into()
    }
}

impl fmt::Display for PendingWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// After how long a KEK is replaced: one calendar year, or three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the clause has these two values and no others"
)]
pub enum KeyExpiry {
    /// P1Y.
    OneYear,
    /// P3Y.
    ThreeYears,
}

/// A text that is neither P1Y nor P3Y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("keys expire after P1Y or P3Y")]
pub struct ExpiryError;

impl KeyExpiry {
    /// The text: `P1Y` or `P3Y`.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::OneYear => "P1Y",
            Self::ThreeYears => "P3Y",
        }
    }

    /// The period: 12 or 36 calendar months.
    #[must_use]
    pub const fn period(self) -> Period {
        match self {
            Self::OneYear => Period::months(12),
            Self::ThreeYears => Period::months(36),
        }
    }

    /// When a key made then expires: the same day and time of day in this zone, and the end of 28
    /// February where a leap day has none.
    ///
    /// # Errors
    /// [`PeriodError::OutOfRange`] beyond the year 9999.
    // clause: Q-17
    pub fn end(self, created: UtcDateTime, zone: &Zone) -> Result<UtcDateTime, PeriodError> {
        let (day, month) = (DayRule::Elapsed, MonthRule::ClampEnd);
        let window = self.period().add_exact(created, zone, day, month)?;
        Ok(window.earliest)
    }
}

impl FromStr for KeyExpiry {
    type Err = ExpiryError;

    // clause: Q-17
    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        [Self::OneYear, Self::ThreeYears]
            .into_iter()
            .find(|expiry| expiry.text() == text)
            .ok_or(ExpiryError)
    }
}

impl fmt::Display for KeyExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::utc_datetime;

    // clause: Q-18
    #[test]
    fn a_window_has_seven_to_thirty_days() {
        for days in 0..=u8::MAX {
            let window = PendingWindow::try_from(days);
            assert_eq!(window.is_ok(), (7..=30).contains(&days), "{days}");
            let parsed: Result<PendingWindow, _> = days.to_string().parse();
            assert_eq!(parsed, window, "{days}");
            if let Ok(window) = window {
                assert_eq!(window.days(), days);
                assert_eq!(window.to_string(), days.to_string());
            }
        }
        assert_eq!(PendingWindow::default().days(), 30);
        for text in ["", "7d", " 7", "+7", "07", "7.0", "-7", "263", "P7D"] {
            assert_eq!(text.parse::<PendingWindow>(), Err(WindowError), "{text}");
        }
    }

    // clause: Q-18
    #[test]
    fn a_window_ends_with_its_last_day() {
        let check = |begins: UtcDateTime, days: u8, zone: &str, end: UtcDateTime| {
            let window = PendingWindow::try_from(days).expect("a window");
            let zone = zone.parse().expect("a zone");
            assert_eq!(window.end(begins, &zone), end, "{begins} {days} {zone}");
        };
        let noon = utc_datetime!(2026-11-21 12:00);
        check(noon, 7, "UTC", utc_datetime!(2026-11-29 00:00));
        check(noon, 29, "UTC", utc_datetime!(2026-12-21 00:00));
        // the longest one does not wait for the end of its day
        check(noon, 30, "UTC", utc_datetime!(2026-12-21 12:00));
        // the day on which it began is not counted
        let midnight = utc_datetime!(2026-11-21 00:00);
        check(midnight, 7, "UTC", utc_datetime!(2026-11-29 00:00));
        check(midnight, 30, "UTC", utc_datetime!(2026-12-21 00:00));
        // 21:00 there, so that the seventh day ends three hours later
        check(noon, 7, "+09:00", utc_datetime!(2026-11-28 15:00));
        let last = PendingWindow::default().end(UtcDateTime::MAX, &Zone::UTC);
        assert_eq!(last, UtcDateTime::MAX);
    }

    // clause: Q-18
    #[test]
    fn every_wait_is_its_days_in_every_reading_and_at_most_thirty_in_any() {
        for zone in ["UTC", "+09:00", "America/Chicago"] {
            let zone: Zone = zone.parse().expect("a zone");
            let reading = Reading::in_zone(zone.clone());
            // two years, each 17 hours and some: over every clock change
            for step in 0..1_030 {
                let begins = utc_datetime!(2026-01-01 00:00) + Duration::minutes(1_021) * step;
                let days = |n: u32| Period::days(n).resolve(begins, &reading).expect("in range");
                for n in [7, 8, 28, 29, 30] {
                    let window = PendingWindow::try_from(n).expect("a window");
                    let end = window.end(begins, &zone);
                    assert!(end <= days(30).earliest, "{begins} {n} {zone}");
                    assert!(end >= days(n.into()).earliest, "{begins} {n} {zone}");
                    if n <= 28 {
                        assert_eq!(end, days(n.into()).latest, "{begins} {n} {zone}");
                    }
                }
            }
        }
    }

    // clause: Q-17
    #[test]
    fn keys_expire_after_one_year_or_three() {
        assert_eq!("P1Y".parse(), Ok(KeyExpiry::OneYear));
        assert_eq!("P3Y".parse(), Ok(KeyExpiry::ThreeYears));
        for text in [
            "", "P2Y", "P12M", "P36M", "P365D", "p1y", "P1Y ", "1", "P10Y", "P1YT0S",
        ] {
            assert_eq!(text.parse::<KeyExpiry>(), Err(ExpiryError), "{text}");
        }
    }

    #[test]
    fn a_year_is_a_calendar_year() {
        let at = |days: i64| UtcDateTime::UNIX_EPOCH + Duration::days(days);
        let check = |expiry: KeyExpiry, from: i64, to: i64| {
            let end = expiry.end(at(from), &Zone::UTC);
            assert_eq!(end, Ok(at(to)), "{expiry} {from}");
            assert_eq!(expiry.to_string().parse(), Ok(expiry));
        };
        // 1970-01-01 to 1971-01-01 and 1973-01-01
        check(KeyExpiry::OneYear, 0, 365);
        check(KeyExpiry::ThreeYears, 0, 365 * 3 + 1);
        // 1972-02-29 has no anniversary: 1973-02-28 and 1975-02-28 are waited for to their end
        check(KeyExpiry::OneYear, 789, 789 + 366);
        check(KeyExpiry::ThreeYears, 789, 789 + 365 * 3 + 1);
        // 1972-03-01 05:00 there, which has one
        let tokyo = Zone::fixed(32_400).expect("a zone");
        let evening = at(789) + Duration::hours(20);
        let end = KeyExpiry::OneYear.end(evening, &tokyo);
        assert_eq!(end, Ok(evening + Duration::days(365)));
        let last = KeyExpiry::OneYear.end(UtcDateTime::MAX, &Zone::UTC);
        assert!(last.is_err());
    }
}
