//! `SealedStore` does what every object store does, by the suites of `object_store` itself, on memory
//! and on files; and what only a sealed one must do.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use covenant_core::Sealer as _;
use crypto_envelope::Envelope;
use crypto_envelope::blob::{BlobError, SealedStore, sealed_len};
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result, WriteMultipart, integration,
};

use crate::world::{TestResult, World, bytes};

/// A store that counts what it is asked to read.
#[derive(Debug)]
struct Counting {
    inner: Arc<dyn ObjectStore>,
    gets: AtomicU64,
    bytes: AtomicU64,
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(InMemory::new()),
            gets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        })
    }

    /// Requests, and the bytes they asked for, since the last time.
    fn counts(&self) -> (u64, u64) {
        let take = |count: &AtomicU64| count.swap(0, Ordering::SeqCst);
        (take(&self.gets), take(&self.bytes))
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counting")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Counting {
    async fn put_opts(&self, at: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, payload, o).await
    }
    async fn put_multipart_opts(
        &self,
        at: &Path,
        o: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, o).await
    }
    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.inner.get_opts(at, options).await?;
        self.gets.fetch_add(1, Ordering::SeqCst);
        self.bytes
            .fetch_add(got.range.end - got.range.start, Ordering::SeqCst);
        Ok(got)
    }
    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(at, ranges).await
    }
    fn delete_stream(
        &self,
        l: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(l)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// Whether it failed as something that is not authentic.
fn is_not_authentic<T>(result: Result<T>) -> bool {
    match result {
        Err(Error::Generic { source, .. }) => matches!(
            source.downcast_ref::<BlobError>(),
            Some(BlobError::NotAuthentic(_))
        ),
        _ => false,
    }
}

async fn suites(world: &World, inner: Arc<dyn ObjectStore>) -> SealedStore {
    let store = SealedStore::new(inner, world.blobs());
    integration::put_get_delete_list(&store).await;
    integration::get_opts(&store).await;
    integration::list_uses_directories_correctly(&store).await;
    integration::list_with_delimiter(&store).await;
    integration::rename_and_copy(&store).await;
    integration::copy_if_not_exists(&store).await;
    integration::copy_rename_nonexistent_object(&store).await;
    integration::stream_get(&store).await;
    integration::multipart_out_of_order(&store).await;
    integration::list_with_offset_exclusivity(&store).await;
    store
}

#[tokio::test]
async fn on_memory() -> TestResult {
    let world = World::new().await?;
    let store = suites(&world, Arc::new(InMemory::new())).await;
    integration::put_opts(&store, true).await;
    integration::put_get_attributes(&store).await;
    integration::multipart_race_condition(&store, true).await;
    Ok(())
}

#[tokio::test]
async fn on_files() -> TestResult {
    let world = World::new().await?;
    let folder = tempfile::tempdir()?;
    let files = LocalFileSystem::new_with_prefix(folder.path())?;
    let store = suites(&world, Arc::new(files)).await;
    integration::put_opts(&store, false).await;
    Ok(())
}

// clause: P-13
#[tokio::test]
async fn nothing_of_the_content_reaches_the_store_beneath() -> TestResult {
    let world = World::new().await?;
    let inner = Arc::new(InMemory::new());
    let store = SealedStore::new(inner.clone(), world.blobs());
    let (path, moved) = (Path::from("a"), Path::from("b"));
    let marker = b"a marker that occurs nowhere else";
    store.put(&path, marker.to_vec().into()).await?;
    let beneath = inner.get(&path).await?.bytes().await?;
    assert_eq!(Some(u64::try_from(beneath.len())?), sealed_len(33));
    assert!(!beneath.windows(8).any(|window| window == &marker[..8]));
    assert_eq!(store.head(&path).await?.size, 33);
    let listed: Vec<_> = store.list(None).try_collect().await?;
    assert_eq!(listed[0].size, 33);
    // a copy that the store beneath makes opens nowhere, one that is sealed anew does
    inner.copy(&path, &moved).await?;
    assert!(is_not_authentic(store.get(&moved).await));
    store.copy(&path, &moved).await?;
    assert_eq!(store.get(&moved).await?.bytes().await?, marker[..]);
    assert_ne!(inner.get(&moved).await?.bytes().await?, beneath);
    // what nobody sealed is nothing
    inner.put(&moved, marker.to_vec().into()).await?;
    assert!(is_not_authentic(store.get(&moved).await));
    assert!(is_not_authentic(store.head(&moved).await));
    Ok(())
}

#[tokio::test]
async fn a_range_costs_two_requests_and_five_chunks() -> TestResult {
    let world = World::new().await?;
    let inner = Counting::new();
    let store = SealedStore::new(inner.clone(), world.blobs());
    let (path, plain) = (Path::from("large"), bytes(16 << 20));
    store.put(&path, plain.clone().into()).await?;
    let len: u64 = 16 << 20;
    for start in [0, 1, 5_000_000, len - 65_536] {
        let got = store.get_range(&path, start..start + 65_536).await?;
        let at = usize::try_from(start)?;
        assert_eq!(got, plain[at..at + 65_536]);
        let (gets, bytes) = inner.counts();
        assert_eq!(gets, 2);
        assert!(bytes <= 73 + 5 * 16_400 + 16, "{bytes}");
    }
    let got = store.get(&path).await?.bytes().await?;
    assert_eq!(got, plain);
    assert_eq!(inner.counts().0, 2);
    let options = GetOptions {
        range: Some(GetRange::Suffix(3 << 20)),
        ..GetOptions::default()
    };
    let got = store.get_opts(&path, options).await?;
    assert_eq!(got.range, len - (3 << 20)..len);
    assert_eq!(got.bytes().await?, plain[13 << 20..]);
    assert_eq!(inner.counts().0, 3);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_was_cut_ends_with_an_error_and_a_suffix_gives_nothing() -> TestResult {
    let world = World::new().await?;
    let inner = Arc::new(InMemory::new());
    let store = SealedStore::new(inner.clone(), world.blobs());
    let (path, plain) = (Path::from("cut"), bytes(4 << 20));
    store.put(&path, plain.clone().into()).await?;
    let whole = inner.get(&path).await?.bytes().await?;
    inner
        .put(&path, whole.slice(..73 + 150 * 16_400 + 100).into())
        .await?;
    let pieces: Vec<Result<Bytes>> = store.get(&path).await?.into_stream().collect().await;
    let (last, before) = pieces.split_last().ok_or("no piece")?;
    assert!(matches!(last, Err(Error::Generic { .. })), "{last:?}");
    let given: Vec<u8> = before.iter().flatten().flatten().copied().collect();
    assert_eq!(given.len(), 2 << 20);
    assert_eq!(given, plain[..2 << 20]);
    for range in [
        GetRange::Suffix(2 << 20),
        GetRange::Offset(10),
        GetRange::Suffix(5),
    ] {
        let options = GetOptions {
            range: Some(range.clone()),
            ..GetOptions::default()
        };
        let got = match store.get_opts(&path, options).await {
            Ok(got) => got.into_stream().next().await.ok_or("no piece")?.map(drop),
            Err(error) => Err(error),
        };
        assert!(is_not_authentic(got), "{range}");
    }
    Ok(())
}

#[tokio::test]
async fn parts_are_cut_anew_and_an_upload_that_ended_is_over() -> TestResult {
    let world = World::new().await?;
    let store = SealedStore::new(Arc::new(InMemory::new()), world.blobs());
    let (path, plain) = (Path::from("parts"), bytes((17 << 20) + 5));
    for part in [1 << 20, (5 << 20) + 1, 12 << 20] {
        let mut upload =
            WriteMultipart::new_with_chunk_size(store.put_multipart(&path).await?, part);
        upload.write(&plain);
        upload.finish().await?;
        assert_eq!(store.get(&path).await?.bytes().await?, plain);
    }
    let mut upload = store.put_multipart(&path).await?;
    upload.put_part(b"some".to_vec().into()).await?;
    upload.complete().await?;
    assert!(upload.put_part(b"more".to_vec().into()).await.is_err());
    assert!(upload.complete().await.is_err());
    assert_eq!(store.get(&path).await?.bytes().await?, b"some"[..]);
    let mut empty = store.put_multipart(&path).await?;
    empty.complete().await?;
    assert_eq!(store.get(&path).await?.bytes().await?, b""[..]);
    // large enough that it is copied in parts
    let large = Path::from("large");
    store.put(&large, plain.clone().into()).await?;
    store.rename(&large, &path).await?;
    assert_eq!(store.get(&path).await?.bytes().await?, plain);
    assert!(matches!(
        store.head(&large).await,
        Err(Error::NotFound { .. })
    ));
    store.rename(&path, &path).await?;
    assert_eq!(store.head(&path).await?.size, u64::try_from(plain.len())?);
    Ok(())
}

#[tokio::test]
async fn an_erased_subjects_stream_stops_at_the_next_mebibyte() -> TestResult {
    let world = World::new().await?;
    let store = SealedStore::new(Arc::new(InMemory::new()), world.subjects_blobs());
    let path = Path::from("subject");
    store.put(&path, bytes(4 << 20).into()).await?;
    let mut stream = store.get(&path).await?.into_stream();
    assert_eq!(
        stream.try_next().await?.map(|piece| piece.len()),
        Some(1 << 20)
    );
    let order = world.order()?;
    Envelope::new(world.keys.clone()).destroy(&order).await?;
    assert!(stream.try_next().await.is_err());
    assert!(store.get(&path).await.is_err());
    Ok(())
}
