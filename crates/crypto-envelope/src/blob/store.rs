//! An object store whose objects are sealed: a wrapper that seals what goes in, opens what comes out,
//! and tells lengths of plaintext. Paths, attributes, tags and the number of objects lie in the clear.
//!
//! A range costs two requests of the store beneath: the head, and the chunks that hold the range. A
//! range up to the end, of a blob of more than a mebibyte, costs a third, for the last chunk: it shows
//! that the end is the end, before a byte is given out. Copies and moves are sealed anew, since the
//! path is part of what a blob is sealed to.

mod piece;
mod upload;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    RenameTargetMode, Result, coalesce_ranges,
};

use super::{BlobError, Blobs, HEAD_LEN_BYTES, OpenBlob, RECHECK_LEN_BYTES, plain_len};
use crate::cobblestone::NotAuthentic;
use covenant_core::Secret;
use piece::Pieces;
use upload::SealedUpload;

/// The name under which errors of this store are told.
const NAME: &str = "sealed";
/// Longest blob that is copied in one piece: a bound of ours. A longer one is copied in parts, which
/// no store creates only where there is nothing yet.
const WHOLE_LEN_BYTES_MAX: u64 = 8 << 20;

/// Objects of one owner, sealed.
#[derive(Debug, Clone)]
pub struct SealedStore {
    inner: Arc<dyn ObjectStore>,
    blobs: Blobs,
}

impl SealedStore {
    /// A store that seals into this one.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, blobs: Blobs) -> Self {
        Self { inner, blobs }
    }

    /// Seals a blob anew at another path, opening it on the way: nothing stands at the new path
    /// unless all of the old one was authentic.
    async fn copy_resealed(&self, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        let got = self.get_opts(from, GetOptions::default()).await?;
        let (len, attributes) = (got.meta.size, got.attributes.clone());
        if len <= WHOLE_LEN_BYTES_MAX {
            let mode = match mode {
                CopyMode::Overwrite => PutMode::Overwrite,
                CopyMode::Create => PutMode::Create,
            };
            let plain = got.bytes().await?;
            let options = PutOptions {
                mode,
                attributes,
                ..PutOptions::default()
            };
            self.put_opts(to, plain.into(), options).await?;
            return Ok(());
        }
        if mode == CopyMode::Create {
            return Err(object_store::Error::NotImplemented {
                operation: "a copy of more than 8 MiB that must not overwrite".to_owned(),
                implementer: NAME.to_owned(),
            });
        }
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let mut upload = self.put_multipart_opts(to, options).await?;
        let mut plain = got.into_stream();
        loop {
            let part = match plain.try_next().await {
                Ok(Some(part)) => upload.put_part(part.into()).await,
                Ok(None) => return upload.complete().await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = part {
                // the first error is the one to tell
                drop(upload.abort().await);
                return Err(error);
            }
        }
    }

    /// Reads and opens the last chunk: the length is authentic then.
    async fn check_end(&self, location: &Path, blob: &OpenBlob, meta: &ObjectMeta) -> Result<()> {
        let last = blob.last_chunk();
        let options = pinned(meta, last.clone());
        let got = self.inner.get_opts(location, options).await?;
        let sealed = got.bytes().await?;
        let mut plain = Secret::new(Vec::new());
        let opened = blob.open(last.start, &sealed, &mut plain);
        let wanted = last.end.saturating_sub(last.start);
        let whole = u64::try_from(sealed.len()) == Ok(wanted);
        opened
            .and(if whole { Ok(()) } else { Err(NotAuthentic) })
            .map_err(|error| told(error.into()))
    }
}

impl fmt::Display for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealed in {}", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for SealedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let mut writer = self.blobs.seal(location.as_ref()).await.map_err(told)?;
        let plain = u64::try_from(payload.content_length()).unwrap_or(u64::MAX);
        let len = super::sealed_len(plain).and_then(|len| usize::try_from(len).ok());
        let len = len.ok_or_else(|| told(BlobError::TooLarge))?;
        let mut sealed = Vec::with_capacity(len);
        for bytes in &payload {
            writer.push(bytes, &mut sealed).map_err(told)?;
        }
        writer.finish(&mut sealed).map_err(told)?;
        self.inner.put_opts(location, sealed.into(), opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let writer = self.blobs.seal(location.as_ref()).await.map_err(told)?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(SealedUpload::new(inner, writer)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            let mut got = self
                .inner
                .get_opts(location, without_range(options))
                .await?;
            got.meta = opened(got.meta)?;
            got.range = 0..got.meta.size;
            got.payload = GetResultPayload::Stream(stream::empty().boxed());
            return Ok(got);
        }
        let wanted = options.range.clone();
        let head_len = u64::try_from(HEAD_LEN_BYTES).unwrap_or(u64::MAX);
        let first = GetOptions {
            range: Some(GetRange::Bounded(0..head_len)),
            ..options
        };
        let first = self.inner.get_opts(location, first).await?;
        let (sealed_meta, attributes) = (first.meta.clone(), first.attributes.clone());
        let extensions = first.extensions.clone();
        let head = first.bytes().await?;
        let begun = self.blobs.begin(location.as_ref(), &head, sealed_meta.size);
        let blob = begun.await.map_err(told)?;

        let len = blob.plain_len();
        let range = match &wanted {
            None => 0..len,
            Some(range) => range
                .as_range(len)
                .map_err(|error| object_store::Error::Generic {
                    store: NAME,
                    source: Box::new(error),
                })?,
        };
        let sealed = blob.sealed_range(&range);
        let in_one_piece = sealed.end.saturating_sub(sealed.start)
            <= u64::try_from(RECHECK_LEN_BYTES).unwrap_or(u64::MAX);
        let to_the_end = wanted.is_some() && range.end == len;
        if to_the_end && !in_one_piece {
            self.check_end(location, &blob, &sealed_meta).await?;
        }
        let options = pinned(&sealed_meta, sealed.clone());
        let stream = if sealed.is_empty() {
            stream::empty().boxed()
        } else {
            self.inner.get_opts(location, options).await?.into_stream()
        };
        let pieces = Pieces::new(blob, stream, sealed, &range);
        Ok(GetResult {
            payload: GetResultPayload::Stream(pieces.into_stream()),
            meta: opened(sealed_meta)?,
            range,
            attributes,
            extensions,
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        coalesce_ranges(
            ranges,
            |range| self.get_range(location, range),
            OBJECT_STORE_COALESCE_DEFAULT,
        )
        .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix);
        listed.map(|meta| meta.and_then(opened)).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list_with_offset(prefix, offset);
        listed.map(|meta| meta.and_then(opened)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        let objects = std::mem::take(&mut listed.objects);
        listed.objects = objects.into_iter().map(opened).collect::<Result<_>>()?;
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.copy_resealed(from, to, options.mode).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let mode = match options.target_mode {
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        if from == to && mode == CopyMode::Overwrite {
            // a copy onto itself, then a deletion, would leave nothing
            return self.inner.head(from).await.map(drop);
        }
        self.copy_resealed(from, to, mode).await?;
        self.inner.delete(from).await
    }
}

fn without_range(options: GetOptions) -> GetOptions {
    GetOptions {
        range: None,
        ..options
    }
}

/// A range of the very object that was seen before, not of one put there since.
fn pinned(meta: &ObjectMeta, range: Range<u64>) -> GetOptions {
    GetOptions {
        range: Some(GetRange::Bounded(range)),
        if_match: meta.e_tag.clone(),
        version: meta.version.clone(),
        ..GetOptions::default()
    }
}

/// What a sealed object is to whoever can open it: as long as its plaintext.
fn opened(meta: ObjectMeta) -> Result<ObjectMeta> {
    let size = plain_len(meta.size).ok_or_else(|| told(NotAuthentic.into()))?;
    Ok(ObjectMeta { size, ..meta })
}

/// An error of a blob as one of a store.
fn told(error: BlobError) -> object_store::Error {
    object_store::Error::Generic {
        store: NAME,
        source: Box::new(error),
    }
}
