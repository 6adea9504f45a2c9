//! Bytes on disk, version 0: the vault record and the snapshot. Decoders cap, parse, re-encode and
//! compare; they allocate no more than the input is long.

pub mod snapshot;
pub mod vault;

/// Stored bytes are not of this format. Says what kind of object, never which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind} of version 0")]
pub struct FormatError {
    /// What it should have been.
    pub kind: &'static str,
}
