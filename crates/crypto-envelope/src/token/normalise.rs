//! What of a value counts when it is searched for.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

/// Most characters of [`Normaliser::Last`]: a bound of ours.
const LAST_MAX: u8 = 32;

/// What of a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Normaliser {
    /// All of it: `exact`.
    Exact,
    /// All of it, with ASCII letters in lower case: `ascii-lower`.
    AsciiLower,
    /// Its compatibility form (Unicode NFKC) in lower case: `nfkc-lower`.
    NfkcLower,
    /// Its ASCII digits: `digits`.
    Digits,
    /// Its last characters: `last-4`.
    Last(LastCount),
}

/// How many characters count: 1 to 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LastCount(u8);

/// A word names no normaliser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a normaliser: use exact, ascii-lower, nfkc-lower, digits or last-N, N from 1 to 32")]
pub struct NormaliserError;

impl TryFrom<u8> for LastCount {
    type Error = NormaliserError;

    fn try_from(count: u8) -> Result<Self, NormaliserError> {
        if (1..=LAST_MAX).contains(&count) {
            Ok(Self(count))
        } else {
            Err(NormaliserError)
        }
    }
}

impl Normaliser {
    /// What counts of the value; none when that is nothing, or fewer characters than it takes.
    #[must_use]
    pub fn normalise(self, value: &str) -> Option<String> {
        let counted: String = match self {
            Self::Exact => value.to_owned(),
            Self::AsciiLower => value.to_ascii_lowercase(),
            // lower case may leave the form, so the form is taken again
            Self::NfkcLower => value
                .nfkc()
                .collect::<String>()
                .to_lowercase()
                .nfkc()
                .collect(),
            Self::Digits => value.chars().filter(char::is_ascii_digit).collect(),
            Self::Last(LastCount(count)) => {
                let count = usize::from(count);
                let skip = value.chars().count().checked_sub(count)?;
                value.chars().skip(skip).collect()
            }
        };
        (!counted.is_empty()).then_some(counted)
    }
}

impl fmt::Display for Normaliser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::AsciiLower => f.write_str("ascii-lower"),
            Self::NfkcLower => f.write_str("nfkc-lower"),
            Self::Digits => f.write_str("digits"),
            Self::Last(LastCount(count)) => write!(f, "last-{count}"),
        }
    }
}

impl FromStr for Normaliser {
    type Err = NormaliserError;

    fn from_str(word: &str) -> Result<Self, NormaliserError> {
        match word {
            "exact" => Ok(Self::Exact),
            "ascii-lower" => Ok(Self::AsciiLower),
            "nfkc-lower" => Ok(Self::NfkcLower),
            "digits" => Ok(Self::Digits),
            other => {
                let count = other.strip_prefix("last-").ok_or(NormaliserError)?;
                let parsed: u8 = count.parse().or(Err(NormaliserError))?;
                if parsed.to_string() != count {
                    return Err(NormaliserError);
                }
                LastCount::try_from(parsed).map(Self::Last)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_back_and_no_others() {
        for word in [
            "exact",
            "ascii-lower",
            "nfkc-lower",
            "digits",
            "last-1",
            "last-32",
        ] {
            assert_eq!(
                word.parse::<Normaliser>().expect("a word").to_string(),
                word
            );
        }
        for word in [
            "", "Exact", "last", "last-", "last-0", "last-33", "last-04", "last-+4",
        ] {
            assert_eq!(word.parse::<Normaliser>(), Err(NormaliserError), "{word}");
        }
    }

    #[test]
    fn what_counts_of_a_value() {
        let check = |word: &str, value: &str, counts: Option<&str>| {
            let normaliser: Normaliser = word.parse().expect("a word");
            assert_eq!(
                normaliser.normalise(value).as_deref(),
                counts,
                "{word} {value}"
            );
        };
        check("exact", "Ab C", Some("Ab C"));
        check("exact", "", None);
        check("ascii-lower", "Ab \u{c4}", Some("ab \u{c4}"));
        check("nfkc-lower", "\u{ff21}\u{fb01}\u{c4}", Some("afi\u{e4}"));
        check("nfkc-lower", "A\u{308}", Some("\u{e4}"));
        check("digits", "+49 (30) 12-3", Some("4930123"));
        check("digits", "none", None);
        check("digits", "\u{0661}", None);
        check("last-4", "12345", Some("2345"));
        check("last-4", "1234", Some("1234"));
        check("last-4", "123", None);
        check("last-2", "a\u{e4}\u{1f600}", Some("\u{e4}\u{1f600}"));
    }

    #[test]
    fn what_counts_counts_again_as_the_same() {
        for value in [
            "\u{130}STANBUL",
            "\u{1e9e}",
            "\u{3f4}",
            "\u{212b}ngstr\u{f6}m",
            "\u{fdfa}",
        ] {
            let once = Normaliser::NfkcLower.normalise(value).expect("something");
            assert_eq!(
                Normaliser::NfkcLower.normalise(&once),
                Some(once.clone()),
                "{value}"
            );
        }
    }
}
