//! Databases that have lived, on the PostgreSQL server that the environment names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use retention_policy::physical::{LogTurn, PostgresFlush, Verified};
use retention_policy::scan::{Needle, Scanned};
use sql_store::{PgConnection, PostgresOptions, Transport};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::markers::{
    DIGIT, ROWS, Seed, VERSIONS, deleted_forms, deleted_markers, factor, kept_forms,
};

pub(super) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Held by each test: they share the server's one write-ahead log, and a transaction of one that
/// writes keeps old rows of the others.
pub(super) static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A session that keeps the write-ahead log from now on, as a replica does that lags behind.
pub(super) struct LogKeeper(PgConnection);

impl LogKeeper {
    /// Lets the log go.
    pub(super) async fn end(mut self) -> Outcome {
        run(&mut self.0, "SELECT pg_drop_replication_slot('bytes')").await?;
        Ok(self.0.close().await?)
    }
}

/// A server, and one database of it.
#[derive(Debug, Clone)]
pub(super) struct Database {
    server: String,
    pub(super) name: &'static str,
    pub(super) place: PathBuf,
    seed: Seed,
}

/// The server's URL; `None`, with a note, when there is none and none is required.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command names its server this way"
)]
fn server() -> Option<String> {
    match std::env::var("COVENANT_TEST_POSTGRES") {
        Ok(url) => Some(url),
        Err(_) if std::env::var("COVENANT_REQUIRE_SERVERS").is_ok() => {
            panic!("COVENANT_TEST_POSTGRES is not set, and servers are required");
        }
        Err(_) => {
            println!("not run: no PostgreSQL");
            None
        }
    }
}

impl Database {
    /// An empty database of this name; `None` without a server.
    pub(super) async fn create(name: &'static str, seed: Seed) -> Outcome<Option<Self>> {
        let Some(server) = server() else {
            return Ok(None);
        };
        let mut admin = PgConnection::connect(&server).await?;
        run(
            &mut admin,
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )
        .await?;
        run(
            &mut admin,
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        )
        .await?;
        let place: String = sqlx::query_scalar("SHOW data_directory")
            .fetch_one(&mut admin)
            .await?;
        admin.close().await?;
        Ok(Some(Self {
            server,
            name,
            place: PathBuf::from(place),
            seed,
        }))
    }

    /// Everything that could tell of a deleted row, and never of one of another database.
    pub(super) fn deleted(&self) -> Vec<Needle> {
        [deleted_forms(self.seed), deleted_markers(self.seed)].concat()
    }

    /// The same of rows that stay.
    pub(super) fn kept(&self) -> Vec<Needle> {
        kept_forms(self.seed)
    }

    fn url(&self) -> Outcome<String> {
        let (server, _) = self
            .server
            .rsplit_once('/')
            .ok_or("no database in the URL")?;
        Ok(format!("{server}/{}", self.name))
    }

    pub(super) async fn connect(&self) -> Outcome<PgConnection> {
        Ok(PgConnection::connect(&self.url()?).await?)
    }

    pub(super) fn options(&self) -> Outcome<PostgresOptions> {
        Ok(PostgresOptions::new(
            &self.url()?,
            "tenant",
            Transport::Local,
        )?)
    }

    /// Keeps the write-ahead log from now on.
    pub(super) async fn keep_log(&self) -> Outcome<LogKeeper> {
        let mut keeper = PgConnection::connect(&self.server).await?;
        let sql = "SELECT pg_create_physical_replication_slot('bytes', true, true)";
        run(&mut keeper, sql).await?;
        Ok(LogKeeper(keeper))
    }

    /// A flush of the database itself.
    pub(super) fn flush(&self, log: LogTurn) -> Outcome<PostgresFlush> {
        Ok(PostgresFlush::new(self.options()?, log))
    }

    /// A flush from outside, for a database that goes.
    pub(super) fn flush_from_outside(&self, log: LogTurn) -> Outcome<PostgresFlush> {
        let options = PostgresOptions::new(&self.server, "tenant", Transport::Local)?;
        Ok(PostgresFlush::new(options, log))
    }

    pub(super) async fn remove(self) -> Outcome {
        let mut admin = PgConnection::connect(&self.server).await?;
        let name = self.name;
        run(
            &mut admin,
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )
        .await?;
        Ok(admin.close().await?)
    }

    /// Rows in all versions: random keys, growing updates, an index, values out of line, full text.
    pub(super) async fn fill(&self, db: &mut PgConnection) -> Outcome {
        for sql in [
            "CREATE TABLE note (id TEXT PRIMARY KEY, n BIGINT NOT NULL, title TEXT, body TEXT, \
         big TEXT, salt BYTEA, words TSVECTOR) WITH (autovacuum_enabled = off)",
            // out of line as it is: what the server compresses, no scan can see
            "ALTER TABLE note ALTER big SET STORAGE EXTERNAL",
            // few enough samples that they are stored as they are
            "ALTER TABLE note ALTER title SET STATISTICS 12",
            "CREATE INDEX note_title ON note (title)",
            "CREATE INDEX note_words ON note USING gin (words)",
        ] {
            run(db, sql).await?;
        }
        let shift = self.seed.shift();
        let id = format!("lpad(to_hex(((n + {shift}) * 2654435761) % 4294967296), 8, '0')");
        run(
            db,
            &format!(
                "INSERT INTO note (id, n) SELECT {id}, n FROM generate_series(0, {}::bigint) n",
                ROWS - 1
            ),
        )
        .await?;
        for version in 1..=VERSIONS {
            let marker = format!("id || '-' || n || '-{version}~'");
            let salt: Vec<String> = (1..=6_u64)
            .map(|word| {
                let factor = factor(version);
                format!("lpad(to_hex((((n + {shift}) * 6 + {word}) * {factor} + 12345) % 4294967296), 8, '0')")
            })
            .collect();
            run(
                db,
                &format!(
                    "UPDATE note SET title = {marker}, \
                 body = {marker} || repeat('0', (40 * {version} + n % 37)::int), \
                 big = CASE WHEN n % 100 IN (13, 14) THEN repeat({marker}, 300) END, \
                 salt = decode({}, 'hex'), \
                 words = CASE WHEN n % 10 IN (3, 4) \
                 THEN to_tsvector('simple', 'q' || id || 'z') END",
                    salt.join(" || ")
                ),
            )
            .await?;
        }
        run(db, "CREATE TABLE listed AS SELECT n FROM note").await?;
        run(db, "ANALYZE").await
    }

    /// Where needles were seen: relations by name, the log as one.
    pub(super) async fn by_relation(&self, seen: &Verified) -> Outcome<BTreeMap<String, usize>> {
        let mut db = self.connect().await?;
        let mut relations = BTreeMap::new();
        for (node, count) in by_file(&seen.live) {
            let sql = "SELECT relname::text FROM pg_class WHERE pg_relation_filenode(oid) = $1";
            let number = node
                .rsplit('/')
                .next()
                .and_then(|name| name.split('.').next());
            let number = number
                .and_then(|name| name.parse::<u32>().ok())
                .unwrap_or(0);
            let number = sqlx::postgres::types::Oid(number);
            let name = sqlx::query_scalar(sql)
                .bind(number)
                .fetch_optional(&mut db)
                .await?;
            *relations.entry(name.unwrap_or(node)).or_default() += count;
        }
        let log = seen.remains.sightings.len();
        if log > 0 {
            relations.insert("pg_wal".to_owned(), log);
        }
        db.close().await?;
        Ok(relations)
    }
}

fn by_file(found: &Scanned) -> BTreeMap<String, usize> {
    let mut files = BTreeMap::new();
    for sighting in &found.sightings {
        let file = sighting.file.to_string_lossy().into_owned();
        *files.entry(file).or_default() += 1;
    }
    files
}

/// Deletes one row in ten from the list, and from the table.
pub(super) async fn delete(db: &mut PgConnection) -> Outcome {
    run(db, &format!("DELETE FROM listed WHERE n % 10 = {DIGIT}")).await?;
    run(db, &format!("DELETE FROM note WHERE n % 10 = {DIGIT}")).await
}

/// Carries out a statement made by the tests.
pub(super) async fn run(db: &mut PgConnection, sql: &str) -> Outcome {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(db)
        .await?;
    Ok(())
}

/// One number.
pub(super) async fn number(db: &mut PgConnection, sql: &'static str) -> Outcome<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(db).await?)
}

/// The server's folder of this database.
pub(super) fn folder_of(place: &Path, oid: i64) -> PathBuf {
    place.join("base").join(oid.to_string())
}
