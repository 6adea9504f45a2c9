//! The live schema of a tenant's store, column by column, against what declares it: the data map of
//! the assembly, and the tables of the libraries below it, listed here a second time, so that a
//! column that one of them gains is noticed.

use covenant::{DATA_MAP, Kept};
use sql_store::{Args, DbError, Tx};

/// Columns of the libraries' own tables: ids, instants, names and digests; what an outbox holds of a
/// change are commitments, and the sealed values of an event are sealed. A hold is a scope of ids, a code
/// and instants.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("audit_ctx", &["one", "txn"]),
    ("audit_touch", &["seq", "txn", "tbl", "op", "row_key"]),
    ("covenant_identity", &["id", "record"]),
    (
        "hold",
        &[
            "tenant",
            "id",
            "body",
            "asked_by",
            "asked_at",
            "released_at",
        ],
    ),
    ("hold_generation", &["tenant", "generation"]),
    (
        "hold_passed",
        &["tenant", "class", "item", "store", "made_at", "subjects"],
    ),
    (
        "outbox",
        &[
            "event",
            "log",
            "kind",
            "recorded_at",
            "txn",
            "leaf",
            "sealed",
        ],
    ),
    // SQLite's own, for AUTOINCREMENT.
    ("sqlite_sequence", &["name", "seq"]),
];
/// Columns of every table in which migrations are counted.
const MIGRATIONS: &[&str] = &["step", "name", "digest", "applied_at"];
/// Why a column that can hold text or bytes is plain and yet no column of content; with any other
/// reason a person has to vouch for it.
const STRUCTURAL: &[&str] = &[
    "an opaque id",
    "an instant",
    "a length",
    "a salt, which is random",
    "salts with every bit inverted",
    "opaque ids of objects",
    "ids, instants, and salts with every bit inverted",
    "a name of the policy",
    "a digest of rules",
    "what the object store calls a version",
];

/// What the live schema has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    /// Columns of content that are declared sealed.
    pub(super) content: Vec<String>,
    /// Columns of content that are declared plain, with the reason.
    pub(super) plain: Vec<String>,
    /// Columns that nothing declares.
    pub(super) undeclared: Vec<String>,
}

impl Columns {
    /// Reads the schema of the open database.
    pub(super) async fn read(tx: &mut Tx) -> Result<Self, DbError> {
        let sql = include_str!("../../sql/list_columns.sql");
        let mut columns = Self::default();
        for row in tx.rows(sql, Args::new()).await? {
            columns.take(row.text("tbl")?, row.text("col")?);
        }
        Ok(columns)
    }

    fn take(&mut self, table: &str, column: &str) {
        let name = format!("{table}.{column}");
        let mapped = DATA_MAP
            .iter()
            .find(|entry| entry.table == table && entry.column == column);
        match mapped.map(|entry| entry.kept) {
            Some(Kept::Sealed | Kept::SealedTwice) => self.content.push(name),
            Some(Kept::Plain(reason)) if STRUCTURAL.contains(&reason) => {}
            Some(Kept::Plain(reason)) => self.plain.push(format!("{name}: {reason}")),
            None if of_a_library(table, column) => {}
            None => self.undeclared.push(name),
        }
    }
}

fn of_a_library(table: &str, column: &str) -> bool {
    let own = LIBRARIES.iter().find(|(name, _)| *name == table);
    own.is_some_and(|(_, columns)| columns.contains(&column))
        || (table.ends_with("_migrations") && MIGRATIONS.contains(&column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(table: &str, column: &str, expect: &Columns) {
        let mut found = Columns::default();
        found.take(table, column);
        assert_eq!(&found, expect, "{table}.{column}");
    }

    #[test]
    fn a_column_is_content_structure_or_undeclared() {
        let content = |name: &str| Columns {
            content: vec![name.to_owned()],
            ..Columns::default()
        };
        let undeclared = |name: &str| Columns {
            undeclared: vec![name.to_owned()],
            ..Columns::default()
        };
        check("content", "body", &content("content.body"));
        check("content", "sensitive", &content("content.sensitive"));
        check("record", "id", &Columns::default());
        check("outbox", "leaf", &Columns::default());
        check("covenant_migrations", "name", &Columns::default());
        check("record", "title", &undeclared("record.title"));
        check("outbox", "body", &undeclared("outbox.body"));
        check("draft", "words", &undeclared("draft.words"));
        check(
            "draft_migrations",
            "words",
            &undeclared("draft_migrations.words"),
        );
    }
}
