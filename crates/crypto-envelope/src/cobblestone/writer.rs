//! Sealing a whole message, in memory.

use covenant_core::{Random, RandomError};

use super::{CHUNK_LEN_BYTES, Message, SALT_LEN_BYTES, sealed_len};

/// A message could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// No salt could be drawn.
    #[error("no salt")]
    Random(#[source] RandomError),
    /// The message would have more than 2^38 chunks, or more bytes than memory has addresses.
    #[error("the message is too large")]
    TooLarge,
}

/// Seals the bytes under root and context, with a fresh salt.
///
/// # Errors
/// [`SealError::Random`] when no salt can be drawn, [`SealError::TooLarge`] above the cap.
pub fn seal(
    root: &[u8; 32],
    context: &[u8],
    plain: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, SealError> {
    let mut salt = [0_u8; SALT_LEN_BYTES];
    random.fill(&mut salt).map_err(SealError::Random)?;
    seal_with_salt(root, context, plain, &salt)
}

/// Seals the bytes with a given salt: for test vectors and for interoperation. Two messages with
/// one root, context and salt break both: use [`seal`].
///
/// # Errors
/// [`SealError::TooLarge`] above the cap.
pub fn seal_with_salt(
    root: &[u8; 32],
    context: &[u8],
    plain: &[u8],
    salt: &[u8; SALT_LEN_BYTES],
) -> Result<Vec<u8>, SealError> {
    seal_behind(&[], root, context, plain, salt)
}

/// The same behind a prefix, in one allocation of the final length.
pub(crate) fn seal_behind(
    prefix: &[u8],
    root: &[u8; 32],
    context: &[u8],
    plain: &[u8],
    salt: &[u8; SALT_LEN_BYTES],
) -> Result<Vec<u8>, SealError> {
    let len = u64::try_from(plain.len()).ok().and_then(sealed_len);
    let len = len
        .and_then(|len| usize::try_from(len).ok())
        .and_then(|len| len.checked_add(prefix.len()))
        .ok_or(SealError::TooLarge)?;
    let message = Message::derive(root, salt, context).ok_or(SealError::TooLarge)?;
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(prefix);
    out.extend_from_slice(salt);
    out.extend_from_slice(&message.commitment);

    let full = plain.chunks_exact(CHUNK_LEN_BYTES);
    let last = full.remainder();
    for (number, chunk) in (0_u64..).zip(full.chain(std::iter::once(last))) {
        message.seal_onto(number, chunk, &mut out)?;
    }
    Ok(out)
}
