//! An upload in parts. What was sealed is cut anew, into parts of one length and a shorter last one,
//! since stores demand a least length of every part but the last, and some that all are alike.

use std::fmt;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::try_join_all;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::super::{BlobError, BlobWriter};
use super::{NAME, told};

/// Least length of a part in bytes: that of S3.
const PART_LEN_BYTES_MIN: usize = 5 << 20;

pub(super) struct SealedUpload {
    inner: Box<dyn MultipartUpload>,
    /// Gone once the upload is complete, was aborted, or failed.
    writer: Option<BlobWriter>,
    /// What was sealed and not sent.
    sealed: Vec<u8>,
    /// Length of every part but the last: that of the caller's first part, or the least one.
    part_len: Option<usize>,
}

impl SealedUpload {
    pub(super) const fn new(inner: Box<dyn MultipartUpload>, writer: BlobWriter) -> Self {
        Self {
            inner,
            writer: Some(writer),
            sealed: Vec::new(),
            part_len: None,
        }
    }

    fn seal(&mut self, payload: &PutPayload) -> Result<(), BlobError> {
        // a writer that failed is not used again: what follows would not fit what was sent
        let mut writer = self.writer.take().ok_or(BlobError::TooLarge)?;
        for bytes in payload {
            writer.push(bytes, &mut self.sealed)?;
        }
        self.writer = Some(writer);
        Ok(())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl MultipartUpload for SealedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let first = data.content_length().max(PART_LEN_BYTES_MIN);
        let part_len = *self.part_len.get_or_insert(first);
        if let Err(error) = self.seal(&data) {
            return std::future::ready(Err(told(error))).boxed();
        }
        let mut sent = Vec::new();
        // one byte more than a part, so that there is always a last part to send
        while self.sealed.len() > part_len {
            let rest = self.sealed.split_off(part_len);
            let part = std::mem::replace(&mut self.sealed, rest);
            sent.push(self.inner.put_part(part.into()));
        }
        try_join_all(sent).map(|sent| sent.map(drop)).boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let Some(writer) = self.writer.take() else {
            return Err(object_store::Error::Generic {
                store: NAME,
                source: "the upload has ended".into(),
            });
        };
        let mut last = std::mem::take(&mut self.sealed);
        writer.finish(&mut last).map_err(told)?;
        let part_len = self.part_len.unwrap_or(PART_LEN_BYTES_MIN);
        while !last.is_empty() {
            let rest = last.split_off(part_len.min(last.len()));
            self.inner
                .put_part(std::mem::replace(&mut last, rest).into())
                .await?;
        }
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.writer = None;
        self.sealed = Vec::new();
        self.inner.abort().await
    }
}

impl fmt::Debug for SealedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedUpload")
            .field("unsent", &self.sealed.len())
            .finish_non_exhaustive()
    }
}
