//! Flushing the file, and the look for what should be gone: one step in the journal, since a crash in
//! between can only repeat both.

use retention_policy::scan::{Needle, find, sqlite_files};
use retention_policy::{Probe, Step, StepOutcome};
use tenant_isolation::Scope;
use tenant_isolation::level::Maintain;
use time::UtcDateTime;

use super::carried::{Next, observe};
use super::journal::Work;
use crate::assembly::Covenant;
use crate::certificate::OBJECTS;
use crate::error::Error;

impl Covenant {
    /// Flushes the file and looks for what should be gone, until nothing is found or the protocol
    /// gives up.
    pub(super) async fn delete_bytes(
        &self,
        scope: &Scope<Maintain>,
        now: UtcDateTime,
        works: &mut [Work],
    ) -> Result<(), Error> {
        loop {
            let ready = self.ready(scope, now, works, Next::Bytes).await?;
            if ready.is_empty() {
                return Ok(());
            }
            let ready: Vec<usize> = ready.into_iter().collect();
            let looked = self.flush_and_look(scope, works, &ready).await?;
            for (at, sighting) in ready.iter().zip(looked.sightings) {
                let Some(work) = works.get_mut(*at) else {
                    continue;
                };
                if work.disposal.next() == Step::Flush {
                    observe(work, StepOutcome::Done)?;
                }
                let mut objects = false;
                if let Step::Verify { store } = work.disposal.next() {
                    objects = store.as_str() == OBJECTS;
                }
                if objects {
                    let outcome = self.objects_absent(scope, work, now).await?;
                    observe(work, outcome)?;
                }
                if matches!(work.disposal.next(), Step::Verify { .. }) {
                    let outcome = match sighting {
                        Some(offset) => StepOutcome::StillPresent { offset },
                        None => StepOutcome::Verified {
                            scanned_bytes: Some(looked.bytes),
                            at: now,
                        },
                    };
                    observe(work, outcome)?;
                }
            }
            self.keep(scope, works, &ready).await?;
        }
    }

    async fn objects_absent(
        &self,
        scope: &Scope<Maintain>,
        work: &Work,
        now: UtcDateTime,
    ) -> Result<StepOutcome, Error> {
        for object in &work.objects {
            if self.is_there(scope, object).await? {
                return Ok(StepOutcome::StillPresent { offset: 0 });
            }
        }
        Ok(StepOutcome::Verified {
            scanned_bytes: None,
            at: now,
        })
    }

    /// Flushes the file and looks through it for every probe, while nobody else has it.
    async fn flush_and_look(
        &self,
        scope: &Scope<Maintain>,
        works: &[Work],
        which: &[usize],
    ) -> Result<Looked, Error> {
        let parts = self.parts();
        let mut owners = Vec::new();
        let mut needles = Vec::new();
        for (number, at) in which.iter().enumerate() {
            let probes = works.get(*at).map(|work| work.disposal.probes());
            for probe in probes.unwrap_or_default() {
                needles.push(needle(&probe)?);
                owners.push(number);
            }
        }
        let slot = scope.maintain(parts.tenants.as_ref()).await?;
        let flushed = parts.flush.flush(slot.file()).await;
        flushed.map_err(Error::unavailable)?;
        let files = sqlite_files(slot.file()).to_vec();
        let scan = tokio::task::spawn_blocking(move || find(&files, &needles));
        let scanned = scan.await.map_err(Error::unavailable)??;
        drop(slot);
        let mut sightings = vec![None; which.len()];
        for sighting in scanned.sightings {
            let owner = owners.get(sighting.needle).copied();
            if let Some(first) = owner.and_then(|owner| sightings.get_mut(owner)) {
                first.get_or_insert(sighting.offset);
            }
        }
        Ok(Looked {
            sightings,
            bytes: scanned.bytes,
        })
    }
}

/// What a look through a file said.
struct Looked {
    /// For each record, where the first of its probes was found.
    sightings: Vec<Option<u64>>,
    /// Bytes that were looked through.
    bytes: u64,
}

fn needle(probe: &Probe) -> Result<Needle, Error> {
    Needle::new(probe.as_bytes().to_vec()).map_err(Error::unavailable)
}
