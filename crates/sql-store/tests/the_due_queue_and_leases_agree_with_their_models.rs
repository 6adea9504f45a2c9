//! Random operations on the due-queue and on leases, against a map and the obvious rule.
#![cfg(feature = "sqlite")]

#[cfg(test)]
#[path = "common/clock.rs"]
mod clock;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use covenant_core::{ManualClock, TenantId, TxTag, TxnId};
use proptest::prelude::*;
use sql_store::due::{self, DUE, Due};
use sql_store::lease::{self, LEASE, Lease};
use sql_store::{Db, Durability, Mode, SqliteOptions, SqliteProfile};
use time::UtcDateTime;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([7; 16]),
        tenant: None,
        decision: None,
    }
}

fn block_on(check: impl Future<Output = Result<(), Failure>>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let fail = |error: Failure| TestCaseError::fail(error.to_string());
    runtime
        .map_err(|error| fail(error.into()))?
        .block_on(check)
        .map_err(fail)
}

fn options(folder: &Path) -> SqliteOptions {
    let options = SqliteOptions::new(folder.join("main.db"), SqliteProfile::Control);
    options.durability(Durability::Off)
}

#[derive(Debug, Clone)]
enum OnQueue {
    Put(Key, i64),
    Done(Key, i64),
    Cancel(Key),
    Replace(u8, u8, Vec<(i64, u8)>),
    Drain(i64, u32),
}

type Key = (u8, u8, u8);

fn key() -> impl Strategy<Value = Key> {
    (0..2_u8, 0..2_u8, 0..3_u8)
}

fn on_queue() -> impl Strategy<Value = OnQueue> {
    let at = -3..6_i64;
    prop_oneof![
        4 => (key(), at.clone()).prop_map(|(key, at)| OnQueue::Put(key, at)),
        2 => (key(), at.clone()).prop_map(|(key, at)| OnQueue::Done(key, at)),
        1 => key().prop_map(OnQueue::Cancel),
        1 => (0..2_u8, 0..2_u8, prop::collection::vec((at.clone(), 0..3_u8), 0..3))
            .prop_map(|(tenant, kind, rows)| OnQueue::Replace(tenant, kind, rows)),
        2 => (at, 0..5_u32).prop_map(|(at, limit)| OnQueue::Drain(at, limit)),
    ]
}

fn at(secs: i64) -> UtcDateTime {
    UtcDateTime::UNIX_EPOCH + time::Duration::seconds(secs)
}

fn due((tenant, kind, key): Key, secs: i64) -> Due {
    Due {
        due_at: at(secs),
        kind: format!("kind-{kind}"),
        tenant: TenantId::from_bytes([tenant; 16]),
        key: vec![key],
    }
}

async fn queue_agrees(steps: Vec<OnQueue>) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let db = Db::create_sqlite(options(folder.path()), clock::clock()).await?;
    db.migrate(&DUE).await?;
    let mut model: BTreeMap<Key, i64> = BTreeMap::new();
    for step in steps {
        let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
        match step {
            OnQueue::Put(key, secs) => {
                due::put(&mut tx, &due(key, secs)).await?;
                model.insert(key, secs);
            }
            OnQueue::Done(key, secs) => {
                due::done(&mut tx, &due(key, secs)).await?;
                if model.get(&key) == Some(&secs) {
                    model.remove(&key);
                }
            }
            OnQueue::Cancel(key) => {
                let row = due(key, 0);
                due::cancel(&mut tx, row.tenant, &row.kind, &row.key).await?;
                model.remove(&key);
            }
            OnQueue::Replace(tenant, kind, rows) => {
                let one = due((tenant, kind, 0), 0);
                let found = due::find(&mut tx, one.tenant, &one.kind).await?;
                let mut expected: Vec<Due> = model
                    .iter()
                    .filter(|((t, k, _), _)| (*t, *k) == (tenant, kind))
                    .map(|(k, s)| due(*k, *s))
                    .collect();
                expected.sort();
                assert_eq!(found, expected);
                let new: Vec<_> = rows
                    .iter()
                    .map(|(secs, key)| (at(*secs), vec![*key]))
                    .collect();
                let row = due((tenant, kind, 0), 0);
                due::replace(&mut tx, row.tenant, &row.kind, &new).await?;
                model.retain(|(t, k, _), _| (*t, *k) != (tenant, kind));
                for (secs, key) in rows {
                    model.insert((tenant, kind, key), secs);
                }
            }
            OnQueue::Drain(secs, limit) => {
                let found = due::due(&mut tx, at(secs), limit).await?;
                let mut expected: Vec<Due> = model
                    .iter()
                    .filter(|(_, s)| **s <= secs)
                    .map(|(k, s)| due(*k, *s))
                    .collect();
                expected.sort();
                for kind in ["kind-0", "kind-1"] {
                    let of_kind = due::of_kind(&mut tx, kind, at(secs)).await?;
                    let expected = expected.iter().filter(|due| due.kind == kind);
                    assert_eq!(of_kind, expected.cloned().collect::<Vec<_>>());
                }
                expected.truncate(usize::try_from(limit)?);
                assert_eq!(found, expected);
            }
        }
        let next = due::next(&mut tx).await?;
        assert_eq!(next, model.values().min().map(|secs| at(*secs)));
        tx.commit().await?;
    }
    Ok(())
}

#[derive(Debug, Clone)]
enum OnLease {
    Acquire(u8, u64),
    Renew(usize, u64),
    Release(usize),
    Verify(usize),
    Pass(u64),
    StepWall(i64),
    Restart,
}

fn on_lease() -> impl Strategy<Value = OnLease> {
    prop_oneof![
        4 => (0..3_u8, 0..20_u64).prop_map(|(who, secs)| OnLease::Acquire(who, secs)),
        2 => (0..8_usize, 0..20_u64).prop_map(|(which, secs)| OnLease::Renew(which, secs)),
        1 => (0..8_usize).prop_map(OnLease::Release),
        1 => (0..8_usize).prop_map(OnLease::Verify),
        4 => (0..15_u64).prop_map(OnLease::Pass),
        1 => (-1_000_000..1_000_000_i64).prop_map(OnLease::StepWall),
        1 => Just(OnLease::Restart),
    ]
}

/// The obvious rule: one holder, until its time is over; after a restart its whole length again,
/// from when somebody first asks.
#[derive(Default)]
struct Model {
    now: u64,
    fence: u64,
    held: Option<(u64, End, u64)>,
}

#[derive(Clone, Copy)]
enum End {
    At(u64),
    WhenAsked,
}

impl Model {
    fn is_free(&mut self) -> bool {
        let now = self.now;
        let Some((_, end, length)) = &mut self.held else {
            return true;
        };
        if let End::WhenAsked = *end {
            *end = End::At(now + *length);
        }
        matches!(*end, End::At(at) if now >= at)
    }

    fn is_last(&self, lease: &Lease) -> bool {
        self.held.is_some_and(|(fence, ..)| fence == lease.fence())
    }
}

async fn leases_agree(steps: Vec<OnLease>) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::at(at(1_790_000_000)));
    let mut db = Db::create_sqlite(options(folder.path()), clock.clone()).await?;
    db.migrate(&LEASE).await?;
    let mut model = Model::default();
    let mut leases: Vec<Lease> = Vec::new();
    for step in steps {
        let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
        let length = Duration::from_secs;
        match step {
            OnLease::Acquire(who, secs) => {
                let who = Uuid::from_u128(who.into());
                let lease = lease::acquire(&mut tx, "sweep", who, length(secs)).await?;
                assert_eq!(lease.is_some(), model.is_free());
                if let Some(lease) = lease {
                    assert!(
                        lease.fence() > model.fence,
                        "every acquisition has a higher fence"
                    );
                    model.fence = lease.fence();
                    model.held = Some((lease.fence(), End::At(model.now + secs), secs));
                    leases.push(lease);
                }
            }
            OnLease::Renew(which, secs) => {
                if let Some(lease) = leases.get(which) {
                    let renewed = lease::renew(&mut tx, lease, length(secs)).await?;
                    assert_eq!(renewed, model.is_last(lease));
                    if renewed {
                        model.held = Some((lease.fence(), End::At(model.now + secs), secs));
                    }
                }
            }
            OnLease::Release(which) => {
                if let Some(lease) = leases.get(which) {
                    lease::release(&mut tx, lease).await?;
                    if model.is_last(lease) {
                        model.held = None;
                    }
                }
            }
            OnLease::Verify(which) => {
                if let Some(lease) = leases.get(which) {
                    assert_eq!(lease::verify(&mut tx, lease).await?, model.is_last(lease));
                }
            }
            OnLease::Pass(secs) => {
                clock.advance(length(secs));
                model.now += secs;
            }
            OnLease::StepWall(secs) => clock.step(at(1_790_000_000 + secs)),
            OnLease::Restart => {
                tx.rollback().await?;
                db.close().await;
                db = Db::open_sqlite(options(folder.path()), clock.clone()).await?;
                if let Some((_, end, _)) = &mut model.held {
                    *end = End::WhenAsked;
                }
                continue;
            }
        }
        tx.commit().await?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_queue_agrees_with_a_map(steps in prop::collection::vec(on_queue(), 1..30)) {
        block_on(queue_agrees(steps))?;
    }

    #[test]
    fn leases_agree_with_the_obvious_rule(steps in prop::collection::vec(on_lease(), 1..40)) {
        block_on(leases_agree(steps))?;
    }
}
