//! Every key store, every backend and the sealer run the public suites.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use common::{TestResult, World, body};
use covenant_core::sealer::Purpose;
use covenant_core::testing::{sealer_destroy_suite, sealer_suite};
use covenant_core::{BoxFuture, ManualClock, Owner, Random};
use crypto_envelope::Envelope;
use crypto_envelope::backend::KekBackend;
use crypto_envelope::store::KeyStore;
use crypto_envelope::testing::{Ground, SuiteError, random_suite, suite};

#[tokio::test]
async fn in_memory() -> TestResult {
    suites(World::in_memory()).await
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn on_sqlite_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    suites(World::on_files(dir.path()).await?).await
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[tokio::test]
async fn on_postgres_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    let Some(world) = World::on_postgres("key_suites", dir.path()).await? else {
        return Ok(());
    };
    suites(world).await
}

/// More steps than the suite takes on a server.
#[tokio::test]
async fn random_administration_in_memory() -> TestResult {
    let ground = Worlds::new(World::in_memory()).await?;
    random_suite(&ground, 3_000).await?;
    Ok(())
}

async fn suites(world: World) -> TestResult {
    let ground = Worlds::new(world).await?;
    suite(&ground, "P-56".parse()?).await?;

    // the suite leaves a KEK that no backend has: a store that lost its keys is refused
    assert!(ground.world.keys().await.is_err());
    Ok(())
}

struct Worlds {
    world: World,
    stores: Mutex<Vec<Arc<dyn KeyStore>>>,
}

impl Worlds {
    /// With a store for each part of the suite.
    async fn new(world: World) -> Result<Self, Box<dyn Error>> {
        let mut stores = vec![world.store.clone()];
        for _ in 0..3 {
            stores.push(world.fresh_store().await?);
        }
        Ok(Self {
            stores: Mutex::new(stores),
            world,
        })
    }
}

impl Ground for Worlds {
    fn store(&self) -> BoxFuture<'_, Result<Arc<dyn KeyStore>, SuiteError>> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let first = stores.remove(0);
        Box::pin(async { Ok(first) })
    }

    fn backend(&self) -> Arc<dyn KekBackend> {
        self.world.backend.clone()
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.world.clock.clone()
    }

    fn random(&self) -> Arc<dyn Random> {
        self.world.random.clone()
    }
}

#[tokio::test]
async fn the_sealer_in_memory() -> TestResult {
    sealer(World::in_memory()).await
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn the_sealer_on_sqlite_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    sealer(World::on_files(dir.path()).await?).await
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[tokio::test]
async fn the_sealer_on_postgres_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    let Some(world) = World::on_postgres("key_sealer", dir.path()).await? else {
        return Ok(());
    };
    sealer(world).await
}

async fn sealer(world: World) -> TestResult {
    let keys = Arc::new(world.keys().await?);
    let (tenant, other) = (world.tenant()?, world.tenant()?);
    keys.create_tenant(tenant).await?;
    keys.create_tenant(other).await?;
    let envelope = Envelope::new(keys);
    sealer_suite(&envelope, tenant, other).await?;
    let subject = world.uuid()?;
    let place = body(Owner::Subject(tenant, subject), Purpose::Subject)?;
    sealer_destroy_suite(&envelope, &world.order(tenant, subject)?, &place).await?;
    Ok(())
}
