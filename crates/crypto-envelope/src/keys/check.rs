//! A look at everything: does each living record open, is what was destroyed gone, do copies of the
//! key store end in time. It changes nothing but the record of the look.

use covenant_core::KeyId;
use covenant_core::event::Action;
use time::{Duration, UtcDateTime};
use uuid::Uuid;

use super::Keys;
use super::mint::canary_context;
use crate::admin::AdminCall;
use crate::backend::Presence;
use crate::copies::{COPY_AGE_HOURS_MAX, CopyFault};
use crate::error::KeyError;
use crate::escrow::Reach;
use crate::record::{KekRecord, KekState, RootState};
use crate::wrapped::WrappedKey;

/// What a look at all keys found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// KEKs that are there and open their canary.
    pub keks: u64,
    /// Living root versions that open.
    pub roots: u64,
    /// What is wrong, in the order in which it was met.
    pub faults: Vec<KeyFault>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// A copy of the key store lives too long, or nobody knows how long.
    #[error("copy {0} of the key store {1}")]
    Copy(Uuid, CopyFault),
    /// The KEK is not there, or does not open its canary.
    #[error("key-encryption key {0} does not open what it wrapped")]
    KekLost(KeyId),
    /// The KEK is in use, and is not in escrow: a lost machine would be a lost key.
    #[error("key-encryption key {0} is not in escrow")]
    NotEscrowed(KeyId),
    /// A module keeps copies of KEKs, and nobody attests when they end.
    #[error("nobody attests when key-encryption keys leave the replicas of their module")]
    Unattested,
    /// The KEK was destroyed, and is in its backend or in escrow.
    #[error("key-encryption key {0} was destroyed and is still there")]
    KekRemains(KeyId),
    /// Copies are made, and none is younger than 25 hours.
    #[error("no copy of the key store is younger than {COPY_AGE_HOURS_MAX} hours")]
    NoFreshCopy,
    /// The last instant of the key has come, and it is there.
    #[error("key {0} is past its last instant")]
    Overdue(KeyId),
    /// The root does not open under its KEK.
    #[error("root {0} does not open under its key-encryption key")]
    RootLost(KeyId),
}

impl Keys {
    /// Tries every KEK and every living record, and looks at the copies; nothing that it unwraps
    /// leaves it.
    ///
    /// # Errors
    /// [`KeyError::NotAdmin`], [`KeyError::Store`], [`KeyError::Escrow`]; a backend that is out of
    /// reach: [`KeyError::Backend`].
    pub async fn check(&self, call: &AdminCall, now: UtcDateTime) -> Result<Checked, KeyError> {
        let event = self.authorise(call, Action::KeyListed, None).await?;
        self.store.add_event(&event).await?;
        let (mut keks, mut roots) = (0_u64, 0_u64);
        let mut faults = Vec::new();
        for kek in self.store.keks().await? {
            match self.check_kek(&kek, now).await? {
                None if kek.state == KekState::Enabled => keks = keks.saturating_add(1),
                fault => faults.extend(fault),
            }
        }
        for root in self.store.roots().await? {
            if root.state == RootState::Destroyed {
                continue;
            }
            let last = [root.destroy_at, root.pending_until];
            if last.into_iter().flatten().any(|at| at <= now) {
                faults.push(KeyFault::Overdue(root.id));
            }
            match self.unwrap_record(&root).await {
                Ok(_) => roots = roots.saturating_add(1),
                Err(_) => faults.push(KeyFault::RootLost(root.id)),
            }
        }
        if self.options.escrow.reach() == Reach::Unknown {
            faults.push(KeyFault::Unattested);
        }
        faults.extend(self.copy_faults(now).await?);
        Ok(Checked {
            keks,
            roots,
            faults,
        })
    }

    /// What is wrong with the copies on record.
    pub(super) async fn copy_faults(&self, now: UtcDateTime) -> Result<Vec<KeyFault>, KeyError> {
        let copies = self.store.copies().await?;
        let fault = copies.iter().filter_map(|copy| {
            let fault = copy.fault(now)?;
            Some(KeyFault::Copy(copy.id, fault))
        });
        let mut faults: Vec<_> = fault.collect();
        let fresh = now.saturating_sub(Duration::hours(COPY_AGE_HOURS_MAX));
        if !copies.is_empty() && copies.iter().all(|copy| copy.taken_at < fresh) {
            faults.push(KeyFault::NoFreshCopy);
        }
        Ok(faults)
    }

    async fn check_kek(
        &self,
        kek: &KekRecord,
        now: UtcDateTime,
    ) -> Result<Option<KeyFault>, KeyError> {
        let id = kek.id;
        match kek.state {
            KekState::Intended => return Ok(None),
            KekState::Dying | KekState::Destroyed => {
                let here = self.backend.probe(id).await? == Presence::Present;
                let there = self.options.escrow.probe(id).await? == Presence::Present;
                return Ok((here || there).then_some(KeyFault::KekRemains(id)));
            }
            KekState::Enabled => {}
        }
        let last = [kek.destroy_at, kek.pending_until];
        if last.into_iter().flatten().any(|at| at <= now) {
            return Ok(Some(KeyFault::Overdue(id)));
        }
        let Ok(canary) = WrappedKey::try_from(kek.canary.as_slice()) else {
            return Ok(Some(KeyFault::KekLost(id)));
        };
        let context = canary_context(id);
        if self
            .backend
            .unwrap_root(id, &context, &canary)
            .await
            .is_err()
        {
            return Ok(Some(KeyFault::KekLost(id)));
        }
        let escrow = &self.options.escrow;
        let lost = escrow.reach() == Reach::Ours && escrow.probe(id).await? == Presence::Absent;
        Ok(lost.then_some(KeyFault::NotEscrowed(id)))
    }
}
