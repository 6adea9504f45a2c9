//! The id of a promise: `P-51`, and with its document `prodb.P-51`.

use std::fmt;
use std::str::FromStr;

use crate::LogSafe;

/// The id of a clause: one upper-case letter for the document, a hyphen, two or three digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClauseId {
    letter: char,
    number: u16,
}

/// A text is not a clause id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a clause id is one upper-case letter, a hyphen and two or three digits, such as P-51")]
pub struct ClauseIdError;

impl ClauseId {
    /// The clause with this letter and number; `None` outside `A..=Z` and `1..=999`.
    #[must_use]
    pub const fn new(letter: char, number: u16) -> Option<Self> {
        if letter.is_ascii_uppercase() && number >= 1 && number <= 999 {
            Some(Self { letter, number })
        } else {
            None
        }
    }

    /// The letter of the document.
    #[must_use]
    pub const fn letter(self) -> char {
        self.letter
    }

    /// The number in the document, from 1.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.number
    }
}

impl fmt::Display for ClauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02}", self.letter, self.number)
    }
}
impl fmt::Debug for ClauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for ClauseId {
    type Err = ClauseIdError;

    fn from_str(text: &str) -> Result<Self, ClauseIdError> {
        let (letter, digits) = text.split_once('-').ok_or(ClauseIdError)?;
        let mut letters = letter.chars();
        let (Some(letter), None) = (letters.next(), letters.next()) else {
            return Err(ClauseIdError);
        };
        if !(2..=3).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ClauseIdError);
        }
        let number = digits.parse().or(Err(ClauseIdError))?;
        let id = Self::new(letter, number).ok_or(ClauseIdError)?;
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(ClauseIdError)
        }
    }
}
impl LogSafe for ClauseId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for text in ["P-01", "P-51", "R-100", "Z-999", "A-10"] {
            assert_eq!(
                text.parse::<ClauseId>().map(|id| id.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in [
            "",
            "P",
            "P-",
            "P-1",
            "P-00",
            "P-000",
            "P-001",
            "P-051",
            "P-1000",
            "p-51",
            "PP-51",
            "P51",
            "P_51",
            "P-5a",
            "P-+5",
            " P-51",
            "P-51 ",
            "\u{c4}-51",
            "P-\u{661}1",
            "prodb.P-51",
        ] {
            assert_eq!(text.parse::<ClauseId>(), Err(ClauseIdError), "{text}");
        }
    }

    #[test]
    fn parts_and_order() {
        let id = ClauseId::new('R', 7).unwrap();
        assert_eq!((id.letter(), id.number()), ('R', 7));
        assert!(ClauseId::new('P', 99) < ClauseId::new('P', 100));
        assert!(ClauseId::new('P', 999) < ClauseId::new('Q', 1));
        for none in [
            ClauseId::new('r', 7),
            ClauseId::new('R', 0),
            ClauseId::new('R', 1_000),
        ] {
            assert_eq!(none, None);
        }
    }
}
