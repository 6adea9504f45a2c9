//! What the tests share: an instant, seeded randomness, keys over memory or over files.
use std::error::Error;
#[cfg(feature = "sqlite")]
use std::path::{Path, PathBuf};
use std::sync::Arc;

use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::testing::SeededRandom;
use covenant_core::{Clock, KeyId, ManualClock, OrderId, Owner, Place, Random, TenantId, VaultId};
use crypto_envelope::backend::{KekBackend, MemoryBackend};
use crypto_envelope::store::{KeyStore, MemoryStore};
use crypto_envelope::{EpochName, KeyError, Keys, KeysOptions};
use time::UtcDateTime;
use uuid::Uuid;

pub(crate) type TestResult = Result<(), Box<dyn Error>>;

/// The seed of every run; a failure repeats with it.
pub(crate) const SEED: u64 = 20_261_121;

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) random: Arc<SeededRandom>,
    pub(crate) store: Arc<dyn KeyStore>,
    pub(crate) backend: Arc<dyn KekBackend>,
}

impl World {
    pub(crate) fn in_memory() -> Self {
        let random = Arc::new(SeededRandom::new(SEED));
        Self {
            clock: Arc::new(ManualClock::at(start())),
            store: Arc::new(MemoryStore::new()),
            backend: Arc::new(MemoryBackend::new(random.clone())),
            random,
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) async fn on_files(dir: &Path) -> Result<Self, Box<dyn Error>> {
        use crypto_envelope::backend::{FileBackend, Syncing};
        use crypto_envelope::store::SqlStore;
        use sql_store::{Db, Durability, SqliteOptions, SqliteProfile};

        let random = Arc::new(SeededRandom::new(SEED));
        let clock = Arc::new(ManualClock::at(start()));
        let options = SqliteOptions::new(dir.join("keys.db"), SqliteProfile::Control);
        let options = options.durability(Durability::Off);
        let db = Db::create_sqlite(options, clock.clone()).await?;
        let store = SqlStore::open(db).await?.durability(Durability::Off);
        let backend = FileBackend::create(&key_dir(dir), random.clone())?.syncing(Syncing::Off);
        Ok(Self {
            clock,
            random,
            store: Arc::new(store),
            backend: Arc::new(backend),
        })
    }

    /// Keys as a new process would have them.
    pub(crate) async fn keys(&self) -> Result<Keys, KeyError> {
        self.keys_over(self.store.clone(), self.backend.clone())
            .await
    }

    pub(crate) async fn keys_over(
        &self,
        store: Arc<dyn KeyStore>,
        backend: Arc<dyn KekBackend>,
    ) -> Result<Keys, KeyError> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        Keys::open(store, backend, clock, random, KeysOptions::default()).await
    }

    pub(crate) fn uuid(&self) -> Result<Uuid, Box<dyn Error>> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes)?;
        Ok(Uuid::from_bytes(bytes))
    }

    pub(crate) fn tenant(&self) -> Result<TenantId, Box<dyn Error>> {
        self.uuid().map(TenantId::from_uuid)
    }

    pub(crate) fn vault(&self) -> Result<VaultId, Box<dyn Error>> {
        self.uuid().map(VaultId::from_uuid)
    }

    pub(crate) fn key_ids(&self) -> Result<[KeyId; 2], Box<dyn Error>> {
        Ok([
            KeyId::from_uuid(self.uuid()?),
            KeyId::from_uuid(self.uuid()?),
        ])
    }

    pub(crate) fn order(
        &self,
        tenant: TenantId,
        subject: Uuid,
    ) -> Result<DestroyOrder, Box<dyn Error>> {
        let id = OrderId::from_uuid(self.uuid()?);
        let clause = "P-56".parse()?;
        Ok(DestroyOrder {
            id,
            tenant,
            subject,
            at: start(),
            clause,
        })
    }
}

/// 2026-11-21 00:00:00 UTC.
pub(crate) fn start() -> UtcDateTime {
    UtcDateTime::UNIX_EPOCH + time::Duration::days(20_778)
}

pub(crate) fn epoch(name: &str) -> Result<EpochName, Box<dyn Error>> {
    Ok(name.parse()?)
}

#[cfg(feature = "sqlite")]
pub(crate) fn key_dir(dir: &Path) -> PathBuf {
    dir.join("kek")
}

pub(crate) fn body(owner: Owner, purpose: Purpose) -> Result<Place, Box<dyn Error>> {
    Ok(Place::new(owner, purpose, "note", "body", b"row-1")?)
}

/// Uses every helper, so that none is dead in a test file that needs only some.
#[tokio::test]
async fn a_world_begins_with_two_keks() -> TestResult {
    let world = World::in_memory();
    let keys = world
        .keys_over(world.store.clone(), world.backend.clone())
        .await?;
    assert_eq!(world.keys().await?.list_keks().await?.len(), 2);
    assert!(keys.list().await?.is_empty());
    let tenant = world.tenant()?;
    assert_ne!(
        world.order(tenant, world.uuid()?)?.subject,
        world.vault()?.as_uuid()
    );
    assert_ne!(world.key_ids()?[0], world.key_ids()?[1]);
    assert_eq!(epoch("a")?.as_str(), "a");
    assert_eq!(
        body(Owner::Tenant(tenant), Purpose::Data)?.purpose(),
        Purpose::Data
    );
    let (clock, random) = (world.clock.clone(), world.random.clone());
    let again = World {
        clock,
        random,
        store: world.store,
        backend: world.backend,
    };
    assert_eq!((again.random.seed(), again.clock.now()), (SEED, start()));
    #[cfg(feature = "sqlite")]
    {
        let dir = tempfile::tempdir()?;
        World::on_files(dir.path()).await?;
        assert!(key_dir(dir.path()).is_dir());
    }
    Ok(())
}
