//! Giving back: one snapshot into a folder in quarantine; and opening all there is, to check it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use covenant_core::digest::Digest;
use covenant_core::{Secret, SnapshotId};
use crypto_envelope::cobblestone;

use super::Engine;
use super::vault::refuse_dead;
use crate::backups::{CheckReport, Snapshot};
use crate::depot::DepotError;
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::folder::Folder;
use crate::format::snapshot::{Entry, SnapshotBody};
use crate::quarantine::Quarantined;

impl Engine {
    /// Restores into a folder of its own below `into`.
    pub(super) async fn give_back(
        &self,
        domain: &Domain,
        id: SnapshotId,
        into: &Path,
    ) -> Result<Quarantined, BackupError> {
        let stored = self.stored(domain).await?;
        let (snapshot, key) = stored
            .into_iter()
            .find(|(snapshot, _)| snapshot.id == id)
            .ok_or(BackupError::UnknownSnapshot(id))?;
        refuse_dead(snapshot.epoch, snapshot.destroy_at, self.parts.clock.now())?;
        let (_vault, root) = self.root_of(domain, snapshot.epoch).await?;
        let (body, _digest) = self.open_snapshot(&key, &root).await?;
        let folder = Folder::create(into, id, self.parts.random.as_ref())?;
        self.write_members(domain, snapshot.epoch, &body, &folder)
            .await?;
        Ok(Quarantined::new(
            domain.clone(),
            id,
            folder,
            body.head,
            body.consistent_at,
        ))
    }

    /// Writes the files chunk by chunk; on an error or a drop the folder goes with all that is in it.
    async fn write_members(
        &self,
        domain: &Domain,
        epoch: Epoch,
        body: &SnapshotBody,
        folder: &Folder,
    ) -> Result<(), BackupError> {
        for member in &body.members {
            let mut file = folder
                .create_file(&member.path)
                .map_err(BackupError::Target)?;
            for index in &member.chunks {
                let entry = usize::try_from(*index)
                    .ok()
                    .and_then(|at| body.entries.get(at));
                let entry = entry.ok_or(BackupError::UnknownSnapshot(body.id))?;
                let plain = self.open_chunk(domain, epoch, entry).await?;
                let written = tokio::task::spawn_blocking(move || {
                    file.write_all(plain.expose()).map(|()| file)
                });
                let written = written.await.map_err(std::io::Error::other);
                file = written
                    .and_then(|outcome| outcome)
                    .map_err(BackupError::Target)?;
            }
        }
        Ok(())
    }

    pub(super) async fn open_chunk(
        &self,
        domain: &Domain,
        epoch: Epoch,
        entry: &Entry,
    ) -> Result<Secret<Vec<u8>>, BackupError> {
        let key = self.name_of(domain).pack(epoch, entry.pack);
        let end = entry.offset.saturating_add(u64::from(entry.stored_len));
        let sealed = self.parts.depot.read(&key, Some(entry.offset..end)).await?;
        let context = self.chunk_context(domain, entry.id);
        match cobblestone::open(&entry.key, &context, &sealed) {
            Ok(plain) if Digest::of(plain.expose()) == entry.digest => Ok(plain),
            _ => Err(BackupError::Corrupt { key }),
        }
    }

    /// Opens every living snapshot and every chunk of it, and goes on after what does not open.
    pub(super) async fn open_all(&self, domain: &Domain) -> Result<CheckReport, BackupError> {
        let now = self.parts.clock.now();
        let mut report = CheckReport::default();
        let mut by_epoch: BTreeMap<Epoch, Vec<(Snapshot, String)>> = BTreeMap::new();
        for (snapshot, key) in self.stored(domain).await? {
            if now < snapshot.destroy_at {
                let of_epoch = by_epoch.entry(snapshot.epoch).or_default();
                of_epoch.push((snapshot, key));
            }
        }
        for (epoch, snapshots) in by_epoch {
            let root = match self.root_of(domain, epoch).await {
                Ok((_vault, root)) => root,
                Err(BackupError::Key(_)) => {
                    report.locked.push(epoch);
                    continue;
                }
                Err(error) => {
                    report.corrupt.push(damaged(error)?);
                    continue;
                }
            };
            let mut sound: BTreeMap<[u8; 16], bool> = BTreeMap::new();
            for (snapshot, key) in snapshots {
                let body = match self.open_snapshot(&key, &root).await {
                    Ok((body, _digest)) => body,
                    Err(error) => {
                        report.corrupt.push(damaged(error)?);
                        continue;
                    }
                };
                let mut good = true;
                for entry in &body.entries {
                    let known = sound.get(&entry.id).copied();
                    let opens = match known {
                        Some(known) => known,
                        None => match self.open_chunk(domain, epoch, entry).await {
                            Ok(_plain) => true,
                            Err(error) => {
                                report.corrupt.push(damaged(error)?);
                                false
                            }
                        },
                    };
                    sound.insert(entry.id, opens);
                    good &= opens;
                }
                if good {
                    report.good.push(snapshot.id);
                }
            }
        }
        report.corrupt.sort();
        report.corrupt.dedup();
        Ok(report)
    }
}

/// The object that is missing or damaged; other errors say nothing about what is stored.
fn damaged(error: BackupError) -> Result<String, BackupError> {
    match error {
        BackupError::Corrupt { key } | BackupError::Depot(DepotError::Missing(key)) => Ok(key),
        other => Err(other),
    }
}
