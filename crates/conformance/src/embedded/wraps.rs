//! The sabotages of the embedded subject: each is one joint of the assembly, wrapped. Those of its
//! listener are in `front.rs`; who is taken for an administrator is decided in `keys.rs`.

mod access;
mod backups;
mod bucket;
mod depot;
mod files;
mod keys;
mod own_rules;
mod records;
mod restores;
mod sealing;
mod tenants;
mod time;

use std::path::Path;
use std::sync::{Arc, PoisonError};

use ::time::{Duration, UtcDateTime};
use backup_engine::testing::FaultDepot;
use backup_engine::{BackupPolicy, Schedule};
use covenant::{RecordTables, Wrap, Wraps};
use covenant_core::{Action, Clock, EventSink, PeriodError};
use retention_policy::testing::physical::NoVacuum;
use tenant_isolation::TenantState;

pub(super) use depot::{Strain, Strained};

use super::Switches;
use crate::act::Cadence;
use crate::sabotage::Sabotage;

/// The sabotages that can be built here.
pub(super) const BUILT: &[Sabotage] = &[
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

/// The wraps of a sabotage, for a deployment in this folder; none for the sound system.
pub(super) fn of(sabotage: Option<Sabotage>, folder: &Path, clock: &Arc<dyn Clock>) -> Wraps {
    let mut wraps = Wraps::default();
    let Some(sabotage) = sabotage else {
        return wraps;
    };
    match sabotage {
        Sabotage::PurgeLate => {
            wraps.retention = Some(Box::new(|sound| Arc::new(time::Shifted::late(sound))));
        }
        Sabotage::PurgeEarly => {
            wraps.retention = Some(Box::new(|sound| Arc::new(time::Shifted::early(sound))));
        }
        Sabotage::TerminationLate => {
            wraps.retention = Some(Box::new(|sound| Arc::new(time::ForgetsContract(sound))));
        }
        Sabotage::ClockTrusted => {
            wraps.clock = Some(Box::new(|sound| Arc::new(time::TrustingClock::new(sound))));
        }
        Sabotage::NightSkippedAtDst => {
            wraps.schedule = Some(Box::new(|_sound| Arc::new(time::CronSchedule)));
        }
        Sabotage::IndexRowOnly => {
            wraps.tables = Some(tables(records::Flaw::IndexRowOnly));
        }
        Sabotage::BinVisible => {
            wraps.tables = Some(tables(records::Flaw::BinVisible));
        }
        Sabotage::RoleByMember => {
            wraps.registry = Some(Box::new(|sound| Arc::new(tenants::RoleByMember(sound))));
        }
        Sabotage::BinLost => {
            wraps.tables = Some(tables(records::Flaw::BinLost));
        }
        Sabotage::ObjectStillPublic => {
            wraps.files = Some(Box::new(|sound| Arc::new(files::Unremoved(sound))));
        }
        Sabotage::BucketUnasked => {
            wraps.scratch = Some(Box::new(|sound| Arc::new(bucket::Unasked(sound))));
        }
        Sabotage::NoVacuum => {
            wraps.flush = Some(Box::new(|_sound| Arc::new(NoVacuum)));
        }
        Sabotage::NoCheckpoint => {
            wraps.flush = Some(Box::new(|_sound| Arc::new(records::VacuumOnly::default())));
        }
        Sabotage::ChangeUnlogged => {
            wraps.sink = Some(silent(access::is_change));
        }
        Sabotage::AccessUnlogged => {
            wraps.sink = Some(silent(access::is_access));
        }
        Sabotage::DeletedReadableInCache => {
            wraps.registry = Some(Box::new(|sound| Arc::new(tenants::Cached::new(sound))));
        }
        Sabotage::TrialForgotten => {
            let forget = |sound| tenants::Forgets::new(sound, TenantState::Expired);
            wraps.registry = Some(Box::new(move |sound| Arc::new(forget(sound))));
        }
        Sabotage::DeleteDropped => {
            let forget = |sound| tenants::Forgets::new(sound, TenantState::Deleted);
            wraps.registry = Some(Box::new(move |sound| Arc::new(forget(sound))));
        }
        Sabotage::TenantWeakens => {
            wraps.narrowing = Some(Box::new(|_sound| Arc::new(own_rules::InPlace)));
        }
        Sabotage::HoldIgnored => {
            wraps.holds = Some(Box::new(|sound| Arc::new(restores::HoldIgnored(sound))));
        }
        Sabotage::HoldLostOnRestore => {
            wraps.holds = Some(Box::new(|sound| Arc::new(restores::HoldLost(sound))));
        }
        Sabotage::ExpiredReadable => {
            wraps.registry = Some(Box::new(|sound| Arc::new(tenants::StillInUse(sound))));
        }
        Sabotage::DisabledKeyWorks | Sabotage::LockWithoutKey => {
            wraps.key_store = Some(keys::wrap(keys::Flaw::StaysOn));
        }
        Sabotage::DestroyedAtOnce => {
            wraps.key_store = Some(keys::wrap(keys::Flaw::NoWait(Arc::clone(clock))));
        }
        Sabotage::DestroyedLate => {
            wraps.key_store = Some(keys::wrap(keys::Flaw::LongWait));
        }
        Sabotage::RotationMissed => {
            wraps.key_store = Some(keys::wrap(keys::Flaw::NeverExpires));
        }
        Sabotage::RotationLosesOld => {
            wraps.key_store = Some(keys::wrap(keys::Flaw::BuriesMoved(Arc::clone(clock))));
        }
        Sabotage::UnwrapUnlogged => {
            wraps.key_store = Some(keys::wrap(keys::Flaw::ForgetsUnwraps));
        }
        Sabotage::FieldPlain => {
            wraps.sealer = Some(Box::new(|sound| Arc::new(sealing::Plain(sound))));
        }
        Sabotage::Aes128 => {
            wraps.sealer = Some(Box::new(|sound| Arc::new(sealing::HalfKey(sound))));
        }
        Sabotage::OneLayer => {
            wraps.sealer = Some(Box::new(|sound| Arc::new(sealing::OneLayer(sound))));
        }
        Sabotage::BackupPlaintext => {
            let folder = folder.join("depot/copies");
            let wrap = move |sound| Arc::new(backups::LeavesCopy::new(sound, folder)) as Arc<_>;
            wraps.backups = Some(Box::new(wrap));
        }
        Sabotage::FailedCountedAsDone => {
            let clock = Arc::clone(clock);
            let wrap = move |sound| Arc::new(backups::Optimist::new(sound, clock)) as Arc<_>;
            wraps.backups = Some(Box::new(wrap));
        }
        Sabotage::VaultKeyShared => {
            wraps.vault_keys = Some(Box::new(|sound| Arc::new(backups::OneRoot::new(sound))));
        }
        Sabotage::BackupGoneEarly => {
            wraps.vault_keys = Some(Box::new(|sound| Arc::new(backups::MovedEnd::early(sound))));
        }
        Sabotage::ChunkKeyKept => {
            wraps.vault_keys = Some(Box::new(|sound| {
                Arc::new(backups::MovedEnd::outliving(sound))
            }));
        }
        Sabotage::WrongStartEvent => {
            wraps.vault_keys = Some(Box::new(|sound| Arc::new(backups::MovedEnd::by_bin(sound))));
            wraps.backups = Some(Box::new(|sound| Arc::new(backups::NeverExpires(sound))));
        }
        Sabotage::RestoreWithoutReplay => {
            wraps.gate = Some(Arc::new(|_sound| Arc::new(restores::OpenGate)));
        }
        Sabotage::LogRolledBack => {
            wraps.gate = Some(Arc::new(|sound| Arc::new(restores::AnyLog(sound))));
        }
        Sabotage::StoreSkipped => {
            wraps.holdings = Some(Box::new(|sound| Arc::new(tenants::WithoutObjects(sound))));
            wraps.tenants = Some(Box::new(|sound| Arc::new(tenants::Unremoved(sound))));
        }
        Sabotage::KeyWithPurge => {
            let clock = Arc::clone(clock);
            wraps.key_store = Some(keys::wrap(keys::Flaw::DiesWithPurge(clock)));
        }
        Sabotage::BackupKeptLate => {
            wraps.vault_keys = Some(Box::new(|sound| Arc::new(backups::MovedEnd::late(sound))));
            wraps.backups = Some(Box::new(|sound| Arc::new(backups::NeverExpires(sound))));
        }
        _ => {}
    }
    wraps
}

/// What every subject has, the sound one too: a depot that the scenario can break, and a cadence
/// that it can set; and the one way to a deleted file that stays open, where a sabotage has one.
pub(super) fn add_switches(wraps: &mut Wraps, switches: &Switches) {
    let faults = Arc::clone(&switches.faults);
    let strain = Arc::clone(&switches.strain);
    wraps.depot = Some(Box::new(move |sound| {
        let strained = Arc::new(depot::StrainedDepot::new(sound, strain));
        Arc::new(FaultDepot::new(strained, faults))
    }));
    if let Some(way) = switches.open_way {
        let wrap = move |sound| Arc::new(files::OneWayOpen::new(sound, way)) as Arc<_>;
        wraps.files = Some(Box::new(wrap));
    }
    let cadence = Arc::clone(&switches.cadence);
    let inner = wraps.schedule.take();
    wraps.schedule = Some(Box::new(move |sound| {
        let promised = match inner {
            Some(wrap) => wrap(sound),
            None => sound,
        };
        Arc::new(Switched { cadence, promised })
    }));
}

/// A deployment whose store of attached files keeps every version of what was deleted.
pub(super) fn add_versions(wraps: &mut Wraps) {
    let inner = wraps.scratch.take();
    wraps.scratch = Some(Box::new(move |sound| {
        let versioned = Arc::new(bucket::Versioned::new(sound));
        match inner {
            Some(wrap) => wrap(versioned),
            None => versioned,
        }
    }));
}

/// A schedule whose cadence the scenario sets.
#[derive(Debug)]
struct Switched {
    cadence: Arc<std::sync::Mutex<Cadence>>,
    promised: Arc<dyn Schedule>,
}

impl Schedule for Switched {
    fn next_due(
        &self,
        policy: &BackupPolicy,
        since: UtcDateTime,
        completed: &[UtcDateTime],
        now: UtcDateTime,
    ) -> Result<UtcDateTime, PeriodError> {
        match *self.cadence.lock().unwrap_or_else(PoisonError::into_inner) {
            Cadence::AsPromised => self.promised.next_due(policy, since, completed, now),
            Cadence::Daily => {
                let last = completed.iter().copied().filter(|at| *at <= now).max();
                Ok(last.map_or(since, |last| last.saturating_add(Duration::DAY)))
            }
            // Beyond every scenario, and still a date of the calendar.
            Cadence::Off => Ok(now.saturating_add(Duration::days(36_500))),
        }
    }
}

fn tables(flaw: records::Flaw) -> Wrap<dyn RecordTables> {
    Box::new(move |sound| Arc::new(records::Tables { sound, flaw }))
}

fn silent(about: fn(Action) -> bool) -> Wrap<dyn EventSink> {
    Box::new(move |sound| Arc::new(access::Silent { sound, about }))
}
