//! The bytes of a KEK file: magic, id, key, and a digest against damage, not against forgery.

use covenant_core::digest::Digest;
use covenant_core::{KeyId, Secret};

/// Bytes of a KEK file.
pub const KEK_FILE_LEN_BYTES: usize = 88;
const MAGIC: &[u8; 8] = b"COVKEK1\n";
const DIGESTED_LEN_BYTES: usize = 56;

/// Bytes are no KEK file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KekFileError {
    /// Another length or magic.
    #[error("not a key file")]
    NotAKeyFile,
    /// The digest does not fit.
    #[error("the key file is damaged")]
    Damaged,
    /// All zeros: its destruction was begun.
    #[error("the key was overwritten")]
    Overwritten,
}

/// The bytes of a KEK file.
#[must_use]
pub fn encode(id: KeyId, key: &[u8; 32]) -> Secret<Vec<u8>> {
    let mut bytes = Secret::new(Vec::with_capacity(KEK_FILE_LEN_BYTES));
    let out = bytes.expose_mut();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(key);
    let digest = Digest::of(out);
    out.extend_from_slice(digest.as_bytes());
    bytes
}

/// Reads a KEK file.
///
/// # Errors
/// [`KekFileError`] for everything that `encode` does not write.
pub fn decode(bytes: &[u8]) -> Result<(KeyId, Secret<[u8; 32]>), KekFileError> {
    if bytes.len() != KEK_FILE_LEN_BYTES {
        return Err(KekFileError::NotAKeyFile);
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(KekFileError::Overwritten);
    }
    let (digested, digest) = bytes
        .split_at_checked(DIGESTED_LEN_BYTES)
        .ok_or(KekFileError::NotAKeyFile)?;
    let (magic, rest) = digested
        .split_first_chunk::<8>()
        .ok_or(KekFileError::NotAKeyFile)?;
    let (id, key) = rest
        .split_first_chunk::<16>()
        .ok_or(KekFileError::NotAKeyFile)?;
    if magic != MAGIC {
        return Err(KekFileError::NotAKeyFile);
    }
    if Digest::of(digested).as_bytes().as_slice() != digest {
        return Err(KekFileError::Damaged);
    }
    let key: &[u8; 32] = key.try_into().or(Err(KekFileError::NotAKeyFile))?;
    Ok((KeyId::from_bytes(*id), Secret::new(*key)))
}
