//! A key store put back from a copy that is older than a destruction: shut, until everything that
//! was destroyed since has been destroyed again; then open, and the key gone again.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::error::Error;
use std::sync::Arc;

use common::{TestResult, World, body, epoch, start};
use covenant_core::event::Action;
use covenant_core::sealer::{DestroyOrder, OpenError, Purpose, SealError, Sealer};
use covenant_core::{KeyId, Owner, Place, TenantId, VaultId};
use crypto_envelope::backend::Presence;
use crypto_envelope::guard::KeyKind;
use crypto_envelope::store::{Changes, Gate};
use crypto_envelope::testing::{Faults, FaultyBackend, FaultyStore};
use crypto_envelope::{
    Envelope, Gone, KeyAdmin, KeyError, KeyService, Keys, KeysOptions, PendingWindow, Replay,
    VaultKeys, WrapContext,
};
use time::Duration;

const DAY: Duration = Duration::DAY;
/// More points than a replay has.
const POINTS: u64 = 400;

/// What a platform did after its last copy.
struct Lived {
    world: World,
    copies: Vec<Changes>,
    since: Replay,
    order: DestroyOrder,
    purged: (TenantId, Place, Vec<u8>),
    kept: (Place, Vec<u8>),
    dead_vault: (TenantId, VaultId),
    dead_keks: Vec<KeyId>,
}

async fn lived(world: World) -> Result<Lived, Box<dyn Error>> {
    let keys = Arc::new(world.keys().await?);
    let sealer = Envelope::new(keys.clone());
    let admin = world.admin();
    let (tenant, other) = (world.tenant()?, world.tenant()?);
    let subject = world.uuid()?;
    for tenant in [tenant, other] {
        keys.create_tenant(tenant).await?;
    }
    let full = keys.changes(0).await?;
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    let sealed = sealer.seal(&place, b"purged").await?;
    let keep = body(Owner::Tenant(other), Purpose::Data)?;
    let kept = sealer.seal(&keep, b"kept").await?;
    let person = body(Owner::Subject(other, subject), Purpose::Subject)?;
    sealer.seal(&person, b"person").await?;
    let vault = world.vault()?;
    let day = start() + DAY * 10;
    keys.vault_root(other, vault, &epoch("a")?, day).await?;
    let increment = keys.changes(full.revision).await?;

    // after the copy: an erasure, a purge, an epoch's end, and a KEK that came and went
    let order = world.order(other, subject)?;
    keys.destroy_subject(&order).await?;
    let week = PendingWindow::SHORTEST;
    for version in keys.list().await? {
        if version.owner == Owner::Tenant(tenant) {
            keys.schedule_destruction(&admin, version.id, week).await?;
        }
    }
    keys.vault_root(other, world.vault()?, &epoch("late")?, start() + DAY * 9)
        .await?;
    world.clock.advance_to(day);
    keys.destroy_due(day).await?;
    let destroyed = keys.destroyed_since(start()).await?;
    let keks = destroyed.iter().filter_map(|key| match key.what {
        KeyKind::Kek(_) => Some(key.key),
        KeyKind::Root(..) => None,
    });
    let dead_keks: Vec<_> = keks.collect();
    assert_eq!(
        dead_keks.len(),
        2,
        "an epoch of the copy, and a younger one"
    );
    let gone = destroyed.into_iter().map(|key| Gone {
        key: key.key,
        at: key.destroyed_at,
    });
    Ok(Lived {
        since: Replay {
            destroyed: gone.collect(),
            orders: vec![order.clone()],
        },
        copies: vec![full, increment],
        order,
        purged: (tenant, place, sealed),
        kept: (keep, kept),
        dead_vault: (other, vault),
        dead_keks,
        world,
    })
}

/// The world with its store put back; KEKs that died in between are dead in the backend.
async fn put_back(lived: &mut Lived) -> TestResult {
    let store = lived.world.fresh_store().await?;
    store.restore(&lived.copies).await?;
    lived.world.store = store;
    Ok(())
}

#[tokio::test]
async fn in_memory() -> TestResult {
    replayed(World::in_memory()).await
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn on_sqlite_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    replayed(World::on_files(dir.path()).await?).await
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[tokio::test]
async fn on_postgres_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    match World::on_postgres("key_replay", dir.path()).await? {
        Some(world) => replayed(world).await,
        None => Ok(()),
    }
}

async fn replayed(world: World) -> TestResult {
    let mut lived = lived(world).await?;
    put_back(&mut lived).await?;
    let world = &lived.world;
    let keys = Arc::new(world.keys().await?);
    let other = world.keys().await?;
    let sealer = Envelope::new(keys.clone());
    let admin = world.admin();
    let (tenant, place, sealed) = &lived.purged;
    check_shut(&keys, world, *tenant).await?;
    assert!(sealer.open(place, sealed).await.is_err(), "shut");

    let done = keys.replay(&admin, &lived.since).await?;
    assert!(!done.again.is_empty());
    check_open(&lived, &keys).await?;
    let told = keys.events(u32::MAX).await?;
    let rolled = told.iter().filter(|e| e.action == Action::KeyRolledBack);
    let rolled: Vec<_> = rolled.filter_map(|event| event.key).collect();
    for key in &done.again {
        assert!(rolled.contains(key), "{key} is not on record");
    }
    // another process finds the store open by itself
    let (keep, _) = &lived.kept;
    other.unlock(keep.owner(), Purpose::Data).await?;
    assert_eq!(keys.replay(&admin, &lived.since).await?.again, []);
    Ok(())
}

async fn check_shut(keys: &Keys, world: &World, tenant: TenantId) -> TestResult {
    let admin = world.admin();
    let owner = Owner::Tenant(tenant);
    let context = WrapContext {
        owner,
        purpose: Purpose::Data,
        version: world.key_ids()?[0],
    };
    let id = context.version;
    let week = PendingWindow::SHORTEST;
    let day = start() + DAY * 90;
    let order = world.order(tenant, world.uuid()?)?;
    let refused = [
        keys.unlock(owner, Purpose::Data).await.err(),
        keys.create_tenant(world.tenant()?).await.err(),
        keys.plan_tenant(tenant, day).await.err(),
        keys.vault_root(tenant, world.vault()?, &epoch("new")?, day)
            .await
            .err(),
        keys.destroy_due(day).await.err(),
        keys.rotate_due(day).await.err(),
        keys.destroy_subject(&order).await.err(),
        keys.changes(0).await.err(),
        keys.generate(&crypto_envelope::GroupName::Standard, &context)
            .await
            .err(),
        keys.disable(&admin, id).await.err(),
        keys.schedule_destruction(&admin, id, week).await.err(),
        keys.rotate(&admin, id).await.err(),
    ];
    for (at, error) in refused.iter().enumerate() {
        assert!(
            matches!(error, Some(KeyError::NotReplayed)),
            "{at}: {error:?}"
        );
    }
    assert_eq!(world.store.standing().await?.gate, Gate::Shut);
    // what there is may be looked at
    assert_eq!(KeyAdmin::list(keys, &admin).await?.keks.len(), 3);
    Ok(())
}

async fn check_open(lived: &Lived, keys: &Arc<Keys>) -> TestResult {
    let world = &lived.world;
    let sealer = Envelope::new(keys.clone());
    let (_, place, sealed) = &lived.purged;
    let opened = sealer.open(place, sealed).await;
    assert!(
        matches!(opened, Err(OpenError::Key("destroyed"))),
        "{opened:?}"
    );
    let (keep, kept) = &lived.kept;
    assert_eq!(sealer.open(keep, kept).await?.expose(), b"kept");
    let (tenant, vault) = lived.dead_vault;
    assert!(keys.unlock_vault(tenant, vault).await.is_err());
    for kek in &lived.dead_keks {
        assert_eq!(world.backend.probe(*kek).await?, Presence::Absent);
    }
    for purpose in [Purpose::Subject, Purpose::Sensitive] {
        let owner = Owner::Subject(lived.order.tenant, lived.order.subject);
        let again = sealer.seal(&body(owner, purpose)?, b"again").await;
        assert!(matches!(again, Err(SealError::Key("destroyed"))));
    }
    let survivors = keys.surviving_roots().await?;
    for gone in &lived.since.destroyed {
        assert!(survivors.iter().all(|root| root.version != gone.key));
    }
    Ok(())
}

#[tokio::test]
async fn a_replay_that_fails_leaves_the_store_shut_and_goes_on() -> TestResult {
    let mut failed = 0;
    for point in 0..POINTS {
        let mut lived = lived(World::in_memory()).await?;
        // the backend is that of the lost machine's escrow: it has the dead epochs' KEKs again
        for kek in &lived.dead_keks {
            lived.world.backend.create(*kek).await?;
        }
        put_back(&mut lived).await?;
        let world = &lived.world;
        let faults = Faults::none();
        let store = Arc::new(FaultyStore::new(world.store.clone(), faults.clone()));
        let backend = Arc::new(FaultyBackend::new(world.backend.clone(), faults.clone()));
        let keys = Arc::new(world.keys_over(store, backend).await?);
        faults.fail_at(point);
        let first = keys.replay(&world.admin(), &lived.since).await;
        faults.heal();
        failed += u64::from(first.is_err());
        let next = Arc::new(world.keys().await?);
        next.replay(&world.admin(), &lived.since).await?;
        check_open(&lived, &next).await?;
        for kek in &lived.dead_keks {
            let there = world.backend.probe(*kek).await?;
            assert_eq!(there, Presence::Absent, "point {point}");
        }
        if first.is_ok() {
            assert!(failed > 20, "only {failed} points failed");
            return Ok(());
        }
    }
    Err("the replay has more points than are tried".into())
}

#[tokio::test]
async fn a_store_behind_a_known_revision_is_shut() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    let revision = world.store.standing().await?.revision;
    let mut options = KeysOptions::default();
    options.known_revision = revision;
    let level = world.keys_with(options.clone()).await?;
    assert!(
        level
            .unlock(Owner::Tenant(tenant), Purpose::Data)
            .await
            .is_ok()
    );
    options.known_revision = revision + 1;
    let behind = world.keys_with(options).await?;
    let shut = behind.unlock(Owner::Tenant(tenant), Purpose::Data).await;
    assert!(matches!(shut, Err(KeyError::NotReplayed)));
    behind.replay(&world.admin(), &Replay::default()).await?;
    assert!(
        behind
            .unlock(Owner::Tenant(tenant), Purpose::Data)
            .await
            .is_ok()
    );
    Ok(())
}
