//! What may go of a bin, as a plan, and its first step: events, tombstones and journal rows in one
//! transaction, from which nothing leads back into the bin.

use std::collections::BTreeMap;

use covenant_core::event::Datum;
use covenant_core::{Action, Event, ItemId, OrderId};
use retention_policy::{
    Act, Disposal, DisposalTarget, HoldView, Item, Limits, Occurrence, OwnsKey, Plan, PlanContext,
    Population, Probe, Refused, State, Step, StepOutcome, Verdict, plan,
};
use sql_store::{Args, Mode, Tx};
use tenant_isolation::level::Maintain;
use tenant_isolation::{Caller, Scope};
use time::UtcDateTime;

use super::journal::{self, Ground, Work};
use super::{BATCH, ByHand, OVERTAKEN_MAX, Taken, Wanted};
use crate::assembly::Covenant;
use crate::certificate::{OBJECTS, ROWS, ground, store};
use crate::error::Error;
use crate::profile::CLASS_RECORD;
use crate::record::{salts, target};

/// A record in the bin.
#[derive(Debug, Clone)]
struct Binned {
    id: ItemId,
    made: UtcDateTime,
    deleted: UtcDateTime,
    stored: u64,
}

/// What may go now.
struct Found {
    plan: Plan,
    ground: Option<Ground>,
    /// When each was made, and deleted.
    dates: BTreeMap<ItemId, (UtcDateTime, UtcDateTime)>,
}

impl Covenant {
    /// Records the disposal of everything that is wanted and may go, a batch in a transaction;
    /// returns how many records that are.
    pub(crate) async fn record_all(
        &self,
        scope: &Scope<Maintain>,
        caller: &Caller,
        now: UtcDateTime,
        order: OrderId,
        wanted: Wanted<'_>,
    ) -> Result<u64, Error> {
        let mut recorded = 0_u64;
        for _ in 0..=OVERTAKEN_MAX {
            let found = self.found(scope, now, wanted).await?;
            let mut taken = Taken::Out;
            for (at, items) in found.plan.items().chunks(BATCH).enumerate() {
                let items: Vec<ItemId> = items.iter().map(|item| item.id.clone()).collect();
                let batch = Batch {
                    order,
                    found: &found,
                    items: &items,
                    first: at == 0,
                };
                taken = self.record(scope, caller, &batch, now, wanted).await?;
                if taken == Taken::Overtaken {
                    break;
                }
                let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
                recorded = recorded.saturating_add(count);
            }
            if taken == Taken::Out {
                break;
            }
        }
        Ok(recorded)
    }

    /// Evaluates what is in the bin and plans what goes. What is held is told of.
    async fn found(
        &self,
        scope: &Scope<Maintain>,
        now: UtcDateTime,
        wanted: Wanted<'_>,
    ) -> Result<Found, Error> {
        let (tenant, parts) = (scope.tenant(), self.parts());
        let mut tx = scope.begin(parts.tenants.as_ref()).await?;
        let lent = tx.tx().await?;
        let holds = parts.holds.view(lent, tenant, Mode::ReadOnly).await?;
        let mut binned = read_bin(lent, tenant).await?;
        drop(tx);
        binned.retain(|record| wanted.names(&record.id));
        let mut held = Vec::new();
        let mut dates = BTreeMap::new();
        let mut judged = Vec::new();
        let events: Vec<Vec<Occurrence<'_>>> = binned
            .iter()
            .map(|record| occurrences(record.deleted, now, wanted))
            .collect();
        for (record, events) in binned.iter().zip(&events) {
            let item = Item {
                bytes: record.stored,
                made_at: Some(record.made),
                ..Item::new(tenant, CLASS_RECORD, record.id.clone(), events)
            };
            let item = item.in_store(&parts.profile.rows);
            let verdict = self.judge_item(&item, &holds, now);
            if verdict.state == State::Held {
                let unheld = self.judge_item(&item, &HoldView::none(), now);
                if unheld.disposes() {
                    held.push((record.id.clone(), verdict.held_by.clone()));
                }
            }
            dates.insert(record.id.clone(), (record.made, record.deleted));
            judged.push((item, verdict));
        }
        let context = PlanContext {
            rules: parts.retention.digest(),
            ..PlanContext::default()
        };
        let context = context.with_tenant(tenant, &holds);
        let plan = plan(&judged, now, &context);
        let goes = judged.iter().find(|(_, verdict)| verdict.disposes());
        let ground = match goes {
            Some((_, verdict)) => Some(self.ground_of(verdict, wanted)?),
            None => None,
        };
        drop(judged);
        for (id, holds) in held {
            self.tell_held(tenant, "record", &id, &holds).await?;
        }
        Ok(Found {
            plan,
            ground,
            dates,
        })
    }

    fn ground_of(&self, verdict: &Verdict, wanted: Wanted<'_>) -> Result<Ground, Error> {
        let parts = self.parts();
        let (rule, clause) = match wanted {
            Wanted::Due => ground(verdict)?,
            // on the rule that the order waives
            Wanted::ByHand(_) => {
                let bin_floor = parts.profile.bin_floor.parse();
                (bin_floor.map_err(Error::unavailable)?, None)
            }
        };
        let rules = parts.retention.digest();
        Ok(Ground {
            rule,
            clause,
            rules,
        })
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
            events.push(self.row_event(caller, scope.decision(), Action::RecordPurged, target)?);
        }
        let stores = [store(OBJECTS)?, store(ROWS)?];
        let book = self.parts().holds.clone();
        let mut change = self.begin_change(scope, events).await?;
        let tx = change.tx().await?;
        let holds = book.view(tx, tenant, Mode::ReadWrite).await?;
        match self.admitted(batch, &holds) {
            Err(Refused::HoldsMoved(_)) => return Ok(Taken::Overtaken),
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
        change.commit().await?;
        Ok(Taken::Out)
    }

    /// Whether the plan may be carried out under the rules and holds of now: before its first effect
    /// as a whole, and later that no hold was placed, extended or released since.
    fn admitted(&self, batch: &Batch<'_>, holds: &HoldView) -> Result<(), Refused> {
        let plan = &batch.found.plan;
        if batch.first {
            let retention = self.parts().retention.as_ref();
            let (limits, population) = (Limits::default(), Population::new());
            return plan.admit(&plan.hash(), retention, holds, &limits, &population);
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

    /// What the rules say of a record in the bin. It goes as soon as nothing keeps it: a promise on
    /// the end of its whole database, which is met as late as it lets, is not about the bin.
    pub(super) fn judge_item(
        &self,
        item: &Item<'_>,
        holds: &HoldView,
        now: UtcDateTime,
    ) -> Verdict {
        let retention = &self.parts().retention;
        let mut verdict = retention.evaluate(item, holds, &self.moment(now));
        verdict.act = Act::Early;
        verdict
    }
}

/// A part of a plan that one transaction records.
struct Batch<'b> {
    order: OrderId,
    found: &'b Found,
    items: &'b [ItemId],
    /// Whether nothing of the plan was done yet.
    first: bool,
}

/// What the rules look at.
pub(super) fn occurrences(
    deleted: UtcDateTime,
    now: UtcDateTime,
    wanted: Wanted<'_>,
) -> Vec<Occurrence<'static>> {
    let mut events = vec![Occurrence::new(Action::RecordDeleted.name(), deleted)];
    if let Wanted::ByHand(_) = wanted {
        events.push(Occurrence::new(Action::RecordManualPurge.name(), now));
    }
    events
}

/// All that is in the bin and not on its way out.
async fn read_bin(tx: &mut Tx, tenant: covenant_core::TenantId) -> Result<Vec<Binned>, Error> {
    let mut all = Vec::new();
    let mut after = (UtcDateTime::UNIX_EPOCH, Vec::new());
    let batch = u32::try_from(BATCH).unwrap_or(u32::MAX);
    loop {
        let args = Args::new().bind(tenant).bind(batch);
        let args = args.bind(after.0).bind(after.1.as_slice());
        let rows = tx
            .rows(include_str!("../../sql/list_bin.sql"), args)
            .await?;
        let Some(last) = rows.last() else {
            return Ok(all);
        };
        after = (last.instant("deleted_at")?, last.bytes("id")?.to_vec());
        for row in &rows {
            all.push(Binned {
                id: ItemId::try_from(row.bytes("id")?)?,
                made: row.instant("created_at")?,
                deleted: row.instant("deleted_at")?,
                stored: u64::try_from(row.int("stored")?).unwrap_or(0),
            });
        }
    }
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
