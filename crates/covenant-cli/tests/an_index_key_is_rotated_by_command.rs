//! `covenant token`: a rotation of an index's key is begun, watched and ended by the command, while
//! the service that reads the values fills in the new tokens.

#[cfg(test)]
mod common;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use covenant_core::testing::SeededRandom;
use covenant_core::{Clock as _, ItemId, ManualClock, Owner, SystemClock, TenantId};
use crypto_envelope::backend::FileBackend;
use crypto_envelope::store::SqlStore;
use crypto_envelope::token::{Field, Index, Normaliser, SqlTable};
use crypto_envelope::{Keys, KeysOptions};
use serde_json::Value;
use sql_store::{Db, SqliteOptions, SqliteProfile};

use common::said;

type Outcome = Result<(), Box<dyn Error>>;

const WHO: &str = "--actor 00000000-0000-0000-0000-0000000000a1 --reason OPS-17";
const TENANT: TenantId = TenantId::from_bytes([7; 16]);

fn covenant(folder: &Path, line: &str) -> Result<(i32, String), Box<dyn Error>> {
    said(folder, &format!("{line} --store keys.db --keys keks"))
}

fn token(folder: &Path, line: &str, code: i32) -> Result<String, Box<dyn Error>> {
    let line = format!("token {line} --rows rows.db --tenant {TENANT}");
    let (found, said) = covenant(folder, &line)?;
    assert_eq!(found, code, "{line}: {said}");
    Ok(said)
}

/// The states of the key's versions, oldest first, and how many rows have tokens of each.
fn versions(folder: &Path, name: &str) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let said = token(folder, &format!("status {name} --json"), 0)?;
    let said: Value = serde_json::from_str(&said)?;
    let listed = said.get("versions").and_then(Value::as_array);
    let read = |version: &Value| {
        let state = version.get("state")?.as_str()?.to_owned();
        Some((state, version.get("rows")?.as_u64()?))
    };
    let read: Option<Vec<_>> = listed.ok_or("no versions")?.iter().map(read).collect();
    Ok(read.ok_or("not a version")?)
}

/// The service: the keys ten minutes ahead, when every cache has forgotten, and its table.
async fn service(folder: &Path, field: &Field) -> Result<(Keys, SqlTable), Box<dyn Error>> {
    let now = SystemClock::new().now() + time::Duration::minutes(10);
    let clock = Arc::new(ManualClock::at(now));
    let random = Arc::new(SeededRandom::new(9));
    let control = SqliteOptions::new(folder.join("keys.db"), SqliteProfile::Control);
    let store = SqlStore::open(Db::open_sqlite(control, clock.clone()).await?).await?;
    let backend = FileBackend::open(&folder.join("keks"), random.clone())?;
    let keys = Keys::open(
        Arc::new(store),
        Arc::new(backend),
        clock.clone(),
        random,
        KeysOptions::default(),
    );
    let rows = SqliteOptions::new(folder.join("rows.db"), SqliteProfile::Tenant);
    let db = if folder.join("rows.db").exists() {
        Db::open_sqlite(rows, clock.clone()).await?
    } else {
        Db::create_sqlite(rows, clock).await?
    };
    Ok((keys.await?, SqlTable::open(db, field).await?))
}

fn person(row: &str) -> String {
    format!("{row}@example.org")
}

#[tokio::test]
async fn from_one_version_to_the_next() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    assert_eq!(covenant(folder, "keys init")?.0, 0);
    let field = |field: &str| Field {
        tenant: Some(TENANT),
        collection: "person".to_owned(),
        field: field.to_owned(),
        normaliser: Normaliser::AsciiLower,
    };
    let owner = Owner::Tenant(TENANT);
    let email = "person.email:ascii-lower";
    let rows: Vec<ItemId> = ["ann", "bob", "cid"]
        .into_iter()
        .map(ItemId::try_from)
        .collect::<Result<_, _>>()?;
    {
        let (keys, table) = service(folder, &field("email")).await?;
        keys.create_tenant(TENANT).await?;
        keys.create_index(TENANT).await?;
        let index = Index::of(&keys, owner, field("email")).await?;
        for row in &rows {
            index
                .put(&table, row, &person(std::str::from_utf8(row.as_bytes())?))
                .await?;
        }
        let (_, alias) = service(folder, &field("alias")).await?;
        let index = Index::of(&keys, owner, field("alias")).await?;
        index.put(&alias, &rows[0], "annie").await?;
    }
    assert_eq!(versions(folder, email)?, [("active".to_owned(), 3)]);
    let rotate = format!("rotate {email} {WHO}");
    token(folder, &format!("rotate {email}"), 2)?;
    assert!(token(folder, &rotate, 0)?.contains("a new version is made"));
    assert_eq!(
        versions(folder, email)?,
        [("active".to_owned(), 3), ("pending".to_owned(), 0)]
    );
    // nothing ends before the rows have their new tokens
    assert!(token(folder, &rotate, 1)?.contains("3 rows lack"));
    for (name, left) in [("email", "other indexes"), ("alias", "out of life")] {
        let (keys, table) = service(folder, &field(name)).await?;
        let now = SystemClock::new().now() + time::Duration::minutes(10);
        keys.rotate_due(now).await?;
        let index = Index::of(&keys, owner, field(name)).await?;
        let value = async |row: &ItemId| {
            let row = std::str::from_utf8(row.as_bytes()).unwrap_or_default();
            Ok(Some(if name == "email" {
                person(row)
            } else {
                "annie".to_owned()
            }))
        };
        let line = format!("rotate person.{name}:ascii-lower {WHO}");
        assert!(token(folder, &line, 1)?.contains("rows lack"));
        index.backfill(&table, None, 10, value).await?;
        assert!(token(folder, &line, 0)?.contains(left), "{name}");
    }
    assert_eq!(
        versions(folder, email)?,
        [("retired".to_owned(), 0), ("active".to_owned(), 3)]
    );
    let (keys, table) = service(folder, &field("email")).await?;
    let index = Index::of(&keys, owner, field("email")).await?;
    assert_eq!(
        index.candidates(&table, "BOB@example.org").await?,
        [rows[1].clone()]
    );
    Ok(())
}

#[test]
fn what_is_not_there_is_told() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    assert_eq!(covenant(folder, "keys init")?.0, 0);
    token(folder, "status person.email:exact", 3)?;
    token(folder, "status person.email:other", 2)?;
    let (code, said) = covenant(folder, "token status person.email:exact --rows keys.db")?;
    assert_eq!(code, 2, "{said}");
    Ok(())
}
