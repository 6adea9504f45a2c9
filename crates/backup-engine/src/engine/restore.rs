//! Giving back: one snapshot into a folder in quarantine; and opening all there is, to check it.

use std::path::Path;

use covenant_core::digest::Digest;
use covenant_core::{Secret, SnapshotId};
use crypto_envelope::cobblestone;

use super::Engine;
use super::vault::refuse_dead;
use crate::backups::CheckReport;
use crate::depot::DepotError;
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::format::snapshot::{Entry, SnapshotBody};
use crate::quarantine::Quarantined;

impl Engine {
    /// Restores into `into/.covenant-quarantine-<snapshot>`.
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
        let root = self.root_of(domain, snapshot.epoch).await?;
        let body = self.open_snapshot(&key, &root).await?;
        let folder = into.join(format!(".covenant-quarantine-{}", id.simple()));
        create_private(&folder).map_err(BackupError::Target)?;
        let written = self
            .write_members(domain, snapshot.epoch, &body, &folder)
            .await;
        if let Err(error) = written {
            // The first error is the one that matters; what is left is removed as far as it can be.
            drop(std::fs::remove_dir_all(&folder));
            return Err(error);
        }
        Ok(Quarantined::new(
            domain.clone(),
            id,
            folder,
            body.head,
            body.consistent_at,
        ))
    }

    async fn write_members(
        &self,
        domain: &Domain,
        epoch: Epoch,
        body: &SnapshotBody,
        folder: &Path,
    ) -> Result<(), BackupError> {
        for member in &body.members {
            let path = folder.join(&member.path);
            let mut bytes = Vec::new();
            for index in &member.chunks {
                let entry = usize::try_from(*index)
                    .ok()
                    .and_then(|at| body.entries.get(at));
                let entry = entry.ok_or(BackupError::UnknownSnapshot(body.id))?;
                bytes.extend(self.open_chunk(domain, epoch, entry).await?.expose());
            }
            let written = tokio::task::spawn_blocking(move || write_file(&path, &bytes)).await;
            let written = written
                .map_err(std::io::Error::other)
                .and_then(|outcome| outcome);
            written.map_err(BackupError::Target)?;
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

    async fn root_of(
        &self,
        domain: &Domain,
        epoch: Epoch,
    ) -> Result<Secret<[u8; 32]>, BackupError> {
        let record = self.vault_at(domain, epoch).await?.ok_or_else(|| {
            BackupError::Depot(DepotError::Missing(self.name_of(domain).vault(epoch)))
        })?;
        let vault = self.unlock(domain, &record).await?;
        self.check_tail(domain, &record, &vault).await?;
        Self::seal_root(&vault)
    }

    /// Opens every living snapshot and every chunk of it.
    pub(super) async fn open_all(&self, domain: &Domain) -> Result<CheckReport, BackupError> {
        let now = self.parts.clock.now();
        let mut report = CheckReport::default();
        for (snapshot, key) in self.stored(domain).await? {
            if now >= snapshot.destroy_at {
                continue;
            }
            match self.open_whole(domain, snapshot.epoch, &key).await {
                Ok(()) => report.good.push(snapshot.id),
                Err(
                    BackupError::Corrupt { key } | BackupError::Depot(DepotError::Missing(key)),
                ) => report.corrupt.push(key),
                Err(other) => return Err(other),
            }
        }
        report.corrupt.sort();
        report.corrupt.dedup();
        Ok(report)
    }

    async fn open_whole(
        &self,
        domain: &Domain,
        epoch: Epoch,
        key: &str,
    ) -> Result<(), BackupError> {
        let root = self.root_of(domain, epoch).await?;
        let body = self.open_snapshot(key, &root).await?;
        for entry in &body.entries {
            self.open_chunk(domain, epoch, entry).await?;
        }
        Ok(())
    }
}

/// Makes a folder for its owner alone; an existing one is an error.
fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes a new file durably, its folders included.
fn write_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
