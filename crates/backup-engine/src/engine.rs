//! The engine: vaults, snapshots and their end, over one depot.

#[cfg(feature = "testing")]
mod adversary;
mod restore;
mod session;
mod vault;

use std::path::Path;
use std::sync::Arc;

use covenant_core::digest::Digest;
use covenant_core::event::Datum;
use covenant_core::{
    Action, ActorContext, BoxFuture, Clock, Event, EventId, EventSink, ItemId, Outcome, Random,
    Secret, SnapshotId, Target, canon,
};
use crypto_envelope::VaultKeys;

use crate::backups::{Backups, CheckReport, Expired, ExpiryItem, Snapshot};
use crate::depot::Depot;
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
}

impl Engine {
    /// An engine of these parts.
    #[must_use]
    pub const fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// The policy it follows.
    #[must_use]
    pub const fn policy(&self) -> &BackupPolicy {
        &self.parts.policy
    }

    /// The domain's name in the depot.
    #[must_use]
    pub fn name_of(&self, domain: &Domain) -> DomainName {
        let mut place = canon::Writer::new();
        place
            .fixed(self.parts.naming.expose())
            .text("covenant/backup/v0/domain")
            .bytes(&domain.canonical());
        // Half of a SHA-256 over a key of fixed length: the other half stays unknown, so that
        // nothing can be extended.
        let derived = Digest::of(place.as_bytes());
        let mut name = [0_u8; 16];
        name.iter_mut()
            .zip(derived.as_bytes())
            .for_each(|(to, from)| *to = *from);
        DomainName(name)
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0_u8; N];
        self.parts.random.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Tells the audit log. The id derives from what it tells of, so that telling twice is once.
    async fn tell(
        &self,
        action: Action,
        domain: &Domain,
        subject: &[u8; 16],
        data: impl IntoIterator<Item = (&'static str, Datum)>,
    ) -> Result<(), BackupError> {
        let mut name = canon::Writer::new();
        name.text(action.name())
            .fixed(&self.parts.repo)
            .fixed(subject);
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes());
        let mut event = Event::new(
            EventId::from_uuid(id),
            self.parts.clock.now(),
            ActorContext::service("backup"),
            action,
            Target::of(
                domain.tenant(),
                "backup",
                ItemId::from(uuid::Uuid::from_bytes(*subject)),
            ),
            Outcome::Ok,
        );
        for (key, value) in data {
            event = event.with(key, value);
        }
        self.parts
            .sink
            .emit(event)
            .await
            .map(|_id| ())
            .map_err(BackupError::NotAudited)
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

    fn check<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<CheckReport, BackupError>> {
        Box::pin(self.open_all(domain))
    }
}
