//! The C2SP chunked-encryption format in its instance Cobblestone-256 (HKDF-SHA512, AES-256-GCM):
//! key and context in, bytes out. It knows nothing of owners, versions or stores.
//!
//! A message is `salt 24 || commitment 32 || chunks`. Every chunk but the last seals 16,384 bytes;
//! the last one is always shorter, and may be empty. Reading checks the commitment first, in
//! constant time, so that a message opens under one key and one context only.

mod offset;
mod ranged;
mod reader;
mod stream;
mod writer;

use covenant_core::Secret;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use ring::hkdf::{HKDF_SHA512, KeyType, Prk};

pub use offset::{plain_len, sealed_len};
pub use ranged::Opening;
pub use reader::{NotAuthentic, open};
pub use stream::{Sealing, StreamError};
pub(crate) use writer::seal_behind;
pub use writer::{SealError, seal, seal_with_salt};

/// Bytes of the salt at the head of a message (C2SP chunked-encryption).
pub const SALT_LEN_BYTES: usize = 24;
/// Bytes of the commitment after the salt (C2SP chunked-encryption).
pub const COMMITMENT_LEN_BYTES: usize = 32;
/// Bytes of salt and commitment: where the chunks begin.
pub const HEADER_LEN_BYTES: usize = 56;
/// Bytes of plaintext in every chunk but the last (C2SP chunked-encryption).
pub const CHUNK_LEN_BYTES: usize = 16_384;
/// Bytes of one sealed chunk except the last: 16,384 of plaintext and a 16-byte tag.
pub const SEALED_CHUNK_LEN_BYTES: usize = 16_400;
/// Bytes of the authentication tag of a chunk (AES-256-GCM).
pub const TAG_LEN_BYTES: usize = 16;
/// Most chunks of one message (C2SP chunked-encryption: a 38-bit counter).
pub const CHUNKS_MAX: u64 = 1 << 38;

/// What HKDF info begins with; nothing else that expands the same root may begin so.
pub(crate) const LABEL_PREFIX: &[u8] = b"c2sp.org/";
const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
const KEY_LEN_BYTES: usize = 32;
const DERIVED_LEN_BYTES: usize = KEY_LEN_BYTES + NONCE_LEN + COMMITMENT_LEN_BYTES;

/// Expands a root to 32 bytes: HKDF-Expand-SHA512(root, info, 32), without Extract.
/// `None` when ring refuses, which it does for no info of a length met here.
pub(crate) fn expand(root: &[u8; 32], info: &[&[u8]]) -> Option<Secret<[u8; 32]>> {
    let mut out = Secret::new([0_u8; 32]);
    fill(root, info, out.expose_mut())?;
    Some(out)
}

fn fill<const N: usize>(root: &[u8; 32], info: &[&[u8]], out: &mut [u8; N]) -> Option<()> {
    struct Len(usize);
    impl KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    let prk = Prk::new_less_safe(HKDF_SHA512, root);
    prk.expand(info, Len(N)).ok()?.fill(out).ok()
}

/// The keys of one message: a fresh AES key, the nonce that counts, and the commitment.
struct Message {
    key: LessSafeKey,
    nonce: [u8; NONCE_LEN],
    commitment: [u8; COMMITMENT_LEN_BYTES],
}

impl Message {
    fn derive(root: &[u8; 32], salt: &[u8], context: &[u8]) -> Option<Self> {
        let mut derived = Secret::new([0_u8; DERIVED_LEN_BYTES]);
        fill(root, &[LABEL, salt, context], derived.expose_mut())?;
        let (key, rest) = derived.expose().split_at_checked(KEY_LEN_BYTES)?;
        let (nonce, commitment) = rest.split_at_checked(NONCE_LEN)?;
        // clause: P-12, P-13, P-14, P-16, Q-14
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        Some(Self {
            key,
            nonce: nonce.try_into().ok()?,
            commitment: commitment.try_into().ok()?,
        })
    }

    /// The nonce of a chunk: the base nonce, its last five bytes xored with the chunk's number.
    fn nonce(&self, chunk: u64) -> Nonce {
        let mut nonce = self.nonce;
        let number = chunk.to_be_bytes();
        nonce
            .iter_mut()
            .rev()
            .zip(number.iter().rev())
            .for_each(|(to, from)| *to ^= from);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals a chunk where it lies; the tag belongs behind it.
    fn seal_in_place(&self, chunk: u64, text: &mut [u8]) -> Result<Tag, SealError> {
        self.key
            .seal_in_place_separate_tag(self.nonce(chunk), Aad::empty(), text)
            .or(Err(SealError::TooLarge))
    }

    /// Appends a chunk and seals it there.
    fn seal_onto(&self, chunk: u64, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let start = out.len();
        out.extend_from_slice(plain);
        let text = out.get_mut(start..).ok_or(SealError::TooLarge)?;
        let tag = self.seal_in_place(chunk, text)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Appends a sealed chunk and opens it there; nothing is appended when it is not authentic.
    fn open_onto(&self, chunk: u64, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), NotAuthentic> {
        let start = out.len();
        out.extend_from_slice(sealed);
        let text = out.get_mut(start..).ok_or(NotAuthentic)?;
        let opened = self
            .key
            .open_in_place(self.nonce(chunk), Aad::empty(), text);
        let opened = opened.map_or(Err(NotAuthentic), |opened| Ok(opened.len()));
        // ring has wiped what did not open
        out.truncate(start.saturating_add(opened.unwrap_or(0)));
        opened.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_counts_in_its_last_bytes() {
        let message = Message::derive(&[7; 32], &[1; 24], b"").expect("derives");
        let base = message.nonce;
        assert_eq!(message.nonce(0).as_ref(), &base);
        let far = message.nonce(CHUNKS_MAX - 1);
        assert_eq!(far.as_ref()[..7], base[..7]);
        assert_eq!(far.as_ref()[7], base[7] ^ 0x3f);
        assert_eq!(far.as_ref()[11], base[11] ^ 0xff);
    }

    #[test]
    fn an_expansion_depends_on_root_and_info() {
        let of = |root: u8, info: &[u8]| *expand(&[root; 32], &[info]).expect("expands").expose();
        assert_eq!(of(1, b"a"), of(1, b"a"));
        assert_ne!(of(1, b"a"), of(1, b"b"));
        assert_ne!(of(1, b"a"), of(2, b"a"));
    }
}
