//! A transaction: static SQL, bound values, one connection of its own until it ends.

use std::fmt;
use std::sync::Arc;

use covenant_core::{BoxFuture, Monotonic, OutboxError, OutboxRow, OutboxTx, TxTag};
use time::UtcDateTime;

use crate::db::Shared;
use crate::lease::Life;
use crate::{Args, DbError, Dialect, Row, outbox};

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the two kinds of transactions that databases have"
)]
pub enum Mode {
    /// Reads; the database itself refuses writes.
    ReadOnly,
    /// Reads and writes; on SQLite it takes the write lock when it begins.
    ReadWrite,
}

/// One transaction on one connection, as a driver gives it.
///
/// Dropping a session rolls back; its connection is reused only after it was proven clean.
pub(crate) trait Session: Send {
    fn execute(&mut self, sql: &'static str, args: Args) -> BoxFuture<'_, Result<u64, DbError>>;
    fn rows(&mut self, sql: &'static str, args: Args) -> BoxFuture<'_, Result<Vec<Row>, DbError>>;
    /// Several statements without values, whose text was computed from names that were checked.
    fn script<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), DbError>>;
    /// One query without values, whose text was computed from names that were checked.
    fn computed<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<Vec<Row>, DbError>>;
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), DbError>>;
    fn rollback(self: Box<Self>) -> BoxFuture<'static, Result<(), DbError>>;
    /// The database's own time, carried forward by monotonic time; `None` where it has none.
    fn database_now(&self) -> Option<UtcDateTime>;
    #[cfg(feature = "sqlite")]
    fn sqlite(&mut self) -> Option<&mut crate::SqliteConnection>;
    #[cfg(feature = "postgres")]
    fn postgres(&mut self) -> Option<&mut crate::PgConnection>;
}

/// A transaction. It ends by [`Tx::commit`] or [`Tx::rollback`]; dropped, it is rolled back.
pub struct Tx {
    session: Box<dyn Session>,
    shared: Arc<Shared>,
    mode: Mode,
    tag: TxTag,
}

impl Tx {
    pub(crate) fn new(
        session: Box<dyn Session>,
        shared: Arc<Shared>,
        mode: Mode,
        tag: TxTag,
    ) -> Self {
        Self {
            session,
            shared,
            mode,
            tag,
        }
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`DbError`]; except after [`DbError::Arguments`] the transaction can then only be rolled
    /// back, which PostgreSQL enforces.
    pub async fn execute(&mut self, sql: &'static str, args: Args) -> Result<u64, DbError> {
        self.session.execute(sql, args).await
    }

    /// Runs a statement and returns all its rows.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn rows(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DbError> {
        self.session.rows(sql, args).await
    }

    /// Runs a statement and returns its first row.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn row(&mut self, sql: &'static str, args: Args) -> Result<Option<Row>, DbError> {
        Ok(self.session.rows(sql, args).await?.into_iter().next())
    }

    /// Commits. The connection goes back to the pool after it was proven clean, else it is closed.
    ///
    /// # Errors
    /// [`DbError::CommitUnknown`] when the connection was lost before the answer came; any other
    /// error means that nothing was committed.
    pub async fn commit(self) -> Result<(), DbError> {
        self.session.commit().await
    }

    /// Rolls back.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot be told; the connection is then closed, and the
    /// transaction is rolled back all the same.
    pub async fn rollback(self) -> Result<(), DbError> {
        self.session.rollback().await
    }

    /// The connection, for code that is written against sqlx; `None` on PostgreSQL. Whatever it is
    /// left with is found by the return check.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(&mut self) -> Option<&mut crate::SqliteConnection> {
        self.session.sqlite()
    }

    /// The connection, for code that is written against sqlx; `None` on SQLite. Whatever it is left
    /// with is scrubbed or found by the return check.
    #[cfg(feature = "postgres")]
    pub fn postgres(&mut self) -> Option<&mut crate::PgConnection> {
        self.session.postgres()
    }

    /// The database's own time, read when the connection was last checked and carried forward by
    /// monotonic time; `None` on SQLite.
    #[must_use]
    pub fn database_now(&self) -> Option<UtcDateTime> {
        self.session.database_now()
    }

    /// Whether it may write.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Which database it runs on.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.shared.dialect
    }

    /// The wall time of the store's clock.
    #[must_use]
    pub fn now(&self) -> UtcDateTime {
        self.shared.clock.now()
    }

    pub(crate) fn life(&self) -> &Life {
        &self.shared.life
    }

    pub(crate) fn monotonic(&self) -> Monotonic {
        self.shared.clock.monotonic()
    }

    pub(crate) async fn script(&mut self, sql: &str) -> Result<(), DbError> {
        self.session.script(sql).await
    }

    pub(crate) async fn computed_rows(&mut self, sql: &str) -> Result<Vec<Row>, DbError> {
        self.session.computed(sql).await
    }
}

impl OutboxTx for Tx {
    fn tag(&self) -> TxTag {
        self.tag
    }

    fn put(&mut self, row: OutboxRow) -> BoxFuture<'_, Result<(), OutboxError>> {
        Box::pin(async move {
            if self.mode == Mode::ReadOnly {
                return Err(OutboxError::ReadOnly);
            }
            let args = outbox::args(row, self.tag, self.shared.clock.now())?;
            let put = self.session.execute(outbox::PUT, args).await;
            put.map(drop)
                .map_err(|error| OutboxError::Store(Box::new(error)))
        })
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("mode", &self.mode)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}
