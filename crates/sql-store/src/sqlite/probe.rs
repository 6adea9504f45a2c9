//! The start-up probe: whether this build of SQLite overwrites what is deleted.
//!
//! Every connection sets `secure_delete` and reads it back; a build may still do otherwise, and a
//! vacuum hides that from every later scan. So before anything is served, a scratch file shows it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};

use super::connect::{self, Access, Opener};
use super::{Durability, failure};
use crate::{DbError, OpenError};

/// What the probe writes and deletes.
const MARKER: &str = "covenant secure-delete probe";

/// Writes, deletes and checkpoints rows in a scratch file in this folder, reads its bytes, and takes
/// it away again.
///
/// # Errors
/// [`OpenError::Setting`] when deleted bytes are still there: this build must not serve data that is
/// promised to be deleted. [`OpenError::Io`] when the folder cannot be used.
pub async fn probe_secure_delete(folder: &Path) -> Result<(), OpenError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!(".covenant-probe-{}-{number}", std::process::id());
    let path = folder.join(name);
    // one of a process that died in the middle and had the same number
    connect::remove(&path)?;
    let path = connect::create(&path, Durability::Off)?;
    let probed = probe(&path).await;
    connect::remove(&path)?;
    probed
}

/// The start-up check of a connection that is not ours: sets `secure_delete` to ON, reads it back, and
/// refuses. A vacuum hides from every later scan that it was off, so nothing else would tell.
///
/// # Errors
/// [`OpenError::Setting`] when it was off or did not read back; it is on then, as far as it can be.
pub async fn check_secure_delete(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let found = secure_delete(connection).await?;
    connect::run(connection, "PRAGMA secure_delete=ON").await?;
    for found in [found, secure_delete(connection).await?] {
        if found != ON {
            return Err(OpenError::Setting {
                name: "secure_delete",
                expected: ON.to_string(),
                found: found.to_string(),
            });
        }
    }
    Ok(())
}

/// What `secure_delete` reads when it is on; 0 is off, 2 is FAST, which leaves free pages as they are.
const ON: i64 = 1;

async fn secure_delete(connection: &mut SqliteConnection) -> Result<i64, DbError> {
    let read = sqlx::query_scalar("PRAGMA secure_delete");
    let found = read.fetch_one(connection).await;
    found.map_err(|error| failure::db_error(&error))
}

/// The wrong connection of the tests.
#[cfg(feature = "testing")]
pub(crate) async fn switch_secure_delete_off(
    connection: &mut SqliteConnection,
) -> Result<(), DbError> {
    connect::run(connection, "PRAGMA secure_delete=OFF").await
}

async fn probe(path: &Path) -> Result<(), OpenError> {
    let wait = Duration::from_secs(5);
    let opener = Opener::new(path.to_owned(), Access::Maintain, Durability::Off, wait);
    let mut conn = opener.open().await?.raw;
    let deleted = write_and_delete(&mut conn).await;
    conn.close()
        .await
        .map_err(|error| failure::db_error(&error))?;
    deleted?;
    if holds_marker(path)? {
        return Err(OpenError::Setting {
            name: "secure_delete",
            expected: "deleted bytes overwritten".to_owned(),
            found: "deleted bytes in the file".to_owned(),
        });
    }
    Ok(())
}

async fn write_and_delete(conn: &mut SqliteConnection) -> Result<(), DbError> {
    connect::run(
        conn,
        "CREATE TABLE probe (id INTEGER PRIMARY KEY, body TEXT)",
    )
    .await?;
    for id in 0..64_i64 {
        let body = format!("{MARKER} {id}");
        let insert = sqlx::query("INSERT INTO probe VALUES ($1, $2)")
            .bind(id)
            .bind(body);
        insert
            .execute(&mut *conn)
            .await
            .map_err(|error| failure::db_error(&error))?;
    }
    connect::run(conn, "DELETE FROM probe WHERE id >= 0").await?;
    connect::run(conn, "PRAGMA wal_checkpoint(TRUNCATE)").await
}

fn holds_marker(path: &Path) -> Result<bool, OpenError> {
    let bytes = std::fs::read(path).map_err(|source| OpenError::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes
        .windows(MARKER.len())
        .any(|window| window == MARKER.as_bytes()))
}

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions as _;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    #[tokio::test]
    async fn this_build_passes_and_leaves_nothing() -> Result<(), OpenError> {
        let folder = tempfile::tempdir().unwrap();
        probe_secure_delete(folder.path()).await?;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        Ok(())
    }

    #[tokio::test]
    async fn a_build_without_it_would_be_seen() -> Result<(), OpenError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probe");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true);
        let mut conn = options
            .pragma("secure_delete", "OFF")
            .connect()
            .await
            .unwrap();
        write_and_delete(&mut conn).await?;
        conn.close().await.unwrap();
        assert!(holds_marker(&path)?);
        Ok(())
    }
}
