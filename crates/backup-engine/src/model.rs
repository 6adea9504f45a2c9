//! [`Backups`] in memory: the model for property tests, and what a test of another crate holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use covenant_core::{BoxFuture, Clock, Random, SnapshotId, VaultId};

use crate::backups::{Backups, CheckReport, Expired, ExpiryItem, Snapshot};
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::folder::Folder;
use crate::format::snapshot::{LogHead, paths_are_sound};
use crate::policy::BackupPolicy;
use crate::quarantine::Quarantined;
use crate::source::{Source, SourceError};

/// Keeps whole copies in a map; follows the same policy, seals nothing.
#[derive(Debug)]
pub struct MemoryBackups {
    policy: BackupPolicy,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    kept: Mutex<BTreeMap<(Domain, SnapshotId), Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    snapshot: Snapshot,
    head: LogHead,
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryBackups {
    /// No snapshots yet.
    #[must_use]
    pub const fn new(policy: BackupPolicy, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            policy,
            clock,
            random,
            kept: Mutex::new(BTreeMap::new()),
        }
    }

    fn of(&self, domain: &Domain) -> Vec<Kept> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<Kept> = kept
            .iter()
            .filter(|((d, _), _)| d == domain)
            .map(|(_, kept)| kept.clone())
            .collect();
        found.sort_by_key(|kept| (kept.snapshot.completed, kept.snapshot.id));
        found
    }

    fn remove(&self, domain: &Domain, epoch: Epoch) -> Expired {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.len();
        all.retain(|(d, _), kept| d != domain || kept.snapshot.epoch != epoch);
        let gone = before.saturating_sub(all.len());
        Expired {
            objects: u64::try_from(gone).unwrap_or(u64::MAX),
        }
    }

    async fn copy(source: &mut dyn Source) -> Result<BTreeMap<String, Vec<u8>>, SourceError> {
        let mut files = BTreeMap::new();
        for file in source.begin().await? {
            let mut bytes: Vec<u8> = Vec::new();
            while u64::try_from(bytes.len()).unwrap_or(u64::MAX) < file.len {
                let offset = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                let part = source.read(&file.path, offset, 65_536).await?;
                if part.is_empty() {
                    return Err(SourceError::Changed);
                }
                bytes.extend(part);
            }
            files.insert(file.path, bytes);
        }
        Ok(files)
    }
}

impl Backups for MemoryBackups {
    fn run<'a>(
        &'a self,
        domain: &'a Domain,
        source: &'a mut dyn Source,
        head: LogHead,
    ) -> BoxFuture<'a, Result<Snapshot, BackupError>> {
        Box::pin(async move {
            let copied = Self::copy(source).await;
            let ended = source.end().await;
            let files = copied?;
            ended?;
            if !paths_are_sound(files.keys().map(String::as_str)) {
                return Err(SourceError::Unfit("paths in normal form").into());
            }
            let completed = self.clock.now();
            let epoch = self.policy.epoch_at(completed);
            let mut id = [0_u8; 16];
            self.random.fill(&mut id)?;
            let completed = completed.replace_nanosecond(0).unwrap_or(completed);
            let destroy_at = self.policy.destroy_at(epoch)?;
            let id = SnapshotId::from_bytes(id);
            let snapshot = Snapshot {
                id,
                epoch,
                completed,
                destroy_at,
            };
            let kept = Kept {
                snapshot: snapshot.clone(),
                head,
                files,
            };
            let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert((domain.clone(), id), kept);
            Ok(snapshot)
        })
    }

    fn snapshots<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> BoxFuture<'a, Result<Vec<Snapshot>, BackupError>> {
        let now = self.clock.now();
        let all = self.of(domain).into_iter().map(|kept| kept.snapshot);
        let living = all.filter(|snapshot| now < snapshot.destroy_at).collect();
        Box::pin(async { Ok(living) })
    }

    fn items<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> BoxFuture<'a, Result<Vec<ExpiryItem>, BackupError>> {
        let mut items: BTreeMap<Epoch, ExpiryItem> = BTreeMap::new();
        for Kept { snapshot, .. } in self.of(domain) {
            let item = items.entry(snapshot.epoch).or_insert_with(|| ExpiryItem {
                vault: VaultId::from_bytes(*snapshot.id.as_bytes()),
                epoch: snapshot.epoch,
                start: snapshot.epoch.start(&self.policy.zone),
                last_completed: snapshot.completed,
                destroy_at: snapshot.destroy_at,
            });
            item.last_completed = item.last_completed.max(snapshot.completed);
        }
        Box::pin(async { Ok(items.into_values().collect()) })
    }

    fn restore<'a>(
        &'a self,
        domain: &'a Domain,
        snapshot: SnapshotId,
        into: &'a Path,
    ) -> BoxFuture<'a, Result<Quarantined, BackupError>> {
        Box::pin(async move {
            let found = self
                .of(domain)
                .into_iter()
                .find(|kept| kept.snapshot.id == snapshot);
            let Kept {
                snapshot: known,
                head,
                files,
            } = found.ok_or(BackupError::UnknownSnapshot(snapshot))?;
            if self.clock.now() >= known.destroy_at {
                let Snapshot {
                    epoch, destroy_at, ..
                } = known;
                return Err(BackupError::Dead { epoch, destroy_at });
            }
            let folder = Folder::create(into, snapshot, self.random.as_ref())?;
            for (path, bytes) in &files {
                let mut file = folder.create_file(path).map_err(BackupError::Target)?;
                std::io::Write::write_all(&mut file, bytes).map_err(BackupError::Target)?;
            }
            Ok(Quarantined::new(
                domain.clone(),
                snapshot,
                folder,
                head,
                known.completed,
            ))
        })
    }

    fn expire<'a>(
        &'a self,
        domain: &'a Domain,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Expired, BackupError>> {
        Box::pin(async move {
            let destroy_at = self.policy.destroy_at(epoch)?;
            if self.clock.now() < destroy_at {
                return Err(BackupError::NotDue { epoch, destroy_at });
            }
            Ok(self.remove(domain, epoch))
        })
    }

    fn end<'a>(
        &'a self,
        domain: &'a Domain,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Expired, BackupError>> {
        Box::pin(async move {
            let kept = self.of(domain).into_iter();
            let of_epoch = kept.filter(|kept| kept.snapshot.epoch == epoch);
            if let Some(last) = of_epoch.map(|kept| kept.snapshot.completed).max() {
                let destroy_at = self.policy.keep_until(last)?;
                if self.clock.now() < destroy_at {
                    return Err(BackupError::NotDue { epoch, destroy_at });
                }
            }
            Ok(self.remove(domain, epoch))
        })
    }

    fn check<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<CheckReport, BackupError>> {
        Box::pin(async move {
            let good = self
                .snapshots(domain)
                .await?
                .into_iter()
                .map(|s| s.id)
                .collect();
            Ok(CheckReport {
                good,
                ..CheckReport::default()
            })
        })
    }
}
