//! Sixteen writers, long transactions and rollbacks among them, and a sequencer that never waits for
//! them: indices are contiguous, nothing committed is missed, nothing rolled back is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use audit_log::log_of;
use audit_log::merkle::MerkleTree;
use audit_log::store::AuditLog as _;
use covenant_core::{Action, EventId, EventSink as _};

use crate::deployment::{Deployment, event, tenant};

const WRITERS: u64 = 16;
const ROUNDS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contiguous_and_complete() {
    let deployment = Arc::new(Deployment::new(4).await);
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let deployment = Arc::clone(&deployment);
        writers.push(tokio::spawn(async move {
            let owner = tenant(u128::from(1 + writer % 4));
            let mut committed = Vec::new();
            for round in 0..ROUNDS {
                let id = 10_000 + writer * 100 + round;
                let event = event(owner, id, Action::ChangeRecorded, 1);
                let id = event.id;
                let prepared = deployment.sink.prepare(event).await.unwrap();
                let mut tx = deployment.begin(owner).await;
                deployment.sink.record(&mut tx, prepared).await.unwrap();
                for _ in 0..(writer + round) % 5 {
                    tokio::task::yield_now().await;
                }
                if (writer + round) % 7 == 0 {
                    tx.rollback().await.unwrap();
                } else {
                    tx.commit().await.unwrap();
                    committed.push(id);
                }
            }
            committed
        }));
    }
    let sequencer = {
        let deployment = Arc::clone(&deployment);
        tokio::spawn(async move {
            let mut sequenced = 0;
            for _ in 0..40 {
                sequenced += deployment.drain().await.sequenced;
                tokio::task::yield_now().await;
            }
            sequenced
        })
    };
    let mut committed: BTreeSet<EventId> = BTreeSet::new();
    for writer in writers {
        committed.extend(writer.await.unwrap());
    }
    let early = sequencer.await.unwrap();
    let late = deployment.drain().await.sequenced;
    assert_eq!(early + late, u64::try_from(committed.len()).unwrap());
    let mut found = BTreeSet::new();
    for n in 1..=4 {
        let log = log_of(tenant(n));
        let entries = deployment.entries(log).await;
        let mut tree = MerkleTree::new();
        for (n, entry) in (0..).zip(&entries) {
            assert_eq!(entry.index, n);
            tree.push(entry.hash);
            found.insert(entry.leaf.event);
        }
        assert_eq!(tree.head(), deployment.log.head(log).await.unwrap());
    }
    assert_eq!(found, committed);
}
