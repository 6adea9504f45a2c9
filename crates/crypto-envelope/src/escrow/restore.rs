//! KEKs brought back from escrow into a new backend, when the machine that held them is lost. A KEK
//! whose day has come is not brought back: its object goes.

use std::collections::BTreeSet;

use covenant_core::KeyId;
use time::UtcDateTime;

use super::{Escrow as _, EscrowError, ObjectEscrow};
use crate::record::{KekRecord, KekState};
use crate::state::Dueness;

/// What a restore of KEKs did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoredKeks {
    /// KEKs that are in the backend now.
    pub restored: Vec<KeyId>,
    /// KEKs whose day has come, or that were destroyed: their objects were removed.
    pub removed: Vec<KeyId>,
    /// Living KEKs of which no site has an object that opens: what lies under them is lost.
    pub missing: Vec<KeyId>,
    /// Objects of KEKs that no record names, younger than the records: left where they are.
    pub unknown: Vec<KeyId>,
}

impl ObjectEscrow {
    /// Brings the KEKs of these records into the backend, but none whose last instant, planned or by
    /// a window, has come by `now`, and none that was destroyed: those are removed from every site.
    /// A run that fails may be repeated.
    ///
    /// # Errors
    /// [`EscrowError`] when a site is out of reach, an object cannot be removed, or the backend
    /// fails; an object that does not open is told as missing, if no other site has it.
    pub async fn restore(
        &self,
        records: &[KekRecord],
        now: UtcDateTime,
    ) -> Result<RestoredKeks, EscrowError> {
        let held: BTreeSet<KeyId> = self.list().await?.into_iter().collect();
        let mut done = RestoredKeks::default();
        for record in records {
            let id = record.id;
            let over = match record.state {
                KekState::Dying | KekState::Destroyed => true,
                KekState::Intended | KekState::Enabled => record.dueness(now) != Dueness::NotDue,
            };
            if over {
                self.keks().destroy(id).await.map_err(EscrowError::of)?;
                self.remove(id).await?;
                if held.contains(&id) {
                    done.removed.push(id);
                }
                continue;
            }
            match self.read(id).await {
                Ok(Some(key)) => {
                    let imported = self.keks().import(id, &key).await;
                    imported.map_err(EscrowError::of)?;
                    done.restored.push(id);
                }
                // one that was only intended has wrapped nothing
                Ok(None) if record.state == KekState::Intended => {}
                Ok(None) | Err(_) => done.missing.push(id),
            }
        }
        let known: BTreeSet<KeyId> = records.iter().map(|record| record.id).collect();
        done.unknown = held.difference(&known).copied().collect();
        Ok(done)
    }
}
