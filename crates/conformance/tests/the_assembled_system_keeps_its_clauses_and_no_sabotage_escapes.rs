//! The assembled `covenant` keeps one cheap clause of each document with every sabotage caught, and
//! there is no sabotage of it that no scenario catches.
#![cfg(feature = "embedded")]

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use conformance::status::{SabotageOutcome, Status};
use conformance::testing::{load, trial};
use conformance::{Can, EmbeddedFactory, Options, Outcome, Sabotage, SubjectFactory as _};
use time::macros::utc_datetime;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");

fn run(clauses: &[&str]) -> io::Result<Outcome> {
    let documents = load(Path::new(POLICIES), &["prodb", "protopie", "immidb"])?;
    let mut options = Options::new(20_271_031, utc_datetime!(2026-11-22 00:00));
    options.clauses = clauses.iter().map(|clause| (*clause).to_owned()).collect();
    trial(EmbeddedFactory, &documents, &options)
}

/// Every clause is kept; returns the sabotages that were caught.
fn all_kept(outcome: &Outcome, clauses: &[&str]) -> BTreeSet<Sabotage> {
    assert_eq!(outcome.not_started, None);
    assert_eq!(outcome.verdicts().count(), clauses.len());
    let mut caught = BTreeSet::new();
    for verdict in outcome.verdicts() {
        let (id, notes) = (verdict.clause.id, &verdict.notes);
        // proven as the page says, or as a declared deviation does; of a clause that a person has to
        // attest in part, the rest
        let proven = [Status::Kept, Status::Superseded, Status::Unattested];
        let proven = proven.contains(&verdict.status) && verdict.technical.is_some();
        assert!(proven, "{id}: {} {notes:?}", verdict.status);
        let scenarios = verdict.technical.iter().flat_map(|part| &part.scenarios);
        for scenario in scenarios {
            assert!(scenario.checks > 0, "{id}: {}", scenario.id);
            assert!(!scenario.sabotages.is_empty(), "{id}: {}", scenario.id);
            for (sabotage, outcome) in &scenario.sabotages {
                assert_eq!(*outcome, SabotageOutcome::Caught, "{id}: {sabotage}");
                caught.insert(*sabotage);
            }
        }
    }
    caught
}

// clause: P-13, Q-13, R-20
#[test]
fn one_cheap_clause_of_each_document_is_kept_with_every_sabotage_caught() {
    let clauses = ["P-13", "Q-13", "R-20"];
    let caught = all_kept(&run(&clauses).unwrap(), &clauses);
    let named = [
        Sabotage::FieldPlain,
        Sabotage::VaultKeyShared,
        Sabotage::ChangeUnlogged,
    ];
    assert!(named.iter().all(|one| caught.contains(one)), "{caught:?}");
}

#[test]
fn each_sabotage_that_can_be_built_is_caught_by_a_scenario() {
    let clauses = [
        "P-09", "P-11", "P-12", "P-14", "P-18", "P-47", "P-48", "P-49", "P-51", "P-52", "P-53",
        "P-54", "P-55", "P-56", "P-57", "P-58", "P-59", "P-60", "Q-12", "Q-13", "Q-16", "Q-17",
        "Q-18", "Q-19", "Q-21", "Q-23", "R-11", "R-12", "R-20", "R-22",
    ];
    let caught = all_kept(&run(&clauses).unwrap(), &clauses);
    let built: BTreeSet<Sabotage> = Sabotage::ALL
        .iter()
        .copied()
        .filter(|one| EmbeddedFactory.can(*one) == Can::Built)
        .collect();
    assert!(!built.is_empty());
    let escaped: Vec<_> = built.difference(&caught).collect();
    assert!(escaped.is_empty(), "no scenario catches {escaped:?}");
}
