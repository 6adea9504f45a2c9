//! Many tasks on one cold root cost one unwrap, a cancelled one a second; a lease ends on
//! monotonic time or after so many uses, and is never extended; what another process destroyed stops within it.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{TestResult, World, body, epoch, start};
use covenant_core::sealer::{OpenError, Purpose};
use covenant_core::{Action, KeyId, ManualClock, Owner, Sealer, Secret};
use crypto_envelope::backend::{BackendFuture, KekBackend, Presence};
use crypto_envelope::wrapped::WrappedKey;
use crypto_envelope::{CACHE_TTL_SECS, Envelope, KeyError, Keys, KeysOptions, VaultKeys};
use tokio::sync::Semaphore;

const TTL: std::time::Duration = std::time::Duration::from_secs(CACHE_TTL_SECS);

/// More than any test here could use up, so that a broken cache fails and does not hang.
const PERMITS: usize = 100_000;

/// Counts unwraps, and lets as many through as it has permits.
#[derive(Debug)]
struct Gate {
    inner: Arc<dyn KekBackend>,
    unwraps: AtomicU64,
    permits: Semaphore,
}

impl Gate {
    fn over(world: &World) -> Arc<Self> {
        let (inner, permits) = (world.backend.clone(), Semaphore::new(PERMITS));
        Arc::new(Self {
            inner,
            unwraps: AtomicU64::new(0),
            permits,
        })
    }

    fn unwraps(&self) -> u64 {
        self.unwraps.swap(0, Ordering::SeqCst)
    }
}

impl KekBackend for Gate {
    fn create(&self, id: KeyId) -> BackendFuture<'_, ()> {
        self.inner.create(id)
    }
    fn wrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        root: &'a Secret<[u8; 32]>,
    ) -> BackendFuture<'a, WrappedKey> {
        self.inner.wrap_root(id, context, root)
    }
    fn unwrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        wrapped: &'a WrappedKey,
    ) -> BackendFuture<'a, Secret<[u8; 32]>> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            if let Ok(permit) = self.permits.acquire().await {
                permit.forget();
            }
            self.inner.unwrap_root(id, context, wrapped).await
        })
    }
    fn destroy(&self, id: KeyId) -> BackendFuture<'_, ()> {
        self.inner.destroy(id)
    }
    fn probe(&self, id: KeyId) -> BackendFuture<'_, Presence> {
        self.inner.probe(id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_thousand_tasks_cost_one_unwrap() -> TestResult {
    let world = World::in_memory();
    let gate = Gate::over(&world);
    let keys = Arc::new(world.keys_over(world.store.clone(), gate.clone()).await?);
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    gate.unwraps();
    let mut tasks = Vec::new();
    for _ in 0..3000 {
        let keys = keys.clone();
        tasks.push(tokio::spawn(async move {
            keys.unlock(Owner::Tenant(tenant), Purpose::Data)
                .await
                .map(|root| root.version())
        }));
    }
    let mut versions = Vec::new();
    for task in tasks {
        versions.push(task.await??);
    }
    versions.dedup();
    assert_eq!((versions.len(), gate.unwraps()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_cancelled_leader_costs_one_more() -> TestResult {
    let world = World::in_memory();
    let gate = Gate::over(&world);
    let keys = Arc::new(world.keys_over(world.store.clone(), gate.clone()).await?);
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    gate.unwraps();
    gate.permits.forget_permits(PERMITS);
    let unlock = || {
        let keys = keys.clone();
        tokio::spawn(async move { keys.unlock(Owner::Tenant(tenant), Purpose::Data).await })
    };
    let leader = unlock();
    while gate.unwraps.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let waiter = unlock();
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        gate.unwraps.load(Ordering::SeqCst),
        1,
        "the second task waits"
    );
    leader.abort();
    assert!(leader.await.is_err());
    gate.permits.add_permits(1);
    waiter.await??;
    assert_eq!(gate.unwraps(), 2);
    Ok(())
}

#[tokio::test]
async fn a_lease_ends_and_is_never_extended() -> TestResult {
    let world = World::in_memory();
    let gate = Gate::over(&world);
    let keys = world.keys_over(world.store.clone(), gate.clone()).await?;
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    gate.unwraps();
    let (owner, place) = (
        Owner::Tenant(tenant),
        body(Owner::Tenant(tenant), Purpose::Data)?,
    );
    let held = keys.unlock(owner, Purpose::Data).await?;
    let sealed = held.seal(&place, b"text")?;
    world
        .clock
        .advance(TTL - std::time::Duration::from_nanos(1));
    assert!(held.open(&place, &sealed).is_ok());
    keys.unlock(owner, Purpose::Data).await?;
    assert_eq!(gate.unwraps(), 1, "still the first unwrap");
    world.clock.advance(std::time::Duration::from_nanos(1));
    assert!(matches!(
        held.open(&place, &sealed),
        Err(KeyError::LeaseOver(_))
    ));
    assert!(matches!(
        held.seal(&place, b"text"),
        Err(KeyError::LeaseOver(_))
    ));
    assert!(matches!(held.derive(b"x"), Err(KeyError::LeaseOver(_))));
    let again = keys.unlock(owner, Purpose::Data).await?;
    assert_eq!(again.open(&place, &sealed)?.expose(), b"text");
    assert_eq!(gate.unwraps(), 1, "one more");
    Ok(())
}

#[tokio::test]
async fn the_wall_clock_does_not_move_a_lease() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    let held = keys.unlock(Owner::Tenant(tenant), Purpose::Data).await?;
    let clock: &ManualClock = &world.clock;
    clock.step(start() - time::Duration::days(400));
    assert!(held.derive(b"x").is_ok());
    clock.advance(TTL);
    assert!(matches!(held.derive(b"x"), Err(KeyError::LeaseOver(_))));
    Ok(())
}

#[tokio::test]
async fn what_another_process_destroyed_stops_within_the_lease() -> TestResult {
    let world = World::in_memory();
    let (a, b) = (world.keys().await?, Arc::new(world.keys().await?));
    let (tenant, day) = (world.tenant()?, start() + time::Duration::days(10));
    a.create_tenant(tenant).await?;
    a.plan_tenant(tenant, day).await?;
    let (place, vault) = (body(Owner::Tenant(tenant), Purpose::Data)?, world.vault()?);
    a.vault_root(tenant, vault, &epoch("a")?, day).await?;
    let sealer = Envelope::new(b.clone());
    world.clock.advance_to(day - time::Duration::SECOND);
    let sealed = sealer.seal(&place, b"text").await?;
    // process B's wall clock lags behind: only monotonic time passes for it
    a.destroy_due(day).await?;
    assert!(
        sealer.open(&place, &sealed).await.is_ok(),
        "the lease still runs"
    );
    let held = b.unlock_vault(tenant, vault).await;
    assert!(
        matches!(held, Err(KeyError::State("destroyed"))),
        "a new unwrap reads the store"
    );
    world.clock.advance(TTL);
    world.clock.step(day - time::Duration::SECOND);
    let opened = sealer.open(&place, &sealed).await;
    assert!(matches!(opened, Err(OpenError::Key("destroyed"))));
    Ok(())
}

#[tokio::test]
async fn another_owners_value_costs_no_unwrap() -> TestResult {
    let world = World::in_memory();
    let warm = Envelope::new(Arc::new(world.keys().await?));
    let (tenant, other) = (world.tenant()?, world.tenant()?);
    for tenant in [tenant, other] {
        warm.keys().create_tenant(tenant).await?;
    }
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    let elsewhere = body(Owner::Tenant(other), Purpose::Data)?;
    let sealed = warm.seal(&place, b"text").await?;
    let gate = Gate::over(&world);
    let cold = world.keys_over(world.store.clone(), gate.clone()).await?;
    let cold = Envelope::new(Arc::new(cold));
    gate.unwraps();
    let opened = cold.open(&elsewhere, &sealed).await;
    assert!(matches!(opened, Err(OpenError::NotAuthentic)));
    assert_eq!(gate.unwraps(), 0);
    assert_eq!(cold.open(&place, &sealed).await?.expose(), b"text");
    assert_eq!(gate.unwraps(), 1);
    Ok(())
}

#[tokio::test]
async fn a_root_is_unwrapped_again_after_so_many_uses() -> TestResult {
    let world = World::in_memory();
    let gate = Gate::over(&world);
    let mut options = KeysOptions::default();
    options.cache_uses = 5;
    let (clock, random) = (world.clock.clone(), world.random.clone());
    let keys = Keys::open(world.store.clone(), gate.clone(), clock, random, options).await?;
    let sealer = Envelope::new(Arc::new(keys));
    let tenant = world.tenant()?;
    sealer.keys().create_tenant(tenant).await?;
    let owner = Owner::Tenant(tenant);
    let place = body(owner, Purpose::Data)?;
    gate.unwraps();
    let unwrapped = async || -> Result<usize, Box<dyn std::error::Error>> {
        let events = world.store.events(1000).await?;
        let of = events
            .iter()
            .filter(|event| event.action == Action::KeyUnwrapped);
        Ok(of.count())
    };
    let before = unwrapped().await?;
    let mut sealed = Vec::new();
    for _ in 0..6 {
        sealed.push(sealer.seal(&place, b"content").await?);
    }
    for sealed in &sealed {
        assert_eq!(sealer.open(&place, sealed).await?.expose(), b"content");
    }
    // twelve uses, five to an unwrap, each unwrap on record
    assert_eq!(gate.unwraps(), 3);
    assert_eq!(unwrapped().await? - before, 3);
    // a root in hand is over after its fifth use, whoever used it
    let held = sealer.unlock(owner, Purpose::Data).await?;
    let mut left = 0;
    while held.open(&place, &sealed[0]).is_ok() {
        left += 1;
    }
    assert_eq!(left, 3);
    let over = held.seal(&place, b"content");
    assert!(matches!(over, Err(KeyError::LeaseOver(_))), "{over:?}");
    let again = sealer.unlock(owner, Purpose::Data).await?;
    assert!(again.seal(&place, b"content").is_ok());
    Ok(())
}
