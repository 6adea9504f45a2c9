//! What 64 KiB of a sealed object of a gibibyte cost: bytes and requests, counted. The object is
//! sealed whole; of what comes out, only what a range may need is kept.

use std::error::Error;
use std::io::{self, Read as _, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use benches::{Bar, Measure};
use covenant_core::sealer::Purpose;
use covenant_core::{BoxFuture, Owner, SystemClock, SystemRandom, TenantId};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::blob::{Blobs, HEAD_LEN_BYTES, RangeSource, Ranged};
use crypto_envelope::store::MemoryStore;
use crypto_envelope::{Keys, KeysOptions};

use super::Outcome;

const GIBIBYTE: u64 = 1 << 30;
const RANGE_LEN_BYTES: u64 = 64 << 10;
/// Five chunks, and the final one, which holds nothing here.
const MOST_BYTES: f64 = 82_016.0;
/// Sealed bytes kept from where a range begins.
const KEPT_LEN_BYTES: u64 = 100_000;
/// On a boundary, off it, and at the end.
const STARTS: [u64; 4] = [0, 500_000_001, 700_000_000, GIBIBYTE - RANGE_LEN_BYTES];

pub(super) fn run() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (bytes, requests) = runtime.block_on(counted())?;
    Measure {
        id: "crypto-envelope/range-64-kib-bytes",
        value: f64::from(bytes),
        unit: "bytes of chunks read of a sealed GiB, at most",
        peer: "limit: five chunks, and the final one at the end",
        bar: Bar::AtMost(MOST_BYTES),
    }
    .print()?;
    Measure {
        id: "crypto-envelope/range-64-kib-requests",
        value: f64::from(requests),
        unit: "requests, at most",
        peer: "limit: one for the head, one for the chunks",
        bar: Bar::AtMost(2.0),
    }
    .print()?;
    Ok(())
}

/// The most bytes beside the head, and the most requests, that any of the ranges took.
async fn counted() -> Result<(u32, u32), Box<dyn Error>> {
    let random = Arc::new(SystemRandom::new());
    let keys = Keys::open(
        Arc::new(MemoryStore::new()),
        Arc::new(MemoryBackend::new(random.clone())),
        Arc::new(SystemClock::new()),
        random,
        KeysOptions::default(),
    )
    .await?;
    let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17");
    keys.create_tenant(tenant).await?;
    let owner = Owner::Tenant(tenant);
    let blobs = Blobs::new(Arc::new(keys), owner, Purpose::Data, "files", "content");
    let head = u64::try_from(HEAD_LEN_BYTES)?;
    let mut object = Windows::new(head);
    let writer = blobs.seal("large.bin").await?;
    writer.seal_all(&mut io::repeat(1).take(GIBIBYTE), &mut object)?;
    let (mut most_bytes, mut most_requests) = (0, 0);
    for start in STARTS {
        object.state().reads.clear();
        let mut reader = blobs.open("large.bin", object.clone()).await?;
        let read = reader.read(start..start + RANGE_LEN_BYTES).await?;
        if *read.expose() != vec![1; usize::try_from(RANGE_LEN_BYTES)?] {
            return Err("a range does not open".into());
        }
        let state = object.state();
        let bytes: u64 = state.reads.iter().map(|read| read.end - read.start).sum();
        most_bytes = most_bytes.max(bytes - head);
        most_requests = most_requests.max(state.reads.len());
    }
    Ok((u32::try_from(most_bytes)?, u32::try_from(most_requests)?))
}

/// An object of which windows are kept, and whose reads are counted.
#[derive(Debug, Clone)]
struct Windows(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    len: u64,
    kept: Vec<(Range<u64>, Vec<u8>)>,
    reads: Vec<Range<u64>>,
}

impl Windows {
    fn new(head: u64) -> Self {
        let around = STARTS.map(|start| {
            let begin = head + start / 16_384 * 16_400;
            begin..begin + KEPT_LEN_BYTES
        });
        let windows = std::iter::once(0..head).chain(around);
        Self(Arc::new(Mutex::new(State {
            len: 0,
            kept: windows.map(|window| (window, Vec::new())).collect(),
            reads: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of bytes that begin at a position which lies in a window.
fn within<'a>(bytes: &'a [u8], begin: u64, window: &Range<u64>) -> Option<&'a [u8]> {
    let end = begin.checked_add(u64::try_from(bytes.len()).ok()?)?;
    let (from, to) = (window.start.max(begin), window.end.min(end));
    let at = |position: u64| usize::try_from(position.checked_sub(begin)?).ok();
    bytes.get(at(from)?..at(to)?)
}

impl Write for Windows {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let begin = state.len;
        for (window, kept) in &mut state.kept {
            kept.extend_from_slice(within(bytes, begin, window).unwrap_or_default());
        }
        state.len += u64::try_from(bytes.len()).map_err(io::Error::other)?;
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
            let mut kept = state.kept.iter();
            let found =
                kept.find(|(window, _)| window.start <= range.start && range.start < window.end);
            let (window, kept) = found.ok_or("a read of bytes that no range needs")?;
            let bytes = within(kept, window.start, &range).ok_or("a read beyond what is needed")?;
            Ok(Ranged {
                bytes: bytes.to_vec(),
                len: state.len,
            })
        })
    }
}
