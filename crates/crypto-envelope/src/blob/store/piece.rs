//! Sealed bytes as they arrive, opened a mebibyte at a time.

use std::ops::Range;

use bytes::Bytes;
use covenant_core::Secret;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::Result;

use super::super::{OpenBlob, RECHECK_LEN_BYTES};
use super::told;
use crate::cobblestone::{CHUNK_LEN_BYTES, NotAuthentic, SEALED_CHUNK_LEN_BYTES};

/// Chunks that are opened at once: a mebibyte of plaintext.
const CHUNKS: usize = RECHECK_LEN_BYTES / CHUNK_LEN_BYTES;

pub(super) struct Pieces {
    blob: OpenBlob,
    sealed: BoxStream<'static, Result<Bytes>>,
    /// What arrived and is not opened yet.
    arrived: Vec<u8>,
    /// Where in the blob that begins, and where the sealed range ends.
    at: u64,
    end: u64,
    /// Bytes of plaintext before the range, and bytes of the range still to give.
    before: usize,
    left: u64,
}

impl Pieces {
    pub(super) fn new(
        blob: OpenBlob,
        sealed: BoxStream<'static, Result<Bytes>>,
        range: Range<u64>,
        plain: &Range<u64>,
    ) -> Self {
        let chunk = u64::try_from(CHUNK_LEN_BYTES).unwrap_or(u64::MAX);
        let before = plain.start.checked_rem(chunk).unwrap_or(0);
        Self {
            blob,
            sealed,
            arrived: Vec::new(),
            at: range.start,
            end: range.end,
            before: usize::try_from(before).unwrap_or(0),
            left: plain.end.saturating_sub(plain.start),
        }
    }

    /// The plaintext, piece by piece; each piece is authentic, and after an error there is none.
    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        stream::try_unfold(self, async |mut pieces| {
            Ok(pieces.next().await?.map(|piece| (piece, pieces)))
        })
        .try_filter(|piece| std::future::ready(!piece.is_empty()))
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let left = self.end.saturating_sub(self.at);
        if left == 0 {
            return Ok(None);
        }
        let piece = CHUNKS.saturating_mul(SEALED_CHUNK_LEN_BYTES);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(piece);
        while self.arrived.len() < wanted {
            match self.sealed.try_next().await? {
                Some(bytes) => self.arrived.extend_from_slice(&bytes),
                // fewer bytes than the length said
                None => return Err(told(NotAuthentic.into())),
            }
        }
        self.blob.recheck().await.map_err(told)?;
        let rest = self.arrived.split_off(wanted);
        let sealed = std::mem::replace(&mut self.arrived, rest);
        let mut plain = Secret::new(Vec::with_capacity(wanted));
        let opened = self.blob.open(self.at, &sealed, &mut plain);
        opened.map_err(|error| told(error.into()))?;
        self.at = self
            .at
            .saturating_add(u64::try_from(wanted).unwrap_or(u64::MAX));
        let piece = Bytes::from(std::mem::take(plain.expose_mut()));
        let piece = piece.slice(self.before.min(piece.len())..);
        self.before = 0;
        let len = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(piece.len());
        self.left = self
            .left
            .saturating_sub(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(Some(piece.slice(..len)))
    }
}
