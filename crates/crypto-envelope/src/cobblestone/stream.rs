//! Sealing a message piece by piece: what was pushed comes out as soon as a chunk is full, and nothing
//! but one chunk is kept.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;

use covenant_core::Random;
use ring::aead::Aad;
use zeroize::Zeroize as _;

use super::{
    CHUNK_LEN_BYTES, CHUNKS_MAX, HEADER_LEN_BYTES, Message, SALT_LEN_BYTES, SealError,
    TAG_LEN_BYTES,
};

/// A message that is being sealed.
pub struct Sealing {
    message: Message,
    header: [u8; HEADER_LEN_BYTES],
    /// What is not yet a full chunk: wiped when it goes.
    rest: Vec<u8>,
    chunks: u64,
}

impl Sealing {
    /// Begins a message under root and context, with a fresh salt.
    ///
    /// # Errors
    /// [`SealError::Random`] when no salt can be drawn.
    pub fn begin(root: &[u8; 32], context: &[u8], random: &dyn Random) -> Result<Self, SealError> {
        let mut salt = [0_u8; SALT_LEN_BYTES];
        random.fill(&mut salt).map_err(SealError::Random)?;
        let message = Message::derive(root, &salt, context).ok_or(SealError::TooLarge)?;
        let mut header = [0_u8; HEADER_LEN_BYTES];
        let bytes = salt.into_iter().chain(message.commitment);
        header
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = from);
        Ok(Self {
            message,
            header,
            rest: Vec::with_capacity(CHUNK_LEN_BYTES),
            chunks: 0,
        })
    }

    /// What the message begins with: salt and commitment.
    #[must_use]
    pub const fn header(&self) -> &[u8; HEADER_LEN_BYTES] {
        &self.header
    }

    /// Seals more bytes; full chunks are appended to `out`.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] above 2^38 chunks; the message cannot be finished then.
    pub fn push(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        if !self.rest.is_empty() {
            let lacking = CHUNK_LEN_BYTES.saturating_sub(self.rest.len());
            let (filling, after) = plain
                .split_at_checked(lacking)
                .unwrap_or((plain, Default::default()));
            self.rest.extend_from_slice(filling);
            plain = after;
            if self.rest.len() < CHUNK_LEN_BYTES {
                return Ok(());
            }
            let mut full = std::mem::take(&mut self.rest);
            let sealed = self.chunk(&full, out);
            full.zeroize();
            self.rest = full;
            sealed?;
        }
        let full = plain.chunks_exact(CHUNK_LEN_BYTES);
        let rest = full.remainder();
        out.reserve(plain.len().saturating_add(plain.len() / 512));
        for chunk in full {
            self.chunk(chunk, out)?;
        }
        self.rest.extend_from_slice(rest);
        Ok(())
    }

    /// Seals the last chunk, which is shorter than the others, and ends the message.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] above 2^38 chunks.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), SealError> {
        let last = std::mem::take(&mut self.rest);
        let sealed = self.chunk(&last, out);
        self.rest = last;
        sealed
    }

    fn chunk(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        if self.chunks >= CHUNKS_MAX {
            return Err(SealError::TooLarge);
        }
        let start = out.len();
        out.reserve(plain.len().saturating_add(TAG_LEN_BYTES));
        out.extend_from_slice(plain);
        let sealed = out.get_mut(start..).ok_or(SealError::TooLarge)?;
        let tag = self
            .message
            .key
            .seal_in_place_separate_tag(self.message.nonce(self.chunks), Aad::empty(), sealed)
            .or(Err(SealError::TooLarge))?;
        out.extend_from_slice(tag.as_ref());
        self.chunks = self.chunks.saturating_add(1);
        Ok(())
    }
}

impl Drop for Sealing {
    fn drop(&mut self) {
        self.rest.zeroize();
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing")
            .field("chunks", &self.chunks)
            .finish_non_exhaustive()
    }
}
