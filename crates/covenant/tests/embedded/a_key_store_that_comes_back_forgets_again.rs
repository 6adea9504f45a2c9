//! A key store that is put back from before a destruction, as a file or from its copies, is refused
//! until what was destroyed since has been destroyed again; then that is gone, and the rest opens.

use std::sync::Arc;

use covenant::{Covenant, Error, StartError, Wraps};
use covenant_core::event::ActorContext;
use covenant_core::sealer::Purpose;
use covenant_core::{Clock, KeyId, Owner};
use crypto_envelope::recovery::RecoveryKey;
use crypto_envelope::testing::{StoreFlaw, UnsoundStore};
use crypto_envelope::{AdminCall, KeyAdmin, PendingWindow, Role};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

use crate::common::{
    Outcome, Stage, admin, admin_id, copy_database, files, item, plain, remove_database, settings,
    tenant,
};

pub(crate) fn call(role: Role) -> AdminCall {
    AdminCall {
        actor: ActorContext::service("test"),
        role,
        reason: Uuid::from_u128(7),
    }
}

/// The version of the tenant's root for content.
pub(crate) async fn root_of(stage: &Stage, number: u8) -> Outcome<KeyId> {
    let keys = stage.covenant.keys();
    let owner = Owner::Tenant(tenant(number));
    let versions = keys.versions(owner, Purpose::Data).await?;
    Ok(versions.last().ok_or("no root")?.id)
}

/// Two tenants with a record each.
pub(crate) async fn two_tenants(stage: &Stage) -> Outcome {
    for number in [1, 2] {
        stage
            .covenant
            .create_tenant(tenant(number), admin_id(number))
            .await?;
        let (who, id) = (admin(number), item("record")?);
        stage
            .covenant
            .put(&who, tenant(number), &id, &plain("text"))
            .await?;
    }
    stage.covenant.sweep().await?;
    Ok(())
}

async fn read(covenant: &Covenant, number: u8) -> Outcome<Result<Vec<u8>, Error>> {
    let (who, id) = (admin(number), item("record")?);
    let got = covenant.get(&who, tenant(number), &id);
    Ok(got.await.map(|record| record.body.0))
}

/// The first tenant's root is destroyed by hand; says when.
async fn destroy_first(stage: &Stage) -> Outcome<(KeyId, UtcDateTime)> {
    let root = root_of(stage, 1).await?;
    let desk = stage.covenant.key_desk();
    let due = desk
        .schedule_destruction(&call(Role::SysAdmin), root, PendingWindow::SHORTEST)
        .await?;
    let swept = stage.run_until(due + Duration::hours(1)).await?;
    assert_eq!((swept.keys, swept.failed), (1, 0), "{swept:?}");
    assert!(read(&stage.covenant, 1).await?.is_err());
    Ok((root, due))
}

/// What a start says, and what one that replays does.
async fn refused_then_replayed(stage: &mut Stage, root: KeyId) -> Outcome {
    let refused = stage.start(Wraps::default()).await?;
    assert!(
        matches!(refused, Err(StartError::KeysNotReplayed)),
        "{refused:?}"
    );
    let again = stage.settings(Wraps::default())?;
    let staff = Covenant::open_replaying(again, &call(Role::Staff)).await;
    assert!(staff.is_err(), "administrators alone replay");
    let refused = stage.start(Wraps::default()).await?;
    assert!(matches!(refused, Err(StartError::KeysNotReplayed)));

    let again = stage.settings(Wraps::default())?;
    let (covenant, replayed) = Covenant::open_replaying(again, &call(Role::SysAdmin)).await?;
    let replayed = replayed.ok_or("nothing was replayed")?;
    assert!(replayed.again.contains(&root), "{replayed:?}");
    assert!(read(&covenant, 1).await?.is_err(), "gone again");
    assert_eq!(read(&covenant, 2).await??, b"text");
    stage.covenant = covenant;
    stage.covenant.sweep().await?;
    stage.restart(Wraps::default()).await?;
    assert!(read(&stage.covenant, 1).await?.is_err());
    assert_eq!(read(&stage.covenant, 2).await??, b"text");
    Ok(())
}

// clause: P-56
#[tokio::test]
async fn as_a_file() -> Outcome {
    let mut stage = Stage::new("protopie").await?;
    two_tenants(&stage).await?;
    let keys = stage.covenant.layout().keys();
    let aside = stage.folder.path().join("aside.db");
    copy_database(&keys, &aside)?;
    let (root, _) = destroy_first(&stage).await?;
    copy_database(&aside, &keys)?;
    refused_then_replayed(&mut stage, root).await
}

#[tokio::test]
async fn from_copies_older_than_the_destruction_on_a_machine_without_keys() -> Outcome {
    let mut stage = Stage::new("protopie").await?;
    let recovery = stage.covenant.take_recovery_key().ok_or("no key")?;
    assert!(stage.covenant.take_recovery_key().is_none(), "once");
    two_tenants(&stage).await?;
    let (root, due) = destroy_first(&stage).await?;

    // the key store and all key-encryption keys are lost, and the copies since the destruction
    let layout = stage.covenant.layout().clone();
    let there = Covenant::recover_keys(&stage.settings(Wraps::default())?, &recovery).await;
    assert!(matches!(there, Err(StartError::KeyStoreThere)), "{there:?}");
    remove_database(&layout.keys())?;
    std::fs::remove_dir_all(layout.keks())?;
    let mut younger = 0;
    for copy in files(&layout.copies().join("platform/keys"))? {
        let name = copy.file_name().and_then(|name| name.to_str());
        let taken = name.and_then(|name| name.split('-').nth(1));
        let taken: i64 = taken.ok_or("no instant")?.parse()?;
        if taken >= due.unix_timestamp() * 1_000_000 {
            std::fs::remove_file(copy)?;
            younger += 1;
        }
    }
    assert!(younger > 0, "the destruction was copied");

    let other = RecoveryKey::mint(&covenant_core::testing::SeededRandom::new(99))?;
    let foreign = Covenant::recover_keys(&stage.settings(Wraps::default())?, &other).await;
    assert!(
        matches!(foreign, Err(StartError::CopiesIncomplete(_))),
        "{foreign:?}"
    );
    let now = stage.clock.now();
    let written = recovery.to_text();
    let recovery = RecoveryKey::parse(written.expose())?;
    let back = Covenant::recover_keys(&stage.settings(Wraps::default())?, &recovery).await?;
    assert!(back.taken_at < due && back.taken_at > due - Duration::days(2));
    assert_eq!(back.skipped, Vec::<String>::new());
    assert_eq!(back.keks.missing, []);
    assert!(!back.keks.restored.is_empty());
    assert_eq!(stage.clock.now(), now);
    refused_then_replayed(&mut stage, root).await
}

#[tokio::test]
async fn a_clock_before_the_newest_copy_is_refused() -> Outcome {
    let stage = Stage::new("protopie").await?;
    let recovery = stage.covenant.take_recovery_key().ok_or("no key")?;
    two_tenants(&stage).await?;
    remove_database(&stage.covenant.layout().keys())?;
    let early = Arc::new(covenant_core::ManualClock::at(
        stage.clock.now() - Duration::SECOND,
    ));
    let profile = crate::common::profile("protopie")?;
    let early = settings(&stage.root(), &profile, &early, 77, Wraps::default())?;
    let refused = Covenant::recover_keys(&early, &recovery).await;
    assert!(
        matches!(refused, Err(StartError::ClockBehind)),
        "{refused:?}"
    );
    assert!(!stage.covenant.layout().keys().exists());
    Ok(())
}

/// A store that says that it is open brings the destroyed key back: the check above would see it.
#[tokio::test]
async fn a_replay_that_is_skipped_is_found() -> Outcome {
    let mut stage = Stage::new("protopie").await?;
    two_tenants(&stage).await?;
    let keys = stage.covenant.layout().keys();
    let aside = stage.folder.path().join("aside.db");
    copy_database(&keys, &aside)?;
    let (root, _) = destroy_first(&stage).await?;
    copy_database(&aside, &keys)?;
    let wraps = Wraps {
        key_store: Some(Box::new(|sound| {
            Arc::new(UnsoundStore::new(sound, StoreFlaw::GateOpen))
        })),
        ..Wraps::default()
    };
    let skipped = stage.start(wraps).await??;
    assert_eq!(read(&skipped, 1).await??, b"text", "{root} is back");
    Ok(())
}
