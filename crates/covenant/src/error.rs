//! What can go wrong, by what the caller can do about it.

use covenant_core::sealer::{OpenError, PlaceError, SealError};
use covenant_core::{DecisionId, ItemIdError, PeriodError, RandomError, SinkError};

/// The deployment cannot start. What cannot be honoured is refused, never downgraded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The folder already holds a deployment, or is not empty.
    #[error("the folder is not empty")]
    NotEmpty,
    /// The folder holds no deployment, or a part of one is missing.
    #[error("{0} is missing: this is no deployment, or one that has been damaged")]
    Missing(&'static str),
    /// A file or folder cannot be used.
    #[error("{what} cannot be used")]
    Io {
        /// Which part of the deployment.
        what: &'static str,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// A store cannot be opened.
    #[error("{what} cannot be opened")]
    Store {
        /// Which store.
        what: &'static str,
        /// What it says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A column of the live schema is not declared, or a declared one is missing.
    #[error("the live schema and the data map differ: {0}")]
    Schema(String),
    /// No rule says what becomes of a store that is here, or of a class in it.
    #[error("nobody has ruled {}{store}", .class.as_ref().map_or_else(String::new, |class| format!("class {class} in ")))]
    Unruled {
        /// The store, by its folder.
        store: String,
        /// The class; `None` for the whole store.
        class: Option<String>,
    },
    /// Something lies beside the stores that is none of them: nobody has ruled it.
    #[error("{0} is no store of this deployment: nobody has ruled it")]
    UnknownStore(String),
    /// The isolation of tenants is broken.
    #[error("the isolation of tenants is broken: {0}")]
    NotIsolated(String),
    /// The key store is older than what is known of it: what was destroyed since must be destroyed
    /// again first, by [`crate::Covenant::open_replaying`].
    #[error("the key store is older than what is known of it: replay what was destroyed since")]
    KeysNotReplayed,
    /// The clock is before the newest copy of the key store: planned deaths could not be honoured.
    #[error("the clock is before the newest copy of the key store")]
    ClockBehind,
    /// The folder has a key store: it is not overwritten.
    #[error("there is a key store: move it away to put another in its place")]
    KeyStoreThere,
    /// The copies at the sites do not give a key store, or not all of what it needs; the text names
    /// what is missing.
    #[error("the copies of the keys are incomplete: {0}")]
    CopiesIncomplete(String),
    /// A ceiling of everybody's on live records is shorter than their way through the bin.
    #[error("{0}")]
    TooShort(Box<crate::aged::TooShort>),
    /// The profile names no region.
    #[error("the profile names no region")]
    NoRegion,
    /// The object store gives back what was deleted.
    #[error("the object store of attachments cannot be used")]
    Bucket(#[from] retention_policy::physical::bucket::BucketRefused),
}

impl StartError {
    pub(crate) fn store(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Store {
            what,
            source: source.into(),
        }
    }
}

/// An operation was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A decision denied it; the administrators' access log has the rule.
    #[error("denied by decision {0}")]
    Denied(DecisionId),
    /// The access ended while the operation ran: the tenant's state or the caller's rights changed.
    #[error("the access has ended")]
    Revoked,
    /// The tenant's database was purged and its keys end on a planned day: a backup of it can be
    /// restored beside, and not in its place.
    #[error("the keys of the tenant end on a planned day: restore beside it")]
    KeysEnd,
    /// No such record, or none that this operation can be applied to.
    #[error("no such record")]
    NotFound,
    /// The rules keep all of what was to go: the floor that keeps it has no waiver for this order.
    #[error("the rules keep it until its floor ends")]
    Kept,
    /// A record of this id is there already.
    #[error("a record of this id is there already")]
    Exists,
    /// The record has more files than one may have.
    #[error("a record has at most {max} files")]
    TooManyFiles {
        /// So many.
        max: usize,
    },
    /// What was stored does not open at its place.
    #[error("a stored value is not authentic")]
    NotAuthentic,
    /// The event cannot be recorded, so nothing was done.
    #[error("the event cannot be recorded, so nothing was done")]
    NotAudited(#[source] SinkError),
    /// A backup, restore or expiry failed.
    #[error("the backup failed")]
    Backup(#[from] backup_engine::BackupError),
    /// A restore stays shut.
    #[error("the restore stays shut")]
    Shut(#[from] backup_engine::GateError),
    /// Rules of a tenant weaken those of everybody or contradict them; those in force stay.
    #[error("the rules do not narrow those of everybody: {0}")]
    Rules(#[from] retention_policy::RuleErrors),
    /// A rule of a tenant says what nothing here would carry out; those in force stay.
    #[error("nothing here would carry out the rule {0}")]
    NotCarriedOut(String),
    /// A ceiling of a tenant on its live records is shorter than their way through the bin; those in
    /// force stay.
    #[error("{0}")]
    TooShort(Box<crate::aged::TooShort>),
    /// Holds keep it, or the hold cannot be changed like this; nothing was deleted.
    #[error("holds stand against it")]
    Hold(#[from] retention_policy::HoldError),
    /// The plan of a deletion is not carried out; nothing was deleted.
    #[error("the plan is refused")]
    Plan(#[from] retention_policy::Refused),
    /// Bytes that should be gone are still there; the purge stays open and is tried again.
    #[error("bytes of purged records are still there")]
    StillPresent,
    /// A store, key or source of randomness is not available; what was not committed was not done.
    #[error("a store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

impl From<crate::aged::TooShort> for Error {
    fn from(error: crate::aged::TooShort) -> Self {
        Self::TooShort(Box::new(error))
    }
}
impl From<tenant_isolation::EnterError> for Error {
    fn from(error: tenant_isolation::EnterError) -> Self {
        match error {
            tenant_isolation::EnterError::Denied { decision_id } => Self::Denied(decision_id),
            tenant_isolation::EnterError::AuditUnavailable(error) => Self::NotAudited(error),
            other => Self::unavailable(other),
        }
    }
}
impl From<tenant_isolation::BeginError> for Error {
    fn from(error: tenant_isolation::BeginError) -> Self {
        match error {
            tenant_isolation::BeginError::Expired | tenant_isolation::BeginError::Revoked => {
                Self::Revoked
            }
            other => Self::unavailable(other),
        }
    }
}
impl From<tenant_isolation::CommitError> for Error {
    fn from(error: tenant_isolation::CommitError) -> Self {
        match error {
            tenant_isolation::CommitError::Scope(error) => error.into(),
            other => Self::unavailable(other),
        }
    }
}
impl From<tenant_isolation::LendError> for Error {
    fn from(_: tenant_isolation::LendError) -> Self {
        Self::Revoked
    }
}
impl From<SinkError> for Error {
    fn from(error: SinkError) -> Self {
        Self::NotAudited(error)
    }
}
impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotAuthentic => Self::NotAuthentic,
            other => Self::unavailable(other),
        }
    }
}

macro_rules! unavailable {
    ($($type:ty),* $(,)?) => {
        $(impl From<$type> for Error {
            fn from(error: $type) -> Self {
                Self::unavailable(error)
            }
        })*
    };
}
unavailable!(
    SealError,
    PlaceError,
    RandomError,
    PeriodError,
    ItemIdError,
    sql_store::DbError,
    sql_store::OpenError,
    crypto_envelope::KeyError,
    audit_log::LogError,
    tenant_isolation::RegistryError,
    object_store::Error,
    std::io::Error,
);
