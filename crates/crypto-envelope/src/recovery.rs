//! The recovery key, kept by people away from every site, and the keys derived from it under which
//! a platform seals its own copies. The sites alone open nothing; the recovery key opens all.

use std::fmt;

use covenant_core::digest::Digest;
use covenant_core::sealer::{OpenError, Purpose, SealError};
use covenant_core::{KeyId, Owner, Place, Random, RandomError, Secret, canon};
use uuid::Uuid;

use crate::cobblestone::expand;
use crate::sealed;

/// Characters of a written recovery key: 64 of the key, a hyphen, 8 of the checksum.
pub const RECOVERY_KEY_LEN_CHARS: usize = 73;
const KEY_LEN_CHARS: usize = 64;
const CHECKSUM_LEN_BYTES: usize = 4;
/// What every part's key is derived with, before the name of the part.
const INFO: &[u8] = b"covenant/recovery/v1/";
/// What a part's key is named with: derived from it, and so no secret and no property of the key.
const NAME_INFO: &[u8] = b"covenant/recovery-name/v1";
/// The owner of what is sealed for recovery.
const PLATFORM: Uuid = Uuid::from_u128(0x636f_7665_6e61_6e74_2f72_6563_6f76_6572);

/// 32 random bytes that open every copy that a platform keeps of itself. Whoever holds it and a
/// site holds all keys: it is written down once, and the running platform does not keep it.
pub struct RecoveryKey(Secret<[u8; 32]>);

/// A text is no recovery key: its length, a digit, or the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a recovery key: a digit is wrong or missing")]
pub struct RecoveryKeyError;

impl RecoveryKey {
    /// A new one.
    ///
    /// # Errors
    /// [`RandomError`].
    pub fn mint(random: &dyn Random) -> Result<Self, RandomError> {
        let mut key = Secret::new([0_u8; 32]);
        random.fill(key.expose_mut())?;
        Ok(Self(key))
    }

    /// The text that is written down: hexadecimal, with a checksum against a slip of the pen.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        let sum = checksum(self.0.expose());
        Secret::new(format!(
            "{}-{}",
            canon::hex(self.0.expose()),
            canon::hex(&sum)
        ))
    }

    /// Reads what was written down; white space around it is no part of it.
    ///
    /// # Errors
    /// [`RecoveryKeyError`].
    pub fn parse(text: &str) -> Result<Self, RecoveryKeyError> {
        let text = text.trim();
        if text.len() != RECOVERY_KEY_LEN_CHARS {
            return Err(RecoveryKeyError);
        }
        let (key, sum) = text.split_once('-').ok_or(RecoveryKeyError)?;
        if key.len() != KEY_LEN_CHARS {
            return Err(RecoveryKeyError);
        }
        let bytes = Secret::new(canon::unhex(key).ok_or(RecoveryKeyError)?);
        let key: [u8; 32] = bytes
            .expose()
            .as_slice()
            .try_into()
            .or(Err(RecoveryKeyError))?;
        let key = Secret::new(key);
        if canon::unhex(sum).as_deref() != Some(checksum(key.expose()).as_slice()) {
            return Err(RecoveryKeyError);
        }
        Ok(Self(key))
    }

    /// The key of one part of what is kept.
    ///
    /// # Errors
    /// [`SealError::Unavailable`] never: an expansion to 32 bytes does not fail.
    pub fn derive(&self, part: Part) -> Result<PartKey, SealError> {
        let root = expand(self.0.expose(), &[INFO, part.name().as_bytes()]);
        let root = root.ok_or(SealError::Unavailable(Box::new(RecoveryKeyError)))?;
        PartKey::new(part, root)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey")
    }
}

fn checksum(key: &[u8; 32]) -> [u8; CHECKSUM_LEN_BYTES] {
    let digest = Digest::of(key);
    let mut sum = [0; CHECKSUM_LEN_BYTES];
    sum.iter_mut()
        .zip(digest.as_bytes())
        .for_each(|(to, from)| *to = *from);
    sum
}

/// A part of what a platform keeps of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the derivation of version 1 is final"
)]
pub enum Part {
    /// Key-encryption keys, one object each.
    Escrow,
    /// The key store, in full and in increments.
    KeyStore,
    /// The control database.
    Control,
    /// The audit logs.
    Audit,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Escrow, Self::KeyStore, Self::Control, Self::Audit];

    /// The name, in the derivation and in the names of objects.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Escrow => "escrow",
            Self::KeyStore => "keys",
            Self::Control => "control",
            Self::Audit => "audit",
        }
    }
}

/// The key of one part: what the running platform keeps, in the place of the recovery key.
pub struct PartKey {
    part: Part,
    root: Secret<[u8; 32]>,
    version: KeyId,
}

impl PartKey {
    /// The key of a part from its 32 bytes, as [`RecoveryKey::derive`] made them.
    ///
    /// # Errors
    /// [`SealError::Unavailable`] never: an expansion to 32 bytes does not fail.
    pub fn new(part: Part, root: Secret<[u8; 32]>) -> Result<Self, SealError> {
        let named = expand(root.expose(), &[NAME_INFO]);
        let named = named.ok_or(SealError::Unavailable(Box::new(RecoveryKeyError)))?;
        let mut version = [0_u8; 16];
        version
            .iter_mut()
            .zip(named.expose())
            .for_each(|(to, from)| *to = *from);
        Ok(Self {
            part,
            root,
            version: KeyId::from_bytes(version),
        })
    }

    /// The part that it seals.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }

    /// Its 32 bytes, for the key store of the running platform.
    #[must_use]
    pub const fn root(&self) -> &Secret<[u8; 32]> {
        &self.root
    }

    /// Seals bytes for the object of this name.
    ///
    /// # Errors
    /// As [`sealed::seal_with`].
    pub fn seal(
        &self,
        name: &str,
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, SealError> {
        let place = self.place(name);
        let place = place.map_err(|error| SealError::Unavailable(Box::new(error)))?;
        sealed::seal_with(self.root.expose(), self.version, &place, plain, random)
    }

    /// Opens the object of this name.
    ///
    /// # Errors
    /// [`OpenError::NotAuthentic`], for an object of another name or platform too.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, OpenError> {
        let place = self.place(name).or(Err(OpenError::NotAuthentic))?;
        sealed::open_with(self.root.expose(), self.version, &place, sealed)
    }

    fn place(&self, name: &str) -> Result<Place, covenant_core::sealer::PlaceError> {
        let (owner, field) = (Owner::Platform(PLATFORM), self.part.name());
        Place::new(owner, Purpose::Platform, "platform", field, name.as_bytes())
    }
}

impl fmt::Debug for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartKey({})", self.part.name())
    }
}

#[cfg(test)]
mod tests {
    use covenant_core::testing::SeededRandom;

    use super::*;

    fn key(seed: u64) -> RecoveryKey {
        RecoveryKey::mint(&SeededRandom::new(seed)).expect("random")
    }

    #[test]
    fn a_written_key_is_read_back_and_a_slip_of_the_pen_is_found() {
        let key = key(1);
        let text = key.to_text();
        let text = text.expose();
        assert_eq!(text.len(), RECOVERY_KEY_LEN_CHARS);
        let back = RecoveryKey::parse(&format!(" {text}\n")).expect("parses");
        assert_eq!(back.0.expose(), key.0.expose());
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).expect("ascii");
            assert!(RecoveryKey::parse(&other).is_err(), "changed at {at}");
            let cut = text.get(..at).expect("ascii");
            assert!(RecoveryKey::parse(cut).is_err(), "cut to {at}");
        }
        for bad in ["", "-", &format!("{text}0"), &text.to_uppercase().repeat(2)] {
            assert!(RecoveryKey::parse(bad).is_err());
        }
    }

    #[test]
    fn a_part_opens_its_own_objects_under_their_own_names_only() {
        let random = SeededRandom::new(3);
        let (ours, theirs) = (key(1), key(2));
        for part in Part::ALL {
            let sealing = ours.derive(part).expect("derives");
            let sealed = sealing.seal("a", b"content", &random).expect("seals");
            assert_eq!(
                sealing.open("a", &sealed).expect("opens").expose(),
                b"content"
            );
            assert!(sealing.open("b", &sealed).is_err());
            for other in Part::ALL {
                let same = ours.derive(other).expect("derives");
                assert_eq!(same.open("a", &sealed).is_ok(), other == part);
                let foreign = theirs.derive(other).expect("derives");
                assert!(foreign.open("a", &sealed).is_err());
            }
            // what the running platform keeps is as good
            let kept = Secret::new(*sealing.root().expose());
            let kept = PartKey::new(part, kept).expect("made");
            assert!(kept.open("a", &sealed).is_ok());
        }
    }

    #[test]
    fn the_derivation_is_the_one_of_the_format() {
        use ring::hkdf::{HKDF_SHA512, KeyType, Prk};
        struct Len;
        impl KeyType for Len {
            fn len(&self) -> usize {
                32
            }
        }
        let key = key(1);
        let part = key.derive(Part::KeyStore).expect("derives");
        let prk = Prk::new_less_safe(HKDF_SHA512, key.0.expose());
        let mut expect = [0; 32];
        let info = [b"covenant/recovery/v1/keys".as_slice()];
        prk.expand(&info, Len)
            .and_then(|okm| okm.fill(&mut expect))
            .expect("expands");
        assert_eq!(part.root().expose(), &expect);
        assert_eq!(format!("{key:?} {part:?}"), "RecoveryKey PartKey(keys)");
    }
}
