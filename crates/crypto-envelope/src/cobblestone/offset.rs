//! Length arithmetic of a message: which lengths exist, and what they hold. Pure; sees no byte.
#![deny(clippy::arithmetic_side_effects)]

use super::{CHUNK_LEN_BYTES, CHUNKS_MAX, HEADER_LEN_BYTES, SEALED_CHUNK_LEN_BYTES, TAG_LEN_BYTES};

/// Bytes of the message that seals this many bytes: 56, 16,400 for each full chunk, and the last,
/// shorter chunk with its tag. `None` above 2^38 chunks.
#[must_use]
pub fn sealed_len(plain: u64) -> Option<u64> {
    let chunk = u64::try_from(CHUNK_LEN_BYTES).ok()?;
    let full = plain.checked_div(chunk)?;
    if full >= CHUNKS_MAX {
        return None;
    }
    let last = plain.checked_rem(chunk)?;
    full.checked_mul(u64::try_from(SEALED_CHUNK_LEN_BYTES).ok()?)?
        .checked_add(last)?
        .checked_add(u64::try_from(HEADER_LEN_BYTES.checked_add(TAG_LEN_BYTES)?).ok()?)
}

/// Bytes of plaintext in a message of this length; `None` for a length that no message has: below
/// 72, cut after a full chunk, cut within a tag, or above 2^38 chunks.
#[must_use]
pub fn plain_len(sealed: u64) -> Option<u64> {
    let chunk = u64::try_from(SEALED_CHUNK_LEN_BYTES).ok()?;
    let body = sealed.checked_sub(u64::try_from(HEADER_LEN_BYTES).ok()?)?;
    let full = body.checked_div(chunk)?;
    if full >= CHUNKS_MAX {
        return None;
    }
    let last = body
        .checked_rem(chunk)?
        .checked_sub(u64::try_from(TAG_LEN_BYTES).ok()?)?;
    full.checked_mul(u64::try_from(CHUNK_LEN_BYTES).ok()?)?
        .checked_add(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_lengths() {
        let table = [
            (0, 72),
            (1, 73),
            (16_383, 16_455),
            (16_384, 16_472),
            (16_385, 16_473),
            (32_768, 32_872),
        ];
        for (plain, sealed) in table {
            assert_eq!(sealed_len(plain), Some(sealed), "plain {plain}");
            assert_eq!(plain_len(sealed), Some(plain), "sealed {sealed}");
        }
    }

    #[test]
    fn lengths_that_no_message_has() {
        let truncated = [
            0,
            55,
            56,
            71,
            56 + 16_400,
            56 + 16_400 + 15,
            56 + 2 * 16_400,
        ];
        for sealed in truncated {
            assert_eq!(plain_len(sealed), None, "sealed {sealed}");
        }
        assert_eq!(sealed_len(u64::MAX), None);
        assert_eq!(plain_len(u64::MAX), None);
    }

    #[test]
    fn the_longest_message_has_its_cap() {
        let longest = CHUNKS_MAX * 16_384 - 1;
        let sealed = sealed_len(longest).expect("the longest is sealable");
        assert_eq!(plain_len(sealed), Some(longest));
        assert_eq!(sealed_len(longest + 1), None);
        assert_eq!(plain_len(sealed + 17), None);
    }

    #[test]
    fn each_length_is_the_inverse_of_the_other() {
        for sealed in 0..70_000 {
            if let Some(plain) = plain_len(sealed) {
                assert_eq!(sealed_len(plain), Some(sealed));
            }
        }
        for plain in 0..70_000 {
            assert_eq!(sealed_len(plain).and_then(plain_len), Some(plain));
        }
    }
}
