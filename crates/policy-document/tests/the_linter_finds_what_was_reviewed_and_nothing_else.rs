//! The three pages: exactly the findings that were reviewed, F-01 to F-23, in a text for auditors.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use policy_document::{
    Document, ExpectedFindings, ExpectedFindingsError, Finding, FindingCode, Linted, Mismatch,
    lint_all,
};
use time::Date;
use time::macros::date;

const TODAY: Date = date!(2026 - 11 - 22);
const EXPECTED: &str = include_str!("../../../policies/expected-findings.toml");
const POLICIES: [&str; 3] = [
    include_str!("../../../policies/prodb.toml"),
    include_str!("../../../policies/protopie.toml"),
    include_str!("../../../policies/immidb.toml"),
];

type Failure = Box<dyn Error>;

fn documents() -> Result<Vec<Document>, Failure> {
    let parsed = POLICIES.iter().map(|text| Document::parse(text));
    let parsed: Result<Vec<_>, _> = parsed.collect();
    parsed.map_err(|errors| format!("{errors:?}").into())
}

fn expected() -> Result<ExpectedFindings, ExpectedFindingsError> {
    ExpectedFindings::parse(EXPECTED)
}

fn listed<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    if items.is_empty() {
        "-".to_owned()
    } else {
        items.join(" ")
    }
}

/// One paragraph a finding: id, code, clauses, lines; then the message; then what answers it.
fn text(expected: &ExpectedFindings, linted: &Linted<'_>) -> Result<String, Failure> {
    let mut paragraphs = Vec::new();
    for finding in &linted.findings {
        let id = expected.id_of(linted.document.id(), finding);
        let id = id.map_or_else(|| "F-??".to_owned(), ToString::to_string);
        let (clauses, lines) = (listed(&finding.clauses), listed(&finding.lines));
        let code = finding.code;
        let mut text = format!("{id} {code} | clauses {clauses} | lines {lines}\n");
        writeln!(text, "    {}", finding.message)?;
        if let Some(witness) = finding.witness {
            writeln!(text, "    witness: {witness}")?;
        }
        match &finding.answered_by {
            Some(answered) => writeln!(text, "    answered: {answered}")?,
            None => writeln!(text, "    {}, not answered", finding.severity())?,
        }
        paragraphs.push(text);
    }
    paragraphs.sort();
    Ok(paragraphs.join("\n"))
}

#[test]
fn the_golden_texts_hold_exactly_f_01_to_f_23() -> Result<(), Failure> {
    let (documents, expected) = (documents()?, expected()?);
    let linted = lint_all(&documents.iter().collect::<Vec<_>>(), TODAY);
    let mismatches = expected.compare(&linted);
    let shown: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lint");
    for linted in &linted {
        let path = folder.join(format!("{}.txt", linted.document.id()));
        let text = text(&expected, linted)?;
        if std::env::vars_os().any(|(key, _)| key == "BLESS") {
            fs::write(&path, &text)?;
        }
        assert_eq!(fs::read_to_string(&path)?, text, "{}", path.display());
    }
    assert_eq!(shown, Vec::<String>::new());
    let ids: BTreeSet<&str> = expected.rows().iter().map(|row| row.id.as_str()).collect();
    let all: Vec<String> = (1..=23).map(|n| format!("F-{n:02}")).collect();
    assert_eq!(Vec::from_iter(ids), all);
    Ok(())
}

#[test]
fn no_run_fails_for_a_finding_and_no_answer_is_idle() -> Result<(), Failure> {
    let documents = documents()?;
    for linted in lint_all(&documents.iter().collect::<Vec<_>>(), TODAY) {
        let failing: Vec<&Finding> = linted.findings.iter().filter(|f| f.fails()).collect();
        assert!(failing.is_empty(), "{failing:?}");
        assert_eq!(linted.document.check(TODAY), Ok(()));
    }
    Ok(())
}

#[test]
fn the_words_that_the_documents_name_are_those_on_the_pages() -> Result<(), Failure> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds");
    if !folder.is_dir() {
        println!("not run: no sources");
        return Ok(());
    }
    for document in documents()? {
        let source = fs::read(folder.join(document.source()))?;
        let with_page = document.lint_source(TODAY, &source);
        assert_eq!(with_page, document.lint(TODAY), "{}", document.id());
    }
    Ok(())
}

/// Every word that a document names for the linter is there for a finding; so is every answer.
#[test]
fn without_any_word_of_the_cross_checks_the_findings_are_others() -> Result<(), Failure> {
    const KEYS: [&str; 8] = [
        "denies", "does", "heading", "owner", "repeats", "sites", "terms", "words_on",
    ];
    let documents = documents()?;
    let before = lint_all(&documents.iter().collect::<Vec<_>>(), TODAY);
    let mut tried = 0;
    for (at, text) in POLICIES.iter().enumerate() {
        for (number, line) in text.lines().enumerate() {
            let key = line.split(" = ").next().unwrap_or_default();
            if !KEYS.contains(&key) {
                continue;
            }
            let rest = text.lines().enumerate().filter(|(n, _)| *n != number);
            let rest: Vec<&str> = rest.map(|(_, line)| line).collect();
            let without = Document::parse(&rest.join("\n")).map_err(|e| format!("{e:?}"))?;
            let mut all: Vec<&Document> = documents.iter().collect();
            all[at] = &without;
            let after = &lint_all(&all, TODAY)[at];
            assert_ne!(before[at].findings, after.findings, "{line}");
            tried += 1;
        }
    }
    assert!(tried >= 20, "{tried}");
    Ok(())
}

#[test]
fn a_finding_more_or_less_is_told() -> Result<(), Failure> {
    let (documents, expected) = (documents()?, expected()?);
    let mut linted = lint_all(&documents.iter().collect::<Vec<_>>(), TODAY);
    let stale = linted[2]
        .findings
        .pop_if(|finding| finding.code == FindingCode::Stale);
    assert!(
        stale.is_some(),
        "the last finding of immidb is the stale one"
    );
    let stray = Finding::new(
        FindingCode::Vague,
        ["P-01".parse()?],
        [4],
        "a word".to_owned(),
    );
    linted[0].findings.push(stray);
    let told: Vec<String> = expected
        .compare(&linted)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        told.contains(&"unexpected: prodb: vague: P-01 (4): a word".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"missing: F-15: immidb: stale R-28".to_owned()),
        "{told:?}"
    );
    Ok(())
}

#[test]
fn a_finding_twice_is_a_mismatch() -> Result<(), Failure> {
    let (documents, expected) = (documents()?, expected()?);
    let mut linted = lint_all(&documents.iter().collect::<Vec<_>>(), TODAY);
    let twice = linted[2].findings.last().cloned().ok_or("no finding")?;
    linted[2].findings.push(twice);
    let mismatches = expected.compare(&linted);
    let is_it = |mismatch: &Mismatch| matches!(mismatch, Mismatch::Missing { row } if row.code == FindingCode::Stale);
    assert!(mismatches.iter().any(is_it), "{mismatches:?}");
    Ok(())
}

#[test]
fn a_list_of_expected_findings_is_read_strictly() {
    use ExpectedFindingsError::{Duplicate, Format, Row};
    let head = "format = \"covenant/expected-findings/v1\"\n";
    let row = "[[finding]]\nid = \"F-01\"\ndocument = \"acme\"\ncode = \"vague\"\nclauses = [\"A-01\", \"A-02\"]\nlines = [3]\n";
    let parse = |text: &str| ExpectedFindings::parse(text);
    assert_eq!(
        parse(&format!("{head}{row}")).map(|e| e.rows().len()),
        Ok(1)
    );
    assert_eq!(parse(row), Err(Format));
    assert_eq!(parse(&format!("{head}more = 1\n{row}")), Err(Format));
    assert_eq!(parse(&format!("{head}{row}{row}")), Err(Duplicate(2)));
    let second = row.replace("F-01", "F-02");
    assert_eq!(parse(&format!("{head}{row}{second}")), Err(Duplicate(2)));
    let other = row.replace("[3]", "[4]");
    assert_eq!(
        parse(&format!("{head}{row}{other}")).map(|e| e.rows().len()),
        Ok(2)
    );
    for (from, to) in [
        ("\"vague\"", "\"vaguer\""),
        ("[\"A-01\", \"A-02\"]", "[\"A-02\", \"A-01\"]"),
        ("[\"A-01\", \"A-02\"]", "[\"A-01\", \"A-01\"]"),
        ("[\"A-01\", \"A-02\"]", "\"A-01\""),
        ("lines = [3]", "lines = [-3]"),
        ("lines = [3]", "line = [3]"),
        ("lines = [3]", "lines = [3]\nsurplus = 1"),
        ("id = \"F-01\"\n", ""),
    ] {
        assert!(row.contains(from), "{from}");
        let bad = format!("{head}{}", row.replacen(from, to, 1));
        assert_eq!(parse(&bad), Err(Row(1)), "{to}");
    }
    assert!(matches!(
        parse("format = "),
        Err(ExpectedFindingsError::Toml(_))
    ));
}
