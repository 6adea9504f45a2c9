//! SealedValue: a Cobblestone-256 message behind the version of the root that sealed it, bound to
//! its [`Place`]. The functions here take a root in hand; [`crate::Envelope`] finds it.

use covenant_core::sealer::{OpenError, SealError};
use covenant_core::{KeyId, Place, Random, Secret};

use crate::cobblestone::{self, NotAuthentic, SALT_LEN_BYTES};

/// First byte of a SealedValue: its format version, final.
pub const SEALED_VERSION: u8 = 1;
/// Bytes before the message: format version and key version.
pub const PREFIX_LEN_BYTES: usize = 17;
/// Bytes that sealing adds to a value shorter than 16,384 bytes; each full chunk adds 16 more.
pub const OVERHEAD_LEN_BYTES: usize = 89;
/// Most bytes of one value sealed or opened in memory: 1 GiB, a bound of ours against exhaustion.
pub const VALUE_LEN_BYTES_MAX: u64 = 1 << 30;

/// A SealedValue taken apart, its content unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedBytes<'a> {
    key: KeyId,
    salt: [u8; SALT_LEN_BYTES],
    message: &'a [u8],
}

impl<'a> SealedBytes<'a> {
    /// Takes a SealedValue apart; whether it is authentic is not known by that.
    ///
    /// # Errors
    /// [`NotAuthentic`] for another format version and for a length that no value has.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotAuthentic> {
        let (prefix, message) = bytes
            .split_at_checked(PREFIX_LEN_BYTES)
            .ok_or(NotAuthentic)?;
        let Some((&SEALED_VERSION, key)) = prefix.split_first() else {
            return Err(NotAuthentic);
        };
        let key = KeyId::from_bytes(key.try_into().or(Err(NotAuthentic))?);
        let len = u64::try_from(message.len())
            .ok()
            .and_then(cobblestone::plain_len);
        if len.is_none_or(|len| len > VALUE_LEN_BYTES_MAX) {
            return Err(NotAuthentic);
        }
        let salt = message.first_chunk().copied().ok_or(NotAuthentic)?;
        Ok(Self { key, salt, message })
    }

    /// Bytes 1..17: the version of the root that sealed.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// Bytes 17..41: random, unique, no content. It may be kept as the probe by which the bytes of
    /// a deleted value are looked for.
    #[must_use]
    pub const fn salt(&self) -> &[u8; SALT_LEN_BYTES] {
        &self.salt
    }

    /// What follows byte 17: a C2SP chunked-encryption message.
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }
}

/// Seals the bytes at a place, under this version of its root.
///
/// # Errors
/// [`SealError::TooLarge`] above 1 GiB, [`SealError::Unavailable`] when no salt can be drawn.
pub fn seal_with(
    root: &[u8; 32],
    version: KeyId,
    place: &Place,
    plain: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, SealError> {
    let too_large = SealError::TooLarge {
        max: VALUE_LEN_BYTES_MAX,
    };
    if u64::try_from(plain.len())
        .ok()
        .is_none_or(|len| len > VALUE_LEN_BYTES_MAX)
    {
        return Err(too_large);
    }
    let unavailable = |source| SealError::Unavailable(Box::new(source));
    let mut salt = [0_u8; SALT_LEN_BYTES];
    random.fill(&mut salt).map_err(unavailable)?;
    let mut prefix = [SEALED_VERSION; PREFIX_LEN_BYTES];
    let id = prefix.iter_mut().skip(1).zip(version.as_bytes());
    id.for_each(|(to, from)| *to = *from);
    match cobblestone::seal_behind(&prefix, root, &place.context(version), plain, &salt) {
        Ok(sealed) => Ok(sealed),
        Err(cobblestone::SealError::TooLarge) => Err(too_large),
        Err(cobblestone::SealError::Random(source)) => Err(unavailable(source)),
    }
}

/// Opens what was sealed at the place under this version of its root; needs no store and no
/// backend, so that a value can be checked independently of them.
///
/// # Errors
/// [`OpenError::NotAuthentic`] for everything else, a value under another version included.
pub fn open_with(
    root: &[u8; 32],
    version: KeyId,
    place: &Place,
    sealed: &[u8],
) -> Result<Secret<Vec<u8>>, OpenError> {
    let parts = SealedBytes::parse(sealed).or(Err(OpenError::NotAuthentic))?;
    if parts.key != version {
        return Err(OpenError::NotAuthentic);
    }
    cobblestone::open(root, &place.context(version), parts.message).or(Err(OpenError::NotAuthentic))
}
