//! The assembly: one profile, one set of stores, the six crates wired together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit_log::sequencer::Serves;
use audit_log::store::AuditLog as _;
use audit_log::store::sql::{Feed, SealedKeys, SqlLog};
use audit_log::{ServiceHost, Sink, log_of};
use backup_engine::{Backups, Engine, Gate, PromisedSchedule, Schedule};
use covenant_core::sealer::Purpose;
use covenant_core::{
    Clock, EventSink, Id, Owner, Random, RandomError, Region, Sealer, Secret, TenantId,
};
use crypto_envelope::backend::FileBackend;
use crypto_envelope::platform::Site;
use crypto_envelope::recovery::RecoveryKey;
use crypto_envelope::{AdminCall, Envelope, Keys, KeysOptions, Replayed, VaultKeys};
use object_store::ObjectStore;
use retention_policy::apply::Flush;
use retention_policy::{ClassId, Retention, SqliteFlush};
use sql_store::{Db, Durability, SqliteOptions, SqliteProfile};
use tenant_isolation::{
    Finding, Guard, IdentityKey, REGISTRY, Registry, SqlRegistry, SqliteFileOptions,
    SqliteFileStore, StandardRules, TenantStore,
};
use time::UtcDateTime;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use uuid::Uuid;

use crate::aged;
use crate::bucket;
use crate::control::{self, Heads};
use crate::error::{Error, StartError};
use crate::files::{PublicFiles, StoreFiles};
use crate::floors::Floors;
use crate::held::{self, AllStores, Holdings, RuledStore};
use crate::hold::{HeldKeys, HoldTables, SqlHoldTables};
use crate::joints::{WrapEach, Wraps, wrapped};
use crate::keyring::{self, Keyring, OnShut, Opening};
use crate::own_rules::{Narrowing, OnlyNarrower, OwnRules};
use crate::pace::{Pace, Timed};
use crate::pending::Pending;
use crate::profile::{CLASS_RECORD, Profile};
use crate::record::{RecordTables, SqlTables};
use crate::stores::{self, Begin, Layout};
use crate::sweep::Failed;
use crate::trusted_time::TrustedTime;

/// The platform root from which names and identities are derived.
pub(crate) const PLATFORM: Uuid = Uuid::from_u128(0x636f_7665_6e61_6e74_2f70_6c61_7466_6f72);

/// What the store calls a file that was on its way to become a tenant's.
const UNFINISHED: &str = "unfinished";

/// Handles on tenants' outboxes that are open at once, about; ours, as few as stores of tenants.
const FEEDS_MAX: usize = 50;

/// What a deployment is started with.
#[derive(Debug)]
pub struct Settings {
    /// The folder of its stores.
    pub folder: PathBuf,
    /// Its profile.
    pub profile: Profile,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Whether commits wait for the disk; `Off` for virtual-clock runs alone.
    pub durability: Durability,
    /// Name of the service, which checkpoints carry.
    pub host: ServiceHost,
    /// Sites besides the folder, where copies of its keys lie as well: what the loss of the machine
    /// does not touch.
    pub sites: Vec<Site>,
    /// What to wrap.
    pub wraps: Wraps,
}

/// A running deployment. Clones are the same one.
#[derive(Clone)]
pub struct Covenant {
    parts: Arc<Parts>,
}

/// Everything that is wired together.
pub(crate) struct Parts {
    pub(crate) layout: Layout,
    /// Its stores, as the rules know them.
    pub(crate) stores: Vec<RuledStore>,
    pub(crate) profile: Profile,
    pub(crate) region: Region,
    pub(crate) durability: Durability,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) host: ServiceHost,
    pub(crate) keys: Arc<Keys>,
    pub(crate) ring: Keyring,
    pub(crate) sealer: Arc<dyn Sealer>,
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) log: Arc<SqlLog>,
    pub(crate) log_keys: SealedKeys,
    pub(crate) control: Db,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) guard: Guard,
    pub(crate) tenants: Arc<dyn TenantStore>,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) files: Arc<dyn PublicFiles>,
    pub(crate) tables: Arc<dyn RecordTables>,
    pub(crate) retention: Arc<dyn Retention>,
    /// The same before it is wrapped, with the rules that tenants set.
    pub(crate) own_rules: Arc<OwnRules>,
    pub(crate) holds: Arc<dyn HoldTables>,
    /// The class of records, as rules and holds name it.
    pub(crate) class_record: ClassId,
    pub(crate) flush: Arc<dyn Flush>,
    /// Whose turn it is, and how long flushes take.
    pub(crate) pace: Arc<Pace>,
    pub(crate) backups: Arc<dyn Backups>,
    /// Wraps the gate of each restore.
    pub(crate) gate: Option<WrapEach<dyn Gate>>,
    pub(crate) schedule: Arc<dyn Schedule>,
    pub(crate) time: Mutex<TrustedTime>,
    /// Whether the log has been told that the clock is in doubt.
    pub(crate) doubt_told: AtomicBool,
    /// One sweep at a time in this process; others wait.
    pub(crate) sweeping: tokio::sync::Mutex<()>,
    /// When keys that could not be destroyed are tried again.
    pub(crate) keys_retry: Mutex<Option<UtcDateTime>>,
    /// When copies of the key store are to be made or removed; `None` when nothing is known to be.
    pub(crate) copies_due: Mutex<Option<UtcDateTime>>,
    /// How often in a row the purge of a tenant's bin has failed.
    pub(crate) failed_bins: Mutex<BTreeMap<TenantId, u32>>,
    /// What failed in the last sweep.
    pub(crate) failures: Mutex<Vec<Failed>>,
    /// Who writes into a tenant's store, kept out while the store is replaced.
    writers: Mutex<BTreeMap<TenantId, Arc<RwLock<()>>>>,
    /// Tenants whose outbox may hold something.
    dirty: Mutex<BTreeSet<TenantId>>,
    /// Held while outboxes are drained, and while a store is removed or replaced.
    draining: tokio::sync::Mutex<()>,
    /// Handles on tenants' outboxes.
    feeds: Mutex<BTreeMap<TenantId, Db>>,
}

impl fmt::Debug for Covenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Covenant")
            .field("document", &self.parts.profile.document)
            .finish()
    }
}

impl Covenant {
    /// Makes a deployment in an empty folder, and starts it.
    ///
    /// # Errors
    /// [`StartError`]; what was made is left for inspection and is no deployment.
    pub async fn create(settings: Settings) -> Result<Self, StartError> {
        let layout = Layout::new(&settings.folder);
        layout.create()?;
        let random = Arc::clone(&settings.random);
        let backend = FileBackend::create(&layout.keks(), random);
        let backend = backend.map_err(|error| StartError::store("keks", error))?;
        Self::start(settings, layout, backend, Begin::Create, OnShut::Refuse).await
    }

    /// Starts the deployment in this folder.
    ///
    /// # Errors
    /// [`StartError`]; nothing was changed then.
    pub async fn open(settings: Settings) -> Result<Self, StartError> {
        let layout = Layout::new(&settings.folder);
        layout.open()?;
        let random = Arc::clone(&settings.random);
        let backend = FileBackend::open(&layout.keks(), random);
        let backend = backend.map_err(|error| StartError::store("keks", error))?;
        let start = Self::start(settings, layout, backend, Begin::Open, OnShut::Refuse);
        start.await?.opened().await
    }

    /// Starts the deployment in this folder on a key store that was put back from a copy: what was
    /// destroyed since, as the audit log says, is destroyed again before anything opens, and so is
    /// what has had its day. Says what that was; `None` for a key store that is up to date.
    ///
    /// # Errors
    /// [`StartError`]; the key store stays shut then, and the same call goes on.
    // clause: P-56
    pub async fn open_replaying(
        settings: Settings,
        call: &AdminCall,
    ) -> Result<(Self, Option<Replayed>), StartError> {
        let layout = Layout::new(&settings.folder);
        layout.open()?;
        let random = Arc::clone(&settings.random);
        let backend = FileBackend::open(&layout.keks(), random);
        let backend = backend.map_err(|error| StartError::store("keks", error))?;
        let on_shut = OnShut::Replay(call);
        let start = Self::start(settings, layout, backend, Begin::Open, on_shut);
        let covenant = start.await?.opened().await?;
        let replayed = covenant.parts.ring.replayed.clone();
        Ok((covenant, replayed))
    }

    async fn opened(self) -> Result<Self, StartError> {
        self.check_stores().await?;
        let rebuilt = self.rebuild_due().await;
        rebuilt.map_err(|error| StartError::store("due-queue", error))?;
        Ok(self)
    }

    async fn start(
        settings: Settings,
        layout: Layout,
        backend: FileBackend,
        begin: Begin,
        on_shut: OnShut<'_>,
    ) -> Result<Self, StartError> {
        let Settings {
            folder: _,
            profile,
            clock,
            random,
            durability,
            host,
            sites,
            wraps,
        } = settings;
        let clock = wrapped(wraps.clock, clock);
        // before anything is opened: what nobody has ruled is not served
        let all_stores = AllStores {
            layout: layout.clone(),
            declared: profile.declared.clone(),
        };
        let holdings: Arc<dyn Holdings> = wrapped(wraps.holdings, Arc::new(all_stores));
        let stores = held::ruled(&profile, &holdings.held())?;
        aged::check(&profile)?;
        let region = profile
            .regions
            .iter()
            .next()
            .cloned()
            .ok_or(StartError::NoRegion)?;

        let audit = stores::database("audit", &layout.audit(), begin, durability, &clock).await?;
        let log = SqlLog::open(audit, Arc::clone(&random)).await;
        let log = Arc::new(log.map_err(|error| StartError::store("audit", error))?);
        let control =
            stores::database("control", &layout.control(), begin, durability, &clock).await?;
        for migrations in [
            &REGISTRY,
            &sql_store::OUTBOX,
            &sql_store::due::DUE,
            &control::CLOCK,
        ] {
            let done = control.migrate(migrations).await;
            done.map_err(|error| StartError::store("control", error))?;
        }
        let floors = Arc::new(Floors::default());
        let holds: Arc<dyn HoldTables> = wrapped(wraps.holds, Arc::new(SqlHoldTables));
        // Holds before floors: what is held stays, whatever the dates say.
        let held_keys = HeldKeys::new(
            floors.clone(),
            Arc::clone(&holds),
            layout.clone(),
            region.clone(),
            Arc::clone(&clock),
        );
        let sites = keyring::sites(&layout, durability, wraps.site, sites)?;
        let opening = Opening {
            layout: &layout,
            clock: &clock,
            random: &random,
            durability,
            begin,
            sites,
            options: key_options(&profile),
            control: &control,
            log: &log,
            guard: wrapped(wraps.guard, Arc::new(held_keys)),
            key_store: wraps.key_store,
        };
        let ring = Keyring::open(opening, backend, on_shut).await?;
        let keys = Arc::clone(&ring.keys);
        let envelope: Arc<dyn Sealer> = Arc::new(Envelope::new(Arc::clone(&keys)));
        let log_keys = SealedKeys::new((*log).clone(), Arc::clone(&envelope));
        let sink: Arc<dyn EventSink> = Arc::new(Sink::new(
            Arc::clone(&envelope),
            Arc::clone(&random),
            log.clone(),
        ));
        let sink = wrapped(wraps.sink, sink);
        let registry: Arc<dyn Registry> =
            Arc::new(SqlRegistry::new(control.clone(), profile.regions.clone()));
        let registry = wrapped(wraps.registry, registry);
        let guard = Guard::new(
            Arc::new(StandardRules::new(profile.regions.clone())),
            Arc::clone(&registry),
            Arc::clone(&sink),
            Arc::clone(&clock),
            Arc::clone(&random),
        );
        let identity = derived(&keys, b"covenant/identity/v1").await?;
        let tenants = SqliteFileStore::open(
            layout.tenants(),
            profile.regions.clone(),
            IdentityKey::new(&identity),
            Arc::clone(&clock),
            SqliteFileOptions {
                durability,
                ..SqliteFileOptions::default()
            },
        );
        let tenants = tenants.map_err(|error| StartError::store("tenants", error))?;
        let unready = |error| StartError::store("control", error);
        let pending = Pending::read(&control).await.map_err(unready)?;
        check_isolation(&tenants, &pending).await?;

        let vault_keys: Arc<dyn VaultKeys> = keys.clone();
        let depot = stores::depot(&layout.depot(), region.clone(), durability)?;
        let engine = Engine::new(backup_engine::Parts {
            repo: repo(&derived(&keys, b"covenant/repo/v1").await?),
            depot: wrapped(wraps.depot, Arc::new(depot)),
            keys: wrapped(wraps.vault_keys, vault_keys),
            sink: Arc::clone(&sink),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            naming: derived(&keys, b"covenant/naming/v1").await?,
            policy: profile.backup.clone(),
        });
        let backups: Arc<dyn Backups> = wrapped(wraps.backups, Arc::new(engine));
        floors.open(
            Arc::clone(&backups),
            Arc::clone(&registry),
            profile.backup.clone(),
            profile.backup_floor,
        );
        let accepted = control::accepted(&control).await.map_err(unready)?;
        let wall = clock.now();
        let time = TrustedTime::at_start(wall, clock.monotonic(), accepted, profile.clock_step_max);
        if accepted.is_none() {
            control::accept(&control, wall).await.map_err(unready)?;
        }
        let narrowing = wrapped(
            wraps.narrowing,
            Arc::new(OnlyNarrower) as Arc<dyn Narrowing>,
        );
        let own_rules = Arc::new(OwnRules::new(profile.rules.clone(), narrowing));
        let read = own_rules.refresh(&control).await;
        read.map_err(|error| StartError::store("the rules of tenants", error))?;
        let known = registry.tenants().await;
        let known = known.map_err(|error| StartError::store("control", error))?;
        let objects: Arc<dyn ObjectStore> =
            Arc::new(stores::objects(&layout.objects(), durability)?);
        let objects = wrapped(wraps.objects, objects);
        bucket::admitted(&objects, &*random, wraps.scratch).await?;
        let pace = Arc::new(Pace::default());
        let flush = Timed {
            sound: wrapped(wraps.flush, Arc::new(SqliteFlush::new(durability))),
            clock: Arc::clone(&clock),
            pace: Arc::clone(&pace),
        };
        let parts = Parts {
            stores,
            files: wrapped(wraps.files, Arc::new(StoreFiles::new(Arc::clone(&objects)))),
            objects,
            layout,
            region,
            durability,
            host,
            sealer: wrapped(wraps.sealer, envelope),
            retention: wrapped(wraps.retention, own_rules.clone()),
            own_rules,
            flush: Arc::new(flush),
            pace,
            tables: wrapped(wraps.tables, Arc::new(SqlTables)),
            class_record: class(CLASS_RECORD)?,
            holds,
            backups,
            schedule: wrapped(wraps.schedule, Arc::new(PromisedSchedule)),
            profile,
            clock,
            random,
            keys,
            ring,
            sink,
            log,
            log_keys,
            control,
            registry,
            guard,
            tenants: wrapped(wraps.tenants, Arc::new(tenants)),
            gate: wraps.gate,
            time: Mutex::new(time),
            doubt_told: AtomicBool::new(false),
            sweeping: tokio::sync::Mutex::default(),
            keys_retry: Mutex::default(),
            copies_due: Mutex::new(Some(wall)),
            failed_bins: Mutex::default(),
            failures: Mutex::default(),
            writers: Mutex::default(),
            dirty: Mutex::new(known.into_iter().map(|(tenant, _)| tenant).collect()),
            draining: tokio::sync::Mutex::default(),
            feeds: Mutex::default(),
        };
        Ok(Self {
            parts: Arc::new(parts),
        })
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The profile it follows.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.parts.profile
    }

    /// Where its stores lie.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.parts.layout
    }

    /// The stores in which something of a tenant lies, and those that the document declares besides,
    /// each with the rules that every class in it is
    /// under.
    #[must_use]
    // clause: P-40
    pub fn stores(&self) -> &[RuledStore] {
        &self.parts.stores
    }

    /// The audit log, for readers and auditors.
    #[must_use]
    pub fn log(&self) -> &Arc<SqlLog> {
        &self.parts.log
    }

    /// The keys, for an adversary's view of them and for the recovery of a platform.
    #[must_use]
    pub fn keys(&self) -> &Arc<Keys> {
        &self.parts.keys
    }

    /// The recovery key of a deployment that was just made: it opens every copy of its keys, and this
    /// process forgets it now. Write it down, and keep it away from the machine and every site.
    #[must_use]
    pub fn take_recovery_key(&self) -> Option<RecoveryKey> {
        self.parts.ring.take_recovery_key()
    }

    /// The backups, for whoever looks at what is stored.
    #[must_use]
    pub fn backups(&self) -> &Arc<dyn Backups> {
        &self.parts.backups
    }

    /// Attached files as they are public, for whoever serves them by name or looks whether they are
    /// gone.
    #[must_use]
    pub fn files(&self) -> &Arc<dyn PublicFiles> {
        &self.parts.files
    }

    /// The region of its stores.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.parts.region
    }

    /// An engine over the same depot with other keys: what an adversary, or a restore without the
    /// keys, would see.
    ///
    /// # Errors
    /// [`StartError`].
    #[cfg(feature = "testing")]
    pub async fn engine_on(&self, keys: Arc<dyn VaultKeys>) -> Result<Engine, StartError> {
        self.engine_over(&self.parts().layout.depot(), keys).await
    }

    /// Likewise, over a copy of the depot that lies elsewhere.
    ///
    /// # Errors
    /// [`StartError`].
    #[cfg(feature = "testing")]
    pub async fn engine_over(
        &self,
        depot: &std::path::Path,
        keys: Arc<dyn VaultKeys>,
    ) -> Result<Engine, StartError> {
        let parts = self.parts();
        let depot = stores::depot(depot, parts.region.clone(), parts.durability)?;
        Ok(Engine::new(backup_engine::Parts {
            repo: repo(&derived(&parts.keys, b"covenant/repo/v1").await?),
            depot: Arc::new(depot),
            keys,
            sink: Arc::clone(&parts.sink),
            clock: Arc::clone(&parts.clock),
            random: Arc::clone(&parts.random),
            naming: derived(&parts.keys, b"covenant/naming/v1").await?,
            policy: parts.profile.backup.clone(),
        }))
    }

    /// A new id.
    pub(crate) fn mint<K>(&self) -> Result<Id<K>, RandomError> {
        Id::mint(self.parts.clock.as_ref(), self.parts.random.as_ref())
    }

    /// Moves committed events into the log, those of keys first, and signs the heads that grew.
    ///
    /// # Errors
    /// [`Error`]; what was sequenced stays so, and the same call settles the rest.
    // clause: R-20
    pub async fn sequence(&self) -> Result<(), Error> {
        let parts = self.parts();
        let _alone = parts.draining.lock().await;
        self.tell_keys().await?;
        // Taken before the outboxes are read: who writes meanwhile marks its tenant again.
        let dirty = Marks {
            parts,
            tenants: std::mem::take(&mut *lock(&parts.dirty)),
        };
        let all: Vec<TenantId> = dirty.tenants.iter().copied().collect();
        let mut heads = Heads::new();
        // The control outbox is drained even when no tenant wrote.
        let none: &[TenantId] = &[];
        for some in all.chunks(FEEDS_MAX).chain(all.is_empty().then_some(none)) {
            let mut feeds = vec![Feed::new(parts.control.clone(), Serves::All)];
            for tenant in some {
                if let Some(db) = parts.feed(*tenant).await? {
                    feeds.push(Feed::new(db, Serves::Tenant(*tenant)));
                }
            }
            parts.log.drain(&feeds).await?;
            drop(feeds);
            parts.close_idle_feeds(some).await;
        }
        parts
            .log
            .publish_heads(&parts.host, &parts.log_keys)
            .await?;
        for tenant in &all {
            heads.insert(*tenant, parts.log.head(log_of(*tenant)).await?);
        }
        control::keep_heads(&parts.control, &heads).await?;
        dirty.settled();
        Ok(())
    }
}

/// Tenants whose outboxes are being read; dropped before they were, they are marked again.
struct Marks<'p> {
    parts: &'p Parts,
    tenants: BTreeSet<TenantId>,
}

impl Marks<'_> {
    fn settled(mut self) {
        self.tenants.clear();
    }
}

impl Drop for Marks<'_> {
    fn drop(&mut self) {
        lock(&self.parts.dirty).append(&mut self.tenants);
    }
}

impl Parts {
    fn writer(&self, tenant: TenantId) -> Arc<RwLock<()>> {
        lock(&self.writers).entry(tenant).or_default().clone()
    }

    /// Held by whoever writes into the tenant's store or its objects.
    pub(crate) async fn writing(&self, tenant: TenantId) -> OwnedRwLockReadGuard<()> {
        self.writer(tenant).read_owned().await
    }

    /// Held by whoever replaces the tenant's store or takes it away: nobody writes meanwhile.
    pub(crate) async fn replacing(&self, tenant: TenantId) -> OwnedRwLockWriteGuard<()> {
        self.writer(tenant).write_owned().await
    }

    /// Notes that a tenant's outbox may hold something.
    pub(crate) fn mark_dirty(&self, tenant: TenantId) {
        lock(&self.dirty).insert(tenant);
    }

    /// A handle on the tenant's outbox; `None` when its store is gone.
    async fn feed(&self, tenant: TenantId) -> Result<Option<Db>, Error> {
        if let Some(db) = lock(&self.feeds).get(&tenant) {
            return Ok(Some(db.clone()));
        }
        let file = self.layout.tenant_file(&self.region, tenant);
        if !file.exists() {
            return Ok(None);
        }
        let options = SqliteOptions::new(file, SqliteProfile::Control)
            .durability(self.durability)
            .readers(1);
        let db = Db::open_sqlite(options, Arc::clone(&self.clock)).await?;
        lock(&self.feeds).insert(tenant, db.clone());
        Ok(Some(db))
    }

    /// Closes the handle on a tenant's outbox, before its store is removed or replaced; none is
    /// opened while the guard lives.
    pub(crate) async fn close_feed(&self, tenant: TenantId) -> tokio::sync::MutexGuard<'_, ()> {
        let alone = self.draining.lock().await;
        let taken = lock(&self.feeds).remove(&tenant);
        if let Some(db) = taken {
            db.close().await;
        }
        alone
    }

    /// Closes handles on outboxes that were not just drained, until few enough are open.
    async fn close_idle_feeds(&self, drained: &[TenantId]) {
        loop {
            let idle = {
                let mut feeds = lock(&self.feeds);
                let idle = feeds
                    .keys()
                    .find(|tenant| !drained.contains(tenant))
                    .copied();
                match idle {
                    Some(tenant) if feeds.len() > FEEDS_MAX => feeds.remove(&tenant),
                    _ => None,
                }
            };
            match idle {
                Some(db) => db.close().await,
                None => return,
            }
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How keys live under this profile.
fn key_options(profile: &Profile) -> KeysOptions {
    let mut options = KeysOptions::default();
    options.zone = profile.zone.clone();
    // clause: Q-17
    options.expiry = profile.key_expiry;
    options
}

/// A key of the platform's own, for one use.
pub(crate) async fn derived(keys: &Keys, info: &[u8]) -> Result<Secret<[u8; 32]>, StartError> {
    let root = keys
        .unlock(Owner::Platform(PLATFORM), Purpose::Platform)
        .await;
    let derived = root.and_then(|root| root.derive(info));
    derived.map_err(|error| StartError::store("keys", error))
}

/// The repository's name: no secret, and the same at every start.
fn repo(derived: &Secret<[u8; 32]>) -> [u8; 16] {
    let mut name = [0_u8; 16];
    name.iter_mut()
        .zip(derived.expose())
        .for_each(|(to, from)| *to = *from);
    name
}

async fn check_isolation(tenants: &SqliteFileStore, pending: &Pending) -> Result<(), StartError> {
    let report = tenants.self_check().await;
    let report = report.map_err(|error| StartError::store("tenants", error))?;
    // What an interrupted piece of work left is cleared when the sweep finishes that work.
    let mut findings = report.findings.iter();
    let explained =
        |finding: &Finding| finding.what == UNFINISHED && pending.explains(&finding.path);
    match findings.find(|finding| !explained(finding)) {
        Some(finding) => {
            let text = format!("{}: {}", finding.path.display(), finding.what);
            Err(StartError::NotIsolated(text))
        }
        None => Ok(()),
    }
}

/// A class by its name.
fn class(name: &str) -> Result<ClassId, StartError> {
    name.parse()
        .map_err(|error: retention_policy::NameError| StartError::store("the rules", error))
}
