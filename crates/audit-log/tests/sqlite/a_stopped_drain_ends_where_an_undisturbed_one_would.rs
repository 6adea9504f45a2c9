//! Stopped after any step, dropped at any await, or failing at an outbox, a drain that is repeated
//! leaves the same logs, byte for byte, as one that was never disturbed.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use audit_log::log_of;
use audit_log::store::sql::SqlLog;
use audit_log::store::{AuditLog as _, Entry};
use covenant_core::Action;

use crate::deployment::{Deployment, event, tenant};

/// Two tenants with events that follow each other across their stores, more than one batch.
async fn loaded(events: u64) -> Deployment {
    let deployment = Deployment::new(2).await;
    for n in 0..events {
        deployment
            .clock
            .advance(std::time::Duration::from_millis(3));
        let owner = tenant(u128::from(1 + n % 2));
        deployment
            .record(
                owner,
                vec![event(owner, 1_000 + n, Action::ChangeRecorded, 1)],
            )
            .await;
    }
    deployment
}

async fn leaves(deployment: &Deployment) -> Vec<Entry> {
    let mut all = deployment.entries(log_of(tenant(1))).await;
    all.extend(deployment.entries(log_of(tenant(2))).await);
    all
}

#[tokio::test]
async fn stopped_between_the_steps() {
    let undisturbed = loaded(20).await;
    undisturbed.drain().await;
    let expected = leaves(&undisturbed).await;
    assert_eq!(expected.len(), 20);
    for stop in 0..3 {
        let deployment = loaded(20).await;
        let batch = deployment.log.gather(&deployment.feeds()).await.unwrap();
        assert!(!batch.is_empty());
        if stop > 0 {
            assert_eq!(deployment.log.append(&batch).await.unwrap().sequenced, 20);
        }
        if stop > 1 {
            // appended by two sequencers: the second finds everything there
            assert_eq!(deployment.log.append(&batch).await.unwrap().absorbed, 20);
        }
        drop(batch);
        let again = deployment.drain().await;
        let (sequenced, absorbed) = if stop == 0 { (20, 0) } else { (0, 20) };
        assert_eq!((again.sequenced, again.absorbed), (sequenced, absorbed));
        assert_eq!(leaves(&deployment).await, expected);
        assert_eq!(
            deployment.drain().await,
            audit_log::sequencer::Drained::default()
        );
    }
}

#[tokio::test]
async fn dropped_at_any_await() {
    let undisturbed = loaded(6).await;
    undisturbed.drain().await;
    let expected = leaves(&undisturbed).await;
    let mut finished = false;
    for polls in (0..40).chain((40..2_000).step_by(23)) {
        let deployment = loaded(6).await;
        let feeds = deployment.feeds();
        finished = {
            let mut drain = pin!(deployment.log.drain(&feeds));
            let mut left = polls;
            poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(false);
                }
                left -= 1;
                drain.as_mut().poll(cx).map(|drained| drained.is_ok())
            })
            .await
        };
        deployment.drain().await;
        assert_eq!(
            leaves(&deployment).await,
            expected,
            "dropped after {polls} polls"
        );
        if finished {
            break;
        }
    }
    assert!(finished, "no number of polls let the drain finish");
}

#[tokio::test]
async fn failing_at_an_outbox() {
    let undisturbed = loaded(20).await;
    undisturbed.drain().await;
    let expected = leaves(&undisturbed).await;
    let deployment = loaded(20).await;
    let batch = deployment.log.gather(&deployment.feeds()).await.unwrap();
    deployment.log.append(&batch).await.unwrap();
    deployment.stores[1].1.close().await;
    assert!(deployment.log.discard(batch).await.is_err());
    assert!(deployment.log.drain(&deployment.feeds()).await.is_err());
    let first = deployment.feeds().into_iter().take(1).collect::<Vec<_>>();
    deployment.log.drain(&first).await.unwrap();
    assert_eq!(leaves(&deployment).await, expected);
}

#[tokio::test]
async fn more_than_a_batch_and_reopened() {
    let undisturbed = loaded(600).await;
    assert_eq!(undisturbed.drain().await.sequenced, 600);
    let expected = leaves(&undisturbed).await;
    let deployment = loaded(600).await;
    for _ in 0..2 {
        let batch = deployment.log.gather(&deployment.feeds()).await.unwrap();
        deployment.log.append(&batch).await.unwrap();
        deployment.log.discard(batch).await.unwrap();
        let db = deployment.log.db().clone();
        let reopened = SqlLog::open(db, Arc::clone(&deployment.random))
            .await
            .unwrap();
        let head = reopened.head(log_of(tenant(1))).await.unwrap();
        assert_eq!(head, deployment.log.head(log_of(tenant(1))).await.unwrap());
    }
    deployment.drain().await;
    assert_eq!(leaves(&deployment).await, expected);
}
