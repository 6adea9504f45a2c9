//! What many periods share, the date of their start, changes none of them: counted from a
//! `Start`, a period ends where its readings end one by one.

#![expect(clippy::unwrap_used, reason = "cases are drawn where they exist")]

use covenant_core::{
    DayRule, MonthRule, PERIOD_DAYS_MAX, PERIOD_MONTHS_MAX, PERIOD_SECS_MAX, Period, Reading,
    UnixTime, Window, Zone,
};
use proptest::prelude::*;
use time::UtcDateTime;

fn instants() -> impl Strategy<Value = UtcDateTime> {
    let (min, max) = (
        UtcDateTime::MIN.unix_timestamp(),
        UtcDateTime::MAX.unix_timestamp(),
    );
    let secs = prop_oneof![
        1_500_000_000..2_000_000_000_i64,
        min..=max,
        // the last and the first days of the calendar
        max - 200_000..=max,
        min..min + 200_000,
    ];
    let nanos = prop_oneof![Just(0), Just(1), 0..1_000_000_000_u32];
    (secs, nanos).prop_map(|(secs, nanos)| {
        let at = UtcDateTime::from_unix_timestamp(secs).unwrap();
        at.replace_nanosecond(nanos).unwrap()
    })
}

fn periods() -> impl Strategy<Value = Period> {
    let part = |most: u64, usual: u64| prop_oneof![Just(0), 0..=usual, 0..=most];
    let months = part(u64::from(PERIOD_MONTHS_MAX), 40);
    let days = part(u64::from(PERIOD_DAYS_MAX), 400);
    (months, days, part(PERIOD_SECS_MAX, 200_000)).prop_map(|(months, days, secs)| {
        let small = |n: u64| u32::try_from(n).unwrap();
        Period::new(small(months), small(days), secs).unwrap()
    })
}

fn readings() -> impl Strategy<Value = Reading> {
    let zone = (-18 * 4..=18 * 4_i32).prop_map(|quarters| Zone::fixed(quarters * 900).unwrap());
    let zones = prop_oneof![
        Just(vec![Zone::UTC]),
        prop::collection::vec(zone, 1..4),
        Just(named()),
    ];
    let days = prop_oneof![
        Just(vec![DayRule::Elapsed]),
        Just(vec![DayRule::EndOfDay]),
        Just(DayRule::ALL.to_vec()),
    ];
    (zones, days, prop::sample::select(&MonthRule::ALL[..]))
        .prop_map(|(zones, days, months)| Reading::new(zones, days, months).unwrap())
}

/// Zones with clock changes, where the table is there.
fn named() -> Vec<Zone> {
    ["Europe/Dublin", "America/Havana", "+14:00"]
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// Every reading alone; `None` when one of them ends outside the calendar.
fn one_by_one(period: &Period, at: UtcDateTime, reading: &Reading) -> Option<Window> {
    let mut all: Option<Window> = None;
    for zone in reading.zones() {
        for days in reading.days() {
            let one = period.add_exact(at, zone, *days, reading.months()).ok()?;
            all = Some(all.map_or(one, |all| all.union(one)));
        }
    }
    all
}

proptest! {
    #[test]
    fn counted_together_or_alone(
        at in instants(),
        reading in readings(),
        periods in prop::collection::vec(periods(), 1..6),
    ) {
        let start = reading.start(UnixTime::from(at));
        prop_assert_eq!(start.at().utc(), at);
        for period in &periods {
            let together = start.after(period).ok();
            prop_assert_eq!(together.map(|ends| ends.window()), one_by_one(period, at, &reading));
            prop_assert_eq!(period.resolve(at, &reading).ok(), one_by_one(period, at, &reading));
            if let Some(ends) = together {
                prop_assert!(ends.earliest() <= ends.latest());
                prop_assert!(UnixTime::from(at) <= ends.latest());
            }
        }
    }
}
