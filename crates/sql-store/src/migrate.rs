//! Migrations: each crate brings its own steps, and keeps its own record of those applied.

use covenant_core::digest::Digest;
use covenant_core::{TxTag, TxnId};

use crate::{Db, DbError, Dialect, Mode, Row};

/// The steps of one crate, in order. A step that was released is never changed; a later one corrects
/// it.
///
/// One text serves both databases when it names PostgreSQL's types (`BIGINT`, `TEXT`, `BYTEA`,
/// `UUID`) and avoids `STRICT`: SQLite takes any type name, and leaves bytes as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrations {
    /// Names the record of applied steps: lower-case letters, digits and hyphens.
    pub crate_name: &'static str,
    /// Name and SQL of each step.
    pub steps: &'static [(&'static str, &'static str)],
}

/// The tables of a crate are not as this build expects, or cannot be made so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// A step was applied with another text than this build has.
    #[error("step {step} of {crate_name} was applied with another text")]
    Changed {
        /// The crate.
        crate_name: &'static str,
        /// The step.
        step: String,
    },
    /// The database failed; nothing was changed.
    #[error("the steps cannot be applied")]
    Database(#[from] DbError),
    /// The crate's name cannot name a table.
    #[error("a crate name has 1 to 40 of a-z, 0-9 and hyphen, and starts with a letter")]
    Name,
    /// The database has a step that this build does not know: it was made by a newer one.
    #[error("step {step} of {crate_name} is not known to this build")]
    Unknown {
        /// The crate.
        crate_name: &'static str,
        /// The step.
        step: String,
    },
}

/// Name and SQL.
type Step = (&'static str, &'static str);

/// One step that was applied.
struct Applied {
    name: String,
    digest: Digest,
}

impl Db {
    /// Applies the steps that are not applied yet, all in one transaction, after verifying those
    /// that are.
    ///
    /// # Errors
    /// [`MigrateError`]; the database is then unchanged.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<(), MigrateError> {
        let crate_name = migrations.crate_name;
        let table = table(crate_name).ok_or(MigrateError::Name)?;
        let tag = TxTag {
            txn: TxnId::from_bytes([0; 16]),
            tenant: None,
            decision: None,
        };
        let mut tx = self.begin_with(Mode::ReadWrite, tag).await?;
        if self.dialect() == Dialect::Postgres {
            // two processes that start together would both create the table
            tx.script("SELECT pg_advisory_xact_lock(7236823540318281)")
                .await?;
        }
        tx.script(&format!(
            "CREATE TABLE IF NOT EXISTS {table} (step BIGINT NOT NULL PRIMARY KEY, \
             name TEXT NOT NULL, digest BYTEA NOT NULL, applied_at BIGINT NOT NULL)"
        ))
        .await?;
        let select = format!("SELECT name, digest FROM {table} ORDER BY step");
        let applied = tx.computed_rows(&select).await?;
        let applied = applied.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let pending = pending(migrations, &applied)?;
        let now = crate::codec::micros(tx.now());
        for (number, (name, sql)) in pending {
            tx.script(sql).await?;
            let digest = Digest::of(sql.as_bytes());
            let name = name.replace('\'', "''");
            let literal = match self.dialect() {
                Dialect::Postgres => format!("'\\x{digest}'"),
                Dialect::Sqlite => format!("x'{digest}'"),
            };
            tx.script(&format!(
                "INSERT INTO {table} (step, name, digest, applied_at) \
                 VALUES ({number}, '{name}', {literal}, {now})"
            ))
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The steps still to be applied, with their numbers from 1; the applied ones are verified.
fn pending<'m>(
    migrations: &'m Migrations,
    applied: &[Applied],
) -> Result<Vec<(usize, &'m Step)>, MigrateError> {
    let crate_name = migrations.crate_name;
    for (at, done) in applied.iter().enumerate() {
        let step = done.name.clone();
        match migrations.steps.get(at) {
            Some((name, sql)) if *name == done.name => {
                if Digest::of(sql.as_bytes()) != done.digest {
                    return Err(MigrateError::Changed { crate_name, step });
                }
            }
            _ => return Err(MigrateError::Unknown { crate_name, step }),
        }
    }
    Ok((1_usize..)
        .zip(migrations.steps)
        .skip(applied.len())
        .collect())
}

fn table(crate_name: &str) -> Option<String> {
    let fits = (1..=40).contains(&crate_name.len());
    let clean = crate_name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let starts = crate_name.starts_with(|c: char| c.is_ascii_lowercase());
    (fits && clean && starts).then(|| format!("{}_migrations", crate_name.replace('-', "_")))
}

fn read(row: &Row) -> Result<Applied, DbError> {
    Ok(Applied {
        name: row.text("name")?.to_owned(),
        digest: row.digest("digest")?,
    })
}
