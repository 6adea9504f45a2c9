//! WrappedKey: one root under one key-encryption key, bound to whose root it is. What the key
//! store keeps; the format of KEKs held in memory or in files.

use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, Random, RandomError, Secret, canon};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::cobblestone::NotAuthentic;

/// First byte of a WrappedKey made with a 32-byte AES key.
pub const WRAPPED_VERSION: u8 = 1;
/// Bytes of a WrappedKey: version, KEK id, IV, ciphertext, tag.
pub const WRAPPED_LEN_BYTES: usize = 77;
/// Most roots wrapped by one KEK: far below the 2^32 at which random IVs stop being safe
/// (NIST SP 800-38D, 8.3).
pub const WRAPS_MAX: u64 = 1 << 30;

const ROOT_LEN_BYTES: usize = 32;

/// A root under a KEK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey([u8; WRAPPED_LEN_BYTES]);

impl WrappedKey {
    /// Wraps a root under the KEK with this id.
    ///
    /// # Errors
    /// [`RandomError`] when no IV can be drawn.
    pub fn wrap(
        kek: &[u8; 32],
        kek_id: KeyId,
        context: &[u8],
        root: &[u8; 32],
        random: &dyn Random,
    ) -> Result<Self, RandomError> {
        let mut iv = [0_u8; NONCE_LEN];
        random.fill(&mut iv)?;
        let mut text = Secret::new(*root);
        let key = UnboundKey::new(&AES_256_GCM, kek).or(Err(RandomError))?;
        let tag = LessSafeKey::new(key)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(context),
                text.expose_mut(),
            )
            .or(Err(RandomError))?;
        let mut bytes = [0_u8; WRAPPED_LEN_BYTES];
        let parts = [WRAPPED_VERSION]
            .into_iter()
            .chain(*kek_id.as_bytes())
            .chain(iv);
        let parts = parts
            .chain(*text.expose())
            .chain(tag.as_ref().iter().copied());
        bytes
            .iter_mut()
            .zip(parts)
            .for_each(|(to, from)| *to = from);
        Ok(Self(bytes))
    }

    /// Unwraps the root.
    ///
    /// # Errors
    /// [`NotAuthentic`] when it was wrapped by another KEK, for another context, or was changed.
    pub fn unwrap_with(
        &self,
        kek: &[u8; 32],
        context: &[u8],
    ) -> Result<Secret<[u8; 32]>, NotAuthentic> {
        let (_, rest) = self.0.split_at_checked(17).ok_or(NotAuthentic)?;
        let (iv, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(NotAuthentic)?;
        let mut text = Secret::new(sealed.to_vec());
        let key = UnboundKey::new(&AES_256_GCM, kek).or(Err(NotAuthentic))?;
        let opened = LessSafeKey::new(key)
            .open_in_place(
                Nonce::assume_unique_for_key(*iv),
                Aad::from(context),
                text.expose_mut(),
            )
            .or(Err(NotAuthentic))?;
        let mut root = Secret::new([0_u8; ROOT_LEN_BYTES]);
        if opened.len() != ROOT_LEN_BYTES {
            return Err(NotAuthentic);
        }
        root.expose_mut()
            .iter_mut()
            .zip(opened.iter())
            .for_each(|(to, from)| *to = *from);
        Ok(root)
    }

    /// Bytes 1..17: the KEK that wrapped.
    #[must_use]
    pub fn kek(&self) -> KeyId {
        let mut id = [0_u8; 16];
        id.iter_mut()
            .zip(self.0.iter().skip(1))
            .for_each(|(to, from)| *to = *from);
        KeyId::from_bytes(id)
    }

    /// The 77 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; WRAPPED_LEN_BYTES] {
        &self.0
    }
}

impl TryFrom<&[u8]> for WrappedKey {
    type Error = NotAuthentic;

    fn try_from(bytes: &[u8]) -> Result<Self, NotAuthentic> {
        let bytes: [u8; WRAPPED_LEN_BYTES] = bytes.try_into().or(Err(NotAuthentic))?;
        if bytes.first() != Some(&WRAPPED_VERSION) {
            return Err(NotAuthentic);
        }
        Ok(Self(bytes))
    }
}

/// What a wrapped root is bound to: the AAD of crypto-envelope 4.3.
#[must_use]
pub fn wrap_context(kek: KeyId, owner: Owner, purpose: Purpose, version: KeyId) -> Vec<u8> {
    let mut w = canon::Writer::new();
    w.text("covenant/wrap/1")
        .bytes(kek.as_bytes())
        .bytes(&owner.encode())
        .text(purpose.name())
        .bytes(version.as_bytes());
    w.finish()
}
