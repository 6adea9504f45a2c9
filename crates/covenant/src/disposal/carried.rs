//! The steps after the first: objects, rows, and then bytes. What one step did is in the journal
//! before the next one.

use std::collections::BTreeSet;

use covenant_core::TenantId;
use retention_policy::{HoldError, HoldView, Step, StepOutcome};
use sql_store::{Args, Tx};
use tenant_isolation::level::Maintain;
use tenant_isolation::{Caller, Scope};
use time::UtcDateTime;

use super::journal::{self, Work};
use super::{BATCH, OVERTAKEN_MAX, Taken};
use crate::assembly::Covenant;
use crate::certificate::{Certificate, OBJECTS, ROWS};
use crate::error::Error;

/// Records whose objects cannot be deleted before the object store itself is taken for failed; ours.
const FAILURES_MAX: usize = 8;

/// Which step is next for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
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
        // An object that cannot be deleted keeps its own record and no other.
        let objects = self.delete_objects(scope, now, works).await;
        self.delete_rows(scope, caller, now, works).await?;
        self.delete_bytes(scope, now, works).await?;
        objects?;
        if works.iter().any(|work| Next::of(work) == Next::Blocked) {
            return Err(Error::StillPresent);
        }
        Ok(())
    }

    /// Where among the disposals those are whose next step is this one and which no hold keeps; it
    /// tells of the others.
    pub(super) async fn ready(
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

    /// Deletes the objects of every record, and reads back that they are gone. One that cannot be
    /// deleted does not keep the others, until so many cannot that the store itself must have failed.
    async fn delete_objects(
        &self,
        scope: &Scope<Maintain>,
        now: UtcDateTime,
        works: &mut [Work],
    ) -> Result<(), Error> {
        let ready = self.ready(scope, now, works, Next::Objects).await?;
        let mut outcomes = Vec::new();
        let (mut failed, mut failures) = (None, 0_usize);
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
            failures = failures.saturating_add(usize::from(outcome == StepOutcome::Failed));
            if failures >= FAILURES_MAX {
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

    /// Keeps how far these are, in one transaction.
    pub(super) async fn keep(
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

pub(super) fn observe(work: &mut Work, outcome: StepOutcome) -> Result<(), Error> {
    let step = work.disposal.next();
    let observed = work.disposal.observe(&step, outcome);
    observed.map_err(Error::unavailable)
}
