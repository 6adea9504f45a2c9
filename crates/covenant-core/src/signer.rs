//! Who signs notes: checkpoints, certificates, receipts.

use std::fmt::Debug;

use crate::BoxFuture;

/// Signing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key is not available")]
pub struct SignerError;

/// Signs C2SP notes under one key.
///
/// # Contract
/// `key` is the vkey of the C2SP signed-note format (`<name>+<hash>+<base64 key>`). `sign` takes the
/// note's text, which ends with a line feed, and returns the whole signature line with its own line
/// feed (`\u{2014} <name> <base64>\n`). The same text under the same key gives the same line.
pub trait NoteSigner: Debug + Send + Sync {
    /// The verifier key, as text.
    fn key(&self) -> &str;
    /// Signs the text and returns the signature line.
    ///
    /// # Errors
    /// [`SignerError`] when the key cannot be used.
    fn sign<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<String, SignerError>>;
}
