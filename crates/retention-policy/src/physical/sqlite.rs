//! Physical erasure on SQLite. `secure_delete` zeroes what is deleted but not the copies that page
//! splits leave in the gaps of live pages; `VACUUM` removes those and leaves the old pages in the
//! write-ahead log; only a truncating checkpoint that nobody blocked empties the log. A full-text
//! index keeps the terms of deleted rows until it is made anew; merging it is not enough. The query
//! planner's samples are copies of rows until they are gathered anew. A journal that persists holds
//! the pages as they were before the last change.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use covenant_core::BoxFuture;
use sql_store::maintenance::Maintenance;
use sql_store::{DbError, Durability, OpenError};

use super::{Verified, Verify};
use crate::apply::{Flush, FlushError, Flushed};
use crate::scan::{self, Needle, Scanned, sqlite_files};

/// How often a checkpoint that somebody blocked is tried: a figure of ours. Each try waits as long
/// as the flush was told to.
const CHECKPOINTS_MAX: usize = 3;
/// Where a SQLite file says how it is written, and what it says for write-ahead logging (SQLite's
/// file format, 1.3).
const WRITE_VERSION_OFFSET: u64 = 18;
const WRITE_VERSION_WAL: u8 = 2;

/// Flushes SQLite files: full-text indexes and statistics are made anew, the file is rewritten, the
/// log is cut to nothing, a journal that persists is removed, all is synced. The files may be in any
/// journal mode; one with a rollback journal is put into write-ahead logging for the time, and back.
///
/// A file with a full-text index that has no content of its own is refused: nobody can show that it
/// holds no term of a deleted row.
#[derive(Debug, Clone, Copy)]
pub struct SqliteFlush {
    durability: Durability,
    busy_wait: Duration,
}

/// How the file was written before the flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Ahead,
    Rollback,
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
        let writing = writing(file).map_err(unavailable)?;
        let opened = Maintenance::open_waiting(file, self.durability, self.busy_wait).await;
        let mut maintenance = opened.map_err(open_error)?;
        let rewritten = rewrite(&mut maintenance).await;
        if writing == Writing::Rollback {
            // where others have it open it stays as it is, which any connection can read
            match maintenance.leave_wal().await {
                Ok(()) | Err(DbError::Busy(_)) => {}
                Err(error) => return Err(db_error(error)),
            }
        }
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

impl Verify for SqliteFlush {
    fn verify<'a>(
        &'a self,
        place: &'a Path,
        needles: &'a [Needle],
    ) -> BoxFuture<'a, Result<Verified, FlushError>> {
        Box::pin(async move {
            let (files, needles) = (sqlite_files(place).to_vec(), needles.to_vec());
            let found = tokio::task::spawn_blocking(move || scan::find(&files, &needles)).await;
            Ok(Verified {
                live: found.map_err(unavailable)?.map_err(unavailable)?,
                remains: Scanned::default(),
            })
        })
    }
}

// clause: P-52
async fn rewrite(maintenance: &mut Maintenance) -> Result<(), FlushError> {
    maintenance.rebuild_full_text().await.map_err(db_error)?;
    maintenance.refresh_statistics().await.map_err(db_error)?;
    maintenance.vacuum().await.map_err(db_error)?;
    for _ in 0..CHECKPOINTS_MAX {
        if !maintenance
            .checkpoint_truncate()
            .await
            .map_err(db_error)?
            .busy
        {
            return drop_journal(maintenance.path()).map_err(unavailable);
        }
    }
    Err(FlushError::Busy)
}

/// Removes the rollback journal. With a write-ahead log in force there is no other use of one, and
/// a hot one was rolled back when the file was opened: it is what an earlier mode left behind.
fn drop_journal(file: &Path) -> io::Result<()> {
    let [_, _, journal, _] = sqlite_files(file);
    match std::fs::remove_file(journal) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What the file's header says; a file that is not there is left to whoever opens it.
fn writing(file: &Path) -> io::Result<Writing> {
    use std::io::Seek as _;
    let mut version = [0];
    let read = File::open(file).and_then(|mut file| {
        file.seek(io::SeekFrom::Start(WRITE_VERSION_OFFSET))?;
        file.read(&mut version)
    });
    match read {
        Ok(1) if version != [WRITE_VERSION_WAL] => Ok(Writing::Rollback),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(Writing::Ahead),
    }
}

/// Syncs what is there of the database's files, and its folder, from which a journal may have been
/// taken; returns the database's size.
fn sync(file: &Path, durability: Durability) -> io::Result<u64> {
    if durability == Durability::Full {
        for file in sqlite_files(file) {
            match File::open(&file) {
                Ok(open) => open.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(folder) = file.parent() {
            // of a bare name it is the folder where the process runs
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            File::open(folder)?.sync_all()?;
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
