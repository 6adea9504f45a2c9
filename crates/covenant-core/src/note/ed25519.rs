//! Signing notes with an Ed25519 key in this process.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::vkey::{ALGORITHM_ED25519, Vkey, VkeyError};
use crate::canon::hex;
use crate::{BoxFuture, NoteSigner, Secret, SignerError};

/// What the text of a signing key begins with.
const PRIVATE: &str = "PRIVATE+KEY+";

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
    /// The text is not `PRIVATE+KEY+<name>+<8 hex digits>+<base64>`, or the digits are of another
    /// key.
    #[error("a signing key is PRIVATE+KEY+<name>+<8 hex digits>+<base64 of 0x01 and the seed>")]
    Malformed,
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

    /// The signer of a signing key in the one-line text of Go's `sumdb/note`:
    /// `PRIVATE+KEY+<name>+<8 hex digits>+<base64 of 0x01, seed>`, the digits being those of the
    /// verifier key. What is decoded is wiped; the text is the caller's.
    ///
    /// # Errors
    /// [`Ed25519Error`]; what was wrong inside a malformed text is not told.
    pub fn from_text(text: &str) -> Result<Self, Ed25519Error> {
        let rest = text.strip_prefix(PRIVATE).ok_or(Ed25519Error::Malformed)?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Ed25519Error::Malformed);
        };
        let key = Secret::new(STANDARD.decode(key).or(Err(Ed25519Error::Malformed))?);
        let Some((&ALGORITHM_ED25519, seed)) = key.expose().split_first() else {
            return Err(Ed25519Error::Malformed);
        };
        let seed = Secret::new(seed.try_into().or(Err(Ed25519Error::Malformed))?);
        let signer = Self::from_seed(name, &seed)?;
        if hex(&signer.vkey.id()) == id {
            Ok(signer)
        } else {
            Err(Ed25519Error::Malformed)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a signing key, made without the code under test.
    fn text(name: &str, seed: [u8; 32]) -> String {
        let signer = Ed25519Signer::from_seed(name, &Secret::new(seed)).unwrap();
        let key = STANDARD.encode([[1].as_slice(), &seed].concat());
        format!("PRIVATE+KEY+{name}+{}+{key}", hex(&signer.vkey().id()))
    }

    #[test]
    fn a_signing_key_is_read_and_a_damaged_one_refused() {
        let good = text("example.org/reports", [7; 32]);
        let signer = Ed25519Signer::from_text(&good).unwrap();
        let same = Ed25519Signer::from_seed("example.org/reports", &Secret::new([7; 32])).unwrap();
        assert_eq!(signer.vkey(), same.vkey());
        assert_eq!(signer.sign_line("x\n"), same.sign_line("x\n"));

        let check = |text: &str| assert!(Ed25519Signer::from_text(text).is_err(), "{text}");
        check("");
        check("PRIVATE+KEY+");
        check(same.key());
        check(&good.replace("PRIVATE", "PUBLIC"));
        check(&good.replace("example", "sample"));
        check(&good.replace("+AQc", "+AQg"));
        check(&good.replace("+AQc", "+AAc"));
        check(&format!("{good}\n"));
        check(good.split_at(good.len() - 8).0);
    }
}
