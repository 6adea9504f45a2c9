//! Where a store is: a name out of a closed set that the profile declares.

use std::collections::BTreeSet;
use std::fmt;

use crate::LogSafe;

/// Longest region name in bytes: it has 32 bytes of room in the store identity.
pub const REGION_LEN_BYTES_MAX: usize = 32;

/// A place of the closed list (P-04, Q-04); comes only out of a [`RegionSet`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Box<str>);

/// A name is no region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegionError {
    /// The name is malformed.
    #[error("a region name has 1 to 32 of a-z, 0-9 and hyphen")]
    Malformed,
    /// The name is well-formed, and not on the list.
    #[error("region {0} is not on the declared list")]
    Unlisted(String),
}

/// The closed set of places, as the profile declares it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegionSet(BTreeSet<Region>);

impl RegionSet {
    /// The set of these names.
    ///
    /// # Errors
    /// [`RegionError::Malformed`] for a name outside `[a-z0-9-]{1,32}`.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, RegionError> {
        names
            .into_iter()
            .map(well_formed)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The region of this name.
    ///
    /// # Errors
    /// [`RegionError::Malformed`], or [`RegionError::Unlisted`] for a name outside the set.
    pub fn region(&self, name: &str) -> Result<Region, RegionError> {
        let region = well_formed(name)?;
        if self.0.contains(&region) {
            Ok(region)
        } else {
            Err(RegionError::Unlisted(name.to_owned()))
        }
    }

    /// Whether the region is in the set.
    #[must_use]
    pub fn contains(&self, region: &Region) -> bool {
        self.0.contains(region)
    }

    /// The regions, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.0.iter()
    }
}

impl Region {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl LogSafe for Region {}

fn well_formed(name: &str) -> Result<Region, RegionError> {
    let fits = (1..=REGION_LEN_BYTES_MAX).contains(&name.len());
    let clean = name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if fits && clean {
        Ok(Region(name.into()))
    } else {
        Err(RegionError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_comes_only_out_of_its_set() {
        let set = RegionSet::new(["jp-east", "eu-1"]).unwrap();
        let region = set.region("jp-east").unwrap();
        assert_eq!(
            (region.as_str(), region.to_string().as_str()),
            ("jp-east", "jp-east")
        );
        assert!(set.contains(&region));
        assert_eq!(
            set.region("us-1"),
            Err(RegionError::Unlisted("us-1".to_owned()))
        );
        let names: Vec<_> = set.iter().map(Region::as_str).collect();
        assert_eq!(names, ["eu-1", "jp-east"]);
        let other = RegionSet::new(["us-1"]).unwrap();
        assert!(!other.contains(&region));
    }

    #[test]
    fn malformed_names_are_refused() {
        let longest = "r".repeat(REGION_LEN_BYTES_MAX);
        assert!(
            RegionSet::new([longest.as_str()])
                .unwrap()
                .region(&longest)
                .is_ok()
        );
        let too_long = "r".repeat(REGION_LEN_BYTES_MAX + 1);
        for name in [
            "",
            "EU",
            "eu 1",
            "eu/1",
            "../eu",
            "eu_1",
            "\u{e9}u",
            "eu\n",
            too_long.as_str(),
        ] {
            assert_eq!(
                RegionSet::new([name]),
                Err(RegionError::Malformed),
                "{name:?}"
            );
            assert_eq!(
                RegionSet::default().region(name),
                Err(RegionError::Malformed),
                "{name:?}"
            );
        }
    }
}
