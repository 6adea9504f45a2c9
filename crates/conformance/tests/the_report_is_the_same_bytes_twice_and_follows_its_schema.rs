//! `report.json` and `evidence.jsonl`: valid against the schema, the same bytes for the same run,
//! every clause once, counts that add up.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use conformance::SubjectFactory;
use conformance::cli::{Golden, Surroundings, main_with};
use conformance::progress::Silent;
use conformance::report::Tree;
use conformance::testing::{ModelFactory, Toy, ToyFactory};
use covenant_core::digest::Digest;
use serde_json::Value;
use time::macros::utc_datetime;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
const SCHEMA: &str = include_str!("../schema/conformance-report-v1.schema.json");

/// Runs over the policies of the workspace; the report's text, the evidence, and what was printed.
fn reports(
    factory: impl SubjectFactory + 'static,
    args: &[&str],
) -> std::io::Result<(String, String, String)> {
    let folder = tempfile::tempdir()?;
    let around = Surroundings {
        policies: POLICIES.into(),
        stamp: Some(utc_datetime!(2026-11-22 00:00)),
        commit: Some("0".repeat(40)),
        tree: Tree::Clean,
        toolchain: "rustc".to_owned(),
        target: "test".to_owned(),
        golden: Golden::Compare,
    };
    let out = folder.path().display().to_string();
    let args = [&["--out", &out, "--sources", "nowhere"], args].concat();
    let factory: Arc<dyn SubjectFactory> = Arc::new(factory);
    let (mut printed, mut err) = (Vec::new(), Vec::new());
    let args = args.iter().map(|arg| (*arg).to_owned());
    main_with(&factory, args, &around, &Silent, &mut printed, &mut err)?;
    let read = |name: &str| fs::read_to_string(Path::new(&out).join(name));
    let printed = String::from_utf8_lossy(&printed).into_owned();
    Ok((read("report.json")?, read("evidence.jsonl")?, printed))
}

fn errors(report: &Value) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let schema: Value = serde_json::from_str(SCHEMA)?;
    jsonschema::meta::validate(&schema).map_err(|error| error.to_string())?;
    let validator = jsonschema::validator_for(&schema)?;
    Ok(validator
        .iter_errors(report)
        .map(|error| error.to_string())
        .collect())
}

#[test]
fn a_whole_run_is_valid_complete_and_repeatable() {
    let (text, evidence, printed) = reports(ModelFactory, &[]).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(errors(&report).unwrap(), Vec::<String>::new());

    // trial, deleted database, deleted record: the figures that no single line of the page gives
    let stays = |lifecycle: &str| {
        let rows = report["documents"].as_array().unwrap().iter();
        let rows = rows.filter(|document| document["id"] == "prodb");
        let rows = rows.flat_map(|document| document["residency"].as_array().unwrap());
        let mut rows =
            rows.filter(|row| row["lifecycle"] == lifecycle && row["to"] == "backup.purged");
        let row = rows.next().unwrap();
        (
            row["min_days"].clone(),
            row["max_days"].clone(),
            row["tolerance"].to_string(),
        )
    };
    let less = r#"{"less":"PT49H","more":"PT0S"}"#.to_owned();
    let both = r#"{"less":"PT49H","more":"PT25H"}"#.to_owned();
    assert_eq!(stays("trial"), (181.into(), 304.into(), less.clone()));
    assert_eq!(stays("database"), (181.into(), 214.into(), less));
    assert_eq!(stays("record"), (211.into(), 214.into(), both));

    let mut ids = BTreeSet::new();
    for document in report["documents"].as_array().unwrap() {
        let clauses = document["clauses"].as_array().unwrap();
        for (status, count) in document["tally"].as_object().unwrap() {
            let with = clauses
                .iter()
                .filter(|clause| clause["status"] == status.as_str())
                .count();
            assert_eq!(count.as_u64(), u64::try_from(with).ok(), "{status}");
        }
        let total = ["covered", "ignored", "blank"]
            .iter()
            .map(|key| document[*key].as_u64().unwrap())
            .sum::<u64>();
        assert_eq!(document["lines"], total);
        assert_eq!(document["source_state"], "absent");
        for finding in document["findings"].as_array().unwrap() {
            assert!(finding["golden"].is_string(), "nobody has read {finding}");
            assert_ne!(finding["standing"], "fails", "{finding}");
        }
        for clause in clauses {
            let id = format!(
                "{}.{}",
                document["id"].as_str().unwrap(),
                clause["id"].as_str().unwrap()
            );
            let status = clause["status"].as_str().unwrap();
            let lines = printed
                .lines()
                .filter(|line| line.contains(&format!(" {id} ")));
            let lines: Vec<_> = lines.collect();
            assert_eq!(lines.len(), 1, "{id}");
            assert!(lines[0].starts_with(status), "{}", lines[0]);
            if status != "kept" {
                assert_ne!(
                    clause["notes"].as_array().map(Vec::len),
                    Some(0),
                    "{id} has no reason"
                );
            }
            assert!(ids.insert(id));
        }
    }
    assert_eq!(ids.len(), 120);
    assert_eq!(
        report["run"]["evidence_sha256"],
        Digest::of(evidence.as_bytes()).to_string()
    );
    for line in evidence.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(ids.contains(line["clause"].as_str().unwrap()));
    }

    let again = reports(ModelFactory, &[]).unwrap();
    assert_eq!(again, (text, evidence, printed));
}

#[test]
fn failures_errors_and_other_seeds_are_valid_too() {
    for toy in [
        Toy::Lies,
        Toy::Panics,
        Toy::NeverStarts,
        Toy::Unsabotageable,
    ] {
        let (text, evidence, _) =
            reports(ToyFactory(toy), &["--clause", "P-52", "--seed", "3"]).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(errors(&report).unwrap(), Vec::<String>::new(), "{toy:?}");
        assert_eq!(report["run"]["seed"], "3");
        // each scenario starts from the given seed and from the next
        for line in evidence.lines() {
            let seeds = [r#""seed":"3""#, r#""seed":"4""#];
            assert!(seeds.iter().any(|seed| line.contains(seed)), "{line}");
        }
    }
}

#[test]
fn the_schema_refuses_what_the_format_does_not_allow() {
    let (text, _, _) = reports(ModelFactory, &["--clause", "P-51"]).unwrap();
    let check = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let report: Value = serde_json::from_str(&text.replace(from, to)).unwrap();
        assert!(!errors(&report).unwrap().is_empty(), "{from} to {to}");
    };
    check("conformance-report/v1", "conformance-report/v2");
    check("\"status\": \"kept\"", "\"status\": \"good\"");
    check("\"min\": \"P30D\"", "\"min\": \"30 days\"");
    check("\"tally\"", "\"tallies\"");
    check("\"dirty\": false", "\"dirty\": \"no\"");
    check("T00:00:00Z\"", "T00:00:00+01:00\"");
    check("\"caught\"", "\"seen\"");
}
