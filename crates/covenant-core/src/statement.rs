//! Statements: the one text format of every certificate, receipt, drill report and export manifest.
//! `FORMAT.md` of this crate defines it.
//!
//! A statement is a kind, an id and lines `name value`, sorted by name. It is signed as a note, and
//! has one form: what is accepted prints to the same bytes.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::NoteSigner;
use crate::note::{Note, NoteError, SignError, Vkey};

/// The first line.
pub const STATEMENT_FORMAT: &str = "covenant/statement/v1";
/// Longest statement in bytes: a note has 64 KiB, and 4 KiB of it are for signatures.
pub const STATEMENT_LEN_BYTES_MAX: usize = 61_440;
/// Longest kind in bytes (ours).
pub const STATEMENT_KIND_LEN_BYTES_MAX: usize = 64;
/// Longest id and longest name in bytes (ours): `pii.column.<store>.<table>.<column>` fits.
pub const STATEMENT_NAME_LEN_BYTES_MAX: usize = 255;

/// A statement in valid form.
///
/// ```
/// use covenant_core::statement::Statement;
///
/// let statement = Statement::new("drill-report", "0190a5b2-7e1c-7a31-8000-000000000001")?
///     .with("took", "PT4M12S")?
///     .with("files.missing", "0")?;
/// assert_eq!(
///     statement.encode(),
///     "covenant/statement/v1\n\
///      kind drill-report\n\
///      id 0190a5b2-7e1c-7a31-8000-000000000001\n\
///      files.missing 0\n\
///      took PT4M12S\n"
/// );
/// assert_eq!(Statement::parse(&statement.encode())?, statement);
/// # Ok::<(), covenant_core::statement::StatementError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Statement {
    kind: String,
    id: String,
    lines: BTreeMap<String, String>,
}

/// A text is no statement, or a line cannot be added to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The first line is not [`STATEMENT_FORMAT`].
    #[error("the first line of a statement is {STATEMENT_FORMAT}")]
    Format,
    /// The kind is not `[a-z][a-z0-9-]*`, at most 64 bytes.
    #[error("the kind of a statement is made of a-z, 0-9 and hyphen, and begins with a letter")]
    Kind,
    /// The id is empty, too long, or holds another character than `A-Za-z0-9._:/-`.
    #[error("the id of a statement is made of letters, digits and . _ : / -")]
    Id,
    /// A name is `kind` or `id`, or not `[a-z][A-Za-z0-9._:/-]*`, at most 255 bytes.
    #[error("a name is made of letters, digits and . _ : / -, and begins with a-z")]
    Name,
    /// A value is empty, begins or ends with white space, or holds a control character.
    #[error("a value is a text without control characters and without white space around it")]
    Value,
    /// A name is there twice.
    #[error("a name is there twice")]
    Twice,
    /// A line is no `name value`, out of order, or lacks its line feed.
    #[error("a statement is lines of name, space and value, sorted by name")]
    Line,
    /// The statement is longer than the cap.
    #[error("a statement has at most {STATEMENT_LEN_BYTES_MAX} bytes")]
    TooLong,
}

/// A signed statement does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStatementError {
    /// It is no note, or not signed under a known key.
    #[error("not a note that is signed under a known key")]
    Note(#[source] NoteError),
    /// It is signed, and its text is no statement.
    #[error("the signed text is no statement")]
    Statement(#[source] StatementError),
}

impl Statement {
    /// A statement without lines.
    ///
    /// # Errors
    /// [`StatementError::Kind`] or [`StatementError::Id`].
    pub fn new(kind: &str, id: &str) -> Result<Self, StatementError> {
        let kind_chars = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if kind.len() > STATEMENT_KIND_LEN_BYTES_MAX
            || !kind.starts_with(|c: char| c.is_ascii_lowercase())
            || !kind.bytes().all(kind_chars)
        {
            return Err(StatementError::Kind);
        }
        if id.is_empty() || id.len() > STATEMENT_NAME_LEN_BYTES_MAX || !id.bytes().all(is_plain) {
            return Err(StatementError::Id);
        }
        Ok(Self {
            kind: kind.to_owned(),
            id: id.to_owned(),
            lines: BTreeMap::new(),
        })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`StatementError::Name`], [`StatementError::Value`], [`StatementError::Twice`] or
    /// [`StatementError::TooLong`].
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, StatementError> {
        self.add(name, value)?;
        if self.encode().len() > STATEMENT_LEN_BYTES_MAX {
            return Err(StatementError::TooLong);
        }
        Ok(self)
    }

    /// Adds lines.
    ///
    /// # Errors
    /// As [`Statement::with`].
    pub fn with_all<N: AsRef<str>, V: AsRef<str>>(
        mut self,
        lines: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, StatementError> {
        for (name, value) in lines {
            self.add(name.as_ref(), value.as_ref())?;
        }
        if self.encode().len() > STATEMENT_LEN_BYTES_MAX {
            return Err(StatementError::TooLong);
        }
        Ok(self)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), StatementError> {
        if matches!(name, "kind" | "id")
            || name.len() > STATEMENT_NAME_LEN_BYTES_MAX
            || !name.starts_with(|c: char| c.is_ascii_lowercase())
            || !name.bytes().all(is_plain)
        {
            return Err(StatementError::Name);
        }
        if value.is_empty() || value.trim() != value || value.chars().any(char::is_control) {
            return Err(StatementError::Value);
        }
        match self.lines.insert(name.to_owned(), value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(StatementError::Twice),
        }
    }

    /// What it is: `disposal`, `drill-report`, `export-manifest`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What it is about; the same kind and id again replaces an earlier statement.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The value of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.lines.get(name).map(String::as_str)
    }

    /// Names and values, sorted by name.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The one text of this statement.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { kind, id, lines } = self;
        let mut text = format!("{STATEMENT_FORMAT}\nkind {kind}\nid {id}\n");
        for (name, value) in lines {
            text.extend([name, " ", value, "\n"]);
        }
        text
    }

    /// Reads the text of a statement.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        if text.len() > STATEMENT_LEN_BYTES_MAX {
            return Err(StatementError::TooLong);
        }
        let (format, rest) = text.split_once('\n').ok_or(StatementError::Format)?;
        if format != STATEMENT_FORMAT {
            return Err(StatementError::Format);
        }
        let body = rest.strip_suffix('\n').ok_or(StatementError::Line)?;
        let mut lines = body.split('\n').map(|line| line.split_once(' '));
        let (Some(Some(("kind", kind))), Some(Some(("id", id)))) = (lines.next(), lines.next())
        else {
            return Err(StatementError::Line);
        };
        let mut statement = Self::new(kind, id)?;
        for line in lines {
            let (name, value) = line.ok_or(StatementError::Line)?;
            statement.add(name, value)?;
        }
        if statement.encode() == text {
            Ok(statement)
        } else {
            Err(StatementError::Line)
        }
    }

    /// Signs the statement as a note.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign(&self, signer: &dyn NoteSigner) -> Result<Note, SignError> {
        Note::sign(&self.encode(), &[signer]).await
    }

    /// Reads a signed statement and checks its signatures, in one step: a text that is not signed
    /// under a known key is not even looked at.
    ///
    /// # Errors
    /// [`OpenStatementError`].
    pub fn open(signed: &str, known: &[Vkey]) -> Result<Self, OpenStatementError> {
        let note: Note = signed.parse().map_err(OpenStatementError::Note)?;
        note.verify(known).map_err(OpenStatementError::Note)?;
        Self::parse(note.text()).map_err(OpenStatementError::Statement)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encode())
    }
}
impl FromStr for Statement {
    type Err = StatementError;

    fn from_str(text: &str) -> Result<Self, StatementError> {
        Self::parse(text)
    }
}

const fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'/' | b'-')
}
