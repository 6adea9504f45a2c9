//! Each way to a deleted file can be the one that was left open, and is found then: on the model, and
//! on the assembled `covenant`, whose own look after the removal is deceived.

use std::path::Path;

use conformance::act::FileWay;
use conformance::status::{SabotageOutcome, Status};
use conformance::testing::{ModelOneWayOpen, load, trial};
use conformance::{Options, Sabotage, SubjectFactory};
use time::macros::utc_datetime;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/open_ways.txt");

/// The scenarios of the clauses that find this one way open. The sound subject keeps Q-25, and what is
/// open on the sabotaged one is found.
fn finders(
    factory: impl SubjectFactory + 'static,
    clauses: &[&str],
) -> std::io::Result<Vec<String>> {
    let documents = load(Path::new(POLICIES), &["protopie"])?;
    let mut options = Options::new(20_271_031, utc_datetime!(2026-11-22 00:00));
    options.clauses = clauses.iter().map(|clause| (*clause).to_owned()).collect();
    let outcome = trial(factory, &documents, &options)?;
    let kept = outcome.verdict("Q-25");
    assert_eq!(
        kept.map(|verdict| verdict.status),
        Some(Status::Kept),
        "{:?}",
        kept.map(|verdict| &verdict.notes)
    );
    let parts = outcome
        .verdicts()
        .flat_map(|verdict| &verdict.technical)
        .flat_map(|part| &part.scenarios);
    let mut found = Vec::new();
    for scenario in parts {
        assert!(scenario.checks > 0, "{}", scenario.id);
        for (sabotage, outcome) in &scenario.sabotages {
            if *outcome == SabotageOutcome::Caught {
                assert_eq!(*sabotage, Sabotage::ObjectStillPublic);
                found.push(scenario.id.clone());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn table(
    subject: &str,
    finders: impl Fn(FileWay) -> std::io::Result<Vec<String>>,
) -> std::io::Result<String> {
    let mut lines = vec![subject.to_owned()];
    for way in FileWay::ALL {
        let found = finders(way)?;
        assert!(
            found.iter().any(|id| id == "bin::object_gone_every_way"),
            "{subject}: nobody finds {way} open: {found:?}"
        );
        let way = way.to_string();
        lines.push(format!("  {way:<26} {}", found.join(" ")));
    }
    Ok(lines.join("\n") + "\n")
}

// clause
#[test]
fn whichever_it_is_it_is_found() {
    let mut text = "# Which scenarios find a deleted file when one way alone leads to it.\n\
                    # BLESS=1 rewrites this file.\n\n"
        .to_owned();
    let model = |way| finders(ModelOneWayOpen(way), &["Q-24", "Q-25"]);
    text.push_str(&table("model", model).unwrap());
    #[cfg(feature = "embedded")]
    {
        let covenant = |way| finders(conformance::EmbeddedOneWayOpen(way), &["Q-25"]);
        text.push_str(&table("covenant", covenant).unwrap());
    }
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let expect = std::fs::read_to_string(GOLDEN).unwrap();
    // without the embedded subject the table ends after the model
    assert!(
        expect.starts_with(&text),
        "BLESS=1 accepts the new text:\n{text}"
    );
}
