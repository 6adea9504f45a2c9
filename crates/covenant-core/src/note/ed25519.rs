//! Signing notes with an Ed25519 key in this process.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::vkey::{Vkey, VkeyError};
use crate::{BoxFuture, NoteSigner, Secret, SignerError};

/// Signs with a key made from a seed of 32 bytes. The expanded key stays in memory, unwiped.
pub struct Ed25519Signer {
    pair: Ed25519KeyPair,
    vkey: Vkey,
    text: String,
}

/// A signer cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ed25519Error {
    /// The key's name is no name.
    #[error("the signing key has no valid name")]
    Name(#[source] VkeyError),
    /// The seed makes no key.
    #[error("the seed makes no key")]
    Seed,
}

impl Ed25519Signer {
    /// The signer of this name whose private key is the seed, as in RFC 8032.
    ///
    /// # Errors
    /// [`Ed25519Error`].
    pub fn from_seed(name: &str, seed: &Secret<[u8; 32]>) -> Result<Self, Ed25519Error> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.expose()).or(Err(Ed25519Error::Seed))?;
        let key = pair
            .public_key()
            .as_ref()
            .try_into()
            .or(Err(Ed25519Error::Seed))?;
        let vkey = Vkey::new(name, key).map_err(Ed25519Error::Name)?;
        let text = vkey.to_string();
        Ok(Self { pair, vkey, text })
    }

    /// The verifier key.
    #[must_use]
    pub const fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// The signature line of this text, with its line feed.
    #[must_use]
    pub fn sign_line(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        let bytes = [self.vkey.id().as_slice(), signature.as_ref()].concat();
        format!("\u{2014} {} {}\n", self.vkey.name(), STANDARD.encode(bytes))
    }
}

impl NoteSigner for Ed25519Signer {
    fn key(&self) -> &str {
        &self.text
    }

    fn sign<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<String, SignerError>> {
        Box::pin(async move { Ok(self.sign_line(text)) })
    }
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Signer")
            .field("vkey", &self.vkey)
            .finish_non_exhaustive()
    }
}
