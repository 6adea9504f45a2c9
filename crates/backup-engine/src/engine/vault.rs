//! Vaults: minting one, finding those there are, and removing what is left of a dead one.

use bytes::Bytes;
use covenant_core::event::Datum;
use covenant_core::{Action, SnapshotId, VaultId};
use crypto_envelope::{EpochName, VaultKey, cobblestone};
use time::UtcDateTime;

use super::Engine;
use crate::backups::{Expired, ExpiryItem, Snapshot};
use crate::depot::{Created, DepotError};
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::format::vault::VaultRecord;

/// What seals snapshots.
pub(super) const SEAL: &[u8] = b"covenant/backup/v0/seal";
/// What proves that a vault record was written under the vault's own root.
const MAC: &[u8] = b"covenant/backup/v0/mac";

impl Engine {
    /// The vault of the epoch, minted if there is none. Who loses a race uses the winner's.
    pub(super) async fn vault_for(
        &self,
        domain: &Domain,
        epoch: Epoch,
    ) -> Result<(VaultRecord, VaultKey), BackupError> {
        let key = self.name_of(domain).vault(epoch);
        if let Some(record) = self.vault_at(domain, epoch).await? {
            let opened = self.unlock(domain, &record).await?;
            return Ok((record, opened));
        }
        let vault = VaultId::from_bytes(self.random()?);
        let destroy_at = self.parts.policy.destroy_at(epoch)?;
        let name: EpochName = epoch
            .to_string()
            .parse()
            .map_err(|_error| BackupError::EpochName(epoch))?;
        // clause: Q-13
        let root = self
            .parts
            .keys
            .vault_root(domain.tenant(), vault, &name, destroy_at)
            .await
            .map_err(BackupError::Key)?;
        let record = VaultRecord {
            repo: self.parts.repo,
            domain: self.name_of(domain),
            epoch,
            start: epoch.start(&self.parts.policy.zone),
            end: self.parts.policy.end_of(epoch),
            vault,
            root: root.version,
            kek: root.kek,
            destroy_at,
        };
        let opened = self.unlock(domain, &record).await?;
        let mut bytes = record.head();
        let mac = opened.derive(MAC).map_err(BackupError::Key)?;
        bytes.extend(cobblestone::seal(
            mac.expose(),
            &record.head(),
            &[],
            self.parts.random.as_ref(),
        )?);
        match self.parts.depot.create(&key, Bytes::from(bytes)).await? {
            Created::New | Created::AlreadyMine => Ok((record, opened)),
            Created::TakenBy(_) => {
                let winner = self.vault_at(domain, epoch).await?;
                let winner = winner.ok_or_else(|| BackupError::Corrupt { key })?;
                let opened = self.unlock(domain, &winner).await?;
                Ok((winner, opened))
            }
        }
    }

    /// The record of the epoch's vault, if it has one. Its tail is checked when it is unlocked.
    pub(super) async fn vault_at(
        &self,
        domain: &Domain,
        epoch: Epoch,
    ) -> Result<Option<VaultRecord>, BackupError> {
        let name = self.name_of(domain);
        let key = name.vault(epoch);
        let bytes = match self.parts.depot.read(&key, None).await {
            Err(DepotError::Missing(_)) => return Ok(None),
            other => other?,
        };
        match VaultRecord::parse(&bytes) {
            Ok((record, _tail))
                if record.domain == name
                    && record.epoch == epoch
                    && record.repo == self.parts.repo =>
            {
                Ok(Some(record))
            }
            _ => Err(BackupError::Corrupt { key }),
        }
    }

    /// The vault's root, once the record's tail has shown that it was written under it.
    pub(super) async fn unlock(
        &self,
        domain: &Domain,
        record: &VaultRecord,
    ) -> Result<VaultKey, BackupError> {
        let unlocked = self
            .parts
            .keys
            .unlock_vault(domain.tenant(), record.vault)
            .await;
        unlocked.map_err(BackupError::Key)
    }

    /// Whether the stored tail was written under this root.
    pub(super) async fn check_tail(
        &self,
        domain: &Domain,
        record: &VaultRecord,
        opened: &VaultKey,
    ) -> Result<(), BackupError> {
        let key = self.name_of(domain).vault(record.epoch);
        let bytes = self.parts.depot.read(&key, None).await?;
        let mac = opened.derive(MAC).map_err(BackupError::Key)?;
        let authentic = VaultRecord::parse(&bytes)
            .ok()
            .and_then(|(_, tail)| cobblestone::open(mac.expose(), &record.head(), tail).ok());
        authentic
            .map(|_nothing| ())
            .ok_or(BackupError::Corrupt { key })
    }

    /// What seals the snapshots of a vault.
    pub(super) fn seal_root(
        opened: &VaultKey,
    ) -> Result<covenant_core::Secret<[u8; 32]>, BackupError> {
        opened.derive(SEAL).map_err(BackupError::Key)
    }

    /// Every stored snapshot with its key, oldest first, those of dead vaults included.
    pub(super) async fn stored(
        &self,
        domain: &Domain,
    ) -> Result<Vec<(Snapshot, String)>, BackupError> {
        let name = self.name_of(domain);
        let mut found = Vec::new();
        for key in self.parts.depot.list(&name.vaults()).await? {
            let Some((epoch, completed, id)) = name.snapshot_of(&key) else {
                continue;
            };
            let destroy_at = self.parts.policy.destroy_at(epoch)?;
            let id = SnapshotId::from_bytes(id);
            found.push((
                Snapshot {
                    id,
                    epoch,
                    completed,
                    destroy_at,
                },
                key,
            ));
        }
        found.sort_by_key(|(snapshot, _)| (snapshot.completed, snapshot.id));
        Ok(found)
    }

    /// Every vault that has a prefix, oldest first.
    pub(super) async fn vaults(&self, domain: &Domain) -> Result<Vec<ExpiryItem>, BackupError> {
        let name = self.name_of(domain);
        let mut epochs: Vec<Epoch> = Vec::new();
        for key in self.parts.depot.list(&name.vaults()).await? {
            epochs.extend(name.epoch_of(&key));
        }
        epochs.sort();
        epochs.dedup();
        let stored = self.stored(domain).await?;
        let mut items = Vec::new();
        for epoch in epochs {
            let start = epoch.start(&self.parts.policy.zone);
            let last = stored
                .iter()
                .filter(|(s, _)| s.epoch == epoch)
                .map(|(s, _)| s.completed);
            let record = self.vault_at(domain, epoch).await?;
            items.push(ExpiryItem {
                vault: record.map_or(VaultId::from_bytes([0; 16]), |record| record.vault),
                epoch,
                start,
                last_completed: last.max().unwrap_or(start),
                destroy_at: self.parts.policy.destroy_at(epoch)?,
            });
        }
        Ok(items)
    }

    /// Removes what is left of a dead vault: snapshots first, its record last, so that a crash
    /// leaves an unreadable rest that the next sweep finds.
    pub(super) async fn remove(
        &self,
        domain: &Domain,
        epoch: Epoch,
    ) -> Result<Expired, BackupError> {
        let destroy_at = self.parts.policy.destroy_at(epoch)?;
        // clause: P-18, R-23
        if self.parts.clock.now() < destroy_at {
            return Err(BackupError::NotDue { epoch, destroy_at });
        }
        let name = self.name_of(domain);
        let record = self.vault_at(domain, epoch).await?;
        let all = self.parts.depot.list(&name.vault_prefix(epoch)).await?;
        let (last, rest): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|key| *key == name.vault(epoch));
        let (snapshots, packs): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|key| key.starts_with(&name.snapshots(epoch)));
        let mut objects = 0_u64;
        for keys in [snapshots, packs, last] {
            self.parts.depot.delete(&keys).await?;
            objects = objects.saturating_add(u64::try_from(keys.len()).unwrap_or(u64::MAX));
        }
        if let Some(record) = record {
            let data = [
                ("epoch_start", Datum::At(record.start)),
                ("objects", Datum::Count(objects)),
            ];
            self.tell(Action::BackupPurged, domain, record.vault.as_bytes(), data)
                .await?;
        }
        Ok(Expired { objects })
    }
}

/// Refuses what is past its day.
pub(super) fn refuse_dead(
    epoch: Epoch,
    destroy_at: UtcDateTime,
    now: UtcDateTime,
) -> Result<(), BackupError> {
    // clause: P-18
    if now >= destroy_at {
        Err(BackupError::Dead { epoch, destroy_at })
    } else {
        Ok(())
    }
}
