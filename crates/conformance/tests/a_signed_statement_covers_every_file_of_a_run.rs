//! With a signing key, the statement beside the reports names the digest of each of them; a run
//! without a key leaves no statement of an earlier run behind, and a wrong key runs nothing.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use conformance::SubjectFactory;
use conformance::cli::{Golden, Surroundings, main_with};
use conformance::progress::Silent;
use conformance::report::Tree;
use conformance::report::files::{STATEMENT, STATEMENT_KIND};
use conformance::testing::ModelFactory;
use covenant_core::digest::Digest;
use covenant_core::note::Vkey;
use covenant_core::statement::Statement;
use time::macros::utc_datetime;

/// A signing key and its verifier key, made by Python and OpenSSL from the seed 07 repeated.
const KEY: &str =
    "PRIVATE+KEY+example.org/reports+5fda6e14+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n";
const VKEY: &str = "example.org/reports+5fda6e14+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

fn run(out: &Path, args: &[&str]) -> io::Result<(u8, String)> {
    let around = Surroundings {
        policies: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies"),
        stamp: Some(utc_datetime!(2026-11-22 00:00)),
        commit: Some("c".repeat(40)),
        tree: Tree::Clean,
        toolchain: "rustc".to_owned(),
        target: "test".to_owned(),
        golden: Golden::Compare,
    };
    let out = out.display().to_string();
    let all = [
        &["--clause", "R-11", "--sources", "nowhere", "--out", &out],
        args,
    ]
    .concat();
    let all = all.iter().map(|arg| (*arg).to_owned());
    let factory: Arc<dyn SubjectFactory> = Arc::new(ModelFactory);
    let (mut printed, mut err) = (Vec::new(), Vec::new());
    let code = main_with(&factory, all, &around, &Silent, &mut printed, &mut err)?;
    Ok((code, String::from_utf8_lossy(&err).into_owned()))
}

#[test]
fn the_statement_opens_under_the_key_and_names_what_lies_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let key = folder.path().join("key");
    fs::write(&key, KEY).unwrap();
    let sign = ["--sign", key.to_str().unwrap()];
    let (code, err) = run(&out, &sign).unwrap();
    assert!(code <= 1, "{err}");
    let signed = fs::read_to_string(out.join(STATEMENT)).unwrap();
    let vkey: Vkey = VKEY.parse().unwrap();
    let statement = Statement::open(&signed, std::slice::from_ref(&vkey)).unwrap();
    assert_eq!(statement.kind(), STATEMENT_KIND);
    let report = fs::read_to_string(out.join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(statement.id(), report["run"]["id"]);
    assert_eq!(statement.value("commit"), Some("c".repeat(40).as_str()));

    let mut named: Vec<String> = Vec::new();
    for (name, value) in statement.lines() {
        if let Some(file) = name.strip_prefix("sha256.") {
            let bytes = fs::read(out.join(file)).unwrap();
            assert_eq!(Digest::of(&bytes).to_string(), value, "{file}");
            named.push(file.to_owned());
        }
    }
    let files = fs::read_dir(&out).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.filter(|name| name != STATEMENT).collect();
    files.sort();
    assert_eq!(named, files);
    assert_eq!(named.len(), 5);
    // a page that was touched is another page
    assert!(Statement::open(&signed.replace("exit ", "exit 1"), &[vkey]).is_err());

    let (again, _) = run(&out, &sign).unwrap();
    assert_eq!(again, code);
    assert_eq!(
        fs::read_to_string(out.join(STATEMENT)).unwrap(),
        signed,
        "the same bytes twice"
    );
    run(&out, &[]).unwrap();
    assert!(
        !out.join(STATEMENT).exists(),
        "it was about files that are replaced"
    );
}

#[test]
fn a_key_that_is_no_key_runs_nothing_and_is_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let key = folder.path().join("key");
    let path = key.to_str().unwrap();
    let (code, err) = run(&out, &["--sign", path]).unwrap();
    assert_eq!(code, 2, "{err}");
    fs::write(&key, KEY.replace("+AQc", "+AQg")).unwrap();
    let (code, err) = run(&out, &["--sign", path]).unwrap();
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("PRIVATE+KEY+<name>") && !err.contains("HBwcH"),
        "{err}"
    );
    assert!(!out.exists());
    fs::write(&key, KEY).unwrap();
    assert!(run(&out, &["--sign", path]).unwrap().0 <= 1);
}
