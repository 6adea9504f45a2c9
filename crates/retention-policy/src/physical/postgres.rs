//! Physical erasure on PostgreSQL. Deletion leaves a row where it is, in tables and indexes; a plain
//! `VACUUM` frees the room and leaves the bytes; `VACUUM FULL` writes tables, indexes and out-of-line
//! values anew, but carries over what an older transaction can still see. The planner's statistics
//! are copies of values. The write-ahead log holds every version of every row until its segments
//! are written over or removed, which a checkpoint alone does not see to.

use std::io;
use std::path::{Path, PathBuf};

use covenant_core::BoxFuture;
use sql_store::{DbError, PostgresMaintenance, PostgresOptions};

use super::{Verified, Verify};
use crate::apply::{Flush, FlushError, Flushed};
use crate::scan::{self, Needle, Scanned};

/// Most files and folders below a data directory: a bound of ours, far above a server's usual
/// thousands.
const ENTRIES_MAX: usize = 1_000_000;
/// Rounds by which the log is turned over more often than it has files, since each round ends one
/// file and begins the next: a figure of ours.
const ROUNDS_MORE: u32 = 2;

/// What becomes of the server's write-ahead log in a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it is turned over or it is not")]
pub enum LogTurn {
    /// One checkpoint: segments go when the server recycles them, and count as remaining until then.
    Leave,
    /// Every segment is ended, let go and written over: for a server without archive and replicas,
    /// at a price of one segment's size for each.
    Over,
}

/// Flushes a PostgreSQL database: waits for older transactions, writes everything anew, checkpoints.
/// The place is the server's data directory, which must be readable where the scan runs.
#[derive(Debug, Clone)]
pub struct PostgresFlush {
    options: PostgresOptions,
    log: LogTurn,
}

/// The server keeps its files elsewhere: a scan of this folder would prove nothing.
#[derive(Debug, thiserror::Error)]
#[error("the server's data directory is another one")]
struct OtherFolder;

impl PostgresFlush {
    /// A flush of the database of these options, whose role owns it; locks are waited for as long as
    /// the options say.
    #[must_use]
    pub const fn new(options: PostgresOptions, log: LogTurn) -> Self {
        Self { options, log }
    }

    /// Purges a whole tenant: ends all sessions of that database, which is not the one of the
    /// options, removes it with its files, and checkpoints. Sizes are of what is left: zero.
    ///
    /// # Errors
    /// [`FlushError`]; the database may then be there still.
    // clause: P-59
    pub async fn drop_database(&self, name: &str, place: &Path) -> Result<Flushed, FlushError> {
        let mut maintenance = self.open(place).await?;
        let done = async {
            maintenance.drop_database(name).await?;
            self.finish(&mut maintenance).await
        };
        let done = done.await;
        let closed = maintenance.close().await;
        done.and(closed).map_err(db_error)?;
        Ok(Flushed { bytes: 0 })
    }

    async fn open(&self, place: &Path) -> Result<PostgresMaintenance, FlushError> {
        let opened = PostgresMaintenance::open(&self.options).await;
        let mut maintenance = opened.map_err(unavailable)?;
        let folder = maintenance.data_directory().await.map_err(db_error)?;
        let same = folder.canonicalize().map_err(unavailable)?
            == place.canonicalize().map_err(unavailable)?;
        if same {
            Ok(maintenance)
        } else {
            maintenance.close().await.map_err(db_error)?;
            Err(unavailable(OtherFolder))
        }
    }

    async fn run(&self, place: &Path) -> Result<Flushed, FlushError> {
        let mut maintenance = self.open(place).await?;
        let done = self.rewrite(&mut maintenance).await;
        if done.is_err() {
            // the server tells of an error before it takes away what it began: it answers again after
            drop(maintenance.size_bytes().await);
        }
        let closed = maintenance.close().await;
        let bytes = done.map_err(db_error)?;
        closed.map_err(db_error)?;
        Ok(Flushed { bytes })
    }

    // clause: P-52
    async fn rewrite(&self, maintenance: &mut PostgresMaintenance) -> Result<u64, DbError> {
        maintenance.outlast_older_transactions().await?;
        maintenance.rewrite().await?;
        self.finish(maintenance).await?;
        maintenance.size_bytes().await
    }

    async fn finish(&self, maintenance: &mut PostgresMaintenance) -> Result<(), DbError> {
        maintenance.checkpoint().await?;
        if self.log == LogTurn::Over {
            let rounds = maintenance.log_segments().await?;
            for _ in 0..rounds.saturating_add(ROUNDS_MORE) {
                maintenance.switch_log().await?;
                maintenance.checkpoint().await?;
            }
        }
        Ok(())
    }
}

impl Flush for PostgresFlush {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(self.run(file))
    }
}

/// The scan reads every file below the data directory and its tablespaces while the server runs; it
/// sees what the last checkpoint wrote, so it means something only after a flush.
impl Verify for PostgresFlush {
    fn verify<'a>(
        &'a self,
        place: &'a Path,
        needles: &'a [Needle],
    ) -> BoxFuture<'a, Result<Verified, FlushError>> {
        Box::pin(async move {
            let (place, needles) = (place.to_owned(), needles.to_vec());
            let looked = tokio::task::spawn_blocking(move || look(&place, &needles)).await;
            looked.map_err(unavailable)?.map_err(unavailable)
        })
    }
}

fn look(place: &Path, needles: &[Needle]) -> io::Result<Verified> {
    let logs = ["pg_wal", "log", "pg_log"].map(|name| place.join(name));
    let (mut live, mut old) = (Vec::new(), Vec::new());
    let mut folders = vec![place.to_owned()];
    let mut seen = 0_usize;
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            seen = seen.saturating_add(1);
            if seen > ENTRIES_MAX {
                return Err(io::Error::other("more files than a data directory has"));
            }
            // follows the links of tablespaces; what the server removed meanwhile holds nothing
            match std::fs::metadata(&path) {
                Ok(found) if found.is_dir() => folders.push(path),
                Ok(found) if found.is_file() => {
                    let of_log = logs.iter().any(|log| path.starts_with(log));
                    if of_log { &mut old } else { &mut live }.push(path);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    let verified = |files: Vec<PathBuf>| -> io::Result<Scanned> { scan::find(&files, needles) };
    Ok(Verified {
        live: verified(live)?,
        remains: verified(old)?,
    })
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn db_error(error: DbError) -> FlushError {
    match error {
        // of two that wait for each other's locks the server ends one
        DbError::Busy(_) | DbError::Serialization(_) => FlushError::Busy,
        DbError::Full(_) => FlushError::Full,
        error => unavailable(error),
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> FlushError {
    FlushError::Unavailable(Box::new(error))
}
