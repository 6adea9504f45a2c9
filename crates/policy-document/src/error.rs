//! What is wrong with a document, and where: every error has a line and a column.

use covenant_core::ClauseId;
use time::Date;

/// A place in the text of a document; both numbers start at 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl Position {
    /// The first character of the text.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// What kind of mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The document does not hold together: two keys that exclude each other, a promise whose
    /// modality lacks its figure, a clause of a kind that cannot be what it claims.
    Contradiction,
    /// The same id, line or entry twice.
    Duplicate,
    /// An attestation signed after the day of the check.
    FutureAttestation,
    /// An answer to a finding that the linter does not make.
    IdleAnswer,
    /// Promises about time, as they are in force, that cannot all be kept.
    Infeasible,
    /// A key dies before a floor over what it seals has ended.
    KeyBeforeFloor,
    /// A key outlives a ceiling that only its death can meet.
    KeyPastCeiling,
    /// A review of a day after that of the check.
    FutureReview,
    /// A key that is required is not there.
    MissingKey,
    /// The text is no TOML.
    Syntax,
    /// More of something than the format allows, or a text longer than
    /// [`crate::DOCUMENT_LEN_BYTES_MAX`].
    TooLarge,
    /// A line of the source that no clause and no ignore serves.
    Uncovered,
    /// A name that no table of ours has: a store, class, clause, scenario or sabotage.
    Unknown,
    /// A control that no table of ours has.
    UnknownControl,
    /// An event that no table of ours has.
    UnknownEvent,
    /// A key that the format does not know.
    UnknownKey,
    /// A value of the right type that cannot be: a malformed digest, an impossible date.
    Value,
    /// A deviation that delivers less than was promised.
    WeakerDeviation,
    /// A value of another type than the key's.
    WrongType,
    /// Promises about time that can be kept as the page words them, but leave no room for any way
    /// to keep them: a tolerance must be declared.
    ZeroWidth,
}

/// One mistake in a document. The message names keys, ids and line numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
#[non_exhaustive]
pub struct DocumentError {
    /// The line in the document, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What kind of mistake.
    pub kind: ErrorKind,
    /// What is wrong, in words.
    pub message: String,
    /// The clauses that it is about, where it is about several: promises that cannot all be kept.
    pub clauses: Vec<ClauseId>,
    /// For promises that cannot all be kept on some dates: the first of these.
    pub witness: Option<Date>,
}

impl DocumentError {
    pub(crate) const fn new(at: Position, kind: ErrorKind, message: String) -> Self {
        Self {
            line: at.line,
            column: at.column,
            kind,
            message,
            clauses: Vec::new(),
            witness: None,
        }
    }

    /// The same about promises that cannot all be kept.
    pub(crate) fn about(mut self, clauses: &[ClauseId], witness: Option<Date>) -> Self {
        self.clauses = clauses.to_vec();
        self.witness = witness;
        self
    }
}
