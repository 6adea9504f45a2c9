//! A key store that has lived: after destruction the wrapped bytes of what died, and the bytes of
//! its KEK, are in no file of the store and of the key directory; those of the living are.
#![cfg(all(unix, feature = "sqlite", feature = "testing"))]

#[cfg(test)]
mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{TestResult, World, epoch, key_dir, start};
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, Random, Secret};
use crypto_envelope::record::{RootRecord, RootState, Switch};
use crypto_envelope::store::{Gate, MemoryStore};
use crypto_envelope::wrapped::wrap_context;
use crypto_envelope::{GroupName, KeyAdmin, VaultKeys};
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

/// A store of this many records has b-tree pages that split, merged and moved.
const RECORDS: usize = 20_000;

#[tokio::test]
async fn nor_in_a_store_of_many_records_that_was_rotated() -> TestResult {
    let dir = tempfile::tempdir()?;
    let mut world = World::on_files(dir.path()).await?;
    let sqlite = world.store.clone();
    world.store = Arc::new(MemoryStore::new());
    let keys = world.keys().await?;
    let day = |n: i64| start() + Duration::days(n);
    // many records, made in memory and moved to the file: tenants, their subjects, their vaults
    let mut tenants = Vec::new();
    for _ in 0..20 {
        let tenant = world.tenant()?;
        keys.create_tenant(tenant).await?;
        tenants.push(tenant);
    }
    let mut keks = keys.list_keks().await?;
    let standard = keks.iter().find(|kek| kek.group == GroupName::Standard);
    let standard = standard.ok_or("no KEK")?.id;
    let mut under = vec![(standard, Purpose::Subject); 4];
    for n in 0..16 {
        let name = epoch(&format!("epoch-{n}"))?;
        let end = day(30 + n);
        let root = keys.vault_root(tenants[0], world.vault()?, &name, end);
        under.push((root.await?.kek, Purpose::Vault));
    }
    for (n, (kek, purpose)) in under.iter().cycle().take(RECORDS).enumerate() {
        let tenant = tenants[n % tenants.len()];
        let owner = match purpose {
            Purpose::Subject => Owner::Subject(tenant, world.uuid()?),
            _ => Owner::Vault(tenant, world.vault()?),
        };
        world
            .store
            .add_root(&root(&world, owner, *purpose, *kek).await?)
            .await?;
    }
    let first = world.store.changes(0).await?;
    sqlite.restore(std::slice::from_ref(&first)).await?;
    sqlite.set_gate(Gate::Open).await?;
    world.store = sqlite;
    let keys = world.keys().await?;
    let wrapped = |records: &[RootRecord]| -> BTreeMap<KeyId, Vec<u8>> {
        let records = records.iter().filter(|root| !root.wrapped.is_empty());
        records
            .map(|root| (root.id, root.wrapped.clone()))
            .collect()
    };
    let old = wrapped(&first.roots);
    assert!(old.len() > RECORDS);
    assert_eq!(scan(dir.path(), &old)?.len(), old.len(), "the control");
    keks = keys.list_keks().await?;
    let mut key_bytes = BTreeMap::new();
    for kek in &keks {
        let file = key_dir(dir.path()).join(format!("{}.kek", kek.id.simple()));
        key_bytes.insert(kek.id, fs::read(file)?[24..56].to_vec());
    }

    // it lives: a rotation, an erasure, a purge, epochs that end one by one, and the old KEK's end
    let done = keys.rotate(&world.admin(), standard).await?;
    assert_eq!(usize::try_from(done.rewrapped)?, RECORDS / 5 + 20);
    let person = first.roots.iter().find_map(|root| match root.owner {
        Owner::Subject(tenant, subject) => Some((tenant, subject)),
        _ => None,
    });
    let (tenant, subject) = person.ok_or("no subject")?;
    keys.destroy_subject(&world.order(tenant, subject)?).await?;
    keys.plan_tenant(tenants[1], day(35)).await?;
    for n in [7, 33, 36, 40] {
        world.clock.advance_to(day(n));
        keys.destroy_due(day(n)).await?;
    }
    let living = wrapped(&world.store.roots().await?);
    assert!((RECORDS / 8..RECORDS).contains(&living.len()));
    let found = scan(dir.path(), &old)?;
    let same = |id: &KeyId| living.get(id) == old.get(id);
    assert!(
        found.iter().all(same),
        "an old or destroyed wrapping is there"
    );
    let unmoved = old.keys().filter(|id| same(id)).count();
    assert_eq!(found.len(), unmoved, "all that lives unmoved is there");
    assert_eq!(scan(dir.path(), &living)?.len(), living.len());
    let alive = keys.list_keks().await?;
    let alive = alive.iter().filter(|kek| kek.gone_at.is_none());
    let alive = alive.filter(|kek| key_bytes.contains_key(&kek.id)).count();
    assert_eq!(scan(dir.path(), &key_bytes)?.len(), alive);
    assert_eq!(alive, 1 + 16 - 11, "the other group's KEK and later epochs");
    Ok(())
}

async fn root(
    world: &World,
    owner: Owner,
    purpose: Purpose,
    kek: KeyId,
) -> Result<RootRecord, Box<dyn std::error::Error>> {
    let id = KeyId::from_uuid(world.uuid()?);
    let context = wrap_context(kek, owner, purpose, id);
    let mut secret = Secret::new([0; 32]);
    world.random.fill(secret.expose_mut())?;
    let wrapped = world.backend.wrap_root(kek, &context, &secret).await?;
    Ok(RootRecord {
        id,
        owner,
        purpose,
        n: 1,
        kek,
        wrapped: wrapped.as_bytes().to_vec(),
        state: RootState::Active,
        switch: Switch::On,
        created_at: start(),
        active_from: None,
        destroy_at: None,
        pending_until: None,
        compromised_at: None,
        destroyed_at: None,
        wrapped_revision: 0,
        revision: 0,
    })
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
    let ends: HashMap<_, _> = ends.collect();
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
