//! `lint`: `covenant policy check` on every policy, and its findings against those that were
//! reviewed, `policies/expected-findings.toml`: exactly these, each once.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Fault, cargo, found, root};

/// One finding that was reviewed.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    id: String,
    document: String,
    code: String,
    clauses: Vec<String>,
    lines: Vec<u64>,
    says: Option<String>,
}

/// One finding of one document.
#[derive(Debug, Clone, PartialEq)]
struct Finding {
    document: String,
    code: String,
    clauses: Vec<String>,
    lines: Vec<u64>,
    message: String,
    /// Whether the run fails for it.
    open: bool,
}

pub(crate) fn run() -> Result<(), Fault> {
    let root = root();
    let path = root.join("policies/expected-findings.toml");
    let text = std::fs::read_to_string(&path)?;
    let rows = rows(&text).ok_or_else(|| Fault::Io(format!("{}: unread", path.display())))?;
    let policies = policies(&root)?;
    let mut wrong = Vec::new();
    let mut all = Vec::new();
    for policy in &policies {
        let others = policies.iter().filter(|other| *other != policy);
        let checked = check(&root, policy, others)?;
        wrong.extend(mistakes(policy, &checked));
        all.extend(findings(&checked).ok_or_else(|| unreadable(policy))?);
    }
    wrong.extend(compare(&rows, &all));
    if wrong.is_empty() {
        let (findings, policies) = (all.len(), policies.len());
        println!("lint: {findings} findings of {policies} policies, as reviewed");
    }
    found(wrong)
}

/// Policies by their paths from the root.
fn policies(root: &Path) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("policies"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".toml") && !name.starts_with("expected-") {
            names.push(format!("policies/{name}"));
        }
    }
    names.sort();
    Ok(names)
}

/// What `covenant policy check` says of a policy beside the others, with its page where it is at
/// hand.
fn check<'o>(
    root: &Path,
    policy: &str,
    others: impl Iterator<Item = &'o String>,
) -> Result<Value, Fault> {
    let mut check = cargo();
    check.args(["run", "--quiet", "--package", "covenant-cli", "--"]);
    check.args(["policy", "check", "--json", policy]);
    for other in others {
        check.args(["--with", other]);
    }
    let table: toml::Table = std::fs::read_to_string(root.join(policy))?
        .parse()
        .map_err(|error| Fault::Io(format!("{policy}: {error}")))?;
    let source = table.get("document").and_then(|head| head.get("source"));
    let page = source
        .and_then(toml::Value::as_str)
        .map(|name| root.join("../shared/seeds").join(name))
        .filter(|page| page.is_file());
    match page {
        Some(page) => {
            check.arg("--source").arg(page);
        }
        None => eprintln!("lint: {policy}: not run: its words against its page (no source)"),
    }
    let output = check.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&said).map_err(|error| {
        let (status, told) = (output.status, String::from_utf8_lossy(&output.stderr));
        Fault::Io(format!("{policy}: {status}: {error}: {}", told.trim()))
    })
}

fn unreadable(policy: &str) -> Fault {
    Fault::Io(format!("{policy}: the check has no readable findings"))
}

/// Anything but a clean check: its exit code, and the mistakes that it lists.
fn mistakes(policy: &str, checked: &Value) -> Vec<String> {
    let listed = checked.get("mistakes").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let mut mistakes: Vec<String> = listed.map(str::to_owned).collect();
    match checked.get("exit").and_then(Value::as_u64) {
        Some(0) => {}
        Some(code) => mistakes.push(format!("{policy}: the check exits {code}")),
        None => mistakes.push(format!("{policy}: the check names no exit code")),
    }
    mistakes
}

fn findings(checked: &Value) -> Option<Vec<Finding>> {
    let document = checked.get("id")?.as_str()?;
    let all = checked.get("findings")?.as_array()?.iter();
    let finding = |value: &Value| {
        let text = |key: &str| Some(value.get(key)?.as_str()?.to_owned());
        let clauses = value.get("clauses")?.as_array()?.iter();
        let clauses: Option<Vec<_>> = clauses.map(|v| Some(v.as_str()?.to_owned())).collect();
        let lines = value.get("lines")?.as_array()?.iter();
        Some(Finding {
            document: document.to_owned(),
            code: text("code")?,
            clauses: clauses?,
            lines: lines.map(Value::as_u64).collect::<Option<_>>()?,
            message: text("message")?,
            open: text("standing")? == "open",
        })
    };
    all.map(finding).collect()
}

fn rows(text: &str) -> Option<Vec<Row>> {
    let table: toml::Table = text.parse().ok()?;
    let all = table.get("finding")?.as_array()?.iter();
    let row = |value: &toml::Value| {
        let text = |key: &str| Some(value.get(key)?.as_str()?.to_owned());
        let clauses = value.get("clauses")?.as_array()?.iter();
        let clauses: Option<Vec<_>> = clauses.map(|v| Some(v.as_str()?.to_owned())).collect();
        let lines = value.get("lines")?.as_array()?.iter();
        let lines = lines.map(|v| u64::try_from(v.as_integer()?).ok());
        Some(Row {
            id: text("id")?,
            document: text("document")?,
            code: text("code")?,
            clauses: clauses?,
            lines: lines.collect::<Option<_>>()?,
            says: text("says"),
        })
    };
    all.map(row).collect()
}

fn is(row: &Row, finding: &Finding) -> bool {
    let says = row.says.as_ref();
    (&row.document, &row.code, &row.clauses, &row.lines)
        == (
            &finding.document,
            &finding.code,
            &finding.clauses,
            &finding.lines,
        )
        && says.is_none_or(|words| finding.message.contains(words.as_str()))
}

/// Each finding is one row, each row one finding, and no run fails for any.
fn compare(rows: &[Row], all: &[Finding]) -> Vec<String> {
    let mut wrong = Vec::new();
    for finding in all {
        let Finding {
            document,
            code,
            clauses,
            message,
            ..
        } = finding;
        let shown = format!("{document}: {code} {}: {message}", clauses.join(", "));
        match rows.iter().filter(|row| is(row, finding)).count() {
            1 => {}
            0 => wrong.push(format!("not reviewed: {shown}")),
            n => wrong.push(format!("{n} rows expect {shown}")),
        }
        if finding.open {
            wrong.push(format!("not answered: {shown}"));
        }
    }
    for row in rows {
        let Row {
            id,
            document,
            code,
            clauses,
            ..
        } = row;
        let shown = format!("{id}: {document}: {code} {}", clauses.join(", "));
        match all.iter().filter(|finding| is(row, finding)).count() {
            1 => {}
            0 => wrong.push(format!("not found: {shown}")),
            n => wrong.push(format!("found {n} times: {shown}")),
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROWS: &str = r#"
        [[finding]]
        id = "F-01"
        document = "acme"
        code = "vague"
        clauses = ["A-01"]
        lines = [3]

        [[finding]]
        id = "F-02"
        document = "acme"
        code = "uncovered"
        clauses = []
        lines = []
        says = "breach"
    "#;

    fn checked() -> Value {
        let finding = |code: &str, clauses: Value, lines: Value, message: &str| json!({ "code": code, "clauses": clauses, "lines": lines, "message": message, "standing": "reported" });
        json!({
            "id": "acme",
            "exit": 0,
            "mistakes": [],
            "findings": [
                finding("vague", json!(["A-01"]), json!([3]), "a word"),
                finding("uncovered", json!([]), json!([]), "nobody hears of a breach"),
            ],
        })
    }

    fn wrong(checked: &Value) -> Vec<String> {
        compare(&rows(ROWS).unwrap(), &findings(checked).unwrap())
    }

    #[test]
    fn findings_as_reviewed_are_no_finding() {
        assert_eq!(wrong(&checked()), Vec::<String>::new());
        assert_eq!(mistakes("acme.toml", &checked()), Vec::<String>::new());
    }

    #[test]
    fn every_planted_difference_is_found() {
        let plant = |at: &str, to: Value| {
            let mut checked = checked();
            *checked.pointer_mut(at).unwrap() = to;
            wrong(&checked)
        };
        let moved = ["not reviewed", "not found: F-01"];
        let cases = [
            ("/findings/0/code", json!("hedge"), &moved[..]),
            ("/findings/0/lines", json!([4]), &moved[..]),
            ("/findings/0/clauses", json!(["A-02"]), &moved[..]),
            (
                "/id",
                json!("other"),
                &["not reviewed", "not reviewed", "not found", "not found"],
            ),
            (
                "/findings/1/message",
                json!("else"),
                &["not reviewed", "not found: F-02"],
            ),
            (
                "/findings/0/standing",
                json!("open"),
                &["not answered: acme: vague A-01"],
            ),
        ];
        for (at, to, expected) in cases {
            let found = plant(at, to);
            assert_eq!(found.len(), expected.len(), "{at}: {found:?}");
            for (line, start) in found.iter().zip(expected) {
                assert!(line.starts_with(start), "{at}: {found:?}");
            }
        }
        let mut twice = checked();
        let first = twice["findings"][0].clone();
        twice["findings"].as_array_mut().unwrap().push(first);
        assert_eq!(wrong(&twice), ["found 2 times: F-01: acme: vague A-01"]);
        let doubled = format!("{ROWS}{}", ROWS.replace("F-01", "F-03"));
        let found = compare(&rows(&doubled).unwrap(), &findings(&checked()).unwrap());
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|line| line.starts_with("2 rows expect")));
    }

    #[test]
    fn a_check_that_is_not_clean_is_told() {
        let mut failed = checked();
        failed["exit"] = json!(3);
        failed["mistakes"] = json!(["acme.toml:1:1: a mistake"]);
        let told = ["acme.toml:1:1: a mistake", "acme.toml: the check exits 3"];
        assert_eq!(mistakes("acme.toml", &failed), told);
        assert_eq!(mistakes("acme.toml", &json!({})).len(), 1);
        assert_eq!(findings(&json!({ "id": "acme" })), None);
    }
}
