//! Rule files: `format = "covenant/rules/v1"`, in TOML or, table for table, in JSON.
//!
//! Unknown keys are refused, and every mistake has its line and column: those of shape first, and
//! where there are none, those that [`RuleSet::load`] finds, at the table they are about. What the
//! format allows is also a JSON Schema, [`RULES_SCHEMA`].

use std::collections::BTreeMap;
use std::fmt;

use crate::error::whole;
use crate::spec::RulesFile;
use crate::{RuleError, RuleSet};

mod json;
pub(crate) mod node;
mod read;
mod tables;
mod write;

pub(crate) use json::parse as parse_json;
pub(crate) use node::{Node, Value};
pub(crate) use read::{Fields, Mistakes, text_of as node_text};

/// The first value of every rule file.
pub const RULES_FORMAT: &str = "covenant/rules/v1";
/// Longest rule file in bytes: 1 MiB.
pub const FILE_LEN_BYTES_MAX: usize = 1 << 20;
/// The JSON Schema (draft 2020-12) of a rule file.
pub const RULES_SCHEMA: &str = include_str!("../schema/rules-v1.schema.json");

/// One mistake in a file; the message names keys, ids and figures, and no content of items.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileError {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub kind: FileErrorKind,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, kind } = self;
        write!(f, "{line}:{column}: {kind}")
    }
}
impl std::error::Error for FileError {
    /// What is behind the kind, which is printed with the place.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind.source()
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// It is longer than [`FILE_LEN_BYTES_MAX`].
    #[error("a file has at most {FILE_LEN_BYTES_MAX} bytes")]
    TooLong,
    /// The text is no TOML, or no JSON.
    #[error("{0}")]
    Syntax(String),
    /// A key is unknown, missing, or has a value that it cannot have.
    #[error("{0}")]
    Shape(String),
    /// The rules do not load.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// Every mistake in a file, in the order of its lines; at least one. It prints each with its causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileErrors(Vec<FileError>);

impl FileErrors {
    pub(crate) const fn new(errors: Vec<FileError>) -> Self {
        Self(errors)
    }

    /// The mistakes.
    #[must_use]
    pub fn as_slice(&self) -> &[FileError] {
        &self.0
    }
}

impl fmt::Display for FileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&whole(error))?;
        }
        Ok(())
    }
}
impl std::error::Error for FileErrors {}

/// Where each table of a file begins, by its name in errors, such as `rule bin`.
pub(crate) type Places = BTreeMap<String, usize>;

impl RulesFile {
    /// Reads a rule file in TOML; what it says is checked by [`RuleSet::load`].
    ///
    /// # Errors
    /// [`FileErrors`]: every mistake of shape.
    pub fn from_toml(text: &str) -> Result<Self, FileErrors> {
        Ok(read_toml(text)?.0)
    }

    /// Reads a rule file in JSON; what it says is checked by [`RuleSet::load`].
    ///
    /// # Errors
    /// [`FileErrors`]: every mistake of shape.
    pub fn from_json(text: &str) -> Result<Self, FileErrors> {
        Ok(read_json(text)?.0)
    }

    /// The file as JSON: one text for equal rules in any order, and one that reads back to them.
    #[must_use]
    pub fn to_json(&self) -> String {
        write::file(&self.clone().in_order()).to_string()
    }
}

impl RuleSet {
    /// Reads and checks a rule file in TOML.
    ///
    /// # Errors
    /// [`FileErrors`]: every mistake with its line, of shape or else of what the rules say.
    pub fn from_toml(text: &str) -> Result<Self, FileErrors> {
        let (file, places) = read_toml(text)?;
        checked(text, file, &places)
    }

    /// Reads and checks a rule file in JSON.
    ///
    /// # Errors
    /// [`FileErrors`]: every mistake with its line, of shape or else of what the rules say.
    pub fn from_json(text: &str) -> Result<Self, FileErrors> {
        let (file, places) = read_json(text)?;
        checked(text, file, &places)
    }
}

fn read_toml(text: &str) -> Result<(RulesFile, Places), FileErrors> {
    let mut mistakes = Mistakes::new(text);
    let root = mistakes
        .within_length()
        .then(|| tables::parse(text, &mut mistakes));
    read::rules(root.flatten(), mistakes)
}

fn read_json(text: &str) -> Result<(RulesFile, Places), FileErrors> {
    let mut mistakes = Mistakes::new(text);
    let root = mistakes
        .within_length()
        .then(|| json::parse(text, &mut mistakes));
    read::rules(root.flatten(), mistakes)
}

fn checked(text: &str, file: RulesFile, places: &Places) -> Result<RuleSet, FileErrors> {
    RuleSet::load(file).map_err(|errors| in_places(text, errors, places))
}

/// What rules say wrongly, at the tables that they are about.
pub(crate) fn in_places(text: &str, errors: crate::RuleErrors, places: &Places) -> FileErrors {
    let mut mistakes = Mistakes::new(text);
    for error in errors {
        let place = error.place();
        let at = place.and_then(|place| places.get(&place)).copied();
        mistakes.push(at.unwrap_or(0), error.into());
    }
    mistakes.into_errors()
}

/// Reads the rules out of a tree that is already there; `None` after mistakes.
pub(crate) fn rules_of(root: &Node, mistakes: &mut Mistakes<'_>) -> Option<(RulesFile, Places)> {
    read::rules_of(root, mistakes)
}
