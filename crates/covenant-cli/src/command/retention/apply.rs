//! `covenant retention apply`: carries out a plan that was approved by its hash. Before the first
//! effect everything is compared with what was approved; then the order is written down, and each
//! item is judged again in the transaction that deletes it. The same command goes on after a crash.

mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use covenant_core::digest::Digest;
use covenant_core::{BoxFuture, ItemId, Period, TenantId};
use retention_policy::apply::{
    self, ApplyError, Certifier, Conditions, DisposeError, Disposer, Disposers, Ended, Joints,
};
use retention_policy::physical::{LogTurn, PostgresFlush};
use retention_policy::rows::{
    Order, RowDisposer, RowJournal, RowsUnder, Seen, StillThere, Underneath, carry_out, order_of,
};
use retention_policy::{
    Disposal, Limits, Moment, Plan, Retention as _, RuleSet, SqliteFlush, StoreName,
};
use sql_store::{DbError, Durability};
use time::UtcDateTime;

use super::SWEEP;
use super::clock::{Looked, trusted};
use super::rules::sound;
use super::store::{Needs, Opened, StorePlace, held, unread};
use crate::command::key_place::{chain, postgres, sqlite_file, waited};
use crate::output::{Failure, Report};
use crate::{input, replace};

/// Longest plan in bytes: a million items of a few hundred bytes, a bound of ours.
const PLAN_LEN_BYTES_MAX: usize = 512 << 20;
/// How long others may take to end their transactions before a flush: a figure of ours.
const QUIET_WAIT: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    place: StorePlace,
    /// The plan, as `covenant retention plan --out` wrote it.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// The hash that was approved.
    #[arg(long, value_name = "HEX")]
    hash: Digest,
    /// The rule file (TOML or JSON), or a policy file: the one that the plan was made under.
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Most items that may go.
    #[arg(long, value_name = "N")]
    max_items: u64,
    /// Most items of a class that may go, in percent of those that are there.
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u8).range(0..=100))]
    max_percent: u8,
    /// Most bytes that may go.
    #[arg(long, value_name = "N")]
    max_bytes: Option<u64>,
    /// The data directory of a PostgreSQL server: its files are rewritten and looked into.
    #[arg(long, value_name = "DIR", conflicts_with = "read_back_only")]
    files: Option<PathBuf>,
    /// Does without: what is deleted in PostgreSQL is only read back, and its bytes stay in the
    /// server's files until the server writes over them.
    #[arg(long)]
    read_back_only: bool,
    /// Has the server write over its write-ahead log: without archive and replicas only.
    #[arg(long, requires = "files")]
    turn_log: bool,
    /// Longest time between two deletions; a clock that is further ahead is doubted.
    #[arg(long, value_name = "PERIOD", default_value = "P31D")]
    max_pause: Period,
    /// A person looked, and the clock is right.
    #[arg(long)]
    clock_is_right: bool,
    /// Where the parts of the certificate are written, in JSON.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Apply {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        waited(self.answer())
    }

    async fn answer(self) -> Result<Report, Failure> {
        if let Some(out) = &self.out {
            // before the first effect, and not after the last
            replace::possible(out).map_err(|error| input::refused(out, &error))?;
        }
        let plan = self.approved()?;
        let tenant = one_tenant(&plan)?;
        let set = Arc::new(sound(&self.rules)?);
        if plan.rules() != set.digest() {
            return Err(Failure::refused(
                "the rules are not those that the plan was made under: plan again",
            ));
        }
        let files = self.underneath()?;
        let opened = self.place.current(Needs::Ledger, tenant).await?;
        let looked = if self.clock_is_right {
            Looked::Confirmed
        } else {
            Looked::Unsaid
        };
        let now = trusted(&opened, tenant, self.max_pause, set.reading(), looked).await?;
        let begun = opened
            .rows
            .order(tenant, order_of(tenant, &self.hash))
            .await;
        let (order, mut disposals) = match begun.map_err(|error| unread(&error))? {
            Some(begun) => begun,
            None => self.admitted(&opened, &plan, &set, now).await?,
        };
        let under = RowsUnder::new(
            opened.rows.db().clone(),
            Arc::clone(&set),
            SWEEP,
            order.id(),
            files,
        );
        let ended = carried_out(&opened, &under, &mut disposals, now).await?;
        opened.catch_up(tenant).await?;
        let report = part::report(
            &order,
            &plan,
            &set,
            &disposals,
            &ended,
            under.seen_in_logs(),
        );
        if let Some(out) = &self.out {
            let text = format!("{:#}\n", report.json);
            let written = replace::file(out, text.as_bytes());
            written.map_err(|error| {
                Failure::usage(format!(
                    "{}: {error}: the plan was carried out, and the same command writes it",
                    out.display()
                ))
            })?;
        }
        Ok(report)
    }

    /// The plan, if it is the one that was approved.
    fn approved(&self) -> Result<Plan, Failure> {
        let bytes = input::bytes(&self.plan, PLAN_LEN_BYTES_MAX)?;
        let plan = Plan::from_bytes(&bytes)
            .map_err(|error| Failure::usage(format!("{}: {error}", self.plan.display())))?;
        if plan.hash() == self.hash {
            Ok(plan)
        } else {
            Err(Failure::refused(
                "the plan is not the one that was approved",
            ))
        }
    }

    /// What lies under the rows.
    fn underneath(&self) -> Result<Option<Underneath>, Failure> {
        let place = self.place.database()?;
        let Some(options) = postgres(&place)? else {
            let flush = Arc::new(SqliteFlush::new(Durability::Full));
            return Ok(Some(Underneath {
                place: std::path::absolute(sqlite_file(&place)?)
                    .map_err(|error| Failure::usage(error.to_string()))?,
                verify: Arc::clone(&flush) as _,
                flush,
                wait: QUIET_WAIT,
            }));
        };
        let log = if self.turn_log {
            LogTurn::Over
        } else {
            LogTurn::Leave
        };
        match &self.files {
            Some(place) => {
                let flush = Arc::new(PostgresFlush::new(options, log));
                Ok(Some(Underneath {
                    place: place.clone(),
                    verify: Arc::clone(&flush) as _,
                    flush,
                    wait: QUIET_WAIT,
                }))
            }
            None if self.read_back_only => Ok(None),
            None => Err(Failure::usage(
                "a store in PostgreSQL needs --files, or --read-back-only",
            )),
        }
    }

    /// Compares the plan with what is there now, and writes the order down.
    async fn admitted(
        &self,
        opened: &Opened,
        plan: &Plan,
        set: &RuleSet,
        now: UtcDateTime,
    ) -> Result<(Order, Vec<Disposal>), Failure> {
        let tenant = one_tenant(plan)?;
        let seen = opened.seen(tenant).await?;
        let limits = Limits {
            items_max: Some(self.max_items),
            bytes_max: self.max_bytes,
            percent_max: Some(self.max_percent),
            ..Limits::default()
        };
        let holds = opened.holds().await?;
        let conditions = Conditions {
            rules: set,
            holds: &holds,
            limits: &limits,
            population: &seen.population(),
        };
        let admitted = apply::apply(plan, &self.hash, &conditions).await;
        admitted.map_err(|error| match &error {
            ApplyError::Holds(error) => held(error),
            _ => Failure::refused(chain(&error)),
        })?;
        unmoved(plan, &seen, set, now)?;
        let mut key = [0; 32];
        let filled = opened.random.fill(&mut key);
        filled.map_err(|error| Failure::unreachable(error.to_string()))?;
        let order = Order::new(tenant, self.hash, key);
        let probes = opened.rows.probes(tenant, plan.items()).await;
        let mut probes = probes.map_err(|error| unread(&error))?;
        for item in staying(plan, &seen) {
            // its bytes stay with it: what goes of it is read back, and not looked for
            probes.remove(&item);
        }
        let items = seen.items.as_slice().iter();
        let made: BTreeMap<_, _> = items
            .map(|item| ((item.class.as_str(), &item.id), item.made_at))
            .collect();
        let made_at = |class: &str, id: &ItemId| made.get(&(class, id)).copied().flatten();
        let disposals = order.disposals(plan, set, &probes, made_at);
        let disposals = disposals.ok_or_else(|| {
            Failure::usage("an item has more stores or probes than a disposal may have")
        })?;
        let written = opened.rows.admit(&order, &disposals, now).await;
        written.map_err(|error| unread(&error))?;
        Ok((order, disposals))
    }
}

/// Whose plan it is.
fn one_tenant(plan: &Plan) -> Result<TenantId, Failure> {
    let mut tenants = plan.tenants().keys();
    match (tenants.next(), tenants.next()) {
        (Some(tenant), None) => Ok(*tenant),
        _ => Err(Failure::usage("the plan is not of one tenant")),
    }
}

/// Items of the plan that stay in a store which the plan does not name.
fn staying(plan: &Plan, seen: &Seen) -> BTreeSet<(Arc<str>, ItemId)> {
    let going = plan.items().iter();
    let going: BTreeSet<_> = going
        .map(|item| (&*item.store, &*item.class, &item.id))
        .collect();
    let stays = seen.items.as_slice().iter().filter(|item| {
        let place = (item.store.as_str(), item.class.as_str(), &item.id);
        !going.contains(&place)
    });
    stays
        .map(|item| (Arc::from(item.class.as_str()), item.id.clone()))
        .collect()
}

/// Refuses before the first effect what would be refused halfway: a method that is not this
/// command's, and an item that is kept by now.
fn unmoved(plan: &Plan, seen: &Seen, set: &RuleSet, now: UtcDateTime) -> Result<(), Failure> {
    let other =
        |item: &&retention_policy::PlanItem| item.method != retention_policy::Method::Delete;
    if let Some(item) = plan.items().iter().find(other) {
        let (store, method) = (&item.store, item.method.name());
        return Err(Failure::refused(format!(
            "store {store} erases by {method}: this command deletes rows"
        )));
    }
    if plan.items().iter().any(|item| item.rules.is_empty()) {
        return Err(Failure::refused(
            "no rule of the plan lets an item of it go",
        ));
    }
    let occurrences = seen.items.occurrences();
    let moment = Moment::at(now).with_slack(SWEEP);
    let views = seen.items.views(&occurrences);
    let kept: BTreeSet<_> = views
        .iter()
        .map(|item| {
            (
                item.store,
                item.class,
                &item.id,
                set.evaluate(item, &seen.holds, &moment),
            )
        })
        .filter(|(.., verdict)| !verdict.disposes())
        .map(|(store, class, id, _)| (store, class, id))
        .collect();
    let moved = plan.items().iter();
    let mut moved = moved.filter(|item| kept.contains(&(&*item.store, &*item.class, &item.id)));
    match moved.next() {
        None => Ok(()),
        Some(item) => Err(Failure::refused(format!(
            "{} {} in {} may not go any more: plan again",
            item.class,
            String::from_utf8_lossy(item.id.as_bytes()),
            item.store
        ))),
    }
}

async fn carried_out(
    opened: &Opened,
    under: &Arc<RowsUnder>,
    disposals: &mut [Disposal],
    now: UtcDateTime,
) -> Result<Vec<Ended>, Failure> {
    under.expect(disposals);
    let mut names: Vec<StoreName> = disposals.iter().flat_map(Disposal::stores).collect();
    names.sort_unstable();
    names.dedup();
    let disposers: Vec<RowDisposer> = names
        .into_iter()
        .map(|name| RowDisposer::new(name, Arc::clone(under)))
        .collect();
    let disposers: Disposers<'_> = disposers
        .iter()
        .map(|disposer| (disposer.store().clone(), disposer as &dyn Disposer))
        .collect();
    let holds = opened.holds().await?;
    let joints = Joints {
        disposers,
        holds: &holds,
        certifier: &InJournal,
    };
    let journal = RowJournal::new(opened.rows.db().clone());
    let ended = carry_out(disposals, &joints, &journal, now).await;
    ended.map_err(|error| {
        let line = format!("{}: the same command goes on", chain(&error));
        match &error {
            DisposeError::Holds(error) => held(error),
            DisposeError::Unavailable(error) if is_shape(&**error) => Failure::usage(line),
            _ => Failure::unreachable(line),
        }
    })
}

/// Whether the views are to blame, and not the database.
fn is_shape(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<StillThere>() || matches!(error.downcast_ref(), Some(DbError::Rejected(_)))
}

/// A part is made of the journal row, which stays: there is nothing else to keep.
#[derive(Debug)]
struct InJournal;

impl Certifier for InJournal {
    fn certify<'a>(&'a self, _disposal: &'a Disposal) -> BoxFuture<'a, Result<(), DisposeError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
