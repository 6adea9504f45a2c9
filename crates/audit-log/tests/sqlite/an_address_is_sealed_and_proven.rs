//! The source address of an event is in no stored byte; it opens for who has the key, and is then
//! proven against the leaf.

use audit_log::field::{self, Keep};
use audit_log::store::AuditLog as _;
use audit_log::{ADDRESS_PATH, MANIFEST_PATH, log_of};
use covenant_core::event::{ActorKind, Change, Datum};
use covenant_core::sealer::{Owner, Sealer as _};
use covenant_core::{Action, ActorContext, EventSink as _, ItemId, Outcome, Redacted, SinkError};

use crate::deployment::{Deployment, event, tenant};

#[tokio::test]
async fn the_address_opens_and_is_the_one_committed_to() {
    let deployment = Deployment::new(1).await;
    let access = event(tenant(1), 1, Action::AccessAllowed, 1);
    deployment.record(tenant(1), vec![access.clone()]).await;
    deployment.drain().await;
    let log = log_of(tenant(1));
    let leaf = deployment.entries(log).await.remove(0).leaf;
    let index = usize::try_from(leaf.source.address.unwrap()).unwrap();
    let committed = &leaf.fields[index];
    assert_eq!(
        (committed.path.as_str(), committed.keep),
        (ADDRESS_PATH, Keep::Sealed)
    );
    let sealed = deployment
        .log
        .sealed(log, leaf.event, ADDRESS_PATH)
        .await
        .unwrap()
        .unwrap();
    let place = field::place(log, leaf.event, ADDRESS_PATH).unwrap();
    let opened = deployment.sealer.open(&place, &sealed).await.unwrap();
    let check = |path| field::check_opened(leaf.event, path, &committed.commitment, &opened);
    assert_eq!(
        check(ADDRESS_PATH).unwrap().expose().as_slice(),
        b"192.0.2.77"
    );
    assert!(check("src.other").is_err());
    assert_eq!(
        deployment
            .log
            .sealed(log, leaf.event, "none")
            .await
            .unwrap(),
        None
    );
    for file in std::fs::read_dir(deployment.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(10).any(|w| w == b"192.0.2.77"));
    }
}

#[tokio::test]
async fn under_a_destroyed_key_an_event_is_still_recorded() {
    let deployment = Deployment::new(1).await;
    deployment.sealer.forget(Owner::Tenant(tenant(1)));
    let denied = event(tenant(1), 1, Action::AccessDenied, 1);
    deployment.sink.emit(denied.clone()).await.unwrap();
    deployment.drain().await;
    let log = log_of(tenant(1));
    let leaf = deployment.entries(log).await.remove(0).leaf;
    assert_eq!(leaf.fields[0].keep, Keep::Never);
    assert_eq!(
        deployment
            .log
            .sealed(log, leaf.event, ADDRESS_PATH)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn changes_are_committed_to_and_not_kept() {
    let deployment = Deployment::new(1).await;
    let change = |n: i64| Change {
        column: ItemId::from(n),
        before: None,
        after: Some(Redacted(b"canary-9431".to_vec())),
    };
    let few = event(tenant(1), 1, Action::ChangeRecorded, 1).with_change(change(1));
    let mut many = event(tenant(1), 2, Action::ChangeRecorded, 1);
    many.changes = (0..500).map(change).collect();
    deployment.record(tenant(1), vec![few, many]).await;
    deployment.drain().await;
    let entries = deployment.entries(log_of(tenant(1))).await;
    let [few, many] = [&entries[0].leaf, &entries[1].leaf];
    assert_eq!(few.changes.len(), 1);
    assert_eq!(
        (few.changes[0].before, few.changes[0].after),
        (None, Some(1))
    );
    assert!(many.changes.is_empty());
    assert_eq!(many.fields[1].path, MANIFEST_PATH);
    for file in std::fs::read_dir(deployment.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(11).any(|w| w == b"canary-9431"));
    }
}

#[tokio::test]
async fn what_lacks_something_is_refused_and_nothing_is_written() {
    let deployment = Deployment::new(1).await;
    let good = || event(tenant(1), 1, Action::RecordDeleted, 1);
    let mut cases = vec![good(); 8];
    cases[0].actor.address = None;
    cases[1].actor.id = None;
    cases[2].actor.kind = ActorKind::Unknown;
    cases[3].target.id = None;
    cases[4].target.tenant = None;
    cases[5].action = Action::StaffAccess;
    cases[6].data.insert("count", Datum::Count(1 << 53));
    cases[7].code = Some("free text, with bob@example.com");
    for event in cases {
        let refused = deployment.sink.prepare(event.clone()).await;
        assert!(
            matches!(refused, Err(SinkError::Incomplete(_))),
            "{event:?}"
        );
        assert!(deployment.sink.emit(event).await.is_err());
    }
    deployment.drain().await;
    assert!(deployment.log.logs().await.unwrap().is_empty());
    // the positive controls: the event itself, one by the system, one by nobody who was denied
    let mut system = good();
    system.actor = ActorContext::system();
    let mut denied = good();
    denied.actor.kind = ActorKind::Unknown;
    denied.actor.id = None;
    denied.outcome = Outcome::Denied;
    for event in [good(), system, denied] {
        deployment.sink.prepare(event).await.unwrap();
    }
    assert!(deployment.log.head(log_of(tenant(1))).await.unwrap().size == 0);
}
