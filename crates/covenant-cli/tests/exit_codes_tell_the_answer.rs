//! The exit code alone tells a script what was found; each refusal has the same call without its
//! obstacle beside it.

#[cfg(test)]
mod common;

use std::error::Error;
use std::fs;
use std::path::Path;

use covenant_core::statement::{STATEMENT_FORMAT, Statement};

use common::check;

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn usage() -> Outcome {
    let folder = tempfile::tempdir()?;
    let check = |line, code, says| check(folder.path(), line, code, says);
    check("--help", 0, "Exit codes")?;
    check("--version", 0, "covenant")?;
    check("", 2, "Usage")?;
    check("polcy", 2, "polcy")?;
    check("policy check", 2, "<FILE>")?;
    check("policy explain P-51", 2, "--policy")?;
    check("policy bless", 2, "<FILE>")?;
    check("verify some", 2, "--key")
}

#[test]
fn policy_check() -> Outcome {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fs::copy(common::documents().join("notes.toml"), at("notes.toml"))?;
    let page = fs::read(common::documents().join("notes.txt"))?;
    fs::write(at("page"), &page)?;
    fs::write(at("longer"), [&page[..], b"And one more thing.\n"].concat())?;
    fs::write(
        at("unterminated"),
        page.strip_suffix(b"\n").unwrap_or(&page),
    )?;
    fs::write(at("empty"), "")?;
    let text = fs::read_to_string(at("notes.toml"))?;
    fs::write(
        at("broken.toml"),
        text.replacen("reason = \"title\"", "reasons = 1", 1),
    )?;
    fs::write(
        at("weaker.toml"),
        text.replace("\"stricter\"", "\"weaker\""),
    )?;
    fs::write(at("latin.toml"), b"# caf\xe9\n")?;
    let check = |line, code, says| check(folder.path(), line, code, says);
    check("policy check notes.toml --source page", 0, "as reviewed")?;
    check(
        "policy check notes.toml --source longer",
        3,
        "line 6: serves no clause",
    )?;
    check(
        "policy check notes.toml --source unterminated",
        3,
        "line 5: changed: N-03",
    )?;
    check(
        "policy check notes.toml --source empty",
        3,
        "N-01, N-02, N-03",
    )?;
    check("policy check notes.toml --source absent", 2, "no such file")?;
    check("policy check absent.toml", 2, "no such file")?;
    check("policy check .", 2, "folder")?;
    check("policy check broken.toml", 3, "broken.toml:17:1: ")?;
    check("policy check weaker.toml", 3, "clause N-01 delivers less")?;
    check("policy check latin.toml", 2, "not utf-8 at byte 5")?;
    check("policy check page", 3, "page:1:")?;
    check("policy check notes.toml --on 2026-11-21", 0, "notes")?;
    check("policy check notes.toml --on 2026-11", 2, "2026-01-31")?;
    check("policy check notes.toml --on 2026-02-30", 2, "2026-01-31")
}

#[test]
fn every_changed_byte_of_a_page_is_told() -> Outcome {
    let folder = tempfile::tempdir()?;
    let page = fs::read(common::documents().join("notes.txt"))?;
    let policy = common::documents().join("notes.toml");
    let changed = folder.path().join("page");
    for at in (0..page.len()).step_by(7) {
        let mut bytes = page.clone();
        bytes
            .iter_mut()
            .skip(at)
            .take(1)
            .for_each(|byte| *byte ^= 1);
        fs::write(&changed, &bytes)?;
        let args = ["policy", "check"].map(AsRef::as_ref);
        let [policy_arg, page_arg] = [policy.as_os_str(), changed.as_os_str()];
        let args = [args[0], args[1], policy_arg, "--source".as_ref(), page_arg];
        let output = common::covenant(folder.path(), &args)?;
        assert_eq!(output.status.code(), Some(3), "byte {at}");
    }
    Ok(())
}

#[test]
fn policy_explain() -> Outcome {
    let folder = common::documents();
    let check = |line, code, says| check(&folder, line, code, says);
    check("policy explain N-01 --policy notes.toml", 0, "30 days")?;
    check(
        "policy explain notes.N-01 --policy notes.toml",
        0,
        "30 days",
    )?;
    check(
        "policy explain other.N-01 --policy notes.toml",
        2,
        "N-01 to N-03",
    )?;
    check("policy explain N-9999 --policy notes.toml", 2, "clause id")?;
    check("policy explain n-01 --policy notes.toml", 2, "clause id")?;
    check(
        "policy explain N-01 --policy mistakes.toml",
        3,
        "mistakes.toml:",
    )?;
    check(
        "policy explain N-01 --policy notes.toml --policy none",
        2,
        "no such file",
    )
}

#[test]
fn policy_new() -> Outcome {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fs::write(at("page.txt"), b"One.\r\n\xff\0\n\nNo end")?;
    fs::write(at("empty"), "")?;
    fs::write(at("long"), "x\n".repeat(20_001))?;
    fs::write(at("full"), "x\n".repeat(19_999))?;
    let check = |line, code, says| check(folder.path(), line, code, says);
    check("policy new page.txt --id acme", 0, "lines = [4]")?;
    check("policy new empty --id acme", 0, "lines = 0")?;
    check("policy new page.txt --id Acme", 2, "a name starts with a-z")?;
    check("policy new page.txt", 2, "--id")?;
    check("policy new absent --id acme", 2, "no such file")?;
    check("policy new long --id acme", 2, "at most 20000 lines")?;
    check("policy new full --id acme", 2, "split the page")?;
    let vendor = "policy new page.txt --id acme --vendor a\u{7f}";
    check(vendor, 2, "the vendor must be named")?;
    // the draft is a document that is not finished
    let args = ["policy", "new", "page.txt", "--id", "acme"];
    let draft = common::covenant(folder.path(), &args)?;
    fs::write(at("acme.toml"), draft.stdout)?;
    check(
        "policy check acme.toml --source page.txt",
        3,
        "line 1 of the source is still to do",
    )
}

#[test]
fn policy_diff() -> Outcome {
    let folder = tempfile::tempdir()?;
    let text = fs::read_to_string(common::documents().join("notes.toml"))?;
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    write("notes.toml", &text)?;
    write("longer.toml", &text.replace("\"P30D\"", "\"P31D\""))?;
    write("other.toml", &text.replace("30 days\"", "thirty days\""))?;
    let (head, _gone) = text.split_once("[[deviation]]").ok_or("no deviation")?;
    let (fewer, _gone) = head.rsplit_once("[[clause]]").ok_or("no clause")?;
    let fewer = fewer.replace("lines = 5", "lines = 4");
    write("fewer.toml", &fewer)?;
    write("broken.toml", "")?;
    let check = |line, code, says| check(folder.path(), line, code, says);
    check("policy diff notes.toml notes.toml", 0, "all as they were")?;
    check("policy diff notes.toml longer.toml", 0, "stricter")?;
    check("policy diff longer.toml notes.toml", 1, "weaker")?;
    check("policy diff notes.toml other.toml", 0, "changed")?;
    check("policy diff notes.toml fewer.toml", 1, "removed")?;
    check("policy diff fewer.toml notes.toml", 0, "added")?;
    check("policy diff notes.toml broken.toml", 3, "broken.toml:1:1")?;
    check("policy diff notes.toml absent.toml", 2, "no such file")?;
    check("policy diff notes.toml", 2, "<AFTER>")
}

#[test]
fn policy_matrix() -> Outcome {
    let folder = common::documents();
    let check = |line, code, says| check(&folder, line, code, says);
    check("policy matrix notes.toml", 0, "17(1)")?;
    check("policy matrix notes.toml --framework soc2", 0, "CC6.5")?;
    check("policy matrix notes.toml --framework soc3", 2, "iso27001")?;
    check("policy matrix mistakes.toml", 3, "mistakes.toml:")?;
    check("policy matrix absent.toml", 2, "no such file")?;
    check("policy matrix", 2, "<FILE>")
}

#[test]
fn policy_residency_and_simulate() -> Outcome {
    let folder = tempfile::tempdir()?;
    fs::copy(
        common::documents().join("notes.toml"),
        folder.path().join("notes.toml"),
    )?;
    let prodb = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/prodb.toml");
    fs::copy(prodb, folder.path().join("prodb.toml"))?;
    let check = |line, code, says| check(folder.path(), line, code, says);
    check("policy residency prodb.toml", 0, "211 to 214 days")?;
    check(
        "policy residency prodb.toml --class record",
        0,
        "P-18, P-49",
    )?;
    check(
        "policy residency prodb.toml --class records",
        2,
        "it has account, attachment",
    )?;
    check(
        "policy residency notes.toml --class record",
        2,
        "it has none",
    )?;
    check(
        "policy residency prodb.toml --class Record",
        2,
        "a name starts with",
    )?;
    check("policy residency absent.toml", 2, "no such file")?;
    check(
        "policy simulate prodb.toml --from 2027-01-31T12:00:00Z",
        0,
        "2027-01-31T12:00:00Z",
    )?;
    check(
        "policy simulate prodb.toml --from 2027-01-31 --course record",
        0,
        "invisible",
    )?;
    check(
        "policy simulate prodb.toml --course cat",
        2,
        "record, object, trial",
    )?;
    check(
        "policy simulate prodb.toml --from today",
        2,
        "2026-01-31T12:00:00Z",
    )?;
    let line = "policy simulate prodb.toml --from 2027-01-31 --until 2026-01-31";
    check(line, 2, "--until is before --from")?;
    check("policy simulate absent.toml", 2, "no such file")
}

/// A figure changes, its lines do not: a finding until somebody has looked again and says so.
#[test]
fn policy_bless_and_check() -> Outcome {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let text = fs::read_to_string(common::documents().join("notes.toml"))?;
    fs::write(at("notes.toml"), &text)?;
    fs::copy(common::documents().join("notes.txt"), at("page"))?;
    fs::write(at("other page"), "nothing of it\n")?;
    let check = |line, code, says| check(folder.path(), line, code, says);
    check("policy check notes.toml", 0, "lock         none")?;
    check(
        "policy check notes.toml --lock absent.json",
        2,
        "no such file",
    )?;
    check("policy bless notes.toml --source page", 0, "written")?;
    let lock = fs::read(at("notes.lock.json"))?;
    check(
        "policy bless notes.toml --on 2027-01-01",
        0,
        "nothing changed",
    )?;
    assert_eq!(fs::read(at("notes.lock.json"))?, lock);
    check("policy check notes.toml", 0, "as it was")?;

    let changed = text.replace("max = \"P3M\"", "max = \"P4M\"");
    fs::write(at("notes.toml"), &changed)?;
    let says = "figure-changed: N-02 (4): N-02: bound.max was P3M and is P4M";
    check("policy check notes.toml", 1, says)?;
    check("policy bless notes.toml", 1, "not written")?;
    assert_eq!(fs::read(at("notes.lock.json"))?, lock);
    let review = "\n[[review]]\nclause = \"N-02\"\non = 2026-11-21\nby = \"somebody\"\n\
        change = \"the backups are kept for a month more\"\n";
    fs::write(at("notes.toml"), format!("{changed}{review}"))?;
    check("policy check notes.toml", 0, "1 changes since")?;
    check(
        "policy check notes.toml --on 2026-11-20",
        3,
        "the review of N-02",
    )?;
    check(
        "policy bless notes.toml --on 2026-11-20",
        3,
        "the review of N-02",
    )?;
    check("policy bless notes.toml", 0, "reviewed on 2026-11-21")?;
    check("policy check notes.toml", 0, "as it was")?;
    assert_ne!(fs::read(at("notes.lock.json"))?, lock);

    // a digest written anew is drift until a review is written too
    let digest = "e69fbab8a70f883e2d21040a198971dc213060c31b92dc4aecd8b5b0f9e75488";
    let anew = format!("{changed}{review}").replace(digest, &"0".repeat(64));
    fs::write(at("notes.toml"), &anew)?;
    check("policy check notes.toml", 3, "drift: N-02 (4)")?;
    check("policy bless notes.toml", 1, "not written")?;

    fs::write(at("notes.toml"), &text)?;
    check("policy bless notes.toml --source absent", 2, "no such file")?;
    check("policy bless notes.toml --lock new.json", 0, "written")?;
    check(
        "policy bless notes.toml --lock absent/new.json",
        2,
        "cannot be written",
    )?;
    fs::write(at("notes.lock.json"), "{}")?;
    check("policy check notes.toml", 3, "notes.lock.json: format")?;
    check("policy bless notes.toml", 3, "notes.lock.json: format")?;
    fs::write(at("notes.lock.json"), [&lock[..], b" "].concat())?;
    check("policy check notes.toml", 3, "edited by hand")?;
    let other = text.replace("id = \"notes\"", "id = \"letters\"");
    fs::write(at("letters.toml"), other)?;
    fs::write(at("notes.lock.json"), &lock)?;
    let line = "policy check letters.toml --lock notes.lock.json";
    check(line, 3, "it locks notes, not letters")?;
    let args = ["policy", "bless", "notes.toml", "--source", "other page"];
    let output = common::covenant(folder.path(), &args)?;
    assert_eq!(output.status.code(), Some(3));
    Ok(())
}

#[test]
fn verify() -> Outcome {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    let (ours, theirs) = (common::signer("ours", 1)?, common::signer("theirs", 2)?);
    let text = Statement::new("receipt", "17")?
        .with("clause", "P-51")?
        .encode();
    let good = common::signed(&text, &[&ours])?;
    write("good", &good)?;
    write("changed", &good.replace("P-51", "P-52"))?;
    write("unsigned", &text)?;
    write(
        "no_statement",
        &common::signed(&format!("{STATEMENT_FORMAT}\nkind\n"), &[&ours])?,
    )?;
    write("long", &"a\n".repeat(40_000))?;
    // the name and key id of a known key over another key's signature
    let (name, line) = (ours.sign_line(&text), theirs.sign_line(&text));
    write(
        "forged",
        &format!("{text}\n{}", line.replace("theirs", "ours")),
    )?;
    assert_ne!(name, line);
    let (ours, theirs) = (ours.vkey().to_string(), theirs.vkey().to_string());
    let check = |line: &str, code, says| check(folder.path(), line, code, says);
    check(&format!("verify good --key {ours}"), 0, "authentic")?;
    check(
        &format!("verify good --key {theirs} --key {ours}"),
        0,
        "authentic",
    )?;
    check(&format!("verify good --key {theirs}"), 4, "name ours+")?;
    check(
        &format!("verify changed --key {ours}"),
        4,
        "does not verify",
    )?;
    check(&format!("verify forged --key {ours}"), 4, "not authentic")?;
    check(
        &format!("verify unsigned --key {ours}"),
        2,
        "no signed text",
    )?;
    check(
        &format!("verify no_statement --key {ours}"),
        2,
        "no statement",
    )?;
    check(&format!("verify long --key {ours}"), 2, "65536 bytes")?;
    check(&format!("verify absent --key {ours}"), 2, "no such file")?;
    check(&format!("verify good --key {ours}x"), 2, "key 1:")?;
    check("verify good --key ours", 2, "key 1:")?;
    check(
        &format!("--json verify changed --key {ours}"),
        4,
        "\"exit\": 4",
    )
}
