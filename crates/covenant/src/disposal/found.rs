//! What may go of a bin: every record of it evaluated, and the plan that follows, which a sweep
//! carries out by itself, or which waits until a person approves it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use covenant_core::digest::Digest;
use covenant_core::{Action, ItemId, TenantId};
use retention_policy::{
    Act, HoldView, Item, Limits, Moment, Occurrence, Plan, PlanContext, Population, Refused,
    Retention, State, SweepMode, Verdict, plan, sweep_mode,
};
use sql_store::{Args, Mode, Tx};
use tenant_isolation::Scope;
use tenant_isolation::level::Maintain;
use time::UtcDateTime;

use super::journal::Ground;
use super::{BATCH, Wanted};
use crate::aged::Aged;
use crate::assembly::Covenant;
use crate::certificate::ground;
use crate::error::Error;
use crate::plans::{self, PlanKind, Waits};
use crate::profile::CLASS_RECORD;

/// What may go now, and under which conditions.
pub(super) struct Found {
    pub(super) plan: Plan,
    /// The hash that was approved: of a plan that nobody has to look at, its own.
    pub(super) approved: Digest,
    pub(super) limits: Limits,
    /// Which of the plan go: those that still may.
    pub(super) items: Vec<ItemId>,
    /// Whether a person approved the plan.
    pub(super) by_person: bool,
    pub(super) ground: Option<Ground>,
    /// When each was made, and deleted; of live ones, last changed.
    pub(super) dates: BTreeMap<ItemId, (UtcDateTime, UtcDateTime)>,
}

/// A record that may go.
#[derive(Debug, Clone)]
struct Candidate {
    id: ItemId,
    made: UtcDateTime,
    /// When it was deleted; a live one, last changed.
    moved: UtcDateTime,
    stored: u64,
    events: Vec<Occurrence<'static>>,
}

/// The rules that a plan is made and approved under.
#[derive(Debug)]
pub(super) struct Under {
    retention: Arc<dyn Retention>,
    digest: Option<Digest>,
}

impl Retention for Under {
    fn evaluate(&self, item: &Item<'_>, holds: &HoldView, moment: &Moment) -> Verdict {
        self.retention.evaluate(item, holds, moment)
    }

    fn digest(&self) -> Option<Digest> {
        self.digest
    }
}

impl Covenant {
    /// The plan to carry out next; `None` when one waits for a person.
    pub(super) async fn next_plan(
        &self,
        scope: &Scope<Maintain>,
        now: UtcDateTime,
        wanted: Wanted<'_>,
    ) -> Result<Option<Found>, Error> {
        let (tenant, parts) = (scope.tenant(), self.parts());
        let mut found = self.found(scope, now, wanted).await?;
        if let Wanted::ByHand(_) = wanted {
            // The order is the approval, of whatever it names.
            return Ok(Some(found));
        }
        let swept = (tenant, wanted.kind());
        let waiting = plans::of(&parts.control, tenant, wanted.kind()).await?;
        if let Some(waiting) = waiting.as_ref()
            && let Some(limits) = waiting.approved
        {
            let named: BTreeSet<&ItemId> =
                waiting.plan.items().iter().map(|item| &item.id).collect();
            found.items.retain(|id| named.contains(id));
            found.approved = waiting.plan.hash();
            found.plan = waiting.plan.clone();
            found.limits = limits;
            found.by_person = true;
            return Ok(Some(found));
        }
        let planned = plans::planned(&parts.control, tenant, wanted.kind()).await?;
        let mode = sweep_mode(planned.as_ref(), &self.under(tenant, wanted));
        if mode == SweepMode::PlanOnly {
            if found.items.is_empty() {
                // Nothing goes by surprise: from now on these rules are known.
                plans::settle(&parts.control, swept, found.plan.rules()).await?;
                return Ok(Some(found));
            }
            plans::put(&parts.control, swept, Waits::Rules, &found.plan).await?;
            return Ok(None);
        }
        if waiting.is_some() {
            plans::settle(&parts.control, swept, None).await?;
        }
        found.limits = parts.profile.limits;
        Ok(Some(found))
    }

    /// A plan that was refused waits for a person; one that a person approved waits no more.
    pub(super) async fn refused(
        &self,
        scope: &Scope<Maintain>,
        found: &Found,
        refused: &Refused,
        wanted: Wanted<'_>,
    ) -> Result<(), Error> {
        let control = &self.parts().control;
        let swept = (scope.tenant(), wanted.kind());
        if found.by_person {
            return plans::settle(control, swept, None).await;
        }
        let waits = match refused {
            Refused::RulesMoved | Refused::HashMoved => Waits::Rules,
            _ => Waits::Limits,
        };
        plans::put(control, swept, waits, &found.plan).await
    }

    /// How many records there are, where a limit asks for it.
    pub(super) async fn population(
        &self,
        scope: &Scope<Maintain>,
        found: &Found,
    ) -> Result<Population, Error> {
        let mut population = Population::new();
        if found.limits.percent_max.is_some() {
            let tenant = scope.tenant();
            let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
            let sql = include_str!("../../sql/count_records.sql");
            let row = tx.tx().await?.row(sql, Args::new().bind(tenant)).await?;
            let count = row.map_or(Ok(0), |row| row.int("n"))?;
            let count = u64::try_from(count).unwrap_or(0);
            population.insert((tenant, CLASS_RECORD.to_owned()), count);
        }
        Ok(population)
    }

    /// The rules that plans of this kind are made under. For the bin what a tenant adds for itself it
    /// has ordered itself, and the rules of everybody count; live records are under nothing else.
    pub(super) fn under(&self, tenant: TenantId, wanted: Wanted<'_>) -> Under {
        let parts = self.parts();
        let digest = match wanted {
            Wanted::Due | Wanted::ByHand(_) => parts.profile.rules.digest(),
            Wanted::Aged => {
                let ceilings = self.ceilings(tenant).ok().flatten();
                ceilings.map(|ceilings| ceilings.digest())
            }
        };
        Under {
            retention: Arc::clone(&parts.retention),
            digest,
        }
    }

    /// Evaluates what may go and plans what goes. What is held is told of.
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
        let ceilings = match wanted {
            Wanted::Aged => self.ceilings(tenant)?,
            Wanted::Due | Wanted::ByHand(_) => None,
        };
        let mut candidates = match (wanted, &ceilings) {
            (Wanted::Aged, Some(ceilings)) => {
                let aged = ceilings.read(lent, now).await?;
                aged.into_iter().map(Candidate::from).collect()
            }
            (Wanted::Aged, None) => Vec::new(),
            _ => read_bin(lent, tenant, now, wanted).await?,
        };
        drop(tx);
        candidates.retain(|record| wanted.names(&record.id));
        let mut held = Vec::new();
        let mut dates = BTreeMap::new();
        let mut judged = Vec::new();
        let judge = |item: &Item<'_>, holds: &HoldView| match &ceilings {
            Some(ceilings) => ceilings.judge(parts.retention.as_ref(), item, holds, now),
            None => self.judge_item(item, holds, now),
        };
        for record in &candidates {
            let item = Item {
                bytes: record.stored,
                made_at: Some(record.made),
                ..Item::new(tenant, CLASS_RECORD, record.id.clone(), &record.events)
            };
            let item = item.in_store(&parts.profile.rows);
            let verdict = judge(&item, &holds);
            if verdict.state == State::Held {
                let unheld = judge(&item, &HoldView::none());
                if unheld.disposes() {
                    held.push((record.id.clone(), verdict.held_by.clone()));
                }
            }
            dates.insert(record.id.clone(), (record.made, record.moved));
            judged.push((item, verdict));
        }
        let context = PlanContext {
            rules: self.under(tenant, wanted).digest(),
            ..PlanContext::default()
        };
        let context = context.with_tenant(tenant, &holds);
        let plan = plan(&judged, now, &context);
        let goes = judged.iter().find(|(_, verdict)| verdict.disposes());
        let ground = match goes.filter(|_| wanted.kind() == PlanKind::Bin) {
            Some((_, verdict)) => Some(self.ground_of(verdict, wanted)?),
            None => None,
        };
        drop(judged);
        for (id, holds) in held {
            self.tell_held(tenant, "record", &id, &holds).await?;
        }
        Ok(Found {
            approved: plan.hash(),
            limits: Limits::default(),
            items: plan.items().iter().map(|item| item.id.clone()).collect(),
            by_person: false,
            plan,
            ground,
            dates,
        })
    }

    fn ground_of(&self, verdict: &Verdict, wanted: Wanted<'_>) -> Result<Ground, Error> {
        let parts = self.parts();
        let (rule, clause) = match wanted {
            Wanted::Due | Wanted::Aged => ground(verdict)?,
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

impl From<Aged> for Candidate {
    fn from(aged: Aged) -> Self {
        Self {
            events: aged.occurrences(),
            id: aged.id,
            made: aged.made,
            moved: aged.changed,
            stored: aged.stored,
        }
    }
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
async fn read_bin(
    tx: &mut Tx,
    tenant: TenantId,
    now: UtcDateTime,
    wanted: Wanted<'_>,
) -> Result<Vec<Candidate>, Error> {
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
            let deleted = row.instant("deleted_at")?;
            all.push(Candidate {
                id: ItemId::try_from(row.bytes("id")?)?,
                made: row.instant("created_at")?,
                moved: deleted,
                stored: u64::try_from(row.int("stored")?).unwrap_or(0),
                events: occurrences(deleted, now, wanted),
            });
        }
    }
}
