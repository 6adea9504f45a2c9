//! The network on the promises of the three documents, with the dates and counts measured for
//! them by other programs.

use covenant_core::network::{Constraint, KeyPlan, Network, Verdict};
use covenant_core::{DayRule, MonthRule, Period, Reading, Zone};
use time::macros::{date, utc_datetime};
use time::{Date, Duration, UtcDateTime};

const FROM: Date = date!(2026 - 01 - 01);

fn network(constraints: impl IntoIterator<Item = Constraint>) -> Network {
    let mut network = Network::new();
    network.extend(constraints);
    network
}

#[cfg(test)]
fn period(text: &str) -> Period {
    text.parse().unwrap()
}

fn floor(label: &str, from: &str, to: &str, least: &str) -> Constraint {
    Constraint::floor(label, from, to, period(least))
}

fn ceiling(label: &str, from: &str, to: &str, most: &str) -> Constraint {
    Constraint::ceiling(label, from, to, period(most))
}

/// Every admissible reading of its own, as the mode `text` takes them.
#[cfg(test)]
fn each_reading() -> impl Iterator<Item = Reading> {
    let zones = [Zone::UTC, Zone::fixed(32_400).unwrap()];
    zones.into_iter().flat_map(|zone| {
        DayRule::ALL.map(|days| Reading::exact(zone.clone(), days, MonthRule::ClampEnd))
    })
}

fn elapsed() -> Reading {
    Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd)
}

/// Bin, then backups: a backup at most an hour before the purge holds the record, and stays six
/// months.
fn bin_and_backups(clock_of_line_89: &str) -> Network {
    network([
        floor("P-51", "record.deleted", "record.purged", "P30D"),
        ceiling("P-15", "backup.completed", "record.purged", "PT1H"),
        floor("P-15", "backup.completed", "record.purged", "PT0S"),
        floor("P-18", "backup.completed", "backup.purged", "P6M"),
        ceiling("P-49", clock_of_line_89, "backup.purged", "P6M"),
    ])
}

#[test]
fn six_months_from_the_delete_never_hold_and_from_the_purge_always() {
    for reading in each_reading() {
        let verdict = bin_and_backups("record.deleted").check(&reading, FROM);
        let labels = ["P-15", "P-18", "P-49", "P-51"].map(str::to_owned).into();
        assert_eq!(verdict, Verdict::Always { labels }, "{reading:?}");
        let verdict = bin_and_backups("record.purged").check(&reading, FROM);
        assert_eq!(verdict, Verdict::Consistent, "{reading:?}");
    }
}

#[test]
fn one_figure_as_floor_and_ceiling_has_no_width() {
    let six_months = |early: &str| {
        let least = floor("P-18", "backup.completed", "backup.purged", "P6M");
        network([
            least.with_tolerance(period(early)),
            ceiling("P-18", "backup.completed", "backup.purged", "P6M"),
        ])
    };
    for reading in each_reading() {
        assert!(six_months("PT0S").check(&reading, FROM).is_consistent());
    }
    let declared = Reading::default();
    let Verdict::SomeDates { days, labels, .. } = six_months("PT0S").check(&declared, FROM) else {
        panic!("no room was expected");
    };
    // the readings meet only where both are 24:00 of a month's last day
    let meets = |day: &i64| {
        let start = utc_datetime!(2026-01-01 0:00) + Duration::days(*day);
        let end = Period::months(6).resolve(start, &declared).unwrap();
        end.earliest == end.latest
    };
    let width_less = 146_097 - (0..146_097).filter(meets).count();
    assert_eq!(usize::try_from(days), Ok(width_less));
    assert_eq!(labels, ["P-18"]);
    let roomy = six_months("PT24H");
    assert!(roomy.check(&declared, FROM).is_consistent());
    let strict = roomy.without_tolerances().check(&declared, FROM);
    assert!(!strict.is_consistent());
}

#[test]
fn the_declared_bin_and_backups_hold_together() {
    let mut declared = network([
        floor("P-51", "record.deleted", "record.purged", "P30D"),
        ceiling("P-52", "record.deleted", "record.purged", "P30D").with_tolerance(period("PT25H")),
        ceiling("P-15", "backup.completed", "record.purged", "PT1H").with_tolerance(period("PT5M")),
        floor("P-15", "backup.completed", "record.purged", "PT0S"),
        floor("P-18", "backup.completed", "backup.purged", "P6M").with_tolerance(period("PT49H")),
        ceiling("P-49", "record.purged", "backup.purged", "P6M"),
    ]);
    declared.root("record.deleted");
    let tokyo = Reading::in_zone(Zone::fixed(32_400).unwrap());
    assert!(declared.check(&tokyo, FROM).is_consistent());
    let strict = declared.without_tolerances().check(&tokyo, FROM);
    assert_eq!(strict.labels(), ["P-51", "P-52"]);
}

#[test]
fn two_zones_are_three_days_apart_on_four_hundred_days() {
    let east = Zone::fixed(9 * 3_600).unwrap();
    let west = Zone::fixed(-6 * 3_600).unwrap();
    let reading = Reading::new([east, west], [DayRule::Elapsed], MonthRule::ClampEnd).unwrap();
    let both = [
        ceiling("A-02", "start", "end", "P6MT24H"),
        ceiling("A-02", "start", "end", "P6M").with_tolerance(period("PT24H")),
    ];
    for most in both {
        let network = network([floor("A-01", "start", "end", "P6M"), most]);
        let Verdict::SomeDates {
            witness,
            days,
            labels,
        } = network.check(&reading, FROM)
        else {
            panic!("some dates were expected");
        };
        assert_eq!(days, 400);
        assert_eq!(labels, ["A-01", "A-02"]);
        assert_eq!(witness.root, "start");
        assert_eq!(witness.date, date!(2026 - 03 - 01));
        // 2026-03-01T00:00+09:00
        assert_eq!(witness.at, utc_datetime!(2026-02-28 15:00));
        let window = Period::months(6).resolve(witness.at, &reading).unwrap();
        assert_eq!(window.latest - window.earliest, Duration::hours(72));
    }
}

#[test]
fn a_wait_of_more_than_two_weeks_breaks_the_end_of_the_contract() {
    let wait = |days: &str| {
        network([
            ceiling("A-01", "contract.terminated", "key.scheduled", "PT0S"),
            floor("A-01", "contract.terminated", "key.scheduled", "PT0S"),
            floor("Q-18", "key.scheduled", "key.destroyed", days),
            ceiling("Q-23", "contract.terminated", "key.destroyed", "P14D"),
        ])
    };
    for reading in each_reading() {
        assert!(wait("P14D").check(&reading, FROM).is_consistent());
    }
    let verdict = wait("P15D").check(&elapsed(), FROM);
    let labels = ["A-01", "Q-18", "Q-23"].map(str::to_owned).into();
    assert_eq!(verdict, Verdict::Always { labels });
}

#[test]
fn a_month_in_thirty_days_fails_where_the_month_has_31() {
    let network = network([
        floor("A-01", "start", "end", "P1M"),
        ceiling("A-02", "start", "end", "P30D"),
    ]);
    for (from, witness) in [
        (FROM, FROM),
        (date!(2026 - 02 - 01), date!(2026 - 03 - 01)),
        (date!(2026 - 04 - 01), date!(2026 - 05 - 01)),
    ] {
        let verdict = network.check(&elapsed(), from);
        let Verdict::SomeDates {
            witness: found,
            days,
            labels,
        } = verdict
        else {
            panic!("some dates were expected");
        };
        assert_eq!((found.date, days), (witness, 86_097));
        assert_eq!(labels, ["A-01", "A-02"]);
    }
    // no 400 years are left after this one
    let Verdict::SomeDates { witness, days, .. } = network.check(&elapsed(), Date::MAX) else {
        panic!("some dates were expected");
    };
    assert_eq!(days, 86_097);
    assert!(witness.at < UtcDateTime::MAX);
}

#[test]
fn a_tenant_root_may_not_die_before_the_backups_it_seals() {
    let stay = floor("P-60", "database.purged", "backup.purged", "P6M");
    let stay = stay.with_tolerance(period("PT49H"));
    let ends = ceiling("P-60", "database.purged", "backup.purged", "P6M");
    let destroyed_after = |after: &str| {
        let from = "database.purged";
        let root = KeyPlan::new("tenant roots", from, period(after), period("P5D"));
        let mut network = network([stay.clone(), ends.clone(), root.outlives(&stay)]);
        network.extend(root.constraints());
        network.check(&Reading::default(), FROM)
    };
    let labels = ["P-60", "tenant roots"].map(str::to_owned).into();
    assert_eq!(destroyed_after("PT0S"), Verdict::Always { labels });
    assert_eq!(destroyed_after("P6M"), Verdict::Consistent);
    // the copies live on for five days, on which nobody may rely
    let early = destroyed_after("P180D");
    assert_eq!(early.labels(), ["P-60", "tenant roots"]);
}

#[test]
fn a_subject_root_and_its_copies_die_within_the_month() {
    let cleared = ceiling("P-35", "erasure.requested", "erasure.completed", "P1M");
    let with_copies = |copies: &str| {
        let from = "erasure.requested";
        let root = KeyPlan::new("subject roots", from, Period::ZERO, period(copies));
        let mut network = network([cleared.clone(), root.ends_by(&cleared)]);
        network.extend(root.constraints());
        network.check(&Reading::default(), FROM)
    };
    assert_eq!(with_copies("P5D"), Verdict::Consistent);
    // from its last day the month runs to 24:00 of 28 February, and so do the 28 days alone
    let Verdict::SomeDates {
        witness, labels, ..
    } = with_copies("P28D")
    else {
        panic!("some dates were expected");
    };
    assert_eq!(witness.date, date!(2026 - 01 - 31));
    assert_eq!(labels, ["P-35", "subject roots"]);
}

#[test]
fn what_bounds_leave_open_is_undecided_where_an_exact_answer_is_not_sound() {
    let six_months = network([
        floor("A-01", "start", "end", "P6M"),
        ceiling("A-02", "start", "end", "P6M"),
    ]);
    let clamp = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::Clamp);
    let labels = ["A-01", "A-02"].map(str::to_owned).into();
    assert_eq!(
        six_months.check(&clamp, FROM),
        Verdict::Undecided { labels }
    );
    #[cfg(feature = "zones")]
    {
        let zone: Zone = "America/Chicago".parse().unwrap();
        let verdict = six_months.check(&Reading::in_zone(zone.clone()), FROM);
        assert_eq!(verdict.labels(), ["A-01", "A-02"]);
        assert!(matches!(verdict, Verdict::Undecided { .. }));
        let roomy = network([
            floor("A-01", "start", "end", "P6M"),
            ceiling("A-02", "start", "end", "P7M"),
        ]);
        let reading = Reading::exact(zone, DayRule::Elapsed, MonthRule::ClampEnd);
        assert!(!matches!(
            roomy.check(&reading, FROM),
            Verdict::Always { .. }
        ));
    }
}

#[test]
fn residencies_follow_from_the_longest_and_shortest_ways() {
    let stays = network([
        floor("P-57", "trial.ended", "database.deleted", "PT0S"),
        ceiling("P-57", "trial.ended", "database.deleted", "P90D"),
        floor("P-59", "database.deleted", "database.purged", "PT0S"),
        ceiling("P-59", "database.deleted", "database.purged", "P30D"),
        floor("P-60", "database.purged", "backup.purged", "P6M"),
        ceiling("P-60", "database.purged", "backup.purged", "P6M"),
    ]);
    let span = |network: &Network, from| network.span(from, "backup.purged", &elapsed()).unwrap();
    let database = span(&stays, "database.deleted");
    assert_eq!(
        (database.min_days(), database.max_days()),
        (Some(181), Some(214))
    );
    let trial = span(&stays, "trial.ended");
    assert_eq!(trial.max_days(), Some(304));
    let labels: Vec<_> = trial.most.unwrap().labels.into_iter().collect();
    assert_eq!(labels, ["P-57", "P-59", "P-60"]);

    let early = period("PT49H");
    let late = period("PT25H");
    let record = network([
        floor("P-51", "record.deleted", "record.purged", "P30D"),
        ceiling("P-52", "record.deleted", "record.purged", "P30D").with_tolerance(late),
        floor("P-18", "record.purged", "backup.purged", "P6M").with_tolerance(early),
        ceiling("P-49", "record.purged", "backup.purged", "P6M"),
    ]);
    let strict = span(&record.without_tolerances(), "record.deleted");
    assert_eq!(
        (strict.min_days(), strict.max_days()),
        (Some(211), Some(214))
    );
    let declared = span(&record, "record.deleted");
    let (least, most) = (declared.least.unwrap(), declared.most.unwrap());
    assert_eq!(least.secs, (211 * 24 - 49) * 3_600);
    assert_eq!(most.secs, (214 * 24 + 25) * 3_600);
    assert!(least.labels.iter().eq(["P-18", "P-51"]));
    assert!(most.labels.iter().eq(["P-49", "P-52"]));

    let back = record.span("backup.purged", "record.deleted", &elapsed());
    assert_eq!(back.unwrap().max_days(), Some(-208));
    assert_eq!(record.span("record.deleted", "nothing", &elapsed()), None);
    let never = bin_and_backups("record.deleted");
    assert_eq!(
        never.span("record.deleted", "backup.purged", &elapsed()),
        None
    );
}

#[test]
fn each_root_is_tried_and_groups_without_one_have_their_first_event() {
    let month = |from: &str| {
        [
            floor("A-01", from, &format!("{from}.end"), "P1M"),
            ceiling("A-02", from, &format!("{from}.end"), "P30D"),
        ]
    };
    let mut all = network(month("one"));
    all.extend(month("two"));
    let Verdict::SomeDates { witness, days, .. } = all.check(&elapsed(), date!(2026 - 02 - 01))
    else {
        panic!("some dates were expected");
    };
    assert_eq!((witness.root.as_str(), days), ("one", 86_097));
    // an event that may be put off to a short month is no contradiction
    let mut waits = network(month("two"));
    waits.add(floor("A-03", "root", "two", "PT0S"));
    waits.root("root");
    assert!(waits.check(&elapsed(), FROM).is_consistent());
    // unless it may not
    waits.add(ceiling("A-04", "root", "two", "P7D"));
    let verdict = waits.check(&elapsed(), FROM);
    let Verdict::SomeDates {
        witness, labels, ..
    } = verdict
    else {
        panic!("some dates were expected");
    };
    assert_eq!((witness.root.as_str(), witness.date), ("root", FROM));
    assert_eq!(labels, ["A-01", "A-02", "A-03", "A-04"]);
}

#[test]
fn an_empty_network_and_a_lone_event_are_consistent() {
    assert!(
        Network::new()
            .check(&Reading::default(), FROM)
            .is_consistent()
    );
    let mut lone = Network::new();
    lone.root("start");
    assert!(lone.check(&Reading::default(), FROM).is_consistent());
    lone.add(floor("A-01", "start", "start", "PT1S"));
    assert_eq!(lone.check(&Reading::default(), FROM).labels(), ["A-01"]);
}
