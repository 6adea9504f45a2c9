//! Vaults: minting one, finding those there are, and removing what is left of a dead one.

use bytes::Bytes;
use covenant_core::{Secret, SnapshotId, VaultId};
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
    /// The vault of the epoch, minted if there is none. Who loses a race uses the winner's record,
    /// which leads to the same root.
    pub(super) async fn vault_for(
        &self,
        domain: &Domain,
        epoch: Epoch,
    ) -> Result<(VaultRecord, VaultKey), BackupError> {
        if let Some((record, tail)) = self.vault_at(domain, epoch).await? {
            self.refuse_other_figures(&record)?;
            let opened = self.unlock(domain, &record, &tail).await?;
            return Ok((record, opened));
        }
        let key = self.name_of(domain).vault(epoch);
        let vault = self.vault_id(domain, epoch);
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
        let opened = self.key_of(domain, &record).await?;
        let mut bytes = record.head();
        let mac = opened.derive(MAC).map_err(BackupError::Key)?;
        bytes.extend(cobblestone::seal(
            mac.expose(),
            &record.head(),
            &[],
            self.parts.random.as_ref(),
        )?);
        match self.create(&key, Bytes::from(bytes)).await? {
            Created::New | Created::AlreadyMine => Ok((record, opened)),
            Created::TakenBy(_) => {
                let winner = self.vault_at(domain, epoch).await?;
                let (winner, tail) = winner.ok_or_else(|| BackupError::Corrupt { key })?;
                self.refuse_other_figures(&winner)?;
                let opened = self.unlock(domain, &winner, &tail).await?;
                Ok((winner, opened))
            }
        }
    }

    /// Refuses to back up into a vault that was made under figures which the policy does not allow
    /// any more: it would die too late, or before the floor of what is put into it now.
    fn refuse_other_figures(&self, record: &VaultRecord) -> Result<(), BackupError> {
        let policy = &self.parts.policy;
        let last = policy
            .end_of(record.epoch)
            .saturating_sub(time::Duration::seconds(1));
        let allowed = policy.keep_until(last)?..=policy.destroy_at(record.epoch)?;
        if allowed.contains(&record.destroy_at) {
            Ok(())
        } else {
            let (epoch, destroy_at) = (record.epoch, record.destroy_at);
            Err(BackupError::OtherFigures { epoch, destroy_at })
        }
    }

    /// Record and tail of the epoch's vault, if it has one. Nothing in the record is to be relied
    /// upon before [`Engine::unlock`] has checked it against the tail.
    pub(super) async fn vault_at(
        &self,
        domain: &Domain,
        epoch: Epoch,
    ) -> Result<Option<(VaultRecord, Vec<u8>)>, BackupError> {
        let name = self.name_of(domain);
        let key = name.vault(epoch);
        let bytes = match self.parts.depot.read(&key, None).await {
            Err(DepotError::Missing(_)) => return Ok(None),
            other => other?,
        };
        match VaultRecord::parse(&bytes) {
            Ok((record, tail))
                if record.domain == name
                    && record.epoch == epoch
                    && record.repo == self.parts.repo =>
            {
                Ok(Some((record, tail.to_vec())))
            }
            _ => Err(BackupError::Corrupt { key }),
        }
    }

    /// The vault's root, once the record's tail has shown that the record was written under it.
    pub(super) async fn unlock(
        &self,
        domain: &Domain,
        record: &VaultRecord,
        tail: &[u8],
    ) -> Result<VaultKey, BackupError> {
        let opened = self.key_of(domain, record).await?;
        let mac = opened.derive(MAC).map_err(BackupError::Key)?;
        let authentic = cobblestone::open(mac.expose(), &record.head(), tail).is_ok();
        if authentic && (opened.version(), opened.kek()) == (record.root, record.kek) {
            Ok(opened)
        } else {
            let key = self.name_of(domain).vault(record.epoch);
            Err(BackupError::Corrupt { key })
        }
    }

    async fn key_of(&self, domain: &Domain, record: &VaultRecord) -> Result<VaultKey, BackupError> {
        let keys = &self.parts.keys;
        let unlocked = keys.unlock_vault(domain.tenant(), record.vault).await;
        unlocked.map_err(BackupError::Key)
    }

    /// A living vault's id, and what seals its snapshots.
    pub(super) async fn root_of(
        &self,
        domain: &Domain,
        epoch: Epoch,
    ) -> Result<(VaultId, Secret<[u8; 32]>), BackupError> {
        let (record, tail) = self.vault_at(domain, epoch).await?.ok_or_else(|| {
            BackupError::Depot(DepotError::Missing(self.name_of(domain).vault(epoch)))
        })?;
        let vault = self.unlock(domain, &record, &tail).await?;
        refuse_dead(epoch, record.destroy_at, self.parts.clock.now())?;
        Ok((record.vault, Self::seal_root(&vault)?))
    }

    /// What seals the snapshots of a vault.
    pub(super) fn seal_root(opened: &VaultKey) -> Result<Secret<[u8; 32]>, BackupError> {
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
            items.push(ExpiryItem {
                vault: self.vault_named(domain, epoch).await?,
                epoch,
                start,
                last_completed: last.max().unwrap_or(start),
                destroy_at: self.parts.policy.destroy_at(epoch)?,
            });
        }
        Ok(items)
    }

    /// The vault that the epoch's record names; the one that it should name when the record is
    /// missing or damaged, since neither may keep a vault from its end.
    async fn vault_named(&self, domain: &Domain, epoch: Epoch) -> Result<VaultId, BackupError> {
        match self.vault_at(domain, epoch).await {
            Ok(Some((record, _tail))) => Ok(record.vault),
            Ok(None) | Err(BackupError::Corrupt { .. }) => Ok(self.vault_id(domain, epoch)),
            Err(error) => Err(error),
        }
    }

    /// Removes what is left of a dead vault.
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
        self.clear(domain, epoch).await
    }

    /// Removes a vault before its day: not while a snapshot in it is owed to anybody.
    pub(super) async fn remove_early(
        &self,
        domain: &Domain,
        epoch: Epoch,
    ) -> Result<Expired, BackupError> {
        let stored = self.stored(domain).await?;
        let of_epoch = stored.iter().filter(|(known, _)| known.epoch == epoch);
        let last = of_epoch.map(|(known, _)| known.completed).max();
        if let Some(last) = last {
            // clause: P-18, R-23
            let destroy_at = self.parts.policy.keep_until(last)?;
            if self.parts.clock.now() < destroy_at {
                return Err(BackupError::NotDue { epoch, destroy_at });
            }
        }
        // clause: Q-23
        self.clear(domain, epoch).await
    }

    /// Removes a vault: snapshots first, its record last, so that a crash leaves an unreadable rest
    /// that the next sweep finds. Told before the record goes: as long as it is there, a later sweep
    /// tells again.
    async fn clear(&self, domain: &Domain, epoch: Epoch) -> Result<Expired, BackupError> {
        let name = self.name_of(domain);
        let all = self.parts.depot.list(&name.vault_prefix(epoch)).await?;
        if all.is_empty() {
            return Ok(Expired { objects: 0 });
        }
        let vault = self.vault_named(domain, epoch).await?;
        let objects = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let (last, rest): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|key| *key == name.vault(epoch));
        let (snapshots, packs): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|key| key.starts_with(&name.snapshots(epoch)));
        self.parts.depot.delete(&snapshots).await?;
        self.parts.depot.delete(&packs).await?;
        let start = epoch.start(&self.parts.policy.zone);
        self.tell_purged(domain, (vault, start), objects).await?;
        self.parts.depot.delete(&last).await?;
        Ok(Expired { objects })
    }
}

/// Refuses what is past its day.
pub(super) fn refuse_dead(
    epoch: Epoch,
    destroy_at: UtcDateTime,
    now: UtcDateTime,
) -> Result<(), BackupError> {
    // clause: P-18, P-49, P-60
    if now >= destroy_at {
        Err(BackupError::Dead { epoch, destroy_at })
    } else {
        Ok(())
    }
}
