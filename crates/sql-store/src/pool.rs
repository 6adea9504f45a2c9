//! A pool whose slots close their connection unless it is given back on purpose.
//!
//! Nothing here depends on a destructor that runs code on the connection: a future that is dropped
//! at any await drops its [`Slot`], and with it the connection. Only [`Slot::give_back`] puts a
//! connection where the next caller can get it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use covenant_core::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::DbError;
use crate::error::Cause;

/// How connections of one kind are opened and closed.
pub(crate) trait Connect: fmt::Debug + Send + Sync + 'static {
    /// The connection.
    type Conn: Send + 'static;
    /// Opens one, fully set up and verified.
    fn connect(&self) -> BoxFuture<'_, Result<Self::Conn, DbError>>;
    /// Closes one, and waits until it is closed.
    fn close(conn: Self::Conn) -> BoxFuture<'static, ()>;
}

/// Connections of one kind, opened when needed.
pub(crate) struct Pool<C: Connect> {
    connector: C,
    idle: Mutex<Vec<C::Conn>>,
    permits: Arc<Semaphore>,
    size: u32,
    wait: Duration,
    closed: AtomicBool,
    rejected: AtomicU64,
}

impl<C: Connect> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("connector", &self.connector)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl<C: Connect> Pool<C> {
    /// A pool of at most `size` connections; who finds none waits for `wait` at most.
    pub(crate) fn new(connector: C, size: u32, wait: Duration) -> Self {
        let permits = usize::try_from(size).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            connector,
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(permits)),
            size,
            wait,
            closed: AtomicBool::new(false),
            rejected: AtomicU64::new(0),
        }
    }

    /// A connection: an idle one, else a new one.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Slot<C>, DbError> {
        let permit = self.permit().await?;
        if self.closed.load(Ordering::Acquire) {
            return Err(DbError::Closed);
        }
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let (conn, origin) = match idle {
            Some(conn) => (conn, Origin::Idle),
            None => (self.connector.connect().await?, Origin::New),
        };
        Ok(Slot {
            conn,
            origin,
            permit,
            pool: Arc::clone(self),
        })
    }

    /// The right to one connection; given in the order of asking.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, DbError> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = tokio::time::timeout(self.wait, Arc::clone(&self.permits).acquire_owned());
        match waiting.await {
            Ok(permit) => permit.or(Err(DbError::Closed)),
            Err(_) => Err(DbError::Busy(Cause::new("all connections are in use"))),
        }
    }

    /// How its connections are opened.
    pub(crate) const fn connector(&self) -> &C {
        &self.connector
    }

    /// Puts the first connection in, which was opened outside to hear of its errors in full.
    pub(crate) fn put_first(&self, conn: C::Conn) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(conn);
    }

    /// Counts a connection that came back unclean.
    pub(crate) fn reject(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections came back unclean and were closed.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// Waits until no connection is out, for `wait` at most, closes all, and keeps everybody out
    /// until the guard is dropped.
    pub(crate) async fn quiesce(&self, wait: Duration) -> Result<OwnedSemaphorePermit, DbError> {
        let all = Arc::clone(&self.permits).acquire_many_owned(self.size);
        let Ok(permits) = tokio::time::timeout(wait, all).await else {
            return Err(DbError::Busy(Cause::new("connections are in use")));
        };
        let permits = permits.or(Err(DbError::Closed))?;
        self.drain().await;
        Ok(permits)
    }

    /// Lets nobody in any more, waits for those inside, and closes all connections.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let all = Arc::clone(&self.permits)
            .acquire_many_owned(self.size)
            .await;
        self.drain().await;
        drop(all);
    }

    async fn drain(&self) {
        loop {
            let next = self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            let Some(conn) = next else { return };
            C::close(conn).await;
        }
    }
}

/// Where a connection came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was idle, and may have gone stale since.
    Idle,
    /// It was opened for this caller.
    New,
}

/// A connection out of a pool; dropped, it closes the connection.
pub(crate) struct Slot<C: Connect> {
    // dropped in this order: the connection goes before its permit lets the next caller in
    pub(crate) conn: C::Conn,
    pub(crate) origin: Origin,
    permit: OwnedSemaphorePermit,
    pool: Arc<Pool<C>>,
}

impl<C: Connect> Slot<C> {
    /// Puts a connection that was proven clean back.
    pub(crate) fn give_back(self) {
        let Self {
            conn,
            origin: _,
            permit,
            pool,
        } = self;
        if !pool.closed.load(Ordering::Acquire) {
            pool.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(conn);
        }
        drop(permit);
    }

    /// Closes a connection that came back unclean, and counts it.
    pub(crate) fn reject(self) {
        self.pool.reject();
    }
}
