//! The report: everything a run has to say, as one value that the writers print.

use std::collections::BTreeSet;

use covenant_core::Period;
use covenant_core::digest::Digest;
use policy_document::{Bound, Clause, Document, Figure, Finding, Token};
use time::UtcDateTime;
use uuid::Uuid;

use crate::status::Status;
use crate::subject::SubjectInfo;
use crate::verdict::ClauseVerdict;

pub mod files;
pub mod html;
pub mod json;
pub mod junit;
pub mod markup;
pub mod oscal;
mod svg;
pub mod terminal;

/// The format of `report.json`.
pub const FORMAT: &str = "covenant/conformance-report/v1";

/// What the source of a document looked like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the three words of the format")]
pub enum SourceState {
    /// Every line is the one that was reviewed.
    Matched,
    /// At least one is not.
    Drifted,
    /// It was not there; drift is not claimed.
    Absent,
}

impl SourceState {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Drifted => "drifted",
            Self::Absent => "absent",
        }
    }
}

/// Facts of the run that nothing in it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFacts {
    /// When it started, in real time.
    pub started: UtcDateTime,
    /// When it finished, in real time.
    pub finished: UtcDateTime,
    /// The seed.
    pub seed: u64,
    /// The commit of the code, 40 hexadecimal digits; `None` when not known.
    pub commit: Option<String>,
    /// Whether the code differs from that commit.
    pub tree: Tree,
    /// The compiler.
    pub toolchain: String,
    /// The machine that the code was built for.
    pub target: String,
    /// The system under test.
    pub subject: SubjectInfo,
}

/// Whether the code is that of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is or it is not")]
pub enum Tree {
    /// It is.
    Clean,
    /// It is not, or nobody knows.
    Dirty,
}

/// One document of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentReport {
    /// The document.
    pub document: Document,
    /// SHA-256 of the policy file.
    pub policy_sha256: Digest,
    /// What its source looked like.
    pub source_state: SourceState,
    /// Every reported clause, in the order of the document.
    pub clauses: Vec<ClauseVerdict>,
    /// What the linter finds in the document, in its order.
    pub findings: Vec<Found>,
}

/// A finding about a document, and whether somebody has read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The finding.
    pub finding: Finding,
    /// Its id among the reviewed findings; `None` for a new one.
    pub golden: Option<Token>,
}

/// What a finding means for the run, in a word: `fails`, `answered` or `reported`.
#[must_use]
pub const fn standing(finding: &Finding) -> &'static str {
    match (finding.fails(), &finding.answered_by) {
        (true, _) => "fails",
        (false, Some(_)) => "answered",
        (false, None) => "reported",
    }
}

impl DocumentReport {
    /// How many clauses have the status.
    #[must_use]
    pub fn tally(&self, status: Status) -> u64 {
        let count = self
            .clauses
            .iter()
            .filter(|verdict| verdict.status == status)
            .count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

/// How the run ends, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The code of the command.
    pub code: u8,
    /// Why it is not 0; empty when it is.
    pub reasons: Vec<String>,
}

/// Everything a run has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Facts of the run.
    pub run: RunFacts,
    /// SHA-256 of the evidence.
    pub evidence_sha256: Digest,
    /// The documents.
    pub documents: Vec<DocumentReport>,
    /// How it ends.
    pub exit: Exit,
}

impl Report {
    /// The run's id: a UUID of version 5 over the evidence digest.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let name = format!("{FORMAT}/{}", self.evidence_sha256);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
    }
}

/// The figure of a clause in a few characters: `<= P30D`, `= 2`.
#[must_use]
pub fn figure(clause: &Clause) -> Option<String> {
    let timed = clause.bound.as_ref().and_then(bound_figure);
    timed.or_else(|| match clause.figure.as_ref()? {
        Figure::Count(count) => Some(format!("= {count}")),
        other => Some(other.to_string()),
    })
}

fn bound_figure(bound: &Bound) -> Option<String> {
    if bound.per.is_some() {
        return Some("each civil night".to_owned());
    }
    match (bound.min, bound.max) {
        (Some(min), Some(max)) if min == max => Some(format!("= {min}")),
        (Some(min), Some(max)) => Some(format!("{min} .. {max}")),
        (Some(min), None) => Some(format!(">= {min}")),
        (None, Some(max)) => Some(format!("<= {max}")),
        (None, None) if !bound.state.is_empty() => Some(Period::ZERO.to_string()),
        (None, None) => None,
    }
}

/// The names of some actions or states, in order.
fn names<T: ToString>(words: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    words.into_iter().map(|word| word.to_string()).collect()
}
