//! Blobs: values that are sealed and opened in pieces. They have the format of every sealed value; what
//! differs is that neither side holds the whole.
//!
//! A blob's place is its path, so that the bytes of one path open at no other. Reading checks the lease
//! of the root again at every mebibyte: a key that was disabled or destroyed stops a stream that runs.

#[cfg(feature = "object-store")]
pub mod store;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use covenant_core::sealer::Purpose;
use covenant_core::{BoxFuture, KeyId, Owner, Place, Secret};

use crate::cobblestone::{self, HEADER_LEN_BYTES, NotAuthentic, Opening, Sealing};
use crate::error::KeyError;
use crate::keys::Keys;
use crate::sealed::{PREFIX_LEN_BYTES, SEALED_VERSION};
use crate::unlocked::Unlocked;

#[cfg(feature = "object-store")]
pub use store::SealedStore;

/// Bytes before the first chunk of a blob: format version, key version, salt, commitment.
pub const HEAD_LEN_BYTES: usize = 73;
/// Plaintext bytes after which a running stream looks at its lease again.
pub const RECHECK_LEN_BYTES: usize = 1 << 20;

/// [`PREFIX_LEN_BYTES`], for positions.
const PREFIX: u64 = 17;

/// A blob cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// Its bytes, its length or its place are not those that were sealed.
    #[error("not authentic")]
    NotAuthentic(#[source] NotAuthentic),
    /// Its key cannot be used.
    #[error("the key of the blob cannot be used")]
    Key(#[source] KeyError),
    /// The path cannot be a place: it is longer than 1,024 bytes.
    #[error("the path cannot be a place")]
    Path,
    /// It would have more than 2^38 chunks.
    #[error("the blob is too large")]
    TooLarge,
    /// The range begins after the end, or ends before it begins.
    #[error("the range is not within the blob")]
    Range,
    /// What is sealed cannot be written.
    #[error("the sealed blob cannot be written")]
    Sink(#[source] std::io::Error),
    /// The source of its bytes failed.
    #[error("the bytes of the blob cannot be read")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<NotAuthentic> for BlobError {
    fn from(source: NotAuthentic) -> Self {
        Self::NotAuthentic(source)
    }
}

impl From<KeyError> for BlobError {
    fn from(error: KeyError) -> Self {
        match error {
            // which of them it is, no stranger is told
            KeyError::Absent | KeyError::NoSuchRoot | KeyError::NotAuthentic => {
                Self::NotAuthentic(NotAuthentic)
            }
            other => Self::Key(other),
        }
    }
}

impl From<cobblestone::SealError> for BlobError {
    fn from(error: cobblestone::SealError) -> Self {
        match error {
            cobblestone::SealError::TooLarge => Self::TooLarge,
            cobblestone::SealError::Random(source) => Self::Key(KeyError::Random(source)),
        }
    }
}

impl From<cobblestone::StreamError> for BlobError {
    fn from(error: cobblestone::StreamError) -> Self {
        match error {
            cobblestone::StreamError::Seal(source) => source.into(),
            cobblestone::StreamError::Sink(source) => Self::Sink(source),
            cobblestone::StreamError::Source(source) => Self::Source(Box::new(source)),
        }
    }
}

/// Bytes of a blob that seals this many; `None` above 2^38 chunks.
#[must_use]
pub fn sealed_len(plain: u64) -> Option<u64> {
    cobblestone::sealed_len(plain)?.checked_add(PREFIX)
}

/// Bytes of plaintext in a blob of this length; `None` for a length that no blob has.
#[must_use]
pub fn plain_len(sealed: u64) -> Option<u64> {
    cobblestone::plain_len(sealed.checked_sub(PREFIX)?)
}

/// What a [`RangeSource`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranged {
    /// The bytes of the range, fewer where the source ends.
    pub bytes: Vec<u8>,
    /// The length of the whole source.
    pub len: u64,
}

/// Sealed bytes that can be read in ranges: a file, an object of a store.
///
/// # Contract
/// Reads of one source give the same bytes as long as it is not changed, and no byte beyond its end.
///
/// # Errors
/// Whatever the source says; a failed read may be repeated.
///
/// # Implementing
/// A range that ends after the source is cut there; one that begins after it gives no bytes.
pub trait RangeSource: Debug + Send + Sync {
    /// Reads a range.
    fn read(
        &self,
        range: Range<u64>,
    ) -> BoxFuture<'_, Result<Ranged, Box<dyn std::error::Error + Send + Sync>>>;
}

/// Where blobs lie: whose they are, and under which column of the data map.
#[derive(Debug, Clone)]
pub struct Blobs {
    keys: Arc<Keys>,
    owner: Owner,
    purpose: Purpose,
    collection: Box<str>,
    field: Box<str>,
}

impl Blobs {
    /// Blobs of this owner, sealed for this purpose.
    #[must_use]
    pub fn new(
        keys: Arc<Keys>,
        owner: Owner,
        purpose: Purpose,
        collection: &str,
        field: &str,
    ) -> Self {
        Self {
            keys,
            owner,
            purpose,
            collection: collection.into(),
            field: field.into(),
        }
    }

    /// The place of the blob at a path.
    ///
    /// # Errors
    /// [`BlobError::Path`].
    pub fn place(&self, path: &str) -> Result<Place, BlobError> {
        let (collection, field) = (&self.collection, &self.field);
        Place::new(self.owner, self.purpose, collection, field, path.as_bytes())
            .or(Err(BlobError::Path))
    }

    /// Begins to seal a blob.
    ///
    /// # Errors
    /// [`BlobError::Path`], [`BlobError::Key`].
    pub async fn seal(&self, path: &str) -> Result<BlobWriter, BlobError> {
        let place = self.place(path)?;
        let unlocked = self.keys.unlock(self.owner, self.purpose).await?;
        let sealing = unlocked.begin_sealing(&place)?;
        let mut head = Vec::with_capacity(HEAD_LEN_BYTES);
        head.push(SEALED_VERSION);
        head.extend_from_slice(unlocked.version().as_bytes());
        head.extend_from_slice(sealing.header());
        Ok(BlobWriter { head, sealing })
    }

    /// Opens the blob at a path for reading in ranges: one read of the source.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn open<S: RangeSource>(
        &self,
        path: &str,
        source: S,
    ) -> Result<BlobReader<S>, BlobError> {
        let head = u64::try_from(HEAD_LEN_BYTES).or(Err(NotAuthentic))?;
        let Ranged { bytes, len } = source.read(0..head).await.map_err(BlobError::Source)?;
        let blob = self.begin(path, &bytes, len).await?;
        Ok(BlobReader { blob, source })
    }

    /// Checks the head of a blob of this length, and finds its key.
    pub(crate) async fn begin(
        &self,
        path: &str,
        head: &[u8],
        sealed_len: u64,
    ) -> Result<OpenBlob, BlobError> {
        let place = self.place(path)?;
        let (prefix, header) = head
            .split_at_checked(PREFIX_LEN_BYTES)
            .ok_or(NotAuthentic)?;
        let Some((&SEALED_VERSION, version)) = prefix.split_first() else {
            return Err(NotAuthentic.into());
        };
        let header = header.get(..HEADER_LEN_BYTES).ok_or(NotAuthentic)?;
        let version = KeyId::from_bytes(version.try_into().or(Err(NotAuthentic))?);
        let message_len = sealed_len.checked_sub(PREFIX).ok_or(NotAuthentic)?;
        // a length that no blob has asks no key
        cobblestone::plain_len(message_len).ok_or(NotAuthentic)?;
        let unlock = || self.keys.unlock_version(version, self.owner, self.purpose);
        let mut unlocked = unlock().await?;
        let opening = match unlocked.begin_opening(&place, header, message_len) {
            // the lease ran out between the two steps
            Err(KeyError::LeaseOver(_)) => {
                unlocked = unlock().await?;
                unlocked.begin_opening(&place, header, message_len)?
            }
            other => other?,
        };
        Ok(OpenBlob {
            blobs: self.clone(),
            version,
            unlocked,
            opening,
        })
    }
}

/// A blob that is being sealed. What comes out, in this order, is the blob.
#[derive(Debug)]
pub struct BlobWriter {
    /// What stands before the chunks, until it was given out.
    head: Vec<u8>,
    sealing: Sealing,
}

impl BlobWriter {
    /// Seals more bytes; what is ready is appended to `out`.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`].
    pub fn push(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), BlobError> {
        out.append(&mut self.head);
        Ok(self.sealing.push(plain, out)?)
    }

    /// Seals what a source still gives, and ends the blob: see [`Sealing::seal_all`], which copies
    /// nothing. Returns how many bytes the source gave.
    ///
    /// # Errors
    /// [`BlobError::Source`], [`BlobError::Sink`], [`BlobError::TooLarge`]; what the sink has got is
    /// no blob then.
    pub fn seal_all(
        self,
        source: &mut dyn std::io::Read,
        sink: &mut dyn std::io::Write,
    ) -> Result<u64, BlobError> {
        sink.write_all(&self.head).map_err(BlobError::Sink)?;
        Ok(self.sealing.seal_all(source, sink)?)
    }

    /// Seals what is left, and ends the blob.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`].
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), BlobError> {
        out.append(&mut self.head);
        Ok(self.sealing.finish(out)?)
    }
}

/// A blob whose head was checked.
#[derive(Debug)]
pub(crate) struct OpenBlob {
    blobs: Blobs,
    version: KeyId,
    unlocked: Unlocked,
    opening: Opening,
}

impl OpenBlob {
    pub(crate) const fn plain_len(&self) -> u64 {
        self.opening.plain_len()
    }

    /// The bytes of the blob that hold this range of the plaintext.
    pub(crate) fn sealed_range(&self, plain: &Range<u64>) -> Range<u64> {
        shifted(&self.opening.sealed_range(plain))
    }

    #[cfg(feature = "object-store")]
    pub(crate) fn last_chunk(&self) -> Range<u64> {
        shifted(&self.opening.last_chunk())
    }

    /// Opens whole chunks that begin at this byte of the blob.
    pub(crate) fn open(
        &self,
        at: u64,
        sealed: &[u8],
        out: &mut Secret<Vec<u8>>,
    ) -> Result<(), NotAuthentic> {
        let at = at.checked_sub(PREFIX).ok_or(NotAuthentic)?;
        self.opening.open(at, sealed, out)
    }

    /// Refuses once the key may not be used any more; a lease that is over is taken again.
    pub(crate) async fn recheck(&mut self) -> Result<(), BlobError> {
        match self.unlocked.check() {
            Err(KeyError::LeaseOver(_)) => {
                let Blobs {
                    keys,
                    owner,
                    purpose,
                    ..
                } = &self.blobs;
                let unlocked = keys.unlock_version(self.version, *owner, *purpose).await?;
                self.unlocked = unlocked;
                Ok(self.unlocked.check()?)
            }
            other => Ok(other?),
        }
    }
}

fn shifted(message: &Range<u64>) -> Range<u64> {
    message.start.saturating_add(PREFIX)..message.end.saturating_add(PREFIX)
}

/// A blob that is read in ranges. Its length is authentic once a range up to its end was read.
#[derive(Debug)]
pub struct BlobReader<S> {
    blob: OpenBlob,
    source: S,
}

impl<S: RangeSource> BlobReader<S> {
    /// Bytes of plaintext, as the length of the source says.
    #[must_use]
    pub const fn plain_len(&self) -> u64 {
        self.blob.plain_len()
    }

    /// Reads a range of the plaintext, with one read of the source: the chunks that hold it. A range
    /// that ends after the blob is cut there, once the last chunk has shown that the end is its own.
    ///
    /// # Errors
    /// [`BlobError`]; nothing is returned unless all of the range is authentic.
    pub async fn read(&mut self, range: Range<u64>) -> Result<Secret<Vec<u8>>, BlobError> {
        if range.start > range.end || range.start > self.plain_len() {
            return Err(BlobError::Range);
        }
        self.blob.recheck().await?;
        let range = range.start..range.end.min(self.plain_len());
        let sealed = self.blob.sealed_range(&range);
        let mut out = Secret::new(Vec::new());
        if sealed.is_empty() {
            return Ok(out);
        }
        let read = self.source.read(sealed.clone()).await;
        let bytes = read.map_err(BlobError::Source)?.bytes;
        let wanted = sealed.end.saturating_sub(sealed.start);
        if u64::try_from(bytes.len()).ok() != Some(wanted) {
            return Err(NotAuthentic.into());
        }
        self.blob.open(sealed.start, &bytes, &mut out)?;
        cut(&mut out, &range);
        Ok(out)
    }
}

/// Leaves of the plaintext of whole chunks what the range asks for.
pub(crate) fn cut(plain: &mut Secret<Vec<u8>>, range: &Range<u64>) {
    let chunk = u64::try_from(cobblestone::CHUNK_LEN_BYTES).unwrap_or(u64::MAX);
    let before = usize::try_from(range.start.checked_rem(chunk).unwrap_or(0)).unwrap_or(0);
    let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let plain = plain.expose_mut();
    let before = before.min(plain.len());
    plain.drain(..before);
    plain.truncate(len);
}
