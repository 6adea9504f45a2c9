//! One policy file, read and compared with its page.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use covenant_core::digest::Digest;
use policy_document::{
    Document, DocumentError, ExpectedFindings, Finding, FindingCode, LineState, lint_all,
};
use time::Date;

use crate::report::{DocumentReport, Found, SourceState};
use crate::runner::{Outcome, full_id};

/// One document that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) document: Arc<Document>,
    pub(crate) policy_sha256: Digest,
    pub(crate) source_state: SourceState,
    /// Why it must not be accepted all the same: what differs from the page.
    pub(crate) reasons: Vec<String>,
    /// What the linter finds with the page at hand; empty without it.
    read_with_page: Vec<Finding>,
}

/// A document could not be taken.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is not there, or cannot be named so.
    Usage(String),
    /// It is not valid.
    Invalid(Vec<String>),
}

impl Loaded {
    /// Reads a policy file, and its page when that lies in `sources`.
    pub(crate) fn read(path: &Path, sources: &Path, today: Date) -> Result<Self, Unread> {
        let shown = path.display();
        let bytes =
            std::fs::read(path).map_err(|error| Unread::Usage(format!("{shown}: {error}")))?;
        let text = str::from_utf8(&bytes)
            .map_err(|error| Unread::Invalid(vec![format!(" not UTF-8: {error}")]))?;
        let texts = |errors: Vec<DocumentError>| {
            Unread::Invalid(errors.iter().map(ToString::to_string).collect())
        };
        let document = Document::parse(text).map_err(texts)?;
        document.check(today).map_err(texts)?;
        let page = std::fs::read(sources.join(document.source())).ok();
        let (source_state, reasons) = source(&document, page.as_deref());
        let read_with_page = page.map(|page| document.lint_source(today, &page));
        Ok(Self {
            read_with_page: read_with_page.unwrap_or_default(),
            document: Arc::new(document),
            policy_sha256: Digest::of(&bytes),
            source_state,
            reasons,
        })
    }
}

/// Compares the document with its page, when that is there; a line that differs is named with its
/// clauses.
fn source(document: &Document, page: Option<&[u8]>) -> (SourceState, Vec<String>) {
    let Some(page) = page else {
        return (SourceState::Absent, Vec::new());
    };
    let report = document.check_source(page);
    if report.is_clean() {
        return (SourceState::Matched, Vec::new());
    }
    let mut reasons = Vec::new();
    for line in report.findings() {
        let what = match line.state {
            LineState::Missing => "is missing",
            LineState::Uncovered => "serves no clause",
            _ => "has drifted",
        };
        let clauses: Vec<_> = line
            .clauses
            .iter()
            .map(|clause| full_id(document, *clause))
            .collect();
        let clauses = if clauses.is_empty() {
            "no clause".to_owned()
        } else {
            clauses.join(", ")
        };
        let (id, number) = (document.id(), line.number);
        reasons.push(format!("drift: {id} line {number} {what}: {clauses}"));
    }
    (SourceState::Drifted, reasons)
}

/// What the report says of each document, on this day and with these reviewed findings.
pub(crate) fn reports(
    loaded: &[Loaded],
    outcome: &Outcome,
    (reviewed, today): (&ExpectedFindings, Date),
) -> Vec<DocumentReport> {
    let documents: Vec<&Document> = loaded.iter().map(|one| one.document.as_ref()).collect();
    let linted = lint_all(&documents, today);
    let pairs = loaded.iter().zip(&outcome.documents).zip(linted);
    let reports = pairs.map(|((loaded, clauses), linted)| DocumentReport {
        document: Document::clone(&loaded.document),
        policy_sha256: loaded.policy_sha256,
        source_state: loaded.source_state,
        clauses: clauses.clone(),
        findings: found(loaded, linted.findings, reviewed),
    });
    reports.collect()
}

/// The findings without and with the page, each once, in order; a line that drifted is told as a
/// reason already.
fn found(loaded: &Loaded, findings: Vec<Finding>, reviewed: &ExpectedFindings) -> Vec<Found> {
    let key = |finding: &Finding| {
        let Finding {
            code,
            lines,
            clauses,
            ..
        } = finding;
        (*code, lines.clone(), clauses.clone())
    };
    let known: BTreeSet<_> = findings.iter().map(key).collect();
    let more = loaded.read_with_page.iter();
    let more = more.filter(|one| one.code != FindingCode::Drift && !known.contains(&key(one)));
    let mut all: Vec<_> = more.cloned().collect();
    all.extend(findings);
    all.sort_by_cached_key(|one| (key(one), one.message.clone()));
    let id = loaded.document.id();
    let found = all.into_iter().map(|finding| Found {
        golden: reviewed.id_of(id, &finding).cloned(),
        finding,
    });
    found.collect()
}
