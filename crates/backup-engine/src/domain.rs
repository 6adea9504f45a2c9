//! What is backed up, and when it dies: the domain, and the epoch as whole civil days.

use std::fmt;
use std::str::FromStr;

use covenant_core::{LogSafe, TenantId, Zone, canon};
use time::{Date, UtcDateTime};

/// Longest dataset name in bytes; a bound of ours.
pub const DATASET_LEN_BYTES_MAX: usize = 64;

/// One tenant's dataset: the unit that is backed up and restored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain {
    tenant: TenantId,
    dataset: Box<str>,
}

/// A dataset name is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a dataset name has 1 to {DATASET_LEN_BYTES_MAX} of a-z, 0-9 and hyphen")]
pub struct DatasetError;

impl Domain {
    /// The dataset of this name.
    ///
    /// # Errors
    /// [`DatasetError`] for a name outside `[a-z0-9-]{1,64}`.
    pub fn new(tenant: TenantId, dataset: &str) -> Result<Self, DatasetError> {
        let fits = (1..=DATASET_LEN_BYTES_MAX).contains(&dataset.len());
        let clean = dataset
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if fits && clean {
            Ok(Self {
                tenant,
                dataset: dataset.into(),
            })
        } else {
            Err(DatasetError)
        }
    }

    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The dataset's name.
    #[must_use]
    pub fn dataset(&self) -> &str {
        &self.dataset
    }

    /// Canonical bytes: what names and places are derived from.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let mut writer = canon::Writer::new();
        writer.fixed(self.tenant.as_bytes()).text(&self.dataset);
        writer.finish()
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.dataset)
    }
}
impl LogSafe for Domain {}

/// A backup epoch: whole civil days `[first, next)` in the policy's zone, known by its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    first: Date,
}

/// A text is no epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an epoch is its first civil day, as yyyymmdd")]
pub struct EpochError;

impl Epoch {
    /// The epoch of `days` civil days in which the instant lies.
    ///
    /// Epochs are counted from 1970-01-01 in the zone's own calendar, so that every process cuts
    /// them alike. `days` of zero counts as one.
    #[must_use]
    pub fn at(instant: UtcDateTime, days: u16, zone: &Zone) -> Self {
        let days = i32::from(days.max(1));
        let today = zone.civil_date(instant);
        let since = today.to_julian_day().saturating_sub(UNIX_EPOCH_JULIAN_DAY);
        let first = today.to_julian_day().saturating_sub(since.rem_euclid(days));
        Self {
            first: Date::from_julian_day(first).unwrap_or(today),
        }
    }

    /// The first civil day.
    #[must_use]
    pub const fn first(self) -> Date {
        self.first
    }

    /// Its first instant.
    #[must_use]
    pub fn start(self, zone: &Zone) -> UtcDateTime {
        zone.start_of(self.first)
    }

    /// The first instant after it.
    #[must_use]
    pub fn end(self, days: u16, zone: &Zone) -> UtcDateTime {
        zone.start_of(self.next(days).first)
    }

    /// The epoch that follows; itself at the end of the calendar.
    #[must_use]
    pub fn next(self, days: u16) -> Self {
        let day = self
            .first
            .to_julian_day()
            .saturating_add(i32::from(days.max(1)));
        Self {
            first: Date::from_julian_day(day).unwrap_or(self.first),
        }
    }
}

/// Julian day of 1970-01-01.
const UNIX_EPOCH_JULIAN_DAY: i32 = 2_440_588;

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.first.to_calendar_date();
        write!(f, "{year:04}{:02}{day:02}", u8::from(month))
    }
}
impl FromStr for Epoch {
    type Err = EpochError;

    fn from_str(text: &str) -> Result<Self, EpochError> {
        if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(EpochError);
        }
        let part = |range| text.get(range).ok_or(EpochError);
        let year = part(0..4)?.parse().or(Err(EpochError))?;
        let month: u8 = part(4..6)?.parse().or(Err(EpochError))?;
        let month = time::Month::try_from(month).or(Err(EpochError))?;
        let day = part(6..8)?.parse().or(Err(EpochError))?;
        Date::from_calendar_date(year, month, day)
            .map(|first| Self { first })
            .or(Err(EpochError))
    }
}
impl LogSafe for Epoch {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcDateTime {
        let format = time::format_description::well_known::Rfc3339;
        UtcDateTime::parse(text, &format).unwrap()
    }

    #[test]
    fn an_epoch_is_a_civil_day_of_its_zone() {
        let tokyo: Zone = "+09:00".parse().unwrap();
        let epoch = Epoch::at(at("2027-02-28T14:59:59Z"), 1, &tokyo);
        assert_eq!(epoch.to_string(), "20270228");
        assert_eq!(epoch.end(1, &tokyo), at("2027-02-28T15:00:00Z"));
        assert_eq!(
            Epoch::at(at("2027-02-28T15:00:00Z"), 1, &tokyo),
            epoch.next(1)
        );
    }

    #[test]
    fn every_instant_lies_in_exactly_one_epoch() {
        for zone in ["UTC", "+09:00", "America/Chicago"] {
            let zone: Zone = zone.parse().unwrap();
            for days in [1, 7] {
                let mut instant = at("2027-03-01T00:30:00Z");
                for _ in 0..900 {
                    let epoch = Epoch::at(instant, days, &zone);
                    assert!(epoch.start(&zone) <= instant && instant < epoch.end(days, &zone));
                    assert_eq!(epoch.to_string().parse::<Epoch>().unwrap(), epoch);
                    instant += time::Duration::hours(7);
                }
            }
        }
    }

    #[test]
    fn names_outside_the_alphabet_are_refused() {
        let tenant = TenantId::from_bytes([1; 16]);
        for bad in ["", "Main", "a/b", "..", "a b"] {
            assert_eq!(Domain::new(tenant, bad), Err(DatasetError), "{bad}");
        }
        assert!(Domain::new(tenant, "main-2").is_ok());
        for bad in ["2027", "20270230", "2027-1-1", "20271301"] {
            assert_eq!(bad.parse::<Epoch>(), Err(EpochError), "{bad}");
        }
    }
}
