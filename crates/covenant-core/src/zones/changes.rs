//! The changes of a zone's offset as a table of ours, because the library works a rule of clock
//! changes out anew for every question: most dates that promises lead to lie under such a rule.
#![deny(clippy::arithmetic_side_effects)]

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Where the table ends when the zone's rule does not: 2100-01-01. What lies later is asked of the
/// library; promises are counted in months and years.
const UNTIL_SECS: i64 = 4_102_444_800;
/// No offset is longer than a day, nor a jump longer than two.
const MARGIN_SECS: i64 = 3 * 86_400;

/// A stretch of time, as a power of two of seconds, in which few changes come: 194 days.
const STRETCH_SECS_LOG2: u32 = 24;

/// Every change of offset up to an instant, in order.
#[derive(Debug)]
pub(super) struct Changes {
    /// Before the first change.
    first: i32,
    /// Offset before and after each change.
    offsets: Vec<(i32, i32)>,
    /// When each change comes.
    at: Timeline,
    /// The first local second that each change makes missing or double.
    local: Timeline,
    /// The table knows every instant and local time before.
    until_secs: i64,
}

/// Seconds in order, and where to look for one.
#[derive(Debug)]
struct Timeline {
    secs: Vec<i64>,
    /// For each stretch from the first on, how many lie before it.
    before: Vec<usize>,
}

impl Changes {
    /// The changes of the zone.
    pub(super) fn of(zone: &TimeZone) -> Self {
        let first = zone.to_offset(Timestamp::MIN).seconds();
        let mut until_secs = i64::MAX;
        let (mut offsets, mut ats, mut locals) = (Vec::new(), Vec::new(), Vec::new());
        let mut before = first;
        for change in zone.following(Timestamp::MIN) {
            let at = change.timestamp().as_second();
            if at > UNTIL_SECS {
                until_secs = UNTIL_SECS.saturating_sub(MARGIN_SECS);
                break;
            }
            let after = change.offset().seconds();
            if after != before {
                offsets.push((before, after));
                ats.push(at);
                locals.push(at.saturating_add(i64::from(before.min(after))));
            }
            before = after;
        }
        Self {
            first,
            offsets,
            at: Timeline::new(ats),
            local: Timeline::new(locals),
            until_secs,
        }
    }

    /// Seconds east so many seconds after 1970-01-01 in UTC; `None` beyond the table.
    pub(super) fn offset(&self, secs: i64) -> Option<i32> {
        if secs >= self.until_secs {
            return None;
        }
        let passed = self.at.passed(secs);
        Some(self.change(passed).map_or(self.first, |(_, after)| after))
    }

    /// The offsets that may hold so many local seconds after 1970-01-01, the one before a change
    /// first, twice the same where only one does; `None` beyond the table.
    pub(super) fn offsets(&self, local: i64) -> Option<(i32, i32)> {
        if local >= self.until_secs {
            return None;
        }
        let passed = self.local.passed(local);
        let Some((before, after)) = self.change(passed) else {
            return Some((self.first, self.first));
        };
        let from = self.local.secs.get(passed.saturating_sub(1))?;
        let lasts = i64::from(before.abs_diff(after));
        let doubtful = local < from.saturating_add(lasts);
        Some(if doubtful {
            (before, after)
        } else {
            (after, after)
        })
    }

    /// The last of so many changes.
    fn change(&self, passed: usize) -> Option<(i32, i32)> {
        self.offsets.get(passed.checked_sub(1)?).copied()
    }
}

impl Timeline {
    fn new(secs: Vec<i64>) -> Self {
        let stretches = match (secs.first(), secs.last()) {
            (Some(first), Some(last)) => 0..=(last.saturating_sub(*first) >> STRETCH_SECS_LOG2),
            _ => 0..=0,
        };
        let first = secs.first().copied().unwrap_or_default();
        let before = stretches.map(|stretch| {
            let start = first.saturating_add(stretch << STRETCH_SECS_LOG2);
            secs.partition_point(|at| *at < start)
        });
        Self {
            before: before.collect(),
            secs,
        }
    }

    /// How many are not after.
    fn passed(&self, secs: i64) -> usize {
        let Some(first) = self.secs.first().filter(|first| **first <= secs) else {
            return 0;
        };
        let stretch = usize::try_from(secs.saturating_sub(*first) >> STRETCH_SECS_LOG2);
        let Some(before) = stretch.ok().and_then(|at| self.before.get(at)) else {
            return self.secs.len();
        };
        let rest = self.secs.get(*before..).unwrap_or_default();
        let more = rest.iter().take_while(|at| **at <= secs).count();
        before.saturating_add(more)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::DateTime;
    use jiff::tz::{AmbiguousOffset, Offset, TimeZoneDatabase};

    use super::*;

    fn local(secs: i64) -> DateTime {
        Offset::UTC.to_datetime(Timestamp::from_second(secs).unwrap())
    }

    /// The library's answers at the instant and at the local time of the same number.
    fn theirs(zone: &TimeZone, secs: i64) -> (i32, (i32, i32)) {
        let offset = zone.to_offset(Timestamp::from_second(secs).unwrap());
        let offsets = match zone.to_ambiguous_timestamp(local(secs)).offset() {
            AmbiguousOffset::Unambiguous { offset } => (offset, offset),
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                (before, after)
            }
        };
        let (before, after) = offsets;
        (offset.seconds(), (before.seconds(), after.seconds()))
    }

    #[test]
    fn every_zone_has_the_librarys_offsets_around_every_change() {
        let database = TimeZoneDatabase::bundled();
        let (mut zones, mut asked) = (0, 0);
        for name in database.available() {
            let zone = database.get(name.as_str()).unwrap();
            let changes = Changes::of(&zone);
            let ends = [-62_135_596_800, 0, UNTIL_SECS - MARGIN_SECS - 1];
            let around = changes.at.secs.iter().zip(&changes.offsets);
            let around = around.flat_map(|(at, (before, after))| {
                let (before, after) = (i64::from(*before), i64::from(*after));
                [0, before, after, (before + after) / 2, 1_209_600].map(|by| at + by)
            });
            for secs in around.chain(ends).flat_map(|at| [at - 1, at, at + 1]) {
                if secs >= changes.until_secs {
                    continue;
                }
                let (offset, offsets) = theirs(&zone, secs);
                assert_eq!(changes.offset(secs), Some(offset), "{name:?} at {secs}");
                assert_eq!(changes.offsets(secs), Some(offsets), "{name:?} at {secs}");
                asked += 1;
            }
            zones += 1;
        }
        assert!(
            zones > 400 && asked > 500_000,
            "{zones} zones, {asked} questions"
        );
    }

    #[test]
    fn a_table_ends_where_the_rule_goes_on() {
        let database = TimeZoneDatabase::bundled();
        let of = |name| Changes::of(&database.get(name).unwrap());
        let (chicago, tokyo) = (of("America/Chicago"), of("Asia/Tokyo"));
        assert_eq!(tokyo.offset(i64::MAX - 1), Some(9 * 3_600));
        assert_eq!(tokyo.offsets(i64::MAX - 1), Some((9 * 3_600, 9 * 3_600)));
        for (secs, known) in [(chicago.until_secs - 1, true), (chicago.until_secs, false)] {
            assert_eq!(chicago.offset(secs).is_some(), known, "{secs}");
            assert_eq!(chicago.offsets(secs).is_some(), known, "{secs}");
        }
    }
}
