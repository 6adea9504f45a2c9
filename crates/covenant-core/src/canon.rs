//! Canonical encoding: u32 big-endian length and bytes, fixed-width big-endian integers, instants
//! as i64 seconds since 1970. Injective: two different lists of values never encode alike.
#![deny(clippy::arithmetic_side_effects)]

use time::UtcDateTime;

/// Writes values in canonical form.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty writer.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// An empty writer that takes so many bytes without growing.
    #[must_use]
    pub fn with_capacity(len: usize) -> Self {
        Self(Vec::with_capacity(len))
    }

    /// Appends length and bytes; a value of 4 GiB or more is cut to `u32::MAX` bytes, which no
    /// caller reaches (all formats cap far below).
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
        let cut = usize::try_from(len).unwrap_or(usize::MAX);
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(value.get(..cut).unwrap_or(value));
        self
    }

    /// Appends length and UTF-8 bytes.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// Appends the bytes alone, for a field of fixed width.
    pub fn fixed(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.fixed(&[value])
    }

    /// Appends two bytes, big-endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.fixed(&value.to_be_bytes())
    }

    /// Appends four bytes, big-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.fixed(&value.to_be_bytes())
    }

    /// Appends eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.fixed(&value.to_be_bytes())
    }

    /// Appends eight bytes, big-endian, two's complement.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.fixed(&value.to_be_bytes())
    }

    /// Appends an instant as whole seconds; the fraction is dropped.
    pub fn instant(&mut self, value: UtcDateTime) -> &mut Self {
        self.i64(value.unix_timestamp())
    }

    /// The bytes written so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes are not canonical, or end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not in canonical encoding at byte {at}")]
pub struct CanonError {
    at: usize,
}

/// Reads values in canonical form; never reads past the end, never allocates more than is there.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// Takes exactly `len` bytes.
    ///
    /// # Errors
    /// [`CanonError`] when fewer are left.
    pub fn fixed(&mut self, len: usize) -> Result<&'a [u8], CanonError> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(CanonError { at: self.at })?;
        self.rest = rest;
        self.at = self.at.saturating_add(len);
        Ok(head)
    }

    /// Takes a field of a width known at compile time.
    ///
    /// # Errors
    /// [`CanonError`] when fewer bytes are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CanonError> {
        let at = self.at;
        self.fixed(N)?.try_into().or(Err(CanonError { at }))
    }

    /// Takes a length of at most `max`, and that many bytes.
    ///
    /// # Errors
    /// [`CanonError`] when the length is above `max` or above what is left.
    pub fn bytes(&mut self, max: usize) -> Result<&'a [u8], CanonError> {
        let at = self.at;
        let len = usize::try_from(self.u32()?).or(Err(CanonError { at }))?;
        if len > max {
            return Err(CanonError { at });
        }
        self.fixed(len)
    }

    /// Takes a length-prefixed UTF-8 text of at most `max` bytes.
    ///
    /// # Errors
    /// [`CanonError`] when too long, cut, or not UTF-8.
    pub fn text(&mut self, max: usize) -> Result<&'a str, CanonError> {
        let at = self.at;
        std::str::from_utf8(self.bytes(max)?).or(Err(CanonError { at }))
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// [`CanonError`] at the end.
    pub fn u8(&mut self) -> Result<u8, CanonError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Takes two bytes.
    ///
    /// # Errors
    /// [`CanonError`] at the end.
    pub fn u16(&mut self) -> Result<u16, CanonError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes four bytes.
    ///
    /// # Errors
    /// [`CanonError`] at the end.
    pub fn u32(&mut self) -> Result<u32, CanonError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes eight bytes.
    ///
    /// # Errors
    /// [`CanonError`] at the end.
    pub fn u64(&mut self) -> Result<u64, CanonError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Takes eight bytes, two's complement.
    ///
    /// # Errors
    /// [`CanonError`] at the end.
    pub fn i64(&mut self) -> Result<i64, CanonError> {
        self.array().map(i64::from_be_bytes)
    }

    /// Takes an instant in whole seconds.
    ///
    /// # Errors
    /// [`CanonError`] at the end, or outside the years -9999 to 9999.
    pub fn instant(&mut self) -> Result<UtcDateTime, CanonError> {
        let at = self.at;
        UtcDateTime::from_unix_timestamp(self.i64()?).or(Err(CanonError { at }))
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`CanonError`] when bytes are left over.
    pub const fn end(self) -> Result<(), CanonError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(CanonError { at: self.at })
        }
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('?');
    bytes
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect()
}

/// Bytes of lower-case hexadecimal; `None` for an odd length or another character.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |b: u8| match b {
        b'0'..=b'9' => b.checked_sub(b'0'),
        b'a'..=b'f' => b.checked_sub(b'a').and_then(|n| n.checked_add(10)),
        _ => None,
    };
    let pairs = text.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs
        .map(|p| Some(nibble(*p.first()?)? << 4 | nibble(*p.get(1)?)?))
        .collect()
}
