//! SQLite: one writer and a few read-only readers on one file, every connection hardened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use covenant_core::{BoxFuture, Clock, TxTag};

use crate::db::{Backend, Quiet, Shared};
use crate::pool::{Origin, Pool};
use crate::tx::Session;
use crate::{Db, DbError, Dialect, Mode, OpenError};

mod connect;
mod failure;
mod harden;
pub mod maintenance;
mod options;
mod probe;
mod session;

pub use options::{Durability, READERS_MAX, SqliteOptions, SqliteProfile};
pub(crate) use session::execute;

#[cfg(feature = "testing")]
pub(crate) use probe::switch_secure_delete_off;
pub use probe::{check_secure_delete, probe_secure_delete};

use connect::{Access, Opener};
use session::SqliteSession;

/// A file behind two pools: SQLite lets one connection write at a time, so waiting for it happens
/// here, in order, and not inside SQLite by polling.
#[derive(Debug)]
struct SqliteFile {
    path: PathBuf,
    writer: Arc<Pool<Opener>>,
    readers: Arc<Pool<Opener>>,
}

impl Db {
    /// Opens a database file that exists.
    ///
    /// # Errors
    /// [`OpenError::Missing`] or [`OpenError::NotAFile`]; [`OpenError::Setting`] when a setting does
    /// not read back; [`OpenError::Options`]; else [`OpenError::Database`].
    pub async fn open_sqlite(
        options: SqliteOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        options.check()?;
        let path = connect::existing(&options.path)?;
        open(path, &options, clock).await
    }

    /// Creates a database file, readable and writable by its owner only, and opens it.
    ///
    /// # Errors
    /// [`OpenError::Exists`] when there is anything at the path; else as [`Db::open_sqlite`].
    pub async fn create_sqlite(
        options: SqliteOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        options.check()?;
        let path = connect::create(&options.path, options.durability)?;
        let opened = open(path.clone(), &options, clock).await;
        if opened.is_err() {
            connect::remove(&path)?;
        }
        opened
    }
}

async fn open(
    path: PathBuf,
    options: &SqliteOptions,
    clock: Arc<dyn Clock>,
) -> Result<Db, OpenError> {
    let wait = options.busy_wait;
    let opener = |access| Opener::new(path.clone(), access, options.durability, wait);
    let writer = Arc::new(Pool::new(opener(Access::Write), 1, wait));
    let readers = Arc::new(Pool::new(opener(Access::Read), options.readers, wait));
    // the first connection tells whether the file and the settings are right; it also turns on WAL,
    // which the readers need
    let life = connect::first(&writer).await?;
    let file = SqliteFile {
        path,
        writer,
        readers,
    };
    Ok(Db::new(
        Arc::new(file),
        Shared::new(clock, Dialect::Sqlite, life),
    ))
}

impl Backend for SqliteFile {
    fn begin(&self, mode: Mode, _: TxTag) -> BoxFuture<'_, Result<Box<dyn Session>, DbError>> {
        Box::pin(async move {
            let pool = match mode {
                Mode::ReadOnly => &self.readers,
                Mode::ReadWrite => &self.writer,
            };
            loop {
                let mut slot = pool.take().await?;
                let origin = slot.origin;
                // dropped here, the slot closes its connection, begun or not
                match connect::begin(&mut slot.conn, mode).await {
                    Ok(()) => return Ok(Box::new(SqliteSession::new(slot)) as Box<dyn Session>),
                    Err(DbError::Busy(cause)) => return Err(DbError::Busy(cause)),
                    Err(_) if origin == Origin::Idle => slot.reject(),
                    Err(error) => return Err(error),
                }
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.readers.close().await;
            self.writer.close().await;
        })
    }

    fn quiesce(&self, wait: Duration) -> BoxFuture<'_, Result<Quiet, DbError>> {
        Box::pin(async move {
            // the last connection that closes moves the log into the file, which a reader cannot
            let readers = self.readers.quiesce(wait).await?;
            let writer = self.writer.quiesce(wait).await?;
            Ok(Quiet::new(vec![writer, readers]))
        })
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn rejected(&self) -> u64 {
        self.writer
            .rejected()
            .saturating_add(self.readers.rejected())
    }
}
