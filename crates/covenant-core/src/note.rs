//! C2SP signed notes: a text, and under it signature lines that anyone can check with a key of one
//! line. Checkpoints, certificates, receipts and reports are signed in this form.
//!
//! The codec is strict: what it accepts prints to the same bytes. Which lines count is decided by
//! [`Note::verify`] alone: lines of unknown keys are ignored, so that others may add cosignatures; a
//! line of a known key that does not verify spoils the whole note.
//!
//! Key algorithm 0x01, Ed25519. Verifier keys of other algorithms are not read, their signature
//! lines are.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{NoteSigner, SignerError};

mod ed25519;
mod vkey;

pub use ed25519::{Ed25519Error, Ed25519Signer};
pub use vkey::{Vkey, VkeyError};

/// Longest note in bytes, signatures included (audit-log, section 4).
pub const NOTE_LEN_BYTES_MAX: usize = 65_536;
/// Most signature lines of a note (audit-log, section 4); the format asks for 16 at least.
pub const NOTE_SIGNATURES_MAX: usize = 32;

const DASH: &str = "\u{2014} ";

/// A signed note in valid form; its signatures may be anything until [`Note::verify`] says so.
///
/// ```
/// use covenant_core::note::{Ed25519Signer, Note, Vkey};
/// use covenant_core::{NoteSigner, Secret};
///
/// let signer = Ed25519Signer::from_seed("example.org/receipts", &Secret::new([7; 32]))?;
/// let mut note = Note::unsigned("all is well\n")?;
/// note.add_signature(&signer.sign_line("all is well\n"))?;
///
/// let key: Vkey = signer.key().parse()?;
/// let read: Note = note.to_string().parse()?;
/// assert_eq!(read.verify(&[key])?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature line: whose it claims to be, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

/// A note is malformed, or not signed as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The text is empty, lacks its last line feed, or holds another control character.
    #[error("the text of a note is lines without control characters, each with its line feed")]
    Text,
    /// There is no blank line before the signatures, or a signature line is malformed.
    #[error("a note ends with a blank line and signature lines")]
    Signature,
    /// The note is longer than the cap.
    #[error("a note has at most {NOTE_LEN_BYTES_MAX} bytes")]
    TooLong,
    /// There are more signatures than the cap.
    #[error("a note has at most {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// A signature under a known key is not one of this text.
    #[error("a signature under a known key does not verify")]
    NotAuthentic,
    /// No signature is under a known key.
    #[error("no signature is under a known key")]
    NoKnownKey,
}

/// A note could not be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key cannot be used.
    #[error("the note was not signed")]
    Signer(#[source] SignerError),
    /// The text, or what the signer returned, makes no note.
    #[error("the text or its signature makes no note")]
    Note(#[source] NoteError),
}

impl Note {
    /// The note of this text, which has no signature yet, and cannot be read back before it has.
    ///
    /// # Errors
    /// [`NoteError::Text`] or [`NoteError::TooLong`].
    pub fn unsigned(text: &str) -> Result<Self, NoteError> {
        if text.len() >= NOTE_LEN_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        let control = text.chars().any(|c| c < ' ' && c != '\n');
        if control || !text.ends_with('\n') {
            return Err(NoteError::Text);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures: Vec::new(),
        })
    }

    /// Signs the text under every key.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign(text: &str, signers: &[&dyn NoteSigner]) -> Result<Self, SignError> {
        let mut note = Self::unsigned(text).map_err(SignError::Note)?;
        for signer in signers {
            let line = signer.sign(text).await.map_err(SignError::Signer)?;
            note.add_signature(&line).map_err(SignError::Note)?;
        }
        Ok(note)
    }

    /// Adds a signature line, with its line feed, below the others; it is not verified.
    ///
    /// # Errors
    /// [`NoteError::Signature`], [`NoteError::TooManySignatures`] or [`NoteError::TooLong`]; the
    /// note is as before.
    pub fn add_signature(&mut self, line: &str) -> Result<(), NoteError> {
        let signature: Signature = line
            .strip_suffix('\n')
            .ok_or(NoteError::Signature)?
            .parse()?;
        if self.signatures.len() >= NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(signature);
        if self.to_string().len() > NOTE_LEN_BYTES_MAX {
            self.signatures.pop();
            return Err(NoteError::TooLong);
        }
        Ok(())
    }

    /// The text, with its last line feed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The known keys under which the text is signed, each once, in the order of the signatures.
    ///
    /// # Errors
    /// [`NoteError::NotAuthentic`] when one signature under a known key does not verify,
    /// [`NoteError::NoKnownKey`] when there is none to verify.
    pub fn verify<'k>(&self, known: &'k [Vkey]) -> Result<Vec<&'k Vkey>, NoteError> {
        let mut verified: Vec<&Vkey> = Vec::new();
        for signature in &self.signatures {
            let same = |k: &&Vkey| k.name() == signature.name && k.id() == signature.key_id;
            // two keys may share name and id, 32 bits: the signature is to be of one of them
            let mut candidates = known.iter().filter(same).peekable();
            if candidates.peek().is_none() {
                continue;
            }
            let key = candidates.find(|key| key.verifies(&self.text, &signature.bytes));
            let key = key.ok_or(NoteError::NotAuthentic)?;
            if !verified.contains(&key) {
                verified.push(key);
            }
        }
        if verified.is_empty() {
            Err(NoteError::NoKnownKey)
        } else {
            Ok(verified)
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_LEN_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Text);
        }
        let body = note.strip_suffix('\n').ok_or(NoteError::Signature)?;
        let (text, lines) = body.rsplit_once("\n\n").ok_or(NoteError::Signature)?;
        if lines.split('\n').count() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = lines
            .split('\n')
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }
}

impl Signature {
    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of the key's hash.
    #[must_use]
    pub const fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    /// The signature itself, without the key's id.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            key_id,
            bytes,
        } = self;
        write!(
            f,
            "{DASH}{name} {}",
            STANDARD.encode([key_id, bytes.as_slice()].concat())
        )
    }
}

impl FromStr for Signature {
    type Err = NoteError;

    /// Reads one line without its line feed.
    fn from_str(line: &str) -> Result<Self, NoteError> {
        let (name, encoded) = line
            .strip_prefix(DASH)
            .and_then(|rest| rest.split_once(' '))
            .filter(|(name, _)| vkey::is_name(name))
            .ok_or(NoteError::Signature)?;
        let bytes = STANDARD.decode(encoded).or(Err(NoteError::Signature))?;
        match bytes.split_first_chunk::<4>() {
            Some((key_id, rest)) if !rest.is_empty() => Ok(Self {
                name: name.to_owned(),
                key_id: *key_id,
                bytes: rest.to_vec(),
            }),
            _ => Err(NoteError::Signature),
        }
    }
}
