//! Flushes of SQLite files that do half the work, and a connection that does not overwrite.

use std::path::Path;

use covenant_core::BoxFuture;
use sql_store::maintenance::Maintenance;
use sql_store::{DbError, Durability, SqliteConnection};

use crate::apply::{Flush, FlushError, Flushed};

/// Empties the log and does not rewrite the file: copies stay in the gaps of live pages. Caught by
/// the scan.
#[derive(Debug, Clone, Copy)]
pub struct NoVacuum;

/// Rewrites the file and does not empty the log, where the old pages stay. Caught by the scan, as
/// long as somebody has the file open: the last one to close it empties the log.
#[derive(Debug, Clone, Copy)]
pub struct NoCheckpoint;

impl Flush for NoVacuum {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(async move {
            let mut maintenance = open(file).await?;
            maintenance.rebuild_full_text().await.map_err(unavailable)?;
            let report = maintenance.checkpoint_truncate().await;
            if report.map_err(unavailable)?.busy {
                return Err(FlushError::Busy);
            }
            finish(maintenance, file).await
        })
    }
}

impl Flush for NoCheckpoint {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(async move {
            let mut maintenance = open(file).await?;
            maintenance.rebuild_full_text().await.map_err(unavailable)?;
            maintenance.vacuum().await.map_err(|error| match error {
                DbError::Busy(_) => FlushError::Busy,
                error => unavailable(error),
            })?;
            finish(maintenance, file).await
        })
    }
}

/// Switches `secure_delete` off on a connection that was handed out. No scan after a flush sees it,
/// since a vacuum hides it: caught by [`sql_store::check_secure_delete`] alone.
///
/// # Errors
/// As the database answers.
pub async fn no_secure_delete(connection: &mut SqliteConnection) -> Result<(), DbError> {
    sql_store::testing::switch_secure_delete_off(connection).await
}

async fn open(file: &Path) -> Result<Maintenance, FlushError> {
    let wait = std::time::Duration::from_millis(20);
    Maintenance::open_waiting(file, Durability::Off, wait)
        .await
        .map_err(unavailable)
}

async fn finish(maintenance: Maintenance, file: &Path) -> Result<Flushed, FlushError> {
    maintenance.close().await.map_err(unavailable)?;
    let bytes = std::fs::metadata(file).map_err(unavailable)?.len();
    Ok(Flushed { bytes })
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> FlushError {
    FlushError::Unavailable(Box::new(error))
}
