//! The handle of a database, whichever it is.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use covenant_core::{BoxFuture, Clock, TxTag};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use uuid::Uuid;

use crate::lease::Life;
use crate::tx::Session;
use crate::{DbError, Mode, Tx};

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// What all transactions of a handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dialect: Dialect,
    pub(crate) life: Life,
}

impl Shared {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn new(clock: Arc<dyn Clock>, dialect: Dialect, life: Uuid) -> Self {
        Self {
            clock,
            dialect,
            life: Life::new(life),
        }
    }
}

/// A database behind a driver.
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    fn begin(&self, mode: Mode, tag: TxTag) -> BoxFuture<'_, Result<Box<dyn Session>, DbError>>;
    fn close(&self) -> BoxFuture<'_, ()>;
    fn quiesce(&self, wait: Duration) -> BoxFuture<'_, Result<Quiet, DbError>>;
    fn file(&self) -> Option<&Path>;
    fn rejected(&self) -> u64;
}

/// A database. Clones share its connections.
#[derive(Clone)]
pub struct Db {
    backend: Arc<dyn Backend>,
    shared: Arc<Shared>,
}

/// No transaction is open and no connection either, until this is dropped.
#[must_use = "dropped at once it keeps nobody out"]
pub struct Quiet {
    #[expect(dead_code, reason = "held for its destructor")]
    permits: Vec<tokio::sync::OwnedSemaphorePermit>,
}

impl Quiet {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) const fn new(permits: Vec<tokio::sync::OwnedSemaphorePermit>) -> Self {
        Self { permits }
    }
}

impl fmt::Debug for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quiet").finish_non_exhaustive()
    }
}

impl Db {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn new(backend: Arc<dyn Backend>, shared: Shared) -> Self {
        Self {
            backend,
            shared: Arc::new(shared),
        }
    }

    /// Begins a transaction.
    ///
    /// The future may be dropped at any await: its connection is then closed, and nobody is ever
    /// handed an open transaction. The pool is served in the order of asking.
    ///
    /// # Errors
    /// [`DbError::Busy`] when no connection or lock was free in time, [`DbError::Closed`] after
    /// [`Db::close`], else [`DbError::Unavailable`].
    pub async fn begin_with(&self, mode: Mode, tag: TxTag) -> Result<Tx, DbError> {
        let session = self.backend.begin(mode, tag).await?;
        Ok(Tx::new(session, Arc::clone(&self.shared), mode, tag))
    }

    /// Which database it is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.shared.dialect
    }

    /// The clock that stamps outbox rows.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// The database file; `None` on PostgreSQL.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.backend.file()
    }

    /// How many connections came back unclean and were closed, since the handle was opened. Every
    /// one deserves an event: some code left a setting, a temporary object or a planted statement.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.backend.rejected()
    }

    /// Waits until no transaction is open, for `wait` at most, closes all connections, and keeps
    /// everybody out until [`Quiet`] is dropped: what a flush needs, since with a reader inside a
    /// transaction a truncating checkpoint answers busy.
    ///
    /// # Errors
    /// [`DbError::Busy`] when a transaction is still open after `wait`.
    pub async fn quiesce(&self, wait: Duration) -> Result<Quiet, DbError> {
        self.backend.quiesce(wait).await
    }

    /// Begins no more transactions, waits for the open ones, and closes all connections.
    pub async fn close(&self) {
        self.backend.close().await;
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}
