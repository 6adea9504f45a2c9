//! A deployment small enough for a test: registry, guard and file store in one folder, under a
//! clock that stands still and randomness that repeats.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use covenant_core::testing::{MemorySink, SeededRandom};
use covenant_core::{Clock, EventSink, ManualClock, Random, RegionSet, Secret, TenantId, UserId};
use sql_store::{Args, Db, Durability, Migrations, OUTBOX, SqliteOptions, SqliteProfile, due::DUE};
use time::UtcDateTime;
use uuid::Uuid;

use super::SuiteError;
use crate::level::Rows;
use crate::{
    AccessAction, AccessRequest, Attached, Caller, Guard, IdentityKey, MemoryRegistry, REGISTRY,
    Registry, RegistryChange, Rules, Scope, ServiceKind, SqlRegistry, SqliteFileOptions,
    SqliteFileStore, StandardRules, StoreIdentity, StoreModel, TenantStore,
};

/// A table of an application, for tests: notes by number.
pub const NOTES: Migrations = Migrations {
    crate_name: "notes",
    steps: &[(
        "0001_note",
        "CREATE TABLE note (id BIGINT NOT NULL PRIMARY KEY, body TEXT NOT NULL)",
    )],
};

const SEED: u64 = 7;

/// Where the registry of a [`Deployment`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backing {
    /// In memory.
    Memory,
    /// In `control.db` of the folder.
    Sql,
}

/// Registry, guard and store, with all that they were made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct Deployment {
    /// The folder.
    pub folder: PathBuf,
    /// The clock of all parts.
    pub clock: Arc<ManualClock>,
    /// The randomness of all parts.
    pub random: Arc<dyn Random>,
    /// Where events go.
    pub sink: Arc<MemorySink>,
    /// The facts.
    pub registry: Arc<dyn Registry>,
    /// The way in.
    pub guard: Guard,
    /// The stores.
    pub store: SqliteFileStore,
    /// The regions it serves.
    pub regions: RegionSet,
}

impl Deployment {
    /// A deployment in an empty folder, serving the regions `us-chicago` and `eu-west`.
    ///
    /// # Errors
    /// As its parts.
    pub async fn create(folder: &Path, backing: Backing) -> Result<Self, SuiteError> {
        std::fs::create_dir_all(folder.join("tenants"))?;
        let clock = clock()?;
        let registry: Arc<dyn Registry> = match backing {
            Backing::Memory => Arc::new(MemoryRegistry::new()),
            Backing::Sql => {
                let db = Db::create_sqlite(control(folder), Arc::clone(&clock) as _).await?;
                for migrations in [&OUTBOX, &DUE, &REGISTRY] {
                    db.migrate(migrations).await?;
                }
                Arc::new(SqlRegistry::new(db, regions()?))
            }
        };
        Self::over(folder, clock, registry, SEED)
    }

    /// A deployment in an empty folder over a registry of the caller's.
    ///
    /// # Errors
    /// As its parts.
    pub fn with_registry(
        folder: &Path,
        registry: impl Registry + 'static,
    ) -> Result<Self, SuiteError> {
        std::fs::create_dir_all(folder.join("tenants"))?;
        Self::over(folder, clock()?, Arc::new(registry), SEED)
    }

    /// The clock's wall time.
    #[must_use]
    pub fn clock_now(&self) -> UtcDateTime {
        self.clock.now()
    }

    /// The same deployment as another process sees it: the same files and clock, nothing else in
    /// common. The registry must be [`Backing::Sql`].
    ///
    /// # Errors
    /// As its parts.
    pub async fn other_process(&self) -> Result<Self, SuiteError> {
        let clock = Arc::clone(&self.clock);
        let db = Db::open_sqlite(control(&self.folder), Arc::clone(&clock) as _).await?;
        let registry = Arc::new(SqlRegistry::new(db, regions()?));
        Self::over(&self.folder, clock, registry, SEED.wrapping_add(1))
    }

    fn over(
        folder: &Path,
        clock: Arc<ManualClock>,
        registry: Arc<dyn Registry>,
        seed: u64,
    ) -> Result<Self, SuiteError> {
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
        let sink = Arc::new(MemorySink::new());
        let regions = regions()?;
        let guard = Guard::new(
            Arc::new(StandardRules::new(regions.clone())) as Arc<dyn Rules>,
            Arc::clone(&registry),
            Arc::clone(&sink) as Arc<dyn EventSink>,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::clone(&random),
        );
        let store = SqliteFileStore::open(
            folder.join("tenants"),
            regions.clone(),
            Self::identity_key(),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Self::store_options(),
        )?;
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            clock,
            random,
            sink,
            registry,
            guard,
            store,
            regions,
        })
    }

    /// The key of its stores' identities.
    #[must_use]
    pub fn identity_key() -> IdentityKey {
        IdentityKey::new(&Secret::new([1; 32]))
    }

    /// The settings of its store: nothing is flushed to the disk.
    #[must_use]
    pub fn store_options() -> SqliteFileOptions {
        SqliteFileOptions {
            durability: Durability::Off,
            ..SqliteFileOptions::default()
        }
    }

    /// Tenant number `n`.
    #[must_use]
    pub const fn tenant(n: u8) -> TenantId {
        TenantId::from_bytes([n; 16])
    }

    /// The first admin of tenant number `n`.
    #[must_use]
    pub fn admin(n: u8) -> Caller {
        Caller::member(Self::tenant(n), Self::user(n), Self::address())
    }

    /// The user id of [`Deployment::admin`].
    #[must_use]
    pub fn user(n: u8) -> UserId {
        UserId::from_uuid(Uuid::from_u128(0x1000 + u128::from(n)))
    }

    /// Where persons come from.
    #[must_use]
    pub const fn address() -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))
    }

    /// Creates tenant number `n` in this region with its admin, and provisions its store.
    ///
    /// # Errors
    /// As guard and store.
    pub async fn create_tenant(&self, n: u8, region: &str) -> Result<StoreIdentity, SuiteError> {
        let region = self.regions.region(region)?;
        let change = RegistryChange::Create {
            region,
            admin: Self::user(n),
        };
        let billing = Caller::service(ServiceKind::Billing);
        let tenant = Self::tenant(n);
        let changed = self
            .guard
            .act(billing, tenant, change, Attached::default())
            .await?;
        let identity = StoreIdentity::expected(tenant, &changed.record, StoreModel::SqliteFile);
        self.store.provision(&identity, &[OUTBOX, NOTES]).await?;
        Ok(identity)
    }

    /// The identity that the registry expects of the store of tenant number `n`.
    ///
    /// # Errors
    /// As the registry; an unknown tenant is one too.
    pub async fn identity(&self, n: u8) -> Result<StoreIdentity, SuiteError> {
        let facts = self.registry.snapshot(Self::tenant(n), None).await?;
        let record = facts.record.ok_or("there is no such tenant")?;
        Ok(StoreIdentity::expected(
            Self::tenant(n),
            &record,
            StoreModel::SqliteFile,
        ))
    }

    /// The database file of a store.
    #[must_use]
    pub fn file(&self, identity: &StoreIdentity) -> PathBuf {
        let region = self.folder.join("tenants").join(identity.region().as_str());
        region.join(identity.tenant().simple()).join("main.db")
    }

    /// The request of the admin of tenant number `n` in its own tenant.
    #[must_use]
    pub fn request(n: u8, action: AccessAction) -> AccessRequest {
        AccessRequest::new(Self::admin(n), Self::tenant(n), action)
    }

    /// The request of a service in tenant number `n`.
    #[must_use]
    pub fn service(kind: ServiceKind, n: u8, action: AccessAction) -> AccessRequest {
        AccessRequest::new(Caller::service(kind), Self::tenant(n), action)
    }

    /// Lets the admin of tenant number `n` do this to the registry.
    ///
    /// # Errors
    /// As the guard.
    pub async fn act(&self, n: u8, change: RegistryChange) -> Result<(), SuiteError> {
        let acted = self
            .guard
            .act(Self::admin(n), Self::tenant(n), change, Attached::default());
        Ok(acted.await.map(drop)?)
    }

    /// Writes a note in a transaction of its own.
    ///
    /// # Errors
    /// As scope and store.
    pub async fn put<L: Rows>(
        &self,
        scope: &Scope<L>,
        id: i64,
        body: &str,
    ) -> Result<(), SuiteError> {
        let mut tx = scope.begin(&self.store).await?;
        let sql = "INSERT INTO note (id, body) VALUES ($1, $2) \
                   ON CONFLICT (id) DO UPDATE SET body = excluded.body";
        tx.tx()
            .await?
            .execute(sql, Args::new().bind(id).bind(body))
            .await?;
        Ok(tx.commit().await?)
    }

    /// Reads all notes in a transaction of its own.
    ///
    /// # Errors
    /// As scope and store.
    pub async fn notes<L: Rows>(&self, scope: &Scope<L>) -> Result<Vec<(i64, String)>, SuiteError> {
        let mut tx = scope.begin(&self.store).await?;
        let rows = tx
            .tx()
            .await?
            .rows("SELECT id, body FROM note ORDER BY id", Args::new())
            .await?;
        tx.commit().await?;
        rows.iter()
            .map(|row| Ok((row.int("id")?, row.text("body")?.to_owned())))
            .collect()
    }
}

fn clock() -> Result<Arc<ManualClock>, SuiteError> {
    Ok(Arc::new(ManualClock::at(UtcDateTime::from_unix_timestamp(
        1_790_000_000,
    )?)))
}

fn regions() -> Result<RegionSet, SuiteError> {
    Ok(RegionSet::new(["us-chicago", "eu-west"])?)
}

fn control(folder: &Path) -> SqliteOptions {
    SqliteOptions::new(folder.join("control.db"), SqliteProfile::Control)
        .durability(Durability::Off)
}
