//! What we write is read by tools that share no code with us: OSCAL by PyPI `oscal`, JUnit by
//! `junitparser`, our JSON by `check-jsonschema`, the page by the Nu HTML checker, by axe in
//! Chromium, and on paper by `pypdf`. `cargo xtask test` installs them; a plain `cargo test` says
//! `not run`.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use conformance::SubjectFactory;
use conformance::cli::{Golden, Surroundings, main_with};
use conformance::progress::Silent;
use conformance::report::Tree;
use conformance::testing::ModelFactory;
use covenant_core::testing::{NotProvided, provided};
use serde_json::{Value, json};
use time::macros::utc_datetime;

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");
/// Sheets of A4 that the three documents may take: fewer hold no report, more are not read.
const SHEETS: std::ops::RangeInclusive<u64> = 10..=90;

/// A signing key whose seed is the byte 7, 32 times, and its verifier key.
const KEY: &str =
    "PRIVATE+KEY+example.org/reports+5fda6e14+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
const VKEY: &str = "example.org/reports+5fda6e14+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

/// Where the tools are: `target/oracles`; `None`, with a note, when they are not there.
fn oracles() -> Result<Option<PathBuf>, NotProvided> {
    Ok(provided("COVENANT_TEST_ORACLES")?.map(Into::into))
}

/// The folder of a run over the policies; made once, and kept beside the tools to be looked at.
fn reports(oracles: &Path) -> Result<&'static Path, Box<dyn Error>> {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = MAKING.lock()?;
    if let Some(folder) = RUN.get() {
        return Ok(folder);
    }
    let folder = oracles.join("work/reports");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let around = Surroundings {
        policies: Path::new(PACKAGE).join("../../policies"),
        stamp: Some(utc_datetime!(2026-11-22 00:00)),
        commit: Some("0".repeat(40)),
        tree: Tree::Clean,
        toolchain: "rustc".to_owned(),
        target: "test".to_owned(),
        golden: Golden::Compare,
    };
    let key = oracles.join("work/key");
    fs::write(&key, KEY)?;
    let args = [
        "--sources",
        "nowhere",
        "--sign",
        &key.display().to_string(),
        "--out",
    ];
    let args = args.map(str::to_owned);
    let args = args.into_iter().chain([folder.display().to_string()]);
    let factory: Arc<dyn SubjectFactory> = Arc::new(ModelFactory);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    main_with(&factory, args, &around, &Silent, &mut out, &mut err)?;
    Ok(RUN.get_or_init(|| folder))
}

fn read(path: &Path) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

/// A script or program of the environment, run in its folder `work`.
fn tool(oracles: &Path, program: &str) -> Command {
    let mut tool = Command::new(oracles.join("venv/bin").join(program));
    tool.current_dir(oracles.join("work")).stdin(Stdio::null());
    tool
}

fn script(oracles: &Path, name: &str) -> Command {
    let mut python = tool(oracles, "python");
    python.arg(Path::new(PACKAGE).join("tests/oracles").join(name));
    python
}

/// What the tool prints, as JSON; a tool that fails is an error with its last words.
fn said(command: &mut Command) -> Result<Value, Box<dyn Error>> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {text} {why}", output.status).into());
    }
    Ok(serde_json::from_str(&text)?)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn oscal_is_valid_for_the_library_oscal() {
    let Some(oracles) = oracles().unwrap() else {
        return;
    };
    let path = reports(&oracles)
        .unwrap()
        .join("oscal-assessment-results.json");
    let judged = |path: &Path| said(script(&oracles, "oscal_results.py").arg(path)).unwrap();
    let good = judged(&path);
    assert_eq!(good["model"], "AssessmentResults");
    assert_eq!(good["version"], "v1.2.1");
    assert_eq!(good["errors"], json!([]));
    assert_eq!(good["valid"], true);
    let checks = good["checks"].as_object().unwrap();
    assert!(!checks.is_empty() && checks.values().all(|check| *check == true));
    // it can refuse
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"not-satisfied\"", "\"maybe\""),
        ("\"prodb.P-51\"", "\"P 51\""),
    ] {
        assert!(text.contains(from));
        let wrong = oracles.join("work/wrong-oscal.json");
        fs::write(&wrong, text.replace(from, to)).unwrap();
        assert_eq!(judged(&wrong)["valid"], false, "{to}");
    }
}

#[test]
fn junitparser_counts_what_the_report_counts() {
    let Some(oracles) = oracles().unwrap() else {
        return;
    };
    let folder = reports(&oracles).unwrap();
    let report = read(&folder.join("report.json")).unwrap();
    let suites = said(script(&oracles, "junit_results.py").arg(folder.join("junit.xml"))).unwrap();
    let documents = list(&report["documents"]);
    assert_eq!(list(&suites).len(), documents.len());
    for (suite, document) in list(&suites).iter().zip(documents) {
        assert_eq!(suite["name"], document["id"]);
        assert_eq!(suite["stated"], suite["counted"]);
        let sum = |statuses: &[&str]| -> u64 {
            let counts = statuses
                .iter()
                .map(|status| document["tally"][status].as_u64());
            counts.map(Option::unwrap).sum()
        };
        let clauses = list(&document["clauses"]);
        let failures = sum(&["broken", "toothless", "untested"]);
        let skipped = sum(&["unattested", "expired", "informational"]);
        assert_eq!(
            suite["counted"],
            json!([clauses.len(), failures, 0, skipped])
        );
        for clause in clauses {
            let status = clause["status"].as_str().unwrap();
            let expect = match status {
                "kept" | "attested" | "superseded" => "passed".to_owned(),
                "broken" | "toothless" | "untested" => format!("failure {status}"),
                _ => format!("skipped {status}"),
            };
            assert_eq!(suite["cases"][clause["id"].as_str().unwrap()], expect);
        }
    }
}

/// `check-jsonschema` on one file: whether it is content, and what it said.
fn check(oracles: &Path, schema: &Path, file: &Path) -> io::Result<(bool, String)> {
    let mut check = tool(oracles, "check-jsonschema");
    let output = check.arg("--schemafile").arg(schema).arg(file).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.success(), said))
}

#[test]
fn check_jsonschema_accepts_the_report_and_every_line_of_evidence() {
    let Some(oracles) = oracles().unwrap() else {
        return;
    };
    let folder = reports(&oracles).unwrap();
    let work = oracles.join("work");
    let schemas = Path::new(PACKAGE).join("schema");

    let schema = schemas.join("conformance-report-v1.schema.json");
    let (good, words) = check(&oracles, &schema, &folder.join("report.json")).unwrap();
    assert!(good, "{words}");
    let text = fs::read_to_string(folder.join("report.json")).unwrap();
    let wrong = work.join("wrong-report.json");
    fs::write(
        &wrong,
        text.replace("\"status\": \"kept\"", "\"status\": \"fine\""),
    )
    .unwrap();
    assert!(!check(&oracles, &schema, &wrong).unwrap().0);

    // the tool reads one value a file, so the lines become an array
    let each = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "array",
        "items": read(&schemas.join("evidence-line-v1.schema.json")).unwrap(),
    });
    let schema = work.join("evidence-lines.schema.json");
    fs::write(&schema, each.to_string()).unwrap();
    let text = fs::read_to_string(folder.join("evidence.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut lines: Vec<Value> = lines.collect();
    assert!(lines.len() > 10);
    let file = work.join("evidence-lines.json");
    fs::write(&file, Value::Array(lines.clone()).to_string()).unwrap();
    let (good, words) = check(&oracles, &schema, &file).unwrap();
    assert!(good, "{words}");
    let failed = lines.iter().position(|line| line["outcome"] == "failed");
    lines[failed.unwrap()]["expected"] = Value::Null;
    fs::write(&file, Value::Array(lines).to_string()).unwrap();
    assert!(!check(&oracles, &schema, &file).unwrap().0);
}

#[test]
fn the_auditors_program_verifies_the_statement_and_every_file() {
    let Some(oracles) = oracles().unwrap() else {
        return;
    };
    let folder = reports(&oracles).unwrap();
    let work = oracles.join("work");
    let manual = Path::new(PACKAGE).join("../../docs/for-auditors.md");
    let manual = fs::read_to_string(manual).unwrap();
    let programs = manual.split("```python\n").skip(1);
    let programs: Vec<_> = programs
        .filter_map(|rest| rest.split("```").next())
        .filter(|program| program.contains("statement.txt"))
        .collect();
    assert_eq!(programs.len(), 1);
    let program = work.join("check_report.py");
    fs::write(&program, programs[0]).unwrap();
    let said = |folder: &Path| {
        let mut python = tool(&oracles, "python");
        let output = python.arg(&program).arg(folder).arg(VKEY).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let words = said(folder);
    assert_eq!(words.lines().count(), 6);
    assert!(
        words.lines().all(|line| line.ends_with(": True")),
        "{words}"
    );
    // it sees a file and a statement that were touched
    let touched = work.join("touched");
    fs::create_dir_all(&touched).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), touched.join(entry.file_name())).unwrap();
    }
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    fs::write(touched.join("index.html"), page.replace("untested", "kept")).unwrap();
    let statement = fs::read_to_string(folder.join("statement.txt")).unwrap();
    let statement = statement.replace("kind policy-report", "kind policy-reports");
    fs::write(touched.join("statement.txt"), statement).unwrap();
    let words = said(&touched);
    let wrong: Vec<_> = words
        .lines()
        .filter(|line| line.ends_with(": False"))
        .collect();
    assert_eq!(wrong, ["signature: False", "index.html: False"]);
}

/// What the Nu HTML checker has against a page: errors and warnings.
fn nu(oracles: &Path, page: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut java = Command::new("java");
    java.current_dir(oracles.join("work"))
        .stdin(Stdio::null())
        .arg("-jar");
    java.arg(oracles.join("node_modules/vnu-jar/build/dist/vnu.jar"));
    java.args(["--format", "json", "--stdout", "--exit-zero-always"]);
    let said = said(java.arg(page))?;
    let messages = said.get("messages").map_or(&[][..], list).iter();
    let word = |one: &Value, key: &str| one.get(key).map(Value::to_string).unwrap_or_default();
    // what is only told is that XML's way to close an element has no effect; it lets an XML parser
    // read the page as well
    let grave = messages.filter(|one| {
        let (kind, sub) = (word(one, "type"), word(one, "subType"));
        kind != "\"info\"" || sub == "\"warning\""
    });
    let shown = grave.map(|one| format!("{}: {}", word(one, "message"), word(one, "extract")));
    Ok(shown.collect())
}

#[test]
fn the_nu_html_checker_has_nothing_against_the_page() {
    let Some(oracles) = oracles().unwrap() else {
        return;
    };
    let page = reports(&oracles).unwrap().join("index.html");
    assert_eq!(nu(&oracles, &page).unwrap(), Vec::<String>::new());
    let wrong = oracles.join("work/wrong.html");
    let text = fs::read_to_string(&page).unwrap();
    fs::write(&wrong, text.replace("</h1>", "</h2>")).unwrap();
    assert_ne!(nu(&oracles, &wrong).unwrap(), Vec::<String>::new());
}

#[test]
fn a_browser_finds_the_page_accessible_silent_and_printable() {
    let Some(oracles) = oracles().unwrap() else {
        return;
    };
    let page = reports(&oracles).unwrap().join("index.html");
    let out = oracles.join("work/page");
    fs::create_dir_all(&out).unwrap();
    let looked = |page: &Path| {
        let mut node = Command::new("node");
        node.current_dir(oracles.join("work")).stdin(Stdio::null());
        node.arg(Path::new(PACKAGE).join("tests/oracles/page.mjs"));
        said(node.arg(oracles.join("node_modules")).arg(page).arg(&out)).unwrap()
    };

    let paper = |page: &Path| {
        let mut printed = script(&oracles, "printed_rows.py");
        said(printed.arg(out.join("a4.pdf")).arg(page)).unwrap()
    };

    // it sees an image without words, text that is too pale, an address that is asked for, and
    // rows that may break
    let text = fs::read_to_string(&page).unwrap();
    let text = text.replace("default-src 'none'; ", "");
    assert!(text.contains("break-inside: avoid"));
    let text = text.replace("break-inside: avoid", "break-inside: auto");
    let wrong = oracles.join("work/wrong-page.html");
    let bad = "<main><img src=\"nothing.png\"/><p style=\"color: #999; background: #aaa\">pale</p>";
    fs::write(&wrong, text.replacen("<main>", bad, 1)).unwrap();
    let seen = looked(&wrong);
    let found = seen["judged"][0]["found"].to_string();
    assert!(
        found.contains("image-alt") && found.contains("color-contrast"),
        "{found}"
    );
    assert_eq!(list(&seen["requests"]).len(), 2, "{}", seen["requests"]);
    assert_ne!(paper(&wrong)["cut"], json!([]));

    let seen = looked(&page);
    let asked: Vec<_> = list(&seen["requests"])
        .iter()
        .map(|url| url.as_str().unwrap())
        .collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("file://") && asked[0].ends_with("/index.html"));
    let judged = list(&seen["judged"]);
    assert_eq!(judged.len(), 4);
    for way in judged {
        assert_eq!(way["found"], json!([]), "{}", way["way"]);
        assert!(way["rules"].as_u64().unwrap() > 10, "{way}");
        assert_eq!(way["overflow"], 0, "{}", way["way"]);
    }

    let printed = paper(&page);
    assert_eq!(printed["size"], json!([595, 842]));
    assert!(
        SHEETS.contains(&printed["sheets"].as_u64().unwrap()),
        "{}",
        printed["sheets"]
    );
    assert!(printed["rows"].as_u64().unwrap() > 120);
    assert_eq!(printed["cut"], json!([]));
}
