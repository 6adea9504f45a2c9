//! The reader over a source of ranges, and the writer in pieces.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use covenant_core::{BoxFuture, Sealer as _};
use crypto_envelope::blob::{
    BlobError, BlobReader, Blobs, HEAD_LEN_BYTES, RangeSource, Ranged, plain_len, sealed_len,
};
use crypto_envelope::{CACHE_TTL_SECS, Envelope, KeyError};
use proptest::prelude::{ProptestConfig, proptest};

use crate::world::{TestResult, World, bytes};

const PATH: &str = "2026/report.pdf";

/// Bytes in memory, with every range that was read.
#[derive(Debug, Clone, Default)]
struct Memory {
    bytes: Arc<Vec<u8>>,
    read: Arc<Mutex<Vec<Range<u64>>>>,
}

impl Memory {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Arc::new(bytes),
            read: Arc::default(),
        }
    }

    fn reads(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.read.lock().expect("no panic"))
    }
}

impl RangeSource for Memory {
    fn read(
        &self,
        range: Range<u64>,
    ) -> BoxFuture<'_, Result<Ranged, Box<dyn std::error::Error + Send + Sync>>> {
        self.read.lock().expect("no panic").push(range.clone());
        let len = u64::try_from(self.bytes.len()).expect("short");
        let at = |at: u64| usize::try_from(at.min(len)).expect("short");
        let bytes = self.bytes[at(range.start)..at(range.end)].to_vec();
        Box::pin(async move { Ok(Ranged { bytes, len }) })
    }
}

/// Seals in pieces of this length.
async fn sealed(blobs: &Blobs, path: &str, plain: &[u8], piece: usize) -> Vec<u8> {
    let mut writer = blobs.seal(path).await.expect("a writer");
    let mut out = Vec::new();
    for piece in plain.chunks(piece.max(1)) {
        writer.push(piece, &mut out).expect("seals");
    }
    writer.finish(&mut out).expect("ends");
    out
}

fn is_not_authentic<T>(result: Result<T, BlobError>) -> bool {
    matches!(result, Err(BlobError::NotAuthentic(_)))
}

// clause: P-12, P-13
#[tokio::test]
async fn pieces_of_any_length_make_one_value() -> TestResult {
    let world = World::new().await?;
    let (blobs, sealer) = (world.blobs(), Envelope::new(world.keys.clone()));
    let place = blobs.place(PATH)?;
    for len in [0, 1, 16_383, 16_384, 16_385, 32_768, 50_000] {
        let plain = bytes(len);
        let total = u64::try_from(len)?;
        for piece in [1_000, 16_384, 20_000, 100_000] {
            let blob = sealed(&blobs, PATH, &plain, piece).await;
            assert_eq!(Some(u64::try_from(blob.len())?), sealed_len(total));
            assert_eq!(plain_len(u64::try_from(blob.len())?), Some(total));
            // a blob is a value, and a value a blob
            assert_eq!(sealer.open(&place, &blob).await?.expose(), &plain);
        }
        let value = sealer.seal(&place, &plain).await?;
        let mut reader = blobs.open(PATH, Memory::new(value)).await?;
        assert_eq!(reader.plain_len(), total);
        assert_eq!(reader.read(0..total).await?.expose(), &plain);
    }
    Ok(())
}

#[tokio::test]
async fn a_range_costs_one_read_and_few_chunks() -> TestResult {
    let world = World::new().await?;
    let blobs = world.blobs();
    let plain = bytes(8 << 20);
    let source = Memory::new(sealed(&blobs, PATH, &plain, 1 << 20).await);
    let mut reader = blobs.open(PATH, source.clone()).await?;
    let head = u64::try_from(HEAD_LEN_BYTES)?;
    assert_eq!(source.reads(), vec![0..head; 1]);
    for start in [0, 1, 16_383, 4_000_000, (8 << 20) - 65_536] {
        let range = start..start + 65_536;
        let opened = reader.read(range).await?;
        let at = usize::try_from(start)?;
        assert_eq!(opened.expose(), &plain[at..at + 65_536]);
        let reads = source.reads();
        let [read] = &reads[..] else {
            panic!("{reads:?}")
        };
        assert!(read.end - read.start <= 5 * 16_400 + 16, "{read:?}");
    }
    assert!(matches!(
        reader.read((8 << 20) + 1..(8 << 20) + 2).await,
        Err(BlobError::Range)
    ));
    assert!(reader.read(100..100).await?.expose().is_empty());
    assert_eq!(source.reads(), []);
    Ok(())
}

#[tokio::test]
async fn no_other_place_and_no_changed_byte_opens() -> TestResult {
    let world = World::new().await?;
    let blobs = world.blobs();
    let blob = sealed(&blobs, PATH, b"forty-two", 9).await;
    let whole = async |blobs: &Blobs, path: &str, blob: Vec<u8>| {
        let mut reader: BlobReader<Memory> = blobs.open(path, Memory::new(blob)).await?;
        reader.read(0..u64::MAX).await
    };
    assert_eq!(
        whole(&blobs, PATH, blob.clone()).await?.expose(),
        b"forty-two"
    );
    assert!(is_not_authentic(
        whole(&blobs, "2026/other.pdf", blob.clone()).await
    ));
    let others = world.subjects_blobs();
    assert!(is_not_authentic(whole(&others, PATH, blob.clone()).await));
    for at in 0..blob.len() {
        let mut wrong = blob.clone();
        wrong[at] ^= 1;
        assert!(
            is_not_authentic(whole(&blobs, PATH, wrong).await),
            "byte {at}"
        );
        assert!(
            is_not_authentic(whole(&blobs, PATH, blob[..at].to_vec()).await),
            "cut to {at}"
        );
    }
    let longer = [&blob[..], b"x"].concat();
    assert!(is_not_authentic(whole(&blobs, PATH, longer).await));
    let (long, fits) = ("p".repeat(1_025), "p".repeat(1_024));
    assert!(matches!(blobs.seal(&long).await, Err(BlobError::Path)));
    assert!(blobs.seal(&fits).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_blob_that_was_cut_opens_within_and_not_to_its_end() -> TestResult {
    let world = World::new().await?;
    let blobs = world.blobs();
    let plain = bytes(100_000);
    let blob = sealed(&blobs, PATH, &plain, 100_000).await;
    // cut within a chunk, where the length is one that a blob has
    let cut = blob[..73 + 3 * 16_400 + 500].to_vec();
    let mut reader = blobs.open(PATH, Memory::new(cut)).await?;
    assert_eq!(reader.read(10..20_000).await?.expose(), &plain[10..20_000]);
    let end = reader.plain_len();
    assert!(is_not_authentic(reader.read(0..end).await));
    assert!(is_not_authentic(reader.read(end - 1..end).await));
    assert!(is_not_authentic(reader.read(end..end).await));
    // cut at a chunk's end: no blob has such a length
    let cut = blob[..73 + 3 * 16_400].to_vec();
    assert!(is_not_authentic(
        blobs.open(PATH, Memory::new(cut)).await.map(drop)
    ));
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_gone_stops_a_reader_that_runs() -> TestResult {
    let world = World::new().await?;
    let blobs = world.subjects_blobs();
    let blob = sealed(&blobs, PATH, &bytes(100_000), 100_000).await;
    let mut reader = blobs.open(PATH, Memory::new(blob.clone())).await?;
    reader.read(0..10).await?;
    // a lease that is over is taken again
    world.clock.advance(Duration::from_secs(CACHE_TTL_SECS + 1));
    reader.read(0..10).await?;
    let sealer = Envelope::new(world.keys.clone());
    sealer.destroy(&world.order()?).await?;
    let gone = reader.read(0..10).await;
    assert!(
        matches!(gone, Err(BlobError::Key(KeyError::State(_)))),
        "{gone:?}"
    );
    let gone = blobs.open(PATH, Memory::new(blob)).await.map(drop);
    assert!(
        matches!(gone, Err(BlobError::Key(KeyError::State(_)))),
        "{gone:?}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_range_is_the_slice(len in 0_usize..80_000, piece in 1_usize..40_000, a in 0_u64..90_000, b in 0_u64..90_000) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let world = World::new().await.expect("keys");
            let plain = bytes(len);
            let source = Memory::new(sealed(&world.blobs(), PATH, &plain, piece).await);
            let mut reader = world.blobs().open(PATH, source).await.expect("opens");
            let total = u64::try_from(len).expect("short");
            let (start, end) = (a.min(b), a.max(b));
            let read = reader.read(start..end).await;
            if start > total {
                assert!(matches!(read, Err(BlobError::Range)));
            } else {
                let at = |at: u64| usize::try_from(at.min(total)).expect("short");
                assert_eq!(read.expect("opens").expose(), &plain[at(start)..at(end)]);
            }
        });
    }
}
