//! What each command prints, as text and as JSON, equals the reviewed text in `tests/golden`.

#[cfg(test)]
mod common;

use std::error::Error;
use std::fs;
use std::path::Path;

use covenant_core::statement::Statement;

type Outcome = Result<(), Box<dyn Error>>;

/// The command's stdout, then its stderr, then its exit code.
fn check(golden: &str, folder: &Path, args: &[&str]) -> Outcome {
    let output = common::covenant(folder, args)?;
    let code = output.status.code().ok_or("ended by a signal")?;
    let said = format!(
        "{}{}exit {code}\n",
        str::from_utf8(&output.stdout)?,
        str::from_utf8(&output.stderr)?
    );
    equals(golden, &said)
}

/// The reviewed text, which BLESS=1 replaces.
fn equals(golden: &str, said: &str) -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("tests/golden").join(golden);
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&path, said)?;
    }
    let expect = fs::read_to_string(&path).map_err(|e| format!("{golden}: {e}"))?;
    assert_eq!(said, expect, "{golden}: BLESS=1 accepts the new text");
    Ok(())
}

#[test]
fn policy_check() -> Outcome {
    let folder = common::documents();
    let check = |golden, args: &[&str]| check(golden, &folder, args);
    let page = ["policy", "check", "notes.toml", "--source", "notes.txt"];
    check("check_good.txt", &page)?;
    let json = [
        "--json",
        "policy",
        "check",
        "notes.toml",
        "--source",
        "notes.txt",
    ];
    check("check_good.json", &json)?;
    check("check_without_page.txt", &["policy", "check", "notes.toml"])?;
    let before = ["policy", "check", "notes.toml", "--on", "2026-10-31"];
    check("check_before_the_attestation.txt", &before)?;
    let changed = ["policy", "check", "notes.toml", "--source", "changed.txt"];
    check("check_changed_page.txt", &changed)?;
    let json = [
        "--json",
        "policy",
        "check",
        "notes.toml",
        "--source",
        "changed.txt",
    ];
    check("check_changed_page.json", &json)?;
    check("check_mistakes.txt", &["policy", "check", "mistakes.toml"])
}

#[test]
fn policy_explain() -> Outcome {
    let folder = common::documents();
    let check = |golden: &str, clause: &str, more: &[&str]| {
        let mut args = vec!["policy", "explain", clause, "--policy", "notes.toml"];
        args.extend_from_slice(more);
        check(golden, &folder, &args)
    };
    check("explain_deviation.txt", "N-01", &["--on", "2026-12-01"])?;
    check("explain_review_past.txt", "N-01", &["--on", "2027-11-21"])?;
    check(
        "explain_declared.txt",
        "notes.N-02",
        &["--on", "2026-12-01"],
    )?;
    check("explain_attestation.txt", "N-03", &["--on", "2027-11-01"])?;
    check("explain_expired.txt", "N-03", &["--on", "2027-11-02"])?;
    check(
        "explain_all.json",
        "N-02",
        &["--json", "--on", "2026-12-01"],
    )?;
    check("explain_unknown.txt", "N-04", &[])
}

#[test]
fn policy_new() -> Outcome {
    let folder = common::documents();
    let args = [
        "policy",
        "new",
        "notes.txt",
        "--id",
        "acme",
        "--on",
        "2026-11-22",
    ];
    check("new.txt", &folder, &args)?;
    check("new.json", &folder, &[&["--json"], &args[..]].concat())
}

#[test]
fn policy_diff() -> Outcome {
    let folder = tempfile::tempdir()?;
    let text = fs::read_to_string(common::documents().join("notes.toml"))?;
    fs::write(folder.path().join("before.toml"), &text)?;
    let after = text
        .replace("\"P30D\"", "\"P31D\"")
        .replace("max = \"P3M\"", "max = \"P100D\"")
        .replace("PT26H", "PT27H")
        .replace("every year", "once");
    fs::write(folder.path().join("after.toml"), after)?;
    let args = ["policy", "diff", "before.toml", "after.toml"];
    check("diff.txt", folder.path(), &args)?;
    check(
        "diff.json",
        folder.path(),
        &[&["--json"], &args[..]].concat(),
    )?;
    let same = ["policy", "diff", "before.toml", "before.toml"];
    check("diff_same.txt", folder.path(), &same)
}

#[test]
fn policy_matrix() -> Outcome {
    let args = ["policy", "matrix", "notes.toml"];
    check("matrix.txt", &common::documents(), &args)?;
    check(
        "matrix.json",
        &common::documents(),
        &[&["--json"], &args[..]].concat(),
    )
}

#[test]
fn policy_residency_and_simulate() -> Outcome {
    let folder = common::documents();
    let args = ["policy", "residency", "notes.toml"];
    check("residency.txt", &folder, &args)?;
    let prodb = "../../../../policies/prodb.toml";
    let args = ["policy", "residency", prodb, "--class", "record"];
    check("residency_prodb.txt", &folder, &args)?;
    check(
        "residency_prodb.json",
        &folder,
        &[&["--json"], &args[..]].concat(),
    )?;
    let from = ["--from", "2027-01-31", "--until", "2027-03-31"];
    let args = [
        "policy", "simulate", prodb, "--course", "record", "--course", "trial",
    ];
    let args = [&args[..], &from].concat();
    check("simulate_prodb.txt", &folder, &args)?;
    check(
        "simulate_prodb.json",
        &folder,
        &[&["--json"], &args[..]].concat(),
    )?;
    let args = ["policy", "simulate", "notes.toml"];
    check("simulate.txt", &folder, &[&args[..], &from].concat())
}

#[test]
fn policy_bless() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("notes.toml");
    let text = fs::read_to_string(common::documents().join("notes.toml"))?;
    fs::write(&path, &text)?;
    let check = |golden, args: &[&str]| check(golden, folder.path(), args);
    let bless = ["policy", "bless", "notes.toml", "--on", "2026-11-22"];
    check("bless.txt", &bless)?;
    check("bless_again.txt", &bless)?;
    let lock = fs::read_to_string(folder.path().join("notes.lock.json"))?;
    equals("notes.lock.json", &lock)?;
    fs::write(
        &path,
        text.replace("\"P3M\"", "\"P4M\"").replace("\"about\"", ""),
    )?;
    check("bless_refused.txt", &bless)?;
    check("bless_refused.json", &[&["--json"], &bless[..]].concat())?;
    let args = ["policy", "check", "notes.toml", "--on", "2026-11-22"];
    check("check_changed_figure.txt", &args)?;
    check(
        "check_changed_figure.json",
        &[&["--json"], &args[..]].concat(),
    )
}

#[test]
fn verify() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (ours, theirs) = (common::signer("ours", 1)?, common::signer("theirs", 2)?);
    let statement = Statement::new("erasure-certificate", "order/17")?
        .with("store.rows", "done 2026-11-21")?
        .with("clause", "P-51")?;
    let statement = common::signed(&statement.encode(), &[&ours, &theirs])?;
    fs::write(folder.path().join("certificate"), statement)?;
    let note = common::signed("logs.example/1\n5\nroot\n", &[&ours])?;
    fs::write(folder.path().join("note"), note)?;
    let (ours, theirs) = (ours.vkey().to_string(), theirs.vkey().to_string());
    let check = |golden, args: &[&str]| check(golden, folder.path(), args);
    check(
        "verify_statement.txt",
        &["verify", "certificate", "--key", &ours],
    )?;
    let both = [
        "--json",
        "verify",
        "certificate",
        "--key",
        &ours,
        "--key",
        &theirs,
    ];
    check("verify_statement.json", &both)?;
    check("verify_note.txt", &["verify", "note", "--key", &ours])?;
    check("verify_stranger.txt", &["verify", "note", "--key", &theirs])
}

/// The package has a copy of each, so that it stands alone; they are the schemas of the crates that
/// write the files, and are tested there.
#[test]
fn each_schema_is_that_of_the_crate_that_writes() -> Outcome {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir()?;
    for (name, file) in [
        ("document", "policy-document/schema/policy-v1.schema.json"),
        ("lock", "policy-document/schema/policy-lock-v1.schema.json"),
        (
            "report",
            "conformance/schema/conformance-report-v1.schema.json",
        ),
        (
            "evidence",
            "conformance/schema/evidence-line-v1.schema.json",
        ),
    ] {
        let kept = fs::read_to_string(crates.join(file))?;
        let output = common::covenant(folder.path(), &["policy", "schema", name])?;
        assert_eq!(output.status.code(), Some(0), "{name}");
        assert_eq!(
            str::from_utf8(&output.stdout)?,
            kept,
            "copy {file} to covenant-cli/schema"
        );
        let output = common::covenant(folder.path(), &["--json", "policy", "schema", name])?;
        let printed: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        assert_eq!(printed, serde_json::from_str::<serde_json::Value>(&kept)?);
    }
    let output = common::covenant(folder.path(), &["policy", "schema"])?;
    assert_eq!(output.status.code(), Some(0));
    assert!(str::from_utf8(&output.stdout)?.contains("covenant/policy-lock/v1"));
    let output = common::covenant(folder.path(), &["policy", "schema", "page"])?;
    assert_eq!(output.status.code(), Some(2));
    Ok(())
}
