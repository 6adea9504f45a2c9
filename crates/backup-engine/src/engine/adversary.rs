//! What an adversary sees who holds every byte of the depot and some roots: for tests and for the
//! scenarios of `conformance`. Dates and the key service are passed by.

use std::collections::BTreeSet;

use covenant_core::Secret;
use covenant_core::digest::Digest;

use super::Engine;
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::format::vault::VaultRecord;

/// What the sealing key of a vault's snapshots is derived from its root with.
pub const SEAL_INFO: &[u8] = super::vault::SEAL;

impl Engine {
    /// The record of an epoch's vault, as it lies at the depot.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn vault_record(
        &self,
        domain: &Domain,
        epoch: Epoch,
    ) -> Result<Option<VaultRecord>, BackupError> {
        let found = self.vault_at(domain, epoch).await?;
        Ok(found.map(|(record, _tail)| record))
    }

    /// The plaintext of every chunk that this sealing key leads to in the epoch's vault; what does
    /// not open is left out.
    ///
    /// # Errors
    /// [`BackupError`] when the depot fails.
    pub async fn plaintexts(
        &self,
        domain: &Domain,
        epoch: Epoch,
        seal: &Secret<[u8; 32]>,
    ) -> Result<Vec<Secret<Vec<u8>>>, BackupError> {
        let mut opened = Vec::new();
        let mut seen = BTreeSet::new();
        for (snapshot, key) in self.stored(domain).await? {
            if snapshot.epoch != epoch {
                continue;
            }
            let (body, _digest) = match self.open_snapshot(&key, seal).await {
                Err(BackupError::Corrupt { .. }) => continue,
                other => other?,
            };
            for entry in &body.entries {
                if seen.insert(entry.id) {
                    match self.open_chunk(domain, epoch, entry).await {
                        Err(BackupError::Corrupt { .. } | BackupError::Depot(_)) => {}
                        other => opened.push(other?),
                    }
                }
            }
        }
        Ok(opened)
    }

    /// SHA-256 of every chunk key that this sealing key leads to in the epoch's vault: two vaults
    /// have none in common, or the root of one opens chunks of the other.
    ///
    /// # Errors
    /// [`BackupError`] when the depot fails.
    pub async fn chunk_keys(
        &self,
        domain: &Domain,
        epoch: Epoch,
        seal: &Secret<[u8; 32]>,
    ) -> Result<BTreeSet<Digest>, BackupError> {
        let mut keys = BTreeSet::new();
        for (snapshot, key) in self.stored(domain).await? {
            if snapshot.epoch != epoch {
                continue;
            }
            match self.open_snapshot(&key, seal).await {
                Err(BackupError::Corrupt { .. }) => {}
                other => keys.extend(other?.0.entries.iter().map(|entry| Digest::of(&entry.key))),
            }
        }
        Ok(keys)
    }
}
