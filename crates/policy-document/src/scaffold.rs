//! The first draft of a document: every line of a page with its digest, and nothing yet said of it.

use std::fmt::Write as _;

use covenant_core::digest::Digest;
use time::Date;

use crate::clause::PinnedLine;
use crate::document::{DOCUMENT_LEN_BYTES_MAX, FORMAT, SOURCE_LINES_MAX};
use crate::{Name, Position, source};

/// Lines of which nobody has said yet what they promise: what a first draft has instead of clauses.
///
/// A document with one is well-formed and unfinished: its lines count as uncovered, so that
/// [`crate::Document::check`] refuses it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Todo {
    /// Where its table stands.
    pub at: Position,
    /// The lines, ascending.
    pub lines: Vec<PinnedLine>,
}

/// What a first draft says of its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft<'a> {
    /// The id of the document.
    pub id: &'a Name,
    /// Whose page it is, in words.
    pub vendor: &'a str,
    /// The file name of the page, without a folder.
    pub file: &'a str,
    /// The day on which it was read.
    pub reviewed: Date,
}

/// No draft can be made of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// The file name has a folder, a control character, or no words at all.
    #[error("the page must have a plain file name of at most {WORDS_LEN_CHARS_MAX} characters")]
    File,
    /// The draft would be longer than a document may be.
    #[error("a draft of all lines has more than {DOCUMENT_LEN_BYTES_MAX} bytes; split the page")]
    TooLong,
    /// The page has more lines than a document can name.
    #[error("a page has at most {SOURCE_LINES_MAX} lines")]
    TooManyLines,
    /// The vendor's name has a control character, or no words at all.
    #[error("the vendor must be named in at most {WORDS_LEN_CHARS_MAX} characters")]
    Vendor,
}

/// Longest words for people, as everywhere in a document.
const WORDS_LEN_CHARS_MAX: usize = 1_000;

impl Draft<'_> {
    /// The draft of a document about this page: blank lines listed, every other line a `[[todo]]`
    /// of its own with its digest. The page's words are not in it.
    ///
    /// ```
    /// use policy_document::{Document, Draft};
    ///
    /// let page = b"We keep backups.\n\nFor 30 days.\n";
    /// let draft = Draft {
    ///     id: &"acme".parse()?,
    ///     vendor: "Acme",
    ///     file: "security.txt",
    ///     reviewed: time::macros::date!(2026 - 11 - 22),
    /// };
    /// let document = Document::parse(&draft.write(page)?).expect("a draft is well-formed");
    /// assert_eq!(document.todos().len(), 2);
    /// assert!(document.check(draft.reviewed).is_err(), "it is not finished");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DraftError`] when a document cannot name the page or cannot hold all of its lines.
    // clause: P-67
    pub fn write(&self, page: &[u8]) -> Result<String, DraftError> {
        let Self {
            id,
            vendor,
            file,
            reviewed,
        } = self;
        if !is_words(file) || file.contains(['/', '\\']) || matches!(*file, "." | "..") {
            return Err(DraftError::File);
        }
        if !is_words(vendor) {
            return Err(DraftError::Vendor);
        }
        let lines = || (1_u32..).zip(source::lines(page));
        let count = lines().last().map_or(0, |(number, _)| number);
        if count > SOURCE_LINES_MAX {
            return Err(DraftError::TooManyLines);
        }
        let blank = lines().filter(|(_, line)| source::is_blank(line));
        let blank: Vec<_> = blank.map(|(number, _)| number.to_string()).collect();
        let mut text = format!(
            "# A first draft: no line has been read yet. Replace each [[todo]] by a [[clause]] in \
             words of\n# your own, or by an [[ignore]] with its reason.\n\n[document]\nformat = \
             \"{FORMAT}\"\nid = \"{id}\"\nvendor = {}\nsource = {}\nsha256 = \"{}\"\nlines = \
             {count}\nblank = [{}]\nreviewed = {reviewed}\n# The zones in which the vendor counts \
             days.\nzones = [\"UTC\"]\nday = [\"elapsed\", \"end-of-day\"]\n",
            quoted(vendor),
            quoted(file),
            Digest::of(page),
            blank.join(", "),
        );
        for (number, line) in lines().filter(|(_, line)| !source::is_blank(line)) {
            let digest = Digest::of(line);
            // INVARIANT: writing to a string cannot fail
            let _always_ok = write!(
                text,
                "\n[[todo]]\nlines = [{number}]\ndigests = [\"{digest}\"]\n"
            );
            if text.len() > DOCUMENT_LEN_BYTES_MAX {
                return Err(DraftError::TooLong);
            }
        }
        Ok(text)
    }
}

/// Words that a document accepts.
fn is_words(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= WORDS_LEN_CHARS_MAX
        && !text.chars().any(char::is_control)
}

/// A TOML string; the text has no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
