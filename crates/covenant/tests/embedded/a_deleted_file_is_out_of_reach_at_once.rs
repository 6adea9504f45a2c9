//! One file of a record, deleted by itself: no record shows it from the commit on, no way leads to its
//! name, the log says so once, and neither a crash, a hold nor a backup brings it back.

use std::collections::BTreeSet;

use audit_log::log_of;
use audit_log::store::entries_from;
use covenant::{Attachment, Error, NewRecord, Reached, Way, Withdrawn, Wraps};
use covenant_core::event::ActorContext;
use covenant_core::{Action, Clock as _, HoldId, ItemId, PrincipalId};
use retention_policy::{Hold, HoldAct, HoldError, HoldMode, HoldScope, ItemList, Later};
use tenant_isolation::{Caller, ServiceKind};
use time::Duration;

use crate::broken::{self, Switch};
use crate::common::{Outcome, Stage, admin, admin_id, covered, files, item, profile, tenant};

/// A record with two files, and the first of them.
async fn two_files(policy: &str, wraps: Wraps) -> Outcome<(Stage, ItemId, Attachment)> {
    let stage = Stage::with(profile(policy)?, wraps).await?;
    stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
    let record = item("record")?;
    let new = NewRecord {
        body: b"body".to_vec(),
        sensitive: None,
        attachments: vec![b"first file".to_vec(), b"second file".to_vec()],
    };
    let (who, me) = (admin(1), tenant(1));
    stage.covenant.put(&who, me, &record, &new).await?;
    // A first backup, so that nothing else is due.
    stage.covenant.sweep().await?;
    let listed = stage.covenant.attachments(&who, me, &record).await?;
    let mut first = None;
    for file in &listed {
        let read = stage.covenant.attachment(&who, me, &file.id).await?;
        if read.0 == b"first file" {
            first = Some(file.clone());
        }
    }
    assert_eq!(listed.len(), 2);
    Ok((stage, record, first.ok_or("the first file is not listed")?))
}

/// What the ways to the file's name lead to.
async fn ways(stage: &Stage, file: &ItemId) -> Outcome<Vec<(Way, Reached)>> {
    let name = stage.covenant.public_name(tenant(1), file);
    let mut seen = Vec::new();
    for way in Way::all(None) {
        let reached = stage.covenant.files().reach(&name, &way).await?;
        seen.push((way, reached));
    }
    Ok(seen)
}

/// The ways that lead to the file's name.
async fn open(stage: &Stage, file: &ItemId) -> Outcome<Vec<Way>> {
    let all = ways(stage, file).await?;
    let open = all.into_iter().filter(|(_, seen)| *seen == Reached::Open);
    Ok(open.map(|(way, _)| way).collect())
}

/// Neither a record, nor a list, nor its own id shows the first file.
async fn shown_nowhere(stage: &Stage, record: &ItemId, file: &ItemId) -> Outcome {
    let (who, me) = (admin(1), tenant(1));
    let read = stage.covenant.get(&who, me, record).await?;
    let shown: Vec<_> = read.attachments.into_iter().map(|file| file.0).collect();
    assert_eq!(shown, [b"second file".to_vec()]);
    let listed = stage.covenant.attachments(&who, me, record).await?;
    assert!(listed.iter().all(|other| other.id != *file));
    let asked = stage.covenant.attachment(&who, me, file).await;
    assert!(matches!(asked, Err(Error::NotFound)), "{asked:?}");
    Ok(())
}

/// How often the tenant's log tells of this action on the file.
async fn told(stage: &Stage, action: Action, file: &ItemId) -> Outcome<usize> {
    stage.covenant.sequence().await?;
    let entries = entries_from(stage.covenant.log().as_ref(), log_of(tenant(1)), 0).await?;
    let of = entries
        .iter()
        .filter(|entry| entry.leaf.action == action && entry.leaf.target.id.as_ref() == Some(file));
    Ok(of.count())
}

/// Out of reach, told of once, accounted for, and nothing left to do.
async fn gone(stage: &Stage, record: &ItemId, file: &ItemId) -> Outcome {
    shown_nowhere(stage, record, file).await?;
    assert_eq!(open(stage, file).await?, []);
    assert_eq!(files(&stage.covenant.layout().objects())?.len(), 1);
    assert_eq!(told(stage, Action::ObjectDeleted, file).await?, 1);
    assert_eq!(told(stage, Action::ObjectUnreachable, file).await?, 1);
    let swept = stage.covenant.sweep().await?;
    assert_eq!((swept.files, swept.failed), (0, 0));
    covered(stage).await
}

// clause
#[tokio::test]
async fn no_record_shows_it_and_no_way_leads_to_it() -> Outcome {
    for policy in ["protopie", "prodb", "immidb"] {
        let (stage, record, file) = two_files(policy, Wraps::default()).await?;
        let before = ways(&stage, &file.id).await?;
        let open_before = [Way::Get, Way::Head, Way::List, Way::Copy];
        for (way, reached) in before {
            let expect = if open_before.contains(&way) {
                Reached::Open
            } else {
                Reached::NoSuchWay
            };
            assert_eq!(reached, expect, "{policy}: {way:?}");
        }
        assert_eq!(
            files(&stage.covenant.layout().objects())?.len(),
            2,
            "looking leaves no copy"
        );
        let (who, me) = (admin(1), tenant(1));
        let session = stage.covenant.open_session(&who, me).await?;
        let deleted = stage.covenant.delete_attachment(&who, me, &file.id).await?;
        assert_eq!(deleted, Withdrawn::Unreachable, "{policy}");
        let read = session.attachment(&file.id).await;
        assert!(matches!(read, Err(Error::NotFound)), "{read:?}");
        gone(&stage, &record, &file.id).await?;
        let again = stage.covenant.delete_attachment(&who, me, &file.id).await;
        assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    }
    Ok(())
}

#[tokio::test]
async fn whoever_may_not_or_has_no_such_file_changes_nothing() -> Outcome {
    let (stage, record, file) = two_files("protopie", Wraps::default()).await?;
    let (me, who, other) = (tenant(1), admin(1), admin(2));
    let denied = stage.covenant.delete_attachment(&other, me, &file.id).await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    let unknown = stage.covenant.delete_attachment(&who, me, &record).await;
    assert!(matches!(unknown, Err(Error::NotFound)), "{unknown:?}");
    stage.covenant.delete(&who, me, &record).await?;
    let binned = stage.covenant.delete_attachment(&who, me, &file.id).await;
    assert!(matches!(binned, Err(Error::NotFound)), "{binned:?}");
    stage.covenant.restore(&who, me, &record).await?;
    let read = stage.covenant.get(&who, me, &record).await?;
    assert_eq!(read.attachments.len(), 2);
    assert_eq!(told(&stage, Action::ObjectDeleted, &file.id).await?, 0);
    let swept = stage.covenant.sweep().await?;
    assert_eq!((swept.files, swept.failed), (0, 0), "nothing was planned");
    Ok(())
}

// clause: Q-24
#[tokio::test]
async fn a_removal_that_fails_is_shown_by_nothing_and_tried_again_within_seconds() -> Outcome {
    let switch = Switch::default();
    let (stage, record, file) = two_files("protopie", broken::files(&switch)).await?;
    switch.on();
    let (who, me) = (admin(1), tenant(1));
    let deleted = stage.covenant.delete_attachment(&who, me, &file.id).await?;
    assert_eq!(deleted, Withdrawn::Pending);
    shown_nowhere(&stage, &record, &file.id).await?;
    assert!(
        !open(&stage, &file.id).await?.is_empty(),
        "it is still there"
    );
    assert_eq!(told(&stage, Action::ObjectUnreachable, &file.id).await?, 0);
    let swept = stage.run_for(Duration::seconds(4)).await?;
    assert!(swept.failed >= 2, "{swept:?}");
    switch.off();
    let swept = stage.run_for(Duration::seconds(5)).await?;
    assert_eq!((swept.failed, swept.files), (0, 1));
    gone(&stage, &record, &file.id).await
}

// clause: Q-24
#[tokio::test]
async fn a_second_try_of_the_same_second_leaves_the_first_one_in_the_queue() -> Outcome {
    let switch = Switch::default();
    let (stage, record, file) = two_files("protopie", broken::files(&switch)).await?;
    switch.on();
    let (who, me) = (admin(1), tenant(1));
    let deleted = stage.covenant.delete_attachment(&who, me, &file.id).await?;
    assert_eq!(deleted, Withdrawn::Pending);
    // the clock stands still: it is the same row of the queue
    let again = stage.covenant.delete_attachment(&who, me, &file.id).await;
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    switch.off();
    let swept = stage.run_for(Duration::seconds(5)).await?;
    assert_eq!((swept.failed, swept.files), (0, 1));
    gone(&stage, &record, &file.id).await
}

// clause: Q-24
#[tokio::test]
async fn a_process_that_dies_after_the_row_went_leaves_the_rest_to_the_next() -> Outcome {
    let switch = Switch::default();
    let (mut stage, record, file) = two_files("protopie", broken::files(&switch)).await?;
    switch.on();
    let (who, me) = (admin(1), tenant(1));
    stage.covenant.delete_attachment(&who, me, &file.id).await?;
    stage.restart(Wraps::default()).await?;
    shown_nowhere(&stage, &record, &file.id).await?;
    let now = stage.clock.now();
    let due = stage.covenant.next_due().await?;
    assert!(due.is_some_and(|due| due <= now), "planned at the start");
    let swept = stage.covenant.sweep().await?;
    assert_eq!((swept.failed, swept.files), (0, 1));
    gone(&stage, &record, &file.id).await
}

#[tokio::test]
async fn an_event_that_cannot_be_recorded_leaves_the_file_where_it_was() -> Outcome {
    let switch = Switch::default();
    let wraps = broken::sink(&switch, Action::ObjectDeleted);
    let (stage, record, file) = two_files("protopie", wraps).await?;
    switch.on();
    let (who, me) = (admin(1), tenant(1));
    let refused = stage.covenant.delete_attachment(&who, me, &file.id).await;
    assert!(matches!(refused, Err(Error::NotAudited(_))), "{refused:?}");
    let read = stage.covenant.get(&who, me, &record).await?;
    assert_eq!(read.attachments.len(), 2);
    switch.off();
    stage.covenant.delete_attachment(&who, me, &file.id).await?;
    gone(&stage, &record, &file.id).await
}

fn hold(stage: &Stage, class: &str, id: &ItemId) -> Outcome<Hold> {
    let ids = ItemList::try_from(BTreeSet::from([id.clone()]))?;
    Ok(Hold {
        id: HoldId::from_bytes([7; 16]),
        tenant: tenant(1),
        matter: "case-7".parse()?,
        scope: HoldScope::Items {
            class: class.parse()?,
            ids,
        },
        later: Later::Covered,
        mode: HoldMode::Governance,
        placed_by: PrincipalId::from_bytes([1; 16]),
        reason: "litigation".parse()?,
        placed_at: stage.clock.now(),
    })
}

// clause: P-47
#[tokio::test]
async fn a_hold_on_the_file_or_its_record_keeps_it() -> Outcome {
    for by_record in [true, false] {
        let (stage, record, file) = two_files("prodb", Wraps::default()).await?;
        let (who, me) = (admin(1), tenant(1));
        let (class, id) = if by_record {
            ("record", &record)
        } else {
            ("attachment", &file.id)
        };
        let held = hold(&stage, class, id)?;
        let legal = || ActorContext::service("legal");
        stage.covenant.place_hold(&held, legal()).await?;
        let refused = stage.covenant.delete_attachment(&who, me, &file.id).await;
        let stands = matches!(refused, Err(Error::Hold(HoldError::Held(_))));
        assert!(stands, "{class}: {refused:?}");
        assert_eq!(told(&stage, Action::RefusedHeld, &file.id).await?, 1);
        let read = stage.covenant.get(&who, me, &record).await?;
        assert_eq!(read.attachments.len(), 2);
        for n in [1, 2] {
            let act = HoldAct {
                by: PrincipalId::from_bytes([n; 16]),
                at: stage.clock.now(),
                actor: legal(),
            };
            stage.covenant.release_hold(me, held.id, &act).await?;
        }
        stage.covenant.delete_attachment(&who, me, &file.id).await?;
        gone(&stage, &record, &file.id).await?;
    }
    Ok(())
}

// clause: Q-25
#[tokio::test]
async fn no_backup_gives_it_back() -> Outcome {
    let (stage, record, file) = two_files("protopie", Wraps::default()).await?;
    let (who, me) = (admin(1), tenant(1));
    let snapshot = stage.covenant.back_up(me).await?;
    stage.clock.advance_to(stage.clock.now() + Duration::HOUR);
    stage.covenant.delete_attachment(&who, me, &file.id).await?;

    let copy = stage.covenant.restore_beside(me, snapshot.id).await?;
    let records = copy.records().await?;
    let shown: Vec<_> = records
        .iter()
        .flat_map(|record| &record.attachments)
        .map(|file| file.0.as_slice())
        .collect();
    assert_eq!(shown, [b"second file".as_slice()]);
    assert_eq!(files(&copy.folder().join("objects"))?.len(), 1);
    drop(copy);

    let restorer = Caller::service(ServiceKind::Restore);
    stage
        .covenant
        .restore_in_place(&restorer, me, snapshot.id)
        .await?;
    shown_nowhere(&stage, &record, &file.id).await?;
    assert_eq!(open(&stage, &file.id).await?, []);
    let swept = stage.covenant.sweep().await?;
    assert_eq!(
        (swept.failed, swept.files),
        (0, 1),
        "shown again to be gone"
    );
    assert_eq!(open(&stage, &file.id).await?, []);
    covered(&stage).await
}

// clause: Q-25
#[tokio::test]
async fn a_backup_of_a_deletion_that_was_not_finished_does_not_give_it_back() -> Outcome {
    let switch = Switch::default();
    let (stage, record, file) = two_files("protopie", broken::files(&switch)).await?;
    let (who, me) = (admin(1), tenant(1));
    switch.on();
    stage.covenant.delete_attachment(&who, me, &file.id).await?;
    let snapshot = stage.covenant.back_up(me).await?;
    switch.off();
    stage.covenant.sweep().await?;
    let swept = stage.run_for(Duration::seconds(2)).await?;
    assert_eq!(swept.failed, 0);
    assert_eq!(open(&stage, &file.id).await?, []);
    let copy = stage.covenant.restore_beside(me, snapshot.id).await?;
    assert_eq!(files(&copy.folder().join("objects"))?.len(), 1);
    shown_nowhere(&stage, &record, &file.id).await
}

#[tokio::test]
async fn a_clock_in_doubt_keeps_nothing_public() -> Outcome {
    let switch = Switch::default();
    let (stage, record, file) = two_files("protopie", broken::files(&switch)).await?;
    let (who, me) = (admin(1), tenant(1));
    switch.on();
    stage.covenant.delete_attachment(&who, me, &file.id).await?;
    switch.off();
    stage.clock.step(stage.clock.now() + Duration::days(400));
    let swept = stage.covenant.sweep().await?;
    assert!(swept.in_doubt);
    assert_eq!(swept.files, 1);
    shown_nowhere(&stage, &record, &file.id).await
}
