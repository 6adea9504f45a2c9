//! Random administration in virtual time, with calls that fail before or after their effect and
//! processes that start anew: every answer, and every key's state, is that of one table of keys.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use common::{SEED, TestResult, World, start};
use covenant_core::sealer::Purpose;
use covenant_core::testing::SeededRandom;
use covenant_core::{Clock, KeyId, Owner, TenantId};
use crypto_envelope::testing::{Faults, FaultyStore};
use crypto_envelope::{KeyAdmin, KeyError, KeyState, Keys, PendingWindow, Refused, TenantRoots};
use time::{Duration, UtcDateTime};

const STEPS: usize = 1500;

/// What the table knows of one key.
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
    match (row.state, act) {
        (Destroyed, Act::DestroyDue) => Ok(row),
        (Destroyed, _) => Err("destroyed"),
        (Enabled, Act::Unlock) if over(row.plan) => Err("destroyed"),
        (Enabled, Act::Enable | Act::Unlock) | (Disabled, Act::Disable) => Ok(row),
        (Enabled, Act::Disable) => Ok(Row {
            state: Disabled,
            ..row
        }),
        (Disabled, Act::Enable) => Ok(Row {
            state: Enabled,
            ..row
        }),
        (Enabled | Disabled, Act::Schedule(window)) => Ok(Row {
            state: PendingDeletion,
            window: Some(wait_ends(now, window.days())),
            ..row
        }),
        (Enabled | Disabled, Act::Cancel) => Err("not pending deletion"),
        (Disabled, Act::Unlock) => Err("disabled"),
        (PendingDeletion, Act::Cancel) => Ok(Row {
            state: Disabled,
            window: None,
            ..row
        }),
        (PendingDeletion, Act::Schedule(_)) => Err("pending deletion already"),
        (PendingDeletion, Act::Enable | Act::Disable | Act::Unlock) => Err("pending deletion"),
        (_, Act::Plan(at)) if row.plan == Some(at) => Ok(row),
        (Disabled, Act::Plan(_)) => Err("disabled"),
        (PendingDeletion, Act::Plan(_)) => Err("pending deletion"),
        (Enabled, Act::Plan(at)) if at < now + Duration::days(7) => Err("too soon"),
        (Enabled, Act::Plan(_)) if row.plan.is_some() => Err("planned"),
        (Enabled, Act::Plan(at)) => Ok(Row {
            plan: Some(at),
            ..row
        }),
        (_, Act::DestroyDue) if over(row.window) || over(row.plan) => Ok(Row {
            state: Destroyed,
            ..row
        }),
        (_, Act::DestroyDue) => Ok(row),
    }
}

/// When so many days are over in every reading: at the end of the last one in UTC, and after thirty
/// times 24 hours at the latest.
fn wait_ends(from: UtcDateTime, days: u8) -> UtcDateTime {
    let last = from.date().saturating_add(Duration::days(days.into()));
    let end = last.next_day().unwrap_or(last).midnight().as_utc();
    end.min(from + Duration::days(30))
}

struct Run {
    world: World,
    keys: Keys,
    faults: Arc<Faults>,
    table: BTreeMap<KeyId, Row>,
    owners: BTreeMap<KeyId, (TenantId, Purpose)>,
}

impl Run {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let world = World::in_memory();
        let faults = Faults::none();
        let keys = Self::process(&world, &faults).await?;
        let (mut table, mut owners) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..4 {
            let tenant = world.tenant()?;
            let TenantRoots {
                data, sensitive, ..
            } = keys.create_tenant(tenant).await?;
            for (id, purpose) in [(data, Purpose::Data), (sensitive, Purpose::Sensitive)] {
                table.insert(id, FRESH);
                owners.insert(id, (tenant, purpose));
            }
        }
        Ok(Self {
            world,
            keys,
            faults,
            table,
            owners,
        })
    }

    async fn process(world: &World, faults: &Arc<Faults>) -> Result<Keys, KeyError> {
        let store = FaultyStore::new(world.store.clone(), faults.clone());
        world
            .keys_over(Arc::new(store), world.backend.clone())
            .await
    }

    async fn act(&self, key: KeyId, act: Act) -> Result<(), KeyError> {
        let (keys, admin) = (&self.keys, self.world.admin());
        match act {
            Act::Enable => keys.enable(&admin, key).await.map(drop),
            Act::Disable => keys.disable(&admin, key).await.map(drop),
            Act::Schedule(window) => keys
                .schedule_destruction(&admin, key, window)
                .await
                .map(drop),
            Act::Cancel => keys.cancel_destruction(&admin, key).await.map(drop),
            Act::Plan(at) => keys.plan_destruction(&admin, key, at).await,
            Act::DestroyDue => keys.destroy_due(self.world.clock.now()).await.map(drop),
            Act::Unlock => {
                let (tenant, purpose) = *self.owners.get(&key).ok_or(KeyError::Absent)?;
                let owner = Owner::Tenant(tenant);
                keys.unlock(owner, purpose).await.map(drop)
            }
        }
    }

    /// What the key store says.
    async fn row(&self, key: KeyId) -> Result<Row, Box<dyn Error>> {
        let root = self.world.store.root(key).await?.ok_or("no root")?;
        Ok(Row {
            state: root.key_state(),
            window: root.pending_until,
            plan: root.destroy_at,
        })
    }

    async fn check(&self, step: usize) -> TestResult {
        for (key, row) in &self.table {
            assert_eq!(self.row(*key).await?, *row, "step {step}: {key}");
        }
        Ok(())
    }
}

/// The word of a refusal, as the table says it; `None` for what is no refusal.
fn word(error: &KeyError) -> Option<&'static str> {
    match error {
        KeyError::Refused { refused, .. } => Some(Refused::name(*refused)),
        KeyError::State(state) => Some(state),
        KeyError::TooSoon { .. } => Some("too soon"),
        KeyError::Planned { .. } => Some("planned"),
        _ => None,
    }
}

#[tokio::test]
async fn step_by_step() -> TestResult {
    let random = SeededRandom::new(SEED);
    println!("seed {}", random.seed());
    let mut run = Run::new().await?;
    let mut ids: Vec<KeyId> = run.table.keys().copied().collect();
    ids.sort_unstable();
    let (mut done, mut refused, mut injected, mut destroyed) = (0, 0, 0, 0);
    for step in 0..STEPS {
        let small = |n: u64| random.next_u64() % n;
        if destroyed > 5 {
            run = Run::new().await?;
            ids = run.table.keys().copied().collect();
            ids.sort_unstable();
            destroyed = 0;
        }
        let key = ids[usize::try_from(small(8))?];
        let now = run.world.clock.now();
        let act = match small(16) {
            0..=2 => Act::Enable,
            3 | 4 => Act::Disable,
            5 => Act::Schedule(PendingWindow::try_from(u8::try_from(7 + small(24))?)?),
            6 | 7 => Act::Cancel,
            8 if small(4) == 0 => Act::Plan(now + Duration::days(i64::try_from(small(30))?)),
            9..=12 => Act::Unlock,
            13 => {
                let hours = std::time::Duration::from_secs(3600 * small(100));
                run.world.clock.advance(hours);
                Act::Unlock
            }
            14 => {
                run.keys = Run::process(&run.world, &run.faults).await?;
                continue;
            }
            _ => Act::DestroyDue,
        };
        let now = run.world.clock.now();
        let of = |id: &KeyId| matches!(act, Act::DestroyDue) || *id == key;
        let fails = small(4) == 0;
        if fails {
            run.faults.fail_at(small(16));
        }
        let answer = run.act(key, act).await;
        run.faults.heal();
        let (before, expect) = (run.table[&key], expected(run.table[&key], act, now));
        let broken = answer.as_ref().is_err_and(|error| word(error).is_none());
        if broken {
            // before its effect or after it, and of each key by itself: nothing in between
            assert!(fails, "step {step}: {answer:?}");
            injected += 1;
            for id in ids.iter().filter(|id| of(id)) {
                let found = run.row(*id).await?;
                let old = run.table[id];
                let new = expected(old, act, now).unwrap_or(old);
                assert!(
                    found == old || found == new,
                    "step {step}: {act:?} {found:?}"
                );
                run.table.insert(*id, found);
            }
        } else {
            let told = answer.as_ref().map_err(|error| word(error).unwrap_or(""));
            let expected_answer = expect.as_ref().map(|_| &()).map_err(|word| *word);
            assert_eq!(told, expected_answer, "step {step}: {act:?} on {before:?}");
            done += usize::from(expect.is_ok());
            refused += usize::from(expect.is_err());
            for id in ids.iter().filter(|id| of(id)) {
                if let Ok(row) = expected(run.table[id], act, now) {
                    run.table.insert(*id, row);
                }
            }
        }
        run.check(step).await?;
        let gone = run.table.values();
        destroyed = gone.filter(|row| row.state == KeyState::Destroyed).count();
    }
    println!("{done} done, {refused} refused, {injected} injected failures");
    assert!(done > 200 && refused > 100 && injected > 50);
    assert!(run.world.clock.now() > start());
    Ok(())
}
