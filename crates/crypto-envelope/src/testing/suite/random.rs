//! Random administration with failures, against one table of keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use covenant_core::sealer::Purpose;
use covenant_core::{Clock, KeyId, Owner, Random, TenantId};
use time::{Duration, UtcDateTime};

use super::{Ground, admin, process, tenant, wait_ends};
use crate::admin::KeyAdmin;
use crate::error::KeyError;
use crate::keys::Keys;
use crate::state::KeyState;
use crate::store::KeyStore;
use crate::testing::{Faults, FaultyStore, SuiteError, that};
use crate::window::PendingWindow;

/// What the table knows of one root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    state: KeyState,
    window: Option<UtcDateTime>,
    plan: Option<UtcDateTime>,
}

const FRESH: Row = Row {
    state: KeyState::Enabled,
    window: None,
    plan: None,
};

#[derive(Debug, Clone, Copy)]
enum Act {
    Enable,
    Disable,
    Schedule(PendingWindow),
    Cancel,
    Plan(UtcDateTime),
    DestroyDue,
    Unlock,
}

/// The table's answer, without any of the code under test: the row afterwards, or why not.
fn expected(row: Row, act: Act, now: UtcDateTime) -> Result<Row, &'static str> {
    use KeyState::{Destroyed, Disabled, Enabled, PendingDeletion};
    let over = |at: Option<UtcDateTime>| at.is_some_and(|at| at <= now);
    let week = now.saturating_add(Duration::days(7));
    let becomes = |state, window| Row {
        state,
        window,
        ..row
    };
    match (row.state, act) {
        (Destroyed, Act::DestroyDue) => Ok(row),
        (Destroyed, _) => Err("destroyed"),
        (Enabled, Act::Unlock) if over(row.plan) => Err("destroyed"),
        (Enabled, Act::Enable | Act::Unlock) | (Disabled, Act::Disable) => Ok(row),
        (Enabled, Act::Disable) => Ok(becomes(Disabled, row.window)),
        (Disabled, Act::Enable) => Ok(becomes(Enabled, row.window)),
        (Enabled | Disabled, Act::Schedule(window)) => {
            let ends = wait_ends(now, window.days());
            Ok(becomes(PendingDeletion, Some(ends)))
        }
        (Enabled | Disabled, Act::Cancel) => Err("not pending deletion"),
        (PendingDeletion, Act::Cancel) => Ok(becomes(Disabled, None)),
        (PendingDeletion, Act::Schedule(_)) => Err("pending deletion already"),
        (PendingDeletion, Act::Enable | Act::Disable | Act::Unlock) => Err("pending deletion"),
        (_, Act::Plan(at)) if row.plan == Some(at) => Ok(row),
        (Disabled, Act::Unlock | Act::Plan(_)) => Err("disabled"),
        (PendingDeletion, Act::Plan(_)) => Err("pending deletion"),
        (Enabled, Act::Plan(at)) if at < week => Err("too soon"),
        (Enabled, Act::Plan(_)) if row.plan.is_some() => Err("planned"),
        (Enabled, Act::Plan(at)) => Ok(Row {
            plan: Some(at),
            ..row
        }),
        (_, Act::DestroyDue) if over(row.window) || over(row.plan) => {
            Ok(becomes(Destroyed, row.window))
        }
        (_, Act::DestroyDue) => Ok(row),
    }
}

struct Run<'a> {
    ground: &'a dyn Ground,
    random: Arc<dyn Random>,
    store: Arc<dyn KeyStore>,
    faults: Arc<Faults>,
    keys: Keys,
    table: BTreeMap<KeyId, Row>,
    owners: BTreeMap<KeyId, (TenantId, Purpose)>,
}

/// How often each kind of answer came.
#[derive(Debug, Default)]
struct Count {
    done: u32,
    refused: u32,
    broken: u32,
}

pub(super) async fn run(ground: &dyn Ground, steps: u32) -> Result<(), SuiteError> {
    let store = ground.store().await?;
    let mut run = Run::new(ground, store).await?;
    let mut count = Count::default();
    for step in 0..steps {
        let gone = run.table.values();
        if gone.filter(|row| row.state == KeyState::Destroyed).count() > 5 {
            run.refill().await?;
        }
        let told = run.step(&mut count).await;
        told.map_err(|error| SuiteError::of(format!("step {step}: {error}")))?;
    }
    let tenth = steps.div_euclid(10);
    that!(count.done > tenth, format!("little was done: {count:?}"));
    that!(
        count.refused > tenth,
        format!("little was refused: {count:?}")
    );
    that!(
        count.broken > steps.div_euclid(100),
        format!("little failed: {count:?}")
    );
    Ok(())
}

impl<'a> Run<'a> {
    async fn new(ground: &'a dyn Ground, store: Arc<dyn KeyStore>) -> Result<Self, SuiteError> {
        let faults = Faults::none();
        let faulty = FaultyStore::new(Arc::clone(&store), Arc::clone(&faults));
        let mut run = Self {
            ground,
            random: ground.random(),
            keys: process(ground, Arc::new(faulty)).await?,
            store,
            faults,
            table: BTreeMap::new(),
            owners: BTreeMap::new(),
        };
        run.refill().await?;
        Ok(run)
    }

    /// Four tenants, in the place of those before.
    async fn refill(&mut self) -> Result<(), SuiteError> {
        self.table.clear();
        self.owners.clear();
        for _ in 0..4 {
            let tenant = tenant(&*self.random)?;
            let roots = self.keys.create_tenant(tenant).await;
            let roots = roots.map_err(SuiteError::of)?;
            for (id, purpose) in [
                (roots.data, Purpose::Data),
                (roots.sensitive, Purpose::Sensitive),
            ] {
                self.table.insert(id, FRESH);
                self.owners.insert(id, (tenant, purpose));
            }
        }
        Ok(())
    }

    async fn step(&mut self, count: &mut Count) -> Result<(), SuiteError> {
        let at = usize::try_from(self.small(8)?).map_err(SuiteError::of)?;
        let key = self.table.keys().nth(at).copied();
        let key = key.ok_or_else(|| SuiteError::of("no key"))?;
        let Some(act) = self.draw().await? else {
            return Ok(());
        };
        let now = self.ground.clock().now();
        let fails = self.small(4)? == 0;
        if fails {
            self.faults.fail_at(self.small(16)?);
        }
        let answer = self.act(key, act).await;
        self.faults.heal();
        let touched = |id: &KeyId| matches!(act, Act::DestroyDue) || *id == key;
        let ids: Vec<_> = self.table.keys().copied().filter(touched).collect();
        let before = self.known(key)?;
        let expect = expected(before, act, now);
        match answer.as_ref().map_err(word) {
            // before its effect or after it, and each key by itself: nothing in between
            Err(None) => {
                that!(fails, format!("{act:?} on {before:?}: {answer:?}"));
                count.broken = count.broken.saturating_add(1);
                for id in ids {
                    let (old, found) = (self.known(id)?, self.row(id).await?);
                    let new = expected(old, act, now).unwrap_or(old);
                    let whole = found == old || found == new;
                    that!(whole, format!("{act:?} left {found:?} of {old:?}"));
                    self.table.insert(id, found);
                }
            }
            Ok(()) => {
                that!(expect.is_ok(), format!("{act:?} on {before:?} was done"));
                count.done = count.done.saturating_add(1);
                for id in ids {
                    if let Ok(row) = expected(self.known(id)?, act, now) {
                        self.table.insert(id, row);
                    }
                }
            }
            Err(Some(told)) => {
                let right = expect == Err(told);
                that!(
                    right,
                    format!("{act:?} on {before:?}: {told}, not {expect:?}")
                );
                count.refused = count.refused.saturating_add(1);
            }
        }
        for (id, row) in &self.table {
            let found = self.row(*id).await?;
            that!(found == *row, format!("{found:?}, and not {row:?}"));
        }
        Ok(())
    }

    /// What comes next; `None` for another process in the place of this one.
    async fn draw(&mut self) -> Result<Option<Act>, SuiteError> {
        let clock = self.ground.clock();
        let days = self.small(24)?;
        Ok(Some(match self.small(16)? {
            0..=2 => Act::Enable,
            3 | 4 => Act::Disable,
            5 => {
                let days = u8::try_from(days.saturating_add(7)).map_err(SuiteError::of)?;
                Act::Schedule(PendingWindow::try_from(days).map_err(SuiteError::of)?)
            }
            6 | 7 => Act::Cancel,
            8 if self.small(4)? == 0 => {
                let days = i64::try_from(days).map_err(SuiteError::of)?;
                Act::Plan(clock.now().saturating_add(Duration::days(days)))
            }
            9..=12 => Act::Unlock,
            13 => {
                let hours = self.small(100)?.saturating_mul(3_600);
                clock.advance(std::time::Duration::from_secs(hours));
                Act::Unlock
            }
            14 => {
                let (store, faults) = (Arc::clone(&self.store), Arc::clone(&self.faults));
                let store = Arc::new(FaultyStore::new(store, faults));
                self.keys = process(self.ground, store).await?;
                return Ok(None);
            }
            _ => Act::DestroyDue,
        }))
    }

    async fn act(&self, key: KeyId, act: Act) -> Result<(), KeyError> {
        let (keys, admin) = (&self.keys, admin());
        match act {
            Act::Enable => keys.enable(&admin, key).await.map(drop),
            Act::Disable => keys.disable(&admin, key).await.map(drop),
            Act::Schedule(window) => {
                let scheduled = keys.schedule_destruction(&admin, key, window);
                scheduled.await.map(drop)
            }
            Act::Cancel => keys.cancel_destruction(&admin, key).await.map(drop),
            Act::Plan(at) => keys.plan_destruction(&admin, key, at).await,
            Act::DestroyDue => keys.destroy_due(self.ground.clock().now()).await.map(drop),
            Act::Unlock => {
                let (tenant, purpose) = *self.owners.get(&key).ok_or(KeyError::Absent)?;
                keys.unlock(Owner::Tenant(tenant), purpose).await.map(drop)
            }
        }
    }

    /// What the key store says.
    async fn row(&self, key: KeyId) -> Result<Row, SuiteError> {
        let root = self.store.root(key).await.map_err(SuiteError::of)?;
        let root = root.ok_or_else(|| SuiteError::of("a root has no record"))?;
        Ok(Row {
            state: root.key_state(),
            window: root.pending_until,
            plan: root.destroy_at,
        })
    }

    fn known(&self, key: KeyId) -> Result<Row, SuiteError> {
        let row = self.table.get(&key).copied();
        row.ok_or_else(|| SuiteError::of("a key is not in the table"))
    }

    fn small(&self, below: u64) -> Result<u64, SuiteError> {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes).map_err(SuiteError::of)?;
        Ok(u64::from_be_bytes(bytes).checked_rem(below).unwrap_or(0))
    }
}

/// The word of a refusal, as the table says it; `None` for what is no refusal.
fn word(error: &KeyError) -> Option<&'static str> {
    match error {
        KeyError::Refused { refused, .. } => Some(refused.name()),
        KeyError::State(state) => Some(state),
        KeyError::TooSoon { .. } => Some("too soon"),
        KeyError::Planned { .. } => Some("planned"),
        _ => None,
    }
}
