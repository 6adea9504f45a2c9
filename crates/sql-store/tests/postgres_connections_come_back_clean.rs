//! What injected SQL leaves on a PostgreSQL connection never meets the next transaction: planted and
//! missing prepared statements, settings, cursors, temporary objects, listeners, advisory locks.
#![cfg(feature = "postgres")]

#[cfg(test)]
#[path = "common/clock.rs"]
mod clock;
#[cfg(test)]
#[path = "common/postgres.rs"]
mod postgres;

use std::sync::Arc;
use std::time::Duration;

use clock::clock;
use covenant_core::{TxTag, TxnId};
use postgres::TestRandom;
use sql_store::{
    Args, Db, DbError, Isolation, Mode, OpenError, PgConnection, PostgresOptions, Transport,
};
use sqlx::{Connection as _, Executor as _};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([7; 16]),
        tenant: None,
        decision: None,
    }
}

/// A pool of one: what one transaction leaves, the next would get.
async fn pool_of_one(schema: &'static str) -> Result<Option<Db>, Box<dyn std::error::Error>> {
    let Some(options) = postgres::schema(schema).await? else {
        return Ok(None);
    };
    let options = options.connections(1);
    let db = Db::open_postgres(options, clock(), Arc::new(TestRandom)).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("CREATE TABLE t (n BIGINT NOT NULL)", Args::new())
        .await?;
    tx.execute("INSERT INTO t (n) VALUES (42)", Args::new())
        .await?;
    tx.commit().await?;
    Ok(Some(db))
}

const READ: &str = "SELECT n FROM t WHERE n = $1";

async fn read(db: &Db) -> Result<Vec<i64>, Box<dyn std::error::Error>> {
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    let rows = tx.rows(READ, Args::new().bind(42_i64)).await?;
    tx.commit().await?;
    Ok(rows
        .iter()
        .map(|row| row.int("n"))
        .collect::<Result<_, _>>()?)
}

/// The name under which the driver has prepared the statement.
async fn prepared(db: &Db) -> Result<String, Box<dyn std::error::Error>> {
    const SQL: &str =
        "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT n FROM%'";
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    let row = tx.row(SQL, Args::new()).await?.ok_or("not prepared")?;
    tx.commit().await?;
    Ok(row.text("name")?.to_owned())
}

#[tokio::test]
async fn a_statement_planted_over_one_of_the_drivers_is_never_run() -> Outcome {
    let Some(db) = pool_of_one("planted").await? else {
        return Ok(());
    };
    let attacks: [fn(&str) -> String; 4] = [
        |name| format!("DEALLOCATE {name}; PREPARE {name}(int8) AS SELECT 666::int8 AS n"),
        |name| format!("DEALLOCATE {name}"),
        |_| "DEALLOCATE ALL".to_owned(),
        |name| {
            format!(
                "DO $x$ BEGIN EXECUTE 'DEALLOCATE {name}'; \
                 EXECUTE 'PREPARE {name}(int8) AS SELECT 666::int8 AS n'; END $x$"
            )
        },
    ];
    for (rejected, attack) in (0..).zip(attacks) {
        assert_eq!(read(&db).await?, [42]);
        assert_eq!(db.rejected(), rejected);
        let name = prepared(&db).await?;
        let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
        let lent = tx.postgres().ok_or("not lent")?;
        lent.execute(sqlx::AssertSqlSafe(attack(&name))).await?;
        tx.commit().await?;
        assert_eq!(
            read(&db).await?,
            [42],
            "the next transaction runs its own statement"
        );
        assert_eq!(db.rejected(), rejected + 1);
    }
    Ok(())
}

#[tokio::test]
async fn settings_cursors_temporary_objects_listeners_and_locks_are_shed() -> Outcome {
    let Some(db) = pool_of_one("shed").await? else {
        return Ok(());
    };
    const LEFT: &str = "SELECT current_setting('search_path') AS path, \
         coalesce(current_setting('app.tenant', true), '') AS tenant, \
         current_setting('statement_timeout') AS wait, \
         (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors, \
         (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()) AS temporary, \
         (SELECT count(*) FROM pg_listening_channels()) AS channels, \
         (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
          AND pid = pg_backend_pid()) AS locks, \
         pg_backend_pid() AS pid";
    let look = async || -> Result<_, Box<dyn std::error::Error>> {
        let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
        let row = tx.row(LEFT, Args::new()).await?.ok_or("no row")?;
        tx.commit().await?;
        let counts = ["cursors", "temporary", "channels", "locks"];
        let counts = counts
            .into_iter()
            .map(|c| row.int(c))
            .collect::<Result<Vec<_>, _>>()?;
        let texts = [row.text("path")?, row.text("tenant")?, row.text("wait")?].join("|");
        Ok((counts, texts, row.int("pid")?))
    };
    let before = look().await?;
    assert_eq!(before.0, [0, 0, 0, 0]);
    for sql in [
        "SET search_path = public",
        "SET app.tenant = 'b'",
        "SET statement_timeout = 0",
        "DECLARE kept CURSOR WITH HOLD FOR SELECT 1",
        "CREATE TEMP TABLE t (n int8); INSERT INTO t VALUES (666)",
        "LISTEN channel",
        "SELECT pg_advisory_lock(1)",
    ] {
        let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
        tx.postgres().ok_or("not lent")?.execute(sql).await?;
        tx.commit().await?;
        assert_eq!(look().await?, before, "{sql}: shed, on the same connection");
        assert_eq!(read(&db).await?, [42], "{sql}");
    }
    assert_eq!(db.rejected(), 0);
    Ok(())
}

#[tokio::test]
async fn a_transaction_ended_behind_our_back_is_noticed() -> Outcome {
    let Some(db) = pool_of_one("ended").await? else {
        return Ok(());
    };
    for sql in ["COMMIT", "ROLLBACK", "COMMIT; BEGIN"] {
        let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
        tx.postgres().ok_or("not lent")?.execute(sql).await?;
        tx.execute("INSERT INTO t (n) VALUES (1)", Args::new())
            .await?;
        let ended = tx.commit().await;
        assert!(matches!(ended, Err(DbError::Aborted)), "{sql}: {ended:?}");
        assert_eq!(read(&db).await?, [42]);
    }
    // a commit after an error does not succeed in silence
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    assert!(
        tx.execute("INSERT INTO t (n) VALUES (NULL)", Args::new())
            .await
            .is_err()
    );
    assert!(matches!(tx.commit().await, Err(DbError::Aborted)));
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    {
        let mut inner = tx.postgres().ok_or("not lent")?.begin().await?;
        inner.execute("INSERT INTO t VALUES (7)").await?;
        drop(inner);
        let mut inner = tx.postgres().ok_or("not lent")?.begin().await?;
        inner.execute("INSERT INTO t VALUES (8)").await?;
        inner.commit().await?;
    }
    let rows = tx
        .rows("SELECT n FROM t WHERE n IN (7, 8)", Args::new())
        .await?;
    assert_eq!(rows.len(), 1, "lent code that begins gets a savepoint");
    tx.commit().await?;
    Ok(())
}

#[tokio::test]
async fn collisions_and_lock_waits_can_be_told() -> Outcome {
    let Some(options) = postgres::schema("collide").await? else {
        return Ok(());
    };
    let options = options.isolation(Isolation::Serializable);
    let options = options.lock_wait(Duration::from_millis(50));
    let db = Db::open_postgres(options, clock(), Arc::new(TestRandom)).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("CREATE TABLE t (n BIGINT NOT NULL)", Args::new())
        .await?;
    tx.execute("INSERT INTO t (n) VALUES (1)", Args::new())
        .await?;
    // the server's time, carried forward, agrees with the server's time asked for
    let carried = tx.database_now().ok_or("no time")?;
    let row = tx
        .row("SELECT clock_timestamp() AS now", Args::new())
        .await?
        .ok_or("no row")?;
    assert!((row.instant("now")? - carried).abs() < time::Duration::minutes(1));
    tx.commit().await?;
    let mut first = db.begin_with(Mode::ReadWrite, tag()).await?;
    let mut second = db.begin_with(Mode::ReadWrite, tag()).await?;
    second.rows("SELECT n FROM t", Args::new()).await?;
    first.execute("UPDATE t SET n = n + 1", Args::new()).await?;
    let waited = second.execute("UPDATE t SET n = n + 1", Args::new()).await;
    assert!(matches!(waited, Err(DbError::Busy(_))), "{waited:?}");
    drop(second);
    let mut second = db.begin_with(Mode::ReadWrite, tag()).await?;
    second.rows("SELECT n FROM t", Args::new()).await?;
    first.commit().await?;
    let collided = second.execute("UPDATE t SET n = n + 1", Args::new()).await;
    assert!(
        matches!(&collided, Err(DbError::Serialization(_))),
        "{collided:?}"
    );
    assert!(collided.is_err_and(|e| e.is_transient() && e.code() == Some("40001")));
    Ok(())
}

#[tokio::test]
async fn a_dead_connection_is_replaced_and_a_silent_server_is_left() -> Outcome {
    let Some(options) = postgres::schema("dead").await? else {
        return Ok(());
    };
    let options = options
        .connections(1)
        .statement_wait(Duration::from_millis(50));
    let db = Db::open_postgres(options, clock(), Arc::new(TestRandom)).await?;
    // the server's own time-out speaks first
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    let slow = tx
        .rows("SELECT 1 AS n FROM pg_sleep(60)", Args::new())
        .await;
    assert!(matches!(slow, Err(DbError::Cancelled(_))), "{slow:?}");
    drop(tx);
    // where SQL has lifted it, ours ends the wait
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute("SET LOCAL statement_timeout = 0", Args::new())
        .await?;
    let silent = tx
        .rows("SELECT 1 AS n FROM pg_sleep(60)", Args::new())
        .await;
    assert!(matches!(silent, Err(DbError::Unavailable(_))), "{silent:?}");
    let closed = tx.execute("SELECT 1", Args::new()).await;
    assert!(matches!(closed, Err(DbError::Closed)), "{closed:?}");
    drop(tx);
    // an idle connection that the server has ended is not the caller's concern
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    let row = tx
        .row("SELECT pg_backend_pid() AS pid", Args::new())
        .await?
        .ok_or("no row")?;
    tx.commit().await?;
    let Some(url) = postgres::server() else {
        return Ok(());
    };
    let mut other = <PgConnection as sqlx::Connection>::connect(&url).await?;
    let sql = format!("SELECT pg_terminate_backend({}, 5000)", row.int("pid")?);
    other.execute(sqlx::AssertSqlSafe(sql)).await?;
    db.begin_with(Mode::ReadWrite, tag())
        .await?
        .commit()
        .await?;
    Ok(())
}

#[tokio::test]
async fn options_that_cannot_be_honoured_are_refused() -> Outcome {
    for (url, transport) in [
        ("postgres://127.0.0.1/d", Transport::Local),
        ("postgres://user@127.0.0.1", Transport::Local),
        ("postgres://user@example.org/d", Transport::Local),
        ("nonsense", Transport::Local),
    ] {
        let refused = PostgresOptions::new(url, "app", transport);
        assert!(
            matches!(refused, Err(OpenError::Options { .. })),
            "{url}: {refused:?}"
        );
    }
    PostgresOptions::new("postgres://user@example.org/d", "app", Transport::Tls)?;
    let url = "postgres://user@127.0.0.1:1/d";
    for schema in ["public", "", "x; DROP", "Ä"] {
        let options = PostgresOptions::new(url, schema, Transport::Local)?;
        let refused = Db::open_postgres(options, clock(), Arc::new(TestRandom)).await;
        assert!(
            matches!(refused, Err(OpenError::Options { .. })),
            "{schema}: {refused:?}"
        );
    }
    let options = PostgresOptions::new(url, "app", Transport::Local)?;
    let refused = Db::open_postgres(options, clock(), Arc::new(TestRandom)).await;
    assert!(
        matches!(refused, Err(OpenError::Database(DbError::Unavailable(_)))),
        "{refused:?}"
    );
    Ok(())
}
