//! A figure on a page is compared with what the system does, or the report says that it was not.

#[cfg(test)]
mod common;

use std::io;
use std::path::Path;
use std::sync::Arc;

use conformance::Options;
use conformance::testing::{ModelFactory, Toy, ToyFactory, load, trial};
use conformance::verdict::{ClauseVerdict, UNREAD};
use policy_document::Document;
use time::macros::utc_datetime;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
const GOLDEN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/golden/unread_figures.txt"
);

fn document(clauses: &[(&str, &str)], tables: &str) -> io::Result<Arc<Document>> {
    let document = Document::parse(&common::policy(clauses, tables)).map_err(|errors| {
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        io::Error::new(io::ErrorKind::InvalidData, texts.join("; "))
    })?;
    Ok(Arc::new(document))
}

fn options() -> Options {
    Options::new(7, utc_datetime!(2026-11-22 00:00))
}

fn named(verdict: &ClauseVerdict) -> Option<&str> {
    let note = verdict
        .notes
        .iter()
        .find_map(|note| note.strip_prefix(UNREAD));
    note.map(|rest| rest.trim_start_matches(": "))
}

const BIN: &str = r#"
kind = "technical"
modality = "exact"
crates = ["retention-policy"]
[clause.bound]
from = "record.deleted"
to = "record.purged"
min = "P7D"
max = "P10D"
[clause.figure]
ratio = { num = 9, den = 10, over = false }
[clause.declared]
late = { period = "PT1H", why = "a sweep" }
window = { set = ["mornings"], why = "nobody reads this" }
"#;

#[test]
fn what_no_scenario_reads_is_named_and_what_one_reads_is_not() {
    let floor = format!(
        "{BIN}[clause.verify]\nscenarios = [\"bin::restorable_for_the_whole_floor\"]\n\
         sabotages = [\"purge-early\"]\n"
    );
    let both = format!(
        "{BIN}[clause.verify]\nscenarios = [\"bin::restorable_for_the_whole_floor\", \
         \"bin::purged_in_time\"]\nsabotages = [\"purge-early\"]\n"
    );
    let document = document(&[("S-01", &floor), ("S-02", &both)], "").unwrap();
    let check = |toy, clause: &str, expect: &str| {
        let outcome = match toy {
            None => trial(ModelFactory, std::slice::from_ref(&document), &options()),
            Some(toy) => trial(ToyFactory(toy), std::slice::from_ref(&document), &options()),
        };
        let outcome = outcome.unwrap();
        let verdict = outcome.verdict(clause).unwrap();
        assert_eq!(
            named(verdict),
            Some(expect),
            "{clause}: {:?}",
            verdict.notes
        );
    };
    let rest = "ratio 9/10; declared window mornings";
    check(None, "S-01", &format!("max P10D; late PT1H; {rest}"));
    check(None, "S-02", rest);
    // a scenario that did not run to its end read nothing
    let all = format!("min P7D; max P10D; late PT1H; {rest}");
    check(Some(Toy::SupportsNothing), "S-02", &all);
    check(Some(Toy::Panics), "S-02", &all);
}

#[test]
fn the_unread_figures_of_the_three_documents_are_those_that_were_reviewed() {
    let documents = load(Path::new(POLICIES), &["prodb", "protopie", "immidb"]).unwrap();
    let outcome = trial(ModelFactory, &documents, &options()).unwrap();
    let mut text = String::from(
        "# Figures of the policies that no built scenario reads, on the model.\n\
         # BLESS=1 rewrites this file; a line may go when a scenario is built, never come unseen.\n",
    );
    for (document, verdicts) in documents.iter().zip(&outcome.documents) {
        for verdict in verdicts {
            if let Some(figures) = named(verdict) {
                text.push_str(&format!(
                    "{}.{}: {figures}\n",
                    document.id(),
                    verdict.clause.id
                ));
            }
        }
    }
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let expect = std::fs::read_to_string(GOLDEN).unwrap();
    assert_eq!(text, expect, "BLESS=1 accepts the new text");
}

#[test]
fn a_clause_without_scenario_or_sabotage_says_that_it_is_unbound() {
    let keys = "kind = \"technical\"\nmodality = \"always\"\ncrates = [\"covenant\"]\n";
    let bound =
        format!("{keys}[clause.verify]\nscenarios = [\"at_rest::second_layer\"]\nsabotages = []\n");
    let document = document(&[("S-01", keys), ("S-02", &bound)], "").unwrap();
    let outcome = trial(ModelFactory, &[document], &options()).unwrap();
    let notes = |clause: &str| outcome.verdict(clause).unwrap().notes.clone();
    assert!(notes("S-01").contains(&"unbound: the clause names no scenario".to_owned()));
    assert!(notes("S-01").contains(&"unbound: the clause names no sabotage".to_owned()));
    assert!(!notes("S-02").contains(&"unbound: the clause names no scenario".to_owned()));
    assert!(notes("S-02").contains(&"unbound: the clause names no sabotage".to_owned()));
}
