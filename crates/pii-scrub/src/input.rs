//! What is scanned. An input exists only when a scrubber can read all of it.

use std::fmt;

use crate::{Reason, ScanError};

/// Longest input in bytes, 16 MiB (ours): offsets and findings stay small; longer texts come in
/// parts that the caller cuts.
pub const INPUT_LEN_BYTES_MAX: usize = 16 << 20;

/// A text to scan: UTF-8, at most [`INPUT_LEN_BYTES_MAX`] bytes. Its `Debug` shows no content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Input<'a>(&'a str);

impl<'a> Input<'a> {
    /// The text in these bytes.
    ///
    /// # Errors
    /// [`ScanError::Incomplete`] when they are too many, or at the first that is no UTF-8: what
    /// cannot be read is refused, never skipped.
    pub fn utf8(bytes: &'a [u8]) -> Result<Self, ScanError> {
        if bytes.len() > INPUT_LEN_BYTES_MAX {
            return Err(ScanError::Incomplete {
                at: INPUT_LEN_BYTES_MAX,
                reason: Reason::InputTooLong,
            });
        }
        str::from_utf8(bytes)
            .map(Self)
            .map_err(|error| ScanError::Incomplete {
                at: error.valid_up_to(),
                reason: Reason::InvalidUtf8,
            })
    }

    /// The text.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.0
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Input({} bytes)", self.len_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused() {
        let check = |bytes: &[u8], expect: Option<(usize, Reason)>| {
            let found = Input::utf8(bytes).err();
            let expect = expect.map(|(at, reason)| ScanError::Incomplete { at, reason });
            assert_eq!(found, expect);
        };
        check(b"", None);
        check("caf\u{e9}".as_bytes(), None);
        check(b"caf\xe9", Some((3, Reason::InvalidUtf8)));
        check(b"\xff", Some((0, Reason::InvalidUtf8)));
        check(b"a\xed\xa0\x80", Some((1, Reason::InvalidUtf8)));
        check(b"a\xc0\x80", Some((1, Reason::InvalidUtf8)));
        let mut longest = vec![b'a'; INPUT_LEN_BYTES_MAX];
        check(&longest, None);
        longest.push(b'a');
        check(&longest, Some((INPUT_LEN_BYTES_MAX, Reason::InputTooLong)));
    }

    #[test]
    fn debug_shows_no_content() {
        let input = Input::utf8(b"ann@example.com").unwrap();
        assert_eq!(format!("{input:?}"), "Input(15 bytes)");
    }
}
