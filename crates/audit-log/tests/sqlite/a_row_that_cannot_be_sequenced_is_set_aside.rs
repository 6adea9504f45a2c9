//! A forged or foreign outbox row never enters a log and never stops one: it is set aside, and the
//! operator's log says so, once.

use audit_log::leaf::LeafDatum;
use audit_log::sequencer::Drained;
use audit_log::store::AuditLog as _;
use audit_log::{log_of, operator_log};
use covenant_core::{Action, EventId, EventSink as _, OutboxRow, OutboxTx as _};

use crate::deployment::{Deployment, event, tenant};

async fn put(deployment: &Deployment, store: u128, row: OutboxRow) {
    let mut tx = deployment.begin(tenant(store)).await;
    tx.put(row).await.unwrap();
    tx.commit().await.unwrap();
}

async fn reasons(deployment: &Deployment) -> Vec<String> {
    let entries = deployment.entries(operator_log()).await;
    assert!(
        entries
            .iter()
            .all(|entry| entry.leaf.action == Action::LogQuarantined)
    );
    let reason = |leaf: &audit_log::leaf::Leaf| match &leaf.data["reason"] {
        LeafDatum::Text(reason) => reason.clone(),
        LeafDatum::Count(_) => String::new(),
    };
    entries.iter().map(|entry| reason(&entry.leaf)).collect()
}

#[tokio::test]
async fn foreign_forged_and_conflicting_rows() {
    let deployment = Deployment::new(2).await;
    let change = event(tenant(1), 1, Action::ChangeRecorded, 1);
    let good = deployment
        .sink
        .prepare(change.clone())
        .await
        .unwrap()
        .rows
        .remove(0);
    // a leaf of tenant 1 in the outbox of tenant 2
    put(&deployment, 2, good.clone()).await;
    // bytes that are no leaf, and a leaf of another event
    put(
        &deployment,
        1,
        OutboxRow {
            leaf: b"{}".to_vec(),
            ..good.clone()
        },
    )
    .await;
    let moved = OutboxRow {
        event: EventId::from_bytes([8; 16]),
        ..good.clone()
    };
    put(&deployment, 1, moved).await;
    let expected = Drained {
        sequenced: 0,
        absorbed: 0,
        quarantined: 3,
    };
    assert_eq!(deployment.drain().await, expected);
    assert_eq!(
        deployment.log.head(log_of(tenant(1))).await.unwrap().size,
        0
    );
    // now the good one, and another leaf under its id
    put(&deployment, 1, good.clone()).await;
    assert_eq!(deployment.drain().await.sequenced, 1);
    let again = deployment
        .sink
        .prepare(change)
        .await
        .unwrap()
        .rows
        .remove(0);
    put(&deployment, 1, again).await;
    assert_eq!(deployment.drain().await.quarantined, 1);
    assert_eq!(
        deployment.log.head(log_of(tenant(1))).await.unwrap().size,
        1
    );
    let mut reasons = reasons(&deployment).await;
    reasons.sort();
    assert_eq!(reasons, ["foreign_log", "no_leaf", "no_leaf", "other_leaf"]);
}

#[tokio::test]
async fn a_row_set_aside_twice_is_told_once() {
    let deployment = Deployment::new(2).await;
    let change = event(tenant(1), 1, Action::ChangeRecorded, 1);
    let row = deployment
        .sink
        .prepare(change)
        .await
        .unwrap()
        .rows
        .remove(0);
    put(&deployment, 2, row).await;
    let batch = deployment.log.gather(&deployment.feeds()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(deployment.log.append(&batch).await.unwrap().quarantined, 1);
    }
    deployment.log.discard(batch).await.unwrap();
    assert_eq!(reasons(&deployment).await, ["foreign_log"]);
}
