//! Code that holds a tenant's SQLite connection can leave nothing behind for the next transaction,
//! and reaches no other file.
#![cfg(feature = "sqlite")]

#[cfg(test)]
#[path = "common/clock.rs"]
mod clock;
#[cfg(test)]
#[path = "common/sqlite.rs"]
mod sqlite;

use clock::clock;
use covenant_core::{TxTag, TxnId};
use sql_store::{Args, Db, DbError, Durability, Mode, OpenError, SqliteOptions, SqliteProfile};
use sqlx::{Connection as _, Executor as _};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([7; 16]),
        tenant: None,
        decision: None,
    }
}

async fn tenant(folder: &std::path::Path) -> Result<Db, Box<dyn std::error::Error>> {
    let db = sqlite::create(folder, SqliteProfile::Tenant).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("CREATE TABLE t (n BIGINT NOT NULL)", Args::new())
        .await?;
    tx.commit().await?;
    Ok(db)
}

/// The settings that the next transaction finds.
async fn settings(db: &Db) -> Result<Vec<i64>, Box<dyn std::error::Error>> {
    const SQL: &str = "SELECT (SELECT secure_delete FROM pragma_secure_delete) AS a, \
                       (SELECT foreign_keys FROM pragma_foreign_keys) AS b, \
                       (SELECT recursive_triggers FROM pragma_recursive_triggers) AS c, \
                       (SELECT ignore_check_constraints FROM pragma_ignore_check_constraints) AS d, \
                       (SELECT count(*) FROM temp.sqlite_schema) AS e, \
                       (SELECT trusted_schema FROM pragma_trusted_schema) AS f, \
                       (SELECT query_only FROM pragma_query_only) AS g";
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    let row = tx.row(SQL, Args::new()).await?.ok_or("no row")?;
    tx.commit().await?;
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    Ok(names
        .into_iter()
        .map(|name| row.int(name))
        .collect::<Result<_, _>>()?)
}

#[tokio::test]
async fn a_changed_setting_or_a_temporary_object_closes_the_connection() -> Outcome {
    let folder = tempfile::tempdir()?;
    let db = tenant(folder.path()).await?;
    let expected = vec![1, 1, 1, 0, 0, 0, 0];
    assert_eq!(settings(&db).await?, expected);
    let hostile = [
        "PRAGMA secure_delete = OFF",
        "PRAGMA secure_delete = FAST",
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA ignore_check_constraints = ON",
        "PRAGMA trusted_schema = ON",
        "PRAGMA query_only = ON",
        "PRAGMA busy_timeout = 0",
        "PRAGMA reverse_unordered_selects = ON",
        "PRAGMA legacy_alter_table = ON",
        "PRAGMA locking_mode = EXCLUSIVE",
        "CREATE TEMP TABLE planted (n)",
        "CREATE TEMP TRIGGER planted AFTER INSERT ON t BEGIN DELETE FROM t; END",
        "CREATE TEMP VIEW t AS SELECT 1 AS n",
    ];
    for (before, sql) in (0..).zip(hostile) {
        assert_eq!(db.rejected(), before, "{sql}");
        let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
        tx.sqlite().ok_or("not lent")?.execute(sql).await?;
        // a setting outlives the transaction however it ends, a temporary object its commit
        if before % 2 == 0 || sql.starts_with("CREATE") {
            tx.commit().await?;
        } else {
            drop(tx);
        }
        assert_eq!(settings(&db).await?, expected, "{sql}");
        assert_eq!(db.rejected(), before + 1, "{sql}");
    }
    // foreign keys cannot be switched off inside a transaction; ending it by hand is noticed
    let before = db.rejected();
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    let lent = tx.sqlite().ok_or("not lent")?;
    lent.execute("COMMIT").await?;
    lent.execute("PRAGMA foreign_keys = OFF").await?;
    assert!(tx.commit().await.is_err());
    assert_eq!(settings(&db).await?, expected);
    assert_eq!(db.rejected(), before + 1);
    Ok(())
}

#[tokio::test]
async fn no_other_file_is_reached() -> Outcome {
    let folder = tempfile::tempdir()?;
    let db = tenant(folder.path()).await?;
    let other = folder.path().join("other.db");
    for sql in [
        format!("ATTACH '{}' AS other", other.display()),
        format!("VACUUM INTO '{}'", other.display()),
        "VACUUM".to_owned(),
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'x'".to_owned(),
        "SELECT load_extension('x')".to_owned(),
        "SELECT \"no such column\" FROM t".to_owned(),
    ] {
        let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
        let lent = tx.sqlite().ok_or("not lent")?;
        if sql.starts_with("VACUUM") || sql.starts_with("ATTACH") {
            lent.execute("COMMIT").await?;
        }
        let refused = lent.execute(sqlx::AssertSqlSafe(sql.clone())).await;
        assert!(refused.is_err(), "{sql}");
        drop(tx);
    }
    assert!(!other.exists());
    Ok(())
}

#[tokio::test]
async fn a_reader_cannot_be_made_to_write() -> Outcome {
    let folder = tempfile::tempdir()?;
    let db = tenant(folder.path()).await?;
    let mut tx = db.begin_with(Mode::ReadOnly, tag()).await?;
    let lent = tx.sqlite().ok_or("not lent")?;
    lent.execute("PRAGMA query_only = OFF").await?;
    assert!(lent.execute("INSERT INTO t VALUES (1)").await.is_err());
    drop(tx);
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.sqlite()
        .ok_or("not lent")?
        .execute("INSERT INTO t VALUES (1)")
        .await?;
    tx.commit().await?;
    Ok(())
}

#[tokio::test]
async fn lent_code_that_begins_gets_a_savepoint() -> Outcome {
    let folder = tempfile::tempdir()?;
    let db = tenant(folder.path()).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("INSERT INTO t (n) VALUES (1)", Args::new())
        .await?;
    {
        let mut inner = tx.sqlite().ok_or("not lent")?.begin().await?;
        inner.execute("INSERT INTO t (n) VALUES (2)").await?;
        inner.commit().await?;
        let mut inner = tx.sqlite().ok_or("not lent")?.begin().await?;
        inner.execute("INSERT INTO t (n) VALUES (3)").await?;
    }
    tx.commit().await?;
    let mut tx = db.begin_with(Mode::ReadOnly, tag()).await?;
    let rows = tx.rows("SELECT n FROM t ORDER BY n", Args::new()).await?;
    let found = rows
        .iter()
        .map(|row| row.int("n"))
        .collect::<Result<Vec<_>, _>>()?;
    assert_eq!(found, [1, 2]);
    assert_eq!(db.rejected(), 0);
    Ok(())
}

#[tokio::test]
async fn a_lock_of_somebody_else_is_told_as_busy() -> Outcome {
    let folder = tempfile::tempdir()?;
    let first = tenant(folder.path()).await?;
    let path = first.file().ok_or("no file")?;
    let mut options = SqliteOptions::new(path, SqliteProfile::Tenant).durability(Durability::Off);
    options.busy_wait = std::time::Duration::from_millis(20);
    let second = Db::open_sqlite(options, clock()).await?;
    let held = first.begin_with(Mode::ReadWrite, tag()).await?;
    let busy = second.begin_with(Mode::ReadWrite, tag()).await;
    assert!(matches!(busy, Err(DbError::Busy(_))), "{busy:?}");
    held.commit().await?;
    let mine = second.begin_with(Mode::ReadWrite, tag()).await?;
    // within one handle the pool waits, not SQLite
    let waiting = second.begin_with(Mode::ReadWrite, tag()).await;
    assert!(matches!(waiting, Err(DbError::Busy(_))), "{waiting:?}");
    mine.commit().await?;
    second
        .begin_with(Mode::ReadWrite, tag())
        .await?
        .commit()
        .await?;
    Ok(())
}

#[tokio::test]
async fn files_are_created_on_purpose_only_and_links_are_not_followed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let options = |name: &str| {
        let options = SqliteOptions::new(folder.path().join(name), SqliteProfile::Control);
        options.durability(Durability::Off)
    };
    let missing = Db::open_sqlite(options("a.db"), clock()).await;
    assert!(
        matches!(missing, Err(OpenError::Missing { .. })),
        "{missing:?}"
    );
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
    let db = Db::create_sqlite(options("a.db"), clock()).await?;
    let again = Db::create_sqlite(options("a.db"), clock()).await;
    assert!(matches!(again, Err(OpenError::Exists { .. })), "{again:?}");
    db.close().await;
    assert!(matches!(
        db.begin_with(Mode::ReadOnly, tag()).await,
        Err(DbError::Closed)
    ));
    Db::open_sqlite(options("a.db"), clock())
        .await?
        .close()
        .await;
    let folder_is_no_file = Db::open_sqlite(options(""), clock()).await;
    assert!(matches!(folder_is_no_file, Err(OpenError::NotAFile { .. })));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::os::unix::fs::symlink(folder.path().join("a.db"), folder.path().join("b.db"))?;
        let link = Db::open_sqlite(options("b.db"), clock()).await;
        assert!(matches!(link, Err(OpenError::NotAFile { .. })), "{link:?}");
        let mode = std::fs::metadata(folder.path().join("a.db"))?
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let half = Db::create_sqlite(options("d.db").readers(99), clock()).await;
    assert!(matches!(half, Err(OpenError::Options { .. })), "{half:?}");
    assert!(
        !folder.path().join("d.db").exists(),
        "nothing half made is left"
    );
    let bounds = Db::open_sqlite(options("a.db").readers(0), clock()).await;
    assert!(
        matches!(bounds, Err(OpenError::Options { .. })),
        "{bounds:?}"
    );
    std::fs::write(folder.path().join("c.db"), vec![b'x'; 8192])?;
    let garbage = Db::open_sqlite(options("c.db"), clock()).await;
    assert!(
        matches!(garbage, Err(OpenError::Database(_))),
        "{garbage:?}"
    );
    Ok(())
}
