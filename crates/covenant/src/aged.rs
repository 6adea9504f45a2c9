//! Live records under ceilings that their tenant set for itself, or that everybody has: so long after they were made, or
//! last changed, nothing of them is left. The page keeps what is deleted in the bin for its floor,
//! and no rule of a tenant cuts that short; so a record goes into the bin as long before its ceiling
//! as the bin and the purge may take, and from there like every other one.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use covenant_core::canon::Writer;
use covenant_core::digest::Digest;
use covenant_core::{Action, ItemId, TenantId};
use retention_policy::{
    HoldView, Item, KeepUntil, Limit, Moment, Occurrence, Retention, Rule, RuleSet, Slack, State,
    Verdict, flush_after,
};
use sql_store::due::Due;
use sql_store::{Args, Mode, Tx};
use tenant_isolation::level::Maintain;
use tenant_isolation::{AccessAction, Caller, Scope, ServiceKind};
use time::UtcDateTime;

use crate::assembly::Covenant;
use crate::disposal::{Recorded, Wanted};
use crate::error::{Error, StartError};
use crate::own_rules::Preview;
use crate::plans::{self, PlanKind};
use crate::profile::{CLASS_RECORD, Profile};
use crate::sweep::kind;

/// How long before the last possible moment a record goes into the bin; ours: what goes is collected
/// at midnight, and a night that fails is made up for by the next.
const NOTICE: Duration = Duration::from_secs(2 * DAY_SECS);
/// Seconds of a day of 24 hours.
const DAY_SECS: u64 = 86_400;
/// Records that are read at a time; ours.
const BATCH: u32 = 500;

/// What the digest of ceilings begins with.
const DIGESTED: &str = "covenant/live/v1";

/// From when on a live record's age counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Made,
    Changed,
}

impl Since {
    const ALL: [Self; 2] = [Self::Made, Self::Changed];

    const fn action(self) -> Action {
        match self {
            Self::Made => Action::RecordCreated,
            Self::Changed => Action::ChangeRecorded,
        }
    }

    const fn first(self) -> &'static str {
        match self {
            Self::Made => include_str!("../sql/first_made.sql"),
            Self::Changed => include_str!("../sql/first_changed.sql"),
        }
    }

    const fn list(self) -> &'static str {
        match self {
            Self::Made => include_str!("../sql/list_made.sql"),
            Self::Changed => include_str!("../sql/list_changed.sql"),
        }
    }

    fn counts_for(self, rule: &Rule) -> bool {
        matches!(rule.limit(), Limit::Ceiling { from, .. } if from.as_str() == self.action().name())
    }
}

/// A live record that may be near its ceiling.
#[derive(Debug, Clone)]
pub(crate) struct Aged {
    pub(crate) id: ItemId,
    pub(crate) made: UtcDateTime,
    pub(crate) changed: UtcDateTime,
    pub(crate) stored: u64,
}

impl Aged {
    /// What the rules look at.
    pub(crate) fn occurrences(&self) -> Vec<Occurrence<'static>> {
        vec![
            Occurrence::of(Since::Made.action(), self.made),
            Occurrence::of(Since::Changed.action(), self.changed),
        ]
    }

    fn item<'a>(&self, tenant: TenantId, events: &'a [Occurrence<'a>], rows: &'a str) -> Item<'a> {
        let item = Item {
            bytes: self.stored,
            made_at: Some(self.made),
            ..Item::new(tenant, CLASS_RECORD, self.id.clone(), events)
        };
        item.in_store(rows)
    }
}

/// A ceiling on live records that they could not meet by way of the bin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooShort {
    /// The rule.
    pub rule: String,
    /// How long it gives, at its shortest.
    pub gives: Duration,
    /// How long a record may take from the bin to its last byte.
    pub bin: Duration,
    /// How long before that it goes into the bin.
    pub notice: Duration,
}

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            gives,
            bin,
            notice,
        } = self;
        write!(
            f,
            "the rule {rule} gives {}, and a record needs {}: {} in the bin and for its purge, {} of notice",
            Days(*gives),
            Days(bin.saturating_add(*notice)),
            Days(*bin),
            Days(*notice)
        )
    }
}

impl std::error::Error for TooShort {}

/// A length in days and hours, rounded up.
struct Days(Duration);

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.0.as_secs().div_ceil(3_600);
        write!(f, "{} d {} h", hours / 24, hours % 24)
    }
}

/// The ceilings of a tenant on its live records.
#[derive(Debug, Clone)]
pub(crate) struct Ceilings {
    tenant: TenantId,
    /// How long before its ceiling a record goes into the bin.
    lead: Duration,
    /// For each way to count, the shortest that a ceiling gives.
    gives: Vec<(Since, Duration)>,
    /// Of what they say.
    digest: Digest,
}

impl Ceilings {
    /// Those that are among these rules; `None` without any.
    ///
    /// # Errors
    /// [`TooShort`] for one that the way through the bin does not fit in.
    // clause: P-46, P-51
    pub(crate) fn of(
        rules: &RuleSet,
        tenant: TenantId,
        rows: &str,
    ) -> Result<Option<Self>, TooShort> {
        let all = rules.rules_of(tenant).iter();
        let all: Vec<&Rule> = all.filter(|rule| is_on_records(rule, rows)).collect();
        let bounds = |rule: &Rule| match rule.limit() {
            Limit::Ceiling {
                period, late_secs, ..
            } => {
                let bounds = period.bounds(rules.reading());
                let with = |secs: u64| Duration::from_secs(secs.saturating_add(*late_secs));
                Some((with(bounds.shortest_secs), with(bounds.longest_secs)))
            }
            Limit::Floor { .. } | Limit::Until { .. } => None,
        };
        let deleted = Action::RecordDeleted.name();
        let of_bin = all.iter().filter(
            |rule| matches!(rule.limit(), Limit::Ceiling { from, .. } if from.as_str() == deleted),
        );
        let bin = of_bin.filter_map(|rule| bounds(rule)).map(|(_, most)| most);
        let bin = bin.min().unwrap_or(Duration::MAX);
        let lead = bin.saturating_add(NOTICE);
        let mut gives: Vec<(Since, Duration)> = Vec::new();
        let mut said = Writer::default();
        said.text(DIGESTED).u64(lead.as_secs());
        for rule in &all {
            for since in Since::ALL {
                let least = bounds(rule).filter(|_| since.counts_for(rule));
                let Some((least, _)) = least else { continue };
                if least < lead {
                    return Err(TooShort {
                        rule: rule.id().to_string(),
                        gives: least,
                        bin,
                        notice: NOTICE,
                    });
                }
                said.text(rule.id().as_str());
                said.text(&format!("{:?}", rule.limit()));
                match gives.iter_mut().find(|(other, _)| *other == since) {
                    Some((_, shortest)) => *shortest = least.min(*shortest),
                    None => gives.push((since, least)),
                }
            }
        }
        Ok((!gives.is_empty()).then(|| Self {
            tenant,
            lead,
            gives,
            digest: Digest::of(said.as_bytes()),
        }))
    }

    /// What a plan of a sweep under these is approved under.
    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }

    /// What the rules say of a live record: due when it must go into the bin to be gone in time. In
    /// front of the bin nothing keeps it but holds.
    // clause: P-46
    pub(crate) fn judge(
        &self,
        rules: &dyn Retention,
        item: &Item<'_>,
        holds: &HoldView,
        now: UtcDateTime,
    ) -> Verdict {
        let slack = Slack {
            batch: self.lead,
            ..Slack::NONE
        };
        let mut verdict = rules.evaluate(item, holds, &Moment { now, slack });
        verdict.keep_until = KeepUntil::Free;
        if verdict.state != State::Held {
            let begins = verdict.start_by.is_some_and(|start| start <= now);
            verdict.state = if begins { State::Due } else { State::Keep };
        }
        verdict
    }

    /// Every live record that may be due: those as old as the shortest ceiling says, each once.
    pub(crate) async fn read(&self, tx: &mut Tx, now: UtcDateTime) -> Result<Vec<Aged>, Error> {
        let mut all: BTreeMap<ItemId, Aged> = BTreeMap::new();
        for (since, gives) in &self.gives {
            let until = before(now, gives.saturating_sub(self.lead));
            let mut after = (UtcDateTime::UNIX_EPOCH, Vec::new());
            loop {
                let args = Args::new().bind(self.tenant).bind(BATCH).bind(until);
                let args = args.bind(after.0).bind(after.1.as_slice());
                let rows = tx.rows(since.list(), args).await?;
                let Some(last) = rows.last() else { break };
                after = (last.instant("since")?, last.bytes("id")?.to_vec());
                for row in &rows {
                    let aged = Aged {
                        id: ItemId::try_from(row.bytes("id")?)?,
                        made: row.instant("created_at")?,
                        changed: row.instant("changed_at")?,
                        stored: u64::try_from(row.int("stored")?).unwrap_or(0),
                    };
                    all.insert(aged.id.clone(), aged);
                }
            }
        }
        Ok(all.into_values().collect())
    }

    /// When the first live record must go into the bin, and from when on one that is made later than
    /// now could have to.
    pub(crate) async fn first(
        &self,
        tx: &mut Tx,
        rules: &dyn Retention,
        rows: &str,
        now: UtcDateTime,
    ) -> Result<(Option<UtcDateTime>, UtcDateTime), Error> {
        let mut first: Option<UtcDateTime> = None;
        let mut later = UtcDateTime::MAX;
        for (since, gives) in &self.gives {
            later = later.min(after(now, gives.saturating_sub(self.lead)));
            let row = tx.row(since.first(), Args::new().bind(self.tenant)).await?;
            let oldest = row.map_or(Ok(None), |row| row.opt_instant("first"))?;
            let Some(oldest) = oldest else { continue };
            let events = [Occurrence::of(since.action(), oldest)];
            let item = Item::new(self.tenant, CLASS_RECORD, self.tenant.as_uuid(), &events);
            let item = item.in_store(rows);
            let begins = self.judge(rules, &item, &HoldView::none(), now).start_by;
            first = first.into_iter().chain(begins).min();
        }
        Ok((first, later))
    }
}

impl Ceilings {
    /// What a sweep under these would do now.
    pub(crate) async fn preview(
        &self,
        tx: &mut Tx,
        rules: &dyn Retention,
        holds: &HoldView,
        rows: &str,
        now: UtcDateTime,
    ) -> Result<Preview, Error> {
        let (first, _) = self.first(tx, rules, rows, now).await?;
        let mut preview = Preview {
            first_due: first,
            lead: Some(self.lead),
            ..Preview::default()
        };
        for aged in self.read(tx, now).await? {
            let events = aged.occurrences();
            let item = aged.item(self.tenant, &events, rows);
            if self.judge(rules, &item, holds, now).disposes() {
                preview.records = preview.records.saturating_add(1);
                preview.bytes = preview.bytes.saturating_add(aged.stored);
            }
        }
        Ok(preview)
    }
}

fn is_on_records(rule: &Rule, rows: &str) -> bool {
    rule.classes()
        .iter()
        .any(|class| class.as_str() == CLASS_RECORD)
        && rule.stores().iter().any(|store| store.as_str() == rows)
}

fn before(at: UtcDateTime, by: Duration) -> UtcDateTime {
    let by = time::Duration::try_from(by).unwrap_or(time::Duration::MAX);
    at.saturating_sub(by)
}

fn after(at: UtcDateTime, by: Duration) -> UtcDateTime {
    let by = time::Duration::try_from(by).unwrap_or(time::Duration::MAX);
    at.saturating_add(by)
}

/// Refuses ceilings of everybody on live records that the way through the bin does not fit in.
///
/// # Errors
/// [`StartError::TooShort`].
pub(crate) fn check(profile: &Profile) -> Result<(), StartError> {
    let nobody = TenantId::from_bytes([0; 16]);
    match Ceilings::of(&profile.rules, nobody, &profile.rows) {
        Ok(_) => Ok(()),
        Err(short) => Err(StartError::TooShort(Box::new(short))),
    }
}

impl Covenant {
    /// The tenant's ceilings on live records that are in force.
    pub(crate) fn ceilings(&self, tenant: TenantId) -> Result<Option<Ceilings>, Error> {
        let rules = self.parts().own_rules.now();
        Ok(Ceilings::of(
            &rules.rules,
            tenant,
            &self.parts().profile.rows,
        )?)
    }

    pub(crate) fn live_row(&self, tenant: TenantId, due_at: UtcDateTime) -> Due {
        Due {
            due_at,
            kind: kind::LIVE.to_owned(),
            tenant,
            key: Vec::new(),
        }
    }

    /// Puts the next look at the tenant's live records into the due-queue, or takes it out.
    pub(crate) async fn plan_live_in(&self, scope: &Scope<Maintain>) -> Result<(), Error> {
        let tenant = scope.tenant();
        if self.ceilings(tenant)?.is_none() {
            return self.cancel_due(tenant, kind::LIVE, &[]).await;
        }
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        self.plan_live(tx.tx().await?, tenant).await
    }

    /// Likewise, as the rows say in this transaction, when the tenant has such ceilings: at the first
    /// midnight at which a record must go into the bin. What is made later needs no plan of its own,
    /// since none falls due before that look.
    pub(crate) async fn plan_live(&self, tx: &mut Tx, tenant: TenantId) -> Result<(), Error> {
        let Some(ceilings) = self.ceilings(tenant)? else {
            return Ok(());
        };
        let parts = self.parts();
        let (now, zone) = (parts.clock.now(), &parts.profile.zone);
        let rules = parts.retention.as_ref();
        let (first, later) = ceilings.first(tx, rules, &parts.profile.rows, now).await?;
        let begins = first.map_or(later, |first| first.min(later));
        let due_at = flush_after(zone, now.max(begins.saturating_sub(time::Duration::SECOND)));
        self.put_due(&self.live_row(tenant, due_at)).await
    }

    /// Moves what has lived long enough into the bin; `now` is an instant that deletions may trust.
    // clause: P-46
    pub(crate) async fn sweep_live(
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
            .record_all(&scope, &caller, now, order, Wanted::Aged)
            .await?;
        self.plan_live_in(&scope).await?;
        Ok(recorded)
    }

    /// Live records of a restored copy whose ceiling has passed while they lay in a backup, where a
    /// sweep under these ceilings waits for nobody: nobody gets to see them again.
    // clause: P-46
    pub(crate) async fn outlived(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
    ) -> Result<Vec<ItemId>, Error> {
        let parts = self.parts();
        self.refresh_rules().await?;
        let Some(ceilings) = self.ceilings(tenant)? else {
            return Ok(Vec::new());
        };
        let planned = plans::planned(&parts.control, tenant, PlanKind::Live).await?;
        if planned != Some(ceilings.digest()) {
            return Ok(Vec::new());
        }
        let now = parts.clock.now();
        let holds = parts.holds.view(tx, tenant, Mode::ReadOnly).await?;
        let mut outlived = Vec::new();
        for aged in ceilings.read(tx, now).await? {
            let events = aged.occurrences();
            let item = aged.item(tenant, &events, &parts.profile.rows);
            let verdict = ceilings.judge(parts.retention.as_ref(), &item, &holds, now);
            if verdict.disposes() && verdict.gone_by.is_some_and(|by| by <= now) {
                outlived.push(aged.id);
            }
        }
        Ok(outlived)
    }
}
