//! Every call to the key store and to the backend may fail, before or after it took effect: the
//! next run completes what was begun, no key is lost and none is left.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::sync::Arc;

use common::{TestResult, World, body, epoch, start};
use covenant_core::sealer::{Purpose, Sealer};
use covenant_core::{Owner, TenantId};
use crypto_envelope::backend::Presence;
use crypto_envelope::record::{KekState, RootState};
use crypto_envelope::testing::{Faults, FaultyBackend, FaultyStore};
use crypto_envelope::{Envelope, Keys, VaultKeys};
use time::Duration;

/// More points than any of the runs below has; each test checks that it went past the last one.
const POINTS: u64 = 200;

struct Faulty {
    world: World,
    faults: Arc<Faults>,
    keys: Keys,
}

impl Faulty {
    async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        Self::over(World::in_memory()).await
    }

    async fn over(world: World) -> Result<Self, Box<dyn std::error::Error>> {
        let faults = Faults::none();
        let store = Arc::new(FaultyStore::new(world.store.clone(), faults.clone()));
        let backend = Arc::new(FaultyBackend::new(world.backend.clone(), faults.clone()));
        let keys = world.keys_over(store, backend).await?;
        Ok(Self {
            world,
            faults,
            keys,
        })
    }
}

#[tokio::test]
async fn opening_the_keys_converges() -> TestResult {
    let mut failed = 0;
    for point in 0..POINTS {
        let world = World::in_memory();
        let faults = Faults::none();
        let store = Arc::new(FaultyStore::new(world.store.clone(), faults.clone()));
        let backend = Arc::new(FaultyBackend::new(world.backend.clone(), faults.clone()));
        faults.fail_at(point);
        let first = world.keys_over(store.clone(), backend.clone()).await;
        faults.heal();
        failed += u64::from(first.is_err());
        let keys = world.keys_over(store, backend).await?;
        let keks = keys.list_keks().await?;
        assert_eq!(keks.len(), 2, "point {point}");
        assert!(
            keks.iter().all(|kek| kek.state == KekState::Enabled),
            "point {point}"
        );
        if first.is_ok() {
            assert!(failed > 10, "only {failed} points failed");
            return Ok(());
        }
    }
    Err("the run has more points than are tried".into())
}

#[tokio::test]
async fn creating_a_tenant_converges() -> TestResult {
    let mut failed = 0;
    for point in 0..POINTS {
        let Faulty {
            world,
            faults,
            keys,
        } = Faulty::new().await?;
        let tenant = world.tenant()?;
        faults.fail_at(point);
        let first = keys.create_tenant(tenant).await;
        faults.heal();
        failed += u64::from(first.is_err());
        let roots = keys.create_tenant(tenant).await?;
        if let Ok(first) = &first {
            assert_eq!(*first, roots);
        }
        let infos = keys.list().await?;
        assert_eq!(infos.len(), 2, "point {point}");
        assert_eq!(keys.surviving_roots().await?.len(), 2, "point {point}");
        let sealer = Envelope::new(Arc::new(keys));
        let place = body(Owner::Tenant(tenant), Purpose::Data)?;
        let sealed = sealer.seal(&place, b"text").await?;
        assert_eq!(sealer.open(&place, &sealed).await?.expose(), b"text");
        if first.is_ok() {
            assert!(failed > 10, "only {failed} points failed");
            return Ok(());
        }
    }
    Err("the run has more points than are tried".into())
}

// clause: Q-13
#[tokio::test]
async fn minting_a_vault_converges() -> TestResult {
    let day = start() + Duration::days(30);
    let mut failed = 0;
    for point in 0..POINTS {
        let Faulty {
            world,
            faults,
            keys,
        } = Faulty::new().await?;
        let (tenant, vault, epoch) = (world.tenant()?, world.vault()?, epoch("a")?);
        faults.fail_at(point);
        let first = keys.vault_root(tenant, vault, &epoch, day).await;
        faults.heal();
        failed += u64::from(first.is_err());
        let root = keys.vault_root(tenant, vault, &epoch, day).await?;
        assert_eq!(keys.list().await?.len(), 1, "point {point}: a second root");
        assert_eq!(
            keys.list_keks().await?.len(),
            3,
            "point {point}: a second KEK"
        );
        assert_eq!(
            keys.unlock_vault(tenant, vault).await?.version(),
            root.version
        );
        if first.is_ok() {
            assert!(failed > 10, "only {failed} points failed");
            return Ok(());
        }
    }
    Err("the run has more points than are tried".into())
}

#[tokio::test]
async fn destroying_what_is_due_converges() -> TestResult {
    for point in 0..POINTS {
        if destroy_with_a_failure(Faulty::new().await?, point).await? {
            assert!(point > 20, "only {point} points failed");
            return Ok(());
        }
    }
    Err("the run has more points than are tried".into())
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn destroying_what_is_due_converges_on_files() -> TestResult {
    for point in 0..POINTS {
        let dir = tempfile::tempdir()?;
        let faulty = Faulty::over(World::on_files(dir.path()).await?).await?;
        if destroy_with_a_failure(faulty, point).await? {
            let left = std::fs::read_dir(common::key_dir(dir.path()))?.count();
            assert_eq!(left, 3, "the two groups' and the living epoch's keys");
            return Ok(());
        }
    }
    Err("the run has more points than are tried".into())
}

/// Destroys two epochs and a tenant, with a failure; says whether the first run went through.
async fn destroy_with_a_failure(
    faulty: Faulty,
    point: u64,
) -> Result<bool, Box<dyn std::error::Error>> {
    let Faulty {
        world,
        faults,
        keys,
    } = faulty;
    let day = start() + Duration::days(30);
    let later = day + Duration::DAY;
    let (tenant, living) = (world.tenant()?, world.tenant()?);
    for tenant in [tenant, living] {
        keys.create_tenant(tenant).await?;
    }
    let mut dead = Vec::new();
    for name in ["a", "b"] {
        for _ in 0..2 {
            let vault = world.vault()?;
            keys.vault_root(tenant, vault, &epoch(name)?, day).await?;
            dead.push(vault);
        }
    }
    let kept = world.vault()?;
    keys.vault_root(tenant, kept, &epoch("c")?, later).await?;
    keys.plan_tenant(tenant, day).await?;
    world.clock.advance_to(day);

    faults.fail_at(point);
    let first = keys.destroy_due(day).await;
    faults.heal();
    // a key once destroyed stays so, and none dies twice or early, whatever failed
    let through = first.is_ok();
    keys.destroy_due(day).await?;
    assert_eq!(
        keys.destroyed_since(start()).await?.len(),
        2 + 4 + 2,
        "point {point}"
    );
    assert_eq!(keys.next_due().await?, Some(later), "point {point}");
    check_dead(&keys, tenant, &dead).await?;
    for kek in keys.list_keks().await? {
        let alive = world.backend.probe(kek.id).await? == Presence::Present;
        assert_eq!(
            alive,
            kek.state == KekState::Enabled,
            "point {point}: {:?}",
            kek.group
        );
    }
    assert!(
        keys.unlock_vault(tenant, kept).await.is_ok(),
        "point {point}"
    );
    assert!(
        keys.unlock(Owner::Tenant(living), Purpose::Data)
            .await
            .is_ok(),
        "point {point}"
    );
    Ok(through)
}

async fn check_dead(keys: &Keys, tenant: TenantId, dead: &[covenant_core::VaultId]) -> TestResult {
    let survivors = keys.surviving_roots().await?;
    for info in keys
        .list()
        .await?
        .iter()
        .filter(|info| info.state == RootState::Destroyed)
    {
        assert!(survivors.iter().all(|survivor| survivor.version != info.id));
    }
    for vault in dead {
        assert!(keys.unlock_vault(tenant, *vault).await.is_err());
    }
    assert!(
        keys.unlock(Owner::Tenant(tenant), Purpose::Data)
            .await
            .is_err()
    );
    assert!(
        keys.unlock(Owner::Tenant(tenant), Purpose::Sensitive)
            .await
            .is_err()
    );
    Ok(())
}

#[tokio::test]
async fn erasing_a_subject_converges() -> TestResult {
    let mut failed = 0;
    for point in 0..POINTS {
        let Faulty {
            world,
            faults,
            keys,
        } = Faulty::new().await?;
        let (tenant, subject) = (world.tenant()?, world.uuid()?);
        keys.create_tenant(tenant).await?;
        let owner = Owner::Subject(tenant, subject);
        let version = keys.unlock(owner, Purpose::Subject).await?.version();
        let order = world.order(tenant, subject)?;
        faults.fail_at(point);
        let first = keys.destroy_subject(&order).await;
        faults.heal();
        failed += u64::from(first.is_err());
        let done = keys.destroy_subject(&order).await?;
        assert_eq!(done.keys, [version], "point {point}");
        assert!(
            done.complete_by.is_some_and(|at| at > done.destroyed_at),
            "point {point}"
        );
        assert_eq!(keys.destroy_subject(&order).await?, done, "point {point}");
        assert!(
            keys.unlock(owner, Purpose::Subject).await.is_err(),
            "point {point}"
        );
        assert!(
            keys.unlock(Owner::Tenant(tenant), Purpose::Data)
                .await
                .is_ok()
        );
        if first.is_ok() {
            assert!(failed >= 6, "only {failed} points failed");
            return Ok(());
        }
    }
    Err("the run has more points than are tried".into())
}
