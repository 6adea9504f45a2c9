//! Physical erasure on SQLite. `secure_delete` zeroes what is deleted but not the copies that page
//! splits leave in the gaps of live pages; `VACUUM` removes those and leaves the old pages in the
//! write-ahead log; only a truncating checkpoint that nobody blocked empties the log. A full-text
//! index keeps the terms of deleted rows until it is made anew; merging it is not enough.

use std::path::Path;
use std::time::Duration;

use covenant_core::BoxFuture;
use sql_store::maintenance::Maintenance;
use sql_store::{DbError, Durability, OpenError};

use crate::apply::{Flush, FlushError, Flushed};
use crate::scan::sqlite_files;

/// Flushes SQLite files: full-text indexes are made anew, the file is rewritten, the log is cut to
/// nothing, all is synced. A file with a full-text index that has no content of its own is refused:
/// nobody can show that it holds no term of a deleted row.
#[derive(Debug, Clone, Copy)]
pub struct SqliteFlush {
    durability: Durability,
    busy_wait: Duration,
}

impl SqliteFlush {
    /// A flush that waits up to 5 seconds for others to finish.
    #[must_use]
    pub const fn new(durability: Durability) -> Self {
        Self {
            durability,
            busy_wait: Duration::from_secs(5),
        }
    }

    /// The same with another wait.
    #[must_use]
    pub const fn waiting(self, busy_wait: Duration) -> Self {
        Self { busy_wait, ..self }
    }

    async fn run(self, file: &Path) -> Result<Flushed, FlushError> {
        let opened = Maintenance::open_waiting(file, self.durability, self.busy_wait).await;
        let mut maintenance = opened.map_err(open_error)?;
        let rewritten = rewrite(&mut maintenance).await;
        let closed = maintenance.close().await.map_err(db_error);
        rewritten.and(closed)?;
        let (file, durability) = (file.to_owned(), self.durability);
        let synced = tokio::task::spawn_blocking(move || sync(&file, durability)).await;
        let bytes = synced.map_err(unavailable)?.map_err(unavailable)?;
        Ok(Flushed { bytes })
    }
}

impl Flush for SqliteFlush {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(self.run(file))
    }
}

// clause: P-52
async fn rewrite(maintenance: &mut Maintenance) -> Result<(), FlushError> {
    maintenance.rebuild_full_text().await.map_err(db_error)?;
    maintenance.vacuum().await.map_err(db_error)?;
    let report = maintenance.checkpoint_truncate().await.map_err(db_error)?;
    if report.busy {
        Err(FlushError::Busy)
    } else {
        Ok(())
    }
}

/// Syncs what is there of the database's files and returns the database's size.
fn sync(file: &Path, durability: Durability) -> std::io::Result<u64> {
    if durability == Durability::Full {
        for file in sqlite_files(file) {
            match std::fs::File::open(&file) {
                Ok(open) => open.sync_all()?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(std::fs::metadata(file)?.len())
}

fn open_error(error: OpenError) -> FlushError {
    match error {
        OpenError::Database(error) => db_error(error),
        error => unavailable(error),
    }
}

fn db_error(error: DbError) -> FlushError {
    match error {
        DbError::Busy(_) => FlushError::Busy,
        DbError::Full(_) => FlushError::Full,
        error => unavailable(error),
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> FlushError {
    FlushError::Unavailable(Box::new(error))
}
