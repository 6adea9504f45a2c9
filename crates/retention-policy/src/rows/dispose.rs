//! Deletes rows, has the files under them rewritten, and looks whether their bytes are gone. Right
//! before a row goes it is judged again in the deleting transaction: a hold that was placed, or a
//! fact that changed since the plan, keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use covenant_core::{Action, BoxFuture, EventId, OrderId, OutboxTx as _};
use sql_store::{Args, Db, DbError, Mode, Tx};
use uuid::Uuid;

use super::{begin, event};
use crate::apply::{Absence, Capability, DisposeError, Disposer, Flush, FlushError};
use crate::ledger::sql::outbox_row;
use crate::physical::Verify;
use crate::scan::Needle;
use crate::{
    Disposal, DisposalTarget, Entry, HoldGuard, Item, LedgerKey, Moment, Occurrence, Probe,
    Retention, RuleSet, Slack, Step, StepOutcome, StoreName, hold,
};

/// What lies under the rows, where its bytes can be reached.
#[derive(Debug, Clone)]
pub struct Underneath {
    /// The file of SQLite, or the data directory of PostgreSQL.
    pub place: PathBuf,
    /// What rewrites it.
    pub flush: Arc<dyn Flush>,
    /// What looks into it.
    pub verify: Arc<dyn Verify>,
    /// How long others may take to end their transactions before a flush.
    pub wait: Duration,
}

/// The rows of one order, as all its disposers share them.
#[derive(Debug)]
pub struct RowsUnder {
    db: Db,
    rules: Arc<RuleSet>,
    slack: Slack,
    order: OrderId,
    files: Option<Underneath>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Whether something was deleted since the last flush; a new worker does not know, and flushes.
    deleted: bool,
    wanted: BTreeSet<Probe>,
    looked: Option<Looked>,
    /// Sightings in logs that the server recycles in its own time.
    in_logs: u64,
}

/// What the last look said, for every probe that it looked for.
#[derive(Debug)]
struct Looked {
    probes: BTreeSet<Probe>,
    found: BTreeMap<Probe, u64>,
    bytes: u64,
}

/// Disposes of the rows of one store.
#[derive(Debug)]
pub struct RowDisposer {
    store: StoreName,
    under: Arc<RowsUnder>,
    able: &'static [Capability],
}

impl RowsUnder {
    /// The rows of this database under these rules, for one order; `files` is `None` where bytes
    /// cannot be reached, and deletions are then only read back.
    #[must_use]
    pub fn new(
        db: Db,
        rules: Arc<RuleSet>,
        slack: Slack,
        order: OrderId,
        files: Option<Underneath>,
    ) -> Arc<Self> {
        Arc::new(Self {
            db,
            rules,
            slack,
            order,
            files,
            state: Mutex::new(State {
                deleted: true,
                wanted: BTreeSet::new(),
                looked: None,
                in_logs: 0,
            }),
        })
    }

    /// Has one look serve all of these disposals.
    pub fn expect(&self, disposals: &[Disposal]) {
        let probes = disposals.iter().flat_map(Disposal::probes);
        self.state().wanted.extend(probes);
    }

    /// How often the last look saw a probe in logs that the server recycles in its own time.
    #[must_use]
    pub fn seen_in_logs(&self) -> u64 {
        self.state().in_logs
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // clause: P-47
    async fn delete(
        &self,
        store: &StoreName,
        guard: &HoldGuard<'_>,
    ) -> Result<StepOutcome, DisposeError> {
        let target = guard.target();
        let mut tx = begin(&self.db, target.tenant, Mode::ReadWrite)
            .await
            .map_err(unavailable)?;
        let view = hold::sql::view(&mut tx, target.tenant, Mode::ReadWrite).await;
        let view = view.map_err(DisposeError::Holds)?;
        if view.permit(target, guard.now()).is_err() {
            return Ok(StepOutcome::Held);
        }
        if !is_there(&mut tx, store, target)
            .await
            .map_err(unavailable)?
        {
            return Ok(StepOutcome::Absent);
        }
        let named = events(&mut tx, target).await.map_err(unavailable)?;
        let named = named.iter();
        let events: Vec<Occurrence<'_>> =
            named.map(|(name, at)| Occurrence::new(name, *at)).collect();
        let item = Item {
            events: &events,
            ..target.item().in_store(store.as_str())
        };
        let moment = Moment::at(guard.now()).with_slack(self.slack);
        if !self.rules.evaluate(&item, &view, &moment).disposes() {
            return Ok(StepOutcome::Refused);
        }
        let sql = include_str!("../../sql/delete_row_item.sql");
        tx.execute(sql, key(store, target))
            .await
            .map_err(unavailable)?;
        if is_there(&mut tx, store, target)
            .await
            .map_err(unavailable)?
        {
            return Err(DisposeError::Unavailable(Box::new(StillThere)));
        }
        tx.put(outbox_row(target.tenant, &self.purged(store, guard)))
            .await
            .map_err(|error| DisposeError::Unavailable(Box::new(error)))?;
        tx.commit().await.map_err(unavailable)?;
        self.state().deleted = true;
        Ok(StepOutcome::Done)
    }

    /// The fact of a purge, under an id that is the same whoever finishes it.
    fn purged(&self, store: &StoreName, guard: &HoldGuard<'_>) -> Entry {
        let target = guard.target();
        let class = target.class.as_str();
        let name = [
            store.as_str().as_bytes(),
            b"/",
            class.as_bytes(),
            b"/",
            target.id.as_bytes(),
        ];
        let event = Uuid::new_v5(&self.order.as_uuid(), &name.concat());
        Entry {
            seq: 0,
            event: EventId::from_uuid(event),
            at: guard.now(),
            action: Action::RecordPurged,
            key: LedgerKey::Item {
                class: class.to_owned(),
                id: target.id.clone(),
            },
            hold: None,
        }
    }

    // clause: P-52
    async fn flush(&self, probes: &[Probe]) -> Result<StepOutcome, DisposeError> {
        let Some(files) = &self.files else {
            return Ok(StepOutcome::Done);
        };
        {
            let mut state = self.state();
            state.wanted.extend(probes);
            if !state.deleted {
                return Ok(StepOutcome::Done);
            }
        }
        let quiet = match self.db.quiesce(files.wait).await {
            Ok(quiet) => quiet,
            Err(DbError::Busy(_)) => return Ok(StepOutcome::Failed),
            Err(error) => return Err(unavailable(error)),
        };
        match files.flush.flush(&files.place).await {
            Ok(_) => {}
            Err(FlushError::Busy | FlushError::Full) => return Ok(StepOutcome::Failed),
            Err(error) => return Err(DisposeError::Unavailable(Box::new(error))),
        }
        self.look(files).await?;
        drop(quiet);
        self.state().deleted = false;
        Ok(StepOutcome::Done)
    }

    async fn look(&self, files: &Underneath) -> Result<(), DisposeError> {
        let wanted: Vec<Probe> = self.state().wanted.iter().copied().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let needles: Vec<Needle> = wanted.iter().map(Needle::from).collect();
        let seen = files.verify.verify(&files.place, &needles).await;
        let seen = seen.map_err(|error| DisposeError::Unavailable(Box::new(error)))?;
        let mut found = BTreeMap::new();
        for sighting in seen.live.sightings {
            if let Some(probe) = wanted.get(sighting.needle) {
                found.entry(*probe).or_insert(sighting.offset);
            }
        }
        let mut state = self.state();
        let in_logs = u64::try_from(seen.remains.sightings.len()).unwrap_or(u64::MAX);
        state.in_logs = in_logs.saturating_add(seen.remains.unlisted);
        state.looked = Some(Looked {
            probes: wanted.into_iter().collect(),
            found,
            bytes: seen.live.bytes.saturating_add(seen.remains.bytes),
        });
        Ok(())
    }

    async fn verify(
        &self,
        store: &StoreName,
        target: &DisposalTarget,
        probes: &[Probe],
    ) -> Result<Absence, DisposeError> {
        let mut tx = begin(&self.db, target.tenant, Mode::ReadOnly)
            .await
            .map_err(unavailable)?;
        if is_there(&mut tx, store, target)
            .await
            .map_err(unavailable)?
        {
            return Ok(Absence::StillPresent { offset: 0 });
        }
        drop(tx);
        let Some(files) = self.files.as_ref().filter(|_| !probes.is_empty()) else {
            return Ok(Absence::Absent {
                scanned_bytes: None,
            });
        };
        if !self.looked_for(probes) {
            self.state().wanted.extend(probes);
            self.look(files).await?;
        }
        let mut state = self.state();
        let looked = state.looked.as_ref();
        let at = looked.and_then(|looked| probes.iter().find_map(|probe| looked.found.get(probe)));
        Ok(match (at.copied(), looked.map(|looked| looked.bytes)) {
            (Some(offset), _) => {
                // one more flush is worth while
                state.deleted = true;
                Absence::StillPresent { offset }
            }
            (None, scanned_bytes) => Absence::Absent { scanned_bytes },
        })
    }

    fn looked_for(&self, probes: &[Probe]) -> bool {
        let state = self.state();
        let looked = state.looked.as_ref();
        looked.is_some_and(|looked| probes.iter().all(|probe| looked.probes.contains(probe)))
    }
}

impl RowDisposer {
    /// The disposer of this store's rows.
    #[must_use]
    pub fn new(store: StoreName, under: Arc<RowsUnder>) -> Self {
        let able: &[Capability] = match under.files {
            Some(_) => &[Capability::Delete, Capability::RawScan],
            None => &[Capability::Delete],
        };
        Self { store, under, able }
    }
}

impl Disposer for RowDisposer {
    fn store(&self) -> &StoreName {
        &self.store
    }

    fn capabilities(&self) -> &[Capability] {
        self.able
    }

    fn perform<'a>(
        &'a self,
        step: &'a Step,
        guard: &'a HoldGuard<'a>,
        probes: &'a [Probe],
    ) -> BoxFuture<'a, Result<StepOutcome, DisposeError>> {
        Box::pin(async move {
            match step {
                Step::Delete { store } => self.under.delete(store, guard).await,
                Step::Flush => self.under.flush(probes).await,
                // the journal row was written before the first effect; a row has no tombstone
                _ => Ok(StepOutcome::Done),
            }
        })
    }

    fn verify<'a>(
        &'a self,
        target: &'a DisposalTarget,
        probes: &'a [Probe],
    ) -> BoxFuture<'a, Result<Absence, DisposeError>> {
        Box::pin(self.under.verify(&self.store, target, probes))
    }
}

/// Rows were deleted from the view and are there still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("retention_item does not delete: the view lacks an INSTEAD OF DELETE trigger")]
pub struct StillThere;

async fn is_there(
    tx: &mut Tx,
    store: &StoreName,
    target: &DisposalTarget,
) -> Result<bool, DbError> {
    let sql = include_str!("../../sql/read_row_item.sql");
    Ok(tx.row(sql, key(store, target)).await?.is_some())
}

async fn events(
    tx: &mut Tx,
    target: &DisposalTarget,
) -> Result<Vec<(String, time::UtcDateTime)>, DbError> {
    let args = Args::new()
        .bind(target.tenant.to_string())
        .bind(target.class.as_str())
        .bind(text(target));
    let sql = include_str!("../../sql/read_row_events.sql");
    tx.rows(sql, args).await?.iter().map(event).collect()
}

fn key(store: &StoreName, target: &DisposalTarget) -> Args {
    Args::new()
        .bind(target.tenant.to_string())
        .bind(store.as_str())
        .bind(target.class.as_str())
        .bind(text(target))
}

/// Ids of rows are text; one that is not matches none.
fn text(target: &DisposalTarget) -> String {
    String::from_utf8_lossy(target.id.as_bytes()).into_owned()
}

fn unavailable(error: DbError) -> DisposeError {
    DisposeError::Unavailable(Box::new(error))
}
