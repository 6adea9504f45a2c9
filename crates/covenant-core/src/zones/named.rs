//! The adapter to jiff's zone table: names, offsets, gaps.
#![deny(clippy::arithmetic_side_effects)]

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use time::UtcDateTime;

use super::changes::Changes;
use crate::period::Window;

/// A zone of the table.
#[derive(Clone)]
pub(super) struct Named(Arc<Known>);

/// What is known of a zone; its changes from the first question on.
struct Known {
    zone: TimeZone,
    changes: OnceLock<Changes>,
}

impl Named {
    /// The zone of exactly this name.
    pub(super) fn new(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        // the table forgives case; a settings file has one spelling
        let exact = zone.iana_name() == Some(name);
        let changes = OnceLock::new();
        exact.then(|| Self(Arc::new(Known { zone, changes })))
    }

    pub(super) fn name(&self) -> &str {
        self.0.zone.iana_name().unwrap_or_default()
    }

    /// Seconds east so many seconds after 1970-01-01 in UTC.
    pub(super) fn offset_secs(&self, secs: i64) -> i32 {
        let known = self.changes().offset(secs);
        known.unwrap_or_else(|| self.0.zone.to_offset(timestamp(secs)).seconds())
    }

    /// The offsets that may hold so many local seconds after 1970-01-01.
    pub(super) fn offsets(&self, local_secs: i64) -> (i32, i32) {
        let known = self.changes().offsets(local_secs);
        known.unwrap_or_else(|| match self.ambiguous(local_secs) {
            AmbiguousOffset::Unambiguous { offset } => (offset.seconds(), offset.seconds()),
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                (before.seconds(), after.seconds())
            }
        })
    }

    /// When this local time falls into a gap, the instant of the jump; `window` holds its readings.
    pub(super) fn gap_end(&self, local_secs: i64, window: Window) -> Option<UtcDateTime> {
        let AmbiguousOffset::Gap { .. } = self.ambiguous(local_secs) else {
            return None;
        };
        let from = timestamp(window.earliest.unix_timestamp());
        let jump = self.0.zone.following(from).next()?;
        UtcDateTime::from_unix_timestamp(jump.timestamp().as_second()).ok()
    }

    /// Largest less smallest offset since 1970. The table's rules repeat yearly after 2037.
    pub(super) fn offset_spread_secs(&self) -> u32 {
        let mut least = self.0.zone.to_offset(Timestamp::UNIX_EPOCH).seconds();
        let mut most = least;
        let until = Timestamp::constant(2_240_611_200, 0);
        for change in self.0.zone.following(Timestamp::UNIX_EPOCH) {
            if change.timestamp() > until {
                break;
            }
            least = least.min(change.offset().seconds());
            most = most.max(change.offset().seconds());
        }
        most.abs_diff(least)
    }

    fn ambiguous(&self, local_secs: i64) -> AmbiguousOffset {
        let local = Offset::UTC.to_datetime(timestamp(local_secs));
        self.0.zone.to_ambiguous_timestamp(local).offset()
    }

    fn changes(&self) -> &Changes {
        self.0.changes.get_or_init(|| Changes::of(&self.0.zone))
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}
impl Eq for Named {}
impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// The instant, saturated: the table's calendar ends some hours before ours.
fn timestamp(secs: i64) -> Timestamp {
    let (min, max) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(secs.clamp(min, max)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, utc_datetime as at};

    use crate::{DayRule, MonthRule, Period, Reading, Window, Zone, ZoneError};

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    #[test]
    fn names_have_one_spelling() {
        assert_eq!(zone("America/Chicago").to_string(), "America/Chicago");
        assert_eq!("america/chicago".parse::<Zone>(), Err(ZoneError::Unknown));
        assert_eq!("Etc/Nowhere".parse::<Zone>(), Err(ZoneError::Unknown));
        assert_eq!(zone("Asia/Tokyo"), zone("Asia/Tokyo"));
        assert_ne!(zone("Asia/Tokyo"), zone("+09:00"));
    }

    #[test]
    fn local_times_that_are_missing_or_double_count_with_both_offsets() {
        let chicago = zone("America/Chicago");
        let exact = |at, days| {
            Period::days(days).add_exact(at, &chicago, DayRule::Elapsed, MonthRule::ClampEnd)
        };
        assert_eq!(
            exact(at!(2026-03-07 8:30), 1),
            Ok(Window::at(at!(2026-03-08 8:30)))
        );
        let month =
            |at| Period::months(1).add_exact(at, &chicago, DayRule::Elapsed, MonthRule::ClampEnd);
        // 8 February 02:30 local, a month later 02:30 is missing
        let missing = Window {
            earliest: at!(2026-03-08 7:30),
            latest: at!(2026-03-08 8:30),
        };
        assert_eq!(month(at!(2026-02-08 8:30)), Ok(missing));
        // 1 October 01:30 local, a month later 01:30 is there twice
        let double = Window {
            earliest: at!(2026-11-01 6:30),
            latest: at!(2026-11-01 7:30),
        };
        assert_eq!(month(at!(2026-10-01 6:30)), Ok(double));
    }

    #[test]
    fn days_begin_where_they_begin() {
        // Apia skipped 30 December 2011
        let apia = zone("Pacific/Apia");
        let before = at!(2011-12-30 9:59:59);
        assert_eq!(apia.civil_date(before), date!(2011 - 12 - 29));
        assert_eq!(apia.midnight_after(before), at!(2011-12-30 10:00));
        assert_eq!(
            apia.civil_date(at!(2011-12-30 10:00)),
            date!(2011 - 12 - 31)
        );
        assert_eq!(apia.start_of(date!(2011 - 12 - 30)), at!(2011-12-30 10:00));
        assert_eq!(apia.start_of(date!(2011 - 12 - 31)), at!(2011-12-30 10:00));
        // Beirut's midnight of 27 March 2022 is missing
        let beirut = zone("Asia/Beirut");
        assert_eq!(
            beirut.start_of(date!(2022 - 03 - 27)),
            at!(2022-03-26 22:00)
        );
        assert_eq!(
            beirut.midnight_after(at!(2022-03-26 12:00)),
            at!(2022-03-26 22:00)
        );
        // Havana's midnight of 6 November 2022 is there twice, St John's of 30 October 2005 too
        let havana = zone("America/Havana");
        assert_eq!(havana.start_of(date!(2022 - 11 - 06)), at!(2022-11-06 4:00));
        assert_eq!(
            havana.midnight_after(at!(2022-11-06 5:30)),
            at!(2022-11-07 5:00)
        );
        let st_johns = zone("America/St_Johns");
        let again = at!(2005-10-30 3:00);
        assert_eq!(st_johns.civil_date(again), date!(2005 - 10 - 29));
        assert_eq!(st_johns.midnight_after(again), at!(2005-10-30 3:30));
        assert_eq!(
            st_johns.start_of(date!(2005 - 10 - 30)),
            at!(2005-10-30 2:30)
        );
    }

    #[test]
    fn bounds_allow_for_clock_changes() {
        let day = 86_400;
        let reading = Reading::in_zone(zone("Europe/Dublin"));
        let bounds = Period::days(30).bounds(&reading);
        assert_eq!(bounds.shortest_secs, 30 * day - 3_600);
        assert_eq!(bounds.longest_secs, 31 * day + 3_600);
        let elapsed = Reading::exact(zone("Europe/Dublin"), DayRule::Elapsed, MonthRule::ClampEnd);
        assert_eq!(Period::days(30).bounds(&elapsed).longest_secs, 30 * day);
        assert_eq!(
            Period::months(1).bounds(&elapsed).longest_secs,
            31 * day + 3_600
        );
    }
}
