//! The engine: vaults, snapshots and their end, over one depot.

#[cfg(feature = "testing")]
mod adversary;
mod copy;
mod events;
mod restore;
mod session;
mod vault;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use covenant_core::digest::Digest;
use covenant_core::{BoxFuture, Clock, EventSink, Random, Secret, SnapshotId, VaultId, canon};
use crypto_envelope::VaultKeys;

use crate::backups::{Backups, CheckReport, Expired, ExpiryItem, Snapshot};
use crate::depot::{Created, Depot, DepotError};
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::format::snapshot::LogHead;
use crate::layout::DomainName;
use crate::policy::BackupPolicy;
use crate::quarantine::Quarantined;
use crate::source::Source;

#[cfg(feature = "testing")]
pub use adversary::SEAL_INFO;

/// What an [`Engine`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Names the repository: 16 random bytes, the same for every process.
    pub repo: [u8; 16],
    /// Where backups lie.
    pub depot: Arc<dyn Depot>,
    /// Roots of vaults.
    pub keys: Arc<dyn VaultKeys>,
    /// Where events go.
    pub sink: Arc<dyn EventSink>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chunk keys and ids.
    pub random: Arc<dyn Random>,
    /// Derives the names of domains in depots; out of a platform root, so that a locked tenant is
    /// backed up too.
    pub naming: Secret<[u8; 32]>,
    /// The figures.
    pub policy: BackupPolicy,
}

/// Backs up into vaults at one depot.
#[derive(Debug)]
pub struct Engine {
    parts: Parts,
    /// Domains whose newest snapshot the audit log is known to have been told of.
    told: Mutex<BTreeSet<DomainName>>,
}

impl Engine {
    /// An engine of these parts.
    #[must_use]
    pub const fn new(parts: Parts) -> Self {
        Self {
            parts,
            told: Mutex::new(BTreeSet::new()),
        }
    }

    /// The policy it follows.
    #[must_use]
    pub const fn policy(&self) -> &BackupPolicy {
        &self.parts.policy
    }

    /// The domain's name in the depot.
    #[must_use]
    pub fn name_of(&self, domain: &Domain) -> DomainName {
        DomainName(self.derived("covenant/backup/v0/domain", &domain.canonical()))
    }

    /// The vault that the epoch has, or will have: derived, so that every try to mint it, after a
    /// crash or by another process, asks for the same root.
    fn vault_id(&self, domain: &Domain, epoch: Epoch) -> VaultId {
        let mut place = canon::Writer::new();
        place
            .fixed(&self.parts.repo)
            .bytes(&domain.canonical())
            .text(&epoch.to_string());
        VaultId::from_bytes(self.derived("covenant/backup/v0/vault", place.as_bytes()))
    }

    /// Half of a SHA-256 over the naming key, which has a fixed length, and what is named: the other
    /// half stays unknown, so that nothing can be extended.
    fn derived(&self, label: &str, named: &[u8]) -> [u8; 16] {
        let mut place = canon::Writer::new();
        place
            .fixed(self.parts.naming.expose())
            .text(label)
            .bytes(named);
        let place = Secret::new(place.finish());
        let mut name = [0_u8; 16];
        name.iter_mut()
            .zip(Digest::of(place.expose()).as_bytes())
            .for_each(|(to, from)| *to = *from);
        name
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0_u8; N];
        self.parts.random.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Creates an object, once more when the depot does not say how it ended: the same bytes again
    /// settle a lost answer.
    async fn create(&self, key: &str, body: Bytes) -> Result<Created, DepotError> {
        match self.parts.depot.create(key, body.clone()).await {
            Err(DepotError::Unavailable(_)) => self.parts.depot.create(key, body).await,
            settled => settled,
        }
    }
}

impl Backups for Engine {
    fn run<'a>(
        &'a self,
        domain: &'a Domain,
        source: &'a mut dyn Source,
        head: LogHead,
    ) -> BoxFuture<'a, Result<Snapshot, BackupError>> {
        Box::pin(self.back_up(domain, source, head))
    }

    fn snapshots<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> BoxFuture<'a, Result<Vec<Snapshot>, BackupError>> {
        Box::pin(async move {
            let now = self.parts.clock.now();
            let mut living = Vec::new();
            for (snapshot, _key) in self.stored(domain).await? {
                if now < snapshot.destroy_at {
                    living.push(snapshot);
                }
            }
            Ok(living)
        })
    }

    fn items<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> BoxFuture<'a, Result<Vec<ExpiryItem>, BackupError>> {
        Box::pin(self.vaults(domain))
    }

    fn restore<'a>(
        &'a self,
        domain: &'a Domain,
        snapshot: SnapshotId,
        into: &'a Path,
    ) -> BoxFuture<'a, Result<Quarantined, BackupError>> {
        Box::pin(self.give_back(domain, snapshot, into))
    }

    fn expire<'a>(
        &'a self,
        domain: &'a Domain,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Expired, BackupError>> {
        Box::pin(self.remove(domain, epoch))
    }

    fn end<'a>(
        &'a self,
        domain: &'a Domain,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Expired, BackupError>> {
        Box::pin(self.remove_early(domain, epoch))
    }

    fn check<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<CheckReport, BackupError>> {
        Box::pin(self.open_all(domain))
    }
}
