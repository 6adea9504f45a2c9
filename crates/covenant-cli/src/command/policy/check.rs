//! `covenant policy check`: is the file a policy document, does it account for every line of its
//! page, and is the page still the one that was reviewed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use covenant_core::ClauseId;
use policy_document::{Document, Kind, LineReport, LineState, SourceReport};
use serde_json::{Value, json};

use super::Day;
use crate::input;
use crate::output::{Failure, GOOD, INVALID, Report, Table};
use crate::progress::Progress;

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The policy file.
    file: PathBuf,
    /// The page; without it its lines are not compared.
    #[arg(long, value_name = "PAGE")]
    source: Option<PathBuf>,
    #[command(flatten)]
    day: Day,
}

impl Check {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let progress = Progress::new("checking", 3);
        let document = input::document(&self.file)?;
        progress.step();
        let mistakes: Vec<String> = document.check(self.day.get()).map_or_else(
            |errors| {
                let told = |error| format!("{}:{error}", self.file.display());
                errors.iter().map(told).collect()
            },
            |()| Vec::new(),
        );
        progress.step();
        let page = match &self.source {
            None => None,
            Some(path) => {
                let bytes = input::bytes(path, input::PAGE_LEN_BYTES_MAX)?;
                Some(document.check_source(&bytes))
            }
        };
        progress.step();
        let matches = page.as_ref().is_none_or(SourceReport::is_clean);
        let code = if mistakes.is_empty() && matches {
            GOOD
        } else {
            INVALID
        };
        let mut json = object(&document, &mistakes, page.as_ref());
        if let Some(object) = json.as_object_mut() {
            object.insert("exit".to_owned(), code.into());
        }
        Ok(Report {
            code,
            text: text(&document, &mistakes, page.as_ref()),
            json,
        })
    }
}

fn text(document: &Document, mistakes: &[String], page: Option<&SourceReport>) -> Table {
    let coverage = document.coverage();
    let mut text = Table::default();
    text.row(
        "document",
        &format!("{}, {}", document.id(), document.vendor()),
    );
    text.row(
        "lines",
        &format!(
            "{}: {} promise, {} ignored, {} blank, {} uncovered",
            coverage.lines,
            coverage.covered.len(),
            coverage.ignored.len(),
            coverage.blank.len(),
            coverage.uncovered.len(),
        ),
    );
    let kinds = kinds(document);
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(kind, n)| format!("{n} {kind}"))
        .collect();
    let clauses = document.clauses().len();
    text.row("clauses", &format!("{clauses}: {}", kinds.join(", ")));
    text.row("reviewed", &document.reviewed().to_string());
    text.row("page", &page_line(document, page));
    if let Some(page) = page {
        text.rows("", page.findings().map(finding));
    }
    text.rows("mistakes", mistakes.iter().cloned());
    let affected = page.map(SourceReport::affected).unwrap_or_default();
    if !affected.is_empty() {
        text.row("affected", &ids(affected));
    }
    text
}

fn page_line(document: &Document, page: Option<&SourceReport>) -> String {
    match page {
        None => format!(
            "not given: {} is not compared (--source)",
            document.source()
        ),
        Some(page) if page.is_clean() => format!("{}, as reviewed", document.source()),
        Some(page) => format!(
            "{} of {} lines are not as reviewed",
            page.findings().count(),
            page.lines.len()
        ),
    }
}

fn finding(line: &LineReport) -> String {
    let what = state(line.state);
    let clauses = ids(line.clauses.iter().copied());
    if clauses.is_empty() {
        format!("line {}: {what}", line.number)
    } else {
        format!("line {}: {what}: {clauses}", line.number)
    }
}

const fn state(state: LineState) -> &'static str {
    match state {
        LineState::Drifted => "changed",
        LineState::Matched => "as reviewed",
        LineState::Missing => "missing",
        LineState::Uncovered => "serves no clause",
        _ => "not as reviewed",
    }
}

fn ids(clauses: impl IntoIterator<Item = ClauseId>) -> String {
    let clauses: Vec<_> = clauses.into_iter().map(|id| id.to_string()).collect();
    clauses.join(", ")
}

fn kinds(document: &Document) -> BTreeMap<Kind, usize> {
    let mut kinds = BTreeMap::new();
    for clause in document.clauses() {
        let count: &mut usize = kinds.entry(clause.kind).or_default();
        *count = count.saturating_add(1);
    }
    kinds
}

fn object(document: &Document, mistakes: &[String], page: Option<&SourceReport>) -> Value {
    let coverage = document.coverage();
    let kinds: BTreeMap<_, _> = kinds(document)
        .into_iter()
        .map(|(kind, n)| (kind.name(), n))
        .collect();
    let line = |line: &LineReport| {
        let clauses: Vec<_> = line.clauses.iter().map(ToString::to_string).collect();
        json!({ "line": line.number, "state": state(line.state), "clauses": clauses })
    };
    json!({
        "id": document.id().as_str(),
        "vendor": document.vendor(),
        "source": document.source(),
        "reviewed": document.reviewed().to_string(),
        "lines": coverage.lines,
        "covered": coverage.covered.len(),
        "ignored": coverage.ignored.len(),
        "blank": coverage.blank.len(),
        "uncovered": coverage.uncovered,
        "kinds": kinds,
        "mistakes": mistakes,
        "page": page.map(|page| json!({
            "matched": page.is_clean(),
            "sha256": page.digest.to_string(),
            "findings": page.findings().map(line).collect::<Vec<_>>(),
            "affected": page.affected().iter().map(ToString::to_string).collect::<Vec<_>>(),
        })),
    })
}
