//! Errors, by what the caller can do about them; none carries a bound value or stored content.

use std::fmt;
use std::path::PathBuf;

/// What kind of constraint a statement broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Constraint {
    /// A CHECK constraint.
    Check,
    /// A foreign key.
    ForeignKey,
    /// A NOT NULL column.
    NotNull,
    /// Another constraint: a trigger, an exclusion, a type.
    Other,
    /// A unique or primary key.
    Unique,
}

/// What the database or the operating system said, stripped of everything that can hold content:
/// a result code, the kind of an i/o error, and messages only of the kinds that name nothing but
/// schema objects and our own SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    code: Option<String>,
    text: String,
}

impl Cause {
    /// The SQLSTATE on PostgreSQL, the extended result code on SQLite; `None` when the failure
    /// did not come from the database.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            code: None,
            text: text.into(),
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn code_only(code: i32) -> Self {
        Self {
            code: Some(code.to_string()),
            text: String::new(),
        }
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn coded(code: &str, text: impl Into<String>) -> Self {
        Self {
            code: Some(code.to_owned()),
            text: text.into(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) if self.text.is_empty() => write!(f, "code {code}"),
            Some(code) => write!(f, "code {code}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl std::error::Error for Cause {}

/// A transaction or statement failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// An earlier statement failed, and the database has given the transaction up: begin again.
    #[error("the transaction was given up after an earlier error")]
    Aborted,
    /// The number of bound values is not that of the statement's placeholders.
    #[error("the statement has {expected} placeholders, {bound} values are bound")]
    Arguments {
        /// Placeholders of the statement.
        expected: usize,
        /// Values bound.
        bound: usize,
    },
    /// Somebody else holds the lock, or all connections are in use: try again later.
    #[error("the database is busy")]
    Busy(#[source] Cause),
    /// A time-out of the database or another session cancelled the statement.
    #[error("the statement was cancelled")]
    Cancelled(#[source] Cause),
    /// The handle was closed.
    #[error("the database handle is closed")]
    Closed,
    /// A column is absent, null where that is not expected, or of another type.
    #[error("column {name} is not {expected}")]
    Column {
        /// The column asked for.
        name: String,
        /// What was expected of it.
        expected: &'static str,
    },
    /// The connection was lost in COMMIT: whether it happened must be read from the database.
    #[error("the outcome of the commit is unknown")]
    CommitUnknown(#[source] Cause),
    /// A constraint was broken; the transaction can only be rolled back.
    #[error("a constraint was broken")]
    Constraint {
        /// What kind of constraint.
        kind: Constraint,
        /// What the database said.
        #[source]
        cause: Cause,
    },
    /// No room on the disk.
    #[error("the disk is full")]
    Full(#[source] Cause),
    /// A write in a read-only transaction.
    #[error("the transaction is read-only")]
    ReadOnly,
    /// The database refused the statement for another reason: an error in our SQL, a missing table
    /// or right.
    #[error("the statement was refused")]
    Rejected(#[source] Cause),
    /// Concurrent transactions cannot be put in an order: run the whole transaction again.
    #[error("the transaction collided with another")]
    Serialization(#[source] Cause),
    /// A value is longer than its cap.
    #[error("{what} is longer than {max} bytes")]
    TooLong {
        /// Which value.
        what: &'static str,
        /// The cap.
        max: usize,
    },
    /// The database cannot be reached, or the connection is lost.
    #[error("the database is not available")]
    Unavailable(#[source] Cause),
}

impl DbError {
    /// The SQLSTATE (PostgreSQL) or extended result code (SQLite), if the database gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Busy(cause)
            | Self::Cancelled(cause)
            | Self::CommitUnknown(cause)
            | Self::Constraint { cause, .. }
            | Self::Full(cause)
            | Self::Rejected(cause)
            | Self::Serialization(cause)
            | Self::Unavailable(cause) => cause.code(),
            Self::Aborted
            | Self::Arguments { .. }
            | Self::Closed
            | Self::Column { .. }
            | Self::ReadOnly
            | Self::TooLong { .. } => None,
        }
    }

    /// Whether the same transaction, run again from its start, may succeed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Serialization(_))
    }
}

/// A database was not opened or created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database does not answer, or refuses.
    #[error("the database cannot be opened")]
    Database(#[source] DbError),
    /// The file to be created is already there.
    #[error("{} already exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is missing; opening never creates one.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The path names something else than a regular file: a link, a directory, a device.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// An option is outside its bounds.
    #[error("option {name}: {why}")]
    Options {
        /// The option.
        name: &'static str,
        /// What is expected of it.
        why: &'static str,
    },
    /// A setting did not read back as it was set: this build or server is not safe to use.
    #[error("setting {name} reads back as {found}, not {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// The value set.
        expected: String,
        /// The value read back.
        found: String,
    },
    /// The server is older than the oldest version without known leaks of row-level security.
    #[error("the server's version {found} is too old: {needed}")]
    Version {
        /// The version number that the server reports.
        found: u32,
        /// The oldest versions accepted.
        needed: &'static str,
    },
}

impl From<DbError> for OpenError {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}
