//! What the tests share: an instant, seeded randomness, keys over memory or over files.
use std::error::Error;
#[cfg(feature = "sqlite")]
use std::path::{Path, PathBuf};
use std::sync::Arc;

use covenant_core::event::{Action, ActorContext};
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::testing::SeededRandom;
use covenant_core::{Clock, KeyId, ManualClock, OrderId, Owner, Place, Random, TenantId, VaultId};
#[cfg(feature = "sqlite")]
use crypto_envelope::backend::{FileBackend, Syncing};
use crypto_envelope::backend::{KekBackend, MemoryBackend};
use crypto_envelope::journal::KeyEvent;
#[cfg(feature = "sqlite")]
use crypto_envelope::store::SqlStore;
use crypto_envelope::store::{KeyStore, MemoryStore};
use crypto_envelope::{AdminCall, EpochName, KeyError, Keys, KeysOptions, Role};
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
    pub(crate) place: Lies,
}

/// Where a world's records lie.
#[derive(Debug, Clone)]
pub(crate) enum Lies {
    Memory,
    #[cfg(feature = "sqlite")]
    Files(PathBuf),
    #[cfg(all(feature = "sqlite", feature = "postgres"))]
    Server(String),
}

impl World {
    pub(crate) fn in_memory() -> Self {
        let random = Arc::new(SeededRandom::new(SEED));
        Self {
            clock: Arc::new(ManualClock::at(start())),
            store: Arc::new(MemoryStore::new()),
            backend: Arc::new(MemoryBackend::new(random.clone())),
            random,
            place: Lies::Memory,
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) async fn on_files(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let random = Arc::new(SeededRandom::new(SEED));
        let clock = Arc::new(ManualClock::at(start()));
        let store = sqlite(&dir.join("keys.db"), clock.clone()).await?;
        let backend = FileBackend::create(&key_dir(dir), random.clone())?;
        Ok(Self {
            store,
            backend: Arc::new(backend.syncing(Syncing::Off)),
            clock,
            random,
            place: Lies::Files(dir.to_owned()),
        })
    }

    /// The same as another process finds it, at another time.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn open_files(
        dir: &Path,
        seed: u64,
        now: UtcDateTime,
    ) -> Result<Self, Box<dyn Error>> {
        use sql_store::{Db, Durability, SqliteOptions, SqliteProfile};

        let random = Arc::new(SeededRandom::new(seed));
        let clock = Arc::new(ManualClock::at(now));
        let options = SqliteOptions::new(dir.join("keys.db"), SqliteProfile::Control);
        let options = options.durability(Durability::Off);
        let db = Db::open_sqlite(options, clock.clone()).await?;
        let store = SqlStore::open(db).await?.durability(Durability::Off);
        let backend = FileBackend::open(&key_dir(dir), random.clone())?;
        Ok(Self {
            store: Arc::new(store),
            backend: Arc::new(backend.syncing(Syncing::Off)),
            clock,
            random,
            place: Lies::Files(dir.to_owned()),
        })
    }

    /// Records in an empty schema of the server, KEKs in files; `None` when there is no server and
    /// none is required.
    #[cfg(all(feature = "sqlite", feature = "postgres"))]
    pub(crate) async fn on_postgres(
        schema: &str,
        dir: &Path,
    ) -> Result<Option<Self>, Box<dyn Error>> {
        let random = Arc::new(SeededRandom::new(SEED));
        let clock = Arc::new(ManualClock::at(start()));
        let Some(store) = postgres(schema, clock.clone()).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            store,
            backend: Arc::new(FileBackend::create(&key_dir(dir), random.clone())?),
            clock,
            random,
            place: Lies::Server(schema.to_owned()),
        }))
    }

    /// An empty store of the same kind.
    pub(crate) async fn fresh_store(&self) -> Result<Arc<dyn KeyStore>, Box<dyn Error>> {
        match &self.place {
            Lies::Memory => Ok(Arc::new(MemoryStore::new())),
            #[cfg(feature = "sqlite")]
            Lies::Files(dir) => {
                let name = format!("keys-{}.db", self.uuid()?.simple());
                sqlite(&dir.join(name), self.clock.clone()).await
            }
            #[cfg(all(feature = "sqlite", feature = "postgres"))]
            Lies::Server(schema) => {
                let name = format!("{schema}_{}", self.uuid()?.as_fields().0);
                let store = postgres(&name, self.clock.clone()).await?;
                store.ok_or_else(|| "the server is gone".into())
            }
        }
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

    /// The same with other settings.
    pub(crate) async fn keys_with(&self, options: KeysOptions) -> Result<Keys, KeyError> {
        let (store, backend) = (self.store.clone(), self.backend.clone());
        let (clock, random) = (self.clock.clone(), self.random.clone());
        Keys::open(store, backend, clock, random, options).await
    }

    /// An administrator's call.
    pub(crate) fn admin(&self) -> AdminCall {
        AdminCall {
            actor: ActorContext::service("test"),
            role: Role::SysAdmin,
            reason: Uuid::from_u128(1),
        }
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

#[cfg(feature = "sqlite")]
async fn sqlite(file: &Path, clock: Arc<ManualClock>) -> Result<Arc<dyn KeyStore>, Box<dyn Error>> {
    use sql_store::{Db, Durability, SqliteOptions, SqliteProfile};

    let options = SqliteOptions::new(file.to_owned(), SqliteProfile::Control);
    let options = options.durability(Durability::Off);
    let db = Db::create_sqlite(options, clock).await?;
    let store = SqlStore::open(db).await?.durability(Durability::Off);
    Ok(Arc::new(store))
}

/// A store in an empty schema of the server that the environment names.
#[cfg(all(feature = "sqlite", feature = "postgres"))]
async fn postgres(
    schema: &str,
    clock: Arc<ManualClock>,
) -> Result<Option<Arc<dyn KeyStore>>, Box<dyn Error>> {
    use sql_store::{Db, PgConnection, PostgresOptions, Transport};

    let Some(url) = covenant_core::testing::provided("COVENANT_TEST_POSTGRES")? else {
        return Ok(None);
    };
    let mut admin = <PgConnection as sqlx::Connection>::connect(&url).await?;
    let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    sqlx::Executor::execute(&mut admin, sqlx::AssertSqlSafe(sql)).await?;
    let options = PostgresOptions::new(&url, schema, Transport::Local)?;
    let random = Arc::new(SeededRandom::new(SEED));
    let db = Db::open_postgres(options, clock, random).await?;
    Ok(Some(Arc::new(SqlStore::open(db).await?)))
}

/// What waits to be told of an action.
pub(crate) async fn told(keys: &Keys, action: Action) -> Result<Vec<KeyEvent>, KeyError> {
    let mut events = keys.events(u32::MAX).await?;
    events.retain(|event| event.action == action);
    Ok(events)
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
    world.keys_with(KeysOptions::default()).await?;
    assert_eq!(world.admin().role, Role::SysAdmin);
    assert!(keys.list().await?.is_empty());
    assert_eq!(told(&keys, Action::KeyCreated).await?.len(), 2);
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
        store: world.fresh_store().await?,
        backend: world.backend,
        place: world.place.clone(),
    };
    assert_eq!((again.random.seed(), again.clock.now()), (SEED, start()));
    #[cfg(feature = "sqlite")]
    {
        let dir = tempfile::tempdir()?;
        World::on_files(dir.path()).await?;
        assert!(key_dir(dir.path()).is_dir());
        World::open_files(dir.path(), SEED + 1, start()).await?;
        #[cfg(feature = "postgres")]
        {
            let dir = tempfile::tempdir()?;
            World::on_postgres("key_world", dir.path()).await?;
        }
    }
    Ok(())
}
