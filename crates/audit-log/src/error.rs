//! What can go wrong with a log.

use covenant_core::{EventId, LogId};

use crate::leaf::LeafError;

/// A log did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// No log holds the event, or not yet.
    #[error("event {0} is not sequenced")]
    NotSequenced(EventId),
    /// The range begins after the end of the log.
    #[error("log {log} has only {size} leaves")]
    OutOfRange {
        /// The log.
        log: LogId,
        /// Its size.
        size: u64,
    },
    /// What is stored is not what was sequenced.
    #[error("log {log} is damaged at leaf {index}")]
    Damaged {
        /// The log.
        log: LogId,
        /// Number of the first leaf seen to be damaged.
        index: u64,
        /// What is wrong with the leaf itself, when it is that.
        #[source]
        source: Option<LeafError>,
    },
    /// Another sequencer was faster; nothing was written, the same call again settles it.
    #[error("log {0} grew meanwhile")]
    Raced(LogId),
    /// The log has no head to sign, or a key of another name.
    #[error("log {0} cannot be signed")]
    Signing(LogId),
    /// The store failed.
    #[error("the audit store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
