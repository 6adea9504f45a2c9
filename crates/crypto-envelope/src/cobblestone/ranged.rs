//! Opening parts of a message, by chunks: header and length are checked first, and each chunk on its
//! own. A length that was cut is found out by the last chunk, which no other bytes can stand in for.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::ops::Range;

use covenant_core::Secret;
use subtle::ConstantTimeEq as _;

use super::{
    HEADER_LEN_BYTES, Message, NotAuthentic, SALT_LEN_BYTES, SEALED_CHUNK_LEN_BYTES, plain_len,
};

/// [`HEADER_LEN_BYTES`], for positions.
const HEADER: u64 = 56;
/// Bytes of plaintext of a full chunk, for positions.
const CHUNK: u64 = 16_384;
/// [`SEALED_CHUNK_LEN_BYTES`], for positions.
const SEALED_CHUNK: u64 = 16_400;

/// A message whose header was checked, and whose chunks can be opened in any order.
pub struct Opening {
    message: Message,
    sealed_len: u64,
    plain_len: u64,
}

impl Opening {
    /// Checks length and commitment of a message; `header` is its first 56 bytes.
    ///
    /// # Errors
    /// [`NotAuthentic`] for another root or context, and for a length that no message has.
    pub fn begin(
        root: &[u8; 32],
        context: &[u8],
        header: &[u8],
        sealed_len: u64,
    ) -> Result<Self, NotAuthentic> {
        let plain_len = plain_len(sealed_len).ok_or(NotAuthentic)?;
        let header: &[u8; HEADER_LEN_BYTES] = header.try_into().or(Err(NotAuthentic))?;
        let (salt, commitment) = header
            .split_at_checked(SALT_LEN_BYTES)
            .ok_or(NotAuthentic)?;
        let message = Message::derive(root, salt, context).ok_or(NotAuthentic)?;
        if !bool::from(message.commitment.as_slice().ct_eq(commitment)) {
            return Err(NotAuthentic);
        }
        Ok(Self {
            message,
            sealed_len,
            plain_len,
        })
    }

    /// Bytes of plaintext, as the length of the message says. It is authentic once the last chunk
    /// was opened, and not before.
    #[must_use]
    pub const fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// The bytes of the message that hold this range of the plaintext: whole chunks. A range that
    /// ends where the plaintext ends includes the last chunk, also when that holds nothing; an empty
    /// range within has no chunks.
    #[must_use]
    pub fn sealed_range(&self, plain: &Range<u64>) -> Range<u64> {
        let end = plain.end.min(self.plain_len);
        let at = |chunk: u64| {
            let at = chunk.saturating_mul(SEALED_CHUNK).saturating_add(HEADER);
            at.min(self.sealed_len)
        };
        let first = plain.start.min(end) / CHUNK;
        let after = if end == self.plain_len {
            u64::MAX
        } else if plain.start >= end {
            first
        } else {
            end.div_ceil(CHUNK)
        };
        at(first)..at(after)
    }

    /// The last chunk of the message.
    #[must_use]
    pub fn last_chunk(&self) -> Range<u64> {
        self.sealed_range(&(self.plain_len..self.plain_len))
    }

    /// Opens whole chunks that begin at this byte of the message, as [`Opening::sealed_range`] gave
    /// it, and appends what they hold.
    ///
    /// # Errors
    /// [`NotAuthentic`] for bytes that are not those chunks; what came before is in `out`, and
    /// authentic.
    pub fn open(
        &self,
        at: u64,
        sealed: &[u8],
        out: &mut Secret<Vec<u8>>,
    ) -> Result<(), NotAuthentic> {
        let from = at.checked_sub(HEADER).ok_or(NotAuthentic)?;
        if from.checked_rem(SEALED_CHUNK) != Some(0) {
            return Err(NotAuthentic);
        }
        let first = from.checked_div(SEALED_CHUNK).ok_or(NotAuthentic)?;
        let len = u64::try_from(sealed.len()).or(Err(NotAuthentic))?;
        let end = at.checked_add(len).ok_or(NotAuthentic)?;
        if end > self.sealed_len {
            return Err(NotAuthentic);
        }
        let out = out.expose_mut();
        out.reserve(sealed.len());
        for (number, chunk) in (first..).zip(sealed.chunks(SEALED_CHUNK_LEN_BYTES)) {
            self.message.open_onto(number, chunk, out)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("plain_len", &self.plain_len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CHUNK_LEN_BYTES, seal_with_salt, sealed_len};
    use super::*;

    const ROOT: [u8; 32] = [3; 32];

    fn opening(plain_len: u64) -> Opening {
        let plain = vec![5; usize::try_from(plain_len).expect("small")];
        let sealed = seal_with_salt(&ROOT, b"x", &plain, &[9; 24]).expect("seals");
        let len = sealed_len(plain_len).expect("short");
        Opening::begin(&ROOT, b"x", &sealed[..56], len).expect("authentic")
    }

    #[test]
    fn positions_are_counted_in_the_units_of_the_format() {
        assert_eq!(usize::try_from(HEADER), Ok(HEADER_LEN_BYTES));
        assert_eq!(usize::try_from(CHUNK), Ok(CHUNK_LEN_BYTES));
        assert_eq!(usize::try_from(SEALED_CHUNK), Ok(SEALED_CHUNK_LEN_BYTES));
    }

    #[test]
    fn a_range_is_the_chunks_that_hold_it() {
        let two = opening(2 * CHUNK);
        let end = 56 + 2 * 16_400 + 16;
        for (plain, sealed) in [
            (0..1, 56..16_456),
            (0..16_384, 56..16_456),
            (0..16_385, 56..32_856),
            (16_383..16_385, 56..32_856),
            (16_384..16_385, 16_456..32_856),
            (16_384..32_768, 16_456..end),
            (0..32_768, 56..end),
            (32_768..32_768, 32_856..end),
            (9..9, 56..56),
            (40_000..50_000, 32_856..end),
        ] {
            assert_eq!(two.sealed_range(&plain), sealed, "{plain:?}");
        }
        assert_eq!(two.last_chunk(), 32_856..end);
        assert_eq!(opening(0).last_chunk(), 56..72);
        assert_eq!(opening(5).sealed_range(&(0..5)), 56..77);
    }
}
