//! The raw scan: whether given bytes are anywhere in given files, whatever the files are.
//!
//! It proves absence in the form that was looked for. What is compressed, encrypted or split over
//! pages is not found: look for salts and for markers shorter than a page.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Probe;

/// Shortest needle in bytes: the scan looks at eight at a time, and shorter ones are found anywhere.
pub const NEEDLE_LEN_BYTES_MIN: usize = 8;
/// Longest needle in bytes: a quarter of SQLite's usual page, so that one page can hold it.
pub const NEEDLE_LEN_BYTES_MAX: usize = 1_024;
/// Most places of one needle in one file that are listed: a bound of ours, so that a needle which is
/// everywhere, such as one of zeros, costs no memory.
pub const SIGHTINGS_MAX: usize = 1_000;
/// Bytes read at a time.
const CHUNK_LEN_BYTES: usize = 1 << 20;
/// Fewest bits of the filter, as a power of two: 32 KiB, which stays in a processor's first cache.
const FILTER_BITS_MIN: u32 = 18;
/// Most bits of the filter: 2 MiB, which stays in its second.
const FILTER_BITS_MAX: u32 = 24;
/// Bits of the filter for each needle, as a power of two: one window in sixteen then passes it.
const FILTER_BITS_EACH: u32 = 4;

/// Bytes to look for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Needle(Vec<u8>);

/// Bytes cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a needle has {NEEDLE_LEN_BYTES_MIN} to {NEEDLE_LEN_BYTES_MAX} bytes")]
pub struct NeedleError;

/// Where a needle was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sighting {
    /// The file.
    pub file: Arc<Path>,
    /// Position of its first byte.
    pub offset: u64,
    /// Position of the needle in the list; of equal needles the first.
    pub needle: usize,
}

/// What a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Every place of every needle, in the order of the files and offsets; of each needle and file the
    /// first [`SIGHTINGS_MAX`].
    pub sightings: Vec<Sighting>,
    /// How many further places there are, beyond those.
    pub unlisted: u64,
    /// Bytes that were looked at.
    pub bytes: u64,
}

/// Many needles, made ready.
#[derive(Debug)]
pub struct Scanner {
    filter: Vec<u64>,
    filter_bits: u32,
    groups: HashMap<u64, Vec<Group>>,
    longest: usize,
}

/// The needles of one length that begin alike.
#[derive(Debug)]
struct Group {
    len: usize,
    needles: HashMap<Vec<u8>, usize>,
}

/// The database file and the side files that SQLite may leave next to it: `-wal`, `-journal`, `-shm`.
#[must_use]
pub fn sqlite_files(database: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-journal", "-shm"].map(|suffix| {
        let mut name = OsString::from(database);
        name.push(suffix);
        PathBuf::from(name)
    })
}

/// Looks for all needles in all files; a file that is not there holds nothing. Reads each file
/// once, and blocks: call it where blocking is allowed.
///
/// # Errors
/// As the file system answers; nothing is known then.
// clause: P-52
pub fn find(files: &[PathBuf], needles: &[Needle]) -> io::Result<Scanned> {
    let scanner = Scanner::new(needles);
    let mut all = Scanned::default();
    for file in files {
        scanner.scan_file(file, &mut all)?;
    }
    Ok(all)
}

impl Needle {
    /// These bytes.
    ///
    /// # Errors
    /// [`NeedleError`] when they are too few or too many.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, NeedleError> {
        let bytes = bytes.into();
        if (NEEDLE_LEN_BYTES_MIN..=NEEDLE_LEN_BYTES_MAX).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(NeedleError)
        }
    }

    /// The text as UTF-8, as UTF-16 in both byte orders, and as [`Needle::encodings`] writes it.
    ///
    /// # Errors
    /// [`NeedleError`] when a form is too short or too long.
    pub fn forms(text: &str) -> Result<Vec<Self>, NeedleError> {
        let mut forms = Self::encodings(text.as_bytes())?;
        let units = || text.encode_utf16();
        forms.push(Self::new(
            units().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
        )?);
        forms.push(Self::new(
            units().flat_map(u16::to_be_bytes).collect::<Vec<u8>>(),
        )?);
        Ok(forms)
    }

    /// The bytes as they are, as hexadecimal of both cases, and as base64 of both alphabets
    /// (RFC 4648, 4 and 5) at each of the three places that they can have in a longer text; equal
    /// forms once. The first is the bytes themselves.
    ///
    /// # Errors
    /// [`NeedleError`] when a form is too short or too long.
    pub fn encodings(bytes: &[u8]) -> Result<Vec<Self>, NeedleError> {
        let hex = covenant_core::canon::hex(bytes);
        let mut forms = vec![bytes.to_vec(), hex.to_ascii_uppercase().into_bytes()];
        forms.push(hex.into_bytes());
        for last_two in [b"+/", b"-_"] {
            forms.extend([0, 4, 2].map(|skip_bits| base64(bytes, skip_bits, *last_two)));
        }
        let mut unique = Vec::with_capacity(forms.len());
        for form in forms {
            let form = Self::new(form)?;
            if !unique.contains(&form) {
                unique.push(form);
            }
        }
        Ok(unique)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&Probe> for Needle {
    fn from(probe: &Probe) -> Self {
        Self(probe.as_bytes().to_vec())
    }
}
impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Needle({} bytes)", self.0.len())
    }
}

impl Scanner {
    /// A scanner for these needles.
    #[must_use]
    pub fn new(needles: &[Needle]) -> Self {
        let wanted = needles
            .len()
            .max(1)
            .ilog2()
            .saturating_add(FILTER_BITS_EACH);
        let filter_bits = wanted.clamp(FILTER_BITS_MIN, FILTER_BITS_MAX);
        let mut scanner = Self {
            filter: vec![0; 1 << filter_bits.saturating_sub(6)],
            filter_bits,
            groups: HashMap::new(),
            longest: NEEDLE_LEN_BYTES_MIN,
        };
        for (at, needle) in needles.iter().enumerate() {
            let bytes = needle.as_bytes();
            let Some(head) = bytes.first_chunk::<NEEDLE_LEN_BYTES_MIN>() else {
                continue;
            };
            let key = u64::from_be_bytes(*head);
            let (word, bit) = place(key, filter_bits);
            if let Some(word) = scanner.filter.get_mut(word) {
                *word |= bit;
            }
            let groups = scanner.groups.entry(key).or_default();
            let len = bytes.len();
            if groups.iter().all(|group| group.len != len) {
                groups.push(Group {
                    len,
                    needles: HashMap::new(),
                });
            }
            for group in groups.iter_mut().filter(|group| group.len == len) {
                group.needles.entry(bytes.to_vec()).or_insert(at);
            }
            scanner.longest = scanner.longest.max(len);
        }
        scanner
    }

    /// Looks into one file and adds what it finds; a file that is not there holds nothing.
    ///
    /// # Errors
    /// As the file system answers.
    pub fn scan_file(&self, file: &Path, all: &mut Scanned) -> io::Result<()> {
        match File::open(file) {
            Ok(open) => self.scan(&Arc::from(file), open, CHUNK_LEN_BYTES, all),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads chunk by chunk; the last bytes of a chunk, in which a needle can begin that ends in
    /// the next, are looked at together with the next.
    fn scan(
        &self,
        file: &Arc<Path>,
        mut from: impl Read,
        chunk_len_bytes: usize,
        all: &mut Scanned,
    ) -> io::Result<()> {
        let mut buffer: Vec<u8> = Vec::with_capacity(chunk_len_bytes.saturating_add(self.longest));
        let mut base = 0_u64;
        let mut listed = HashMap::new();
        loop {
            let limit = u64::try_from(chunk_len_bytes).unwrap_or(u64::MAX);
            let read = from.by_ref().take(limit).read_to_end(&mut buffer)?;
            all.bytes = all
                .bytes
                .saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            let ended = read == 0;
            let overlap = if ended {
                0
            } else {
                self.longest.saturating_sub(1)
            };
            let starts = buffer.len().saturating_sub(overlap);
            self.look(file, (&buffer, starts, base), &mut listed, all);
            if ended {
                return Ok(());
            }
            buffer.drain(..starts);
            base = base.saturating_add(u64::try_from(starts).unwrap_or(u64::MAX));
        }
    }

    /// Finds every needle that begins in the first `starts` bytes; `listed` is how often each was, in
    /// this file.
    fn look(
        &self,
        file: &Arc<Path>,
        (bytes, starts, base): (&[u8], usize, u64),
        listed: &mut HashMap<usize, usize>,
        all: &mut Scanned,
    ) {
        let (filter, filter_bits) = (self.filter.as_slice(), self.filter_bits);
        let mut key = 0_u64;
        // a needle that begins at `at` has its eighth byte seven further on
        for (last, byte) in bytes.iter().enumerate() {
            key = key << 8 | u64::from(*byte);
            let (word, bit) = place(key, filter_bits);
            if filter.get(word).is_none_or(|word| word & bit == 0) {
                continue;
            }
            let Some(at) = last.checked_sub(NEEDLE_LEN_BYTES_MIN - 1) else {
                continue;
            };
            if at >= starts {
                return;
            }
            for group in self.groups.get(&key).into_iter().flatten() {
                let end = at.saturating_add(group.len);
                let Some(needle) = bytes.get(at..end).and_then(|b| group.needles.get(b)) else {
                    continue;
                };
                let listed = listed.entry(*needle).or_default();
                if *listed >= SIGHTINGS_MAX {
                    all.unlisted = all.unlisted.saturating_add(1);
                    continue;
                }
                *listed = listed.saturating_add(1);
                let offset = base.saturating_add(u64::try_from(at).unwrap_or(u64::MAX));
                let file = Arc::clone(file);
                all.sightings.push(Sighting {
                    file,
                    offset,
                    needle: *needle,
                });
            }
        }
    }
}

/// The characters of base64 that are made of these bytes alone when the bytes begin so many bits
/// before a character does: 0, 4 or 2, for none, one or two bytes before them in their group.
fn base64(bytes: &[u8], skip_bits: u32, last_two: [u8; 2]) -> Vec<u8> {
    let letters = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9');
    let alphabet: Vec<u8> = letters.chain(last_two).collect();
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(4).div_ceil(3));
    let (mut bits, mut have) = (0_u32, 0_u32);
    let mut skip = skip_bits;
    for byte in bytes {
        bits = bits << 8 & 0xffff | u32::from(*byte);
        have = have.saturating_add(8_u32.saturating_sub(skip));
        skip = 0;
        while have >= 6 {
            have = have.saturating_sub(6);
            let at = usize::try_from(bits >> have & 63).unwrap_or(0);
            text.extend(alphabet.get(at));
        }
    }
    text
}

/// Word and bit of the filter: the upper bits of a multiplicative hash (Knuth, by the golden ratio).
#[inline]
fn place(key: u64, filter_bits: u32) -> (usize, u64) {
    let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 64_u32.saturating_sub(filter_bits);
    (usize::try_from(hash >> 6).unwrap_or(0), 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_the_obvious_search_finds(
            hay in proptest::collection::vec(0..3_u8, 0..200),
            cuts in proptest::collection::vec((0..150_usize, 8..14_usize), 0..6),
            chunk in 1..40_usize,
        ) {
            let mut needles = vec![Needle::new([1; 9]).unwrap(), Needle::new([9; 8]).unwrap()];
            for (at, len) in cuts {
                needles.extend(hay.get(at..at + len).map(|b| Needle::new(b).unwrap()));
            }
            let mut expect = Vec::new();
            for offset in 0..hay.len() {
                for (n, needle) in needles.iter().enumerate() {
                    let first = needles.iter().position(|other| other == needle) == Some(n);
                    if first && hay[offset..].starts_with(needle.as_bytes()) {
                        expect.push((u64::try_from(offset).unwrap(), n));
                    }
                }
            }
            let mut all = Scanned::default();
            let file: Arc<Path> = Arc::from(Path::new("hay"));
            Scanner::new(&needles).scan(&file, hay.as_slice(), chunk, &mut all).unwrap();
            let mut found: Vec<_> = all.sightings.iter().map(|s| (s.offset, s.needle)).collect();
            found.sort_unstable();
            prop_assert_eq!(found, expect);
            prop_assert_eq!(all.bytes, u64::try_from(hay.len()).unwrap());
        }
    }

    #[test]
    fn needles_have_a_length_and_many_forms() {
        assert!(Needle::new([0; 7]).is_err());
        assert!(Needle::new([0; 8]).is_ok());
        assert!(Needle::new([0; 1_024]).is_ok());
        assert!(Needle::new([0; 1_025]).is_err());
        let forms = Needle::forms("marker-1").unwrap();
        assert_eq!(
            forms.len(),
            8,
            "no letter of this text differs in the other alphabet"
        );
        assert!(
            forms
                .iter()
                .any(|form| form.as_bytes() == b"6d61726b65722d31")
        );
        assert!(Needle::forms("short").is_err());
    }

    #[test]
    fn base64_is_found_wherever_the_bytes_begin() {
        // RFC 4648, 10, and `printf '%sfoobar!?~end' x xx | base64`
        for (before, whole) in [
            ("", "Zm9vYmFyIT9+ZW5k"),
            ("x", "eGZvb2JhciE/fmVuZA=="),
            ("xx", "eHhmb29iYXIhP35lbmQ="),
        ] {
            let needles = Needle::encodings(b"foobar!?~").unwrap();
            let found = needles.iter().filter(|needle| {
                let bytes = needle.as_bytes();
                whole.as_bytes().windows(bytes.len()).any(|at| at == bytes)
            });
            assert_eq!(found.count(), 1, "after {before:?}");
        }
        let needles = Needle::encodings(&[0xfb; 9]).unwrap();
        assert!(needles.iter().any(|n| n.as_bytes() == b"-_v7-_v7-_v7"));
        assert!(needles.iter().any(|n| n.as_bytes() == b"+/v7+/v7+/v7"));
    }

    #[test]
    fn what_is_everywhere_is_counted_and_not_listed() {
        let needles = [Needle::new([0; 8]).unwrap(), Needle::new([7; 8]).unwrap()];
        let mut hay = vec![0; 5_000];
        hay.extend([7; 8]);
        let mut all = Scanned::default();
        let file: Arc<Path> = Arc::from(Path::new("hay"));
        let scanner = Scanner::new(&needles);
        scanner.scan(&file, hay.as_slice(), 512, &mut all).unwrap();
        assert_eq!(all.sightings.len(), SIGHTINGS_MAX + 1);
        assert_eq!(all.unlisted, 5_000 - 7 - 1_000);
        let last = all.sightings.last().unwrap();
        assert_eq!(
            (last.needle, last.offset),
            (1, 5_000),
            "the other is not hidden"
        );
        scanner.scan(&file, hay.as_slice(), 512, &mut all).unwrap();
        assert_eq!(
            all.sightings.len(),
            2 * (SIGHTINGS_MAX + 1),
            "each file anew"
        );
    }

    #[test]
    fn files_that_are_not_there_hold_nothing() {
        let needle = [Needle::new(*b"12345678").unwrap()];
        let files = sqlite_files(Path::new("/nowhere/at/all.db"));
        assert_eq!(find(&files, &needle).unwrap(), Scanned::default());
        assert!(files[1].ends_with("all.db-wal"));
        assert!(
            find(&[PathBuf::from("/")], &needle).is_err(),
            "a folder is no file"
        );
    }
}
