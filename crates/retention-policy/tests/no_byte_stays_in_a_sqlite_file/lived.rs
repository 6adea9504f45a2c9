//! SQLite files that have lived, made through plain sqlx in any journal mode: random keys, growing
//! updates, an index, overflow pages, full-text search, a salt in each row, and a marker of each
//! version of each row.

use std::collections::BTreeMap;
use std::path::Path;

use retention_policy::scan::{self, Needle, Scanned, sqlite_files};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

use crate::markers::{DIGIT, ROWS, Seed, VERSIONS, deleted_markers, factor};

/// One file at a time: nothing to tell apart.
pub(super) const SEED: Seed = Seed(0);

pub(super) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Every mode that SQLite has.
pub(super) const JOURNALS: [SqliteJournalMode; 6] = [
    SqliteJournalMode::Delete,
    SqliteJournalMode::Truncate,
    SqliteJournalMode::Persist,
    SqliteJournalMode::Memory,
    SqliteJournalMode::Wal,
    SqliteJournalMode::Off,
];

/// What a file is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Make {
    pub(super) journal: SqliteJournalMode,
    pub(super) secure_delete: &'static str,
    pub(super) encoding: &'static str,
    pub(super) schema: Schema,
}

/// Which tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// Rowid table, index on the title, bodies beyond a page.
    Indexed,
    /// Rowid table without index, small bodies.
    Plain,
    /// The key is the table; an index.
    Keyed,
    /// The same without the index.
    KeyedPlain,
    /// As `Indexed`, with a full-text index.
    FullText,
}

impl Make {
    pub(super) const fn new(journal: SqliteJournalMode) -> Self {
        Self {
            journal,
            secure_delete: "ON",
            encoding: "'UTF-8'",
            schema: Schema::FullText,
        }
    }

    pub(super) const fn schema(self, schema: Schema) -> Self {
        Self { schema, ..self }
    }

    pub(super) const fn secure_delete(self, secure_delete: &'static str) -> Self {
        Self {
            secure_delete,
            ..self
        }
    }

    pub(super) const fn encoding(self, encoding: &'static str) -> Self {
        Self { encoding, ..self }
    }

    /// A connection of somebody who knows nothing of ours.
    pub(super) async fn connect(self, path: &Path) -> Outcome<SqliteConnection> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .pragma("encoding", self.encoding)
            .journal_mode(self.journal)
            .synchronous(SqliteSynchronous::Off)
            .pragma("secure_delete", self.secure_delete)
            .pragma("wal_autocheckpoint", "0")
            .busy_timeout(std::time::Duration::from_millis(20))
            .disable_statement_logging();
        Ok(options.connect().await?)
    }

    /// A file with its rows in all versions, before anything is deleted.
    pub(super) async fn live(self, path: &Path) -> Outcome<SqliteConnection> {
        let mut db = self.connect(path).await?;
        let without = match self.schema {
            Schema::Keyed | Schema::KeyedPlain => "WITHOUT ROWID",
            Schema::Plain | Schema::Indexed | Schema::FullText => "",
        };
        let key = if without.is_empty() {
            "UNIQUE"
        } else {
            "PRIMARY KEY"
        };
        run(
            &mut db,
            format!(
                "CREATE TABLE note (id TEXT {key}, n INTEGER NOT NULL, title TEXT, body TEXT, \
                 salt BLOB) {without}"
            ),
        )
        .await?;
        if !matches!(self.schema, Schema::Plain | Schema::KeyedPlain) {
            run(&mut db, "CREATE INDEX note_title ON note (title)".into()).await?;
        }
        run(
            &mut db,
            format!(
                "WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < {}) \
                 INSERT INTO note (id, n) SELECT {ID}, n FROM i",
                ROWS - 1
            ),
        )
        .await?;
        for version in 1..=VERSIONS {
            let overflow = if self.schema == Schema::Plain {
                0
            } else {
                4_000
            };
            run(
                &mut db,
                format!(
                    "UPDATE note SET title = {marker}, body = {marker} || hex(zeroblob(20 * \
                     {version} + CASE n % 100 WHEN 13 THEN {overflow} ELSE n % 37 END)), \
                     salt = unhex({})",
                    salt_sql(version),
                    marker = format_args!("printf('%s-%d-%d~', id, n, {version})"),
                ),
            )
            .await?;
        }
        if self.schema == Schema::FullText {
            run(
                &mut db,
                "CREATE VIRTUAL TABLE words USING fts5(body)".into(),
            )
            .await?;
            run(
                &mut db,
                "INSERT INTO words(rowid, body) SELECT n, body || ' q' || id || 'z' FROM note \
                 WHERE n % 10 IN (3, 4)"
                    .into(),
            )
            .await?;
        }
        Ok(db)
    }

    /// A file that has lived, from which one row in ten was deleted.
    pub(super) async fn lived(self, path: &Path) -> Outcome<SqliteConnection> {
        let mut db = self.live(path).await?;
        let planted = look(path, &deleted_markers(SEED))?.sightings.len();
        let least = usize::try_from(ROWS / 10)?;
        // UTF-16 is not looked for here
        assert!(planted >= least || self.encoding != "'UTF-8'", "{planted}");
        self.delete(&mut db).await?;
        Ok(db)
    }

    /// Deletes one row in ten.
    pub(super) async fn delete(self, db: &mut SqliteConnection) -> Outcome {
        run(db, format!("DELETE FROM note WHERE n % 10 = {DIGIT}")).await?;
        if self.schema == Schema::FullText {
            run(db, format!("DELETE FROM words WHERE rowid % 10 = {DIGIT}")).await?;
        }
        Ok(())
    }
}

/// Carries out a statement made by the tests.
pub(super) async fn run(db: &mut SqliteConnection, sql: String) -> Outcome {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await?;
    Ok(())
}

/// One number.
pub(super) async fn number(db: &mut SqliteConnection, sql: &'static str) -> Outcome<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(db).await?)
}

/// Closes a connection in good order.
pub(super) async fn close(db: SqliteConnection) -> Outcome {
    Ok(db.close().await?)
}

/// A key in no order: Knuth's multiplicative hash of the row's number.
const ID: &str = "printf('%08x', (n * 2654435761) % 4294967296)";

/// Six words that look random, in hexadecimal, as SQL computes them.
fn salt_sql(version: u64) -> String {
    let words: Vec<String> = (1..=6_u64)
        .map(|word| {
            format!(
                "((n * 6 + {word}) * {} + 12345) % 4294967296",
                factor(version)
            )
        })
        .collect();
    format!("printf('%08x%08x%08x%08x%08x%08x', {})", words.join(", "))
}

/// Looks into the database and all files beside it.
pub(super) fn look(path: &Path, needles: &[Needle]) -> std::io::Result<Scanned> {
    scan::find(&sqlite_files(path), needles)
}

/// How many sightings each file has, by what is added to the database's name.
pub(super) fn by_file(path: &Path, found: &Scanned) -> BTreeMap<String, usize> {
    let mut files = BTreeMap::new();
    let name = path.to_string_lossy().into_owned();
    for sighting in &found.sightings {
        let file = sighting.file.to_string_lossy();
        let suffix = file.strip_prefix(&name).unwrap_or(&file).to_owned();
        *files.entry(suffix).or_default() += 1;
    }
    files
}
