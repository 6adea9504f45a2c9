//! A log as static files, C2SP `tlog-tiles`: where each part stands, and the entries of a bundle.
//!
//! `checkpoint` holds the signed head, `tile/entries/<N>` up to 256 entries, `tile/<L>/<N>` the
//! hashes of the tree. The paths are those of the specification; nothing here reads or writes files.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt::Write as _;

/// Entries of a full bundle, and hashes of a full tile.
pub const BUNDLE_ENTRIES_MAX: u16 = 256;
/// Longest bundle in bytes: as many entries of the longest length, and their lengths.
pub const BUNDLE_LEN_BYTES_MAX: usize = 256 * (2 + 65_535);
/// Where the signed head stands.
pub const CHECKPOINT_PATH: &str = "checkpoint";

/// Bytes are no bundle of so many entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a bundle of that many entries")]
pub struct BundleError;

/// The path of the bundle with this number in a log of this size; `None` where the log is shorter.
#[must_use]
pub fn entries_path(bundle: u64, size: u64) -> Option<String> {
    Some(path("tile/entries", bundle, width(bundle, size)?))
}

/// The path of the tile of leaf hashes with this number in a log of this size; `None` where the log
/// is shorter.
#[must_use]
pub fn hashes_path(tile: u64, size: u64) -> Option<String> {
    Some(path("tile/0", tile, width(tile, size)?))
}

/// How many entries the bundle with this number has in a log of this size; `None` where the log is
/// shorter.
#[must_use]
pub fn width(bundle: u64, size: u64) -> Option<u16> {
    let before = bundle.checked_mul(u64::from(BUNDLE_ENTRIES_MAX))?;
    let width = size.checked_sub(before)?.min(u64::from(BUNDLE_ENTRIES_MAX));
    u16::try_from(width).ok().filter(|width| *width > 0)
}

/// `x001/x234/067`, and `.p/17` for a part.
fn path(folder: &str, number: u64, width: u16) -> String {
    let digits = number.to_string();
    let padding = "0".repeat(
        digits
            .len()
            .next_multiple_of(3)
            .saturating_sub(digits.len()),
    );
    let digits = format!("{padding}{digits}");
    let mut path = folder.to_owned();
    let groups = digits.as_bytes().chunks(3);
    let last = groups.len().saturating_sub(1);
    for (at, group) in groups.enumerate() {
        let x = if at < last { "x" } else { "" };
        // INVARIANT: writing to a string cannot fail
        let _always_ok = write!(path, "/{x}{}", String::from_utf8_lossy(group));
    }
    if width < BUNDLE_ENTRIES_MAX {
        // INVARIANT: as above
        let _always_ok = write!(path, ".p/{width}");
    }
    path
}

/// The bytes of a bundle: before each entry its length, two bytes, big-endian.
///
/// # Errors
/// [`BundleError`] for no entry, more than [`BUNDLE_ENTRIES_MAX`], or one above 65,535 bytes.
pub fn encode<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    let mut count = 0_u16;
    for entry in entries {
        let len = u16::try_from(entry.len()).or(Err(BundleError))?;
        count = count.checked_add(1).ok_or(BundleError)?;
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    if (1..=BUNDLE_ENTRIES_MAX).contains(&count) {
        Ok(bytes)
    } else {
        Err(BundleError)
    }
}

/// The entries of a bundle of this width.
///
/// # Errors
/// [`BundleError`] when the bytes hold another number of entries, or more than entries.
pub fn decode(mut bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    for _ in 0..width {
        let (len, rest) = bytes.split_first_chunk().ok_or(BundleError)?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (entry, rest) = rest.split_at_checked(len).ok_or(BundleError)?;
        entries.push(entry);
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(entries)
    } else {
        Err(BundleError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let check = |bundle, size, expect: &str| {
            assert_eq!(entries_path(bundle, size).as_deref(), Some(expect));
        };
        check(0, 256, "tile/entries/000");
        check(0, 1, "tile/entries/000.p/1");
        check(273, 70_000, "tile/entries/273.p/112");
        check(1_234_067, 1 << 40, "tile/entries/x001/x234/067");
        check(999, 1 << 20, "tile/entries/999");
        check(1_000, 1 << 20, "tile/entries/x001/000");
        assert_eq!(hashes_path(5, 2_000).as_deref(), Some("tile/0/005"));
        for (bundle, size) in [(0, 0), (1, 256), (2, 300), (u64::MAX, u64::MAX)] {
            assert_eq!(entries_path(bundle, size), None, "{bundle} of {size}");
        }
    }

    #[test]
    fn entries_come_back_and_nothing_else_does() -> Result<(), BundleError> {
        let entries: Vec<&[u8]> = vec![b"one", b"", &[7; 65_535]];
        let bytes = encode(entries.iter().copied())?;
        assert_eq!(decode(&bytes, 3)?, entries);
        for width in [0, 1, 2, 4, u16::MAX] {
            assert_eq!(decode(&bytes, width), Err(BundleError), "{width}");
        }
        let cut = bytes.get(..bytes.len().saturating_sub(1)).unwrap_or(&[]);
        assert_eq!(decode(cut, 3), Err(BundleError));
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(decode(&longer, 3), Err(BundleError));
        assert_eq!(encode([]), Err(BundleError));
        assert_eq!(encode([&[0; 65_536][..]]), Err(BundleError));
        assert_eq!(encode(vec![&b"x"[..]; 257]), Err(BundleError));
        assert!(encode(vec![&b"x"[..]; 256])?.len() <= BUNDLE_LEN_BYTES_MAX);
        Ok(())
    }
}
