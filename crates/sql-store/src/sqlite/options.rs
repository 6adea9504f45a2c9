//! What a SQLite file is opened for, and how durably.

use std::path::PathBuf;
use std::time::Duration;

use crate::OpenError;

/// Most readers of one file: a bound of ours, so that 50 open tenants stay within the usual limit
/// of 1,024 descriptors.
pub const READERS_MAX: u32 = 16;

/// What the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SqliteProfile {
    /// Registry, due-queue, grants, keys, logs: our own statements only.
    Control,
    /// One tenant's rows; its connections are lent to code that is not ours.
    Tenant,
}

/// Whether a commit survives a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "SQLite's two settings that we use")]
pub enum Durability {
    /// Every commit is flushed to the disk (`synchronous=FULL`).
    Full,
    /// Nothing is flushed (`synchronous=OFF`): for tests in virtual time only.
    Off,
}

/// How to open a SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub profile: SqliteProfile,
    /// Whether commits are flushed.
    pub durability: Durability,
    /// How many read-only connections at most, 1 to [`READERS_MAX`]; they are opened when needed.
    pub readers: u32,
    /// How long to wait for a connection, and for a lock of another process.
    pub busy_wait: Duration,
}

impl SqliteOptions {
    /// The options for this file: durable, 4 readers, 5 seconds of waiting. The figures are ours.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, profile: SqliteProfile) -> Self {
        Self {
            path: path.into(),
            profile,
            durability: Durability::Full,
            readers: 4,
            busy_wait: Duration::from_secs(5),
        }
    }

    /// The same with another durability.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The same with another number of readers.
    #[must_use]
    pub const fn readers(mut self, readers: u32) -> Self {
        self.readers = readers;
        self
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        if !(1..=READERS_MAX).contains(&self.readers) {
            return Err(OpenError::Options {
                name: "readers",
                why: "from 1 to 16",
            });
        }
        if self.busy_wait > Duration::from_secs(600) {
            return Err(OpenError::Options {
                name: "busy_wait",
                why: "at most 600 seconds",
            });
        }
        Ok(())
    }
}
