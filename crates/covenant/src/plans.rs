//! Plans that wait for a person. The first sweep under other rules only plans, and so does one whose plan is beyond a limit: what it would remove is kept here until somebody approves it by
//! its hash, or a later sweep plans anew. Ceilings count meanwhile.

use covenant_core::digest::Digest;
use covenant_core::event::{ActorContext, Datum};
use covenant_core::{Action, Event, ItemId, Outcome, Target, TenantId};
use retention_policy::{Limits, Plan, Refused};
use sql_store::{Args, Db, Mode, Row};

use crate::assembly::Covenant;
use crate::control;
use crate::error::Error;

/// Why a plan waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Waits {
    /// The rules are not those of the sweep before.
    Rules,
    /// It is beyond a limit of [`crate::Profile::limits`].
    Limits,
}

impl Waits {
    const fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Limits => "limits",
        }
    }
}

/// What a sweep does with what it plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a record is live or in the bin")]
pub enum PlanKind {
    /// It purges what is in the bin.
    Bin,
    /// It moves live records into the bin, under ceilings that their tenant set for itself.
    Live,
}

impl PlanKind {
    const ALL: [Self; 2] = [Self::Bin, Self::Live];

    const fn name(self) -> &'static str {
        match self {
            Self::Bin => "bin",
            Self::Live => "live",
        }
    }
}

/// A plan that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPlan {
    /// Whose.
    pub tenant: TenantId,
    /// What would be done with what it names.
    pub kind: PlanKind,
    /// Why it waits.
    pub waits: Waits,
    /// What would go, with its dates; [`Plan::hash`] is what is approved.
    pub plan: Plan,
    /// The limits under which it was approved; `None` while nobody has.
    pub approved: Option<Limits>,
}

/// The plan of a tenant that waits, or was approved and not yet carried out.
pub(crate) async fn of(
    control: &Db,
    tenant: TenantId,
    kind: PlanKind,
) -> Result<Option<WaitingPlan>, Error> {
    let mut tx = control::begin(control, Mode::ReadOnly).await?;
    let sql = include_str!("../sql/read_plan.sql");
    let args = Args::new().bind(tenant).bind(kind.name());
    let row = tx.row(sql, args).await?;
    row.as_ref().map(read).transpose()
}

/// Lets a plan wait, in the place of an earlier one of the tenant.
pub(crate) async fn put(
    control: &Db,
    (tenant, kind): (TenantId, PlanKind),
    waits: Waits,
    plan: &Plan,
) -> Result<(), Error> {
    let known = of(control, tenant, kind).await?;
    let same = known.filter(|known| known.waits == waits && known.approved.is_none());
    if same.is_some_and(|known| known.plan.agrees_with(plan)) {
        return Ok(());
    }
    let mut tx = control::begin(control, Mode::ReadWrite).await?;
    let args = Args::new().bind(tenant).bind(kind.name());
    let args = args.bind(waits.name()).bind(plan.bytes());
    let sql = include_str!("../sql/put_plan.sql");
    tx.execute(sql, args).await?;
    Ok(tx.commit().await?)
}

/// No plan of the tenant waits any more; from now on its sweeps carry out what they plan under these
/// rules, if any are named.
pub(crate) async fn settle(
    control: &Db,
    (tenant, kind): (TenantId, PlanKind),
    rules: Option<Digest>,
) -> Result<(), Error> {
    let mut tx = control::begin(control, Mode::ReadWrite).await?;
    let sql = include_str!("../sql/delete_plan.sql");
    let args = || Args::new().bind(tenant).bind(kind.name());
    tx.execute(sql, args()).await?;
    if let Some(rules) = rules {
        let args = args().bind(rules);
        let sql = include_str!("../sql/put_sweep.sql");
        tx.execute(sql, args).await?;
    }
    Ok(tx.commit().await?)
}

/// The rules under which sweeps of the tenant carry out what they plan.
pub(crate) async fn planned(
    control: &Db,
    tenant: TenantId,
    kind: PlanKind,
) -> Result<Option<Digest>, Error> {
    let mut tx = control::begin(control, Mode::ReadOnly).await?;
    let sql = include_str!("../sql/read_sweep.sql");
    let args = Args::new().bind(tenant).bind(kind.name());
    let row = tx.row(sql, args).await?;
    let rules = row.map(|row| row.array("rules")).transpose()?;
    Ok(rules.map(Digest::from_bytes))
}

fn read(row: &Row) -> Result<WaitingPlan, Error> {
    let cap = |name: &str| {
        let cap = row.opt_int(name)?;
        Ok::<_, Error>(cap.and_then(|cap| u64::try_from(cap).ok()))
    };
    let limits = Limits {
        items_max: cap("items_max")?,
        bytes_max: cap("bytes_max")?,
        percent_max: cap("percent_max")?.and_then(|cap| u8::try_from(cap).ok()),
        ..Limits::default()
    };
    Ok(WaitingPlan {
        tenant: row.id("tenant")?,
        kind: match row.text("kind")? {
            "live" => PlanKind::Live,
            _ => PlanKind::Bin,
        },
        waits: match row.text("cause")? {
            "limits" => Waits::Limits,
            _ => Waits::Rules,
        },
        plan: Plan::from_bytes(row.bytes("plan")?).map_err(Error::unavailable)?,
        approved: (row.int("approved")? > 0).then_some(limits),
    })
}

impl Covenant {
    /// The plans that wait for somebody to approve them, one of each kind a tenant at most.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn plans(&self) -> Result<Vec<WaitingPlan>, Error> {
        let mut tx = control::begin(&self.parts().control, Mode::ReadOnly).await?;
        let sql = include_str!("../sql/list_plans.sql");
        let rows = tx.rows(sql, Args::new()).await?;
        rows.iter().map(read).collect()
    }

    /// A person has looked at the plan of this hash that waits for the tenant: the next sweep carries
    /// it out, unless it is beyond these limits or its rules or holds have moved by then. Of the
    /// limits those on all items count, since a plan is one tenant's. Who may approve is the
    /// operator's to decide; the tenant's log tells who did.
    ///
    /// # Errors
    /// [`Error::Plan`] when no plan of this hash waits; else [`Error`].
    pub async fn approve_plan(
        &self,
        tenant: TenantId,
        hash: &Digest,
        limits: &Limits,
        actor: ActorContext,
    ) -> Result<(), Error> {
        let parts = self.parts();
        let mut found = None;
        for kind in PlanKind::ALL {
            let waiting = of(&parts.control, tenant, kind).await?;
            found = found.or(waiting.filter(|waiting| waiting.plan.hash() == *hash));
        }
        let waiting = found.ok_or(Error::Plan(Refused::HashMoved))?;
        let event = Event::new(
            self.mint()?,
            parts.clock.now(),
            actor,
            Action::ChangeRecorded,
            Target::of(
                tenant,
                "plan",
                ItemId::try_from(hash.as_bytes().as_slice())?,
            ),
            Outcome::Ok,
        );
        parts
            .sink
            .emit(event.with("op", Datum::Token("approve")))
            .await?;
        let cap = |max: Option<u64>| max.map(|max| i64::try_from(max).unwrap_or(i64::MAX));
        let mut tx = control::begin(&parts.control, Mode::ReadWrite).await?;
        let args = Args::new()
            .bind(tenant)
            .bind(waiting.kind.name())
            .bind(waiting.plan.bytes())
            .bind(cap(limits.items_max))
            .bind(cap(limits.bytes_max))
            .bind(limits.percent_max.map(i64::from));
        let sql = include_str!("../sql/approve_plan.sql");
        if tx.execute(sql, args).await? == 0 {
            return Err(Error::Plan(Refused::HashMoved));
        }
        tx.commit().await?;
        let now = parts.clock.now();
        let row = match waiting.kind {
            PlanKind::Bin => self.bin_row(tenant, now),
            PlanKind::Live => self.live_row(tenant, now),
        };
        self.put_due(&row).await
    }
}
