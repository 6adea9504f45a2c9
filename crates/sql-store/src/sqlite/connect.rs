//! Opening, setting up and checking one connection to a SQLite file.

use std::fs::OpenOptions;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use covenant_core::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use uuid::Uuid;

use super::harden::{self, Attach, Mismatch};
use super::{Durability, failure};
use crate::error::Cause;
use crate::pool::{Connect, Pool};
use crate::{DbError, Mode, OpenError};

/// The settings that a connection must have when it is opened and whenever it comes back, and the
/// number of temporary objects, which must be zero. SQL can change every one of them.
const CHECK: &str = include_str!("../../sql/sqlite/read_settings.sql");
/// COMMIT and the check in one message to the connection's thread.
pub(super) const COMMIT_CHECK: &str = concat!(
    "COMMIT;\n",
    include_str!("../../sql/sqlite/read_settings.sql")
);
/// ROLLBACK and the check in one message.
pub(super) const ROLLBACK_CHECK: &str = concat!(
    "ROLLBACK;\n",
    include_str!("../../sql/sqlite/read_settings.sql")
);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Vacuum and copies; never pooled.
    Maintain,
    /// Opened with `SQLITE_OPEN_READONLY`: SQL can switch `query_only` off, but not this.
    Read,
    /// Reads and writes.
    Write,
}

/// Opens connections to one file.
#[derive(Debug, Clone)]
pub(super) struct Opener {
    path: PathBuf,
    access: Access,
    durability: Durability,
    busy_wait: Duration,
}

/// A connection and what its settings must read.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) raw: SqliteConnection,
    expected: Settings,
}

/// The settings as SQLite reports them, in the order of the statement's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Settings([i64; COLUMNS.len()]);

/// Names of the columns of the check.
const COLUMNS: [&str; 15] = [
    "foreign_keys",
    "secure_delete",
    "recursive_triggers",
    "synchronous",
    "wal",
    "exclusive",
    "query_only",
    "ignore_check_constraints",
    "trusted_schema",
    "writable_schema",
    "read_uncommitted",
    "reverse_unordered_selects",
    "legacy_alter_table",
    "busy_timeout",
    "temporary",
];

impl Opener {
    pub(super) const fn new(
        path: PathBuf,
        access: Access,
        durability: Durability,
        busy_wait: Duration,
    ) -> Self {
        Self {
            path,
            access,
            durability,
            busy_wait,
        }
    }

    /// Opens, hardens, and verifies a connection.
    pub(super) async fn open(&self) -> Result<Conn, OpenError> {
        let mut raw = self
            .options()
            .connect()
            .await
            .map_err(|e| failure::db_error(&e))?;
        let attach = match self.access {
            Access::Maintain => Attach::One,
            Access::Read | Access::Write => Attach::Nothing,
        };
        {
            let mut handle = raw.lock_handle().await.map_err(|e| failure::db_error(&e))?;
            harden::harden(&mut handle, attach).map_err(mismatch)?;
        }
        let mut conn = Conn {
            raw,
            expected: self.expected(),
        };
        conn.verify().await?;
        // sqlx counts transactions itself. Its count stays above zero for the life of the connection,
        // as this one never ends for sqlx, so that lent code that calls `begin` gets a savepoint
        // inside our transaction.
        let counted = conn.raw.begin().await.map_err(|e| failure::db_error(&e))?;
        let _kept = ManuallyDrop::new(counted);
        run(&mut conn.raw, "COMMIT").await?;
        Ok(conn)
    }

    fn options(&self) -> SqliteConnectOptions {
        let synchronous = match self.durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Off => SqliteSynchronous::Off,
        };
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .read_only(self.access == Access::Read)
            .busy_timeout(self.busy_wait)
            .foreign_keys(true)
            .synchronous(synchronous)
            .pragma("secure_delete", "ON")
            .pragma("recursive_triggers", "ON")
            .disable_statement_logging();
        match self.access {
            // only a connection that may write can turn it on; the check sees that it is
            Access::Read => options,
            Access::Maintain | Access::Write => options.journal_mode(SqliteJournalMode::Wal),
        }
    }

    fn expected(&self) -> Settings {
        let synchronous = match self.durability {
            Durability::Full => 2,
            Durability::Off => 0,
        };
        let busy = i64::try_from(self.busy_wait.as_millis()).unwrap_or(i64::MAX);
        Settings([1, 1, 1, synchronous, 1, 0, 0, 0, 0, 0, 0, 0, 0, busy, 0])
    }
}

impl Conn {
    /// Reads every setting back.
    async fn verify(&mut self) -> Result<(), OpenError> {
        let row = sqlx::query(CHECK).fetch_one(&mut self.raw).await;
        let found = settings(&row.map_err(|e| failure::db_error(&e))?)?;
        let pairs = COLUMNS
            .into_iter()
            .zip(self.expected.0.into_iter().zip(found.0));
        for (name, (expected, found)) in pairs {
            if expected != found {
                let (expected, found) = (expected.to_string(), found.to_string());
                return Err(OpenError::Setting {
                    name,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Whether a row of the check and sqlx's count are as they must be.
    pub(super) fn is_clean(&self, row: &SqliteRow) -> bool {
        self.raw.is_in_transaction() && settings(row).is_ok_and(|found| found == self.expected)
    }
}

impl Connect for Opener {
    type Conn = Conn;

    fn connect(&self) -> BoxFuture<'_, Result<Conn, DbError>> {
        Box::pin(async move {
            self.open().await.map_err(|error| match error {
                OpenError::Database(error) => error,
                other => DbError::Unavailable(Cause::new(other.to_string())),
            })
        })
    }

    fn close(conn: Conn) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // a connection that cannot be closed in good order is closed by being dropped
            drop(conn.raw.close().await);
        })
    }
}

/// Opens the pool's first connection, and reports in full what is wrong. Returns the random id by
/// which leases know the life of this process.
pub(super) async fn first(pool: &Arc<Pool<Opener>>) -> Result<Uuid, OpenError> {
    let mut conn = pool.connector().open().await?;
    let row = sqlx::query("SELECT randomblob(16) AS life")
        .fetch_one(&mut conn.raw)
        .await;
    let life: Result<Vec<u8>, _> = row.and_then(|row| row.try_get("life"));
    let life = life.map_err(|error| failure::db_error(&error))?;
    pool.put_first(conn);
    Ok(Uuid::from_slice(&life).unwrap_or_default())
}

/// Begins; on the writer with the write lock, so that no statement later fails for want of it.
pub(super) async fn begin(conn: &mut Conn, mode: Mode) -> Result<(), DbError> {
    match mode {
        Mode::ReadOnly => run(&mut conn.raw, "BEGIN").await,
        Mode::ReadWrite => run(&mut conn.raw, "BEGIN IMMEDIATE").await,
    }
}

/// A bare connection to a new file, for the pages of another.
pub(super) async fn plain(path: &Path) -> Result<SqliteConnection, DbError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .disable_statement_logging();
    options
        .connect()
        .await
        .map_err(|error| failure::db_error(&error))
}

/// The path of a regular file that exists.
pub(super) fn existing(path: &Path) -> Result<PathBuf, OpenError> {
    let absolute = absolute(path)?;
    let io = |source| OpenError::Io {
        path: absolute.clone(),
        source,
    };
    match std::fs::symlink_metadata(&absolute) {
        Ok(meta) if meta.is_file() => Ok(absolute),
        Ok(_) => Err(OpenError::NotAFile { path: absolute }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(OpenError::Missing { path: absolute })
        }
        Err(error) => Err(io(error)),
    }
}

/// Creates an empty file where nothing is, for its owner only, and makes its name durable.
pub(super) fn create(path: &Path, durability: Durability) -> Result<PathBuf, OpenError> {
    let absolute = absolute(path)?;
    let io = |source| OpenError::Io {
        path: absolute.clone(),
        source,
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(&absolute) {
        Ok(file) => drop(file),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(OpenError::Exists { path: absolute });
        }
        Err(error) => return Err(io(error)),
    }
    if durability == Durability::Full {
        sync_folder(&absolute).map_err(io)?;
    }
    Ok(absolute)
}

/// Removes the file and its side files, as far as they are there.
pub(super) fn remove(path: &Path) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(OpenError::Io { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes the names in a file's folder durable.
pub(super) fn sync_folder(file: &Path) -> std::io::Result<()> {
    match file.parent() {
        Some(folder) if cfg!(unix) => std::fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// An absolute path is never taken for a URI, which SQLite would do with one that starts `file:`.
fn absolute(path: &Path) -> Result<PathBuf, OpenError> {
    std::path::absolute(path).map_err(|source| OpenError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Runs one of our own statements, cached by its text.
pub(super) async fn run(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), DbError> {
    sqlx::query(sql)
        .execute(conn)
        .await
        .map(drop)
        .map_err(|error| failure::db_error(&error))
}

fn settings(row: &SqliteRow) -> Result<Settings, DbError> {
    let mut found = [0; COLUMNS.len()];
    for (name, value) in COLUMNS.into_iter().zip(&mut found) {
        *value = row
            .try_get(name)
            .map_err(|error| failure::db_error(&error))?;
    }
    Ok(Settings(found))
}

fn mismatch(mismatch: Mismatch) -> OpenError {
    let Mismatch {
        name,
        expected,
        found,
    } = mismatch;
    OpenError::Setting {
        name,
        expected: expected.to_string(),
        found: found.to_string(),
    }
}
