//! Reviewed findings of the linter, `policies/expected-findings.toml`: exactly these, each once.

use std::collections::BTreeSet;
use std::fmt;

use covenant_core::ClauseId;

use crate::{Finding, FindingCode, Linted, Name, Token};

/// The format that the first key names.
pub const EXPECTED_FINDINGS_FORMAT: &str = "covenant/expected-findings/v1";

/// Findings that somebody has read, each with an id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedFindings {
    rows: Vec<ExpectedFinding>,
}

/// One finding that is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpectedFinding {
    /// Its id; several rows may have one: `F-14`.
    pub id: Token,
    /// The document that it is about.
    pub document: Name,
    /// Its code.
    pub code: FindingCode,
    /// Its clauses, ascending.
    pub clauses: Vec<ClauseId>,
    /// Its lines, ascending.
    pub lines: Vec<u32>,
    /// Words of its message, where nothing else tells two findings apart.
    pub says: Option<String>,
}

/// A file is no list of expected findings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectedFindingsError {
    /// The text is not TOML.
    #[error("expected findings: {0}")]
    Toml(String),
    /// The key `format` is missing or names another one, or there is a key that the format does not
    /// know.
    #[error("expected findings: format = \"{EXPECTED_FINDINGS_FORMAT}\" and [[finding]], no more")]
    Format,
    /// A row lacks a key, has one too many, or a value of it cannot be.
    #[error("expected findings: row {0} is none")]
    Row(usize),
    /// A row expects what an earlier one expects.
    #[error("expected findings: row {0} is there already")]
    Duplicate(usize),
}

/// How findings differ from what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// A finding that no row expects, or several do.
    Unexpected {
        /// The document.
        document: Name,
        /// The finding.
        finding: Finding,
    },
    /// A row that no finding is, or several are.
    Missing {
        /// The row.
        row: ExpectedFinding,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { document, finding } => {
                write!(f, "unexpected: {document}: {finding}")
            }
            Self::Missing { row } => {
                let clauses: Vec<String> = row.clauses.iter().map(ToString::to_string).collect();
                let (id, document, code) = (&row.id, &row.document, row.code);
                write!(
                    f,
                    "missing: {id}: {document}: {code} {}",
                    clauses.join(", ")
                )
            }
        }
    }
}

impl ExpectedFinding {
    /// Whether a finding about a document is this one.
    #[must_use]
    pub fn is(&self, document: &Name, finding: &Finding) -> bool {
        let says = self.says.as_ref();
        self.document == *document
            && self.code == finding.code
            && self.clauses == finding.clauses
            && self.lines == finding.lines
            && says.is_none_or(|words| finding.message.contains(words.as_str()))
    }
}

impl ExpectedFindings {
    /// Reads a file of expected findings.
    ///
    /// # Errors
    /// [`ExpectedFindingsError`], the first mistake; rows are counted from 1.
    pub fn parse(text: &str) -> Result<Self, ExpectedFindingsError> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| ExpectedFindingsError::Toml(error.to_string()))?;
        let named = table.get("format").and_then(toml::Value::as_str);
        let is_known = |key: &String| matches!(key.as_str(), "format" | "finding");
        if named != Some(EXPECTED_FINDINGS_FORMAT) || !table.keys().all(is_known) {
            return Err(ExpectedFindingsError::Format);
        }
        let all = table
            .get("finding")
            .map_or(Some(&[][..]), |value| value.as_array().map(Vec::as_slice));
        let mut rows: Vec<ExpectedFinding> = Vec::new();
        for (number, value) in (1..).zip(all.ok_or(ExpectedFindingsError::Format)?) {
            let row = row(value).ok_or(ExpectedFindingsError::Row(number))?;
            if rows.iter().any(|other| is_same(other, &row)) {
                return Err(ExpectedFindingsError::Duplicate(number));
            }
            rows.push(row);
        }
        Ok(Self { rows })
    }

    /// The rows, in their order.
    #[must_use]
    pub fn rows(&self) -> &[ExpectedFinding] {
        &self.rows
    }

    /// The id of a finding about a document: `F-01`. `None` when no row is it, or more than one.
    #[must_use]
    pub fn id_of(&self, document: &Name, finding: &Finding) -> Option<&Token> {
        let mut all = self.rows.iter().filter(|row| row.is(document, finding));
        match (all.next(), all.next()) {
            (Some(row), None) => Some(&row.id),
            _ => None,
        }
    }

    /// What is found and not expected, and what is expected of these documents and not found.
    #[must_use]
    pub fn compare(&self, linted: &[Linted<'_>]) -> Vec<Mismatch> {
        let mut mismatches = Vec::new();
        for Linted { document, findings } in linted {
            let id = document.id();
            for finding in findings.iter().filter(|f| self.id_of(id, f).is_none()) {
                mismatches.push(Mismatch::Unexpected {
                    document: id.clone(),
                    finding: finding.clone(),
                });
            }
            for row in self.rows.iter().filter(|row| row.document == *id) {
                if findings.iter().filter(|f| row.is(id, f)).count() != 1 {
                    mismatches.push(Mismatch::Missing { row: row.clone() });
                }
            }
        }
        mismatches
    }
}

fn row(value: &toml::Value) -> Option<ExpectedFinding> {
    const KEYS: [&str; 6] = ["id", "document", "code", "clauses", "lines", "says"];
    let table = value.as_table()?;
    if !table.keys().all(|key| KEYS.contains(&key.as_str())) {
        return None;
    }
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
    let list = |key: &str| table.get(key).and_then(toml::Value::as_array);
    let clauses = list("clauses")?.iter();
    let clauses: Option<Vec<ClauseId>> = clauses.map(|id| id.as_str()?.parse().ok()).collect();
    let lines = list("lines")?.iter();
    let lines: Option<Vec<u32>> = lines.map(|n| u32::try_from(n.as_integer()?).ok()).collect();
    let says = match table.get("says") {
        Some(words) => Some(words.as_str()?.to_owned()),
        None => None,
    };
    Some(ExpectedFinding {
        id: text("id")?.parse().ok()?,
        document: text("document")?.parse().ok()?,
        code: text("code")?.parse().ok()?,
        clauses: ascending(clauses?)?,
        lines: ascending(lines?)?,
        says,
    })
}

/// The list, if it ascends and has nothing twice: as a finding has it.
fn ascending<T: Ord + Clone>(list: Vec<T>) -> Option<Vec<T>> {
    let sorted: BTreeSet<&T> = list.iter().collect();
    sorted.into_iter().eq(&list).then_some(list)
}

fn is_same(one: &ExpectedFinding, other: &ExpectedFinding) -> bool {
    (&one.document, one.code, &one.clauses, &one.lines, &one.says)
        == (
            &other.document,
            other.code,
            &other.clauses,
            &other.lines,
            &other.says,
        )
}
