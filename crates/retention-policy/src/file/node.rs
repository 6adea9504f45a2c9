//! A tree of values with their places, as TOML and JSON have it in common; written as JSON.

use std::fmt::{self, Write as _};

/// A value, and the byte at which it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Truth(bool),
    Number(i64),
    Text(String),
    List(Vec<Node>),
    /// Keys as they stand, each once, with the byte of the key.
    Table(Vec<(String, usize, Node)>),
    /// What rule files never have, in words.
    Other(&'static str),
}

impl Value {
    /// What it is, in words.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Truth(_) => "a truth value",
            Self::Number(_) => "an integer",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }

    pub(crate) fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    pub(crate) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().map(Node::from).collect())
    }

    pub(crate) fn table<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let entry = |(key, value): (&str, Self)| (key.to_owned(), 0, Node::from(value));
        Self::Table(entries.into_iter().map(entry).collect())
    }

    /// A list of texts.
    pub(crate) fn texts<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> Self {
        Self::list(items.into_iter().map(Self::text))
    }

    /// The text, or null.
    pub(crate) fn optional(text: Option<impl fmt::Display>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    pub(crate) fn count(number: impl TryInto<i64>) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Self { at: 0, value }
    }
}

/// JSON on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null | Self::Other(_) => f.write_str("null"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => quoted(f, text),
            Self::List(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        f.write_char(',')?;
                    }
                    fmt::Display::fmt(&item.value, f)?;
                }
                f.write_char(']')
            }
            Self::Table(entries) => {
                f.write_char('{')?;
                for (at, (key, _, item)) in entries.iter().enumerate() {
                    if at > 0 {
                        f.write_char(',')?;
                    }
                    quoted(f, key)?;
                    f.write_char(':')?;
                    fmt::Display::fmt(&item.value, f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
