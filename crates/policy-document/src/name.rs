//! The two spellings of a word in a document: a name for things, a token for figures.

use std::fmt;
use std::str::FromStr;

use covenant_core::LogSafe;

/// Longest name or token in bytes, as in the rule file: ids stay readable in a report's column.
pub const NAME_LEN_BYTES_MAX: usize = 64;

/// The id of a document, store, class or key: `[a-z][a-z0-9._-]{0,63}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// A word of a figure, such as `aes-256` or `P1Y`: `[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(Box<str>);

/// A text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name starts with a-z and has at most 64 of a-z, 0-9, dot, hyphen and underscore")]
pub struct NameError;

/// A text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token starts with a letter or digit and has at most 64 of letters, digits and ._:+-")]
pub struct TokenError;

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Token {
    /// The token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let clean = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if starts && text.len() <= NAME_LEN_BYTES_MAX && text.as_bytes().iter().all(clean) {
            Ok(Self(text.into()))
        } else {
            Err(NameError)
        }
    }
}
impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let clean =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'+' | b'-');
        let starts = text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        if starts && text.len() <= NAME_LEN_BYTES_MAX && text.as_bytes().iter().all(clean) {
            Ok(Self(text.into()))
        } else {
            Err(TokenError)
        }
    }
}

macro_rules! shown_as_text {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl LogSafe for $type {}
    };
}
shown_as_text!(Name);
shown_as_text!(Token);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tokens_have_their_alphabets() {
        for good in ["a", "rows", "tenant-roots", "a.b_c-9"] {
            assert_eq!(
                good.parse::<Name>().map(|n| n.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in ["", "A", "9a", "-a", "a b", "a\u{e9}", &"a".repeat(65)] {
            assert_eq!(bad.parse::<Name>(), Err(NameError), "{bad:?}");
        }
        for good in ["P1Y", "aes-256", "24:00", "1.2"] {
            assert_eq!(
                good.parse::<Token>().map(|n| n.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in ["", "-a", "a b", "<b>", "a\u{202e}", &"a".repeat(65)] {
            assert_eq!(bad.parse::<Token>(), Err(TokenError), "{bad:?}");
        }
    }
}
