//! Vacuum, checkpoint and copies: on a connection of its own that is never pooled or lent.
//!
//! These need one attached database, which VACUUM uses inside, so no other connection may do them.
//! Statements are static and paths are bound; whoever calls holds the tenant's one Maintenance slot.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::connect::{self, Access, Conn, Opener};
use super::{Durability, failure, harden};
use crate::error::Cause;
use crate::{DbError, OpenError};

/// A connection for maintenance of one SQLite file.
#[derive(Debug)]
pub struct Maintenance {
    conn: Conn,
    opener: Opener,
    path: PathBuf,
    durability: Durability,
}

/// What a checkpoint did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointReport {
    /// Somebody was reading or writing: the log was not truncated, and old bytes stay in it.
    pub busy: bool,
    /// Frames in the write-ahead log; -1 when there is none.
    pub log_frames: i64,
    /// Frames moved into the database file; -1 when there is no log.
    pub moved_frames: i64,
}

impl Maintenance {
    /// Opens the connection, which waits up to 5 seconds for locks.
    ///
    /// # Errors
    /// As `Db::open_sqlite`.
    pub async fn open(path: impl AsRef<Path>, durability: Durability) -> Result<Self, OpenError> {
        Self::open_waiting(path, durability, Duration::from_secs(5)).await
    }

    /// Opens the connection, which waits so long for locks.
    ///
    /// # Errors
    /// As `Db::open_sqlite`.
    pub async fn open_waiting(
        path: impl AsRef<Path>,
        durability: Durability,
        busy_wait: Duration,
    ) -> Result<Self, OpenError> {
        let path = connect::existing(path.as_ref())?;
        let opener = Opener::new(path.clone(), Access::Maintain, durability, busy_wait);
        Ok(Self {
            conn: opener.open().await?,
            opener,
            path,
            durability,
        })
    }

    /// Makes every full-text index (FTS3 to FTS5) anew from its content, because merging does not suffice:
    /// `optimize` can leave one segment that still holds the terms of deleted rows, marked as
    /// deleted (seen with SQLite 3.51.3), and does nothing when called again.
    ///
    /// # Errors
    /// [`DbError::Rejected`] for an index without content (`content=''`), which cannot be made anew
    /// and so cannot be shown to be clean; else as the database answers.
    pub async fn rebuild_full_text(&mut self) -> Result<(), DbError> {
        let list = include_str!("../../sql/sqlite/list_full_text.sql");
        let rows = sqlx::query(list).fetch_all(&mut self.conn.raw).await;
        for row in rows.map_err(|error| failure::db_error(&error))? {
            let name: String = row.try_get(0).map_err(|error| failure::db_error(&error))?;
            let name = name.replace('"', "\"\"");
            // the name comes from the schema and is quoted; a table's name cannot be bound
            let sql = format!("INSERT INTO \"{name}\"(\"{name}\") VALUES ('rebuild')");
            let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut self.conn.raw);
            done.await.map_err(|error| failure::db_error(&error))?;
        }
        Ok(())
    }

    /// Gathers the statistics of the query planner anew, where the file has samples of them: a sample
    /// (`sqlite_stat4`) is a copy of a row's indexed columns, and outlives the row and a vacuum.
    ///
    /// # Errors
    /// As the database answers.
    pub async fn refresh_statistics(&mut self) -> Result<(), DbError> {
        let count = include_str!("../../sql/sqlite/count_sample_tables.sql");
        let row = sqlx::query(count).fetch_one(&mut self.conn.raw).await;
        let tables = row.and_then(|row| row.try_get::<i64, _>(0));
        match tables.map_err(|error| failure::db_error(&error))? {
            0 => Ok(()),
            _ => connect::run(&mut self.conn.raw, "ANALYZE").await,
        }
    }

    /// Rewrites the file without free pages and without gaps in its pages, where deleted content can
    /// survive `secure_delete`. The old pages are in the log until it is truncated.
    ///
    /// # Errors
    /// [`DbError::Busy`] when somebody holds a lock, [`DbError::Full`], or as the database answers.
    pub async fn vacuum(&mut self) -> Result<(), DbError> {
        connect::run(&mut self.conn.raw, "VACUUM").await
    }

    /// Writes a vacuumed copy of the database, as of one instant, to a file that does not exist yet.
    /// The copy is readable by its owner only, and durable when this returns, as far as the
    /// connection's [`Durability`] says.
    ///
    /// # Errors
    /// [`OpenError::Exists`], [`OpenError::Io`], or [`OpenError::Database`]; the file is then gone.
    pub async fn vacuum_into(&mut self, target: &Path) -> Result<(), OpenError> {
        let target = connect::create(target, Durability::Off)?;
        let copied = self.copy_into(&target).await;
        finish(&target, copied, self.durability)
    }

    async fn copy_into(&mut self, target: &Path) -> Result<(), OpenError> {
        let name = target.to_str().ok_or(OpenError::Options {
            name: "target",
            why: "UTF-8",
        })?;
        let done = sqlx::query("VACUUM INTO $1")
            .bind(name)
            .execute(&mut self.conn.raw)
            .await;
        Ok(done.map(drop).map_err(|error| failure::db_error(&error))?)
    }

    /// Copies the file page by page, free pages and gaps with all that they hold, to a file that
    /// does not exist yet. Fast, and to be used only where nothing was deleted since the last vacuum.
    ///
    /// # Errors
    /// As [`Maintenance::vacuum_into`]; [`DbError::Busy`] inside when somebody writes all the time.
    pub async fn page_copy(&mut self, target: &Path) -> Result<(), OpenError> {
        let target = connect::create(target, Durability::Off)?;
        let copied = self.copy_pages(&target).await;
        finish(&target, copied, self.durability)
    }

    async fn copy_pages(&mut self, target: &Path) -> Result<(), OpenError> {
        // connections of its own, since the copy blocks its thread and this future may be dropped
        let mut from = self.opener.open().await?.raw;
        let mut to = connect::plain(target).await?;
        let runtime = tokio::runtime::Handle::current();
        let copy = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                let copied = {
                    let mut from = from.lock_handle().await?;
                    let mut to = to.lock_handle().await?;
                    harden::copy_pages(&mut from, &mut to)
                };
                from.close().await?;
                to.close().await?;
                Ok::<_, sqlx::Error>(copied)
            })
        });
        let lost = Err(DbError::Unavailable(Cause::new("the copy was ended")));
        let copied = copy
            .await
            .or(lost)?
            .map_err(|error| failure::db_error(&error))?;
        copied.map_err(|code| OpenError::Database(failure::by_code(code, Cause::code_only(code))))
    }

    /// Moves the write-ahead log into the file and cuts it to nothing. The flush is done only when
    /// the report says that nobody was busy.
    ///
    /// # Errors
    /// As the database answers; being busy is no error.
    pub async fn checkpoint_truncate(&mut self) -> Result<CheckpointReport, DbError> {
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut self.conn.raw);
        let row = row.await.map_err(|error| failure::db_error(&error))?;
        let column = |at: usize| row.try_get::<i64, _>(at);
        let busy = column(0).map_err(|error| failure::db_error(&error))?;
        let log_frames = column(1).map_err(|error| failure::db_error(&error))?;
        let moved_frames = column(2).map_err(|error| failure::db_error(&error))?;
        Ok(CheckpointReport {
            busy: busy != 0,
            log_frames,
            moved_frames,
        })
    }

    /// Puts the file back from write-ahead logging, which every connection of ours turns on, into
    /// rollback journals, for a file that is not ours.
    ///
    /// # Errors
    /// [`DbError::Busy`] when somebody else has the file open: it then keeps its write-ahead log.
    pub async fn leave_wal(&mut self) -> Result<(), DbError> {
        let row = sqlx::query("PRAGMA journal_mode=DELETE").fetch_one(&mut self.conn.raw);
        let mode = row.await.and_then(|row| row.try_get::<String, _>(0));
        let mode = mode.map_err(|error| failure::db_error(&error))?;
        if mode == "delete" {
            Ok(())
        } else {
            Err(DbError::Busy(Cause::new("the file is open elsewhere")))
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the connection and waits until it is closed.
    ///
    /// # Errors
    /// As the database answers; the connection is closed all the same.
    pub async fn close(self) -> Result<(), DbError> {
        self.conn
            .raw
            .close()
            .await
            .map_err(|error| failure::db_error(&error))
    }
}

/// Makes a finished copy durable, or takes an unfinished one away.
fn finish(
    target: &Path,
    copied: Result<(), OpenError>,
    durability: Durability,
) -> Result<(), OpenError> {
    let io = |source| OpenError::Io {
        path: target.to_owned(),
        source,
    };
    match copied {
        Ok(()) if durability == Durability::Full => {
            File::open(target)
                .and_then(|file| file.sync_all())
                .map_err(io)?;
            connect::sync_folder(target).map_err(io)
        }
        Ok(()) => Ok(()),
        Err(error) => {
            connect::remove(target)?;
            Err(error)
        }
    }
}
