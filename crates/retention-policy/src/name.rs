//! Names in a rule set: classes, stores, rules and triggers, all of one form.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use covenant_core::LogSafe;

/// Longest name in bytes: a bound of ours, which keeps plans and reasons small.
pub const NAME_LEN_BYTES_MAX: usize = 64;

/// A text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is a letter a-z and up to 63 of a-z, 0-9, dot, underscore and hyphen")]
pub struct NameError;

macro_rules! names {
    ($($(#[$doc:meta])+ $name:ident),* $(,)?) => { $(
        $(#[$doc])+
        ///
        /// A letter `a-z`, then up to 63 of `a-z`, `0-9`, dot, underscore and hyphen.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                well_formed(text).map(|text| Self(text.into()))
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl LogSafe for $name {}
    )* };
}

names! {
    /// A class of items, such as `record` or `invoice`.
    ClassId,
    /// A store as the rules know it, such as `rows`; not the id of one physical store.
    StoreName,
    /// A legal matter or case that a hold serves: the number it is known by, never a person's name.
    Matter,
    /// Why a hold was placed, as a code of the caller's list; never free text.
    ReasonCode,
    /// A rule.
    RuleId,
    /// A key as the rules know it: what it seals, and when it dies.
    KeyName,
    /// An event that starts, ends, waives or cancels, such as `record.deleted`.
    Trigger,
}

pub(crate) fn well_formed(text: &str) -> Result<&str, NameError> {
    let mut bytes = text.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let rest = bytes.all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    if starts && rest && text.len() <= NAME_LEN_BYTES_MAX {
        Ok(text)
    } else {
        Err(NameError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_and_short() {
        for good in ["a", "record.manual_purge", "p-51", &"x".repeat(64)] {
            assert!(good.parse::<Trigger>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "A",
            "1a",
            ".a",
            "a b",
            "a/b",
            "é",
            "aB",
            &"x".repeat(65),
        ] {
            assert!(bad.parse::<Trigger>().is_err(), "{bad}");
        }
    }
}
