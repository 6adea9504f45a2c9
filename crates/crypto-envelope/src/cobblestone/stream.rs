//! Sealing a message piece by piece: what was pushed comes out as soon as a chunk is full, and nothing
//! but one chunk is kept.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;
use std::io::{self, Read, Write};

use covenant_core::{Random, Secret};
use zeroize::Zeroize as _;

use super::{
    CHUNK_LEN_BYTES, CHUNKS_MAX, HEADER_LEN_BYTES, Message, SALT_LEN_BYTES, SEALED_CHUNK_LEN_BYTES,
    SealError, TAG_LEN_BYTES,
};

/// A source could not be sealed into a sink.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The message is too large.
    #[error("the message cannot be sealed")]
    Seal(#[from] SealError),
    /// The plaintext cannot be read.
    #[error("the bytes to seal cannot be read")]
    Source(#[source] io::Error),
    /// What is sealed cannot be written.
    #[error("the sealed bytes cannot be written")]
    Sink(#[source] io::Error),
}

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
            rest: Vec::with_capacity(SEALED_CHUNK_LEN_BYTES),
            chunks: 0,
        })
    }

    /// What the message begins with: salt and commitment.
    #[must_use]
    pub const fn header(&self) -> &[u8; HEADER_LEN_BYTES] {
        &self.header
    }

    /// Seals more bytes; full chunks are appended to `out`. Pieces of about 64 KiB are the fastest:
    /// larger ones leave a core's own caches while they are copied. [`Sealing::seal_all`] copies
    /// nothing.
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
        // what is reserved grows with the piece, not with each chunk of it
        let tags = full.len().saturating_mul(TAG_LEN_BYTES);
        out.reserve(plain.len().saturating_add(tags));
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

    /// Seals what a source still gives, and ends the message: each chunk is read, sealed and written
    /// in one place, so that nothing is copied and no more than a chunk is held. Returns how many
    /// bytes the source gave.
    ///
    /// # Errors
    /// [`StreamError`]; what the sink has got is no message then.
    pub fn seal_all(
        mut self,
        source: &mut dyn Read,
        sink: &mut dyn Write,
    ) -> Result<u64, StreamError> {
        let mut buffer = Secret::new(std::mem::take(&mut self.rest));
        let chunk = buffer.expose_mut();
        let mut filled = chunk.len();
        chunk.resize(SEALED_CHUNK_LEN_BYTES, 0);
        let mut read: u64 = 0;
        loop {
            let (text, _) = chunk
                .split_at_mut_checked(CHUNK_LEN_BYTES)
                .ok_or(SealError::TooLarge)?;
            while let Some(room) = text.get_mut(filled..).filter(|room| !room.is_empty()) {
                match source.read(room) {
                    Ok(0) => break,
                    Ok(len) => {
                        filled = filled.saturating_add(len).min(CHUNK_LEN_BYTES);
                        read = read.saturating_add(u64::try_from(len).unwrap_or(0));
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(StreamError::Source(error)),
                }
            }
            let number = self.next_chunk()?;
            let text = text.get_mut(..filled).ok_or(SealError::TooLarge)?;
            let tag = self.message.seal_in_place(number, text)?;
            let end = filled.saturating_add(TAG_LEN_BYTES);
            let place = chunk.get_mut(filled..end).ok_or(SealError::TooLarge)?;
            place.copy_from_slice(tag.as_ref());
            let sealed = chunk.get(..end).ok_or(SealError::TooLarge)?;
            sink.write_all(sealed).map_err(StreamError::Sink)?;
            if filled < CHUNK_LEN_BYTES {
                return Ok(read);
            }
            filled = 0;
        }
    }

    fn chunk(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let number = self.next_chunk()?;
        self.message.seal_onto(number, plain, out)
    }

    /// The number of the chunk that is sealed now: each is given once.
    fn next_chunk(&mut self) -> Result<u64, SealError> {
        let number = self.chunks;
        if number >= CHUNKS_MAX {
            return Err(SealError::TooLarge);
        }
        self.chunks = number.saturating_add(1);
        Ok(number)
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

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use covenant_core::SystemRandom;

    use super::super::open;
    use super::*;

    const ROOT: [u8; 32] = [3; 32];

    /// Gives a few bytes at a time, and is interrupted in between.
    struct Hesitant<'a> {
        bytes: &'a [u8],
        calls: usize,
        fails_at: Option<usize>,
    }

    impl Read for Hesitant<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.calls = self.calls.saturating_add(1);
            if self.fails_at.is_some_and(|call| self.calls >= call) {
                return Err(ErrorKind::ConnectionReset.into());
            }
            if self.calls.is_multiple_of(3) {
                return Err(ErrorKind::Interrupted.into());
            }
            let len = room.len().min(5_000);
            self.bytes.read(&mut room[..len])
        }
    }

    fn hesitant(bytes: &[u8]) -> Hesitant<'_> {
        Hesitant {
            bytes,
            calls: 0,
            fails_at: None,
        }
    }

    fn sealing() -> Sealing {
        Sealing::begin(&ROOT, b"x", &SystemRandom::new()).expect("begins")
    }

    #[test]
    fn a_source_is_sealed_to_its_end_behind_what_was_pushed() {
        let plain: Vec<u8> = (0..=250).cycle().take(40_000).collect();
        for pushed in [0, 1, 16_383, 16_384, 20_000, 40_000] {
            for end in [pushed, (pushed + 1).min(40_000), 32_768.max(pushed), 40_000] {
                let mut sealing = sealing();
                let mut message = sealing.header().to_vec();
                sealing
                    .push(&plain[..pushed], &mut message)
                    .expect("pushes");
                let mut source = hesitant(&plain[pushed..end]);
                let read = sealing.seal_all(&mut source, &mut message);
                assert_eq!(read.ok(), u64::try_from(end - pushed).ok());
                let opened = open(&ROOT, b"x", &message).expect("opens");
                assert_eq!(opened.expose(), &plain[..end], "{pushed}, {end}");
            }
        }
    }

    #[test]
    fn a_source_or_sink_that_fails_ends_it() {
        let plain = [7; 40_000];
        let mut source = hesitant(&plain);
        source.fails_at = Some(5);
        let mut message = Vec::new();
        let failed = sealing().seal_all(&mut source, &mut message);
        assert!(
            matches!(failed, Err(StreamError::Source(e)) if e.kind() == ErrorKind::ConnectionReset)
        );
        assert!(message.len() < plain.len());
        let mut room = [0; 20_000];
        let failed = sealing().seal_all(&mut hesitant(&plain), &mut room.as_mut_slice());
        assert!(matches!(failed, Err(StreamError::Sink(e)) if e.kind() == ErrorKind::WriteZero));
    }
}
