//! `covenant token`: the index of a searchable field, and the rotation of its key. Tokens are made
//! by the service, which alone reads the values; the command begins a rotation, says how far the
//! backfill is, and ends it when no row lacks a new token. Exit codes: 0 good, 1 rows still lack a
//! token, 2 usage or bad input, 3 unreachable, 4 refused, 5 the key store is damaged or not replayed.

use std::str::FromStr;

use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, TenantId};
use crypto_envelope::record::RootState;
use crypto_envelope::token::{Field, Normaliser, SqlTable, Tally, TokenTable as _};
use crypto_envelope::{KeyAdmin as _, KeyRecordInfo, Keys};
use serde_json::json;
use sql_store::SqliteProfile;

use super::key_place::{Begin, DatabasePlace, KeyPlace, Opened, chain, database, failure, waited};
use super::who::Who;
use crate::output::{FALSE, Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Token {
    #[command(flatten)]
    place: KeyPlace,
    /// The database of the rows, in which the table of tokens lies: as `--store` is given.
    #[arg(long, value_name = "URL", global = true)]
    rows: Option<String>,
    /// The schema of the rows in PostgreSQL.
    #[arg(long, value_name = "NAME", default_value = "covenant", global = true)]
    rows_schema: String,
    /// The tenant whose index it is.
    #[arg(long, value_name = "UUID", global = true)]
    tenant: Option<TenantId>,
    #[command(flatten)]
    who: Who,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Shows the versions of the index's key, and how many rows have tokens of each.
    Status {
        /// The index: `COLLECTION.FIELD:NORMALISER`, such as `person.email:nfkc-lower`.
        name: IndexName,
    },
    /// Takes the next step of a rotation: a new version; or, when no row lacks a token of it, the
    /// end of the old one. While rows lack one nothing is done, and the exit code is 1.
    Rotate {
        /// The index: `COLLECTION.FIELD:NORMALISER`, such as `person.email:nfkc-lower`.
        name: IndexName,
    },
}

/// Which field is searched, and what of its values counts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct IndexName {
    collection: String,
    field: String,
    normaliser: Normaliser,
}

impl FromStr for IndexName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let not_a_name = || "not COLLECTION.FIELD:NORMALISER".to_owned();
        let (column, normaliser) = name.rsplit_once(':').ok_or_else(not_a_name)?;
        let (collection, field) = column.split_once('.').ok_or_else(not_a_name)?;
        if collection.is_empty() || field.is_empty() {
            return Err(not_a_name());
        }
        let normaliser: Normaliser = normaliser.parse().map_err(|error| format!("{}", error))?;
        Ok(Self {
            collection: collection.to_owned(),
            field: field.to_owned(),
            normaliser,
        })
    }
}

/// An index with its keys and its table.
struct Index {
    keys: Opened,
    table: SqlTable,
    owner: Owner,
}

impl Token {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        waited(self.answer())
    }

    async fn answer(self) -> Result<Report, Failure> {
        match &self.verb {
            Verb::Status { name } => self.opened(name).await?.status().await,
            Verb::Rotate { name } => {
                let call = self.who.changes()?;
                self.opened(name).await?.rotate(&call).await
            }
        }
    }

    async fn opened(&self, name: &IndexName) -> Result<Index, Failure> {
        let missing = |name: &str| Failure::usage(format!("{name} is needed"));
        let rows = self.rows.as_deref().ok_or_else(|| missing("--rows"))?;
        let tenant = self.tenant.ok_or_else(|| missing("--tenant"))?;
        let keys = self.place.open(Begin::Open).await?;
        let place = DatabasePlace {
            argument: "--rows",
            url: rows,
            schema: &self.rows_schema,
            profile: SqliteProfile::Tenant,
        };
        let db = database(place, Begin::Open, &keys.clock, &keys.random).await?;
        let IndexName {
            collection,
            field,
            normaliser,
        } = name.clone();
        let field = Field {
            tenant: Some(tenant),
            collection,
            field,
            normaliser,
        };
        Ok(Index {
            keys,
            table: SqlTable::within(db, &field),
            owner: Owner::Tenant(tenant),
        })
    }
}

impl Index {
    fn keys(&self) -> &Keys {
        &self.keys.keys
    }

    /// The versions that are not out of life, oldest first, and what the table holds.
    async fn seen(&self) -> Result<(Vec<KeyRecordInfo>, Tally), Failure> {
        let versions = self.keys().versions(self.owner, Purpose::Index).await;
        let versions: Vec<_> = versions.map_err(failure)?;
        if versions.is_empty() {
            return Err(Failure::usage("the tenant has no index"));
        }
        let tally = self.table.tally().await;
        let tally = tally.map_err(|error| Failure::unreachable(chain(&error)))?;
        Ok((versions, tally))
    }

    async fn status(&self) -> Result<Report, Failure> {
        let (versions, tally) = self.seen().await?;
        Ok(said(&versions, &tally, GOOD, "nothing was changed"))
    }

    async fn rotate(&self, call: &crypto_envelope::AdminCall) -> Result<Report, Failure> {
        let (versions, tally) = self.seen().await?;
        let newest = versions
            .iter()
            .rev()
            .find(|version| matches!(version.state, RootState::Pending | RootState::Active));
        let newest = newest.ok_or_else(|| Failure::refused("no version of the key is in use"))?;
        let old: Vec<_> = versions
            .iter()
            .filter(|version| version.id != newest.id)
            .filter(|version| matches!(version.state, RootState::Active | RootState::DecryptOnly))
            .map(|version| version.id)
            .collect();
        let lacking = tally.rows.saturating_sub(with(&tally, newest.id));
        let (code, done) = if old.is_empty() && lacking == 0 {
            let rotated = self.keys().rotate(call, newest.id).await;
            rotated.map_err(failure)?;
            (
                GOOD,
                "a new version is made: write it, and backfill".to_owned(),
            )
        } else if lacking > 0 {
            (
                FALSE,
                format!("{lacking} rows lack a token of the new version: backfill"),
            )
        } else {
            self.end(&old).await?
        };
        let (versions, tally) = self.seen().await?;
        Ok(said(&versions, &tally, code, &done))
    }

    /// Drops the old tokens of this index; a version goes out of life once no index of the tenant
    /// has a token of it.
    async fn end(&self, old: &[KeyId]) -> Result<(u8, String), Failure> {
        let unreachable = |error: &dyn std::error::Error| Failure::unreachable(chain(error));
        let mut shared = false;
        for version in old {
            let dropped = self.table.drop_version(*version).await;
            dropped.map_err(|error| unreachable(&error))?;
            let found = self.table.has_version(*version).await;
            if found.map_err(|error| unreachable(&error))? {
                shared = true;
            } else {
                self.keys().retire(*version).await.map_err(failure)?;
            }
        }
        let done = if shared {
            "the old tokens are gone; other indexes of the tenant still have some"
        } else {
            "the old version is out of life"
        };
        Ok((GOOD, done.to_owned()))
    }
}

fn with(tally: &Tally, version: KeyId) -> u64 {
    tally.versions.get(&version).copied().unwrap_or(0)
}

fn said(versions: &[KeyRecordInfo], tally: &Tally, code: u8, done: &str) -> Report {
    let mut text = Table::default();
    text.row("done", done);
    text.row("rows", &tally.rows.to_string());
    let mut listed = Vec::new();
    for version in versions {
        let rows = with(tally, version.id);
        let state = version.state.name();
        text.row(
            state,
            &format!("{}  #{}  {rows} rows", version.id, version.n),
        );
        listed.push(json!({
            "version": version.id.to_string(),
            "n": version.n,
            "state": state,
            "rows": rows,
        }));
    }
    let json = json!({ "done": done, "rows": tally.rows, "versions": listed });
    Report { code, text, json }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_named_by_its_column_and_what_counts() {
        let name: IndexName = "person.email:nfkc-lower".parse().expect("a name");
        assert_eq!(
            (name.collection.as_str(), name.field.as_str()),
            ("person", "email")
        );
        assert_eq!(name.normaliser, Normaliser::NfkcLower);
        for wrong in [
            "",
            "email",
            "person.email",
            "person:exact",
            ".a:exact",
            "a.:exact",
            "a.b:x",
        ] {
            assert!(wrong.parse::<IndexName>().is_err(), "{wrong}");
        }
    }
}
