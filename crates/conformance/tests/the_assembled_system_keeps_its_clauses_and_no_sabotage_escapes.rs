//! The assembled `covenant` keeps one cheap clause of each document with every sabotage caught, and
//! there is no sabotage of it that the main job leaves out.
//!
//! The main job lives every scenario of every clause and asks that no reviewed status gets worse; a
//! clause has these statuses only when each of its sabotages that can be built was caught. So what is
//! left to hold is that each of them is named by such a clause.
#![cfg(feature = "embedded")]

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use conformance::expected::Expected;
use conformance::status::{SabotageOutcome, Status};
use conformance::testing::{load, trial};
use conformance::{
    Can, EmbeddedFactory, Options, Outcome, Sabotage, SubjectFactory as _, scenario,
};
use policy_document::{Clause, Document};
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

/// The sabotages that the main job must have caught for the clause to have its reviewed status.
fn tried(clause: &Clause, document: &Document, expected: &Expected) -> BTreeSet<Sabotage> {
    let status = expected.status(&document.id().to_string(), &clause.id.to_string());
    let proven = [Status::Kept, Status::Superseded, Status::Unattested];
    let bound = clause.verify.scenarios.iter().map(|id| scenario::find(id));
    let bound: Option<Vec<_>> = bound.collect();
    let bound = bound.filter(|_| status.is_some_and(|status| proven.contains(&status)));
    let named = clause.verify.sabotages.iter();
    let named = named.filter_map(|name| name.parse::<Sabotage>().ok());
    let kills = |one: &Sabotage| {
        let mut bound = bound.iter().flatten();
        bound.any(|scenario| scenario.kills.contains(one))
    };
    named.filter(kills).collect()
}

#[test]
fn each_sabotage_that_can_be_built_is_tried_by_the_main_job() {
    let documents = load(Path::new(POLICIES), &["prodb", "protopie", "immidb"]).unwrap();
    let text = std::fs::read_to_string(format!("{POLICIES}/expected-statuses.toml")).unwrap();
    let expected = Expected::parse(&text).unwrap();
    let clauses = documents.iter().flat_map(|document| {
        let clauses = document.clauses().iter();
        clauses.map(move |clause| (clause, document))
    });
    let caught: BTreeSet<Sabotage> = clauses
        .flat_map(|(clause, document)| tried(clause, document, &expected))
        .collect();
    let built: BTreeSet<Sabotage> = Sabotage::ALL
        .iter()
        .copied()
        .filter(|one| EmbeddedFactory.can(*one) == Can::Built)
        .collect();
    assert!(!built.is_empty());
    let escaped: Vec<_> = built.difference(&caught).collect();
    assert!(
        escaped.is_empty(),
        "no clause that is kept names {escaped:?}"
    );
    // a clause that is not kept speaks for nothing
    let none = Expected::default();
    let untested = documents.iter().flat_map(|document| {
        let clauses = document.clauses().iter();
        clauses.flat_map(|clause| tried(clause, document, &none))
    });
    assert_eq!(untested.count(), 0);
}
