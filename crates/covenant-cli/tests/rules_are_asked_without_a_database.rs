//! `covenant retention`: what it prints, as text and as JSON, and which exit code says what.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The folder with the rules and items.
fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents")
}

/// Exit code, stdout, stderr.
fn run(folder: &Path, args: &[&str]) -> Outcome<(i32, String, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_covenant"));
    let output = command.args(args).current_dir(folder).output()?;
    let code = output.status.code().ok_or("ended by a signal")?;
    Ok((
        code,
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    ))
}

const CALLS: [&[&str]; 8] = [
    &["check", "rules.toml"],
    &["check", "../../../../policies/prodb.toml"],
    &["residency", "rules.toml"],
    &[
        "residency",
        "../../../../policies/prodb.toml",
        "--class",
        "record",
    ],
    &[
        "explain",
        "42",
        "--rules",
        "rules.toml",
        "--items",
        "items.json",
        "--at",
        "2026-11-22T10:00:00Z",
    ],
    &[
        "explain",
        "44",
        "--rules",
        "rules.toml",
        "--items",
        "items.json",
        "--at",
        "2026-11-22T10:00:00Z",
    ],
    &[
        "simulate",
        "--rules",
        "rules.toml",
        "--items",
        "items.json",
        "--from",
        "2026-11-01T00:00:00+09:00",
        "--until",
        "2034-01-01T00:00:00Z",
    ],
    &[
        "simulate",
        "--rules",
        "rules.toml",
        "--items",
        "items.json",
        "--from",
        "2026-11-01T00:00:00+09:00",
        "--until",
        "2034-01-01T00:00:00Z",
        "--hold",
        "case-17",
    ],
];

#[test]
fn what_is_printed_is_as_reviewed() -> Outcome {
    let folder = documents();
    let mut said = String::new();
    for call in CALLS {
        let args: Vec<&str> = ["retention"].iter().chain(call).copied().collect();
        let (code, out, err) = run(&folder, &args)?;
        writeln!(
            said,
            "$ covenant {}\n{out}{err}exit {code}\n",
            args.join(" ")
        )?;
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/retention.txt");
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&golden, &said)?;
    }
    assert_eq!(
        said,
        fs::read_to_string(&golden)?,
        "BLESS=1 accepts the new text"
    );
    Ok(())
}

#[test]
fn json_says_the_same() -> Outcome {
    let folder = documents();
    for call in CALLS {
        let text: Vec<&str> = ["retention"].iter().chain(call).copied().collect();
        let args: Vec<&str> = ["--json"].iter().chain(&text).copied().collect();
        let (code, out, _) = run(&folder, &args)?;
        let value: Value = serde_json::from_str(&out)?;
        assert_eq!(value["exit"], json!(code), "{call:?}");
        assert_eq!(run(&folder, &text)?.0, code, "{call:?}");
    }
    let args = [
        "--json",
        "retention",
        "residency",
        "../../../../policies/prodb.toml",
    ];
    let residency: Value = serde_json::from_str(&run(&folder, &args)?.1)?;
    let days = |class: &str, from: &str, store: &str| {
        let rows = residency["residency"].as_array().into_iter().flatten();
        let mut rows = rows
            .filter(|row| row["class"] == class && row["from"] == from && row["store"] == store);
        rows.next()
            .map(|row| (row["min_days"].clone(), row["max_days"].clone()))
    };
    assert_eq!(
        days("record", "record.deleted", "backups"),
        Some((json!(211), json!(214)))
    );
    assert_eq!(
        days("database", "database.deleted", "backups"),
        Some((json!(181), json!(214)))
    );
    assert_eq!(
        days("database", "trial.ended", "backups"),
        Some((json!(181), json!(304)))
    );
    let (_, schema, _) = run(&folder, &["--json", "retention", "schema"])?;
    let schema: Value = serde_json::from_str(&schema)?;
    assert_eq!(schema["title"], "covenant/rules/v1");
    Ok(())
}

#[test]
fn each_exit_code_has_its_cause() -> Outcome {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    for name in ["rules.toml", "items.json"] {
        fs::copy(documents().join(name), at(name))?;
    }
    let rules = fs::read_to_string(at("rules.toml"))?;
    let changed = |name: &str, old: &str, new: &str| -> Outcome {
        let text = rules.replacen(old, new, 1);
        assert_ne!(text, rules, "{name}");
        Ok(fs::write(at(name), text)?)
    };
    changed("short.toml", "P8Y", "P7Y")?;
    changed("gap.toml", "store = [\"backups\"]", "store = [\"main\"]")?;
    changed("typo.toml", "authority", "autority")?;
    changed("period.toml", "P8Y", "8Y")?;
    changed("name.toml", "id = \"tax\"", "id = \"Tax\"")?;
    let check = |line: &str, code: i32, says: &str| -> Outcome {
        let args: Vec<&str> = line.split_whitespace().collect();
        let (found, out, err) = run(folder.path(), &args)?;
        assert_eq!(found, code, "{line}: {out}{err}");
        assert!(format!("{out}{err}").contains(says), "{line}: {out}{err}");
        Ok(())
    };
    check("retention check rules.toml", 0, "can all hold")?;
    check("retention check short.toml", 1, "leave no room")?;
    check(
        "retention check gap.toml",
        1,
        "no rule for class invoice in store backups",
    )?;
    check("retention check typo.toml", 2, "has no key \"autority\"")?;
    check(
        "retention check name.toml",
        2,
        "malformed name of a rule: a name is a letter",
    )?;
    check(
        "retention check period.toml",
        2,
        "bad period: a period is written P",
    )?;
    check("retention check nothing.toml", 2, "no such file")?;
    check("retention residency short.toml", 2, "leave no room")?;
    check(
        "retention residency rules.toml --class nothing",
        2,
        "no class nothing",
    )?;
    let explain = "retention explain 42 --rules rules.toml --items items.json --at";
    check(&format!("{explain} 2026-11-22T10:00:00Z"), 0, "eligible")?;
    check(&format!("{explain} 2027-11-22T10:00:00Z"), 1, "overdue")?;
    check(&format!("{explain} noon"), 2, "an instant is written")?;
    let nobody = explain.replace("42", "99");
    check(
        &format!("{nobody} 2026-11-22T10:00:00Z"),
        2,
        "no item of that id",
    )?;
    let item = r#"{"id":"1","class":"invoice","tenant":"0192f3c4-0000-7000-8000-000000000001"}"#;
    check(
        &format!("retention explain {item} --rules rules.toml --at 2026-11-22T10:00:00Z"),
        0,
        "open",
    )?;
    let at_ten = "--rules rules.toml --at 2026-11-22T10:00:00Z";
    let explain = |item: &str| format!("retention explain {item} {at_ten}");
    // each mistake on a line of its own, counted from the beginning of the item
    let lines = "covenant: the item:1:1: items lacks id\ncovenant: the item:1:1: ";
    check(&explain("{}"), 2, lines)?;
    check(&explain("{}"), 2, "lacks class")?;
    check(&explain("42"), 2, "--items")?;
    // an event that nobody knows is named
    let events = r#""events":[{"name":"invoice.isued","at":"2020-01-01T00:00:00Z"}]"#;
    let unknown = item.replace('}', &format!(",{events}}}"));
    let says = "an event of the item is not known to the rules: invoice.isued";
    check(&explain(&unknown), 1, says)?;
    let list = format!(r#"{{"format":"covenant/items/v1","items":[{unknown}]}}"#);
    fs::write(at("unknown.json"), list)?;
    let simulate = "retention simulate --rules rules.toml --items unknown.json --from \
                    2026-11-01T00:00:00Z --until 2027-01-01T00:00:00Z";
    check(simulate, 1, "not judged: an event")?;
    let simulate = "retention simulate --rules rules.toml --items items.json --from";
    let autumn = format!("{simulate} 2026-11-01T00:00:00Z --until 2027-01-01T00:00:00Z");
    // one of them nobody can judge
    check(&autumn, 1, "not judged: the class")?;
    let mut list: Value = serde_json::from_str(&fs::read_to_string(at("items.json"))?)?;
    if let Some(items) = list["items"].as_array_mut() {
        items.retain(|item| item["class"] == "invoice");
    }
    fs::write(at("invoices.json"), list.to_string())?;
    check(&autumn.replace("items.json", "invoices.json"), 0, "keep")?;
    check(
        &format!("{simulate} 2028-11-01T00:00:00Z --until 2028-12-01T00:00:00Z"),
        1,
        "overdue",
    )
}
