//! Sealing in the model: the layout of a sealed value over a keystream of SHA-256. It hides bytes
//! from a search, which is all that a model needs; it protects nothing.

use covenant_core::KeyId;
use covenant_core::digest::Hasher;

use crate::canary::{SALT_LEN_BYTES, Salt};

/// Bytes before the sealed content: version, key id, salt.
const HEAD_LEN_BYTES: usize = 1 + 16 + SALT_LEN_BYTES;
const TAG_LEN_BYTES: usize = 16;

/// A key of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) id: KeyId,
    pub(super) bytes: Vec<u8>,
}

impl Key {
    pub(super) fn bits(&self) -> u16 {
        u16::try_from(self.bytes.len().saturating_mul(8)).unwrap_or(u16::MAX)
    }
}

pub(super) fn seal(key: &Key, salt: Salt, plain: &[u8]) -> Vec<u8> {
    let mut sealed = vec![1];
    sealed.extend_from_slice(key.id.as_bytes());
    sealed.extend_from_slice(&salt);
    sealed.extend(masked(key, &salt, plain));
    sealed.extend_from_slice(&tag(key, &salt, plain));
    sealed
}

/// The content, when the key is the right one and nothing was altered.
pub(super) fn open(key: &Key, sealed: &[u8]) -> Option<Vec<u8>> {
    let (salt, body) = parts(key, sealed)?;
    let (masked_body, found) = body.split_at_checked(body.len().checked_sub(TAG_LEN_BYTES)?)?;
    let plain: Vec<u8> = masked(key, &salt, masked_body).collect();
    (tag(key, &salt, &plain) == found).then_some(plain)
}

pub(super) fn salt_of(sealed: &[u8]) -> Option<Salt> {
    let (head, _) = sealed.split_at_checked(HEAD_LEN_BYTES)?;
    head.last_chunk()
        .copied()
        .filter(|_| head.first() == Some(&1))
}

fn parts<'s>(key: &Key, sealed: &'s [u8]) -> Option<(Salt, &'s [u8])> {
    let (head, body) = sealed.split_at_checked(HEAD_LEN_BYTES)?;
    let (id, salt) = head.strip_prefix(&[1])?.split_first_chunk::<16>()?;
    (id == key.id.as_bytes()).then_some(())?;
    Some((salt.try_into().ok()?, body))
}

fn masked<'b>(key: &'b Key, salt: &'b Salt, bytes: &'b [u8]) -> impl Iterator<Item = u8> + 'b {
    bytes
        .chunks(32)
        .zip(0_u64..)
        .flat_map(move |(chunk, block)| {
            let mut hasher = Hasher::new();
            for part in [b"mask".as_slice(), &key.bytes, salt, &block.to_be_bytes()] {
                hasher.update(part);
            }
            let mask = *hasher.finish().as_bytes();
            chunk
                .iter()
                .zip(mask)
                .map(|(byte, mask)| byte ^ mask)
                .collect::<Vec<_>>()
        })
}

fn tag(key: &Key, salt: &Salt, plain: &[u8]) -> [u8; TAG_LEN_BYTES] {
    let mut hasher = Hasher::new();
    for part in [b"tag".as_slice(), &key.bytes, salt, plain] {
        hasher.update(part);
    }
    hasher
        .finish()
        .as_bytes()
        .first_chunk()
        .copied()
        .unwrap_or_default()
}
