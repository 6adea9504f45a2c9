//! The embedded subject: the assembled `covenant` on SQLite files and local directories, each
//! subject in a folder of its own. A sabotage is a wrapped joint of the assembly, nothing else.

mod acts;
mod files;
mod front;
mod holds;
mod keys;
mod log;
mod look;
mod own_rules;
mod people;
mod ruled;
mod schema;
mod trail;
mod wraps;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use backup_engine::testing::Faults;
use covenant::{Covenant, Profile, ProfileError, Session, Settings, Wraps};
use covenant_core::testing::SeededRandom;
use covenant_core::{BoxFuture, Clock, Event, ItemId, ManualClock, RegionSet, TenantId, UserId};
use policy_document::Document;
use sql_store::Durability;
use tempfile::TempDir;
use tenant_isolation::Caller;
use time::UtcDateTime;
use uuid::Uuid;

use crate::act::{Act, Cadence, FileWay, Record, Seen, Tenant};
use crate::canary::{Canary, Sightings};
use crate::sabotage::Sabotage;
use crate::subject::{
    BuildError, Can, CrashPoint, Refusal, Subject, SubjectError, SubjectFactory, SubjectInfo,
};
use crate::trace::Entry;

use wraps::{Strain, Strained};

/// The region of all embedded stores.
const REGION: &str = "embedded";
/// Name of the service in checkpoints.
const HOST: &str = "conformance.covenant.invalid";
/// What the randomness of every subject is drawn from: the same for each, so that a run repeats.
const RANDOM_SEED: u64 = 0x0c07_e4a7;

/// Builds the assembled `covenant` on the embedded stores.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmbeddedFactory;

impl SubjectFactory for EmbeddedFactory {
    fn info(&self) -> SubjectInfo {
        SubjectInfo {
            name: "covenant".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rows: "sqlite".to_owned(),
            blobs: "local directory".to_owned(),
            keys: "local directory".to_owned(),
            notices: "none".to_owned(),
            synchronous: "off".to_owned(),
        }
    }

    fn can(&self, sabotage: Sabotage) -> Can {
        if wraps::BUILT.contains(&sabotage) {
            Can::Built
        } else {
            Can::NotBuilt
        }
    }

    fn build<'a>(
        &'a self,
        clock: Arc<ManualClock>,
        document: &'a Document,
        sabotage: Option<Sabotage>,
    ) -> BoxFuture<'a, Result<Box<dyn Subject>, BuildError>> {
        Box::pin(async move {
            if let Some(sabotage) = sabotage
                && !wraps::BUILT.contains(&sabotage)
            {
                return Err(BuildError::Sabotage(sabotage));
            }
            let subject = Embedded::start(clock, document, sabotage, None).await?;
            Ok(Box::new(subject) as Box<dyn Subject>)
        })
    }
}

/// Builds the assembled `covenant` as [`EmbeddedFactory`] does; its `object-still-public` leaves this
/// one way to a deleted file open, and no other.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedOneWayOpen(pub FileWay);

impl SubjectFactory for EmbeddedOneWayOpen {
    fn info(&self) -> SubjectInfo {
        EmbeddedFactory.info()
    }

    fn can(&self, sabotage: Sabotage) -> Can {
        if sabotage == Sabotage::ObjectStillPublic {
            Can::Built
        } else {
            Can::Unsupported
        }
    }

    fn build<'a>(
        &'a self,
        clock: Arc<ManualClock>,
        document: &'a Document,
        sabotage: Option<Sabotage>,
    ) -> BoxFuture<'a, Result<Box<dyn Subject>, BuildError>> {
        Box::pin(async move {
            let open_way = match sabotage {
                None => None,
                Some(Sabotage::ObjectStillPublic) => Some(self.0),
                Some(other) => return Err(BuildError::Sabotage(other)),
            };
            let subject = Embedded::start(clock, document, sabotage, open_way).await?;
            Ok(Box::new(subject) as Box<dyn Subject>)
        })
    }
}

/// One tenant of the scenario.
struct Home {
    id: TenantId,
    admin: UserId,
    records: BTreeMap<Record, ItemId>,
    /// Files of records that somebody outside knows.
    attached: BTreeMap<Record, Attached>,
    session: Option<Session>,
}

/// What somebody outside knows of an attached file.
#[derive(Debug, Clone)]
struct Attached {
    id: ItemId,
    /// What the store called its bytes.
    version: Option<String>,
}

impl Home {
    /// The tenant's administrator, who does what members do.
    fn caller(&self) -> Caller {
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 17));
        Caller::member(self.id, self.admin, address)
    }

    fn item(&self, record: Record) -> Result<&ItemId, Refusal> {
        self.records
            .get(&record)
            .ok_or_else(|| Refusal::denied("no such record"))
    }
}

/// What the scenario can switch while the subject runs.
struct Switches {
    cadence: Arc<Mutex<Cadence>>,
    faults: Arc<Faults>,
    /// What the depot suffers from without being broken.
    strain: Arc<Strained>,
    /// Until when the depot is broken.
    broken_until: Option<UtcDateTime>,
    /// The way to a deleted file that a sabotage leaves open, where it is that one alone.
    open_way: Option<FileWay>,
}

struct Embedded {
    // Dropped before the folder that it lives in.
    covenant: Covenant,
    /// A second process on the same stores, started when it is first asked for.
    second: Option<Covenant>,
    /// The listener, started when it is first asked for.
    front: Option<front::Front>,
    sabotage: Option<Sabotage>,
    clock: Arc<ManualClock>,
    random: Arc<SeededRandom>,
    document: Arc<Profile>,
    homes: BTreeMap<Tenant, Home>,
    switches: Switches,
    next_due: Option<UtcDateTime>,
    folder: TempDir,
    /// What somebody copied from the depot while it lay there.
    stolen: TempDir,
    /// The store of the audit log as it was when each backup was made.
    logs: TempDir,
}

impl Embedded {
    async fn start(
        clock: Arc<ManualClock>,
        document: &Document,
        sabotage: Option<Sabotage>,
        open_way: Option<FileWay>,
    ) -> Result<Self, BuildError> {
        let folder = tempfile::tempdir().map_err(not_started)?;
        let regions = RegionSet::new([REGION]).map_err(not_started)?;
        let profile = profile_of(document, regions).map_err(not_started)?;
        let random = Arc::new(SeededRandom::new(RANDOM_SEED));
        let switches = Switches {
            cadence: Arc::new(Mutex::new(Cadence::AsPromised)),
            faults: Arc::new(Faults::default()),
            strain: Arc::new(Strained::new(Arc::clone(&clock))),
            broken_until: None,
            open_way,
        };
        let time: Arc<dyn Clock> = clock.clone();
        let mut wraps = wraps::of(sabotage, &folder.path().join("stores"), &time);
        wraps::add_switches(&mut wraps, &switches);
        let settings = Settings {
            folder: folder.path().join("stores"),
            profile: profile.clone(),
            clock: clock.clone(),
            random: random.clone(),
            durability: Durability::Off,
            sites: Vec::new(),
            host: HOST.parse().map_err(not_started)?,
            wraps,
        };
        let covenant = Covenant::create(settings).await.map_err(not_started)?;
        Ok(Self {
            covenant,
            second: None,
            front: None,
            sabotage,
            clock,
            random,
            document: Arc::new(profile),
            homes: BTreeMap::new(),
            switches,
            next_due: None,
            folder,
            stolen: tempfile::tempdir().map_err(not_started)?,
            logs: tempfile::tempdir().map_err(not_started)?,
        })
    }

    /// The settings of a deployment in this folder that is like this one.
    fn settings(
        &self,
        folder: PathBuf,
        wraps: Wraps,
    ) -> Result<Settings, impl std::error::Error + Send + Sync + 'static> {
        let host = HOST.parse();
        host.map(|host| Settings {
            folder,
            profile: (*self.document).clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            durability: Durability::Off,
            sites: Vec::new(),
            host,
            wraps,
        })
    }

    /// The second process, on the same files, with nothing wrapped.
    async fn second(&mut self) -> Result<Covenant, Refusal> {
        if let Some(second) = &self.second {
            return Ok(second.clone());
        }
        let stores = self.folder.path().join("stores");
        let settings = self.settings(stores, Wraps::default());
        let settings = settings.map_err(Refusal::failed)?;
        let second = Covenant::open(settings).await.map_err(Refusal::failed)?;
        self.second = Some(second.clone());
        Ok(second)
    }

    fn home(&self, tenant: Tenant) -> Result<&Home, Refusal> {
        self.homes
            .get(&tenant)
            .ok_or_else(|| Refusal::denied("no such tenant"))
    }

    /// The tenant's ids, made from its number.
    fn ids(tenant: Tenant) -> (TenantId, UserId) {
        let name = |what: &str| {
            Uuid::new_v5(
                &Uuid::NAMESPACE_OID,
                format!("conformance/{what}/{tenant}").as_bytes(),
            )
        };
        (
            TenantId::from_uuid(name("tenant")),
            UserId::from_uuid(name("admin")),
        )
    }

    /// Starts again on what is on disk, as a new process does; nothing of the old one is closed.
    async fn reopen(&mut self) -> Result<(), SubjectError> {
        let time: Arc<dyn Clock> = self.clock.clone();
        let stores = self.folder.path().join("stores");
        let mut wraps = wraps::of(self.sabotage, &stores, &time);
        wraps::add_switches(&mut wraps, &self.switches);
        let settings = self.settings(stores, wraps);
        let settings = settings.map_err(SubjectError::from_source)?;
        self.second = None;
        for home in self.homes.values_mut() {
            home.session = None;
        }
        let opened = Covenant::open(settings).await;
        self.covenant = opened.map_err(SubjectError::from_source)?;
        Ok(())
    }

    async fn refresh_due(&mut self) -> Result<(), SubjectError> {
        let planned = self
            .covenant
            .next_due()
            .await
            .map_err(SubjectError::from_source)?;
        // The end of a fault is an instant at which something can be done again.
        let healed = self
            .switches
            .broken_until
            .filter(|until| *until > self.clock.now());
        self.next_due = planned.into_iter().chain(healed).min();
        Ok(())
    }

    fn heal(&mut self) {
        if self
            .switches
            .broken_until
            .is_some_and(|until| self.clock.now() >= until)
        {
            self.switches.faults.bring_up();
            self.switches.strain.set(Strain::None);
            self.switches.broken_until = None;
        }
    }
}

impl Subject for Embedded {
    fn perform<'a>(&'a mut self, act: &'a Act) -> BoxFuture<'a, Result<Seen, Refusal>> {
        Box::pin(async move {
            let seen = self.do_act(act).await;
            self.refresh_due().await.map_err(Refusal::failed)?;
            seen
        })
    }

    fn run_until(&mut self, at: UtcDateTime) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move {
            debug_assert!(self.clock.now() >= at, "the clock shows the instant");
            self.heal();
            if self.next_due.is_some_and(|due| due <= at) {
                self.covenant
                    .sweep()
                    .await
                    .map_err(SubjectError::from_source)?;
            }
            self.refresh_due().await
        })
    }

    fn next_due(&self) -> Option<UtcDateTime> {
        self.next_due
    }

    fn events(&mut self) -> BoxFuture<'_, Result<Vec<Event>, SubjectError>> {
        Box::pin(async move {
            self.covenant
                .sequence()
                .await
                .map_err(SubjectError::from_source)?;
            let tenants: Vec<TenantId> = self.homes.values().map(|home| home.id).collect();
            trail::events(&self.covenant, &tenants).await
        })
    }

    fn entries(&mut self) -> BoxFuture<'_, Result<Vec<Entry>, SubjectError>> {
        Box::pin(async move {
            let sequenced = self.covenant.sequence().await;
            sequenced.map_err(SubjectError::from_source)?;
            let tenants: Vec<TenantId> = self.homes.values().map(|home| home.id).collect();
            trail::entries(&self.covenant, &tenants).await
        })
    }

    fn find_bytes<'a>(
        &'a mut self,
        canary: &'a Canary,
    ) -> BoxFuture<'a, Result<Sightings, SubjectError>> {
        Box::pin(self.look(canary))
    }

    fn can_crash(&self, at: CrashPoint) -> bool {
        matches!(at, CrashPoint::Idle | CrashPoint::Depot { .. })
    }

    fn crash(&mut self, at: CrashPoint) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move {
            if let CrashPoint::Depot { call } = at {
                self.switches.faults.take_down_at(call);
                // what it says is lost with the process
                drop(self.covenant.sweep().await);
                self.switches.faults.bring_up();
            }
            self.reopen().await?;
            self.refresh_due().await
        })
    }
}

/// The profiles of the last documents. Whether rules and backups can be honoured is found on every day
/// of the calendar's cycle, which takes longer than a scenario, and a document says the same each time.
static PROFILES: Mutex<Vec<(Document, Profile)>> = Mutex::new(Vec::new());
/// How many profiles are kept; more documents than a run has.
const PROFILES_MAX: usize = 16;

fn profile_of(document: &Document, regions: RegionSet) -> Result<Profile, ProfileError> {
    let lock = || PROFILES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lock().iter().find_map(|(known, profile)| {
        let same = known == document && profile.regions == regions;
        same.then(|| profile.clone())
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let profile = Profile::from_document(document, regions)?;
    let mut profiles = lock();
    if profiles.len() >= PROFILES_MAX {
        profiles.remove(0);
    }
    profiles.push((document.clone(), profile.clone()));
    Ok(profile)
}

fn not_started(error: impl std::error::Error + Send + Sync + 'static) -> BuildError {
    BuildError::NotStarted {
        reason: error.to_string(),
        source: Some(Box::new(error)),
    }
}
