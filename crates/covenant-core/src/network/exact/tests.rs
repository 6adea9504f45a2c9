//! Pass 3 against a search through every day, which knows periods by `Period::resolve` alone.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails"
)]

use proptest::prelude::*;
use time::macros::date;
use time::{Duration, UtcDateTime};

use super::*;
use crate::network::Kind;
use crate::network::steps::epoch;
use crate::{DayRule, Period, Zone};

/// Days on either side of the anchor in which the search looks for times.
const REACH: i64 = 800;

type Placed = (Constraint, (usize, usize, usize));

fn elapsed() -> Reading {
    Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd)
}

fn exact(constraints: &[Placed], reading: &Reading) -> Exact {
    let all = constraints.iter().map(|(one, place)| (one, *place));
    Exact::new(3, all, reading, &Calendar::new()).unwrap()
}

fn day(number: i64) -> UtcDateTime {
    epoch().unwrap() + Duration::days(number)
}

/// Whether times of events 1 and 2 exist, each a midnight, when event 0 is at the anchor. Under
/// `elapsed` and with whole days all least times are midnights, so that no other need be tried.
fn search(constraints: &[Placed], anchor: i64) -> bool {
    let days = anchor - REACH..=anchor + REACH;
    let end = |one: &Constraint, from: i64| {
        let end = one.period().resolve(day(from), &elapsed()).unwrap();
        (end.earliest - day(0)).whole_days() - i64::from(one.tolerance_secs() > 0) * sign(one)
    };
    // where each constraint leads from each day
    let ends: Vec<Vec<i64>> = constraints
        .iter()
        .map(|(one, _)| days.clone().map(|from| end(one, from)).collect())
        .collect();
    let first = anchor - REACH;
    let holds = |times: [i64; 3], events: usize| {
        let all = constraints.iter().zip(&ends);
        let mut all = all.filter(|((_, (_, from, to)), _)| *from.max(to) < events);
        all.all(|((one, (_, from, to)), ends)| {
            let end = ends[usize::try_from(times[*from] - first).unwrap()];
            match one.kind() {
                Kind::Floor => times[*to] >= end,
                Kind::Ceiling => times[*to] <= end,
                Kind::Plan => times[*to] == end,
            }
        })
    };
    let mut first_two = days.clone().filter(|one| holds([anchor, *one, 0], 2));
    first_two.any(|one| days.clone().any(|two| holds([anchor, one, two], 3)))
}

/// A tolerance of a day makes a floor end a day earlier and a ceiling a day later.
fn sign(one: &Constraint) -> i64 {
    match one.kind() {
        Kind::Floor => 1,
        Kind::Ceiling => -1,
        Kind::Plan => 0,
    }
}

fn period() -> impl Strategy<Value = Period> {
    let parts = prop_oneof![
        Just((1, 0)),
        Just((2, 0)),
        Just((1, 1)),
        (Just(0), 26_u32..=63)
    ];
    parts.prop_map(|(months, days)| Period::new(months, days, 0).unwrap())
}

fn constraint() -> impl Strategy<Value = Constraint> {
    let kind = prop_oneof![
        4 => Just(Kind::Floor),
        4 => Just(Kind::Ceiling),
        1 => Just(Kind::Plan),
    ];
    (kind, period(), 0_u32..=1).prop_map(|(kind, period, tolerance)| {
        let one = match kind {
            Kind::Floor => Constraint::floor("A", "", "", period),
            Kind::Ceiling => Constraint::ceiling("A", "", "", period),
            Kind::Plan => Constraint::plan("A", "", "", period),
        };
        one.with_tolerance(Period::days(tolerance))
    })
}

fn network() -> impl Strategy<Value = Vec<Placed>> {
    let ends = prop_oneof![
        Just((0_usize, 1_usize)),
        Just((0, 2)),
        Just((1, 2)),
        Just((1, 2)),
        Just((2, 1)),
        Just((1, 0)),
    ];
    let one = (constraint(), ends);
    proptest::collection::vec(one, 2..=5).prop_map(|all| {
        let indexed = all.into_iter().enumerate();
        indexed
            .map(|(index, (one, (from, to)))| (one, (index, from, to)))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_start_is_feasible_when_times_are_found_by_search(all in network(), anchor in 1_000_i64..146_000) {
        let exact = exact(&all, &elapsed());
        let fate = exact.judge(0, anchor * DAY, |_| true);
        prop_assert_ne!(fate, Fate::Open);
        prop_assert_eq!(fate == Fate::Feasible, search(&all, anchor));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn one_year_of_each_pattern_stands_for_all(all in network()) {
        let exact = exact(&all, &Reading::default());
        let Sweep::Days { first, .. } = exact.sweep(0, 0) else {
            prop_assert_eq!(exact.sample(0), None);
            return Ok(());
        };
        for reach in [exact.widest * 3 / 2, exact.widest * 3, exact.total] {
            match exact.try_patterns(0, reach) {
                Some(Sample::Good) => prop_assert_eq!(first, None),
                Some(Sample::Bad) => prop_assert_ne!(first, None),
                // then the whole sweep decides
                Some(Sample::Beyond) | None => {}
            }
        }
        if exact.sample(0).is_some() {
            prop_assert_eq!(first, None);
        }
    }
}

#[test]
fn times_put_off_to_another_year_are_left_to_the_sweep() {
    // a month of at most 29 days begins in February alone, which is up to a year away
    let february = [
        (Constraint::floor("A", "", "", Period::months(1)), (0, 1, 2)),
        (
            Constraint::ceiling("A", "", "", Period::days(29)),
            (1, 1, 2),
        ),
        (Constraint::floor("A", "", "", Period::months(1)), (2, 0, 1)),
    ];
    let exact = exact(&february, &elapsed());
    assert_eq!(exact.try_patterns(0, exact.total), Some(Sample::Beyond));
    assert_eq!(exact.sample(0), None);
    assert!(matches!(exact.sweep(0, 0), Sweep::Days { first: None, .. }));
    // as far as that, patterns tell it
    let year = exact.total + 366 * DAY;
    assert_eq!(exact.try_patterns(0, year), Some(Sample::Good));
}

#[test]
fn a_contradiction_of_one_century_is_not_missed() {
    // four years are a day short only around a century without a leap day
    let century = [
        (
            Constraint::floor("A", "", "", Period::days(1_461)),
            (0, 0, 1),
        ),
        (
            Constraint::ceiling("A", "", "", Period::months(48)).with_tolerance(Period::seconds(1)),
            (1, 0, 1),
        ),
    ];
    let exact = exact(&century, &elapsed());
    assert_eq!(exact.sample(0), None);
    let Sweep::Days { first, bad } = exact.sweep(0, 0) else {
        panic!("some days were expected");
    };
    // from noon of 29 February 2096, which leads to the end of 28 February, not to noon after it
    let days = i64::from(date!(2096 - 02 - 29).to_julian_day());
    let days = days - i64::from(epoch().unwrap().to_julian_day());
    assert_eq!(first, Some(days * DAY + DAY / 2));
    let count = bad.iter().filter(|day| **day == Day::Bad).count();
    // up to 28 February of 2100, 2200 and 2300
    assert_eq!(count, 3 * 1_461);
}

#[test]
fn a_plan_alone_can_always_be_carried_out() {
    for after in [Period::months(1), Period::months(6), Period::days(30)] {
        let plan = (Constraint::plan("A", "", "", after), (0, 0, 1));
        let exact = exact(&[plan], &Reading::default());
        for at in (0..i64::from(CYCLE_DAYS) * DAY).step_by(1_234_567) {
            assert_eq!(exact.judge(0, at, |_| true), Fate::Feasible, "{at}");
        }
    }
}

#[test]
fn a_sweep_gives_what_each_start_gives_alone() {
    let placed = |one: Constraint, index, from, to| (one, (index, from, to));
    let floor = |text: &str| Constraint::floor("A", "", "", text.parse().unwrap());
    let ceiling = |text: &str| Constraint::ceiling("A", "", "", text.parse().unwrap());
    let networks = [
        vec![
            placed(floor("P1M"), 0, 0, 1),
            placed(ceiling("P30D"), 1, 0, 1),
        ],
        // times must be put off to a month that is short enough
        vec![
            placed(floor("PT0S"), 0, 0, 1),
            placed(floor("P1M"), 1, 1, 2),
            placed(ceiling("P30D"), 2, 1, 2),
            placed(ceiling("P59D"), 3, 0, 2),
        ],
        vec![
            placed(floor("P3M"), 0, 0, 1),
            placed(floor("P3M"), 1, 1, 2),
            placed(ceiling("P182D"), 2, 0, 2),
        ],
    ];
    let first_day =
        i64::from(date!(2026 - 01 - 01).to_julian_day() - epoch().unwrap().to_julian_day());
    for constraints in &networks {
        let exact = exact(constraints, &elapsed());
        let Sweep::Days { first, bad } = exact.sweep(0, first_day) else {
            panic!("some days were expected");
        };
        assert_eq!(bad.len(), 146_097);
        assert!(bad.contains(&Day::Bad) && bad.contains(&Day::Good));
        let fates = |day: i64| {
            let midnight = (first_day + day) * DAY;
            [0, DAY / 2, DAY - 1]
                .map(|tod| (midnight + tod, exact.judge(0, midnight + tod, |_| true)))
        };
        let mut alone = None;
        for (index, swept) in bad.iter().enumerate().take(3_000) {
            let fates = fates(i64::try_from(index).unwrap());
            let infeasible = fates.iter().find(|(_, fate)| *fate == Fate::Moves);
            assert_eq!(*swept == Day::Bad, infeasible.is_some(), "day {index}");
            alone = alone.or(infeasible.map(|(at, _)| *at));
        }
        assert_eq!(first, alone);
    }
}

#[test]
fn times_that_rise_without_end_are_infeasible_on_every_date() {
    // 56 days by the bounds, which no two months in a row have: two months are 59 at least
    let placed = [
        (Constraint::floor("A", "", "", Period::months(1)), (0, 1, 2)),
        (Constraint::floor("A", "", "", Period::months(1)), (1, 2, 0)),
        (
            Constraint::ceiling("A", "", "", Period::days(58)),
            (2, 1, 0),
        ),
    ];
    let exact = exact(&placed, &elapsed());
    assert_eq!(exact.judge(1, 0, |_| true), Fate::Moves);
    // pinned elsewhere, the three are pushed ahead of the pin and never come to rest
    let mut four: Vec<Placed> = placed.to_vec();
    four.push((Constraint::floor("B", "", "", Period::ZERO), (3, 3, 1)));
    let all = four.iter().map(|(one, place)| (one, *place));
    let exact = Exact::new(4, all, &elapsed(), &Calendar::new()).unwrap();
    assert_eq!(exact.judge(3, 0, |_| true), Fate::Diverges);
    assert_eq!(exact.sweep(3, 0), Sweep::Never);
    // nor is there a date for them when nothing pushes them
    four.pop();
    four.push((Constraint::ceiling("B", "", "", Period::ZERO), (3, 3, 1)));
    let all = four.iter().map(|(one, place)| (one, *place));
    let exact = Exact::new(4, all, &elapsed(), &Calendar::new()).unwrap();
    assert_eq!(exact.sweep(3, 0), Sweep::Never);
}
