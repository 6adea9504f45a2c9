//! What can go wrong, by what the caller can do about it.

use covenant_core::{PeriodError, RandomError, SnapshotId};
use crypto_envelope::KeyError;
use time::UtcDateTime;

use crate::depot::DepotError;
use crate::domain::Epoch;
use crate::source::SourceError;

/// A backup, restore or expiry failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The depot failed. A backup was not committed, unless it was the answer to its last step that
    /// was lost: then `snapshots` lists it.
    #[error("the depot failed")]
    Depot(#[from] DepotError),
    /// The source failed; nothing was committed.
    #[error("the source failed; nothing was committed")]
    Source(#[from] SourceError),
    /// The session did not end within its epoch or its limit; nothing was committed.
    #[error("the session did not end within its epoch; nothing was committed")]
    SessionExpired,
    /// The vault's key is not available; what is sealed under it cannot be read.
    #[error("the vault's key cannot be used")]
    Key(#[source] KeyError),
    /// The epoch is past its day: whatever bytes are left, nothing is given back.
    #[error("epoch {epoch} died at {destroy_at}")]
    Dead {
        /// The epoch.
        epoch: Epoch,
        /// When it died.
        destroy_at: UtcDateTime,
    },
    /// The epoch is not past its day, so nothing of it may go.
    #[error("epoch {epoch} may go at {destroy_at}, not before")]
    NotDue {
        /// The epoch.
        epoch: Epoch,
        /// When it may go.
        destroy_at: UtcDateTime,
    },
    /// The epoch's vault was made under other figures: it dies at an instant that the policy does not
    /// allow. Backups go on with the next epoch.
    #[error("epoch {epoch} was planned to die at {destroy_at}, which the policy does not allow")]
    OtherFigures {
        /// The epoch.
        epoch: Epoch,
        /// When its vault dies.
        destroy_at: UtcDateTime,
    },
    /// No such snapshot.
    #[error("no snapshot {0}")]
    UnknownSnapshot(SnapshotId),
    /// Stored bytes are not what was stored; says which object, never which byte.
    #[error("object {key} is corrupt")]
    Corrupt {
        /// The object's key.
        key: String,
    },
    /// The target exists already, or cannot be written.
    #[error("the target cannot be written")]
    Target(#[source] std::io::Error),
    /// A period leads outside the calendar.
    #[error("a period of the backup policy leads outside the calendar")]
    Period(#[from] PeriodError),
    /// No randomness for an id or a key.
    #[error("no randomness available")]
    Random(#[from] RandomError),
    /// A value could not be sealed.
    #[error("a part of the snapshot cannot be sealed")]
    Seal(#[from] crypto_envelope::cobblestone::SealError),
    /// The epoch's name is none that keys can have.
    #[error("epoch {0} names no keys")]
    EpochName(Epoch),
    /// The event could not be recorded. A snapshot that was committed stays, and the
    /// next run tells of it before it begins.
    #[error("the audit log did not take the event")]
    NotAudited(#[source] covenant_core::SinkError),
    /// What is larger than the caps allow.
    #[error("the source has more than the {what} that a snapshot holds")]
    TooLarge {
        /// Which cap.
        what: &'static str,
    },
}

/// A restore stays shut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The log is behind a known head: deletions may be missing from it.
    #[error("the audit log is behind or beside a known head: the restore stays shut")]
    Behind,
    /// Replaying failed; the quarantine is as it was, and replaying again may succeed.
    #[error("the deletions could not be replayed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
