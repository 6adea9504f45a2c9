//! Purging the bin by the protocol of `retention-policy`: what may go is planned, its disposal
//! recorded with its events, its objects and rows deleted, the file flushed, the bytes looked for, and
//! the order certified. The journal in the tenant's store says how far each record is, so that any
//! worker goes on where another one stopped.

mod carried;
mod certified;
mod found;
mod journal;
mod looked;
mod recorded;

use covenant_core::event::Datum;
use covenant_core::{Action, DecisionId, Event, ItemId, Target, TenantId};
use object_store::ObjectStoreExt as _;
use retention_policy::{DisposalTarget, HoldView, Item, KeepUntil, Moment, flush_after};
use sql_store::due::Due;
use sql_store::{Args, Tx};
use tenant_isolation::level::Maintain;
use tenant_isolation::{AccessAction, Caller, Scope, ServiceKind};
use time::{Duration, UtcDateTime};

use crate::assembly::Covenant;
use crate::error::Error;
use crate::plans::PlanKind;
use crate::profile::CLASS_RECORD;
use crate::record::object_path;
use crate::sweep::kind;

pub(crate) use recorded::Recorded;

/// Records that one transaction takes out at most; ours, so that a backlog never holds the file
/// for long.
const BATCH: usize = 500;

/// How often a purge that others overtook is tried anew in one sweep.
const OVERTAKEN_MAX: usize = 3;

/// Which records of the bin go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'w> {
    /// Those whose floor has ended.
    Due,
    /// Live ones that go into the bin now, to be gone by their tenant's own ceiling.
    Aged,
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
}

impl Wanted<'_> {
    /// Whether this record is wanted at all.
    fn names(&self, id: &ItemId) -> bool {
        match self {
            Self::ByHand(ByHand { only, .. }) => only.is_none_or(|only| only == id),
            Self::Due | Self::Aged => true,
        }
    }

    /// Which plan of the tenant it is about.
    const fn kind(&self) -> PlanKind {
        match self {
            Self::Due | Self::ByHand(_) => PlanKind::Bin,
            Self::Aged => PlanKind::Live,
        }
    }
}

/// What came of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It is done.
    Out,
    /// Somebody changed one of them meanwhile, and nothing was done.
    Overtaken,
}

impl Covenant {
    /// Puts the next purge of the tenant's bin into the due-queue, the first civil midnight at which
    /// something in it may go; the next look at its live records; and what was begun of deleting single files.
    pub(crate) async fn plan_bin(&self, tenant: TenantId) -> Result<(), Error> {
        let caller = Caller::service(ServiceKind::Retention);
        let scope = self
            .enter::<Maintain>(&caller, tenant, AccessAction::StoreSweep)
            .await?;
        self.plan_bin_in(&scope, None).await?;
        self.plan_live_in(&scope).await?;
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
        if journal::is_begun(tx, tenant).await? {
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
        if journal::is_begun(tx, tenant).await? {
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
        let events = found::occurrences(deleted, deleted, Wanted::Due);
        let item = Item::new(tenant, CLASS_RECORD, tenant.as_uuid(), &events);
        let item = item.in_store(&self.parts().profile.rows);
        let verdict = self.judge_item(&item, &HoldView::none(), deleted);
        let free = match verdict.keep_until {
            KeepUntil::At(until) => until,
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
    pub(crate) async fn purge_bin(
        &self,
        tenant: TenantId,
        now: UtcDateTime,
    ) -> Result<Recorded, Error> {
        let caller = Caller::service(ServiceKind::Retention);
        let scope = self
            .enter::<Maintain>(&caller, tenant, AccessAction::StoreSweep)
            .await?;
        let _writing = self.parts().writing(tenant).await;
        let order = self.mint()?;
        let recorded = self
            .record_all(&scope, &caller, now, order, Wanted::Due)
            .await?;
        self.carry_out(&scope, &caller, now).await?;
        // What did not go now is looked at again at the next midnight.
        let midnight = flush_after(&self.parts().profile.zone, now);
        self.plan_bin_in(&scope, Some(midnight)).await?;
        Ok(recorded)
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

    /// Deletes an object and reads back that it is gone; one that is gone already is no error.
    async fn delete_object(&self, scope: &Scope<Maintain>, id: &ItemId) -> Result<(), Error> {
        match self.parts().objects.delete(&object_path(scope, id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if self.is_there(scope, id).await? {
            return Err(Error::StillPresent);
        }
        Ok(())
    }

    /// Whether an object is there.
    async fn is_there(&self, scope: &Scope<Maintain>, id: &ItemId) -> Result<bool, Error> {
        match self.parts().objects.head(&object_path(scope, id)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(true),
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
