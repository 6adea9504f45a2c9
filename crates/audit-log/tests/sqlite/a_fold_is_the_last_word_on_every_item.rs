//! For random histories, the fold from every earlier head is what a recount of the events says; a
//! log rolled back to any point folds to nothing.

use std::collections::BTreeMap;

use audit_log::fold::{FoldError, LedgerKey, LedgerState};
use audit_log::log_of;
use audit_log::merkle::TreeHead;
use audit_log::store::AuditLog as _;
use audit_log::testing::{End, Rig as _};
use covenant_core::{Action, EventSink as _, ItemId, Outcome};
use proptest::prelude::*;

use crate::deployment::{event, tenant};
use crate::memory::MemoryRig;

/// An event of a history: what, to which item, and whether it was done.
type Step = (usize, i64, bool);

const ACTIONS: [Action; 8] = [
    Action::RecordCreated,
    Action::ChangeRecorded,
    Action::RecordDeleted,
    Action::RecordRestored,
    Action::RecordPurged,
    Action::DatabaseDeleted,
    Action::DatabaseRestored,
    Action::DatabasePurged,
];

/// The obvious recount.
fn recount(steps: &[Step]) -> BTreeMap<LedgerKey, LedgerState> {
    let mut last = BTreeMap::new();
    for (action, item, _) in steps.iter().filter(|(_, _, done)| *done) {
        let key = LedgerKey::Item {
            table: "records".to_owned(),
            id: ItemId::from(*item),
        };
        let gone = last.get(&key) == Some(&LedgerState::Purged);
        match ACTIONS[*action] {
            Action::RecordDeleted if !gone => last.insert(key, LedgerState::Hidden),
            Action::RecordRestored if !gone => last.insert(key, LedgerState::Live),
            Action::RecordPurged => last.insert(key, LedgerState::Purged),
            Action::DatabaseDeleted => last.insert(LedgerKey::Database, LedgerState::Deleted),
            Action::DatabaseRestored => last.insert(LedgerKey::Database, LedgerState::Live),
            Action::DatabasePurged => last.insert(LedgerKey::Database, LedgerState::Purged),
            _ => None,
        };
    }
    last
}

/// A log with this history, and its head after every step.
async fn lived(steps: &[Step]) -> (MemoryRig, Vec<TreeHead>) {
    let rig = MemoryRig::new();
    let mut heads = vec![TreeHead::empty()];
    for (n, (action, item, done)) in (0..).zip(steps) {
        let mut event = event(tenant(1), n, ACTIONS[*action], *item);
        event.outcome = if *done { Outcome::Ok } else { Outcome::Denied };
        let prepared = rig.sink.prepare(event).await.unwrap();
        rig.transact(tenant(1), vec![prepared], End::Commit)
            .await
            .unwrap();
        rig.log.drain();
        heads.push(rig.log.head(log_of(tenant(1))).await.unwrap());
    }
    (rig, heads)
}

async fn check(steps: &[Step]) {
    let log = log_of(tenant(1));
    let (rig, heads) = lived(steps).await;
    let last = *heads.last().unwrap();
    for (n, since) in heads.iter().enumerate() {
        let fold = rig.log.fold(log, *since, &[last]).await.unwrap();
        let states: BTreeMap<_, _> = fold
            .last
            .into_iter()
            .map(|(key, last)| (key, last.state))
            .collect();
        assert_eq!(states, recount(&steps[n..]), "from {n}");
    }
    // the same log rolled back to every earlier point
    for end in 0..steps.len() {
        let (short, own) = lived(&steps[..end]).await;
        let known = [last];
        let since = *own.last().unwrap();
        let behind = short.log.fold(log, since, &known).await;
        assert!(
            matches!(behind, Err(FoldError::Behind { .. })),
            "rolled back to {end}"
        );
        // the positive control: with its own head it folds
        assert!(short.log.fold(log, since, &[since]).await.is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn random_histories(steps in prop::collection::vec((0_usize..8, 0_i64..4, prop::bool::weighted(0.9)), 0..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(&steps));
    }
}
