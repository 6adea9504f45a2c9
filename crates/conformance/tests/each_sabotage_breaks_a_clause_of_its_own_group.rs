//! Sabotage x clause is a golden matrix: each sabotage that can be built breaks a clause of its own
//! group, and one of another group only where the matrix lists the crossing.
//!
//! The whole matrix is made on the model, each sabotage against every bound scenario; on the
//! assembled system those that clauses name are caught one by one
//! (`the_assembled_system_keeps_its_clauses_and_no_sabotage_escapes`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use conformance::matrix::{Group, Matrix};
use conformance::runner::Given;
use conformance::testing::{ModelFactory, load, trial};
use conformance::{Can, Options, Sabotage, SubjectFactory as _, scenario};
use policy_document::Document;
use time::macros::utc_datetime;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
const GOLDEN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/golden/sabotage_matrix.txt"
);

fn options() -> Options {
    let mut options = Options::new(7, utc_datetime!(2026-11-22 00:00));
    options.given = Given::All;
    options
}

fn matrix(documents: &[Arc<Document>], options: &Options) -> std::io::Result<Matrix> {
    let outcome = trial(ModelFactory, documents, options)?;
    let documents: Vec<&Document> = documents.iter().map(AsRef::as_ref).collect();
    Ok(Matrix::of(&documents, &outcome, options.catalogue))
}

#[test]
fn the_matrix_is_the_one_that_was_reviewed() {
    let documents = load(Path::new(POLICIES), &["prodb", "protopie", "immidb"]).unwrap();
    let matrix = matrix(&documents, &options()).unwrap();
    let text = format!(
        "# Sabotage x clause, by the scenario that catches it, on the model; + marks a crossing:\n\
         # the scenario is of another area than those that are built to catch the sabotage.\n\
         # BLESS=1 rewrites this file; the commit says why.\n\n{matrix}"
    );
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let expect = std::fs::read_to_string(GOLDEN).unwrap();
    assert_eq!(text, expect, "BLESS=1 accepts the new text");

    let built: BTreeSet<Sabotage> = Sabotage::ALL
        .iter()
        .copied()
        .filter(|sabotage| ModelFactory.can(*sabotage) == Can::Built)
        .collect();
    assert_eq!(
        matrix.breaking(Group::Own),
        built,
        "each breaks its own group"
    );
    for scenario in scenario::CATALOGUE {
        let without = matrix.without(scenario.id);
        assert_ne!(without, matrix, "{} is in it", scenario.id);
    }
}

#[test]
fn a_scenario_that_is_not_built_is_missing_in_the_matrix() {
    let documents = load(Path::new(POLICIES), &["protopie"]).unwrap();
    let mut options = options();
    // Q-14 binds at_rest::rows and at_rest::attachments
    options.clauses = ["Q-14".to_owned()].into();
    let whole = matrix(&documents, &options).unwrap();
    let kept: Vec<_> = scenario::CATALOGUE
        .iter()
        .filter(|scenario| scenario.id != "at_rest::rows")
        .copied()
        .collect();
    options.catalogue = Box::leak(kept.into());
    let less = matrix(&documents, &options).unwrap();
    assert_ne!(whole, less);
    assert_eq!(whole.without("at_rest::rows"), less);
}

#[test]
fn no_status_depends_on_the_sabotages_that_nobody_named() {
    let documents = load(Path::new(POLICIES), &["immidb"]).unwrap();
    let mut options = options();
    options.clauses = ["R-11".to_owned(), "R-20".to_owned()].into();
    let statuses = |options: &Options| {
        let outcome = trial(ModelFactory, &documents, options).unwrap();
        let all = outcome.verdicts();
        all.map(|verdict| (verdict.status, verdict.notes.clone()))
            .collect::<Vec<_>>()
    };
    let all = statuses(&options);
    options.given = Given::Named;
    assert_eq!(statuses(&options), all);
}
