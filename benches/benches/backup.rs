//! The backup engine: a first run on memory against hashing and sealing the same bytes,
//! which it cannot avoid.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration as Took;

use backup_engine::source::{Source, SourceError, SourceFile};
use backup_engine::testing::{six_months, stage};
use backup_engine::{Backups as _, Domain, LogHead};
use benches::{Bar, Measure, compare_samples, timed};
use covenant_core::digest::Digest;
use covenant_core::{BoxFuture, SystemRandom, TenantId};
use crypto_envelope::cobblestone;
use time::Duration;
use time::macros::utc_datetime;
use tokio::runtime::Runtime;

const FILES: u32 = 64;
const FILE_LEN_BYTES: usize = 256 << 10;
/// What the engine seals at a time.
const CHUNK_LEN_BYTES: usize = 64 << 10;

/// Files in memory; it cannot tell whether they changed, so that nothing is skipped.
#[derive(Debug)]
struct Files(Vec<Vec<u8>>);

impl Files {
    fn new() -> Self {
        let word = |file: u32, n: u32| file.wrapping_mul(2_654_435_761).wrapping_add(n);
        let words = u32::try_from(FILE_LEN_BYTES / 4).unwrap_or(0);
        let file = |f| (0..words).flat_map(move |n| word(f, n).to_be_bytes());
        Self((0..FILES).map(|f| file(f).collect()).collect())
    }
}

impl Source for Files {
    fn token(&mut self) -> BoxFuture<'_, Result<Vec<u8>, SourceError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn begin(&mut self) -> BoxFuture<'_, Result<Vec<SourceFile>, SourceError>> {
        let file = |(n, bytes): (usize, &Vec<u8>)| SourceFile {
            path: format!("{n:04}"),
            len: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        };
        let files = self.0.iter().enumerate().map(file).collect();
        Box::pin(async { Ok(files) })
    }

    fn read<'a>(
        &'a mut self,
        path: &'a str,
        offset: u64,
        len: u32,
    ) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        let bytes = path.parse().ok().and_then(|n: usize| self.0.get(n));
        let bytes = bytes.map(|bytes| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let until = from.saturating_add(len).min(bytes.len());
            bytes.get(from..until).unwrap_or_default().to_vec()
        });
        Box::pin(async { bytes.ok_or(SourceError::Changed) })
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), SourceError>> {
        Box::pin(async { Ok(()) })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut files = Files::new();
    first_run(&runtime, &mut files)?;
    sealing(&files)?;
    let bytes = files.0.clone();
    let compared = compare_samples(
        // neither fails: both have run
        || first_run(&runtime, &mut files).unwrap_or_default(),
        || sealing(&Files(bytes.clone())).unwrap_or_default(),
    );
    Measure {
        id: "backup-engine/first-run",
        value: compared.ratio,
        unit: "times the peer's time",
        peer: "limit: SHA-256 of the same 16 MiB in chunks of 64 KiB, and sealing each",
        bar: Bar::AtMost(1.5),
    }
    .print()?;
    Ok(())
}

/// What the first run of an engine takes, which finds an empty vault.
fn first_run(runtime: &Runtime, files: &mut Files) -> Result<Took, Box<dyn Error>> {
    let now = utc_datetime!(2026-11-20 12:00);
    let stage = runtime.block_on(stage(six_months(Duration::hours(49)), now))?;
    let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17");
    let domain = Domain::new(tenant, "main")?;
    let head = LogHead {
        size: 0,
        root: [0; 32],
    };
    let run = || runtime.block_on(stage.engine.run(&domain, files, head));
    let (snapshot, took) = timed(run);
    black_box(snapshot?);
    Ok(took)
}

fn sealing(files: &Files) -> Result<Took, Box<dyn Error>> {
    let random = SystemRandom::new();
    let chunks = || files.0.iter().flat_map(|file| file.chunks(CHUNK_LEN_BYTES));
    let seal = || {
        chunks().try_for_each(|chunk| {
            let id = black_box(Digest::of(chunk));
            cobblestone::seal(&[7; 32], id.as_bytes(), chunk, &random).map(|sealed| {
                black_box(sealed);
            })
        })
    };
    let (sealed, took) = timed(seal);
    sealed?;
    Ok(took)
}
