//! Errors of scopes and of the guard, by what the caller can do. A denial says nothing but the id
//! of the decision: the rule is in the log of the tenant's admins.

use covenant_core::{DecisionId, RandomError, SinkError};
use sql_store::DbError;

use crate::{RegistryError, StoreError};

/// Nobody was let in, or nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnterError {
    /// The audit log cannot take the decision, so there is none.
    #[error("the decision cannot be recorded")]
    AuditUnavailable(#[from] SinkError),
    /// Denied; the tenant's access log tells why.
    #[error("denied by decision {decision_id}")]
    Denied {
        /// The committed decision.
        decision_id: DecisionId,
    },
    /// No randomness for ids.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The registry cannot answer, or refuses the change.
    #[error("the registry refused")]
    Registry(#[from] RegistryError),
}

/// A scope could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The scope's time has passed: enter again.
    #[error("the scope has expired")]
    Expired,
    /// No randomness for ids.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The registry cannot answer.
    #[error("the registry refused")]
    Registry(#[from] RegistryError),
    /// What allowed the access has changed: the tenant was deleted, or the role taken away.
    #[error("the access has ended")]
    Revoked,
    /// The store refused.
    #[error("the store refused")]
    Store(#[from] StoreError),
}

/// A transaction could not lend its connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LendError {
    /// The store is of another kind of database.
    #[error("the store is of another kind of database")]
    OtherDatabase,
    /// The access has ended, or it cannot be told.
    #[error("the connection is not lent")]
    Scope(#[from] BeginError),
}

/// A transaction was not committed, or it is not known whether it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The database failed; see there when the outcome is unknown.
    #[error("the transaction was not committed")]
    Database(#[from] DbError),
    /// The access has ended; nothing was committed.
    #[error("the transaction was rolled back")]
    Scope(#[from] BeginError),
}
