//! What is held stays, whichever way it would be deleted, and goes at the next sweep once the last
//! hold has ended; a restored store has every hold that the log tells of.

use std::collections::BTreeSet;
use std::sync::Arc;

use audit_log::log_of;
use audit_log::store::entries_from;
use covenant::Error;
use covenant::hold::{HeldKeys, SqlHoldTables};
use covenant_core::event::ActorContext;
use covenant_core::sealer::Purpose;
use covenant_core::{Action, Clock as _, HoldId, ItemId, KeyId, Owner, PrincipalId};
use crypto_envelope::guard::{Cause, DestructionGuard as _, KeyKind, NoGuard, Verdict};
use retention_policy::{
    Hold, HoldAct, HoldError, HoldMode, HoldRecord, HoldScope, ItemList, Later, Release,
};
use time::{Duration, UtcDateTime};

use crate::common::{Outcome, Stage, admin, admin_id, full, item, plain, sightings, tenant};

fn hold(stage: &Stage, n: u8, scope: HoldScope, mode: HoldMode) -> Outcome<Hold> {
    Ok(Hold {
        id: HoldId::from_bytes([n; 16]),
        tenant: tenant(1),
        matter: format!("case-{n}").parse()?,
        scope,
        later: Later::Covered,
        mode,
        placed_by: person(1),
        reason: "litigation".parse()?,
        placed_at: stage.clock.now(),
    })
}

fn person(n: u8) -> PrincipalId {
    PrincipalId::from_bytes([n; 16])
}

fn act(stage: &Stage, n: u8) -> HoldAct {
    HoldAct {
        by: person(n),
        at: stage.clock.now(),
        actor: ActorContext::service("legal"),
    }
}

fn one(id: &ItemId) -> Outcome<HoldScope> {
    Ok(HoldScope::Items {
        class: "record".parse()?,
        ids: ItemList::try_from(BTreeSet::from([id.clone()]))?,
    })
}

async fn place(stage: &Stage, hold: &Hold) -> Outcome {
    let actor = ActorContext::service("legal");
    let placed = stage.covenant.place_hold(hold, actor).await?;
    assert!(placed.beyond.is_empty(), "{placed:?}");
    Ok(())
}

async fn release(stage: &Stage, n: u8) -> Outcome {
    let (covenant, id) = (&stage.covenant, HoldId::from_bytes([n; 16]));
    let asked = covenant.release_hold(tenant(1), id, &act(stage, 1)).await?;
    assert_eq!(asked, Release::Asked);
    let again = covenant.release_hold(tenant(1), id, &act(stage, 1)).await;
    assert!(
        matches!(again, Err(Error::Hold(HoldError::Refused(_)))),
        "{again:?}"
    );
    let released = covenant.release_hold(tenant(1), id, &act(stage, 2)).await?;
    assert_eq!(released, Release::Released);
    Ok(())
}

/// How often the tenant's log tells of this action.
async fn told(stage: &Stage, action: Action) -> Outcome<usize> {
    stage.covenant.sequence().await?;
    let entries = entries_from(stage.covenant.log().as_ref(), log_of(tenant(1)), 0).await?;
    let of = entries.iter().filter(|entry| entry.leaf.action == action);
    Ok(of.count())
}

// clause: P-47
#[tokio::test]
async fn the_bin_keeps_what_is_held_until_the_last_matter_ends() -> Outcome {
    let stage = Stage::new("prodb").await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    let (kept, free) = (item("kept")?, item("free")?);
    let written = covenant.put(&who, me, &kept, &full("kept")).await?;
    let salts = [written.body, written.sensitive, written.attachments].concat();
    covenant.put(&who, me, &free, &plain("free")).await?;
    let until = stage.clock.now() + Duration::days(60);
    place(&stage, &hold(&stage, 1, one(&kept)?, HoldMode::Governance)?).await?;
    let second = hold(&stage, 2, one(&kept)?, HoldMode::Compliance { until })?;
    place(&stage, &second).await?;
    covenant.delete(&who, me, &kept).await?;
    covenant.delete(&who, me, &free).await?;

    let swept = stage.run_for(Duration::days(40)).await?;
    assert_eq!((swept.purged, swept.failed), (1, 0), "the other one goes");
    assert!(stage.live_sightings(&salts)? > 0, "what is held is there");
    assert_eq!(
        told(&stage, Action::RefusedHeld).await?,
        2,
        "once each hold"
    );
    let refused = covenant.release_hold(me, second.id, &act(&stage, 1)).await;
    assert!(matches!(refused, Err(Error::Hold(_))), "{refused:?}");
    release(&stage, 1).await?;
    let swept = stage.run_for(Duration::days(15)).await?;
    assert_eq!(swept.purged, 0, "one matter is left");
    let later = until + Duration::days(5);
    covenant
        .extend_hold(me, second.id, later, &act(&stage, 1))
        .await?;
    let swept = stage.run_until(later).await?;
    assert_eq!(swept.purged, 0, "its end was moved");
    let swept = stage.run_for(Duration::days(2)).await?;
    assert_eq!((swept.purged, swept.failed), (1, 0), "the last one ended");
    assert_eq!(stage.live_sightings(&salts)?, 0);
    assert_eq!(
        told(&stage, Action::HoldPlaced).await?,
        3,
        "two, and a later end"
    );
    assert_eq!(
        told(&stage, Action::HoldReleased).await?,
        2,
        "asked, released"
    );
    Ok(())
}

// clause: P-47
#[tokio::test]
async fn a_deleted_database_is_not_purged_while_anything_in_it_is_held() -> Outcome {
    let stage = Stage::new("prodb").await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    let kept = item("kept")?;
    let written = covenant.put(&who, me, &kept, &full("kept")).await?;
    covenant.delete_database(&who, me).await?;
    // placed on a database that nobody can read any more
    place(&stage, &hold(&stage, 1, one(&kept)?, HoldMode::Governance)?).await?;
    let swept = stage.run_for(Duration::days(45)).await?;
    assert_eq!(swept.databases, 0);
    assert!(stage.live_sightings(&written.body)? > 0);
    assert_eq!(told(&stage, Action::RefusedHeld).await?, 1);
    release(&stage, 1).await?;
    let swept = stage.run_for(Duration::days(2)).await?;
    assert_eq!(swept.databases, 1, "put off, and not dropped");
    assert_eq!(stage.live_sightings(&written.body)?, 0);
    Ok(())
}

/// A folder that cannot be looked at is no folder that is gone: nobody may take its holds for released.
// clause: P-47
#[cfg(unix)]
#[tokio::test]
async fn a_store_that_cannot_be_looked_at_is_not_taken_for_one_without_holds() -> Outcome {
    let stage = Stage::new("prodb").await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    let kept = item("kept")?;
    let written = covenant.put(&who, me, &kept, &full("kept")).await?;
    let salts = [written.body, written.sensitive, written.attachments].concat();
    covenant.delete_database(&who, me).await?;
    place(&stage, &hold(&stage, 1, one(&kept)?, HoldMode::Governance)?).await?;
    let swept = stage.run_for(Duration::days(28)).await?;
    assert_eq!((swept.databases, swept.failed), (0, 0));
    let before = stage.live_sightings(&salts)?;
    let file = stage.file();
    let folder = file.parent().ok_or("a file lies in a folder")?;
    let aside = stage.folder.path().join("aside");
    std::fs::rename(folder, &aside)?;
    // a link that leads to itself: neither there nor gone
    std::os::unix::fs::symlink(folder, folder)?;
    let swept = stage.run_for(Duration::days(3)).await?;
    assert_eq!(swept.databases, 0, "{swept:?}");
    assert!(swept.failed > 0, "it was tried");
    std::fs::remove_file(folder)?;
    std::fs::rename(&aside, folder)?;
    assert_eq!(stage.live_sightings(&salts)?, before, "files and rows");
    release(&stage, 1).await?;
    let swept = stage.run_for(Duration::days(2)).await?;
    assert_eq!(swept.databases, 1, "put off, and not dropped");
    assert_eq!(stage.live_sightings(&salts)?, 0);
    Ok(())
}

fn standing(holds: &[HoldRecord], now: UtcDateTime) -> Vec<HoldId> {
    let standing = holds.iter().filter(|record| record.is_active(now));
    standing.map(|record| record.hold().id).collect()
}

// clause: P-47
#[tokio::test]
async fn holds_outlive_a_restore() -> Outcome {
    let stage = Stage::new("immidb").await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    let kept = item("kept")?;
    covenant.put(&who, me, &kept, &plain("kept")).await?;
    let released = hold(&stage, 1, one(&kept)?, HoldMode::Governance)?;
    place(&stage, &released).await?;
    stage.run_for(Duration::days(1)).await?;
    let snapshot = covenant.back_up(me).await?;
    // a long list, which the log keeps in parts, placed after the backup
    let ids: BTreeSet<ItemId> = (0..1_000).map(ItemId::from).chain([kept.clone()]).collect();
    let scope = HoldScope::Items {
        class: "record".parse()?,
        ids: ItemList::try_from(ids)?,
    };
    let long = hold(&stage, 2, scope, HoldMode::Governance)?;
    place(&stage, &long).await?;
    release(&stage, 1).await?;

    let restorer = tenant_isolation::Caller::service(tenant_isolation::ServiceKind::Restore);
    covenant
        .restore_in_place(&restorer, me, snapshot.id)
        .await?;
    let after = covenant.holds(me).await?;
    assert_eq!(standing(&after, stage.clock.now()), [long.id]);
    let record = after.iter().find(|record| record.hold().id == long.id);
    let record = record.ok_or("the hold is lost")?;
    assert_eq!(record.hold().scope, long.scope, "with all its items");
    covenant.delete(&who, me, &kept).await?;
    let swept = stage.run_for(Duration::days(40)).await?;
    assert_eq!((swept.purged, swept.failed), (0, 0));
    release(&stage, 2).await?;
    let swept = stage.run_for(Duration::days(2)).await?;
    assert_eq!(swept.purged, 1);
    assert_eq!(sightings(&stage.root().join("scratch"), &[[7; 24]])?, 0);
    Ok(())
}

// clause: P-47
#[tokio::test]
async fn backups_of_a_tenant_under_a_hold_are_kept() -> Outcome {
    let stage = Stage::new("immidb").await?;
    let (covenant, me) = (&stage.covenant, tenant(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    covenant
        .put(&admin(1), me, &item("a")?, &plain("a"))
        .await?;
    stage.run_for(Duration::days(2)).await?;
    let all = hold(&stage, 1, HoldScope::Tenant, HoldMode::Governance)?;
    place(&stage, &all).await?;
    let swept = stage.run_for(Duration::days(60)).await?;
    assert_eq!(swept.epochs, 0, "nothing of the depot goes");
    release(&stage, 1).await?;
    let swept = stage.run_for(Duration::days(2)).await?;
    assert!(swept.epochs > 0, "put off, and not dropped");
    Ok(())
}

// clause: P-47
#[tokio::test]
async fn roots_of_a_tenant_under_a_hold_stay() -> Outcome {
    let stage = Stage::new("prodb").await?;
    let (covenant, me) = (&stage.covenant, tenant(1));
    for number in [1, 2] {
        covenant
            .create_tenant(tenant(number), admin_id(number))
            .await?;
    }
    let guard = HeldKeys::new(
        Arc::new(NoGuard),
        Arc::new(SqlHoldTables),
        covenant.layout().clone(),
        covenant.region().clone(),
        stage.clock.clone(),
    );
    let person = uuid::Uuid::from_u128(7);
    let ask = async |owner: Owner| {
        let kind = KeyKind::Root(owner, Purpose::Data);
        let (key, now) = (KeyId::from_bytes([1; 16]), stage.clock.now());
        guard.may_go(key, &kind, &Cause::Plan, now).await
    };
    assert_eq!(ask(Owner::Tenant(me)).await?, Verdict::Free);
    let scope = HoldScope::Subject(ItemId::from(person));
    let held = hold(&stage, 1, scope, HoldMode::Governance)?;
    place(&stage, &held).await?;
    let refused = Verdict::Held {
        hold: held.id.as_uuid(),
    };
    assert_eq!(ask(Owner::Tenant(me)).await?, refused);
    assert_eq!(ask(Owner::Subject(me, person)).await?, refused);
    let other = uuid::Uuid::from_u128(8);
    assert_eq!(ask(Owner::Subject(me, other)).await?, Verdict::Free);
    assert_eq!(ask(Owner::Tenant(tenant(2))).await?, Verdict::Free);
    let vault = Owner::Vault(me, covenant_core::VaultId::from_bytes([3; 16]));
    assert_eq!(ask(vault).await?, Verdict::Free);
    release(&stage, 1).await?;
    assert_eq!(ask(Owner::Tenant(me)).await?, Verdict::Free);
    Ok(())
}
