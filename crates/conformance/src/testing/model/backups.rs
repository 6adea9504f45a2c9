//! Backups of the model: one vault for each tenant and civil day, which ends with its root.

use std::collections::BTreeMap;

use covenant_core::{Action, Clock, VaultId};
use time::{Date, Duration, PrimitiveDateTime, Time, UtcDateTime};

use super::figures::Rhythm;
use super::{
    Act, Cadence, Model, Record, Refusal, Sabotage, Seen, Snapshot, SnapshotSeen, Tenant, Vault,
    seal, snapshot_id,
};
use crate::act::{KeysAtHand, Opening, VaultSeen};
use crate::subject;

/// How every copy of the model's database begins.
const HEADER: &[u8] = b"SQLite format 3\0";
/// After how long a failed backup is tried again.
const RETRY: Duration = Duration::HOUR;

impl Model {
    pub(super) fn do_backup_act(&mut self, act: &Act) -> Result<Seen, Refusal> {
        match act {
            Act::BackUp { tenant } => self.back_up(*tenant).map(Seen::Snapshot),
            Act::ListSnapshots { tenant } => {
                let own = self.vaults.iter().filter(|((of, _), _)| of == tenant);
                let all = own.flat_map(|(_, vault)| &vault.snapshots);
                Ok(Seen::Snapshots(all.map(|snapshot| snapshot.seen).collect()))
            }
            Act::RestoreSnapshot {
                tenant,
                snapshot,
                keys,
            } => {
                let own = self.vaults.iter().filter(|((of, _), _)| of == tenant);
                let mut all = own.flat_map(|(_, vault)| &vault.snapshots);
                let found = all.find(|found| found.seen.id == *snapshot);
                let found = found.ok_or_else(|| Refusal::denied("no such backup"))?;
                self.restore(*tenant, &found.bytes, *keys)
            }
            Act::RestoreInPlace { tenant, snapshot } => {
                let own = self.vaults.iter().filter(|((of, _), _)| of == tenant);
                let mut all = own.flat_map(|(_, vault)| &vault.snapshots);
                let found = all.find(|found| found.seen.id == *snapshot);
                let found = found.ok_or_else(|| Refusal::denied("no such backup"))?;
                let content = values(&self.open(&found.bytes));
                self.put_back(*tenant, content)
            }
            Act::RestoreBehindLog { tenant, snapshot } => {
                if !self.is(Sabotage::LogRolledBack) && !self.is(Sabotage::RestoreWithoutReplay) {
                    return Err(Refusal::denied("the log is behind a known head"));
                }
                let own = self.vaults.iter().filter(|((of, _), _)| of == tenant);
                let mut all = own.flat_map(|(_, vault)| &vault.snapshots);
                let found = all.find(|found| found.seen.id == *snapshot);
                let found = found.ok_or_else(|| Refusal::denied("no such backup"))?;
                let content = values(&self.open(&found.bytes)).into_iter();
                let all = content.map(|(record, sealed)| (record, self.open(&sealed)));
                Ok(Seen::Restored(all.collect()))
            }
            Act::ListVaults => {
                let all = self.vaults.iter().map(|((tenant, _), vault)| VaultSeen {
                    vault: vault.id,
                    tenant: *tenant,
                    root: vault.root,
                });
                Ok(Seen::Vaults(all.collect()))
            }
            Act::TryVaultRoot { vault, root_of } => self.try_root(*vault, *root_of),
            other => Err(Refusal::Unsupported(other.kind())),
        }
    }

    pub(super) fn back_up(&mut self, tenant: Tenant) -> Result<SnapshotSeen, Refusal> {
        let now = self.clock.now();
        if self.depot_down_until.is_some_and(|until| now < until) {
            let none = VaultId::from_uuid(self.uuid());
            self.note(tenant, Action::BackupFailed, none);
            return Err(Refusal::failed(subject::SubjectError::new(
                "the depot is down",
            )));
        }
        let content = self.content(tenant)?;
        let day = self.figures.zone.civil_date(now);
        let root = self.root(tenant, day);
        let salt = self.salt();
        let plain = self.is(Sabotage::BackupPlaintext);
        let sealed = self.keys.get(&root).filter(|_| !plain);
        let bytes = sealed.map_or(content.clone(), |key| seal::seal(key, salt, &content));
        let seen = SnapshotSeen {
            id: snapshot_id(self.uuid()),
            consistent_at: now,
            completed_at: now,
        };
        let (floor, ceiling) = self.figures.backup(now, now);
        let ends = match self.sabotage {
            Some(Sabotage::BackupGoneEarly) => floor - Duration::seconds(2),
            Some(Sabotage::BackupKeptLate) => ceiling + Duration::seconds(2),
            Some(Sabotage::WrongStartEvent) => ceiling + Duration::days(30),
            _ => floor,
        };
        if let Some(vault) = self.vaults.get_mut(&(tenant, day)) {
            vault.ends = vault.ends.max(ends);
            vault.snapshots.push(Snapshot { seen, bytes });
            let id = vault.id;
            self.note(tenant, Action::BackupCompleted, id);
        }
        Ok(seen)
    }

    /// The root of the vault of this tenant and day, made if it is not there.
    fn root(&mut self, tenant: Tenant, day: Date) -> covenant_core::KeyId {
        if let Some(vault) = self.vaults.get(&(tenant, day)) {
            return vault.root;
        }
        let shared = self.vaults.values().map(|vault| vault.root).next();
        let root = match shared.filter(|_| self.is(Sabotage::VaultKeyShared)) {
            Some(root) => root,
            None => self.key(),
        };
        let id = VaultId::from_uuid(self.uuid());
        let vault = Vault {
            id,
            root,
            ends: UtcDateTime::MIN,
            snapshots: Vec::new(),
        };
        self.vaults.insert((tenant, day), vault);
        root
    }

    fn content(&self, tenant: Tenant) -> Result<Vec<u8>, Refusal> {
        let home = self.any_home(tenant)?;
        let mut bytes = HEADER.to_vec();
        for (record, number) in &home.numbered {
            let stored = home
                .rows
                .get(number)
                .and_then(|row| home.disk.read(row.body));
            let stored = stored.unwrap_or_default();
            bytes.extend_from_slice(&record.0.to_be_bytes());
            let len = u32::try_from(stored.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(stored);
        }
        Ok(bytes)
    }

    fn restore(&self, tenant: Tenant, bytes: &[u8], keys: KeysAtHand) -> Result<Seen, Refusal> {
        let content = match keys {
            KeysAtHand::None => bytes.to_vec(),
            KeysAtHand::All => {
                let opened = self.keys.values().find_map(|key| seal::open(key, bytes));
                opened.unwrap_or_else(|| bytes.to_vec())
            }
        };
        if !content.starts_with(HEADER) {
            return Err(Refusal::denied("not authentic"));
        }
        let home = self.any_home(tenant)?;
        let live = |record: &Record| {
            if self.is(Sabotage::RestoreWithoutReplay) {
                return true;
            }
            if let Some(last) = &home.last {
                return last.contains(record);
            }
            let row = home
                .numbered
                .get(record)
                .and_then(|number| home.rows.get(number));
            row.is_some_and(|row| row.deleted.is_none())
        };
        let all = values(&content)
            .into_iter()
            .filter(|(record, _)| live(record));
        let read: BTreeMap<_, _> = all
            .map(|(record, sealed)| (record, self.open(&sealed)))
            .collect();
        Ok(Seen::Restored(read))
    }

    fn try_root(&self, vault: VaultId, root_of: VaultId) -> Result<Seen, Refusal> {
        let find = |id: VaultId| self.vaults.values().find(|vault| vault.id == id);
        let object = find(vault).and_then(|vault| vault.snapshots.first());
        let key = find(root_of).and_then(|vault| self.keys.get(&vault.root));
        let (Some(object), Some(key)) = (object, key) else {
            return Err(Refusal::denied("no such vault"));
        };
        Ok(Seen::Trial(match seal::open(key, &object.bytes) {
            Some(_) => Opening::Opened,
            None => Opening::Refused,
        }))
    }

    pub(super) fn expire(&mut self, at: UtcDateTime) {
        let due = self.vaults.iter().filter(|(_, vault)| vault.ends <= at);
        let due: Vec<_> = due.map(|(place, _)| *place).collect();
        for place in due {
            if let Some(vault) = self.vaults.remove(&place) {
                if self.is(Sabotage::ChunkKeyKept) {
                    self.stolen
                        .extend(vault.snapshots.into_iter().map(|one| one.bytes));
                } else {
                    self.keys.remove(&vault.root);
                }
                self.note(place.0, Action::KeyDestroyed, vault.id);
                self.note(place.0, Action::BackupPurged, vault.id);
            }
        }
    }

    pub(super) fn back_up_due(&mut self, at: UtcDateTime) {
        let Some(due) = self.next_backup.filter(|due| *due <= at) else {
            return;
        };
        let tenants = self.homes.iter().filter(|(_, home)| !home.deleted);
        let tenants: Vec<_> = tenants.map(|(tenant, _)| *tenant).collect();
        let mut all_done = true;
        for tenant in tenants {
            all_done &= self.back_up(tenant).is_ok();
        }
        let retry = !all_done && !self.is(Sabotage::FailedCountedAsDone);
        self.next_backup = Some(if retry {
            at + RETRY
        } else {
            self.slot_after(due)
        });
    }

    /// When the next backup is due after this one: in an hour, or at half past two of the next
    /// night.
    pub(super) fn slot_after(&self, after: UtcDateTime) -> UtcDateTime {
        if self.figures.rhythm == Rhythm::Hourly && self.cadence == Cadence::AsPromised {
            return after + Duration::HOUR;
        }
        let zone = &self.figures.zone;
        let half_past_two = Time::from_hms(2, 30, 0).unwrap_or(Time::MIDNIGHT);
        let mut date = zone.civil_date(after);
        loop {
            let local = PrimitiveDateTime::new(date, half_past_two);
            let window = zone.instants(local);
            let next = date.next_day().unwrap_or(date);
            let odd = zone.start_of(next) - zone.start_of(date) != Duration::DAY;
            let skipped = odd && self.is(Sabotage::NightSkippedAtDst);
            match window {
                Some(window) if window.earliest > after && !skipped => return window.earliest,
                Some(_) if next != date => date = next,
                _ => return after + Duration::DAY,
            }
        }
    }
}

/// The numbered records in a backup's content, sealed as they lay in the database.
pub(super) fn values(content: &[u8]) -> Vec<(Record, Vec<u8>)> {
    let mut all = Vec::new();
    let mut rest = content.strip_prefix(HEADER).unwrap_or_default();
    while let Some((number, after)) = rest.split_first_chunk::<4>() {
        let Some((len, after)) = after.split_first_chunk::<4>() else {
            break;
        };
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        let Some((value, after)) = after.split_at_checked(len) else {
            break;
        };
        all.push((Record(u32::from_be_bytes(*number)), value.to_vec()));
        rest = after;
    }
    all
}
