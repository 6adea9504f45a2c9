//! The logs in memory and in SQLite keep the one contract, and so does their sink.

use audit_log::testing::audit_log_suite;
use covenant_core::testing::event_sink_suite;
use covenant_core::{Action, TxTag};

use crate::deployment::{Deployment, event, tenant};
use crate::memory;

#[tokio::test]
async fn in_memory() {
    audit_log_suite(&memory::MemoryRig::new()).await.unwrap();
}

// clause: R-20
#[tokio::test]
async fn in_sqlite() {
    audit_log_suite(&Deployment::new(4).await).await.unwrap();
}

#[tokio::test]
async fn the_sink_is_a_sink() {
    let deployment = Deployment::new(2).await;
    let events = [1, 2].map(|n| event(tenant(1), n, Action::AccessAllowed, 1));
    let mut own = deployment.begin(tenant(1)).await;
    let mut foreign = deployment.begin(tenant(2)).await;
    event_sink_suite(&deployment.sink, events, &mut own, &mut foreign)
        .await
        .unwrap();
    drop((own, foreign));

    let memory = memory::MemoryRig::new();
    let events = [1, 2].map(|n| event(tenant(1), n, Action::AccessAllowed, 1));
    let tag = |n| TxTag {
        tenant: Some(tenant(n)),
        ..memory::TAG
    };
    let (mut own, mut foreign) = (memory.log.begin(tag(1)), memory.log.begin(tag(2)));
    event_sink_suite(&memory.sink, events, &mut own, &mut foreign)
        .await
        .unwrap();
}

#[tokio::test]
async fn both_stores_have_the_same_leaves() {
    let sqlite = Deployment::new(4).await;
    let memory = memory::MemoryRig::new();
    audit_log_suite(&sqlite).await.unwrap();
    audit_log_suite(&memory).await.unwrap();
    for n in 1..=4 {
        let log = audit_log::log_of(tenant(n));
        let [a, b] = [
            audit_log::store::entries_from(&sqlite.log, log, 0)
                .await
                .unwrap(),
            audit_log::store::entries_from(&*memory.log, log, 0)
                .await
                .unwrap(),
        ];
        assert_eq!(a.len(), b.len());
        let mut same = a.iter().zip(&b);
        assert!(same.all(|(a, b)| a.index == b.index && a.leaf.same_fact(&b.leaf)));
    }
}
