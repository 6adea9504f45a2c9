//! Lines of a source page: their digests, what covers them, and what has drifted.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::ClauseId;
use covenant_core::digest::Digest;

use crate::Document;

/// The lines of a page: split at byte 0A and at nothing else; a last line without 0A counts.
pub fn lines(source: &[u8]) -> impl Iterator<Item = &[u8]> {
    let body = (!source.is_empty()).then(|| source.strip_suffix(b"\n").unwrap_or(source));
    body.into_iter()
        .flat_map(|body| body.split(|byte| *byte == b'\n'))
}

/// Whether a line has nothing but spaces and tabs.
#[must_use]
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

/// What became of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LineState {
    /// Its bytes are not those that were reviewed.
    Drifted,
    /// Its bytes are those that were reviewed.
    Matched,
    /// The source ends before it.
    Missing,
    /// No clause and no ignore serves it, or it is still to do.
    Uncovered,
}

/// One line of the source against the document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineReport {
    /// The number, from 1.
    pub number: u32,
    /// What became of it.
    pub state: LineState,
    /// The clauses that the line serves, in order.
    pub clauses: Vec<ClauseId>,
}

/// The source against the document, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceReport {
    /// SHA-256 of the whole source.
    pub digest: Digest,
    /// SHA-256 of the source that was reviewed.
    pub reviewed: Digest,
    /// One entry a line: of the document, and of the source where that is longer.
    pub lines: Vec<LineReport>,
}

impl SourceReport {
    /// Whether the source is byte for byte what was reviewed, and every line of it is served.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.digest == self.reviewed && self.findings().next().is_none()
    }

    /// The lines that are not as they should be.
    pub fn findings(&self) -> impl Iterator<Item = &LineReport> {
        self.lines
            .iter()
            .filter(|line| line.state != LineState::Matched)
    }

    /// The clauses of the lines that are not as they should be.
    #[must_use]
    pub fn affected(&self) -> BTreeSet<ClauseId> {
        self.findings()
            .flat_map(|line| line.clauses.iter().copied())
            .collect()
    }
}

/// What serves the lines of a document; needs no source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// Lines of the source, by the document.
    pub lines: u32,
    /// Lines that serve at least one clause.
    pub covered: BTreeSet<u32>,
    /// Lines that are ignored with a reason.
    pub ignored: BTreeSet<u32>,
    /// Blank lines.
    pub blank: BTreeSet<u32>,
    /// Lines that nothing serves.
    pub uncovered: BTreeSet<u32>,
}

impl Coverage {
    /// Whether every line that is not blank serves a clause or an ignore.
    #[must_use]
    pub fn is_total(&self) -> bool {
        self.uncovered.is_empty()
    }
}

/// What is expected of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    Blank,
    Pinned(Digest),
    Uncovered,
}

pub(crate) fn coverage(document: &Document) -> Coverage {
    let covered: BTreeSet<u32> = document
        .clauses()
        .iter()
        .flat_map(crate::Clause::line_numbers)
        .collect();
    let ignored: BTreeSet<u32> = document
        .ignores()
        .iter()
        .flat_map(|ignore| ignore.lines.iter().map(|line| line.number))
        .collect();
    let blank = document.blank().clone();
    let uncovered = (1..=document.lines())
        .filter(|n| !covered.contains(n) && !ignored.contains(n) && !blank.contains(n))
        .collect();
    Coverage {
        lines: document.lines(),
        covered,
        ignored,
        blank,
        uncovered,
    }
}

// clause: P-67
pub(crate) fn check(document: &Document, source: &[u8]) -> SourceReport {
    let digest = Digest::of(source);
    let mut serves: BTreeMap<u32, Vec<ClauseId>> = BTreeMap::new();
    let mut pinned: BTreeMap<u32, Digest> = BTreeMap::new();
    for clause in document.clauses() {
        for line in &clause.lines {
            serves.entry(line.number).or_default().push(clause.id);
            pinned.insert(line.number, line.digest);
        }
    }
    for line in document.ignores().iter().flat_map(|ignore| &ignore.lines) {
        pinned.insert(line.number, line.digest);
    }
    let todos = document.todos().iter().flat_map(|todo| &todo.lines);
    let unread: BTreeMap<u32, Digest> = todos.map(|line| (line.number, line.digest)).collect();
    let expected = |number: u32| {
        if document.blank().contains(&number) {
            Expected::Blank
        } else {
            pinned
                .get(&number)
                .map_or(Expected::Uncovered, |digest| Expected::Pinned(*digest))
        }
    };
    let mut found = lines(source);
    let mut reports = Vec::new();
    let mut blanks_with_bytes = Vec::new();
    for number in 1_u32.. {
        let line = found.next();
        if line.is_none() && number > document.lines() {
            break;
        }
        let state = match (line, expected(number)) {
            (None, _) => LineState::Missing,
            (Some(line), Expected::Blank) => {
                if !line.is_empty() {
                    blanks_with_bytes.push(reports.len());
                }
                if is_blank(line) {
                    LineState::Matched
                } else {
                    LineState::Drifted
                }
            }
            (Some(line), Expected::Pinned(reviewed)) if Digest::of(line) == reviewed => {
                LineState::Matched
            }
            (Some(_), Expected::Pinned(_)) => LineState::Drifted,
            (Some(line), Expected::Uncovered)
                if unread.get(&number).is_some_and(|d| *d != Digest::of(line)) =>
            {
                LineState::Drifted
            }
            (Some(_), Expected::Uncovered) => LineState::Uncovered,
        };
        let clauses = serves.get(&number).cloned().unwrap_or_default();
        reports.push(LineReport {
            number,
            state,
            clauses,
        });
    }
    let reviewed = *document.sha256();
    let mut report = SourceReport {
        digest,
        reviewed,
        lines: reports,
    };
    if digest != reviewed && report.findings().next().is_none() {
        blame(&mut report.lines, &blanks_with_bytes);
    }
    report
}

/// The whole differs although every line matches: the difference lies in spaces of a blank line, or
/// in the newline at the very end.
fn blame(lines: &mut [LineReport], blanks_with_bytes: &[usize]) {
    for index in blanks_with_bytes {
        if let Some(line) = lines.get_mut(*index) {
            line.state = LineState::Drifted;
        }
    }
    if blanks_with_bytes.is_empty()
        && let Some(last) = lines.last_mut()
    {
        last.state = LineState::Drifted;
    }
}
