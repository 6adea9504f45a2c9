//! Typed fields: [`Sealed`] is a value of one type, sealed in one layer. It holds bytes and knows
//! what they open to; it can be stored, and only a sealer opens it, at the place it was sealed for.
//!
//! Not here: [`crate::Sensitive`], a field of two layers, which is revealed and not opened.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod column;
mod sealable;

use std::fmt;
use std::marker::PhantomData;

use covenant_core::sealer::{Layer, OpenError, SealError};
use covenant_core::{KeyId, Place, Sealer, Secret};
use zeroize::Zeroize as _;

use crate::cobblestone::{NotAuthentic, SALT_LEN_BYTES};
use crate::error::KeyError;
use crate::sealed::SealedBytes;
use crate::unlocked::Unlocked;

pub use sealable::Sealable;

/// A sealed value of a type. Its bytes are a SealedValue of one layer (FORMAT.md) and no secret:
/// they may be stored, sent and copied. With feature `sqlite` or `postgres` it is a column of `sqlx`,
/// BLOB or BYTEA.
///
/// The bytes do not say of what type they are: a value read as another type than it was sealed as
/// is not authentic, or is that type's value of the same bytes.
///
/// It does not print what it holds, and cannot be made from the value by accident:
/// ```compile_fail
/// fn shown(field: &crypto_envelope::Sealed<String>) -> String {
///     field.to_string()
/// }
/// ```
/// ```compile_fail
/// fn unsealed(name: String) -> crypto_envelope::Sealed<String> {
///     name.into()
/// }
/// ```
pub struct Sealed<T> {
    bytes: Vec<u8>,
    value: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes to store, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The version of the root that sealed it.
    #[must_use]
    pub fn key(&self) -> KeyId {
        SealedBytes::parse(&self.bytes).map_or(KeyId::from_bytes([0; 16]), |parts| parts.key())
    }

    /// Its salt: random, unique, no content; the probe by which its bytes are found again after they
    /// should be gone.
    #[must_use]
    pub fn salt(&self) -> [u8; SALT_LEN_BYTES] {
        SealedBytes::parse(&self.bytes).map_or([0; SALT_LEN_BYTES], |parts| *parts.salt())
    }

    pub(crate) const fn of(bytes: Vec<u8>) -> Self {
        let value = PhantomData;
        Self { bytes, value }
    }
}

impl<T: Sealable> Sealed<T> {
    /// Seals a value at its place, under the newest version of the root that the place names.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    // clause: P-12, Q-14
    pub async fn seal(sealer: &dyn Sealer, place: &Place, value: &T) -> Result<Self, SealError> {
        let plain = Plain::of(value);
        let sealed = sealer.seal(&single(place), plain.bytes()).await?;
        Ok(Self::of(sealed))
    }

    /// Seals a value under a root in hand, without I/O.
    ///
    /// # Errors
    /// As [`Unlocked::seal`].
    pub fn seal_with(root: &Unlocked, place: &Place, value: &T) -> Result<Self, KeyError> {
        let plain = Plain::of(value);
        root.seal(&single(place), plain.bytes()).map(Self::of)
    }

    /// Opens it at its place; the value is wiped when dropped.
    ///
    /// # Errors
    /// As [`Sealer::open`]; [`OpenError::NotAuthentic`] also for authentic bytes that are no `T`.
    pub async fn open(&self, sealer: &dyn Sealer, place: &Place) -> Result<Secret<T>, OpenError> {
        let plain = sealer.open(&single(place), &self.bytes).await?;
        value(&plain).ok_or(OpenError::NotAuthentic)
    }

    /// Opens it under a root in hand, without I/O: for many rows of one owner.
    ///
    /// # Errors
    /// As [`Unlocked::open`]; on [`KeyError::NeedVersion`] use [`Sealed::open`], which finds the
    /// version.
    pub fn open_with(&self, root: &Unlocked, place: &Place) -> Result<Secret<T>, KeyError> {
        let plain = root.open(&single(place), &self.bytes)?;
        value(&plain).ok_or(KeyError::NotAuthentic)
    }
}

/// The place of a value that has one layer: the layers of sensitive fields are not opened by this
/// way.
fn single(place: &Place) -> Place {
    place.layered(Layer::Single, place.purpose())
}

pub(crate) fn value<T: Sealable>(plain: &Secret<Vec<u8>>) -> Option<Secret<T>> {
    T::from_plain(plain.expose()).map(Secret::new)
}

/// The bytes of a value on their way to be sealed; those that were made for it are wiped.
pub(crate) struct Plain<'a>(std::borrow::Cow<'a, [u8]>);

impl<'a> Plain<'a> {
    pub(crate) fn of<T: Sealable>(value: &'a T) -> Self {
        Self(value.to_plain())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Plain<'_> {
    fn drop(&mut self) {
        if let std::borrow::Cow::Owned(bytes) = &mut self.0 {
            bytes.zeroize();
        }
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self::of(self.bytes.clone())
    }
}

impl<T> TryFrom<Vec<u8>> for Sealed<T> {
    type Error = NotAuthentic;

    /// Bytes from a store; whether they are authentic is known once they are opened.
    fn try_from(bytes: Vec<u8>) -> Result<Self, NotAuthentic> {
        SealedBytes::parse(&bytes)?;
        Ok(Self::of(bytes))
    }
}

impl<T> TryFrom<&[u8]> for Sealed<T> {
    type Error = NotAuthentic;

    fn try_from(bytes: &[u8]) -> Result<Self, NotAuthentic> {
        Self::try_from(bytes.to_vec())
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}
