//! A rotation moves more records than fit into one transaction: whatever call of store or backend
//! fails, before or after its effect, the next run moves the rest, every root is the same as before,
//! and none lies under the old KEK. Of many records the one that is damaged is named.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::error::Error;
use std::sync::Arc;

use common::{TestResult, World, start};
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, Secret};
use crypto_envelope::record::RootRecord;
use crypto_envelope::store::{Changes, Gate, KeyStore, MemoryStore};
use crypto_envelope::testing::{Faults, FaultyBackend, FaultyStore};
use crypto_envelope::wrapped::{WrappedKey, wrap_context};
use crypto_envelope::{KeyError, Keys};
use time::Duration;

/// Three transactions of 1,024 records, the last one not full.
const MANY: usize = 2_100;
/// Calls of a rotation of that many, at least: three batches of a read, two unwraps, a wrap and a
/// write.
const CALLS_MIN: u64 = 15;
/// More points than a run has.
const POINTS: u64 = 400;

/// Records of one KEK, and the roots in them.
struct Many {
    world: World,
    copy: Changes,
    roots: Vec<(KeyId, Secret<[u8; 32]>)>,
}

impl Many {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let world = World::in_memory();
        world.keys().await?.create_tenant(world.tenant()?).await?;
        let mut copy = world.store.changes(0).await?;
        let pattern = copy.roots.iter().find(|root| root.purpose == Purpose::Data);
        let pattern = pattern.cloned().ok_or("a tenant without a root")?;
        let mut roots = Vec::new();
        for _ in 0..MANY {
            let mut root = Secret::new([0_u8; 32]);
            root.expose_mut()[..16].copy_from_slice(world.uuid()?.as_bytes());
            let record = RootRecord {
                id: KeyId::from_uuid(world.uuid()?),
                owner: Owner::Tenant(world.tenant()?),
                ..pattern.clone()
            };
            let context = context(&record);
            let wrapped = world.backend.wrap_root(record.kek, &context, &root).await?;
            let wrapped = wrapped.as_bytes().to_vec();
            roots.push((record.id, root));
            copy.roots.push(RootRecord { wrapped, ..record });
        }
        let end = start() + Duration::days(365);
        world.clock.advance_to(end);
        Ok(Self { world, copy, roots })
    }

    /// A store with these records.
    async fn store(&self) -> Result<Arc<MemoryStore>, Box<dyn Error>> {
        let store = MemoryStore::new();
        store.restore(std::slice::from_ref(&self.copy)).await?;
        store.set_gate(Gate::Open).await?;
        Ok(Arc::new(store))
    }

    async fn keys(&self, store: Arc<dyn KeyStore>) -> Result<Keys, KeyError> {
        self.world
            .keys_over(store, self.world.backend.clone())
            .await
    }

    /// Every record is under the newest KEK of its group, and holds the root that it held.
    async fn check(&self, store: &dyn KeyStore) -> TestResult {
        let keks = store.keks().await?;
        for (id, root) in &self.roots {
            let record = store.root(*id).await?.ok_or("a record is lost")?;
            let kek = keks
                .iter()
                .find(|kek| kek.id == record.kek)
                .ok_or("no KEK")?;
            assert_eq!(kek.n, 2);
            let wrapped = WrappedKey::try_from(&record.wrapped[..])?;
            let context = context(&record);
            let back = self.world.backend.unwrap_root(kek.id, &context, &wrapped);
            assert_eq!(back.await?.expose(), root.expose());
        }
        Ok(())
    }
}

fn context(record: &RootRecord) -> Vec<u8> {
    wrap_context(record.kek, record.owner, record.purpose, record.id)
}

#[tokio::test]
async fn whatever_fails_the_next_run_moves_the_rest() -> TestResult {
    let many = Many::new().await?;
    let end = start() + Duration::days(365);
    let (mut points, mut partly) = (0, 0);
    for point in 0..POINTS {
        let (store, faults) = (many.store().await?, Faults::none());
        let faulty = FaultyStore::new(store.clone(), faults.clone());
        let backend = FaultyBackend::new(many.world.backend.clone(), faults.clone());
        let keys = many
            .world
            .keys_over(Arc::new(faulty), Arc::new(backend))
            .await?;
        faults.fail_at(point);
        let through = keys.rotate_due(end).await.is_ok();
        faults.heal();
        let old = many.copy.keks.iter().map(|kek| kek.id);
        let mut left = 0;
        for kek in old {
            left += store.roots_under(kek, None, u32::MAX).await?.len();
        }
        partly += usize::from(left > 0 && left < MANY);
        let next = many.keys(store.clone()).await?;
        next.rotate_due(end).await?;
        many.check(&*store).await?;
        if through {
            points = point;
            break;
        }
    }
    assert!(points >= CALLS_MIN * 2, "only {points} points failed");
    assert!(partly >= 8, "only {partly} runs stopped between batches");
    Ok(())
}

#[tokio::test]
async fn a_damaged_record_among_many_is_named() -> TestResult {
    let mut many = Many::new().await?;
    let at = many.copy.roots.len() - 7;
    let damaged = &mut many.copy.roots[at];
    let id = damaged.id;
    damaged.wrapped[40] ^= 1;
    let keys = many.keys(many.store().await?).await?;
    let end = start() + Duration::days(365);
    let failed = keys.rotate_due(end).await;
    assert!(matches!(failed, Err(KeyError::Damaged(found)) if found == id));
    Ok(())
}
