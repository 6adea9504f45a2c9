//! `covenant policy check`: is the file a policy document, does it account for every line of its
//! page, is the page still the one that was reviewed, what does the linter find, and what changed
//! since the lock file was written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use covenant_core::ClauseId;
use policy_document::{
    Document, Finding, FindingCode, Kind, LineReport, LineState, SourceReport, lint_all,
    lock_findings,
};
use serde_json::{Value, json};

use super::lock::{self, Compared};
use super::{Day, bless};
use crate::input;
use crate::output::{FALSE, Failure, GOOD, INVALID, Report, Table};
use crate::progress::Progress;

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The policy file.
    file: PathBuf,
    /// The page; without it its lines are not compared.
    #[arg(long, value_name = "PAGE")]
    source: Option<PathBuf>,
    /// The lock file; FILE with the ending .lock.json where there is one and none is given.
    #[arg(long, value_name = "LOCK")]
    lock: Option<PathBuf>,
    /// Another policy file, to find what this one promises more weakly; may be given several times.
    #[arg(long = "with", value_name = "FILE")]
    others: Vec<PathBuf>,
    #[command(flatten)]
    day: Day,
}

/// What is known after the check.
struct Found {
    document: Document,
    mistakes: Vec<String>,
    page: Option<SourceReport>,
    lock: Option<Compared>,
    findings: Vec<Finding>,
}

impl Check {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let steps = self.others.len().saturating_add(4);
        let progress = Progress::new("checking", steps);
        let document = input::document(&self.file)?;
        progress.step();
        let today = self.day.get();
        let mistakes: Vec<String> = document.check(today).map_or_else(
            |errors| {
                let told = |error| format!("{}:{error}", self.file.display());
                errors.iter().map(told).collect()
            },
            |()| Vec::new(),
        );
        progress.step();
        let page = match &self.source {
            None => None,
            Some(path) => Some(input::bytes(path, input::PAGE_LEN_BYTES_MAX)?),
        };
        let lock = lock::compare(&self.file, self.lock.as_deref(), &document)?;
        progress.step();
        let mut findings = match &page {
            None => document.lint(today),
            Some(page) => document.lint_source(today, page),
        };
        let mut others = Vec::new();
        for path in &self.others {
            others.push(input::document(path)?);
            progress.step();
        }
        let all: Vec<&Document> = std::iter::once(&document).chain(&others).collect();
        if let Some(linted) = lint_all(&all, today).into_iter().next() {
            let weaker = FindingCode::CrossWeaker;
            let weaker = linted.findings.into_iter().filter(|f| f.code == weaker);
            findings.extend(weaker);
        }
        // what drifted is told line by line, with the page
        findings.retain(|finding| finding.code != FindingCode::Drift);
        let differences = lock.as_ref().map(|lock| lock.differences.as_slice());
        findings.extend(lock_findings(differences.unwrap_or_default()));
        findings
            .sort_by(|a, b| (a.code, &a.lines, &a.clauses).cmp(&(b.code, &b.lines, &b.clauses)));
        progress.step();
        let page = page.map(|page| document.check_source(&page));
        let found = Found {
            document,
            mistakes,
            page,
            lock,
            findings,
        };
        let code = found.code();
        let mut json = found.object();
        if let Some(object) = json.as_object_mut() {
            object.insert("exit".to_owned(), code.into());
        }
        Ok(Report {
            code,
            text: found.text(),
            json,
        })
    }
}

impl Found {
    /// A document that may not be accepted, or whose page or lines changed unseen, is invalid;
    /// anything else that nobody answered is a finding.
    fn code(&self) -> u8 {
        let drifted = |finding: &Finding| finding.code == FindingCode::Drift;
        let clean = self.page.as_ref().is_none_or(SourceReport::is_clean);
        if !self.mistakes.is_empty() || !clean || self.findings.iter().any(drifted) {
            INVALID
        } else if self.findings.iter().any(Finding::fails) {
            FALSE
        } else {
            GOOD
        }
    }

    fn text(&self) -> Table {
        let document = &self.document;
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
        let page = self.page.as_ref();
        text.row("page", &page_line(document, page));
        if let Some(page) = page {
            text.rows("", page.findings().map(finding));
        }
        text.row("lock", &self.lock_line());
        text.rows("mistakes", self.mistakes.iter().cloned());
        let affected = page.map(SourceReport::affected).unwrap_or_default();
        if !affected.is_empty() {
            text.row("affected", &ids(affected));
        }
        text.row("findings", &self.findings_line());
        for finding in &self.findings {
            text.row(standing(finding), &finding.to_string());
            text.rows("", finding.answered_by.iter().map(|by| format!("  {by}")));
        }
        text
    }

    fn lock_line(&self) -> String {
        let Some(lock) = &self.lock else {
            return "none: covenant policy bless writes it".to_owned();
        };
        let (path, of) = (lock.path.display(), lock.lock.blessed());
        match lock.differences.len() {
            0 => format!("{path} of {of}, as it was"),
            n => format!("{path} of {of}, {n} changes since"),
        }
    }

    fn findings_line(&self) -> String {
        let count = |of: &str| self.findings.iter().filter(|f| standing(f) == of).count();
        let of = |word| format!("{} {word}", count(word));
        [of(OPEN), of(ANSWERED), of(REPORTED)].join(", ")
    }

    fn object(&self) -> Value {
        let document = &self.document;
        let coverage = document.coverage();
        let kinds: BTreeMap<_, _> = kinds(document)
            .into_iter()
            .map(|(kind, n)| (kind.name(), n))
            .collect();
        let line = |line: &LineReport| {
            let clauses: Vec<_> = line.clauses.iter().map(ToString::to_string).collect();
            json!({ "line": line.number, "state": state(line.state), "clauses": clauses })
        };
        let changes = |lock: &Compared| {
            lock.differences
                .iter()
                .map(bless::change)
                .collect::<Vec<_>>()
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
            "mistakes": self.mistakes,
            "page": self.page.as_ref().map(|page| json!({
                "matched": page.is_clean(),
                "sha256": page.digest.to_string(),
                "findings": page.findings().map(line).collect::<Vec<_>>(),
                "affected": page.affected().iter().map(ToString::to_string).collect::<Vec<_>>(),
            })),
            "lock": self.lock.as_ref().map(|lock| json!({
                "file": lock.path.display().to_string(),
                "blessed": lock.lock.blessed().to_string(),
                "changes": changes(lock),
            })),
            "findings": self.findings.iter().map(finding_object).collect::<Vec<_>>(),
        })
    }
}

/// The run fails for it.
const OPEN: &str = "open";
/// The run would fail for it, but something answers it.
const ANSWERED: &str = "answered";
/// It is told, and no run fails for it.
const REPORTED: &str = "reported";

const fn standing(finding: &Finding) -> &'static str {
    if finding.fails() {
        OPEN
    } else if finding.answered_by.is_some() {
        ANSWERED
    } else {
        REPORTED
    }
}

fn finding_object(finding: &Finding) -> Value {
    json!({
        "code": finding.code.name(),
        "standing": standing(finding),
        "clauses": finding.clauses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "lines": finding.lines,
        "message": finding.message,
        "witness": finding.witness.map(|day| day.to_string()),
        "answered_by": finding.answered_by.as_ref().map(ToString::to_string),
    })
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
