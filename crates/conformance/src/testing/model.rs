//! A model of a system that keeps the promises of the built scenarios, in memory: honest in its
//! bytes, its keys and its log, so that a scenario that passes on it and fails on each of its
//! sabotages is shown to work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use covenant_core::event::{ActorContext, Datum};
use covenant_core::{
    Action, BoxFuture, Clock, Event, EventId, ItemId, KeyId, ManualClock, Outcome, Period,
    SnapshotId, Target, TenantId, TxnId, VaultId,
};
use policy_document::Document;
use time::{Date, Duration, UtcDateTime};
use uuid::Uuid;

use crate::act::{Act, Cadence, FileWay, Record, SnapshotSeen, Tenant};
use crate::canary::{Canary, Salt, Sight, Sightings, Store, occurrences};
use crate::sabotage::Sabotage;
use crate::subject::{
    BuildError, Can, CrashPoint, Refusal, Subject, SubjectError, SubjectFactory, SubjectInfo,
};
use crate::trace::Entry;
use crate::{Seen, stage};

mod acts;
mod backups;
mod disk;
mod expiry;
mod figures;
mod files;
mod holds;
mod keys;
mod own_rules;
mod people;
mod ruled;
mod seal;
mod termination;
mod transit;

use disk::Disk;
use figures::Figures;
use seal::Key;

/// How long after its deletion a database is purged: sooner than any page asks for.
const DATABASE_WAIT: Duration = Duration::days(7);
/// How far wall and monotonic time may part before the model doubts its clock.
const STEP_MAX: Duration = Duration::minutes(10);

/// Builds models; every sabotage of the built scenarios can be tried on them.
#[derive(Debug, Clone, Copy, Default)]
pub struct ModelFactory;

const BUILT: &[Sabotage] = &[
    Sabotage::PurgeLate,
    Sabotage::PurgeEarly,
    Sabotage::ClockTrusted,
    Sabotage::WrongStartEvent,
    Sabotage::TrialForgotten,
    Sabotage::DeleteDropped,
    Sabotage::TenantWeakens,
    Sabotage::HoldIgnored,
    Sabotage::HoldLostOnRestore,
    Sabotage::ExpiredReadable,
    Sabotage::LockWithoutKey,
    Sabotage::TerminationLate,
    Sabotage::StoreSkipped,
    Sabotage::RestoreWithoutReplay,
    Sabotage::LogRolledBack,
    Sabotage::ChunkKeyKept,
    Sabotage::KeyWithPurge,
    Sabotage::IndexRowOnly,
    Sabotage::NoVacuum,
    Sabotage::NoCheckpoint,
    Sabotage::BinVisible,
    Sabotage::BinLost,
    Sabotage::ObjectStillPublic,
    Sabotage::BucketUnasked,
    Sabotage::DeletedReadableInCache,
    Sabotage::FailedCountedAsDone,
    Sabotage::BackupPlaintext,
    Sabotage::VaultKeyShared,
    Sabotage::BackupKeptLate,
    Sabotage::BackupGoneEarly,
    Sabotage::NightSkippedAtDst,
    Sabotage::FieldPlain,
    Sabotage::OneLayer,
    Sabotage::Aes128,
    Sabotage::Tls11Allowed,
    Sabotage::PlaintextListener,
    Sabotage::WeakChain,
    Sabotage::DisabledKeyWorks,
    Sabotage::DestroyedAtOnce,
    Sabotage::DestroyedLate,
    Sabotage::RotationMissed,
    Sabotage::RotationLosesOld,
    Sabotage::MemberUnwraps,
    Sabotage::AccessUnlogged,
    Sabotage::RoleByMember,
    Sabotage::UnwrapUnlogged,
    Sabotage::ChangeUnlogged,
];

impl SubjectFactory for ModelFactory {
    fn info(&self) -> SubjectInfo {
        let memory = || "memory".to_owned();
        SubjectInfo {
            name: "model".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rows: memory(),
            blobs: memory(),
            keys: memory(),
            notices: "none".to_owned(),
            synchronous: "off".to_owned(),
        }
    }

    fn can(&self, sabotage: Sabotage) -> Can {
        if BUILT.contains(&sabotage) {
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
            let model = Model::new(clock, Figures::of(document), sabotage);
            Ok(Box::new(model) as Box<dyn Subject>)
        })
    }
}

/// Builds models as [`ModelFactory`] does; `object-still-public` leaves this one way to a deleted file
/// open, and no other.
#[derive(Debug, Clone, Copy)]
pub struct ModelOneWayOpen(pub FileWay);

impl SubjectFactory for ModelOneWayOpen {
    fn info(&self) -> SubjectInfo {
        ModelFactory.info()
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
            let mut model = Model::new(clock, Figures::of(document), sabotage);
            model.open_way = sabotage.map(|_| self.0);
            Ok(Box::new(model) as Box<dyn Subject>)
        })
    }
}

/// One record of the model.
#[derive(Debug, Clone)]
struct Row {
    item: ItemId,
    body: u64,
    sensitive: Option<u64>,
    attachment: Option<u64>,
    deleted: Option<UtcDateTime>,
}

/// One tenant of the model.
#[derive(Debug)]
struct Home {
    id: TenantId,
    user: Uuid,
    data: KeyId,
    sensitive: KeyId,
    deleted: bool,
    expired: bool,
    disk: Disk,
    rows: BTreeMap<u64, Row>,
    numbered: BTreeMap<Record, u64>,
    touched: u64,
    attributed: u64,
    /// The numbered records that were live when the database was purged.
    last: Option<BTreeSet<Record>>,
}

/// One backup of the model.
#[derive(Debug)]
struct Snapshot {
    seen: SnapshotSeen,
    bytes: Vec<u8>,
}

/// All backups of one tenant in one civil day, under one root.
#[derive(Debug)]
struct Vault {
    id: VaultId,
    root: KeyId,
    ends: UtcDateTime,
    snapshots: Vec<Snapshot>,
}

struct Model {
    clock: Arc<ManualClock>,
    born: UtcDateTime,
    figures: Figures,
    sabotage: Option<Sabotage>,
    minted: u64,
    keys: BTreeMap<KeyId, Key>,
    lives: BTreeMap<KeyId, keys::Life>,
    /// After how long the key that wraps keys is replaced.
    expiry: Period,
    homes: BTreeMap<Tenant, Home>,
    objects: BTreeMap<u64, Vec<u8>>,
    /// Files that were deleted by themselves: somebody outside remembers them.
    deleted_files: BTreeMap<(Tenant, Record), u64>,
    /// The way to a deleted file that a sabotage leaves open, where it is that one alone.
    open_way: Option<FileWay>,
    purges: BTreeSet<(UtcDateTime, Tenant, u64)>,
    vaults: BTreeMap<(Tenant, Date), Vault>,
    /// Bytes of dead vaults that somebody took a copy of before, where a key for them is left.
    stolen: Vec<Vec<u8>>,
    cadence: Cadence,
    next_backup: Option<UtcDateTime>,
    /// What tenants ask for beyond the page.
    own_rules: BTreeMap<Tenant, Vec<crate::act::OwnRule>>,
    /// Databases whose trial has ended, and when they are deleted.
    trials: BTreeMap<Tenant, UtcDateTime>,
    /// Tenants of which nothing may go, with the records that wait for that to end.
    held: BTreeMap<Tenant, BTreeSet<u64>>,
    /// Tenants whose contract has ended, and of which nothing is to be left.
    ended: BTreeSet<Tenant>,
    /// Deleted databases, and when they are purged.
    leaving: BTreeMap<Tenant, UtcDateTime>,
    depot_down_until: Option<UtcDateTime>,
    read: BTreeMap<(Tenant, Record), crate::act::RecordSeen>,
    events: Vec<Event>,
    /// Acts and rounds of background work so far: each is a transaction.
    rounds: u128,
    txns: BTreeMap<EventId, TxnId>,
}

impl Model {
    fn new(clock: Arc<ManualClock>, figures: Figures, sabotage: Option<Sabotage>) -> Self {
        let born = clock.now();
        let mut model = Self {
            clock,
            born,
            figures,
            sabotage,
            minted: 0,
            keys: BTreeMap::new(),
            lives: BTreeMap::new(),
            expiry: Period::months(12),
            homes: BTreeMap::new(),
            objects: BTreeMap::new(),
            deleted_files: BTreeMap::new(),
            open_way: None,
            purges: BTreeSet::new(),
            vaults: BTreeMap::new(),
            stolen: Vec::new(),
            cadence: Cadence::AsPromised,
            next_backup: None,
            own_rules: BTreeMap::new(),
            trials: BTreeMap::new(),
            held: BTreeMap::new(),
            ended: BTreeSet::new(),
            leaving: BTreeMap::new(),
            depot_down_until: None,
            read: BTreeMap::new(),
            events: Vec::new(),
            rounds: 0,
            txns: BTreeMap::new(),
        };
        model.add_wrapping(born);
        model
    }

    fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    fn mint(&mut self) -> u64 {
        self.minted = self.minted.saturating_add(1);
        self.minted
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u128(u128::from(self.mint()))
    }

    fn salt(&mut self) -> Salt {
        let digest = covenant_core::digest::Digest::of(&self.mint().to_be_bytes());
        digest.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    fn key(&mut self) -> KeyId {
        let id = KeyId::from_uuid(self.uuid());
        let digest = covenant_core::digest::Digest::of(format!("key {id}").as_bytes());
        let len = if self.is(Sabotage::Aes128) { 16 } else { 32 };
        let bytes = digest.as_bytes().iter().copied().take(len).collect();
        self.keys.insert(id, Key { id, bytes });
        id
    }

    fn seal(&mut self, key: KeyId, plain: &[u8]) -> (Vec<u8>, Vec<Salt>) {
        let salt = self.salt();
        match self.keys.get(&key) {
            Some(key) if !self.is(Sabotage::FieldPlain) => {
                (seal::seal(key, salt, plain), vec![salt])
            }
            _ => (plain.to_vec(), Vec::new()),
        }
    }

    /// The content under whatever keys exist, layer by layer; what is not sealed comes as it is.
    fn open(&self, sealed: &[u8]) -> Vec<u8> {
        let opened = self.keys.values().find_map(|key| seal::open(key, sealed));
        opened.map_or_else(|| sealed.to_vec(), |inner| self.open(&inner))
    }

    fn record(&mut self, tenant: Tenant, actor: ActorContext, action: Action, item: &ItemId) {
        let id = EventId::from_uuid(self.uuid());
        let at = self.clock.now();
        let lost = self.is(Sabotage::ChangeUnlogged) && action == Action::ChangeRecorded;
        let Some(home) = self.homes.get_mut(&tenant) else {
            return;
        };
        home.touched = home.touched.saturating_add(1);
        if !lost {
            home.attributed = home.attributed.saturating_add(1);
            let target = Target::of(home.id, "record", item.clone());
            self.tell(Event::new(id, at, actor, action, target, Outcome::Ok));
        }
    }

    /// A reveal changes no row, and is told like a change.
    fn record_reveal(&mut self, tenant: Tenant, item: &ItemId) {
        let Some(home) = self.homes.get(&tenant) else {
            return;
        };
        let (user, target) = (home.user, Target::of(home.id, "record", item.clone()));
        let actor = ActorContext::member(user, acts::ADDRESS);
        let id = EventId::from_uuid(self.uuid());
        let (at, action) = (self.clock.now(), Action::FieldRevealed);
        if !self.is(Sabotage::AccessUnlogged) {
            self.tell(Event::new(id, at, actor, action, target, Outcome::Ok));
        }
    }

    fn tell(&mut self, event: Event) {
        let txn = TxnId::from_uuid(Uuid::from_u128(self.rounds));
        self.txns.insert(event.id, txn);
        self.events.push(event);
    }

    fn note(&mut self, tenant: Tenant, action: Action, vault: VaultId) {
        let id = EventId::from_uuid(self.uuid());
        let Some(home) = self.homes.get(&tenant) else {
            return;
        };
        let target = Target::of(home.id, "vault", ItemId::from(vault.as_uuid()));
        let actor = ActorContext::service("model");
        let now = self.clock.now();
        let event = Event::new(id, now, actor, action, target, Outcome::Ok);
        self.tell(event.with("vault", Datum::Id(vault.as_uuid())));
    }

    fn in_doubt(&self) -> bool {
        let lived = Duration::try_from(self.clock.monotonic()).unwrap_or(Duration::MAX);
        let apart = self.clock.now() - self.born - lived;
        apart.abs() > STEP_MAX && !self.is(Sabotage::ClockTrusted)
    }

    fn purge(&mut self, at: UtcDateTime) {
        let mut purged = BTreeSet::new();
        while let Some((due, tenant, number)) = self.purges.first().copied() {
            if due > at {
                break;
            }
            self.purges.pop_first();
            if let Some(waiting) = self.held.get_mut(&tenant) {
                waiting.insert(number);
                continue;
            }
            purged.insert(tenant);
            self.purge_row(tenant, number);
        }
        for tenant in purged {
            self.flush(tenant);
        }
    }

    fn flush(&mut self, tenant: Tenant) {
        let (no_vacuum, no_checkpoint) =
            (self.is(Sabotage::NoVacuum), self.is(Sabotage::NoCheckpoint));
        let Some(home) = self.homes.get_mut(&tenant) else {
            return;
        };
        if no_vacuum {
            home.disk.vacuum_badly()
        } else {
            home.disk.vacuum()
        }
        if !no_checkpoint {
            home.disk.checkpoint();
        }
    }

    fn purge_databases(&mut self, at: UtcDateTime) {
        let due = self.leaving.iter();
        let due = due.filter(|(tenant, due)| **due <= at && !self.held.contains_key(tenant));
        let due: Vec<_> = due.map(|(tenant, _)| *tenant).collect();
        for tenant in due {
            if self.ended.contains(&tenant) {
                self.end_backups_and_keys(tenant);
            } else if self.back_up(tenant).is_err() {
                continue;
            }
            self.leaving.remove(&tenant);
            self.purges.retain(|(_, of, _)| *of != tenant);
            let rows = self.homes.get(&tenant).map(|home| &home.rows);
            let objects = rows.iter().flat_map(|rows| rows.values());
            let objects: Vec<_> = objects.filter_map(|row| row.attachment).collect();
            if !self.is(Sabotage::StoreSkipped) {
                self.objects.retain(|object, _| !objects.contains(object));
            }
            if self.is(Sabotage::KeyWithPurge)
                && let Some(home) = self.homes.get(&tenant)
            {
                self.keys.remove(&home.data);
            }
            let service = ActorContext::service("purge");
            let item = ItemId::from(i64::from(tenant.0));
            self.record(tenant, service, Action::DatabasePurged, &item);
            if let Some(home) = self.homes.get_mut(&tenant) {
                let live = home.numbered.iter().filter(|(_, number)| {
                    let row = home.rows.get(number);
                    row.is_some_and(|row| row.deleted.is_none())
                });
                home.last = Some(live.map(|(record, _)| *record).collect());
                home.rows.clear();
                home.numbered.clear();
                home.disk = Disk::default();
            }
        }
    }

    fn purge_row(&mut self, tenant: Tenant, number: u64) {
        let index_only = self.is(Sabotage::IndexRowOnly);
        let Some(home) = self.homes.get_mut(&tenant) else {
            return;
        };
        let Some(row) = home.rows.remove(&number) else {
            return;
        };
        home.numbered.retain(|_, row| *row != number);
        if !index_only {
            home.disk.free(row.body);
            if let Some(slot) = row.sensitive {
                home.disk.free(slot);
            }
            if let Some(object) = row.attachment {
                self.objects.remove(&object);
            }
        }
        let purge = ActorContext::service("purge");
        self.record(tenant, purge, Action::RecordPurged, &row.item);
    }
}

impl Subject for Model {
    fn perform<'a>(&'a mut self, act: &'a Act) -> BoxFuture<'a, Result<Seen, Refusal>> {
        self.rounds = self.rounds.saturating_add(1);
        Box::pin(async move {
            match self.do_act(act)? {
                Seen::Certified(unsigned) => people::sign(&unsigned.note).await,
                seen => Ok(seen),
            }
        })
    }

    fn run_until(&mut self, at: UtcDateTime) -> BoxFuture<'_, Result<(), SubjectError>> {
        self.rounds = self.rounds.saturating_add(1);
        Box::pin(async move {
            if !self.in_doubt() {
                self.purge(at);
                self.delete_trials(at);
                self.purge_databases(at);
                self.rotate_keys(at);
                self.destroy_keys(at);
                self.expire(at);
                self.back_up_due(at);
            }
            Ok(())
        })
    }

    fn next_due(&self) -> Option<UtcDateTime> {
        // a doubted clock is looked at again when it is set
        if self.in_doubt() {
            return None;
        }
        let free = |(tenant, _): &(&Tenant, &UtcDateTime)| !self.held.contains_key(tenant);
        let leaving = self.leaving.iter().filter(free).map(|(_, due)| *due).min();
        let purge = self.purges.first().map(|(at, _, _)| *at);
        let end = self.vaults.values().map(|vault| vault.ends).min();
        let key = self.lives.values().filter_map(|life| life.ends).min();
        let rotation = self.next_rotation();
        let trial = self.trials.values().min().copied();
        let all = [purge, end, self.next_backup, trial, leaving, key, rotation];
        all.into_iter().flatten().min()
    }

    fn events(&mut self) -> BoxFuture<'_, Result<Vec<Event>, SubjectError>> {
        Box::pin(async { Ok(self.events.clone()) })
    }

    fn entries(&mut self) -> BoxFuture<'_, Result<Vec<Entry>, SubjectError>> {
        let entries = self.events.iter().map(|event| {
            let mut entry = Entry::from(event);
            entry.recorded.txn = self.txns.get(&event.id).copied();
            entry
        });
        let entries = entries.collect();
        Box::pin(async move { Ok(entries) })
    }

    fn find_bytes<'a>(
        &'a mut self,
        canary: &'a Canary,
    ) -> BoxFuture<'a, Result<Sightings, SubjectError>> {
        Box::pin(async move {
            let mut seen = Sightings::new();
            for home in self.homes.values() {
                home.disk.look(&mut seen, canary);
                for value in home.disk.values() {
                    let times = occurrences(&self.open(value), canary.marker());
                    seen.add_found(Store::Rows, Sight::Opened, times);
                }
            }
            for object in self.objects.values() {
                seen.look(Store::Objects, object, canary);
                let times = occurrences(&self.open(object), canary.marker());
                seen.add_found(Store::Objects, Sight::Opened, times);
            }
            for snapshot in self.vaults.values().flat_map(|vault| &vault.snapshots) {
                seen.look(Store::Backups, &snapshot.bytes, canary);
                let values = backups::values(&self.open(&snapshot.bytes));
                for (_, value) in values {
                    let times = occurrences(&self.open(&value), canary.marker());
                    seen.add_found(Store::Backups, Sight::Opened, times);
                }
            }
            for copy in &self.stolen {
                for (_, value) in backups::values(&self.open(copy)) {
                    let times = occurrences(&self.open(&value), canary.marker());
                    seen.add_found(Store::Replica, Sight::Opened, times);
                }
            }
            Ok(seen)
        })
    }

    fn crash(&mut self, _: CrashPoint) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async {
            Err(SubjectError::new(
                "the model lives in memory and cannot crash",
            ))
        })
    }
}

/// A churned row's content: short, and nowhere else.
fn churned(seed: u64, number: u32) -> Vec<u8> {
    let drawn = stage::draw(seed, &number.to_string(), u64::MAX);
    format!("churned {drawn:016x}").into_bytes()
}

fn snapshot_id(uuid: Uuid) -> SnapshotId {
    SnapshotId::from_uuid(uuid)
}
