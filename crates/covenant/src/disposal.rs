//! Purging the bin: what the verdict lets go is taken out of the tables with its events in one
//! transaction, its objects are deleted, the file is flushed, and a scan of the bytes says so. A
//! journal in the tenant's store makes every step repeatable.

use std::str::FromStr as _;

use covenant_core::event::Datum;
use covenant_core::{Action, DecisionId, Event, ItemId, OrderId, Target, TenantId};
use object_store::ObjectStoreExt as _;
use retention_policy::scan::{Needle, find, sqlite_files};
use retention_policy::{
    DisposalTarget, HoldError, HoldView, InvertedProbe, Item, Moment, Occurrence, PROBE_LEN_BYTES,
    Probe, State, StoreName, Verdict, flush_after,
};
use sql_store::due::Due;
use sql_store::{Args, Mode, Row, Tx};
use tenant_isolation::level::Maintain;
use tenant_isolation::{AccessAction, Caller, Scope, ServiceKind};
use time::{Duration, UtcDateTime};

use crate::assembly::Covenant;
use crate::error::Error;
use crate::record::{object_path, salts, target};
use crate::sweep::kind;

/// Records that one transaction takes out at most; ours, so that a backlog never holds the file
/// for long.
const BATCH: u32 = 500;
/// How often the file is flushed again when a scan still finds bytes.
const FLUSHES: usize = 2;

/// How often a purge that others overtook is tried anew in one sweep.
const OVERTAKEN_MAX: usize = 3;

/// Which records of the bin go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'w> {
    /// Those whose floor has ended.
    Due,
    /// Those that somebody purges by hand now.
    ByHand(ByHand<'w>),
}

/// A purge by hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByHand<'w> {
    /// This record alone; the whole bin if there is none.
    pub(crate) only: Option<&'w ItemId>,
    /// Who ordered it.
    pub(crate) caller: &'w Caller,
    /// The decision that allowed it.
    pub(crate) decision: DecisionId,
    /// The order.
    pub(crate) order: OrderId,
}

impl Wanted<'_> {
    /// Whether this record is wanted at all.
    fn names(&self, id: &ItemId) -> bool {
        match self {
            Self::ByHand(ByHand { only, .. }) => only.is_none_or(|only| only == id),
            Self::Due => true,
        }
    }
}

/// What came of taking records out.
enum Taken {
    /// They are out.
    Out,
    /// Somebody changed one of them meanwhile, and nothing was done.
    Overtaken,
}

/// The one store of records, as holds name what passed.
const STORE_ROWS: &str = "rows";

/// One record that goes.
struct Going {
    id: ItemId,
    made: UtcDateTime,
    deleted: UtcDateTime,
    probes: Vec<Probe>,
    objects: Vec<ItemId>,
    attachments: u64,
}

impl Covenant {
    /// Puts the next purge of the tenant's bin into the due-queue, the first civil midnight at which
    /// something in it may go, and what was begun of deleting single files.
    pub(crate) async fn plan_bin(&self, tenant: TenantId) -> Result<(), Error> {
        let caller = Caller::service(ServiceKind::Retention);
        let scope = self
            .enter::<Maintain>(&caller, tenant, AccessAction::StoreSweep)
            .await?;
        self.plan_bin_in(&scope, None).await?;
        self.plan_withdrawals(&scope).await
    }

    /// Likewise; what is due already, no earlier than `not_before`.
    pub(crate) async fn plan_bin_in(
        &self,
        scope: &Scope<Maintain>,
        not_before: Option<UtcDateTime>,
    ) -> Result<(), Error> {
        let tenant = scope.tenant();
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let due = self.next_purge(tx.tx().await?, tenant).await?;
        // Planned before the transaction ends, so that no deletion comes in between.
        match due {
            Some(due) => {
                // what is due later than now keeps its hour
                let overdue = due.due_at <= self.parts().clock.now();
                let due_at = not_before.filter(|_| overdue).unwrap_or(due.due_at);
                self.put_due(&Due { due_at, ..due }).await
            }
            None => self.cancel_due(tenant, kind::BIN, &[]).await,
        }
    }

    /// Plans the purge of what this transaction put into the bin, before it commits: a plan too many
    /// finds nothing to do, one too few would break a promise.
    // clause: P-52
    pub(crate) async fn plan_purge(&self, tx: &mut Tx, tenant: TenantId) -> Result<(), Error> {
        if purge_begun(tx, tenant).await? {
            // It is tried again when it is due, and plans what comes after itself.
            return Ok(());
        }
        match self.next_purge(tx, tenant).await? {
            Some(due) => self.put_due(&due).await,
            None => Ok(()),
        }
    }

    /// The tenant's next purge, as its rows say in this transaction: at once when one was begun and
    /// not finished.
    async fn next_purge(&self, tx: &mut Tx, tenant: TenantId) -> Result<Option<Due>, Error> {
        if purge_begun(tx, tenant).await? {
            let due_at = self.parts().clock.now();
            return Ok(Some(self.bin_row(tenant, due_at)));
        }
        let args = Args::new().bind(tenant);
        let row = tx
            .row(include_str!("../sql/first_binned.sql"), args)
            .await?;
        let first = row.map_or(Ok(None), |row| row.opt_instant("first"))?;
        Ok(first.map(|deleted| self.bin_row(tenant, self.bin_due(tenant, deleted))))
    }

    pub(crate) fn bin_row(&self, tenant: TenantId, due_at: UtcDateTime) -> Due {
        Due {
            due_at,
            kind: kind::BIN.to_owned(),
            tenant,
            key: Vec::new(),
        }
    }

    /// When a record that was deleted at this instant may go: the first midnight from the end of its
    /// floor on, or that end where the midnight would be too late.
    // clause: P-46, P-52
    fn bin_due(&self, tenant: TenantId, deleted: UtcDateTime) -> UtcDateTime {
        let verdict = self.judge_bin(tenant, deleted);
        let free = match verdict.keep_until {
            retention_policy::KeepUntil::At(until) => until,
            _ => deleted,
        };
        let zone = &self.parts().profile.zone;
        let midnight = flush_after(zone, free.saturating_sub(Duration::seconds(1)));
        // a tenant's own floor may end at any hour
        match verdict.gone_by {
            Some(by) if by < midnight && free <= by => free,
            _ => midnight,
        }
    }

    /// What the rules alone say of a record that was deleted at this instant.
    fn judge_bin(&self, tenant: TenantId, deleted: UtcDateTime) -> Verdict {
        let id = ItemId::from(tenant.as_uuid());
        let target = DisposalTarget::new(tenant, self.parts().class_record.clone(), id);
        let none = HoldView::none();
        self.judge(&target, &none, deleted, deleted, Wanted::Due)
    }

    fn judge(
        &self,
        target: &DisposalTarget,
        holds: &HoldView,
        deleted: UtcDateTime,
        now: UtcDateTime,
        wanted: Wanted<'_>,
    ) -> Verdict {
        let mut events = vec![Occurrence::new(Action::RecordDeleted.name(), deleted)];
        if let Wanted::ByHand(_) = wanted {
            let purged = Action::RecordManualPurge.name();
            events.push(Occurrence::new(purged, now));
        }
        let item = Item {
            events: &events,
            ..target.item()
        }
        .in_store(&self.parts().profile.rows);
        self.parts()
            .retention
            .evaluate(&item, holds, &self.moment(now))
    }

    /// A record as holds see it; whom it is about nobody here knows.
    fn record_target(&self, tenant: TenantId, id: &ItemId, made: UtcDateTime) -> DisposalTarget {
        let class = self.parts().class_record.clone();
        DisposalTarget {
            made_at: Some(made),
            ..DisposalTarget::new(tenant, class, id.clone())
        }
    }

    /// The moment at which something is judged.
    pub(crate) fn moment(&self, now: UtcDateTime) -> Moment {
        Moment::at(now)
    }

    /// Purges what may go of the tenant's bin; `now` is an instant that deletions may trust.
    // clause: P-47, P-51, P-52
    pub(crate) async fn purge_bin(&self, tenant: TenantId, now: UtcDateTime) -> Result<u64, Error> {
        let caller = Caller::service(ServiceKind::Retention);
        let scope = self
            .enter::<Maintain>(&caller, tenant, AccessAction::StoreSweep)
            .await?;
        let _writing = self.parts().writing(tenant).await;
        let purged = self.take_all_out(&scope, &caller, now, Wanted::Due).await?;
        self.finish(&scope).await?;
        // What did not go now is looked at again at the next midnight.
        let midnight = flush_after(&self.parts().profile.zone, now);
        self.plan_bin_in(&scope, Some(midnight)).await?;
        Ok(u64::try_from(purged.len()).unwrap_or(u64::MAX))
    }

    /// Takes what is wanted and may go out of the tables, a batch in a transaction; returns what
    /// went. The journal then says what is left to do.
    pub(crate) async fn take_all_out(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        now: UtcDateTime,
        wanted: Wanted<'_>,
    ) -> Result<Vec<ItemId>, Error> {
        let mut purged = Vec::new();
        let mut overtaken = 0_usize;
        loop {
            let going = self.collect(scope, now, wanted).await?;
            if going.is_empty() || overtaken > OVERTAKEN_MAX {
                return Ok(purged);
            }
            match self.take_out(scope, caller, &going, now, wanted).await? {
                Taken::Out => purged.extend(going.into_iter().map(|going| going.id)),
                Taken::Overtaken => overtaken = overtaken.saturating_add(1),
            }
        }
    }

    /// What may go, with the salts of its sealed values and the names of its objects.
    async fn collect(
        &self,
        scope: &Scope<Maintain>,
        now: UtcDateTime,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Going>, Error> {
        let tenant = scope.tenant();
        let parts = self.parts();
        let mut held = Vec::new();
        let mut tx = scope.begin(parts.tenants.as_ref()).await?;
        let lent = tx.tx().await?;
        let holds = parts.holds.view(lent, tenant, Mode::ReadOnly).await?;
        let mut going = Vec::new();
        // What is held, or not due, does not keep what comes after it from going.
        let mut after = (UtcDateTime::UNIX_EPOCH, Vec::new());
        while going.is_empty() {
            let args = Args::new().bind(tenant).bind(BATCH);
            let args = args.bind(after.0).bind(after.1.as_slice());
            let binned = lent.rows(include_str!("../sql/list_bin.sql"), args).await?;
            let Some(last) = binned.last() else { break };
            after = (last.instant("deleted_at")?, last.bytes("id")?.to_vec());
            for row in &binned {
                let (deleted, made) = (row.instant("deleted_at")?, row.instant("created_at")?);
                let id = ItemId::try_from(row.bytes("id")?)?;
                if !wanted.names(&id) {
                    continue;
                }
                let target = self.record_target(tenant, &id, made);
                let verdict = self.judge(&target, &holds, deleted, now, wanted);
                match verdict.state {
                    // A floor that has not ended, or a conflict that a person must settle.
                    State::Keep | State::Conflict => continue,
                    State::Held => {
                        let none = HoldView::none();
                        let unheld = self.judge(&target, &none, deleted, now, wanted);
                        if unheld.disposes() {
                            held.push((id, verdict.held_by));
                        }
                        continue;
                    }
                    _ => {}
                }
                going.push(self.gather(lent, tenant, id, deleted, made).await?);
            }
        }
        drop(tx);
        for (id, holds) in held {
            self.tell_held(tenant, "record", &id, &holds).await?;
        }
        Ok(going)
    }

    /// What a record leaves to be looked for, and its objects.
    async fn gather(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        id: ItemId,
        deleted: UtcDateTime,
        made: UtcDateTime,
    ) -> Result<Going, Error> {
        let args = || Args::new().bind(tenant).bind(&id);
        let mut probes = Vec::new();
        for row in tx
            .rows(include_str!("../sql/read_sealed.sql"), args())
            .await?
        {
            for column in ["body", "sensitive"] {
                let sealed = row.opt_bytes(column)?.unwrap_or_default();
                probes.extend(salts(sealed).into_iter().map(Probe::new));
            }
        }
        let mut objects = Vec::new();
        for row in tx
            .rows(include_str!("../sql/list_attachments.sql"), args())
            .await?
        {
            objects.push(ItemId::try_from(row.bytes("id")?)?);
            probes.push(Probe::new(row.array("probe")?));
        }
        let attachments = u64::try_from(objects.len()).unwrap_or(u64::MAX);
        Ok(Going {
            id,
            made,
            deleted,
            probes,
            objects,
            attachments,
        })
    }

    /// One transaction: events, journal, and the rows gone.
    async fn take_out(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        going: &[Going],
        now: UtcDateTime,
        wanted: Wanted<'_>,
    ) -> Result<Taken, Error> {
        let tenant = scope.tenant();
        let mut events = Vec::new();
        for Going { id, .. } in going {
            let target = target(tenant, "record", id);
            if let Wanted::ByHand(hand) = wanted {
                let action = Action::RecordManualPurge;
                let event = self.row_event(hand.caller, hand.decision, action, target.clone())?;
                events.push(event.with("order", Datum::Id(hand.order.as_uuid())));
            }
            events.push(self.row_event(caller, scope.decision(), Action::RecordPurged, target)?);
        }
        let contents = u64::try_from(going.len()).unwrap_or(u64::MAX);
        let attachments = going.iter().map(|going| going.attachments).sum();
        for (table, rows) in [("content", contents), ("attachment", attachments)] {
            if rows > 0 {
                events.push(self.bulk_event(scope, caller, table, "delete", rows)?);
            }
        }
        let tables = self.parts().tables.clone();
        let book = self.parts().holds.clone();
        let store = StoreName::from_str(STORE_ROWS).map_err(Error::unavailable)?;
        let mut change = self.begin_change(scope, events).await?;
        let tx = change.tx().await?;
        for Going {
            id,
            made,
            deleted,
            probes,
            objects,
            attachments: _,
        } in going
        {
            let probes: Vec<u8> = probes
                .iter()
                .flat_map(|probe| *probe.invert().as_bytes())
                .collect();
            let objects: Vec<u8> = objects
                .iter()
                .flat_map(|id| id.as_bytes().to_vec())
                .collect();
            let args = Args::new().bind(tenant).bind(id).bind(probes).bind(objects);
            let row = tx
                .row(
                    include_str!("../sql/read_deleted.sql"),
                    Args::new().bind(tenant).bind(id),
                )
                .await?;
            let still = row.map_or(Ok(None), |row| row.opt_instant("deleted_at"))?;
            if still != Some(*deleted) {
                // Out already, or restored from the bin, since it was collected.
                return Ok(Taken::Overtaken);
            }
            let target = self.record_target(tenant, id, *made);
            match book.pass(tx, &target, &store, now).await {
                Ok(()) => {}
                Err(HoldError::Held(_)) => return Ok(Taken::Overtaken),
                Err(error) => return Err(error.into()),
            }
            tables.erase(tx, tenant, id).await?;
            tx.execute(include_str!("../sql/insert_purge.sql"), args)
                .await?;
        }
        change.commit().await?;
        Ok(Taken::Out)
    }

    /// An event about many rows of one table.
    pub(crate) fn bulk_event(
        &self,
        scope: &Scope<impl tenant_isolation::level::Level>,
        caller: &Caller,
        table: &'static str,
        op: &'static str,
        rows: u64,
    ) -> Result<Event, Error> {
        let target = Target {
            tenant: Some(scope.tenant()),
            kind: "record",
            table: Some(table),
            id: None,
        };
        let action = Action::ChangeRecorded;
        let mut event = self.row_event(caller, scope.decision(), action, target)?;
        event.rows = Some(rows);
        Ok(event.with("op", Datum::Token(op)))
    }

    /// Works off the journal: objects deleted, file flushed, bytes looked for; then the journal goes.
    /// Says how many bytes were looked through for what went.
    pub(crate) async fn finish(&self, scope: &Scope<Maintain>) -> Result<u64, Error> {
        let tenant = scope.tenant();
        let journal = self.read_journal(scope).await?;
        if journal.is_empty() {
            return Ok(0);
        }
        let mut probes = Vec::new();
        for row in &journal {
            for object in row.bytes("objects")?.chunks_exact(OBJECT_ID_LEN_BYTES) {
                self.delete_object(scope, &ItemId::try_from(object)?)
                    .await?;
            }
            for inverted in row.bytes("probes")?.chunks_exact(PROBE_LEN_BYTES) {
                if let Ok(bytes) = <[u8; PROBE_LEN_BYTES]>::try_from(inverted) {
                    probes.push(InvertedProbe::from_bytes(bytes).revert());
                }
            }
        }
        let scanned = self.flush_until_absent(scope, &probes).await?;
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let args = Args::new().bind(tenant);
        let lent = tx.tx().await?;
        lent.execute(include_str!("../sql/delete_purge.sql"), args)
            .await?;
        for row in &journal {
            let id = ItemId::try_from(row.bytes("record")?)?;
            let class = self.parts().class_record.clone();
            let target = DisposalTarget::new(tenant, class, id);
            retention_policy::hold::sql::settle(lent, &target).await?;
        }
        tx.commit().await?;
        Ok(scanned)
    }

    async fn read_journal(&self, scope: &Scope<Maintain>) -> Result<Vec<Row>, Error> {
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let args = Args::new().bind(scope.tenant());
        Ok(tx
            .tx()
            .await?
            .rows(include_str!("../sql/list_purge.sql"), args)
            .await?)
    }

    /// Flushes the file and looks for the probes in it; once more if there are any.
    async fn flush_until_absent(
        &self,
        scope: &Scope<Maintain>,
        probes: &[Probe],
    ) -> Result<u64, Error> {
        let parts = self.parts();
        for _ in 0..FLUSHES {
            let slot = scope.maintain(parts.tenants.as_ref()).await?;
            parts
                .flush
                .flush(slot.file())
                .await
                .map_err(Error::unavailable)?;
            let files = sqlite_files(slot.file()).to_vec();
            let needles: Result<Vec<Needle>, _> = probes
                .iter()
                .map(|probe| Needle::new(probe.as_bytes().to_vec()))
                .collect();
            let needles = needles.map_err(Error::unavailable)?;
            let scan = tokio::task::spawn_blocking(move || find(&files, &needles));
            let scanned = scan.await.map_err(Error::unavailable)??;
            drop(slot);
            if scanned.sightings.is_empty() {
                return Ok(scanned.bytes);
            }
        }
        Err(Error::StillPresent)
    }

    /// Deletes an object and reads back that it is gone; one that is gone already is no error.
    async fn delete_object(&self, scope: &Scope<Maintain>, id: &ItemId) -> Result<(), Error> {
        let path = object_path(scope, id);
        let objects = &self.parts().objects;
        match objects.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match objects.head(&path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Error::StillPresent),
        }
    }

    /// Deletes every object of the tenant.
    pub(crate) async fn remove_objects(&self, scope: &Scope<Maintain>) -> Result<(), Error> {
        use futures_util::TryStreamExt as _;
        let region = scope.region();
        let tenant = scope.tenant().simple();
        let prefix = object_store::path::Path::from_iter([region.as_str(), tenant.as_str()]);
        let objects = &self.parts().objects;
        let listed: Vec<_> = objects.list(Some(&prefix)).try_collect().await?;
        for meta in listed {
            objects.delete(&meta.location).await?;
        }
        let left: Vec<_> = objects.list(Some(&prefix)).try_collect().await?;
        if left.is_empty() {
            Ok(())
        } else {
            Err(Error::StillPresent)
        }
    }
}

/// Whether a purge of the tenant's bin was begun and not finished.
async fn purge_begun(tx: &mut Tx, tenant: TenantId) -> Result<bool, Error> {
    let args = Args::new().bind(tenant);
    let row = tx.row(include_str!("../sql/count_purge.sql"), args).await?;
    Ok(row.map_or(Ok(0), |row| row.int("n"))? > 0)
}

/// Bytes of an object's id: a UUID.
const OBJECT_ID_LEN_BYTES: usize = 16;
