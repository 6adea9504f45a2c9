//! Findings about a document: where its promises contradict each other, promise without a figure,
//! or say more than is kept.
//!
//! Each family of findings has a file. A family looks at the document alone; what needs several
//! documents is asked of [`lint_all`], what needs the page of [`Document::lint_source`] and
//! [`crate::SourceReport::drift`].

use std::fmt;
use std::str::FromStr;

use covenant_core::network::Calendar;
use covenant_core::{ClauseId, LogSafe};
use time::Date;

use crate::clause::words;
use crate::{Clause, DeclaredValue, DeviationClass, Document, Token};

mod answering;
mod beyond;
mod cross;
mod gaps;
mod keys;
mod network;
mod residency;
mod shape;
mod stale;
mod vague;

pub(crate) use answering::Linter;

words! {
    /// What kind of finding it is.
    FindingCode {
        /// Two clauses exclude each other on every date.
        ContradictionAlways = "contradiction-always",
        /// Two clauses exclude each other on some dates; the finding names the first.
        ContradictionSomeDates = "contradiction-some-dates",
        /// Whether clauses exclude each other could not be found out.
        Undecided = "undecided",
        /// A floor and a ceiling are one figure: no system can meet both.
        ZeroWidth = "zero-width",
        /// A key dies before a floor of what it seals has ended.
        KeyBeforeFloor = "key-before-floor",
        /// A key outlives a ceiling that only its death can meet.
        KeyPastCeiling = "key-past-ceiling",
        /// The page gives a length of time, but no event that it runs from.
        StartUnstated = "start-unstated",
        /// A floor without a ceiling.
        Unbounded = "unbounded",
        /// Data, or an expected topic, of which no clause says when it ends.
        Uncovered = "uncovered",
        /// One clause denies what another one does.
        NeverAgainstDoes = "never-against-does",
        /// Weaker than another document.
        CrossWeaker = "cross-weaker",
        /// Stricter than the law asks for.
        StricterThanLaw = "stricter-than-law",
        /// A word that promises without a figure.
        Vague = "vague",
        /// A word that takes a promise back.
        Hedge = "hedge",
        /// A heading with nothing under it.
        EmptyClaim = "empty-claim",
        /// A term that says more than is kept.
        OverClaim = "over-claim",
        /// The same promise twice.
        Repeated = "repeated",
        /// Two owners of one thing.
        Ownership = "ownership",
        /// A site outside the closed list of sites.
        Location = "location",
        /// Published more than three years ago.
        Stale = "stale",
        /// A line of the page is not the one that was reviewed.
        Drift = "drift",
        /// A figure changed and its lines did not.
        FigureChanged = "figure-changed",
        /// A control that no table has.
        UnknownControl = "unknown-control",
        /// An event that no table has.
        UnknownEvent = "unknown-event",
        /// A clause with a technical part that names no scenario or no sabotage.
        Unbound = "unbound",
    }
}

words! {
    /// What a finding means for a run.
    Severity {
        /// Without an answer the run fails.
        Fails = "fails",
        /// It is reported.
        Reported = "reported",
    }
}

impl FindingCode {
    /// What a finding of this code means for a run.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::ContradictionAlways
            | Self::ContradictionSomeDates
            | Self::Undecided
            | Self::ZeroWidth
            | Self::KeyBeforeFloor
            | Self::KeyPastCeiling
            | Self::StartUnstated
            | Self::Drift
            | Self::FigureChanged
            | Self::UnknownControl
            | Self::UnknownEvent => Severity::Fails,
            Self::Unbounded
            | Self::Uncovered
            | Self::NeverAgainstDoes
            | Self::CrossWeaker
            | Self::StricterThanLaw
            | Self::Vague
            | Self::Hedge
            | Self::EmptyClaim
            | Self::OverClaim
            | Self::Repeated
            | Self::Ownership
            | Self::Location
            | Self::Stale
            | Self::Unbound => Severity::Reported,
        }
    }

    /// Whether an `[[answer]]` may let it stand: a changed line or figure needs a review instead,
    /// a name of no table a correction.
    #[must_use]
    pub const fn is_answerable(self) -> bool {
        !matches!(
            self,
            Self::Drift | Self::FigureChanged | Self::UnknownControl | Self::UnknownEvent
        )
    }
}

/// A text is no code of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no finding has this code")]
pub struct UnknownFindingCode;

impl FromStr for FindingCode {
    type Err = UnknownFindingCode;

    fn from_str(text: &str) -> Result<Self, UnknownFindingCode> {
        let mut all = Self::ALL.iter().copied();
        all.find(|code| code.name() == text)
            .ok_or(UnknownFindingCode)
    }
}

/// Why a finding may stand. As text it says what answers it, or the answer itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answered {
    /// An `[[answer]]` of the document.
    Answer {
        /// Why, in its own words.
        reason: String,
    },
    /// A figure that the document declares.
    Declared {
        /// The clause that declares it.
        clause: ClauseId,
        /// Its name.
        name: Token,
        /// The figure.
        value: DeclaredValue,
    },
    /// A deviation that is in force.
    Deviation {
        /// Its clause.
        clause: ClauseId,
        /// Its direction.
        class: DeviationClass,
    },
    /// The same scenarios prove all clauses of the finding.
    SameScenarios {
        /// The scenarios.
        scenarios: Vec<String>,
    },
    /// The document says what it means by the word.
    Term {
        /// The word.
        word: Token,
        /// What it means.
        means: String,
    },
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { reason } => f.write_str(reason),
            Self::Declared {
                clause,
                name,
                value,
            } => write!(f, "declared on {clause}: {name} = {value}"),
            Self::Deviation { clause, class } => write!(f, "{class} deviation on {clause}"),
            Self::SameScenarios { scenarios } => write!(f, "proven by {}", scenarios.join(", ")),
            Self::Term { word, means } => write!(f, "term {word}: {means}"),
        }
    }
}
impl LogSafe for Answered {}

/// Something about a document that a reader must know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind.
    pub code: FindingCode,
    /// The clauses it is about, ascending, each once; empty when it is about what is not there.
    pub clauses: Vec<ClauseId>,
    /// The lines of the page it is about, ascending, each once.
    pub lines: Vec<u32>,
    /// What is the matter, in words, on one line.
    pub message: String,
    /// For a contradiction on some dates: the first of them.
    pub witness: Option<Date>,
    /// Why it may stand, if it may.
    pub answered_by: Option<Answered>,
}

impl Finding {
    /// A finding on these lines; clauses and lines are put in order.
    #[must_use]
    pub fn new(
        code: FindingCode,
        clauses: impl IntoIterator<Item = ClauseId>,
        lines: impl IntoIterator<Item = u32>,
        message: String,
    ) -> Self {
        let mut clauses: Vec<ClauseId> = clauses.into_iter().collect();
        clauses.sort_unstable();
        clauses.dedup();
        let mut lines: Vec<u32> = lines.into_iter().collect();
        lines.sort_unstable();
        lines.dedup();
        Self {
            code,
            clauses,
            lines,
            message,
            witness: None,
            answered_by: None,
        }
    }

    /// A finding on all lines of these clauses.
    pub(crate) fn on<'c>(
        code: FindingCode,
        clauses: impl IntoIterator<Item = &'c Clause> + Clone,
        message: String,
    ) -> Self {
        let lines = clauses.clone().into_iter().flat_map(Clause::line_numbers);
        let lines: Vec<u32> = lines.collect();
        let ids = clauses.into_iter().map(|clause| clause.id);
        Self::new(code, ids, lines, message)
    }

    /// The same with the first date on which it is so.
    #[must_use]
    pub fn with_witness(mut self, date: Date) -> Self {
        self.witness = Some(date);
        self
    }

    /// The same with what answers it.
    #[must_use]
    pub fn with_answer(mut self, answered: Option<Answered>) -> Self {
        self.answered_by = answered;
        self
    }

    /// What it means for a run, whether answered or not.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Whether a run fails for it: it is severe, and nothing answers it.
    #[must_use]
    pub const fn fails(&self) -> bool {
        matches!(self.severity(), Severity::Fails) && self.answered_by.is_none()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.code)?;
        if !self.clauses.is_empty() {
            write!(f, " {}", listed(&self.clauses))?;
        }
        if !self.lines.is_empty() {
            write!(f, " ({})", listed(&self.lines))?;
        }
        let colon = if self.clauses.is_empty() && self.lines.is_empty() {
            ""
        } else {
            ":"
        };
        write!(f, "{colon} {}", self.message)
    }
}

fn listed<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}
impl LogSafe for Finding {}

/// The findings of one of several documents.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Linted<'d> {
    /// The document.
    pub document: &'d Document,
    /// What was found, in order.
    pub findings: Vec<Finding>,
}

impl Document {
    /// Findings about the document on this day, in UTC, in order of code, lines and clauses.
    ///
    /// What needs the page itself or another document is not among them: see
    /// [`Document::lint_source`] and [`lint_all`].
    #[must_use]
    pub fn lint(&self, today: Date) -> Vec<Finding> {
        let mut findings = self.look(today, None);
        answering::settle(self, &mut findings);
        findings
    }

    /// As [`Document::lint`], with the page at hand: the words of its lines are compared with those
    /// that the document names, and every line that is not as it was reviewed is a finding.
    #[must_use]
    pub fn lint_source(&self, today: Date, source: &[u8]) -> Vec<Finding> {
        let lines: Vec<&[u8]> = crate::source::lines(source).collect();
        let mut findings = self.look(today, Some(&lines));
        findings.extend(self.check_source(source).drift());
        answering::settle(self, &mut findings);
        findings
    }

    /// Every family that needs one document.
    fn look(&self, today: Date, page: Option<&[&[u8]]>) -> Vec<Finding> {
        let linter = Linter {
            document: self,
            today,
            calendar: Calendar::new(),
        };
        let mut findings = shape::findings(&linter);
        findings.extend(network::findings(&linter));
        findings.extend(residency::findings(&linter));
        findings.extend(vague::findings(&linter, page));
        findings.extend(gaps::findings(&linter));
        findings.extend(cross::findings(&linter));
        findings.extend(beyond::findings(&linter));
        findings.extend(stale::findings(&linter));
        findings
    }
}

/// Findings about each of several documents on this day, in UTC, what one says weaker than another
/// included; in the order of the documents.
#[must_use]
pub fn lint_all<'d>(documents: &[&'d Document], today: Date) -> Vec<Linted<'d>> {
    let lint = |document: &&'d Document| {
        let document = *document;
        let others = documents.iter().copied();
        let others: Vec<&Document> = others.filter(|other| other.id() != document.id()).collect();
        let linter = Linter {
            document,
            today,
            calendar: Calendar::new(),
        };
        let mut findings = document.look(today, None);
        findings.extend(beyond::weaker(&linter, &others));
        answering::settle(document, &mut findings);
        Linted { document, findings }
    };
    documents.iter().map(lint).collect()
}
