//! Each exit code of the command, with a run that ends with it and, beside it, the run without that
//! one obstacle.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conformance::cli::{Golden, Surroundings, main_with};
use conformance::progress::Silent;
use conformance::report::Tree;
use conformance::testing::{ModelFactory, Toy, ToyFactory};
use conformance::{NoSubject, SubjectFactory};
use covenant_core::digest::Digest;
use tempfile::TempDir;
use time::macros::utc_datetime;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
const PAGE: &[u8] = b"Title\n\nDeleted notes stay a while.\n";

/// What a run printed, and its exit code.
struct Ended {
    code: u8,
    out: String,
    err: String,
}

fn surroundings(policies: &Path) -> Surroundings {
    Surroundings {
        policies: policies.to_owned(),
        stamp: Some(utc_datetime!(2026-11-22 00:00)),
        commit: None,
        tree: Tree::Dirty,
        toolchain: "rustc".to_owned(),
        target: "test".to_owned(),
        golden: Golden::Compare,
    }
}

fn run_in(
    factory: impl SubjectFactory + 'static,
    around: &Surroundings,
    args: &[&str],
) -> io::Result<Ended> {
    let factory: Arc<dyn SubjectFactory> = Arc::new(factory);
    let args = args.iter().map(|arg| (*arg).to_owned());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = main_with(&factory, args, around, &Silent, &mut out, &mut err)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended {
        code,
        out: text(&out),
        err: text(&err),
    })
}

/// Runs on the policies of the workspace, reports in a folder of its own.
fn run(factory: impl SubjectFactory + 'static, args: &[&str]) -> io::Result<Ended> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out").display().to_string();
    let nowhere = folder.path().join("nowhere").display().to_string();
    let mut all = vec!["--out", &out, "--sources", &nowhere];
    all.extend(args);
    run_in(factory, &surroundings(Path::new(POLICIES)), &all)
}

/// A folder with a small policy, its page beside it.
fn small(page: &[u8], change: impl Fn(String) -> String) -> io::Result<(TempDir, PathBuf)> {
    let mut lines = policy_document::source::lines(page).map(Digest::of);
    let (title, promise) = (lines.next(), lines.nth(1));
    let digest = |digest: Option<Digest>| digest.map(|d| d.to_string()).unwrap_or_default();
    let text = format!(
        r#"
        [document]
        format = "covenant/policy/v1"
        id = "small"
        vendor = "Small"
        source = "small.txt"
        sha256 = "{}"
        lines = 3
        blank = [2]
        reviewed = 2026-11-21
        zones = ["UTC"]
        day = ["elapsed", "end-of-day"]
        [[ignore]]
        lines = [1]
        digests = ["{}"]
        reason = "title"
        [[clause]]
        id = "S-01"
        lines = [3]
        digests = ["{}"]
        says = "a deleted note stays a while"
        kind = "technical"
        modality = "floor"
        crates = ["retention-policy"]
        [clause.bound]
        from = "record.deleted"
        to = "record.purged"
        min = "P7D"
        [clause.verify]
        scenarios = ["bin::restorable_for_the_whole_floor"]
        sabotages = ["purge-early"]
        "#,
        Digest::of(page),
        digest(title),
        digest(promise),
    );
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("small.toml");
    fs::write(&path, change(text))?;
    fs::write(folder.path().join("small.txt"), PAGE)?;
    Ok((folder, path))
}

fn run_small(page: &[u8], change: impl Fn(String) -> String) -> io::Result<Ended> {
    let (folder, path) = small(page, change)?;
    let (path, sources) = (
        path.display().to_string(),
        folder.path().display().to_string(),
    );
    let out = folder.path().join("out").display().to_string();
    let args = ["--policy", &path, "--sources", &sources, "--out", &out];
    run_in(ModelFactory, &surroundings(folder.path()), &args)
}

#[test]
fn code_0_when_all_that_was_asked_for_is_kept() {
    let ended = run(
        ModelFactory,
        &["--clause", "P-51", "--clause", "immidb.R-11"],
    )
    .unwrap();
    assert_eq!(ended.code, 0, "{}", ended.err);
    let lines: Vec<_> = ended.out.lines().collect();
    assert!(
        lines[0].starts_with("kept          immidb.R-11    l.22        = 2"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with("kept          prodb.P-51     l.93        >= P30D"),
        "{}",
        lines[1]
    );
    assert!(
        lines[1].ends_with("1 scenario  3/3 sabotages"),
        "{}",
        lines[1]
    );
    assert_eq!(lines[2], "immidb: 1 clauses: 1 kept");
}

#[test]
fn code_1_when_a_technical_clause_is_not_shown_to_hold() {
    let check = |toy, word: &str| {
        let ended = run(ToyFactory(toy), &["--clause", "P-14"]).unwrap();
        assert_eq!(ended.code, 1, "{toy:?}: {}", ended.err);
        assert!(ended.out.starts_with(word), "{}", ended.out);
        let reason = format!("prodb: 1 {word}: P-14");
        assert!(ended.out.contains(&reason), "{}", ended.out);
    };
    check(Toy::RefusesAll, "broken");
    check(Toy::SupportsNothing, "untested");
    check(Toy::Unsabotageable, "toothless");
    // a scenario that is not built
    let ended = run(ModelFactory, &["--clause", "P-64"]).unwrap();
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("0/1 scenario"), "{}", ended.out);
    // the technical part of a partial clause
    assert_eq!(run(ModelFactory, &["--clause", "P-03"]).unwrap().code, 1);
}

#[test]
fn code_2_for_wrong_usage() {
    for args in [
        &["--bogus"][..],
        &["--seed"],
        &["--policy", "nobody"],
        &["--clause", "P-99"],
        &["--clause", "immidb.P-51"],
        &["--scenario", "bin::nothing"],
    ] {
        let ended = run(ModelFactory, args).unwrap();
        assert_eq!(ended.code, 2, "{args:?}");
        assert!(!ended.err.is_empty() && ended.out.is_empty(), "{args:?}");
    }
    assert_eq!(run(ModelFactory, &["--list"]).unwrap().code, 0);
}

#[test]
fn code_0_for_whoever_asks_how_to_use_it() {
    for args in [&["--help"][..], &["-h"], &["--clause", "P-14", "--help"]] {
        let ended = run(ModelFactory, args).unwrap();
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{args:?}");
        assert!(ended.out.starts_with("usage: conformance "), "{args:?}");
    }
}

#[test]
fn code_3_for_a_document_that_cannot_be_taken() {
    let good = run_small(PAGE, |text| text).unwrap();
    assert_eq!(good.code, 0, "{}{}", good.out, good.err);

    // not valid: the place is named
    let ended = run_small(PAGE, |text| text.replace("purge-early", "purge-never")).unwrap();
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("small.toml:31:22: "), "{}", ended.err);
    // a line that nothing serves
    let ended = run_small(PAGE, |text| text.replace("lines = 3", "lines = 4")).unwrap();
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("line 4"), "{}", ended.err);
    // less than was promised
    let weaker = r#"
        [[deviation]]
        clause = "S-01"
        class = "weaker"
        promised = "a while"
        delivered = "less"
        reason = "none"
        approved_by = "nobody"
        review_by = 2030-01-01
    "#;
    let ended = run_small(PAGE, |text| format!("{text}{weaker}")).unwrap();
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("S-01"), "{}", ended.err);
}

#[test]
fn code_3_for_one_changed_byte_with_its_line_and_clauses() {
    let reviewed = b"Title\n\nDeleted notes stay a whilf.\n";
    let ended = run_small(reviewed, |text| text).unwrap();
    assert_eq!(ended.code, 3);
    let expect = "drift: small line 3 has drifted: small.S-01";
    assert!(
        ended.err.contains(expect) && ended.out.contains(expect),
        "{}",
        ended.err
    );
}

#[test]
fn code_4_when_nothing_can_run_or_nothing_can_be_written() {
    for ended in [
        run(NoSubject, &["--clause", "P-14"]).unwrap(),
        run(ToyFactory(Toy::NeverStarts), &["--clause", "P-14"]).unwrap(),
    ] {
        assert_eq!(ended.code, 4);
        assert!(ended.out.starts_with("untested"), "{}", ended.out);
        assert!(ended.out.contains("did not start"), "{}", ended.out);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let out = file.join("out").display().to_string();
    let around = surroundings(Path::new(POLICIES));
    let args = ["--clause", "R-11", "--out", &out];
    let ended = run_in(ModelFactory, &around, &args).unwrap();
    assert_eq!((ended.code, ended.out.as_str()), (4, ""));
}

#[test]
fn code_5_when_attestations_count_and_are_missing() {
    let args = ["--clause", "P-05", "--clause", "P-51"];
    assert_eq!(run(ModelFactory, &args).unwrap().code, 0);
    let ended = run(ModelFactory, &[&args[..], &["--strict"]].concat()).unwrap();
    assert_eq!(ended.code, 5);
    assert!(
        ended.out.contains("prodb: 1 unattested: P-05"),
        "{}",
        ended.out
    );
    // code 1 comes first
    let args = ["--strict", "--clause", "P-05", "--clause", "P-64"];
    assert_eq!(run(ModelFactory, &args).unwrap().code, 1);
}

#[test]
fn code_6_when_a_status_got_worse_than_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    let golden = folder.path().join("expected.toml");
    let path = golden.display().to_string();
    let args = ["--clause", "P-51", "--clause", "P-64", "--expected", &path];
    assert_eq!(
        run(ModelFactory, &args).unwrap().code,
        4,
        "there is no such file"
    );
    let bless = Surroundings {
        golden: Golden::Bless,
        ..surroundings(Path::new(POLICIES))
    };
    let out = folder.path().join("out").display().to_string();
    let blessed = [&args[..], &["--out", &out]].concat();
    assert_eq!(run_in(ModelFactory, &bless, &blessed).unwrap().code, 0);
    let text = fs::read_to_string(&golden).unwrap();
    assert!(
        text.contains("P-51 = \"kept\"\nP-64 = \"untested\""),
        "{text}"
    );
    assert_eq!(run(ModelFactory, &args).unwrap().code, 0);
    let ended = run(ToyFactory(Toy::RefusesAll), &args).unwrap();
    assert_eq!(ended.code, 6);
    assert!(
        ended.out.contains("prodb.P-51 was kept and is broken"),
        "{}",
        ended.out
    );
    fs::write(
        &golden,
        text.replace("P-51 = \"kept\"", "P-51 = \"untested\""),
    )
    .unwrap();
    let ended = run(ModelFactory, &args).unwrap();
    assert_eq!(ended.code, 0);
    assert!(
        ended.err.contains("prodb.P-51 was untested and is kept"),
        "{}",
        ended.err
    );
}
