//! The first step of a purge: events, tombstones and journal rows in one transaction, from which
//! nothing leads back into the bin.

use covenant_core::event::Datum;
use covenant_core::{Action, Event, ItemId, OrderId, TenantId};
use retention_policy::{
    Disposal, DisposalTarget, HoldView, OwnsKey, Population, Probe, Refused, Step, StepOutcome,
};
use sql_store::{Args, Mode, Tx};
use tenant_isolation::level::Maintain;
use tenant_isolation::{Caller, Scope};
use time::UtcDateTime;

use super::found::Found;
use super::journal::{self, Work};
use super::{BATCH, ByHand, OVERTAKEN_MAX, Taken, Wanted};
use crate::assembly::Covenant;
use crate::certificate::{OBJECTS, ROWS, store};
use crate::error::Error;
use crate::plans;
use crate::record::{salts, target};

/// What came of recording a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Records that were taken out of the bin for good.
    pub(crate) records: u64,
    /// Whether a plan waits for a person.
    pub(crate) waits: bool,
}

impl Covenant {
    /// Records the disposal of everything that is wanted and may go, a batch in a transaction. A
    /// sweep under rules that are new to the tenant, and a plan beyond a limit, record nothing: the
    /// plan waits until somebody approves it.
    pub(crate) async fn record_all(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        now: UtcDateTime,
        order: OrderId,
        wanted: Wanted<'_>,
    ) -> Result<Recorded, Error> {
        let mut recorded = Recorded::default();
        let mut overtaken = 0_usize;
        while overtaken <= OVERTAKEN_MAX {
            let Some(found) = self.next_plan(scope, now, wanted).await? else {
                recorded.waits = true;
                break;
            };
            let after_approval = found.by_person;
            match self
                .record_found(scope, caller, now, order, &found, wanted)
                .await
            {
                Ok((count, taken)) => {
                    recorded.records = recorded.records.saturating_add(count);
                    if taken == Taken::Overtaken {
                        overtaken = overtaken.saturating_add(1);
                        continue;
                    }
                }
                Err(Error::Plan(refused)) if !matches!(wanted, Wanted::ByHand(_)) => {
                    self.refused(scope, &found, &refused, wanted).await?;
                    if !after_approval {
                        recorded.waits = true;
                        break;
                    }
                    // What was approved cannot be done any more; it is planned anew.
                    continue;
                }
                Err(error) => return Err(error),
            }
            if !after_approval {
                break;
            }
            let swept = (scope.tenant(), wanted.kind());
            plans::settle(&self.parts().control, swept, found.plan.rules()).await?;
        }
        Ok(recorded)
    }

    /// Records what was found, a batch in a transaction; returns how many records that are.
    async fn record_found(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        now: UtcDateTime,
        order: OrderId,
        found: &Found,
        wanted: Wanted<'_>,
    ) -> Result<(u64, Taken), Error> {
        let population = self.population(scope, found).await?;
        let mut recorded = 0_u64;
        for (at, items) in found.items.chunks(BATCH).enumerate() {
            let batch = Batch {
                order,
                found,
                items,
                population: (at == 0).then_some(&population),
            };
            if self.record(scope, caller, &batch, now, wanted).await? == Taken::Overtaken {
                return Ok((recorded, Taken::Overtaken));
            }
            let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
            recorded = recorded.saturating_add(count);
        }
        Ok((recorded, Taken::Out))
    }

    /// The first step of a batch, in one transaction.
    // clause: P-47, P-51, P-52
    async fn record(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        batch: &Batch<'_>,
        now: UtcDateTime,
        wanted: Wanted<'_>,
    ) -> Result<Taken, Error> {
        let tenant = scope.tenant();
        let mut events = Vec::new();
        for id in batch.items {
            let target = target(tenant, "record", id);
            if let Wanted::ByHand(hand) = wanted {
                events.push(self.ordered(hand, batch.order, target.clone())?);
            }
            let action = match wanted {
                Wanted::Aged => Action::RecordDeleted,
                Wanted::Due | Wanted::ByHand(_) => Action::RecordPurged,
            };
            events.push(self.row_event(caller, scope.decision(), action, target)?);
        }
        let stores = [store(OBJECTS)?, store(ROWS)?];
        let book = self.parts().holds.clone();
        let mut change = self.begin_change(scope, events).await?;
        let tx = change.tx().await?;
        let holds = book.view(tx, tenant, Mode::ReadWrite).await?;
        match self.admitted(tenant, batch, &holds, wanted) {
            // Seen by the next look at the bin; but what a person approved, a person looks at again.
            Err(Refused::HoldsMoved(_)) if !batch.found.by_person => return Ok(Taken::Overtaken),
            admitted => admitted?,
        }
        if let Some(ground) = &batch.found.ground {
            journal::insert_order(tx, tenant, batch.order, ground).await?;
        }
        for id in batch.items {
            let Some((made, deleted)) = batch.found.dates.get(id) else {
                return Ok(Taken::Overtaken);
            };
            let target = self.record_target(tenant, id, *made);
            if let Wanted::Aged = wanted {
                let there = holds.permit(&target, now).is_ok();
                if !there || !self.retire(tx, &target, *deleted, now).await? {
                    return Ok(Taken::Overtaken);
                }
                continue;
            }
            let args = Args::new().bind(tenant).bind(id).bind(now).bind(*deleted);
            let sql = include_str!("../../sql/entomb_record.sql");
            if holds.permit(&target, now).is_err() || tx.execute(sql, args).await? == 0 {
                // Held, out already, or restored from the bin, since it was planned.
                return Ok(Taken::Overtaken);
            }
            let (probes, objects) = gather(tx, &target).await?;
            let disposal = Disposal::new(batch.order, target, &stores, &probes, OwnsKey::No);
            let mut disposal =
                disposal.ok_or_else(|| Error::unavailable("a record has too many parts"))?;
            disposal
                .observe(&Step::Record, StepOutcome::Done)
                .map_err(Error::unavailable)?;
            journal::insert(tx, &Work { disposal, objects }).await?;
        }
        if let Wanted::Aged = wanted {
            self.plan_purge(tx, tenant).await?;
        }
        change.commit().await?;
        Ok(Taken::Out)
    }

    /// Moves a live record into the bin, unless it was changed since it was planned.
    // clause: P-46, P-51
    async fn retire(
        &self,
        tx: &mut Tx,
        target: &DisposalTarget,
        changed: UtcDateTime,
        now: UtcDateTime,
    ) -> Result<bool, Error> {
        let sql = include_str!("../../sql/read_changed.sql");
        let args = Args::new().bind(target.tenant).bind(&target.id);
        let row = tx.row(sql, args).await?;
        let there = row.map(|row| row.instant("changed_at")).transpose()?;
        let tables = self.parts().tables.clone();
        Ok(there == Some(changed) && tables.bin(tx, target.tenant, &target.id, now).await? > 0)
    }

    /// Whether the plan may be carried out under the rules and holds of now: before its first effect
    /// as a whole, and later that no hold was placed, extended or released since.
    fn admitted(
        &self,
        tenant: TenantId,
        batch: &Batch<'_>,
        holds: &HoldView,
        wanted: Wanted<'_>,
    ) -> Result<(), Refused> {
        let Found {
            plan,
            approved,
            limits,
            ..
        } = batch.found;
        if let Some(population) = batch.population {
            let under = self.under(tenant, wanted);
            return plan.admit(approved, &under, holds, limits, population);
        }
        let mut tenants = plan.tenants().iter();
        match tenants.find(|(tenant, seen)| holds.generation(**tenant) != **seen) {
            Some((tenant, _)) => Err(Refused::HoldsMoved(*tenant)),
            None => Ok(()),
        }
    }

    /// The event of an order by hand.
    fn ordered(
        &self,
        hand: ByHand<'_>,
        order: OrderId,
        target: covenant_core::Target,
    ) -> Result<Event, Error> {
        let action = Action::RecordManualPurge;
        let event = self.row_event(hand.caller, hand.decision, action, target)?;
        Ok(event.with("order", Datum::Id(order.as_uuid())))
    }
}

/// A part of a plan that one transaction records.
struct Batch<'b> {
    order: OrderId,
    found: &'b Found,
    items: &'b [ItemId],
    /// How many records there are, while nothing of the plan was done yet.
    population: Option<&'b Population>,
}

/// What a record leaves to be looked for, and its objects.
async fn gather(tx: &mut Tx, target: &DisposalTarget) -> Result<(Vec<Probe>, Vec<ItemId>), Error> {
    let args = || Args::new().bind(target.tenant).bind(&target.id);
    let mut probes = Vec::new();
    let sql = include_str!("../../sql/read_sealed.sql");
    for row in tx.rows(sql, args()).await? {
        for column in ["body", "sensitive"] {
            let sealed = row.opt_bytes(column)?.unwrap_or_default();
            probes.extend(salts(sealed).into_iter().map(Probe::new));
        }
    }
    let mut objects = Vec::new();
    let sql = include_str!("../../sql/list_attachments.sql");
    for row in tx.rows(sql, args()).await? {
        objects.push(ItemId::try_from(row.bytes("id")?)?);
        probes.push(Probe::new(row.array("probe")?));
    }
    Ok((probes, objects))
}
