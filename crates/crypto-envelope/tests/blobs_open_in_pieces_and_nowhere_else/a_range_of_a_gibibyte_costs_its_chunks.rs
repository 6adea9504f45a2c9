//! A range of 64 KiB of a blob of 1 GiB costs two reads: the head, and at most five chunks, with the
//! final one where the range goes to the end. The gibibyte is sealed whole; of what comes out, only
//! the bytes that a read may ask for are kept, so that a read of any others fails.

use std::error::Error;
use std::io::{self, Read as _, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use covenant_core::BoxFuture;
use crypto_envelope::blob::{HEAD_LEN_BYTES, RangeSource, Ranged, sealed_len};

use super::world::{TestResult, World};

const GIBIBYTE: u64 = 1 << 30;
const RANGE: u64 = 64 << 10;
/// Five chunks.
const CHUNKS_LEN_BYTES: u64 = 82_000;
/// Sealed bytes around each of the ranges that are kept.
const KEPT: u64 = 100_000;
const HEAD: u64 = 73;

/// Where the ranges begin: at the edges, off every boundary, and at the end.
const STARTS: [u64; 7] = [
    0,
    1,
    16_384 * 9,
    16_384 * 40_000 - 1,
    700_000_001,
    GIBIBYTE - RANGE - 1,
    GIBIBYTE - RANGE,
];

/// A sink that keeps windows of what it gets, and a source of them that counts.
#[derive(Debug, Clone)]
struct Windows(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    at: u64,
    kept: Vec<(Range<u64>, Vec<u8>)>,
    reads: Vec<Range<u64>>,
}

impl Windows {
    fn new(windows: impl IntoIterator<Item = Range<u64>>) -> Self {
        Self(Arc::new(Mutex::new(State {
            at: 0,
            kept: windows.into_iter().map(|w| (w, Vec::new())).collect(),
            reads: Vec::new(),
        })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Windows {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let begin = state.at;
        let end = begin + u64::try_from(bytes.len()).map_err(io::Error::other)?;
        for (window, kept) in &mut state.kept {
            let part = window.start.max(begin)..window.end.min(end);
            if part.start < part.end {
                let at = |position: u64| usize::try_from(position - begin).unwrap_or(usize::MAX);
                let part = bytes.get(at(part.start)..at(part.end));
                kept.extend_from_slice(part.ok_or(io::ErrorKind::InvalidData)?);
            }
        }
        state.at = end;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RangeSource for Windows {
    fn read(
        &self,
        range: Range<u64>,
    ) -> BoxFuture<'_, Result<Ranged, Box<dyn Error + Send + Sync>>> {
        Box::pin(async move {
            let mut state = self.state();
            state.reads.push(range.clone());
            let holds =
                |window: &Range<u64>| window.start <= range.start && range.end <= window.end;
            let found = state.kept.iter().find(|(window, _)| holds(window));
            let (window, kept) = found.ok_or("a read of bytes that no range needs")?;
            let at = |position: u64| usize::try_from(position - window.start);
            let bytes = kept.get(at(range.start)?..at(range.end)?);
            let bytes = bytes.ok_or("a short window")?.to_vec();
            let len = state.at;
            Ok(Ranged { bytes, len })
        })
    }
}

/// The plaintext: each byte follows from its position.
fn plain(range: Range<u64>) -> Vec<u8> {
    range
        .map(|at| u8::try_from(at % 251).unwrap_or(0))
        .collect()
}

#[tokio::test]
async fn five_chunks_and_two_reads() -> TestResult {
    let world = World::new().await?;
    let blobs = world.blobs();
    let len = sealed_len(GIBIBYTE).ok_or("too long")?;
    let sealed_at = |plain: u64| HEAD + plain / 16_384 * 16_400;
    let around = STARTS.map(|start| {
        let begin = sealed_at(start);
        begin..(begin + KEPT).min(len)
    });
    assert_eq!(u64::try_from(HEAD_LEN_BYTES), Ok(HEAD));
    let mut windows = Windows::new(std::iter::once(0..HEAD).chain(around));
    // a whole number of periods, and then the rest
    let period = plain(0..251 * 4_096);
    let periods = GIBIBYTE / u64::try_from(period.len())?;
    let mut writer = blobs.seal("large.bin").await?;
    let mut out = Vec::new();
    for _ in 0..periods {
        out.clear();
        writer.push(&period, &mut out)?;
        windows.write_all(&out)?;
    }
    let rest = plain(0..GIBIBYTE % u64::try_from(period.len())?);
    out.clear();
    writer.push(&[], &mut out)?;
    windows.write_all(&out)?;
    let read = writer.seal_all(&mut rest.as_slice().take(u64::MAX), &mut windows)?;
    assert_eq!(read, u64::try_from(rest.len())?);
    assert_eq!(windows.state().at, len);

    for start in STARTS {
        windows.state().reads.clear();
        let mut reader = blobs.open("large.bin", windows.clone()).await?;
        let read = reader.read(start..start + RANGE).await?;
        assert!(*read.expose() == plain(start..start + RANGE), "{start}");
        let reads = windows.state().reads.clone();
        let [head, chunks] = reads.as_slice() else {
            return Err(format!("{start}: {} reads", reads.len()).into());
        };
        assert_eq!(*head, 0..HEAD);
        let last = if start + RANGE == GIBIBYTE { 16 } else { 0 };
        assert!(
            chunks.end - chunks.start <= CHUNKS_LEN_BYTES + last,
            "{start}: {chunks:?}"
        );
    }
    // the source is that strict: what lies between the windows cannot be read
    let mut reader = blobs.open("large.bin", windows.clone()).await?;
    assert!(reader.read(300_000_000..300_000_001).await.is_err());
    Ok(())
}
