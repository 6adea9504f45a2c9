//! The name of a copy: which recovery key, when, which revisions. No content.

use std::fmt;
use std::str::FromStr;

use time::UtcDateTime;
use uuid::Uuid;

use crate::copies::encoding::{from_micros, micros};

/// A copy at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CopyName {
    pub(super) generation: u32,
    pub(super) taken_at: UtcDateTime,
    /// The revision that it starts from; 0 for a full copy.
    pub(super) after: u64,
    /// The revision that it leads to.
    pub(super) revision: u64,
    pub(super) id: Uuid,
}

/// The name is nobody's here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OtherName;

impl fmt::Display for CopyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            generation,
            taken_at,
            after,
            revision,
            id,
        } = self;
        let taken = micros(*taken_at);
        write!(
            f,
            "{generation:04}-{taken:016}-{after:012}-{revision:012}-{}",
            id.simple()
        )
    }
}

impl FromStr for CopyName {
    type Err = OtherName;

    fn from_str(text: &str) -> Result<Self, OtherName> {
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(OtherName);
        let name = Self {
            generation: next()?.parse().or(Err(OtherName))?,
            taken_at: next()?
                .parse()
                .ok()
                .and_then(from_micros)
                .ok_or(OtherName)?,
            after: next()?.parse().or(Err(OtherName))?,
            revision: next()?.parse().or(Err(OtherName))?,
            id: next()?.parse().or(Err(OtherName))?,
        };
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(OtherName)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_instant_and_are_read_back() {
        let name = CopyName {
            generation: 1,
            taken_at: from_micros(1_795_219_200_000_001).expect("in range"),
            after: 7,
            revision: 12,
            id: Uuid::from_u128(9),
        };
        let text = name.to_string();
        assert_eq!(
            text,
            "0001-1795219200000001-000000000007-000000000012-00000000000000000000000000000009"
        );
        assert_eq!(text.parse(), Ok(name));
        for other in [
            "",
            "readme",
            &text.replace("0001-1", "1-1"),
            &format!("{text}-"),
            &text.to_uppercase().replace("-0000", "-+000"),
        ] {
            assert_eq!(other.parse::<CopyName>(), Err(OtherName), "{other}");
        }
    }
}
