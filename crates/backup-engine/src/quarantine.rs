//! The way out of a restore: quarantined, replayed, released, in this order and no other. The types
//! hold the order: what is not replayed has no `release`.

use std::path::{Path, PathBuf};

use covenant_core::{BoxFuture, SnapshotId};
use time::UtcDateTime;

use crate::domain::Domain;
use crate::error::{BackupError, GateError};
use crate::folder::Folder;
use crate::format::snapshot::LogHead;

/// Replays what happened after a snapshot: deletions above all.
///
/// # Contract
/// `replay` brings the files below `folder` from the state at `head` to what the audit log says
/// since, last state of each item, and refuses when the log does not extend `head` or any newer head
/// that is known. After a failure the folder is removed, so a gate that stopped half way leaves
/// nothing that anybody could read.
///
/// # Errors
/// [`GateError`]; the restore then stays shut.
pub trait Gate: Send + Sync {
    /// Replays.
    fn replay<'a>(
        &'a self,
        domain: &'a Domain,
        folder: &'a Path,
        head: LogHead,
    ) -> BoxFuture<'a, Result<ReplayReport, GateError>>;
}

/// What a replay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Size of the log up to which it went.
    pub log_size: u64,
    /// Items put into the bin.
    pub binned: u64,
    /// Items removed.
    pub purged: u64,
}

/// A restored snapshot that nobody may read yet. Dropped, it is removed.
#[derive(Debug)]
pub struct Quarantined {
    domain: Domain,
    snapshot: SnapshotId,
    folder: Folder,
    head: LogHead,
    consistent_at: UtcDateTime,
}

/// A restored snapshot in which every erasure since has been done again. Dropped, it is removed.
#[derive(Debug)]
pub struct Replayed {
    snapshot: SnapshotId,
    folder: Folder,
    report: ReplayReport,
}

impl Quarantined {
    /// What lies in `folder` is the snapshot; only restores make one.
    pub(crate) const fn new(
        domain: Domain,
        snapshot: SnapshotId,
        folder: Folder,
        head: LogHead,
        consistent_at: UtcDateTime,
    ) -> Self {
        Self {
            domain,
            snapshot,
            folder,
            head,
            consistent_at,
        }
    }

    /// The snapshot.
    #[must_use]
    pub const fn snapshot(&self) -> SnapshotId {
        self.snapshot
    }

    /// The head of the audit log that the snapshot knows.
    #[must_use]
    pub const fn head(&self) -> LogHead {
        self.head
    }

    /// The consistent point.
    #[must_use]
    pub const fn consistent_at(&self) -> UtcDateTime {
        self.consistent_at
    }

    /// Replays every erasure since the snapshot.
    ///
    /// # Errors
    /// [`GateError`]; the folder is removed, so that nothing unreplayed lies about.
    pub async fn replay(self, gate: &dyn Gate) -> Result<Replayed, GateError> {
        let path = self.folder.path();
        let report = gate.replay(&self.domain, path, self.head).await?;
        Ok(Replayed {
            snapshot: self.snapshot,
            folder: self.folder,
            report,
        })
    }
}

impl Replayed {
    /// What the replay did.
    #[must_use]
    pub const fn report(&self) -> ReplayReport {
        self.report
    }

    /// The snapshot.
    #[must_use]
    pub const fn snapshot(&self) -> SnapshotId {
        self.snapshot
    }

    /// Makes the files durable and moves them to `to`, which must not exist: the only way out. Waits
    /// for the disk.
    ///
    /// # Errors
    /// [`BackupError::Target`] when the folder cannot be made durable or moved; it is removed then.
    pub fn release(self, to: &Path) -> Result<PathBuf, BackupError> {
        self.folder.release(to).map_err(BackupError::Target)?;
        Ok(to.to_path_buf())
    }
}
