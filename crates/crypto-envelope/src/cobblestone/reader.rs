//! Opening a whole message, in memory: everything or nothing.

use covenant_core::Secret;
use subtle::ConstantTimeEq;

use super::{
    HEADER_LEN_BYTES, Message, SALT_LEN_BYTES, SEALED_CHUNK_LEN_BYTES, TAG_LEN_BYTES, plain_len,
};

/// Not what was sealed under this root and context. Nothing tells which byte was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not authentic")]
pub struct NotAuthentic;

/// Opens a message. The length is checked first, then the commitment in constant time, then every
/// chunk; nothing is returned unless all of it is authentic.
///
/// # Errors
/// [`NotAuthentic`] for everything that was not sealed so.
pub fn open(
    root: &[u8; 32],
    context: &[u8],
    sealed: &[u8],
) -> Result<Secret<Vec<u8>>, NotAuthentic> {
    let len = u64::try_from(sealed.len())
        .ok()
        .and_then(plain_len)
        .ok_or(NotAuthentic)?;
    let len = usize::try_from(len).or(Err(NotAuthentic))?;
    let (header, body) = sealed
        .split_at_checked(HEADER_LEN_BYTES)
        .ok_or(NotAuthentic)?;
    let (salt, commitment) = header
        .split_at_checked(SALT_LEN_BYTES)
        .ok_or(NotAuthentic)?;
    let message = Message::derive(root, salt, context).ok_or(NotAuthentic)?;
    if !bool::from(message.commitment.as_slice().ct_eq(commitment)) {
        return Err(NotAuthentic);
    }

    // each chunk is opened where it stays, so that the last one's tag needs room for a while
    let mut plain = Secret::new(Vec::with_capacity(len.saturating_add(TAG_LEN_BYTES)));
    for (number, chunk) in (0_u64..).zip(body.chunks(SEALED_CHUNK_LEN_BYTES)) {
        message.open_onto(number, chunk, plain.expose_mut())?;
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::super::{seal_with_salt, sealed_len};
    use super::*;

    const ROOT: [u8; 32] = [3; 32];
    const SALT: [u8; 24] = [9; 24];

    fn sealed(plain: &[u8]) -> Vec<u8> {
        seal_with_salt(&ROOT, b"place", plain, &SALT).expect("seals")
    }

    #[test]
    fn what_was_sealed_opens_at_every_chunk_boundary() {
        for len in [0, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 49_152] {
            let plain: Vec<u8> = (0..len)
                .map(|i| u8::try_from(i % 251).expect("< 251"))
                .collect();
            let message = sealed(&plain);
            assert_eq!(
                u64::try_from(message.len()).ok(),
                sealed_len(len),
                "length {len}"
            );
            assert_eq!(
                open(&ROOT, b"place", &message).expect("opens").expose(),
                &plain
            );
        }
    }

    #[test]
    fn another_root_or_context_opens_nothing() {
        let message = sealed(b"text");
        assert!(open(&ROOT, b"place", &message).is_ok());
        assert_eq!(open(&[4; 32], b"place", &message).err(), Some(NotAuthentic));
        assert_eq!(open(&ROOT, b"plac", &message).err(), Some(NotAuthentic));
    }

    #[test]
    fn every_single_bit_matters() {
        let message = sealed(b"twelve bytes");
        for at in 0..message.len() {
            for bit in 0..8 {
                let mut wrong = message.clone();
                wrong[at] ^= 1 << bit;
                assert_eq!(
                    open(&ROOT, b"place", &wrong).err(),
                    Some(NotAuthentic),
                    "byte {at}"
                );
            }
        }
    }

    #[test]
    fn chunks_cannot_be_cut_swapped_or_added() {
        let message = sealed(&[1; 40_000]);
        let second = 56 + 16_400;
        for len in [
            0,
            56,
            71,
            72,
            second - 1,
            second,
            second + 16,
            2 * 16_400 + 56,
        ] {
            let cut = message.get(..len).expect("shorter");
            assert_eq!(
                open(&ROOT, b"place", cut).err(),
                Some(NotAuthentic),
                "cut to {len}"
            );
        }
        let mut swapped = message.clone();
        let (first, rest) = swapped.split_at_mut(second);
        first[56..].swap_with_slice(&mut rest[..16_400]);
        assert_eq!(open(&ROOT, b"place", &swapped).err(), Some(NotAuthentic));
        let mut longer = message.clone();
        longer.push(0);
        assert_eq!(open(&ROOT, b"place", &longer).err(), Some(NotAuthentic));
        longer.pop();
        assert!(open(&ROOT, b"place", &longer).is_ok());
    }
}
