//! When a case ends: the end of a period or of a night, at the exact second.

use covenant_core::{Period, PeriodError, Reading, Zone};
use time::{Date, Duration, PrimitiveDateTime, Time, UtcDateTime};

use super::{MonitorError, Rhythm};

/// Which side of a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// It must have happened by then.
    Ceiling,
    /// It may not have happened before then.
    Floor,
}

/// How the end of a case follows from its start.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) side: Side,
    rhythm: Rhythm,
    tolerance: Duration,
    reading: Reading,
}

impl Limits {
    /// The earliest reading of the period, and `late`.
    pub(super) fn ceiling(max: Period, late: Period, reading: &Reading) -> Self {
        Self::new(Side::Ceiling, Rhythm::Period(max), late, reading)
    }

    /// The latest reading of the period, less `early`.
    pub(super) fn floor(min: Period, early: Period, reading: &Reading) -> Self {
        Self::new(Side::Floor, Rhythm::Period(min), early, reading)
    }

    pub(super) fn rhythm(rhythm: Rhythm, late: Period, reading: &Reading) -> Self {
        Self::new(Side::Ceiling, rhythm, late, reading)
    }

    /// A tolerance in days counts at its shortest, so that no reading of it excuses more.
    fn new(side: Side, rhythm: Rhythm, tolerance: Period, reading: &Reading) -> Self {
        let secs = tolerance.bounds(reading).shortest_secs;
        Self {
            side,
            rhythm,
            tolerance: Duration::seconds(i64::try_from(secs).unwrap_or(i64::MAX)),
            reading: reading.clone(),
        }
    }

    /// The last instant of a ceiling, the first after a floor, for a case that starts at `since`.
    pub(super) fn end(&self, since: UtcDateTime) -> Result<UtcDateTime, MonitorError> {
        let window = match self.rhythm {
            Rhythm::CivilNight => {
                let zones = self.reading.zones().iter();
                let ends = zones.map(|zone| next_night_end(since, zone));
                ends.min().flatten()
            }
            Rhythm::Period(period) => {
                let window = period.resolve(since, &self.reading);
                let window = window.map_err(MonitorError::Period)?;
                Some(match self.side {
                    Side::Ceiling => window.earliest,
                    Side::Floor => window.latest,
                })
            }
        };
        let end = window.and_then(|end| match self.side {
            Side::Ceiling => end.checked_add(self.tolerance),
            Side::Floor => end.checked_sub(self.tolerance),
        });
        end.ok_or(MonitorError::Period(PeriodError::OutOfRange))
    }
}

/// The last instant of the night after the one in which `since` lies; `None` outside the calendar.
fn next_night_end(since: UtcDateTime, zone: &Zone) -> Option<UtcDateTime> {
    let noon = Time::MIDNIGHT + Duration::hours(12);
    let local = zone.local(since);
    let night: Date = if local.time() < noon {
        local.date().previous_day()?
    } else {
        local.date()
    };
    let day = night.next_day()?.next_day()?;
    let end = zone.instants(PrimitiveDateTime::new(day, noon))?.earliest;
    end.checked_sub(Duration::nanoseconds(1))
}
