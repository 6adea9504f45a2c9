//! `junit.xml`, `oscal-assessment-results.json` and `index.html`: well-formed, the same bytes twice,
//! equal in their counts, valid by the OSCAL schema, and safe with hostile text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use conformance::SubjectFactory;
use conformance::cli::{Golden, Surroundings, main_with};
use conformance::progress::Silent;
use conformance::report::Tree;
use conformance::testing::ModelFactory;
use roxmltree::{Document as Xml, Node, ParsingOptions};
use serde_json::Value;
use tempfile::TempDir;
use time::macros::utc_datetime;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Longest `index.html`, by the design.
const HTML_LEN_BYTES_MAX: usize = 3 << 20;

/// The files of a run.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    report: String,
    junit: String,
    oscal: String,
    html: String,
    evidence: String,
}

fn run(policies: &Path, commit: &str, args: &[&str]) -> io::Result<Files> {
    let folder = tempfile::tempdir()?;
    let around = Surroundings {
        policies: policies.to_owned(),
        stamp: Some(utc_datetime!(2026-11-22 00:00)),
        commit: Some(commit.to_owned()),
        tree: Tree::Clean,
        toolchain: "rustc".to_owned(),
        target: "test".to_owned(),
        golden: Golden::Compare,
    };
    let out = folder.path().display().to_string();
    let args = [&["--out", &out, "--sources", "nowhere"], args].concat();
    let args = args.iter().map(|arg| (*arg).to_owned());
    let factory: Arc<dyn SubjectFactory> = Arc::new(ModelFactory);
    let (mut printed, mut err) = (Vec::new(), Vec::new());
    main_with(&factory, args, &around, &Silent, &mut printed, &mut err)?;
    let read = |name: &str| fs::read_to_string(Path::new(&out).join(name));
    Ok(Files {
        report: read("report.json")?,
        junit: read("junit.xml")?,
        oscal: read("oscal-assessment-results.json")?,
        html: read("index.html")?,
        evidence: read("evidence.jsonl")?,
    })
}

fn fresh() -> io::Result<Files> {
    run(&Path::new(ROOT).join("policies"), &"0".repeat(40), &[])
}

/// The files of a run over the policies, made once.
fn whole() -> io::Result<&'static Files> {
    static WHOLE: Mutex<Option<&'static Files>> = Mutex::new(None);
    let mut made = WHOLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(files) = *made {
        return Ok(files);
    }
    let files: &'static Files = Box::leak(Box::new(fresh()?));
    *made = Some(files);
    Ok(files)
}

fn json(text: &str) -> io::Result<Value> {
    Ok(serde_json::from_str(text)?)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Status by clause, from `report.json`.
fn statuses(report: &Value) -> BTreeMap<String, String> {
    let documents = list(&report["documents"]).iter();
    let clauses = documents.flat_map(|document| {
        let id = word(&document["id"]);
        let clauses = list(&document["clauses"]).iter();
        clauses.map(move |clause| {
            let full = format!("{id}.{}", word(&clause["id"]));
            (full, word(&clause["status"]).to_owned())
        })
    });
    clauses.collect()
}

fn html(text: &str) -> Result<Xml<'_>, roxmltree::Error> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Xml::parse_with_options(text, options)
}

fn is<'a>(tag: &'a str) -> impl Fn(&Node<'_, '_>) -> bool + 'a {
    move |node| node.has_tag_name(tag)
}

fn count(node: Node<'_, '_>, name: &str) -> Option<usize> {
    node.attribute(name)?.parse().ok()
}

/// All text of a node, in order.
fn text(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter_map(|node| {
        let is_style = node
            .parent()
            .is_some_and(|parent| parent.has_tag_name("style"));
        node.text().filter(|_| node.is_text() && !is_style)
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// The folder `shared` beside the workspace; prints that a check did not run where it is absent.
#[expect(clippy::print_stdout, reason = "a check that did not run must say so")]
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(ROOT).join("../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("not run: {} is absent", path.display());
    None
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    assert_eq!(fresh().unwrap(), *whole().unwrap());
}

#[test]
fn junit_has_every_clause_once_and_its_counts_add_up() {
    let files = whole().unwrap();
    let statuses = statuses(&json(&files.report).unwrap());
    let xml = Xml::parse(&files.junit).unwrap();
    let root = xml.root_element();
    assert!(root.has_tag_name("testsuites"));
    let mut seen = BTreeSet::new();
    let mut sums = [0; 3];
    for suite in root.children().filter(is("testsuite")) {
        let cases: Vec<_> = suite.children().filter(is("testcase")).collect();
        let with = |tag: &str| {
            let of_case = |case: &&Node<'_, '_>| case.children().any(|child| is(tag)(&child));
            cases.iter().filter(of_case).count()
        };
        let counts = [cases.len(), with("failure"), with("skipped")];
        for ((name, sum), counted) in ["tests", "failures", "skipped"]
            .into_iter()
            .zip(&mut sums)
            .zip(counts)
        {
            assert_eq!(count(suite, name), Some(counted), "{name}");
            *sum += counted;
        }
        for case in cases {
            let name = case.attribute("name").unwrap();
            let class = case.attribute("classname").unwrap();
            assert_eq!(suite.attribute("name"), Some(class));
            let id = format!("{class}.{}", name.split(' ').next().unwrap());
            let status = statuses[&id].as_str();
            let failure = case.children().find(is("failure"));
            let skipped = case.children().find(is("skipped"));
            match status {
                "kept" | "attested" | "superseded" => {
                    assert!(failure.is_none() && skipped.is_none())
                }
                "broken" | "toothless" | "untested" => {
                    assert_eq!(failure.unwrap().attribute("type"), Some(status));
                }
                _ => assert!(
                    skipped
                        .unwrap()
                        .attribute("message")
                        .unwrap()
                        .starts_with(status)
                ),
            }
            assert!(seen.insert(id));
        }
    }
    assert_eq!(seen, statuses.keys().cloned().collect());
    let totals = ["tests", "failures", "skipped"].map(|name| count(root, name));
    assert_eq!(totals, sums.map(Some));
    assert_eq!(count(root, "errors"), Some(0));
}

#[test]
fn oscal_is_valid_and_every_status_is_mapped() {
    let files = whole().unwrap();
    let statuses = statuses(&json(&files.report).unwrap());
    let oscal = json(&files.oscal).unwrap();
    let results = &oscal["assessment-results"];
    let mut seen = BTreeSet::new();
    for result in list(&results["results"]) {
        for finding in list(&result["findings"]) {
            let id = word(&finding["target"]["target-id"]);
            let state = &finding["target"]["status"];
            let got = (word(&state["state"]), word(&state["reason"]));
            let expect = match statuses[id].as_str() {
                "kept" => ("satisfied", "pass"),
                "attested" | "superseded" => ("satisfied", "other"),
                "broken" | "toothless" => ("not-satisfied", "fail"),
                "untested" | "unattested" | "expired" => ("not-satisfied", "other"),
                other => panic!("{id} is {other} and has a finding"),
            };
            assert_eq!(got, expect, "{id}");
            assert!(seen.insert(id.to_owned()));
        }
        let discoveries = list(&result["observations"])
            .iter()
            .filter(|observation| observation["types"][0] == "discovery");
        for discovery in discoveries {
            let id = word(&discovery["props"][0]["value"]);
            assert_eq!(statuses[id], "informational");
            assert!(seen.insert(id.to_owned()));
        }
    }
    assert_eq!(seen, statuses.keys().cloned().collect());
    let Some(path) = shared("oscal/oscal_assessment-results_schema.json") else {
        return;
    };
    let schema = json(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(&oscal)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    // the validator can refuse: an id that is no token, a state that is no word of the model
    for (from, to) in [
        ("\"prodb.P-51\"", "\"P 51\""),
        ("\"not-satisfied\"", "\"maybe\""),
    ] {
        assert!(files.oscal.contains(from));
        assert!(
            !validator.is_valid(&json(&files.oscal.replace(from, to)).unwrap()),
            "{to}"
        );
    }
}

#[test]
fn references_of_oscal_resolve_inside_the_file_and_the_evidence() {
    let files = whole().unwrap();
    let oscal = json(&files.oscal).unwrap();
    let results = &oscal["assessment-results"];
    let resources = list(&results["back-matter"]["resources"]).iter();
    let resources: BTreeSet<_> = resources.map(|resource| word(&resource["uuid"])).collect();
    let plan = word(&results["import-ap"]["href"])
        .strip_prefix('#')
        .unwrap();
    assert!(resources.contains(plan));
    let lines: Vec<Value> = files
        .evidence
        .lines()
        .map(|line| json(line).unwrap())
        .collect();
    let (mut linked, mut uuids) = (0, BTreeSet::new());
    for result in list(&results["results"]) {
        let observations: BTreeMap<_, _> = list(&result["observations"])
            .iter()
            .map(|observation| (word(&observation["uuid"]), observation))
            .collect();
        for observation in observations.values() {
            assert!(uuids.insert(word(&observation["uuid"]).to_owned()));
            let prop = |name: &str| {
                let mut props = list(&observation["props"]).iter();
                props
                    .find(|prop| prop["name"] == name)
                    .map(|prop| &prop["value"])
            };
            for evidence in list(&observation["relevant-evidence"]) {
                let number = word(&evidence["href"])
                    .strip_prefix("evidence.jsonl#L")
                    .unwrap();
                let line = &lines[number.parse::<usize>().unwrap() - 1];
                assert_eq!(Some(&line["clause"]), prop("Rule_Id"));
                assert_eq!(Some(&line["scenario"]), prop("Check_Id"));
                linked += 1;
            }
        }
        for finding in list(&result["findings"]) {
            assert!(uuids.insert(word(&finding["uuid"]).to_owned()));
            for related in list(&finding["related-observations"]) {
                let observation = observations[word(&related["observation-uuid"])];
                let rule = &observation["props"][0]["value"];
                assert_eq!(rule, &finding["target"]["target-id"]);
            }
        }
    }
    assert_eq!(linked, lines.len(), "every line of evidence is linked once");
}

#[test]
fn the_page_is_well_formed_small_silent_and_complete() {
    let files = whole().unwrap();
    let statuses = statuses(&json(&files.report).unwrap());
    assert!(files.html.len() <= HTML_LEN_BYTES_MAX);
    let page = html(&files.html).unwrap();
    let policy = page
        .descendants()
        .find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy"));
    assert_eq!(
        policy.unwrap().attribute("content"),
        Some("default-src 'none'; style-src 'unsafe-inline'")
    );
    let mut ids = BTreeSet::new();
    for node in page.descendants() {
        for tag in ["script", "img", "link", "iframe", "object", "form", "base"] {
            assert!(!node.has_tag_name(tag), "{tag}");
        }
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on"), "{}", attribute.name());
            if matches!(attribute.name(), "href" | "src") {
                assert!(attribute.value().starts_with('#'), "{}", attribute.value());
            }
            if attribute.name() == "id" {
                assert!(
                    ids.insert(attribute.value().to_owned()),
                    "{}",
                    attribute.value()
                );
            }
        }
    }
    let style = page.descendants().find(is("style")).unwrap();
    assert!(!style.text().unwrap().contains("url("));
    for link in page.descendants().filter(is("a")) {
        let target = link.attribute("href").unwrap().trim_start_matches('#');
        assert!(ids.contains(target), "{target}");
    }
    for (id, status) in &statuses {
        let rows: Vec<_> = page
            .descendants()
            .filter(is("tr"))
            .filter(|row| {
                row.descendants()
                    .any(|node| node.attribute("id") == Some(id))
            })
            .collect();
        assert_eq!(rows.len(), 1, "{id}");
        let shown = rows[0].descendants().find(|node| {
            node.attribute("class")
                .is_some_and(|class| class.starts_with("status"))
        });
        assert!(text(shown.unwrap()).contains(status), "{id}");
    }
    for drawing in page.descendants().filter(is("svg")) {
        assert!(drawing.children().any(|child| child.has_tag_name("title")));
        let figure = drawing.ancestors().find(is("figure")).unwrap();
        assert!(figure.descendants().any(|node| node.has_tag_name("table")));
    }
    assert!(page.descendants().any(|node| node.has_tag_name("svg")));
}

#[test]
fn tallies_of_the_page_are_those_of_the_report() {
    let files = whole().unwrap();
    let report = json(&files.report).unwrap();
    let page = html(&files.html).unwrap();
    let table = page.descendants().find(is("table")).unwrap();
    let cells = |row: Node<'_, '_>| -> Vec<String> {
        let cells = row
            .children()
            .filter(|cell| cell.has_tag_name("th") || cell.has_tag_name("td"));
        cells.map(text).collect()
    };
    let rows: Vec<_> = table.descendants().filter(is("tr")).map(cells).collect();
    for document in list(&report["documents"]) {
        let row = rows
            .iter()
            .find(|row| row[0] == word(&document["id"]))
            .unwrap();
        for (name, cell) in rows[0].iter().zip(row).skip(1) {
            let expect = if name == "clauses" {
                list(&document["clauses"]).len().to_string()
            } else {
                document["tally"][name].to_string()
            };
            assert_eq!(*cell, expect, "{name}");
        }
    }
}

/// The rows of a table by its caption, each as its text.
fn rows_of(page: &Xml<'_>, caption: &str) -> Vec<String> {
    let is_it = |table: &Node<'_, '_>| {
        let mut captions = table.children().filter(is("caption"));
        captions.any(|found| text(found) == caption)
    };
    let table = page.descendants().filter(is("table")).find(is_it);
    let bodies = table
        .into_iter()
        .flat_map(|table| table.descendants().filter(is("tbody")));
    let rows = bodies.flat_map(|body| body.children().filter(is("tr")));
    rows.map(text).collect()
}

#[test]
fn the_page_tells_every_finding_and_every_stay_of_the_report() {
    let files = whole().unwrap();
    let report = json(&files.report).unwrap();
    let page = html(&files.html).unwrap();
    for document in list(&report["documents"]) {
        let id = word(&document["id"]);
        let findings = list(&document["findings"]);
        assert!(!findings.is_empty(), "{id}");
        let rows = rows_of(&page, &format!("Findings of {id}"));
        assert_eq!(rows.len(), findings.len());
        for (row, finding) in rows.iter().zip(findings) {
            for key in [
                "code",
                "golden",
                "message",
                "witness",
                "answered_by",
                "standing",
            ] {
                assert!(
                    row.contains(word(&finding[key])),
                    "{key} of {finding} in {row}"
                );
            }
            let clauses = list(&finding["clauses"]).iter();
            assert!(
                clauses.map(word).all(|clause| row.contains(clause)),
                "{row}"
            );
        }
        let stays = list(&document["residency"]);
        assert!(!stays.is_empty(), "{id}");
        let rows = rows_of(&page, &format!("Residency of {id}"));
        assert_eq!(rows.len(), stays.len());
        for (row, stay) in rows.iter().zip(stays) {
            for key in ["class", "from", "to"] {
                assert!(row.contains(word(&stay[key])), "{key} of {stay} in {row}");
            }
            assert!(
                row.contains(&format!("{} d", stay["max_days"])),
                "{stay} in {row}"
            );
        }
    }
}

#[test]
fn a_drawing_and_its_table_tell_the_same() {
    let files = whole().unwrap();
    let page = html(&files.html).unwrap();
    let (mut observed, mut titles) = (0, BTreeSet::new());
    for figure in page.descendants().filter(is("figure")) {
        titles.extend(figure.children().find(is("figcaption")).map(text));
        let drawing = text(figure.descendants().find(is("svg")).unwrap());
        let body = figure.descendants().find(is("tbody")).unwrap();
        for row in body.children().filter(is("tr")) {
            let cells: Vec<_> = row
                .children()
                .filter(|cell| cell.has_tag_name("th") || cell.has_tag_name("td"))
                .collect();
            let ids = cells[1].descendants().filter(is("span"));
            for told in ids.chain([cells[0]]).map(text) {
                assert!(drawing.contains(&told), "{told} in {drawing}");
            }
            for seen in cells[4].descendants().filter(is("li")) {
                let words = text(seen);
                let (id, rest) = words.split_once(' ').unwrap();
                let (status, rest) = rest.split_once(": ").unwrap();
                let (length, _) = rest.split_once(" after ").unwrap();
                assert!(drawing.contains(id) && drawing.contains(status));
                assert!(drawing.contains(length), "{length} in {drawing}");
                observed += 1;
            }
        }
    }
    assert!(observed >= 3, "{observed}");
    for title in [
        "Record",
        "Trial database",
        "Paid database",
        "Contract",
        "Backup",
        "Key",
    ] {
        assert!(titles.iter().any(|one| one.starts_with(title)), "{title}");
    }
    for title in ["Erasure request", "Incident"] {
        assert!(titles.iter().any(|one| one.starts_with(title)), "{title}");
    }
}

/// A folder with one policy whose free texts are hostile.
fn hostile() -> io::Result<TempDir> {
    let text = fs::read_to_string(Path::new(ROOT).join("policies/immidb.toml"))?;
    let nasty = "<script>alert(1)</script> ]]> & ' \\u202e <!--";
    let replaced = |text: &str, key: &str| -> String {
        let lines = text.lines().map(|line| {
            if line.starts_with(&format!("{key} = ")) {
                format!("{key} = \"{nasty}\"\n")
            } else {
                format!("{line}\n")
            }
        });
        lines.collect()
    };
    let text = replaced(&replaced(&text, "vendor"), "says");
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("immidb.toml"), text)?;
    Ok(folder)
}

#[test]
fn hostile_text_is_text_in_every_output() {
    let folder = hostile().unwrap();
    let files = run(folder.path(), "<script>]]>\u{202e}\u{7}", &[]).unwrap();
    let nasty = "<script>alert(1)</script> ]]> & ' \u{fffd}";
    let junit = Xml::parse(&files.junit).unwrap();
    let names = junit.descendants().filter(is("testcase"));
    assert!(
        names
            .map(|case| case.attribute("name").unwrap())
            .all(|name| name.contains(nasty))
    );
    let page = html(&files.html).unwrap();
    assert!(page.descendants().all(|node| !node.has_tag_name("script")));
    assert!(text(page.root_element()).contains(nasty));
    let oscal = json(&files.oscal).unwrap();
    let title = word(&oscal["assessment-results"]["results"][0]["title"]).to_owned();
    assert!(title.contains("<script>"), "{title}");
    for output in [&files.report, &files.junit, &files.oscal, &files.html] {
        let hidden =
            |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!output.contains(hidden));
    }
    for output in [&files.junit, &files.html] {
        assert!(!output.contains("<script"));
        assert!(!output.contains("]]>"));
    }
    if let Some(path) = shared("oscal/oscal_assessment-results_schema.json") {
        let schema = json(&fs::read_to_string(path).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&oscal)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

/// A folder with one policy in which somebody gave a word, somebody's word ran out, and a kept
/// clause deviates.
fn attested() -> io::Result<TempDir> {
    let mut text = fs::read_to_string(Path::new(ROOT).join("policies/immidb.toml"))?;
    for (clause, signed_on) in [("R-08", "2026-06-01"), ("R-25", "2020-06-01")] {
        let evidence = "0".repeat(64);
        text.push_str(&format!(
            "\n[[attestation]]\nclause = \"{clause}\"\nowner = \"Head of operations\"\n\
             statement = \"I have looked at it\"\nevidence = \"{evidence}\"\n\
             signed_on = {signed_on}\nvalid_for = \"P1Y\"\n"
        ));
    }
    text.push_str(
        "\n[[deviation]]\nclause = \"R-11\"\nclass = \"stricter\"\npromised = \"two\"\n\
         delivered = \"more\"\nreason = \"it is better\"\napproved_by = \"the test\"\n\
         review_by = 2027-01-01\n",
    );
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("immidb.toml"), text)?;
    Ok(folder)
}

#[test]
fn words_that_were_given_and_deviations_are_in_every_output() {
    let folder = attested().unwrap();
    let files = run(folder.path(), &"0".repeat(40), &[]).unwrap();
    let statuses = statuses(&json(&files.report).unwrap());
    let of = |id: &str| statuses[id].as_str();
    assert_eq!(of("immidb.R-08"), "attested");
    assert_eq!(of("immidb.R-25"), "expired");
    assert_eq!(of("immidb.R-11"), "superseded");

    let oscal = json(&files.oscal).unwrap();
    let result = &oscal["assessment-results"]["results"][0];
    let finding = |id: &str| {
        let mut findings = list(&result["findings"]).iter();
        findings.find(|finding| finding["target"]["target-id"] == id)
    };
    let check = |id: &str, state: &str, reason: &str, method: &str| {
        let finding = finding(id).unwrap();
        let status = &finding["target"]["status"];
        assert_eq!(
            (word(&status["state"]), word(&status["reason"])),
            (state, reason),
            "{id}"
        );
        let related = word(&finding["related-observations"][0]["observation-uuid"]);
        let mut observations = list(&result["observations"]).iter();
        let observation = observations.find(|o| o["uuid"] == related).unwrap();
        assert_eq!(observation["methods"][0], method, "{id}");
        observation.clone()
    };
    let word_given = check("immidb.R-08", "satisfied", "other", "EXAMINE");
    assert_eq!(word_given["expires"], "2027-06-02T00:00:00Z");
    check("immidb.R-25", "not-satisfied", "other", "EXAMINE");
    let tested = check("immidb.R-11", "satisfied", "other", "TEST");
    assert!(
        list(&tested["props"])
            .iter()
            .any(|prop| prop["value"] == "superseded")
    );
    let parts = list(&result["attestations"]).iter();
    let prose: Vec<_> = parts.map(|made| word(&made["parts"][0]["prose"])).collect();
    assert_eq!(prose, ["I have looked at it"; 2]);
    if let Some(path) = shared("oscal/oscal_assessment-results_schema.json") {
        let schema = json(&fs::read_to_string(path).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(validator.is_valid(&oscal));
    }

    let junit = Xml::parse(&files.junit).unwrap();
    let case = |id: &str| {
        let mut cases = junit.descendants().filter(is("testcase"));
        cases.find(|case| {
            case.attribute("name")
                .is_some_and(|name| name.starts_with(id))
        })
    };
    let has = |id: &str, tag: &str| case(id).unwrap().children().any(|node| is(tag)(&node));
    assert!(has("R-25", "skipped") && !has("R-08", "skipped") && !has("R-11", "failure"));
    let page = text(html(&files.html).unwrap().root_element());
    assert!(page.contains("Head of operations") && page.contains("2027-06-02"));
    assert!(page.contains("it is better") && page.contains("deviation: stricter"));
}

#[test]
fn one_clause_alone_is_reported_everywhere() {
    let folder = Path::new(ROOT).join("policies");
    let files = run(
        &folder,
        &"0".repeat(40),
        &["--policy", "prodb", "--clause", "P-51"],
    )
    .unwrap();
    let junit = Xml::parse(&files.junit).unwrap();
    assert_eq!(count(junit.root_element(), "tests"), Some(1));
    let oscal = json(&files.oscal).unwrap();
    assert_eq!(
        list(&oscal["assessment-results"]["results"][0]["findings"]).len(),
        1
    );
    assert!(files.html.contains("1 of 67 clauses reported"));
    assert!(files.html.contains("--policy prodb --clause P-51 --seed"));
}

/// Runs of eight words, lower case, whatever stands between them.
fn shingles(text: &str) -> BTreeSet<String> {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(str::to_lowercase).collect();
    words.windows(8).map(|words| words.join(" ")).collect()
}

#[test]
fn no_sentence_of_a_vendor_is_in_any_output() {
    let Some(seeds) = shared("seeds") else { return };
    let files = whole().unwrap();
    let page = text(html(&files.html).unwrap().root_element());
    let ours = [
        &files.report,
        &files.junit,
        &files.oscal,
        &page,
        &files.evidence,
    ]
    .map(|text| shingles(text));
    let mut read = 0;
    for entry in fs::read_dir(seeds).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        read += 1;
        // a run over two lines is no sentence
        for line in text.lines() {
            let theirs = shingles(line);
            for output in &ours {
                let common: Vec<_> = output.intersection(&theirs).collect();
                assert!(common.is_empty(), "{}: {common:?}", path.display());
            }
        }
    }
    assert!(read > 0);
}

#[test]
fn a_file_that_cannot_be_replaced_leaves_the_others_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    fs::create_dir_all(out.join("index.html")).unwrap();
    fs::write(out.join("report.json"), "before").unwrap();
    let around = Surroundings {
        policies: Path::new(ROOT).join("policies"),
        stamp: Some(utc_datetime!(2026-11-22 00:00)),
        commit: None,
        tree: Tree::Dirty,
        toolchain: "rustc".to_owned(),
        target: "test".to_owned(),
        golden: Golden::Compare,
    };
    let factory: Arc<dyn SubjectFactory> = Arc::new(ModelFactory);
    let out_text = out.display().to_string();
    let args = [
        "--out",
        &out_text,
        "--sources",
        "nowhere",
        "--clause",
        "P-51",
    ];
    let again = || {
        let (mut printed, mut err) = (Vec::new(), Vec::new());
        let args = args.iter().map(|arg| (*arg).to_owned());
        let code = main_with(&factory, args, &around, &Silent, &mut printed, &mut err).unwrap();
        (code, String::from_utf8(err).unwrap())
    };
    let (code, err) = again();
    assert_eq!(code, 4);
    assert!(err.contains("could not be written"), "{err}");
    assert_eq!(
        fs::read_to_string(out.join("report.json")).unwrap(),
        "before"
    );
    assert!(!out.join("junit.xml").exists());
    fs::remove_dir(out.join("index.html")).unwrap();
    assert_ne!(again().0, 4);
    assert!(out.join("junit.xml").exists());
}
