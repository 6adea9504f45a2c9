//! The lock file as JSON: one way to write it, and nothing else is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;

use serde_json::{Map, Value};
use time::Date;
use time::format_description::well_known::Iso8601;

use super::{LOCK_FORMAT, LOCK_LEN_BYTES_MAX, Lock, Locked, Reviewed};

/// Bytes are no lock file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// A part is missing, unknown, or not in its format.
    #[error("{0} of the lock file is not in the format")]
    Part(&'static str),
    /// It is JSON, but not as it is written: another order, other spaces, an unknown key.
    #[error("the lock file was edited by hand: only `covenant policy bless` writes it")]
    Spelling,
    /// The bytes are no JSON.
    #[error("the lock file is no json: line {line}, column {column}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// More than [`LOCK_LEN_BYTES_MAX`] bytes.
    #[error("a lock file has at most {LOCK_LEN_BYTES_MAX} bytes")]
    TooLong,
}

pub(super) fn encode(lock: &Lock) -> String {
    let Lock {
        document,
        source,
        blessed,
        clauses,
        reviews,
    } = lock;
    let mut text = format!(
        "{{\n  \"format\": \"{LOCK_FORMAT}\",\n  \"document\": \"{document}\",\n  \
         \"source_sha256\": \"{source}\",\n  \"blessed\": \"{blessed}\",\n  \"clauses\": ["
    );
    for (at, (id, Locked { lines, figures })) in clauses.iter().enumerate() {
        let lines = lines.iter().map(|(number, digest)| {
            format!("{{ \"number\": {number}, \"digest\": \"{digest}\" }}")
        });
        let figures = figures
            .iter()
            .map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)));
        let (lines, figures) = (list(lines, "      "), list(figures, "      "));
        // INVARIANT: writing to a string cannot fail
        let _always_ok = write!(
            text,
            "{}\n    {{\n      \"id\": \"{id}\",\n      \"lines\": [{lines}],\n      \
             \"figures\": {{{figures}}}\n    }}",
            comma(at),
        );
    }
    text.push_str(if clauses.is_empty() {
        "],\n"
    } else {
        "\n  ],\n"
    });
    let reviews = reviews.iter().map(|review| {
        let Reviewed {
            clause,
            on,
            by,
            change,
        } = review;
        let (by, change) = (quoted(by), quoted(change));
        format!(
            "{{ \"clause\": \"{clause}\", \"on\": \"{on}\", \"by\": {by}, \"change\": {change} }}"
        )
    });
    // INVARIANT: as above
    let _always_ok = write!(text, "  \"reviews\": [{}]\n}}\n", list(reviews, "  "));
    text
}

/// Items, each on a line of its own; nothing between the brackets when there is none.
fn list(items: impl Iterator<Item = String>, indent: &str) -> String {
    let mut text = String::new();
    for (at, item) in items.enumerate() {
        text.push_str(&format!("{}\n{indent}  {item}", comma(at)));
    }
    if !text.is_empty() {
        text.push_str(&format!("\n{indent}"));
    }
    text
}

const fn comma(at: usize) -> &'static str {
    if at == 0 { "" } else { "," }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Lock, LockError> {
    if bytes.len() > LOCK_LEN_BYTES_MAX {
        return Err(LockError::TooLong);
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| LockError::Syntax {
        line: error.line(),
        column: error.column(),
    })?;
    let root = object(&value, "the root")?;
    if text(root, "format")? != LOCK_FORMAT {
        return Err(LockError::Part("format"));
    }
    let mut clauses = BTreeMap::new();
    for clause in array(root, "clauses")? {
        let clause = object(clause, "clauses")?;
        let mut lines = BTreeMap::new();
        for line in array(clause, "lines")? {
            let line = object(line, "lines")?;
            let number = line.get("number").and_then(Value::as_u64);
            let number = number.and_then(|number| u32::try_from(number).ok());
            let number = number.ok_or(LockError::Part("number"))?;
            lines.insert(number, parsed(line, "digest")?);
        }
        let figures = clause.get("figures").ok_or(LockError::Part("figures"))?;
        let mut named = BTreeMap::new();
        for (name, value) in object(figures, "figures")? {
            let value = value.as_str().ok_or(LockError::Part("figures"))?;
            named.insert(name.clone(), value.to_owned());
        }
        let figures = named;
        clauses.insert(parsed(clause, "id")?, Locked { lines, figures });
    }
    let mut reviews = BTreeSet::new();
    for review in array(root, "reviews")? {
        let review = object(review, "reviews")?;
        reviews.insert(Reviewed {
            clause: parsed(review, "clause")?,
            on: date(review, "on")?,
            by: text(review, "by")?.to_owned(),
            change: text(review, "change")?.to_owned(),
        });
    }
    let lock = Lock {
        document: parsed(root, "document")?,
        source: parsed(root, "source_sha256")?,
        blessed: date(root, "blessed")?,
        clauses,
        reviews,
    };
    if encode(&lock).as_bytes() == bytes {
        Ok(lock)
    } else {
        Err(LockError::Spelling)
    }
}

fn object<'v>(value: &'v Value, what: &'static str) -> Result<&'v Map<String, Value>, LockError> {
    value.as_object().ok_or(LockError::Part(what))
}

fn array<'v>(from: &'v Map<String, Value>, key: &'static str) -> Result<&'v [Value], LockError> {
    let found = from.get(key).and_then(Value::as_array);
    found.map(Vec::as_slice).ok_or(LockError::Part(key))
}

fn text<'v>(from: &'v Map<String, Value>, key: &'static str) -> Result<&'v str, LockError> {
    let found = from.get(key).and_then(Value::as_str);
    found.ok_or(LockError::Part(key))
}

fn parsed<T: FromStr>(from: &Map<String, Value>, key: &'static str) -> Result<T, LockError> {
    text(from, key)?.parse().or(Err(LockError::Part(key)))
}

fn date(from: &Map<String, Value>, key: &'static str) -> Result<Date, LockError> {
    Date::parse(text(from, key)?, &Iso8601::DATE).or(Err(LockError::Part(key)))
}
