//! Every vault has a root of its own under the one KEK of its backup epoch; until the microsecond
//! before the planned instant it opens, from that instant on nothing does, and the next sweep
//! destroys it for good.

#[cfg(test)]
mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{TestResult, World, epoch, start};
use crypto_envelope::backend::Presence;
use crypto_envelope::guard::KeyKind;
use crypto_envelope::{KeyError, Keys, VaultKeys};
use time::Duration;

const DAY: Duration = Duration::DAY;

// clause: Q-13, P-14, P-16
#[tokio::test]
async fn one_root_per_vault_and_one_kek_per_epoch() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let mut roots = BTreeSet::new();
    let mut derived = BTreeSet::new();
    let mut keks = BTreeSet::new();
    for day in 1..=3 {
        let (epoch, at) = (
            epoch(&format!("2026-11-{day}"))?,
            start() + DAY * (30 + day),
        );
        for _ in 0..4 {
            let (tenant, vault) = (world.tenant()?, world.vault()?);
            let root = keys.vault_root(tenant, vault, &epoch, at).await?;
            assert_eq!(
                keys.vault_root(tenant, vault, &epoch, at).await?,
                root,
                "minted twice"
            );
            assert_eq!(root.destroy_at, at);
            roots.insert(root.version);
            keks.insert(root.kek);
            let key = keys.unlock_vault(tenant, vault).await?;
            assert_eq!((key.version(), key.kek()), (root.version, root.kek));
            derived.insert(*key.derive(b"covenant/backup/v1/seal")?.expose());
            derived.insert(*key.derive(b"covenant/backup/v1/mac")?.expose());
        }
    }
    assert_eq!((roots.len(), keks.len(), derived.len()), (12, 3, 24));
    Ok(())
}

#[tokio::test]
async fn a_vault_opens_until_the_instant_before() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (tenant, vault, other) = (world.tenant()?, world.vault()?, world.vault()?);
    let (day, next) = (start() + DAY * 30, start() + DAY * 31);
    let root = keys.vault_root(tenant, vault, &epoch("a")?, day).await?;
    keys.vault_root(tenant, other, &epoch("b")?, next).await?;
    assert_eq!(keys.next_due().await?, Some(day));

    world.clock.advance_to(day - Duration::MICROSECOND);
    let held = keys.unlock_vault(tenant, vault).await?;
    assert!(held.derive(b"x").is_ok());
    assert_eq!(keys.destroy_due(day - Duration::MICROSECOND).await?, []);
    assert!(keys.unlock_vault(tenant, vault).await.is_ok());

    world.clock.advance_to(day);
    let late = "no sweep has run yet";
    assert!(
        matches!(held.derive(b"x"), Err(KeyError::State("destroyed"))),
        "{late}"
    );
    assert!(
        destroyed(keys.unlock_vault(tenant, vault).await.map(drop)),
        "{late}"
    );
    let destroyed_now = keys.destroy_due(day).await?;
    let whats: Vec<_> = destroyed_now
        .iter()
        .map(|key| (key.key, key.destroyed_at))
        .collect();
    assert_eq!(whats, [(root.version, day), (root.kek, day)]);
    assert!(matches!(destroyed_now[1].what, KeyKind::Kek(_)));
    assert_eq!(world.backend.probe(root.kek).await?, Presence::Absent);
    assert!(destroyed(keys.unlock_vault(tenant, vault).await.map(drop)));
    let again = keys.vault_root(tenant, vault, &epoch("a")?, day).await;
    assert!(destroyed(again.map(drop)), "a dead vault got a root");
    let fresh = keys
        .vault_root(tenant, world.vault()?, &epoch("a")?, day)
        .await;
    assert!(destroyed(fresh.map(drop)), "a dead epoch got a vault");

    assert!(
        keys.unlock_vault(tenant, other).await.is_ok(),
        "the next epoch lives"
    );
    assert_eq!(keys.next_due().await?, Some(next));
    assert_eq!(keys.destroy_due(day).await?, [], "done once");
    assert_eq!(keys.destroyed_since(start()).await?.len(), 2);
    assert_eq!(keys.destroyed_since(day + Duration::MICROSECOND).await?, []);
    Ok(())
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn no_key_that_is_left_opens_a_dead_vault() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    let day = start() + DAY * 30;
    let vault = world.vault()?;
    let root = keys.vault_root(tenant, vault, &epoch("a")?, day).await?;
    let before = keys.surviving_roots().await?;
    assert!(
        before
            .iter()
            .any(|survivor| survivor.version == root.version)
    );
    world.clock.advance_to(day);
    let ripe = keys.surviving_roots().await?;
    assert!(
        ripe.iter().any(|survivor| survivor.version == root.version),
        "planned is not gone"
    );
    keys.destroy_due(day).await?;
    let after = keys.surviving_roots().await?;
    assert_eq!(after.len(), before.len() - 1);
    assert!(
        after
            .iter()
            .all(|survivor| survivor.version != root.version)
    );
    Ok(())
}

#[tokio::test]
async fn plans_are_made_once_and_a_week_ahead() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (tenant, vault) = (world.tenant()?, world.vault()?);
    let week = start() + DAY * 7;
    let soon = keys
        .vault_root(tenant, vault, &epoch("a")?, week - Duration::MICROSECOND)
        .await;
    assert!(matches!(soon, Err(KeyError::TooSoon { earliest }) if earliest == week));
    let root = keys.vault_root(tenant, vault, &epoch("a")?, week).await?;
    let moved = keys
        .vault_root(tenant, vault, &epoch("a")?, week + DAY)
        .await;
    assert!(matches!(moved, Err(KeyError::Planned { key, planned })
        if key == root.kek && planned == week));
    let strayed = keys.vault_root(tenant, vault, &epoch("b")?, week).await;
    assert!(matches!(strayed, Err(KeyError::OtherEpoch(key)) if key == root.version));
    // an epoch that was planned in time still takes vaults on its last day
    world.clock.advance_to(week - Duration::SECOND);
    assert!(
        keys.vault_root(tenant, world.vault()?, &epoch("a")?, week)
            .await
            .is_ok()
    );
    Ok(())
}

#[tokio::test]
async fn a_vault_that_was_never_minted_is_absent() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let unlocked = keys.unlock_vault(world.tenant()?, world.vault()?).await;
    assert!(matches!(unlocked, Err(KeyError::Absent)));
    Ok(())
}

#[tokio::test]
async fn an_info_that_could_be_a_seal_is_refused() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (tenant, vault) = (world.tenant()?, world.vault()?);
    keys.vault_root(tenant, vault, &epoch("a")?, start() + DAY * 9)
        .await?;
    let key = keys.unlock_vault(tenant, vault).await?;
    let reserved = key.derive(b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0");
    assert!(matches!(reserved, Err(KeyError::ReservedInfo)));
    assert!(key.derive(b"covenant/backup/v1/seal").is_ok());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creators_that_race_get_one_root() -> TestResult {
    let world = World::in_memory();
    race(
        &world,
        Arc::new(world.keys().await?),
        Arc::new(world.keys().await?),
    )
    .await
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creators_that_race_get_one_root_on_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    let world = World::on_files(dir.path()).await?;
    race(
        &world,
        Arc::new(world.keys().await?),
        Arc::new(world.keys().await?),
    )
    .await
}

async fn race(world: &World, a: Arc<Keys>, b: Arc<Keys>) -> TestResult {
    let (tenant, day) = (world.tenant()?, start() + DAY * 30);
    for round in 0..8 {
        let (vault, epoch) = (world.vault()?, epoch(&format!("round-{round}"))?);
        let mut tasks = Vec::new();
        for keys in [a.clone(), b.clone(), a.clone(), b.clone()] {
            let epoch = epoch.clone();
            let mint = async move { keys.vault_root(tenant, vault, &epoch, day).await };
            tasks.push(tokio::spawn(mint));
        }
        let mut roots = BTreeSet::new();
        for task in tasks {
            let root = task.await??;
            roots.insert((root.version, root.kek));
        }
        assert_eq!(roots.len(), 1, "round {round}");
        let one = a.unlock_vault(tenant, vault).await?;
        let two = b.unlock_vault(tenant, vault).await?;
        assert_eq!(one.derive(b"x")?.expose(), two.derive(b"x")?.expose());
    }
    assert_eq!(a.list().await?.len(), 8);
    Ok(())
}

fn destroyed(result: Result<(), KeyError>) -> bool {
    matches!(result, Err(KeyError::State("destroyed")))
}
