//! Every scenario holds on an honest model, and each sabotage that a clause names is caught.

use std::path::Path;

use conformance::Options;
use conformance::status::{SabotageOutcome, Status};
use conformance::testing::{ModelFactory, load, trial};
use time::macros::utc_datetime;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
const KEPT: [&str; 36] = [
    "P-09", "P-11", "P-12", "P-13", "P-14", "P-18", "P-36", "P-40", "P-46", "P-47", "P-51", "P-52",
    "P-53", "P-54", "P-55", "P-56", "P-57", "P-58", "P-59", "P-60", "Q-12", "Q-13", "Q-14", "Q-16",
    "Q-17", "Q-18", "Q-19", "Q-21", "Q-23", "Q-24", "Q-25", "R-10", "R-11", "R-20", "R-22", "R-23",
];

#[test]
fn the_clauses_of_the_slice_are_kept_on_the_model_with_every_sabotage_caught() {
    let documents = load(Path::new(POLICIES), &["prodb", "protopie", "immidb"]).unwrap();
    let options = Options::new(20_271_031, utc_datetime!(2026-11-22 00:00));
    let outcome = trial(ModelFactory, &documents, &options).unwrap();
    for clause in KEPT {
        let verdict = outcome.verdict(clause).unwrap();
        assert_eq!(
            verdict.status,
            Status::Kept,
            "{clause}: {:?}",
            verdict.notes
        );
        let technical = verdict.technical.as_ref().unwrap();
        for scenario in &technical.scenarios {
            assert!(scenario.checks > 0, "{clause}");
            for (sabotage, outcome) in &scenario.sabotages {
                assert_eq!(*outcome, SabotageOutcome::Caught, "{clause} {sabotage}");
            }
        }
    }
    // older versions than we speak are promised, and a stricter rule is declared instead; erasing at
    // once contradicts the bin; six months have no start
    for other in ["P-10", "P-48", "P-49"] {
        let verdict = outcome.verdict(other).unwrap();
        assert_eq!(verdict.status, Status::Superseded, "{:?}", verdict.notes);
    }
    // the same promise as P-14, said twice by the page
    assert_eq!(outcome.verdict("P-16").unwrap().status, Status::Kept);
    let with = |status| {
        outcome
            .verdicts()
            .filter(|verdict| verdict.status == status)
            .count()
    };
    assert_eq!(outcome.verdicts().count(), 120);
    assert_eq!(with(Status::Kept), KEPT.len() + 1);
    assert_eq!(with(Status::Broken) + with(Status::Toothless), 0);

    let purge = outcome.verdict("P-52").unwrap().worst.unwrap();
    assert!(
        purge.margin_seconds >= 0 && purge.observed_seconds >= 30 * 86_400,
        "{purge:?}"
    );
    assert_eq!(
        purge.limit_seconds - purge.observed_seconds,
        purge.margin_seconds
    );
    assert!(
        outcome
            .verdict("P-18")
            .unwrap()
            .worst
            .unwrap()
            .margin_seconds
            >= 0
    );

    // a scenario runs once for all clauses that bind it with the same figures
    let lines = |clause: &str| {
        let of = outcome
            .evidence
            .lines
            .iter()
            .filter(|line| line.clause == clause);
        of.map(|line| (line.sabotage, line.start))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines("prodb.P-14"), lines("prodb.P-16"));
}
