//! The C2SP checkpoint: the text of a signed note that states the size and root of a log.
#![deny(clippy::arithmetic_side_effects)]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use covenant_core::digest::Digest;

use crate::merkle::TreeHead;

/// Longest origin in bytes: a bound of ours, well above host and log id.
pub const ORIGIN_LEN_BYTES_MAX: usize = 255;

/// Size and root of the log with this origin; no extension lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    head: TreeHead,
}

/// A text is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint")]
pub struct CheckpointError;

impl Checkpoint {
    /// The checkpoint of a log.
    ///
    /// # Errors
    /// [`CheckpointError`] for an origin that is empty, too long, or holds a space, a control
    /// character or a plus sign.
    pub fn new(origin: &str, head: TreeHead) -> Result<Self, CheckpointError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if origin.is_empty() || origin.len() > ORIGIN_LEN_BYTES_MAX || origin.contains(bad) {
            return Err(CheckpointError);
        }
        Ok(Self {
            origin: origin.to_owned(),
            head,
        })
    }

    /// Reads the text of a note: origin, size and root, each on its line.
    ///
    /// # Errors
    /// [`CheckpointError`] for anything that [`Checkpoint::encode`] would not have written.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError);
        };
        let root = BASE64_STANDARD.decode(root).or(Err(CheckpointError))?;
        let root = Digest::from_bytes(root.try_into().or(Err(CheckpointError))?);
        let size = size.parse().or(Err(CheckpointError))?;
        let checkpoint = Self::new(origin, TreeHead { size, root })?;
        if checkpoint.encode() == text {
            Ok(checkpoint)
        } else {
            Err(CheckpointError)
        }
    }

    /// The text that is signed.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self {
            origin,
            head: TreeHead { size, root },
        } = self;
        format!(
            "{origin}\n{size}\n{}\n",
            BASE64_STANDARD.encode(root.as_bytes())
        )
    }

    /// Which log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Its size and root.
    #[must_use]
    pub const fn head(&self) -> TreeHead {
        self.head
    }
}
