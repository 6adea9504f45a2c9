//! Month arithmetic agrees with `jiff`, another implementation: at every start of the calendar's
//! 400-year cycle in UTC, and over ten years in five civil zones. `clamp` is its rule; `clamp-end`
//! differs from it exactly where the month is too short, and never runs backwards.
#![cfg(feature = "zones")]

use std::error::Error;

use jiff::civil::{self, DateTime};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Span, Timestamp};
use time::{Duration, UtcDateTime};

use covenant_core::{DayRule, MonthRule, Period, Reading, Window, Zone};

type Outcome = Result<(), Box<dyn Error>>;

const CYCLE_DAYS: i64 = 146_097;
/// Starts that clamp, of one time of day: 1.85 % of the cycle.
const CLAMPED_DAYS: usize = 2_703;

/// Every day of the cycle at these times of day, in order, for us and for jiff.
fn starts(times: [civil::Time; 3]) -> impl Iterator<Item = (UtcDateTime, DateTime)> {
    let first = civil::date(2000, 1, 1);
    first
        .series(Span::new().days(1))
        .zip(0..CYCLE_DAYS)
        .flat_map(move |(date, _)| {
            times.into_iter().filter_map(move |time| {
                let local = date.to_datetime(time);
                let secs = Offset::UTC.to_timestamp(local).ok()?.as_second();
                Some((UtcDateTime::from_unix_timestamp(secs).ok()?, local))
            })
        })
}

fn secs(local: DateTime) -> Result<i64, jiff::Error> {
    Ok(Offset::UTC.to_timestamp(local)?.as_second())
}

#[test]
fn every_start_of_the_400_year_cycle() -> Outcome {
    let times = [
        civil::time(0, 0, 0, 0),
        civil::time(12, 34, 56, 0),
        civil::time(23, 59, 59, 0),
    ];
    for months in [1_u32, 6, 12] {
        let period = Period::months(months);
        let span = Span::new().months(months);
        let mut clamped = 0;
        let mut before = UtcDateTime::MIN;
        let mut count = 0;
        for (start, local) in starts(times) {
            count += 1;
            let end = |rule| period.add_exact(start, &Zone::UTC, DayRule::Elapsed, rule);
            let theirs = local.checked_add(span)?;
            let clamp = end(MonthRule::Clamp)?;
            assert_eq!(
                clamp.earliest.unix_timestamp(),
                secs(theirs)?,
                "{start} + {period}"
            );
            let clamp_end = end(MonthRule::ClampEnd)?;
            if theirs.day() == local.day() {
                assert_eq!(clamp_end, clamp, "{start} + {period}");
            } else {
                clamped += 1;
                let end_of_month = theirs.date().tomorrow()?.at(0, 0, 0, 0);
                assert_eq!(clamp_end.earliest.unix_timestamp(), secs(end_of_month)?);
                assert_ne!(clamp_end, clamp, "{start} + {period}");
            }
            assert_eq!(clamp_end.earliest, clamp_end.latest);
            assert!(
                clamp_end.earliest >= before,
                "{start} + {period} runs backwards"
            );
            before = clamp_end.earliest;
        }
        assert_eq!(count, 3 * 146_097);
        let expect = if months == 12 { 97 } else { CLAMPED_DAYS };
        assert_eq!(clamped, 3 * expect, "{period}");
    }
    Ok(())
}

#[test]
fn clamp_runs_backwards_once_for_every_start_that_clamps() -> Outcome {
    let times = [
        civil::time(0, 0, 0, 0),
        civil::time(12, 0, 0, 0),
        civil::time(23, 59, 59, 0),
    ];
    for months in [1, 6] {
        for (rule, expect) in [(MonthRule::Clamp, CLAMPED_DAYS), (MonthRule::ClampEnd, 0)] {
            let reading = Reading::exact(Zone::UTC, DayRule::Elapsed, rule);
            let mut before = UtcDateTime::MIN;
            let mut backwards = 0;
            for (start, _) in starts(times) {
                let end = Period::months(months).resolve(start, &reading)?.earliest;
                backwards += usize::from(end < before);
                before = end;
            }
            assert_eq!(backwards, expect, "P{months}M {rule}");
        }
    }
    Ok(())
}

/// Both readings of a local time, as jiff's table has them.
fn readings(
    zone: &TimeZone,
    local: DateTime,
    after: SignedDuration,
) -> Result<Window, Box<dyn Error>> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let (a, b) = (ambiguous.earlier()?, ambiguous.later()?);
    let at = |t: Timestamp| {
        UtcDateTime::from_unix_timestamp(t.checked_add(after)?.as_second())
            .map_err(Box::<dyn Error>::from)
    };
    Ok(Window::at(at(a)?).union(Window::at(at(b)?)))
}

#[test]
fn ten_years_in_five_zones() -> Outcome {
    let mut periods: Vec<(u32, u32, u64)> = (1..=24).map(|months| (months, 0, 0)).collect();
    periods.extend([
        (1, 1, 0),
        (1, 0, 3_600),
        (6, 14, 90_000),
        (0, 30, 90_000),
        (13, 400, 1),
    ]);
    let mut doubtful = 0;
    for name in [
        "Asia/Tokyo",
        "America/Chicago",
        "Europe/Dublin",
        "Pacific/Apia",
        "Australia/Lord_Howe",
    ] {
        let zone: Zone = name.parse()?;
        let table = TimeZoneDatabase::bundled().get(name)?;
        // odd steps, so that the time of day wanders; Apia skips a day in 2011
        let first = time::macros::utc_datetime!(2008-01-01 0:00);
        for step in 0..4_340 {
            let start = first + Duration::seconds(step * 72_713);
            let zoned = Timestamp::from_second(start.unix_timestamp())?.to_zoned(table.clone());
            for (months, days, secs) in &periods {
                let period = Period::new(*months, *days, *secs)?;
                let what = format_args!("{start} + {period} in {name}");
                let elapsed = u64::from(*days) * 86_400 + secs;
                let elapsed = SignedDuration::from_secs(i64::try_from(elapsed)?);
                let exact = SignedDuration::from_secs(i64::try_from(*secs)?);
                let span = Span::new().months(*months);
                let same_day = zoned.datetime().checked_add(span)?;
                let fits = same_day.day() == zoned.day();
                let whole = |day: civil::Date| day.tomorrow().map(|d| d.at(0, 0, 0, 0));
                let ours = |day, month| period.add_exact(start, &zone, day, month);

                if *months > 0 {
                    let clamp = readings(&table, same_day, elapsed)?;
                    let mine = ours(DayRule::Elapsed, MonthRule::Clamp)?;
                    assert_eq!(mine, clamp, "{what}, clamp");
                    doubtful += usize::from(clamp.earliest != clamp.latest);
                    let theirs = zoned.checked_add(span)?.timestamp().checked_add(elapsed)?;
                    let theirs = theirs.as_second();
                    assert!(
                        theirs == mine.earliest.unix_timestamp()
                            || theirs == mine.latest.unix_timestamp(),
                        "{what}: jiff takes neither offset"
                    );
                    let clamp_end = if fits {
                        same_day
                    } else {
                        whole(same_day.date())?
                    };
                    let clamp_end = readings(&table, clamp_end, elapsed)?;
                    let mine = ours(DayRule::Elapsed, MonthRule::ClampEnd)?;
                    assert_eq!(mine, clamp_end, "{what}, clamp-end");
                } else {
                    let theirs = zoned.timestamp().checked_add(elapsed)?.as_second();
                    let mine = ours(DayRule::Elapsed, MonthRule::ClampEnd)?;
                    assert_eq!(mine.earliest.unix_timestamp(), theirs, "{what}");
                    assert_eq!(mine.latest.unix_timestamp(), theirs, "{what}");
                }
                let last_day = same_day.date().checked_add(Span::new().days(*days))?;
                let end_of_day = readings(&table, whole(last_day)?, exact)?;
                for rule in MonthRule::ALL {
                    let mine = ours(DayRule::EndOfDay, rule)?;
                    assert_eq!(mine, end_of_day, "{what}, end-of-day");
                }
            }
        }
    }
    assert!(
        doubtful > 100,
        "only {doubtful} ends fall on a clock change"
    );
    Ok(())
}

#[test]
fn bounds_hold_in_five_zones() -> Outcome {
    let periods = ["P1M", "P6M", "P30D", "P1M3DT5H", "P2Y"];
    for name in [
        "Asia/Tokyo",
        "America/Chicago",
        "Europe/Dublin",
        "Pacific/Apia",
        "Australia/Lord_Howe",
    ] {
        let zone: Zone = name.parse()?;
        let reading = Reading::in_zone(zone);
        for text in periods {
            let period: Period = text.parse()?;
            let bounds = period.bounds(&reading);
            let first = time::macros::utc_datetime!(1970-01-01 0:00);
            for step in 0..20_000 {
                let start = first + Duration::seconds(step * 152_713);
                let window = period.resolve(start, &reading)?;
                let shortest = u64::try_from((window.earliest - start).whole_seconds())?;
                let longest = u64::try_from((window.latest - start).whole_seconds())?;
                assert!(
                    bounds.shortest_secs <= shortest,
                    "{start} + {period} in {name}"
                );
                assert!(
                    bounds.longest_secs >= longest,
                    "{start} + {period} in {name}"
                );
            }
        }
    }
    Ok(())
}
