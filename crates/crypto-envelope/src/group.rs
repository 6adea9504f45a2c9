//! Groups of key-encryption keys, and the name of a backup epoch.

use std::fmt;
use std::str::FromStr;

use covenant_core::LogSafe;
use covenant_core::sealer::Purpose;

/// Longest [`EpochName`] in bytes: a bound of ours.
pub const EPOCH_NAME_LEN_BYTES_MAX: usize = 64;

/// The name of a backup epoch: 1 to 64 of `A-Z a-z 0-9 . _ + : -`, such as `2026-11-21`. All
/// vaults of the epoch hang on one KEK, so the name tells apart whatever has a day of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochName(Box<str>);

/// A text cannot name an epoch or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a key group")]
pub struct GroupNameError;

impl EpochName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EpochName {
    type Err = GroupNameError;

    fn from_str(name: &str) -> Result<Self, GroupNameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._+:-".contains(&b);
        let fits = (1..=EPOCH_NAME_LEN_BYTES_MAX).contains(&name.len());
        if fits && name.bytes().all(allowed) {
            Ok(Self(name.into()))
        } else {
            Err(GroupNameError)
        }
    }
}

impl fmt::Display for EpochName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl LogSafe for EpochName {}

/// Which KEK wraps a root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum GroupName {
    /// Roots of tenants, of data subjects and of the platform.
    Standard,
    /// Roots of the second layer, under a KEK of their own.
    Sensitive,
    /// Roots of all vaults of one backup epoch.
    Epoch(EpochName),
}

impl GroupName {
    /// The group of every root but a vault's; `None` for a vault's, which its epoch decides.
    #[must_use]
    pub const fn of(purpose: Purpose) -> Option<Self> {
        match purpose {
            Purpose::Sensitive => Some(Self::Sensitive),
            Purpose::Data | Purpose::Index | Purpose::Subject | Purpose::Platform => {
                Some(Self::Standard)
            }
            _ => None,
        }
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("standard"),
            Self::Sensitive => f.write_str("sensitive"),
            Self::Epoch(name) => write!(f, "epoch/{name}"),
        }
    }
}
impl LogSafe for GroupName {}

impl FromStr for GroupName {
    type Err = GroupNameError;

    fn from_str(name: &str) -> Result<Self, GroupNameError> {
        match name {
            "standard" => Ok(Self::Standard),
            "sensitive" => Ok(Self::Sensitive),
            _ => name
                .strip_prefix("epoch/")
                .ok_or(GroupNameError)?
                .parse()
                .map(Self::Epoch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_names_parse_and_print_alike() {
        for name in [
            "standard",
            "sensitive",
            "epoch/2026-11-21",
            "epoch/a:b+c_d.e",
        ] {
            assert_eq!(name.parse::<GroupName>().expect("parses").to_string(), name);
        }
    }

    #[test]
    fn other_names_are_refused() {
        let long = format!("epoch/{}", "x".repeat(EPOCH_NAME_LEN_BYTES_MAX + 1));
        for name in [
            "",
            "Standard",
            "epoch",
            "epoch/",
            "epoch/a/b",
            "epoch/a b",
            "epoch/\u{e9}",
            &long,
        ] {
            assert_eq!(name.parse::<GroupName>(), Err(GroupNameError), "{name}");
        }
    }
}
