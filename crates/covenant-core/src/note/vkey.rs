//! The verifier key of a note, in one line: `<name>+<8 hex digits>+<base64 of algorithm and key>`.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::LogSafe;
use crate::canon::hex;
use crate::digest::Hasher;

/// The algorithm byte of Ed25519.
pub(super) const ALGORITHM_ED25519: u8 = 0x01;

/// An Ed25519 key to verify notes with. It is public, and its text is its whole form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vkey {
    name: String,
    key: [u8; 32],
}

/// A text is no verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VkeyError {
    /// The name is empty, or holds a space, a plus sign or a control character.
    #[error("a key name has at least one character, and no space, plus sign or control character")]
    Name,
    /// The text is not `<name>+<8 hex digits>+<base64>`, or the digits are of another key.
    #[error("a verifier key is <name>+<8 hex digits>+<base64>, the digits being its own hash")]
    Malformed,
    /// The key is of an algorithm other than Ed25519.
    #[error("the key is not of algorithm Ed25519")]
    Algorithm,
}

impl Vkey {
    /// The key of this name with these bytes.
    ///
    /// # Errors
    /// [`VkeyError::Name`].
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, VkeyError> {
        if !is_name(name) {
            return Err(VkeyError::Name);
        }
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of the public key.
    #[must_use]
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The first four bytes of SHA-256 over name, line feed, algorithm and key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let mut hasher = Hasher::new();
        hasher.update(self.name.as_bytes());
        hasher.update(&[b'\n', ALGORITHM_ED25519]);
        hasher.update(&self.key);
        let [a, b, c, d, ..] = *hasher.finish().as_bytes();
        [a, b, c, d]
    }

    /// Whether these bytes are this key's signature of the text.
    #[must_use]
    pub fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key)
            .verify(text.as_bytes(), signature)
            .is_ok()
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, key } = self;
        let key = STANDARD.encode([[ALGORITHM_ED25519].as_slice(), key].concat());
        write!(f, "{name}+{}+{key}", hex(&self.id()))
    }
}
impl fmt::Debug for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl LogSafe for Vkey {}

impl FromStr for Vkey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VkeyError::Malformed);
        };
        let key = STANDARD.decode(key).or(Err(VkeyError::Malformed))?;
        let key = match key.split_first() {
            Some((&ALGORITHM_ED25519, key)) => key.try_into().or(Err(VkeyError::Malformed))?,
            Some(_) => return Err(VkeyError::Algorithm),
            None => return Err(VkeyError::Malformed),
        };
        let vkey = Self::new(name, key)?;
        if vkey.to_string() == text {
            Ok(vkey)
        } else {
            Err(VkeyError::Malformed)
        }
    }
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c == '+' || c < ' ')
}
