//! A security page as typed data.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::digest::Digest;
use covenant_core::{ClauseId, Reading, Zone};
use time::Date;

use crate::clause::{PinnedLine, words};
use crate::consistency::Conflict;
use crate::{
    Answer, Attestation, Catalogue, Class, Clause, Coverage, Deviation, DeviationClass,
    DocumentError, ErrorKind, FindingCode, Key, Name, Position, Review, SourceReport, Store, Todo,
    Token, read, source,
};

/// The format of a policy document, as its `format` key must say.
pub const FORMAT: &str = "covenant/policy/v1";
/// Longest document in bytes: the largest of three real ones is a tenth of it.
pub const DOCUMENT_LEN_BYTES_MAX: usize = 1 << 20;
/// Longest `says` in characters: one line of a report.
pub const SAYS_LEN_CHARS_MAX: usize = 200;
/// Most lines of a source: a page of this length would itself be over the cap of a document.
pub const SOURCE_LINES_MAX: u32 = 20_000;

words! {
    /// Why a line promises nothing.
    IgnoreReason {
        /// The name of the page.
        Title = "title",
        /// A heading.
        Heading = "heading",
        /// Introductory words.
        Introduction = "introduction",
        /// A pointer elsewhere.
        Link = "link",
        /// An address, a telephone number.
        Contact = "contact",
    }
}

/// Lines that promise nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ignore {
    /// Where its table stands.
    pub at: Position,
    /// The lines, ascending.
    pub lines: Vec<PinnedLine>,
    /// Why.
    pub reason: IgnoreReason,
}

/// A document has no clause of this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the document has no clause {0}")]
pub struct UnknownClause(ClauseId);

/// A security page as typed data: what it promises, in our own words, line by line.
///
/// A value exists only in valid form: ids are unique, every name refers to something, every promise
/// has the figures that its modality needs. What depends on the day is [`Document::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub(crate) head: Head,
    pub(crate) ignores: Vec<Ignore>,
    pub(crate) terms: BTreeMap<Token, String>,
    pub(crate) classes: Vec<Class>,
    pub(crate) stores: Vec<Store>,
    pub(crate) keys: Vec<Key>,
    pub(crate) clauses: Vec<Clause>,
    pub(crate) deviations: Vec<Deviation>,
    pub(crate) attestations: Vec<Attestation>,
    pub(crate) answers: Vec<Answer>,
    /// Promises in force of which it could not be found out whether all can be kept.
    pub(crate) open: Vec<Conflict>,
    pub(crate) todos: Vec<Todo>,
    pub(crate) reviews: Vec<Review>,
}

/// The table `[document]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    pub(crate) at: Position,
    pub(crate) id: Name,
    pub(crate) vendor: String,
    pub(crate) source: String,
    pub(crate) url: Option<String>,
    pub(crate) sha256: Digest,
    pub(crate) lines: u32,
    pub(crate) blank: BTreeSet<u32>,
    pub(crate) published: Option<Date>,
    pub(crate) reviewed: Date,
    pub(crate) zones: Vec<Zone>,
    pub(crate) reading: Reading,
}

impl Document {
    /// Reads a document whose clauses name scenarios and sabotages of [`Catalogue::PUBLISHED`].
    ///
    /// # Errors
    /// Every mistake of the document, in the order of their places.
    pub fn parse(toml: &str) -> Result<Self, Vec<DocumentError>> {
        Self::parse_with(toml, &Catalogue::PUBLISHED)
    }

    /// Reads a document whose clauses name scenarios and sabotages of this catalogue.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_with(toml: &str, catalogue: &Catalogue<'_>) -> Result<Self, Vec<DocumentError>> {
        read::document(toml, catalogue)
    }

    /// What cannot be accepted on this day although it is well-formed: a line that nothing serves,
    /// a deviation that delivers less than was promised, an attestation or a review from the
    /// future, an answer to a finding that [`Document::lint`] does not make.
    ///
    /// Whether an answer to [`FindingCode::CrossWeaker`] answers anything depends on the other
    /// documents, and is not asked here.
    ///
    /// # Errors
    /// Every such mistake, in the order of their places.
    // clause: P-67
    pub fn check(&self, today: Date) -> Result<(), Vec<DocumentError>> {
        let todo_at = |todo: &Todo| {
            let places = todo.lines.iter().map(|line| (line.number, todo.at));
            places.collect::<Vec<_>>()
        };
        let todos: BTreeMap<u32, Position> = self.todos.iter().flat_map(todo_at).collect();
        let uncovered = self.coverage().uncovered.into_iter().map(|line| {
            let (at, message) = match todos.get(&line) {
                Some(at) => (*at, format!("line {line} of the source is still to do")),
                None => {
                    let what = "serves no clause and no ignore";
                    (self.head.at, format!("line {line} of the source {what}"))
                }
            };
            DocumentError::new(at, ErrorKind::Uncovered, message)
        });
        let weaker = self
            .deviations
            .iter()
            .filter(|d| d.class == DeviationClass::Weaker);
        let weaker = weaker.map(|deviation| {
            let message = format!("clause {} delivers less than it promises", deviation.clause);
            DocumentError::new(deviation.at, ErrorKind::WeakerDeviation, message)
        });
        let future = self.attestations.iter().filter(|a| a.signed_on > today);
        let future = future.map(|attestation| {
            let message = format!(
                "the attestation of {} is signed on {}, after {today}",
                attestation.clause, attestation.signed_on
            );
            DocumentError::new(attestation.at, ErrorKind::FutureAttestation, message)
        });
        let idle = self.idle_answers(today);
        let unheard = self.reviews.iter().filter(|review| review.on > today);
        let unheard = unheard.map(|review| {
            let message = format!(
                "the review of {} is of {}, after {today}",
                review.clause, review.on
            );
            DocumentError::new(review.at, ErrorKind::FutureReview, message)
        });
        let mut errors: Vec<_> = uncovered
            .chain(weaker)
            .chain(future)
            .chain(unheard)
            .chain(idle)
            .collect();
        errors.sort_by_key(|error| (error.line, error.column));
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    fn idle_answers(&self, today: Date) -> Vec<DocumentError> {
        if self.answers.is_empty() {
            return Vec::new();
        }
        let findings = self.lint(today);
        let answers = self.answers.iter();
        let asked = answers.filter(|answer| answer.finding != FindingCode::CrossWeaker);
        let idle = asked.filter(|answer| !findings.iter().any(|f| answer.answers(f)));
        let error = |answer: &Answer| {
            let code = answer.finding;
            let message = format!("the answer to {code} answers no finding of these clauses");
            DocumentError::new(answer.at, ErrorKind::IdleAnswer, message)
        };
        idle.map(error).collect()
    }

    /// Compares the bytes of the source page with what was reviewed, line by line.
    #[must_use]
    pub fn check_source(&self, source: &[u8]) -> SourceReport {
        source::check(self, source)
    }

    /// What serves which line; needs no source.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        source::coverage(self)
    }

    /// The clause of this id.
    ///
    /// # Errors
    /// [`UnknownClause`] when the document has none.
    pub fn clause(&self, id: &ClauseId) -> Result<&Clause, UnknownClause> {
        self.clauses
            .iter()
            .find(|clause| clause.id == *id)
            .ok_or(UnknownClause(*id))
    }

    /// Every clause, in the order of the document.
    #[must_use]
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// The document's own id: `prodb`.
    #[must_use]
    pub const fn id(&self) -> &Name {
        &self.head.id
    }

    /// Whose page it is.
    #[must_use]
    pub fn vendor(&self) -> &str {
        &self.head.vendor
    }

    /// The file name of the source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.head.source
    }

    /// Where the page was found.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.head.url.as_deref()
    }

    /// SHA-256 of the whole source.
    // clause: P-01, R-28
    #[must_use]
    pub const fn sha256(&self) -> &Digest {
        &self.head.sha256
    }

    /// Lines of the source.
    #[must_use]
    pub const fn lines(&self) -> u32 {
        self.head.lines
    }

    /// Blank lines of the source.
    #[must_use]
    pub const fn blank(&self) -> &BTreeSet<u32> {
        &self.head.blank
    }

    /// The day of revision that the page itself carries; `None` when it carries none.
    #[must_use]
    pub const fn published(&self) -> Option<Date> {
        self.head.published
    }

    /// The day on which the document was last compared with the page.
    #[must_use]
    pub const fn reviewed(&self) -> Date {
        self.head.reviewed
    }

    /// The civil zones in which the page's periods are read.
    #[must_use]
    pub fn zones(&self) -> &[Zone] {
        &self.head.zones
    }

    /// The admissible readings of the page's periods: its zones and day rules, months `clamp-end`.
    #[must_use]
    pub const fn reading(&self) -> &Reading {
        &self.head.reading
    }

    /// Lines that promise nothing.
    #[must_use]
    pub fn ignores(&self) -> &[Ignore] {
        &self.ignores
    }

    /// The vendor's words, and what we call the same.
    #[must_use]
    pub const fn terms(&self) -> &BTreeMap<Token, String> {
        &self.terms
    }

    /// Kinds of data.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// Places where data lies.
    #[must_use]
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// The store of this id.
    #[must_use]
    pub fn store(&self, id: &str) -> Option<&Store> {
        self.stores.iter().find(|store| store.id.as_str() == id)
    }

    /// Keys that seal stores.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Reasoned differences between promise and delivery.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// The deviation that concerns a clause under this profile.
    #[must_use]
    pub fn deviation(&self, clause: &ClauseId, profile: &str) -> Option<&Deviation> {
        self.deviations
            .iter()
            .find(|d| d.clause == *clause && d.concerns(profile))
    }

    /// Lines that nobody has read yet; a finished document has none.
    #[must_use]
    pub fn todos(&self) -> &[Todo] {
        &self.todos
    }

    /// What somebody has looked at again.
    #[must_use]
    pub fn reviews(&self) -> &[Review] {
        &self.reviews
    }

    /// Signed human words.
    #[must_use]
    pub fn attestations(&self) -> &[Attestation] {
        &self.attestations
    }

    /// The attestation of a clause.
    #[must_use]
    pub fn attestation(&self, clause: &ClauseId) -> Option<&Attestation> {
        self.attestations.iter().find(|a| a.clause == *clause)
    }

    /// Reasons why findings of the linter may stand.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }
}
