//! The steps after the first: objects, rows, flush, and the look for what should be gone. What one
//! step did is in the journal before the next one; a flush and the look after it are one, since a
//! crash in between can only repeat both.

use std::collections::BTreeSet;

use covenant_core::TenantId;
use retention_policy::scan::{Needle, find, sqlite_files};
use retention_policy::{HoldError, HoldView, Probe, Step, StepOutcome};
use sql_store::{Args, Tx};
use tenant_isolation::level::Maintain;
use tenant_isolation::{Caller, Scope};
use time::UtcDateTime;

use super::journal::{self, Work};
use super::{BATCH, OVERTAKEN_MAX, Taken};
use crate::assembly::Covenant;
use crate::certificate::{Certificate, OBJECTS, ROWS};
use crate::error::Error;

/// Which step is next for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Objects,
    Rows,
    Bytes,
    Certificate,
    Blocked,
}

impl Next {
    fn of(work: &Work) -> Self {
        match work.disposal.next() {
            Step::Delete { store } if store.as_str() == OBJECTS => Self::Objects,
            Step::Delete { .. } => Self::Rows,
            Step::Flush | Step::Verify { .. } => Self::Bytes,
            Step::Certify | Step::Done => Self::Certificate,
            _ => Self::Blocked,
        }
    }
}

impl Covenant {
    /// Works off the journal, whoever began what is in it; says which certificates were issued. What
    /// a hold placed since keeps stays in the journal.
    ///
    /// # Errors
    /// [`Error::StillPresent`] when bytes are there after every flush; else [`Error`]. The journal
    /// keeps what is left, and whoever comes next tries it again.
    // clause: P-47, P-52
    pub(crate) async fn carry_out(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        now: UtcDateTime,
    ) -> Result<Vec<Certificate>, Error> {
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let mut works = journal::read(tx.tx().await?, scope.tenant()).await?;
        drop(tx);
        for work in &mut works {
            // to look again harms nothing, and a reader that kept old bytes may be gone
            work.disposal.unblock();
        }
        let ended = self.take_steps(scope, caller, now, &mut works).await;
        let issued = self.certify_orders(scope, &works).await;
        ended?;
        issued
    }

    async fn take_steps(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        now: UtcDateTime,
        works: &mut [Work],
    ) -> Result<(), Error> {
        self.delete_objects(scope, now, works).await?;
        self.delete_rows(scope, caller, now, works).await?;
        self.delete_bytes(scope, now, works).await?;
        if works.iter().any(|work| Next::of(work) == Next::Blocked) {
            return Err(Error::StillPresent);
        }
        Ok(())
    }

    /// Where among the disposals those are whose next step is this one and which no hold keeps; it
    /// tells of the others.
    async fn ready(
        &self,
        scope: &Scope<Maintain>,
        now: UtcDateTime,
        works: &[Work],
        next: Next,
    ) -> Result<BTreeSet<usize>, Error> {
        let mut ready: BTreeSet<usize> = works
            .iter()
            .enumerate()
            .filter(|(_, work)| Next::of(work) == next)
            .map(|(at, _)| at)
            .collect();
        if ready.is_empty() {
            return Ok(ready);
        }
        let holds: HoldView = self.hold_view_in(scope).await?;
        for (at, work) in works.iter().enumerate() {
            if !ready.contains(&at) {
                continue;
            }
            let target = work.disposal.target();
            if let Err(HoldError::Held(held)) = holds.permit(target, now) {
                ready.remove(&at);
                self.tell_held(scope.tenant(), "record", &target.id, &held)
                    .await?;
            }
        }
        Ok(ready)
    }

    /// Deletes the objects of every record, and reads back that they are gone.
    async fn delete_objects(
        &self,
        scope: &Scope<Maintain>,
        now: UtcDateTime,
        works: &mut [Work],
    ) -> Result<(), Error> {
        let ready = self.ready(scope, now, works, Next::Objects).await?;
        let mut outcomes = Vec::new();
        let mut failed = None;
        let with_objects: BTreeSet<usize> = works
            .iter()
            .enumerate()
            .filter(|(at, work)| ready.contains(at) && !work.objects.is_empty())
            .map(|(at, _)| at)
            .collect();
        if self.passed(scope, now, works, &with_objects).await? == Taken::Overtaken {
            // A hold came in between; the next try leaves out what it keeps.
            return Err(Error::Revoked);
        }
        for at in ready {
            let Some(work) = works.get(at) else { continue };
            let mut outcome = StepOutcome::Absent;
            for object in &work.objects {
                outcome = StepOutcome::Done;
                if let Err(error) = self.delete_object(scope, object).await {
                    failed = Some(error);
                    outcome = StepOutcome::Failed;
                    break;
                }
            }
            outcomes.push((at, outcome));
            if failed.is_some() {
                break;
            }
        }
        let mut kept = Vec::new();
        for (at, outcome) in outcomes {
            let Some(work) = works.get_mut(at) else {
                continue;
            };
            observe(work, outcome)?;
            if !work.objects.is_empty() {
                kept.push(at);
            }
        }
        // A record without objects has its next row when its rows go.
        self.keep(scope, works, &kept).await?;
        failed.map_or(Ok(()), Err)
    }

    /// Notes that these objects pass the point from which no hold brings them back.
    async fn passed(
        &self,
        scope: &Scope<Maintain>,
        now: UtcDateTime,
        works: &[Work],
        which: &BTreeSet<usize>,
    ) -> Result<Taken, Error> {
        if which.is_empty() {
            return Ok(Taken::Out);
        }
        let book = self.parts().holds.clone();
        let store = crate::certificate::store(OBJECTS)?;
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let lent = tx.tx().await?;
        for at in which {
            let Some(work) = works.get(*at) else { continue };
            match book.pass(lent, work.disposal.target(), &store, now).await {
                Ok(()) => {}
                Err(HoldError::Held(_)) => return Ok(Taken::Overtaken),
                Err(error) => return Err(error.into()),
            }
        }
        tx.commit().await?;
        Ok(Taken::Out)
    }

    /// Deletes the rows of every record, a batch in a transaction with the journal and the events.
    // clause: R-20
    async fn delete_rows(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        now: UtcDateTime,
        works: &mut [Work],
    ) -> Result<(), Error> {
        for _ in 0..=OVERTAKEN_MAX {
            let ready = self.ready(scope, now, works, Next::Rows).await?;
            let ready: Vec<usize> = ready.into_iter().collect();
            let mut taken = Taken::Out;
            for batch in ready.chunks(BATCH) {
                taken = self.delete_batch(scope, caller, now, works, batch).await?;
                if taken == Taken::Overtaken {
                    break;
                }
            }
            if taken == Taken::Out {
                break;
            }
        }
        Ok(())
    }

    async fn delete_batch(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        now: UtcDateTime,
        works: &mut [Work],
        batch: &[usize],
    ) -> Result<Taken, Error> {
        let tenant = scope.tenant();
        let mut after: Vec<(usize, Work)> = batch
            .iter()
            .filter_map(|at| Some((*at, works.get(*at)?.clone())))
            .collect();
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let rows = Rows::of(tx.tx().await?, tenant, &after).await?;
        drop(tx);
        let mut events = Vec::new();
        for (table, count) in [
            ("record", rows.records),
            ("content", rows.contents),
            ("attachment", rows.attachments),
        ] {
            if count > 0 {
                events.push(self.bulk_event(scope, caller, table, "delete", count)?);
            }
        }
        let tables = self.parts().tables.clone();
        let book = self.parts().holds.clone();
        let store = crate::certificate::store(ROWS)?;
        let mut change = self.begin_change(scope, events).await?;
        let tx = change.tx().await?;
        for (_, work) in &mut after {
            let target = work.disposal.target();
            match book.pass(tx, target, &store, now).await {
                Ok(()) => {}
                Err(HoldError::Held(_)) => return Ok(Taken::Overtaken),
                Err(error) => return Err(error.into()),
            }
            let erased = tables.erase(tx, tenant, &target.id).await?;
            let outcome = if erased.records == 0 {
                StepOutcome::Absent
            } else {
                StepOutcome::Done
            };
            observe(work, outcome)?;
            journal::put(tx, &work.disposal).await?;
        }
        change.commit().await?;
        for (at, work) in after {
            if let Some(before) = works.get_mut(at) {
                *before = work;
            }
        }
        Ok(Taken::Out)
    }

    /// Flushes the file and looks for what should be gone, until nothing is found or the protocol
    /// gives up.
    async fn delete_bytes(
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

    /// Keeps how far these are, in one transaction.
    async fn keep(
        &self,
        scope: &Scope<Maintain>,
        works: &[Work],
        which: &[usize],
    ) -> Result<(), Error> {
        if which.is_empty() {
            return Ok(());
        }
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let lent = tx.tx().await?;
        for at in which {
            if let Some(work) = works.get(*at) {
                journal::put(lent, &work.disposal).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// What a look through a file said.
struct Looked {
    /// For each record, where the first of its probes was found.
    sightings: Vec<Option<u64>>,
    /// Bytes that were looked through.
    bytes: u64,
}

/// How many rows a batch still has in each table.
#[derive(Debug, Clone, Copy, Default)]
struct Rows {
    records: u64,
    contents: u64,
    attachments: u64,
}

impl Rows {
    async fn of(tx: &mut Tx, tenant: TenantId, works: &[(usize, Work)]) -> Result<Self, Error> {
        let mut rows = Self::default();
        let count = |rows: Vec<sql_store::Row>| u64::try_from(rows.len()).unwrap_or(u64::MAX);
        for (_, work) in works {
            let args = || Args::new().bind(tenant).bind(work.disposal.item());
            let sql = include_str!("../../sql/read_deleted.sql");
            rows.records += count(tx.rows(sql, args()).await?);
            let sql = include_str!("../../sql/read_sealed.sql");
            rows.contents += count(tx.rows(sql, args()).await?);
            let sql = include_str!("../../sql/list_attachments.sql");
            rows.attachments += count(tx.rows(sql, args()).await?);
        }
        Ok(rows)
    }
}

fn observe(work: &mut Work, outcome: StepOutcome) -> Result<(), Error> {
    let step = work.disposal.next();
    let observed = work.disposal.observe(&step, outcome);
    observed.map_err(Error::unavailable)
}

fn needle(probe: &Probe) -> Result<Needle, Error> {
    Needle::new(probe.as_bytes().to_vec()).map_err(Error::unavailable)
}
