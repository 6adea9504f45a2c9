//! The outbox: rows that commit with the business change, and are moved into the log later.

use crate::{BoxFuture, DecisionId, EventId, LogId, TenantId, TxnId};

/// What a transaction is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxTag {
    /// Id of the business transaction.
    pub txn: TxnId,
    /// The tenant whose store it is in; `None` for a control transaction.
    pub tenant: Option<TenantId>,
    /// The access decision under which it runs.
    pub decision: Option<DecisionId>,
}

/// One row of an outbox, as the sink made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Id of the event; the primary key.
    pub event: EventId,
    /// The log that the leaf belongs to.
    pub log: LogId,
    /// What the row is: 0 a leaf, 1 an obligation.
    pub kind: u8,
    /// Canonical bytes of the leaf without transaction and record time.
    pub leaf: Vec<u8>,
    /// Sealed side values, in the sink's own encoding; empty when there are none.
    pub sealed: Vec<u8>,
}

/// Longest leaf in bytes: an entry of a C2SP tlog-tiles bundle has a 16-bit length.
pub const LEAF_LEN_BYTES_MAX: usize = 65_535;

/// A row was not put.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The leaf is longer than [`LEAF_LEN_BYTES_MAX`].
    #[error("a leaf has at most {LEAF_LEN_BYTES_MAX} bytes")]
    TooLarge,
    /// The transaction is read-only.
    #[error("the transaction is read-only")]
    ReadOnly,
    /// The store failed; the transaction must be rolled back.
    #[error("the outbox cannot be written")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A transaction that has an outbox.
///
/// # Contract
/// `put` writes the row in this transaction and stamps the transaction's id and the time of the
/// store's clock on it. A row with an event id that is already in the outbox is an error.
///
/// # Errors
/// [`OutboxError`]; the transaction can then only be rolled back.
pub trait OutboxTx: Send {
    /// What this transaction is known by.
    fn tag(&self) -> TxTag;
    /// Writes one row.
    fn put(&mut self, row: OutboxRow) -> BoxFuture<'_, Result<(), OutboxError>>;
}
