//! Every key store, every backend and the sealer run the public suites.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::sync::Arc;

use common::{TestResult, World, body};
use covenant_core::Owner;
use covenant_core::sealer::Purpose;
use covenant_core::testing::{sealer_destroy_suite, sealer_suite};
use crypto_envelope::Envelope;
use crypto_envelope::testing::{backend_suite, restore_suite, store_suite};

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

async fn suites(world: World) -> TestResult {
    store_suite(&*world.store, &*world.random, "P-56".parse()?).await?;
    backend_suite(&*world.backend, world.key_ids()?).await?;

    // the suite leaves a KEK that no backend has: a store that lost its keys is refused
    assert!(world.keys().await.is_err());
    let fresh = world.fresh_store().await?;
    let since = world.store.standing().await?.revision / 2;
    restore_suite(&*world.store, &*fresh, since).await?;
    Ok(())
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
