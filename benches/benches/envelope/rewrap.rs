//! A rotation of 100,000 roots: keys in files, records in SQLite, everything synced.

use std::sync::Arc;

use benches::{Bar, Measure, timed};
use covenant_core::event::ActorContext;
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, Random as _, Secret, SystemClock, SystemRandom, TenantId};
use crypto_envelope::backend::{FileBackend, KekBackend};
use crypto_envelope::record::RootRecord;
use crypto_envelope::store::{Gate, KeyStore, MemoryStore, SqlStore};
use crypto_envelope::wrapped::wrap_context;
use crypto_envelope::{AdminCall, KeyAdmin as _, Keys, KeysOptions, Role};
use sql_store::{Db, SqliteOptions, SqliteProfile};
use uuid::Uuid;

use super::Outcome;

const ROOTS: u32 = 100_000;

pub(super) fn run() -> Outcome {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let random = Arc::new(SystemRandom::new());
    let backend = Arc::new(FileBackend::create(
        &dir.path().join("keys"),
        random.clone(),
    )?);
    let clock = Arc::new(SystemClock::new());
    let (store, kek) = runtime.block_on(async {
        let options = SqliteOptions::new(dir.path().join("keys.db"), SqliteProfile::Control);
        let db = Db::create_sqlite(options, clock.clone()).await?;
        let store: Arc<dyn KeyStore> = Arc::new(SqlStore::open(db).await?);
        let kek = filled(&*store, &backend, &clock, &random).await?;
        Ok::<_, Box<dyn std::error::Error>>((store, kek))
    })?;
    let (rotated, took) = timed(|| {
        runtime.block_on(async {
            let options = KeysOptions::default();
            let keys = Keys::open(store, backend, clock, random, options).await?;
            let call = AdminCall {
                actor: ActorContext::service("bench"),
                role: Role::SysAdmin,
                reason: Uuid::from_u128(1),
            };
            keys.rotate(&call, kek).await
        })
    });
    let rotated = rotated?;
    if rotated.rewrapped < u64::from(ROOTS) || rotated.left != 0 {
        return Err("not every root was moved".into());
    }
    Measure {
        id: "crypto-envelope/rewrap-100000",
        value: f64::from(ROOTS) / took.as_secs_f64(),
        unit: "roots a second, file and SQLite, the whole rotation",
        peer: "limit: 10,000 a second; each transaction synced to the disk",
        bar: Bar::AtLeast(10_000.0),
    }
    .print()?;
    Ok(())
}

/// Fills an empty store with the roots of so many tenants, all under one KEK: as a copy, since
/// making each tenant would take its own sync of the disk.
async fn filled(
    store: &dyn KeyStore,
    backend: &Arc<FileBackend>,
    clock: &Arc<SystemClock>,
    random: &Arc<SystemRandom>,
) -> Result<KeyId, Box<dyn std::error::Error>> {
    let first = Arc::new(MemoryStore::new());
    let options = KeysOptions::default();
    let keys = Keys::open(
        first.clone(),
        backend.clone(),
        clock.clone(),
        random.clone(),
        options,
    )
    .await?;
    let tenant = TenantId::derive(&Uuid::NAMESPACE_DNS, "first");
    keys.create_tenant(tenant).await?;
    let mut copy = first.changes(0).await?;
    let pattern = |root: &&RootRecord| root.purpose == Purpose::Data;
    let pattern = copy.roots.iter().find(pattern).cloned();
    let pattern = pattern.ok_or("a tenant without a root")?;
    let mut secrets = Vec::new();
    let mut records = Vec::new();
    for number in 0..u128::from(ROOTS) {
        let mut secret = Secret::new([0_u8; 32]);
        random.fill(secret.expose_mut())?;
        let tenant = TenantId::from_uuid(Uuid::from_u128(number + 1));
        // scattered, as ids of another order than that of their making are
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let root = RootRecord {
            id: KeyId::from_uuid(Uuid::from_u128(id | 1)),
            owner: Owner::Tenant(tenant),
            ..pattern.clone()
        };
        let context = wrap_context(root.kek, root.owner, root.purpose, root.id);
        secrets.push((context, secret));
        records.push(root);
    }
    let wrapped = backend.wrap_roots(pattern.kek, &secrets).await?;
    let wrapped = records.into_iter().zip(wrapped);
    copy.roots.extend(wrapped.map(|(root, wrapped)| RootRecord {
        wrapped: wrapped.as_bytes().to_vec(),
        ..root
    }));
    store.restore(&[copy]).await?;
    store.set_gate(Gate::Open).await?;
    Ok(pattern.kek)
}
