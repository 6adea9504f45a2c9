//! Randomness as an argument.

use std::fmt::Debug;

/// The source of randomness failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no randomness available")]
pub struct RandomError;

/// Where random bytes come from: keys, salts, ids.
///
/// # Contract
/// In production the bytes are those of the operating system's generator; a test may pass a
/// seeded source, which must never repeat bytes within a run.
pub trait Random: Debug + Send + Sync {
    /// Fills the buffer.
    ///
    /// # Errors
    /// [`RandomError`] when the source fails; the buffer's content is then unspecified.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's generator, through `ring`.
#[cfg(feature = "digest")]
#[derive(Debug)]
pub struct SystemRandom(ring::rand::SystemRandom);

#[cfg(feature = "digest")]
impl SystemRandom {
    /// The generator; opening it reads nothing.
    #[must_use]
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

#[cfg(feature = "digest")]
impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "digest")]
impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        ring::rand::SecureRandom::fill(&self.0, bytes).or(Err(RandomError))
    }
}
