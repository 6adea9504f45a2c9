//! The joint of this crate: [`Backups`], and what goes in and comes out.

use std::path::Path;

use covenant_core::{BoxFuture, SnapshotId, VaultId};
use time::UtcDateTime;

use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::format::snapshot::LogHead;
use crate::quarantine::Quarantined;
use crate::source::Source;

/// A committed snapshot, as its name and vault tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// The epoch of its vault.
    pub epoch: Epoch,
    /// When it completed, in whole seconds.
    pub completed: UtcDateTime,
    /// When it dies with its vault.
    pub destroy_at: UtcDateTime,
}

/// A vault of a domain, for whoever decides what may and what must go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryItem {
    /// The vault.
    pub vault: VaultId,
    /// Its epoch.
    pub epoch: Epoch,
    /// First instant of the epoch: no consistent point lies before it.
    pub start: UtcDateTime,
    /// Completion of its last snapshot; the epoch's start when it holds none.
    pub last_completed: UtcDateTime,
    /// When it dies.
    pub destroy_at: UtcDateTime,
}

/// What an expiry removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// Objects deleted from the depot, read back as gone.
    pub objects: u64,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Snapshots that open, with every chunk authentic.
    pub good: Vec<SnapshotId>,
    /// Objects that are missing or not what was stored.
    pub corrupt: Vec<String>,
    /// Epochs whose vault does not unlock, so that nothing of theirs could be checked.
    pub locked: Vec<Epoch>,
}

/// Backs up, restores and lets die.
///
/// # Contract
/// `run` returns once the snapshot is durable at the depot and told of. A run that fails has committed
/// nothing, except when the depot or the audit log does not say how the last step ended: what
/// `snapshots` lists is committed, and the next run tells of it first. `head` was read from the tenant's audit log before the call. `restore` gives back every byte of
/// the source at the consistent point, into an empty folder that stays shut until the erasures since
/// have been replayed; from the vault's last instant on it refuses. `expire` removes what is left of
/// a vault that is past its day, refuses any other, and may be repeated. `end` does the same for a
/// vault before its day, as soon as no snapshot in it must be restorable any more, and only then.
///
/// # Errors
/// [`BackupError`].
///
/// # Implementing
/// Run `testing::backups_suite`; `MemoryBackups` is the model.
pub trait Backups: std::fmt::Debug + Send + Sync {
    /// Backs the source up.
    fn run<'a>(
        &'a self,
        domain: &'a Domain,
        source: &'a mut dyn Source,
        head: LogHead,
    ) -> BoxFuture<'a, Result<Snapshot, BackupError>>;
    /// Committed snapshots, oldest first; those of dead vaults are not among them.
    fn snapshots<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> BoxFuture<'a, Result<Vec<Snapshot>, BackupError>>;
    /// Vaults that have a prefix at the depot, dead ones included, oldest first.
    fn items<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> BoxFuture<'a, Result<Vec<ExpiryItem>, BackupError>>;
    /// Restores a snapshot into a folder below `into`, which stays in quarantine.
    fn restore<'a>(
        &'a self,
        domain: &'a Domain,
        snapshot: SnapshotId,
        into: &'a Path,
    ) -> BoxFuture<'a, Result<Quarantined, BackupError>>;
    /// Removes what is left of a dead vault.
    fn expire<'a>(
        &'a self,
        domain: &'a Domain,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Expired, BackupError>>;
    /// Removes a vault before its day, on an order that ends all of its tenant.
    fn end<'a>(
        &'a self,
        domain: &'a Domain,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Expired, BackupError>>;
    /// Opens every snapshot of the living vaults and every chunk of it.
    fn check<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<CheckReport, BackupError>>;
}
