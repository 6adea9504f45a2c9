//! A KEK wraps 2^30 roots and no more, in every store; a value that is too long is refused before a
//! byte of it is read.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::sync::Arc;

use common::{TestResult, World, body};
use covenant_core::sealer::{Purpose, SealError};
use covenant_core::{KeyId, Owner, Sealer};
use crypto_envelope::sealed::VALUE_LEN_BYTES_MAX;
use crypto_envelope::store::{Counted, Gate};
use crypto_envelope::wrapped::WRAPS_MAX;
use crypto_envelope::{Envelope, GroupName, KeyError, KeyService, WrapContext};

#[tokio::test]
async fn wraps_in_memory() -> TestResult {
    wraps(World::in_memory()).await
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn wraps_on_sqlite_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    wraps(World::on_files(dir.path()).await?).await
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[tokio::test]
async fn wraps_on_postgres_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    let Some(world) = World::on_postgres("key_wraps", dir.path()).await? else {
        return Ok(());
    };
    wraps(world).await
}

async fn wraps(mut world: World) -> TestResult {
    let keys = world.keys().await?;
    let mut copy = keys.changes(0).await?;
    for kek in &mut copy.keks {
        kek.wraps = WRAPS_MAX - 2;
    }
    let store = world.fresh_store().await?;
    store.restore(&[copy]).await?;
    store.set_gate(Gate::Open).await?;
    world.store = store;
    let keys = world.keys().await?;
    let context = WrapContext {
        owner: Owner::Tenant(world.tenant()?),
        purpose: Purpose::Data,
        version: KeyId::from_uuid(world.uuid()?),
    };
    for _ in 0..2 {
        keys.generate(&GroupName::Standard, &context).await?;
    }
    let last = keys.generate(&GroupName::Standard, &context).await;
    let Err(KeyError::Exhausted(kek)) = last else {
        return Err(format!("one more was wrapped: {last:?}").into());
    };
    assert_eq!(world.store.count_wrap(kek).await?, Counted::Exhausted);
    let refused = keys.create_tenant(world.tenant()?).await;
    assert!(matches!(refused, Err(KeyError::Exhausted(by)) if by == kek));
    // the other group has its own count
    keys.generate(&GroupName::Sensitive, &context).await?;
    Ok(())
}

#[tokio::test]
async fn lengths() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    // zero pages that nobody touches
    let long = vec![0; usize::try_from(VALUE_LEN_BYTES_MAX)? + 1];
    let refused = Envelope::new(keys).seal(&place, &long).await;
    assert!(matches!(refused, Err(SealError::TooLarge { max }) if max == VALUE_LEN_BYTES_MAX));
    Ok(())
}
