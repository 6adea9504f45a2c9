//! For implementors and tests: suites, a source in memory, a depot that fails on demand, and an
//! engine on memory.

mod fault;
mod stage;
mod suite;

use std::collections::BTreeMap;

use covenant_core::BoxFuture;
use covenant_core::digest::Digest;

use crate::source::{Source, SourceError, SourceFile};

pub use crate::engine::SEAL_INFO;
pub use fault::{FaultDepot, Faults};
pub use stage::{Stage, a_month, at, six_months, stage};
pub use suite::{SuiteError, backups_suite, depot_suite};

/// Files in memory as a source.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    /// Path to bytes.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl MemorySource {
    /// A source of these files.
    #[must_use]
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        Self {
            files: files
                .into_iter()
                .map(|(path, bytes)| (path.to_owned(), bytes))
                .collect(),
        }
    }
}

impl Source for MemorySource {
    fn token(&mut self) -> BoxFuture<'_, Result<Vec<u8>, SourceError>> {
        let mut all = covenant_core::canon::Writer::new();
        for (path, bytes) in &self.files {
            all.text(path).bytes(bytes);
        }
        Box::pin(async move { Ok(Digest::of(all.as_bytes()).as_bytes().to_vec()) })
    }

    fn begin(&mut self) -> BoxFuture<'_, Result<Vec<SourceFile>, SourceError>> {
        let file = |(path, bytes): (&String, &Vec<u8>)| SourceFile {
            path: path.clone(),
            len: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        };
        let files = self.files.iter().map(file).collect();
        Box::pin(async { Ok(files) })
    }

    fn read<'a>(
        &'a mut self,
        path: &'a str,
        offset: u64,
        len: u32,
    ) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes = self.files.get(path).ok_or(SourceError::Changed);
        let part = bytes.map(|bytes| bytes.iter().skip(offset).take(len).copied().collect());
        Box::pin(async { part })
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), SourceError>> {
        Box::pin(async { Ok(()) })
    }
}
