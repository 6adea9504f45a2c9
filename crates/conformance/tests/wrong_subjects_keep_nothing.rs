//! Subjects that do nothing, refuse everything, lie in their log, panic, hang or flip never make a
//! clause kept, and what they do instead has its proper status and reason.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use conformance::status::Status;
use conformance::testing::{ModelFactory, Toy, ToyFactory, load, trial};
use conformance::{Options, Outcome};
use time::macros::utc_datetime;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");

const GOLDEN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/golden/wrong_subjects.txt"
);

/// Runs the toy for clauses of all areas, as far as they are named.
fn run(toy: Toy, clauses: &[&str]) -> std::io::Result<Outcome> {
    let documents = load(Path::new(POLICIES), &["prodb", "protopie", "immidb"])?;
    let mut options = Options::new(7, utc_datetime!(2026-11-22 00:00));
    options.clauses = clauses.iter().map(|clause| (*clause).to_owned()).collect();
    options.limit = Duration::from_secs(60);
    if toy == Toy::Hangs {
        options.limit = Duration::from_millis(50);
    }
    trial(ToyFactory(toy), &documents, &options)
}

const ALL: [&str; 13] = [
    "P-12", "P-13", "P-14", "P-18", "P-51", "P-52", "P-58", "Q-13", "Q-14", "R-11", "R-20", "R-22",
    "R-23",
];

/// One clause of each area.
const AREAS: [&str; 6] = ["P-14", "P-51", "P-58", "Q-13", "R-20", "R-23"];

fn check(toy: Toy, clauses: &[&str], expect: Status, reason: &str) -> std::io::Result<()> {
    let outcome = run(toy, clauses)?;
    assert_eq!(outcome.verdicts().count(), clauses.len());
    for verdict in outcome.verdicts() {
        let (id, notes) = (verdict.clause.id, &verdict.notes);
        assert_eq!(verdict.status, expect, "{toy:?} {id}: {notes:?}");
        assert!(
            notes.iter().any(|note| note.contains(reason)),
            "{toy:?} {id}: {notes:?}"
        );
    }
    Ok(())
}

#[test]
fn one_that_does_nothing_and_claims_everything_is_broken() {
    check(Toy::DoesNothing, &ALL, Status::Broken, "").unwrap();
}

#[test]
fn one_that_refuses_everything_is_broken() {
    check(Toy::RefusesAll, &ALL, Status::Broken, "refused").unwrap();
}

#[test]
fn one_that_supports_nothing_is_untested() {
    check(
        Toy::SupportsNothing,
        &ALL,
        Status::Untested,
        "not supported",
    )
    .unwrap();
}

#[test]
fn one_that_logs_purges_and_keeps_the_bytes_is_caught_by_its_bytes() {
    check(Toy::Lies, &["P-52"], Status::Broken, "bytes of purged").unwrap();
}

#[test]
fn one_that_is_late_and_shows_the_log_of_one_on_time_is_caught_by_its_bytes() {
    check(
        Toy::AlwaysOnTime,
        &["P-52"],
        Status::Broken,
        "bytes of purged",
    )
    .unwrap();
}

#[test]
fn a_sabotaged_subject_that_refuses_to_be_built_is_not_caught() {
    check(
        Toy::RefusesToBeSabotaged,
        &["P-14", "P-58", "R-11"],
        Status::Toothless,
        "is not caught",
    )
    .unwrap();
}

#[test]
fn every_wrong_subject_has_the_statuses_that_were_reviewed() {
    let mut text = String::from(
        "# What each wrong subject of conformance::testing makes of the proven clauses.\n\
         # BLESS=1 rewrites this file.\n",
    );
    for toy in Toy::ALL {
        let mut clauses = AREAS.to_vec();
        if matches!(toy, Toy::Lies | Toy::AlwaysOnTime | Toy::Flaky) {
            // what they are wrong in
            clauses.push("P-52");
        }
        let outcome = run(*toy, &clauses).unwrap();
        let mut by_status: BTreeMap<Status, Vec<String>> = BTreeMap::new();
        for verdict in outcome.verdicts() {
            let of = by_status.entry(verdict.status).or_default();
            of.push(verdict.clause.id.to_string());
        }
        text.push_str(&format!("\n{toy:?}\n"));
        for (status, clauses) in by_status {
            text.push_str(&format!("{status:<14}{}\n", clauses.join(" ")));
        }
    }
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let expect = std::fs::read_to_string(GOLDEN).unwrap();
    assert_eq!(text, expect, "BLESS=1 accepts the new text");
}

#[test]
fn one_that_panics_breaks_its_clauses_and_not_the_run() {
    check(
        Toy::Panics,
        &ALL,
        Status::Broken,
        "panicked: a toy panics at",
    )
    .unwrap();
}

#[test]
fn one_that_hangs_breaks_its_clauses_and_not_the_run() {
    check(
        Toy::Hangs,
        &["P-14", "R-11"],
        Status::Broken,
        "did not end within",
    )
    .unwrap();
}

#[test]
fn one_that_flips_with_the_start_is_broken_with_the_start_named() {
    check(Toy::Flaky, &["P-52"], Status::Broken, "at start 2027-08-31").unwrap();
}

#[test]
fn one_whose_sabotages_change_nothing_leaves_its_clauses_toothless() {
    check(
        Toy::Unsabotageable,
        &["P-14", "P-58", "R-11"],
        Status::Toothless,
        "is not caught",
    )
    .unwrap();
}

#[test]
fn a_sabotaged_subject_that_fails_for_another_reason_is_not_caught() {
    check(
        Toy::RefusesWhenSabotaged,
        &["P-14", "P-58", "R-11"],
        Status::Toothless,
        "is not caught",
    )
    .unwrap();
}

#[test]
fn one_that_does_not_start_leaves_its_clauses_untested_and_says_so() {
    let outcome = run(Toy::NeverStarts, &["P-14", "R-11"]).unwrap();
    assert_eq!(
        outcome.not_started.as_deref(),
        Some("the subject did not start: no store")
    );
    check(
        Toy::NeverStarts,
        &["P-14", "R-11"],
        Status::Untested,
        "did not start",
    )
    .unwrap();
}

#[test]
fn a_bound_scenario_that_is_taken_away_leaves_its_clause_untested() {
    let documents = load(Path::new(POLICIES), &["protopie"]).unwrap();
    let mut options = Options::new(7, utc_datetime!(2026-11-22 00:00));
    options.clauses = ["Q-14".to_owned()].into();
    let status = |options: &Options| {
        let outcome = trial(ModelFactory, &documents, options).unwrap();
        outcome.verdict("Q-14").unwrap().status
    };
    assert_eq!(status(&options), Status::Kept);
    // Q-14 binds two scenarios; one of them alone is not enough
    options.scenarios = ["at_rest::rows".to_owned()].into();
    assert_eq!(status(&options), Status::Untested);
    options.scenarios.clear();
    options.catalogue = &[];
    assert_eq!(status(&options), Status::Untested);
}

#[test]
fn the_reviewed_statuses_are_as_the_command_writes_them() {
    let text = std::fs::read_to_string(Path::new(POLICIES).join("expected-statuses.toml")).unwrap();
    let expected = conformance::expected::Expected::parse(&text).unwrap();
    assert_eq!(expected.print(), text, "the file is as BLESS=1 writes it");
}
