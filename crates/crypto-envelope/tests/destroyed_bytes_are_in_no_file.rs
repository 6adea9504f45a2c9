//! A key store that has lived: after destruction the wrapped bytes of what died, and the bytes of
//! its KEK, are in no file of the store and of the key directory; those of the living are.
#![cfg(all(unix, feature = "sqlite", feature = "testing"))]

#[cfg(test)]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::{TestResult, World, epoch, key_dir, start};
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner};
use crypto_envelope::VaultKeys;
use crypto_envelope::record::RootState;
use time::Duration;

#[tokio::test]
async fn a_store_that_lived_holds_the_living_only() -> TestResult {
    let dir = tempfile::tempdir()?;
    let world = World::on_files(dir.path()).await?;
    let keys = world.keys().await?;
    let day = |n: i64| start() + Duration::days(n);
    let mut tenants = Vec::new();
    for _ in 0..40 {
        let tenant = world.tenant()?;
        keys.create_tenant(tenant).await?;
        for _ in 0..4 {
            keys.unlock(Owner::Subject(tenant, world.uuid()?), Purpose::Subject)
                .await?;
        }
        tenants.push(tenant);
    }
    let subject = world.uuid()?;
    keys.unlock(Owner::Subject(tenants[0], subject), Purpose::Subject)
        .await?;
    for n in 0..20 {
        let epoch = epoch(&format!("epoch-{n}"))?;
        for tenant in tenants.iter().take(10) {
            keys.vault_root(*tenant, world.vault()?, &epoch, day(30 + n))
                .await?;
        }
    }
    keys.plan_tenant(tenants[1], day(35)).await?;

    let mut wrapped = BTreeMap::new();
    for root in world.store.roots().await? {
        wrapped.insert(root.id, root.wrapped);
    }
    let mut keks = BTreeMap::new();
    for kek in world.store.keks().await? {
        let file = key_dir(dir.path()).join(format!("{}.kek", kek.id.simple()));
        keks.insert(kek.id, fs::read(file)?[24..56].to_vec());
    }
    let found = |kind: &BTreeMap<KeyId, Vec<u8>>| scan(dir.path(), kind);
    assert_eq!(
        found(&wrapped)?.len(),
        wrapped.len(),
        "the scan finds what is there"
    );
    assert_eq!(found(&keks)?.len(), 22, "the scan finds what is there");

    keys.destroy_subject(&world.order(tenants[0], subject)?)
        .await?;
    for n in [30, 33, 36, 39] {
        world.clock.advance_to(day(n));
        keys.destroy_due(day(n)).await?;
    }
    let mut living = Vec::new();
    for root in world.store.roots().await? {
        assert_eq!(root.wrapped.is_empty(), root.state == RootState::Destroyed);
        if root.state == RootState::Active {
            living.push(root.id);
        }
    }
    assert_eq!(living.len(), wrapped.len() - 1 - 6 - 10 * 10);
    assert_eq!(
        found(&wrapped)?,
        living,
        "exactly the living are in the files"
    );
    assert_eq!(found(&keks)?.len(), 22 - 10);
    Ok(())
}

#[tokio::test]
async fn a_reader_in_the_way_puts_the_date_off() -> TestResult {
    use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};

    let dir = tempfile::tempdir()?;
    let world = World::on_files(dir.path()).await?;
    let keys = world.keys().await?;
    let (tenant, subject) = (world.tenant()?, world.uuid()?);
    keys.create_tenant(tenant).await?;
    keys.unlock(Owner::Subject(tenant, subject), Purpose::Subject)
        .await?;
    let mut options = SqliteOptions::new(dir.path().join("keys.db"), SqliteProfile::Control);
    options.busy_wait = std::time::Duration::from_millis(50);
    let other = Db::open_sqlite(options, world.clock.clone()).await?;
    let tag = covenant_core::TxTag {
        txn: covenant_core::TxnId::from_uuid(subject),
        tenant: None,
        decision: None,
    };
    let mut reader = other.begin_with(Mode::ReadOnly, tag).await?;
    reader.rows("SELECT id FROM root", Args::new()).await?;

    let order = world.order(tenant, subject)?;
    let put_off = keys.destroy_subject(&order).await?;
    assert_eq!((put_off.keys.len(), put_off.complete_by), (1, None));
    reader.rollback().await?;
    let done = keys.destroy_subject(&order).await?;
    assert_eq!((done.keys, done.part), (put_off.keys, put_off.part));
    assert!(done.complete_by.is_some());
    Ok(())
}

/// The ids of those byte strings that occur in a file of the folder, by one pass over each file.
fn scan(dir: &Path, strings: &BTreeMap<KeyId, Vec<u8>>) -> std::io::Result<Vec<KeyId>> {
    // bytes 17 to 25 of a wrapped key are random, as are all of a KEK
    let middle = |bytes: &[u8]| bytes.get(17..25).map(<[u8]>::to_vec);
    let ends = strings
        .iter()
        .filter_map(|(id, bytes)| Some((middle(bytes)?, (*id, bytes))));
    let ends: BTreeMap<_, _> = ends.collect();
    let mut found = BTreeSet::new();
    for file in contents(dir)? {
        for (at, window) in file.windows(8).enumerate() {
            if let Some((id, bytes)) = ends.get(window) {
                let start = at.checked_sub(17).and_then(|at| file.get(at..));
                if start.is_some_and(|rest| rest.starts_with(bytes)) {
                    found.insert(*id);
                }
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn contents(dir: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(contents(&path)?);
        } else {
            files.push(fs::read(path)?);
        }
    }
    Ok(files)
}
