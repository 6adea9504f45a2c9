//! Each of the nine statuses is the outcome of some clause on some subject, through the command and
//! in its report; what lies beside it (another day, another subject, one obstacle less) has another.

#[cfg(test)]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use conformance::SubjectFactory;
use conformance::cli::{Golden, Surroundings, main_with};
use conformance::progress::Silent;
use conformance::report::Tree;
use conformance::status::Status;
use conformance::testing::{ModelFactory, Toy, ToyFactory};
use serde_json::Value;
use time::UtcDateTime;
use time::macros::utc_datetime;

const TODAY: UtcDateTime = utc_datetime!(2026-11-22 12:00);

const PROVEN: &str = r#"
kind = "technical"
modality = "exact"
crates = ["crypto-envelope"]
[clause.figure]
count = 2
[clause.verify]
scenarios = ["at_rest::second_layer"]
sabotages = ["one-layer"]
"#;
const UNBUILT: &str = r#"
kind = "technical"
modality = "always"
crates = ["covenant"]
[clause.verify]
scenarios = ["access::default_deny"]
sabotages = ["grant-ignored"]
"#;
const WORD: &str = r#"
kind = "organisational"
modality = "always"
crates = []
"#;
const TOLD: &str = r#"
kind = "informational"
crates = []
"#;

fn partial() -> String {
    let attests = "attests = \"the rest\"\n[clause.figure]";
    PROVEN
        .replace("\"technical\"", "\"partial\"")
        .replace("[clause.figure]", attests)
}

fn attestation(clause: &str, signed_on: &str, valid_for: &str) -> String {
    let evidence = "53dc6c2368da93856f67d2cfc453f07349db73d5a600983e849277bd79bf1852";
    format!(
        "[[attestation]]\nclause = \"{clause}\"\nowner = \"somebody\"\nstatement = \"it is so\"\n\
         evidence = \"{evidence}\"\nsigned_on = {signed_on}\nvalid_for = \"{valid_for}\"\n"
    )
}

fn deviation(clause: &str, class: &str, review_by: &str) -> String {
    format!(
        "[[deviation]]\nclause = \"{clause}\"\nclass = \"{class}\"\npromised = \"two\"\n\
         delivered = \"two, otherwise\"\nreason = \"it is better\"\napproved_by = \"somebody\"\n\
         review_by = {review_by}\nprofile = \"embedded\"\n"
    )
}

/// The exit code, and the status that the report gives each clause.
fn judged(
    factory: impl SubjectFactory + 'static,
    today: UtcDateTime,
    clauses: &[(&str, &str)],
    tables: &str,
) -> io::Result<(u8, BTreeMap<String, String>)> {
    let folder = tempfile::tempdir()?;
    let policy = folder.path().join("small.toml");
    fs::write(&policy, common::policy(clauses, tables))?;
    fs::write(folder.path().join("small.txt"), common::PAGE)?;
    let out = folder.path().join("out");
    let text = |path: &Path| path.display().to_string();
    let args = [
        ("--policy", text(&policy)),
        ("--sources", text(folder.path())),
        ("--out", text(&out)),
    ];
    let args = args
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value]);
    let around = Surroundings {
        policies: folder.path().to_owned(),
        stamp: Some(today),
        commit: None,
        tree: Tree::Dirty,
        toolchain: "rustc".to_owned(),
        target: "test".to_owned(),
        golden: Golden::Compare,
    };
    let factory: Arc<dyn SubjectFactory> = Arc::new(factory);
    let (mut printed, mut said) = (Vec::new(), Vec::new());
    let code = main_with(&factory, args, &around, &Silent, &mut printed, &mut said)?;
    let Ok(report) = fs::read_to_string(out.join("report.json")) else {
        return Err(io::Error::other(
            String::from_utf8_lossy(&said).into_owned(),
        ));
    };
    let report: Value = serde_json::from_str(&report)?;
    let clauses = report.pointer("/documents/0/clauses");
    let clauses = clauses.and_then(Value::as_array).into_iter().flatten();
    let word = |clause: &Value, key| Some(clause.get(key)?.as_str()?.to_owned());
    let statuses =
        clauses.filter_map(|clause| Some((word(clause, "id")?, word(clause, "status")?)));
    Ok((code, statuses.collect()))
}

/// One clause `S-01`, judged on the day of these tests.
fn status(
    factory: impl SubjectFactory + 'static,
    keys: &str,
    tables: &str,
) -> io::Result<(u8, String)> {
    let (code, mut statuses) = judged(factory, TODAY, &[("S-01", keys)], tables)?;
    Ok((code, statuses.remove("S-01").unwrap_or_default()))
}

#[test]
fn each_of_the_nine_statuses_is_reached() {
    let mut reached = Vec::new();
    let mut check = |found: io::Result<(u8, String)>, code, expect: Status| {
        let found = found.unwrap();
        assert_eq!(found, (code, expect.name().to_owned()));
        reached.push(expect);
    };
    let valid = attestation("S-01", "2026-06-01", "P1Y");
    let over = attestation("S-01", "2025-06-01", "P1Y");
    check(status(ModelFactory, PROVEN, ""), 0, Status::Kept);
    check(
        status(ToyFactory(Toy::RefusesAll), PROVEN, ""),
        1,
        Status::Broken,
    );
    check(status(ModelFactory, UNBUILT, ""), 1, Status::Untested);
    check(
        status(ToyFactory(Toy::Unsabotageable), PROVEN, ""),
        1,
        Status::Toothless,
    );
    check(status(ModelFactory, WORD, &valid), 0, Status::Attested);
    check(status(ModelFactory, WORD, ""), 0, Status::Unattested);
    check(status(ModelFactory, WORD, &over), 0, Status::Expired);
    let stricter = deviation("S-01", "stricter", "2027-11-20");
    check(
        status(ModelFactory, PROVEN, &stricter),
        0,
        Status::Superseded,
    );
    check(status(ModelFactory, TOLD, ""), 0, Status::Informational);
    reached.sort_unstable();
    reached.dedup();
    assert_eq!(reached.len(), Status::ALL.len());
}

#[test]
fn a_deviation_supersedes_until_its_day_of_review_and_saves_nothing_that_is_broken() {
    let check = |tables: &str, expect: &str| {
        assert_eq!(
            status(ModelFactory, PROVEN, tables).unwrap().1,
            expect,
            "{tables}"
        );
    };
    check(&deviation("S-01", "stricter", "2026-11-22"), "superseded");
    check(
        &deviation("S-01", "reinterpreted", "2026-11-22"),
        "superseded",
    );
    check(&deviation("S-01", "stricter", "2026-11-21"), "expired");
    let of_another = deviation("S-01", "stricter", "2027-11-20").replace("embedded", "scale-out");
    check(&of_another, "kept");
    let stricter = deviation("S-01", "stricter", "2027-11-20");
    let broken = status(ToyFactory(Toy::RefusesAll), PROVEN, &stricter).unwrap();
    assert_eq!(broken, (1, "broken".to_owned()));
}

#[test]
fn a_partial_clause_is_never_kept_and_has_the_worse_of_its_parts() {
    let partial = partial();
    let check = |toy: Option<Toy>, tables: &str, expect: &str| {
        let found = match toy {
            None => status(ModelFactory, &partial, tables),
            Some(toy) => status(ToyFactory(toy), &partial, tables),
        };
        assert_eq!(found.unwrap().1, expect, "{toy:?} {tables}");
    };
    let valid = attestation("S-01", "2026-06-01", "P1Y");
    let over = attestation("S-01", "2025-06-01", "P1Y");
    let stricter = deviation("S-01", "stricter", "2027-11-20");
    check(None, "", "unattested");
    check(None, &valid, "attested");
    check(None, &over, "expired");
    check(None, &format!("{valid}{stricter}"), "superseded");
    check(Some(Toy::RefusesAll), &valid, "broken");
    check(Some(Toy::SupportsNothing), &over, "untested");
    check(Some(Toy::Unsabotageable), "", "toothless");
}

#[test]
fn an_attestation_holds_to_the_end_of_its_last_day_in_utc() {
    let word = attestation("S-01", "2026-06-01", "P30D");
    let check = |today, expect: &str| {
        let (_, statuses) = judged(ModelFactory, today, &[("S-01", WORD)], &word).unwrap();
        assert_eq!(
            statuses.get("S-01").map(String::as_str),
            Some(expect),
            "{today}"
        );
    };
    check(utc_datetime!(2026-06-01 00:00), "attested");
    check(utc_datetime!(2026-07-01 23:59:59), "attested");
    check(utc_datetime!(2026-07-02 00:00), "expired");
}

#[test]
fn clauses_of_one_document_are_judged_apart() {
    let partial = partial();
    let clauses = [
        ("S-01", PROVEN),
        ("S-02", UNBUILT),
        ("S-03", WORD),
        ("S-04", TOLD),
        ("S-05", partial.as_str()),
    ];
    let tables = attestation("S-05", "2026-06-01", "P1Y");
    let (code, statuses) = judged(ModelFactory, TODAY, &clauses, &tables).unwrap();
    let found: Vec<_> = statuses.values().map(String::as_str).collect();
    let expect = [
        "kept",
        "untested",
        "unattested",
        "informational",
        "attested",
    ];
    assert_eq!((code, found), (1, expect.to_vec()));
}
