//! What the audit log is told, and told again after a crash: each event has an id that derives from
//! what it tells of, so that telling twice is telling once.

use std::sync::PoisonError;

use covenant_core::digest::Digest;
use covenant_core::event::{Datum, SinkError};
use covenant_core::{
    Action, ActorContext, Event, EventId, ItemId, Outcome, Target, VaultId, canon,
};
use time::UtcDateTime;

use super::Engine;
use crate::depot::DepotError;
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::format::snapshot::SnapshotBody;

impl Engine {
    /// Tells the audit log of the domain's newest living snapshot, unless this process knows that it
    /// was told: what a crash between a commit and its event left untold. A run does so by itself
    /// before it begins, so only a domain that is not backed up any more needs this call.
    ///
    /// # Errors
    /// [`BackupError::NotAudited`], [`BackupError::Depot`].
    pub async fn tell_missing(&self, domain: &Domain) -> Result<(), BackupError> {
        let name = self.name_of(domain);
        let known = || self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&name) {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let mut stored = self.stored(domain).await?;
        stored.retain(|(snapshot, _)| now < snapshot.destroy_at);
        if let Some((snapshot, key)) = stored.pop() {
            let again = self.retell(domain, snapshot.epoch, &key).await;
            // What cannot be opened cannot be told of; `check` reports it.
            if let Err(
                error @ (BackupError::NotAudited(_)
                | BackupError::Depot(DepotError::Unavailable(_))),
            ) = again
            {
                return Err(error);
            }
        }
        known().insert(name);
        Ok(())
    }

    async fn retell(&self, domain: &Domain, epoch: Epoch, key: &str) -> Result<(), BackupError> {
        let (vault, root) = self.root_of(domain, epoch).await?;
        let (body, digest) = self.open_snapshot(key, &root).await?;
        self.tell_completed(domain, vault, &body, digest).await
    }

    /// From before a commit until its event is recorded the domain counts as untold.
    pub(super) fn doubt(&self, domain: &Domain) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(&self.name_of(domain));
    }

    /// Tells of a committed snapshot.
    pub(super) async fn tell_completed(
        &self,
        domain: &Domain,
        vault: VaultId,
        body: &SnapshotBody,
        digest: Digest,
    ) -> Result<(), BackupError> {
        let data = [
            ("consistent_at", Datum::At(body.consistent_at)),
            ("vault", Datum::Id(vault.as_uuid())),
            ("log_size", Datum::Count(body.head.size)),
            ("snapshot_digest", Datum::Bytes(digest.as_bytes().to_vec())),
        ];
        let of = (Action::BackupCompleted, *body.id.as_bytes());
        self.tell(of, domain, body.completed, data).await?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(self.name_of(domain));
        Ok(())
    }

    /// Tells that what was sealed in a dead vault is gone from the depot.
    pub(super) async fn tell_purged(
        &self,
        domain: &Domain,
        (vault, start): (VaultId, UtcDateTime),
        objects: u64,
    ) -> Result<(), BackupError> {
        let data = [
            ("epoch_start", Datum::At(start)),
            ("objects", Datum::Count(objects)),
        ];
        let of = (Action::BackupPurged, *vault.as_bytes());
        self.tell(of, domain, self.parts.clock.now(), data).await
    }

    async fn tell(
        &self,
        (action, subject): (Action, [u8; 16]),
        domain: &Domain,
        at: UtcDateTime,
        data: impl IntoIterator<Item = (&'static str, Datum)>,
    ) -> Result<(), BackupError> {
        let mut name = canon::Writer::new();
        name.text(action.name())
            .fixed(&self.parts.repo)
            .fixed(&subject);
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes());
        let mut event = Event::new(
            EventId::from_uuid(id),
            at,
            ActorContext::service("backup"),
            action,
            Target::of(
                domain.tenant(),
                "backup",
                ItemId::from(uuid::Uuid::from_bytes(subject)),
            ),
            Outcome::Ok,
        );
        for (key, value) in data {
            event = event.with(key, value);
        }
        match self.parts.sink.emit(event).await {
            // Nobody else makes this id: it was told before.
            Ok(_) | Err(SinkError::Taken(_)) => Ok(()),
            Err(error) => Err(BackupError::NotAudited(error)),
        }
    }
}
