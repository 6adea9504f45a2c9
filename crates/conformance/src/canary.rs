//! Canaries: marked values whose bytes can be searched for, and what a search of all stores found.
//!
//! Everything is sealed, so the marker alone proves nothing about deletion: the salts of the sealed
//! values that hold it are searched for as well, raw and in whatever an existing key still opens.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use covenant_core::digest::Digest;

/// Bytes of the salt of a sealed value: offset 17, 24 bytes of the format `SealedValue`.
pub const SALT_LEN_BYTES: usize = 24;

/// The salt of one sealed value, as its owner told it.
pub type Salt = [u8; SALT_LEN_BYTES];

/// A marked value: bytes that occur nowhere else, and the salts of the sealed values that hold them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    marker: Vec<u8>,
    salts: Vec<Salt>,
}

impl Canary {
    /// A canary with this marker and no salts yet; an empty marker is never sighted.
    #[must_use]
    pub fn of(marker: &[u8]) -> Self {
        Self {
            marker: marker.to_vec(),
            salts: Vec::new(),
        }
    }

    /// The canary that the seed and a running number give: 45 printable ASCII bytes, so that it may
    /// stand in a text column.
    #[must_use]
    pub fn drawn(seed: u64, number: u64) -> Self {
        let digest = Digest::of(format!("covenant/canary/{seed}/{number}").as_bytes()).to_string();
        let (head, _) = digest.split_at_checked(32).unwrap_or((&digest, ""));
        Self::of(format!("CVNT-CANARY-{head}Z").as_bytes())
    }

    /// The same canary, with the salts of values that hold it.
    #[must_use]
    pub fn with_salts(mut self, salts: impl IntoIterator<Item = Salt>) -> Self {
        self.salts.extend(salts);
        self
    }

    /// The bytes to write and to search for.
    #[must_use]
    pub fn marker(&self) -> &[u8] {
        &self.marker
    }

    /// The salts of the sealed values that hold the marker.
    #[must_use]
    pub fn salts(&self) -> &[Salt] {
        &self.salts
    }

    /// SHA-256 of the marker: the form in which evidence names a canary.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.marker)
    }
}

/// A kind of store that a search goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Store {
    /// Database files with all that lies beside them (log, journal, shared memory).
    Rows,
    /// Attachments.
    Objects,
    /// The depot of the backups.
    Backups,
    /// Copies of the depot.
    Replica,
    /// The audit log's own store.
    Audit,
    /// Anything else the system writes: scratch, caches, its own logs.
    Other,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows => "rows",
            Self::Objects => "objects",
            Self::Backups => "backups",
            Self::Replica => "replica",
            Self::Audit => "audit",
            Self::Other => "other",
        })
    }
}

/// Which of a canary's bytes were found, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Sight {
    /// The marker, in the bytes as they lie.
    Marker,
    /// One of the salts, in the bytes as they lie.
    Salt,
    /// The marker, in what a key that still exists opened.
    Opened,
}

/// What a search found: how often, where; and how much it looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sightings {
    scanned_bytes: BTreeMap<Store, u64>,
    found: BTreeMap<(Store, Sight), u64>,
}

impl Sightings {
    /// A search that looked at nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that were looked at in a store.
    pub fn add_scanned(&mut self, store: Store, bytes: u64) {
        let sum = self.scanned_bytes.entry(store).or_default();
        *sum = sum.saturating_add(bytes);
    }

    /// Adds findings.
    pub fn add_found(&mut self, store: Store, sight: Sight, times: u64) {
        let sum = self.found.entry((store, sight)).or_default();
        *sum = sum.saturating_add(times);
    }

    /// Looks for the canary's bytes in `bytes` as they lie in `store`, and adds all of it.
    pub fn look(&mut self, store: Store, bytes: &[u8], canary: &Canary) {
        self.add_scanned(store, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.add_found(store, Sight::Marker, occurrences(bytes, canary.marker()));
        if !canary.salts.is_empty() {
            self.add_found(store, Sight::Salt, salts_in(bytes, &canary.salts));
        }
    }

    /// How many bytes of the store were looked at.
    #[must_use]
    pub fn scanned_bytes(&self, store: Store) -> u64 {
        self.scanned_bytes.get(&store).copied().unwrap_or(0)
    }

    /// How often this was found in the store.
    #[must_use]
    pub fn found(&self, store: Store, sight: Sight) -> u64 {
        self.found.get(&(store, sight)).copied().unwrap_or(0)
    }

    /// How often anything of the canary was found in the store, raw or opened.
    #[must_use]
    pub fn anything(&self, store: Store) -> u64 {
        [Sight::Marker, Sight::Salt, Sight::Opened]
            .into_iter()
            .fold(0, |sum, sight| sum.saturating_add(self.found(store, sight)))
    }
}

/// How often `needle` occurs in `bytes`; an empty needle never does.
#[must_use]
pub fn occurrences(bytes: &[u8], needle: &[u8]) -> u64 {
    if needle.is_empty() {
        return 0;
    }
    let count = bytes
        .windows(needle.len())
        .filter(|window| *window == needle)
        .count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// How often any of the salts occurs in `bytes`. A table of the first two bytes keeps most positions
/// from being hashed: thousands of salts are searched for in files of many megabytes.
#[must_use]
pub fn salts_in(bytes: &[u8], salts: &[Salt]) -> u64 {
    let all: HashSet<&[u8]> = salts.iter().map(Salt::as_slice).collect();
    let mut starts = vec![false; 1 << 16];
    for [first, second, ..] in salts {
        let at = usize::from(u16::from_be_bytes([*first, *second]));
        if let Some(start) = starts.get_mut(at) {
            *start = true;
        }
    }
    let candidate = |window: &[u8]| match window {
        [first, second, ..] => {
            let at = usize::from(u16::from_be_bytes([*first, *second]));
            starts.get(at).copied().unwrap_or(false) && all.contains(window)
        }
        _ => false,
    };
    let count = bytes
        .windows(SALT_LEN_BYTES)
        .filter(|window| candidate(window))
        .count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_counts_markers_and_salts_apart() {
        let salt = [7_u8; SALT_LEN_BYTES];
        let canary = Canary::drawn(1, 2).with_salts([salt]);
        let mut bytes = vec![0_u8; 10];
        bytes.extend_from_slice(canary.marker());
        bytes.push(1);
        bytes.extend_from_slice(&salt);
        let mut sightings = Sightings::new();
        sightings.look(Store::Rows, &bytes, &canary);
        assert_eq!(sightings.found(Store::Rows, Sight::Marker), 1);
        assert_eq!(sightings.found(Store::Rows, Sight::Salt), 1);
        assert_eq!(sightings.anything(Store::Objects), 0);
        assert_eq!(sightings.scanned_bytes(Store::Rows), 10 + 45 + 1 + 24);
    }

    #[test]
    fn two_canaries_never_share_a_marker() {
        assert_ne!(Canary::drawn(1, 2), Canary::drawn(1, 3));
        assert_ne!(Canary::drawn(1, 2), Canary::drawn(2, 2));
        assert_eq!(Canary::drawn(1, 2).marker().len(), 45);
    }

    #[test]
    fn nothing_is_found_of_an_empty_marker() {
        assert_eq!(occurrences(b"abc", b""), 0);
        assert_eq!(occurrences(b"", b"a"), 0);
    }
}
