//! Rules out of a file: a rule file in TOML or JSON, or a policy file, whose promises are rules too.

use std::path::Path;

use covenant::DocumentRules;
use policy_document::{DOCUMENT_LEN_BYTES_MAX, Document};
use retention_policy::{FileErrorKind, ITEMS_LEN_BYTES_MAX, Items, RuleError, RuleSet, RulesFile};

use crate::command::key_place::chain;
use crate::input;
use crate::output::Failure;

/// What a file says.
#[derive(Debug)]
pub(super) enum Loaded {
    /// Rules that can all hold.
    Sound(Box<RuleSet>),
    /// Rules that are well-formed and leave gaps or contradict each other; a line each.
    Unsound(Vec<String>),
}

/// Reads the rules of a file.
pub(super) fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = input::text(path, DOCUMENT_LEN_BYTES_MAX)?;
    let place = |line: String| format!("{}:{line}", path.display());
    if is_policy(&text) {
        let document = Document::parse(&text).map_err(|errors| {
            let lines = errors.iter().map(|error| place(error.to_string()));
            Failure::usage_lines(lines.collect())
        })?;
        return Ok(match RuleSet::load(DocumentRules::of(&document).file) {
            Ok(set) => Loaded::Sound(Box::new(set)),
            Err(errors) => {
                let errors = errors.as_slice().iter();
                Loaded::Unsound(errors.map(|error| chain(error)).collect())
            }
        });
    }
    let read = if text.trim_start().starts_with('{') {
        RuleSet::from_json(&text)
    } else {
        RuleSet::from_toml(&text)
    };
    read.map(|set| Loaded::Sound(Box::new(set)))
        .or_else(|errors| {
            let lines = || errors.as_slice().iter().map(|error| place(chain(error)));
            if errors
                .as_slice()
                .iter()
                .all(|error| is_finding(&error.kind))
            {
                Ok(Loaded::Unsound(lines().collect()))
            } else {
                Err(Failure::usage_lines(lines().collect()))
            }
        })
}

/// Reads rules that must be sound.
pub(super) fn sound(path: &Path) -> Result<RuleSet, Failure> {
    match load(path)? {
        Loaded::Sound(set) => Ok(*set),
        Loaded::Unsound(lines) => Err(Failure::usage_lines(lines)),
    }
}

/// Whether it is a policy file: its first table says so.
fn is_policy(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| line == "[document]")
        && RulesFile::from_toml(text).is_err()
}

/// What well-formed rules can do wrong: finding it out is what a check is for.
fn is_finding(kind: &FileErrorKind) -> bool {
    matches!(
        kind,
        FileErrorKind::Rule(
            RuleError::Contradiction { .. }
                | RuleError::ZeroWidth { .. }
                | RuleError::Unruled { .. }
        )
    )
}

/// Reads a list of items.
pub(super) fn items(path: &Path) -> Result<Items, Failure> {
    let text = input::text(path, ITEMS_LEN_BYTES_MAX)?;
    Items::from_json(&text).map_err(|errors| {
        let lines = errors.as_slice().iter();
        let lines = lines.map(|error| format!("{}:{}", path.display(), chain(error)));
        Failure::usage_lines(lines.collect())
    })
}
