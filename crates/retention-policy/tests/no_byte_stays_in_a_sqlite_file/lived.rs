//! SQLite files that have lived, made through plain sqlx in any journal mode: random keys, growing
//! updates, an index, overflow pages, full-text search, a salt in each row, and a marker of each
//! version of each row, by which its bytes are known again wherever they are.

use std::collections::BTreeMap;
use std::path::Path;

use retention_policy::scan::{self, Needle, Scanned, sqlite_files};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

pub(super) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Rows of a file that has lived; one in ten is deleted.
pub(super) const ROWS: u64 = 20_000;
/// Versions of each row.
pub(super) const VERSIONS: u64 = 3;
/// The rows whose number ends in this digit are deleted.
const DIGIT: u64 = 3;

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
        let planted = look(path, &markers(DIGIT))?.sightings.len();
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

fn id(n: u64) -> String {
    format!("{:08x}", (n * 2_654_435_761) % 4_294_967_296)
}

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

const fn factor(version: u64) -> u64 {
    2_654_435_761 + 2 * version
}

fn salt(n: u64, version: u64) -> Vec<u8> {
    (1..=6_u64)
        .flat_map(|word| {
            let word = ((n * 6 + word) * factor(version) + 12_345) % 4_294_967_296;
            u32::try_from(word).unwrap_or(0).to_be_bytes()
        })
        .collect()
}

fn marker(n: u64, version: u64) -> String {
    format!("{}-{n}-{version}~", id(n))
}

fn rows(digit: u64) -> impl Iterator<Item = (u64, u64)> {
    let rows = (0..ROWS).filter(move |n| n % 10 == digit);
    rows.flat_map(|n| (1..=VERSIONS).map(move |version| (n, version)))
}

/// The marker of every version of the rows whose number ends in this digit, as UTF-8.
pub(super) fn markers(digit: u64) -> Vec<Needle> {
    rows(digit)
        .filter_map(|(n, version)| Needle::new(marker(n, version)).ok())
        .collect()
}

/// The marker of every version of the deleted rows.
pub(super) fn deleted_markers() -> Vec<Needle> {
    markers(DIGIT)
}

/// Everything that could tell of a deleted row: the markers of every version in every form, the
/// salts in every encoding, and the one term of each row that only the full-text index has.
pub(super) fn deleted_forms() -> Vec<Needle> {
    forms(DIGIT)
}

/// The same of rows that stay.
pub(super) fn kept_forms() -> Vec<Needle> {
    forms(4)
}

fn forms(digit: u64) -> Vec<Needle> {
    let mut all = Vec::new();
    for (n, version) in rows(digit) {
        all.extend(Needle::forms(&marker(n, version)).unwrap_or_default());
        all.extend(Needle::encodings(&salt(n, version)).unwrap_or_default());
        if version == 1 {
            all.extend(Needle::forms(&format!("q{}z", id(n))).unwrap_or_default());
        }
    }
    all
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
