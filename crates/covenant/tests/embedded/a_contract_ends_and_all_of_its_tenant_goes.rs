//! A contract ends: nobody gets in, nothing goes before, and by the promise's ceiling rows, files,
//! backups and keys of the tenant are gone, and nobody else's.

use std::collections::BTreeSet;

use audit_log::log_of;
use audit_log::store::entries_from;
use covenant::{Covenant, Error, Wraps};
use covenant_core::event::ActorContext;
use covenant_core::{Action, Clock as _, HoldId, PrincipalId};
use crypto_envelope::KeyState;
use crypto_envelope::record::KekRecord;
use retention_policy::{Hold, HoldAct, HoldMode, HoldScope, Later};
use tenant_isolation::{Caller, ServiceKind};
use time::Duration;

use crate::broken::{self, Switch};
use crate::common::{Outcome, Stage, admin, admin_id, full, item, profile, tenant};

/// The promise: so long after the end of the contract everything is gone.
const PROMISED: Duration = Duration::days(14);

fn billing() -> Caller {
    Caller::service(ServiceKind::Billing)
}

/// Two tenants with a record and some backups each, under the figures of this document.
async fn two_tenants(document: &str, wraps: Wraps) -> Outcome<(Stage, Vec<[u8; 24]>)> {
    let stage = Stage::with(profile(document)?, wraps).await?;
    let mut salts = Vec::new();
    for number in [1, 2] {
        let (me, who) = (tenant(number), admin(number));
        stage.covenant.create_tenant(me, admin_id(number)).await?;
        let id = item("kept")?;
        let written = stage.covenant.put(&who, me, &id, &full("kept")).await?;
        if number == 1 {
            salts = [written.body, written.sensitive, written.attachments].concat();
        }
    }
    stage.run_for(Duration::days(10)).await?;
    assert!(!stage.covenant.snapshots(tenant(1)).await?.is_empty());
    Ok((stage, salts))
}

/// What the tenant's log tells of.
async fn told(stage: &Stage) -> Outcome<BTreeSet<Action>> {
    stage.covenant.sequence().await?;
    let entries = entries_from(stage.covenant.log().as_ref(), log_of(tenant(1)), 0).await?;
    Ok(entries.iter().map(|entry| entry.leaf.action).collect())
}

async fn vaults(stage: &Stage, number: u8) -> Outcome<usize> {
    let domain = Covenant::domain(tenant(number))?;
    Ok(stage.covenant.backups().items(&domain).await?.len())
}

/// The KEKs that the tenant has for itself and that are not destroyed.
async fn living_keks(stage: &Stage, number: u8) -> Outcome<usize> {
    let keks = stage.covenant.keys().tenant_keks(tenant(number)).await?;
    let living = |kek: &&KekRecord| kek.key_state() != KeyState::Destroyed;
    Ok(keks.iter().filter(living).count())
}

async fn all_gone(stage: &Stage, salts: &[[u8; 24]]) -> Outcome {
    assert!(!stage.file().exists());
    assert_eq!(stage.live_sightings(salts)?, 0);
    assert_eq!(vaults(stage, 1).await?, 0);
    assert_eq!(living_keks(stage, 1).await?, 0);
    let roots = stage.covenant.keys().list().await?;
    let mut of_tenant = roots
        .iter()
        .filter(|key| key.owner.tenant() == Some(tenant(1)));
    assert!(of_tenant.all(|key| key.key_state == KeyState::Destroyed));
    let told = told(stage).await?;
    assert!(told.contains(&Action::DatabasePurged) && told.contains(&Action::BackupPurged));
    Ok(())
}

async fn neighbour_is_whole(stage: &Stage) -> Outcome {
    let kept = stage
        .covenant
        .get(&admin(2), tenant(2), &item("kept")?)
        .await?;
    assert_eq!(kept.attachments.len(), 1);
    assert!(living_keks(stage, 2).await? > 0);
    assert!(vaults(stage, 2).await? > 0);
    Ok(())
}

// clause
#[tokio::test]
async fn nothing_before_and_all_of_it_after() -> Outcome {
    let (stage, salts) = two_tenants("protopie", Wraps::default()).await?;
    let (me, who) = (tenant(1), admin(1));
    let ended = stage.clock.now();
    stage.covenant.end_contract(&billing(), me).await?;
    let read = stage.covenant.list(&who, me).await;
    assert!(matches!(read, Err(Error::Denied(_))), "{read:?}");
    assert!(stage.live_sightings(&salts)? > 0);
    let last = stage
        .covenant
        .snapshots(me)
        .await?
        .pop()
        .ok_or("a backup")?;
    let back = stage.covenant.restore_in_place(&who, me, last.id).await;
    assert!(matches!(back, Err(Error::KeysEnd)), "{back:?}");
    // ending it again moves nothing
    stage.run_until(ended + Duration::days(6)).await?;
    stage.covenant.end_contract(&who, me).await?;
    stage
        .run_until(ended + Duration::days(7) - Duration::SECOND)
        .await?;
    assert!(living_keks(&stage, 1).await? > 0, "a key waits seven days");
    let made = stage.covenant.snapshots(me).await?;
    assert!(
        made.iter().all(|made| made.completed <= ended),
        "no more backups"
    );
    let swept = stage.run_until(ended + Duration::days(8)).await?;
    assert_eq!((swept.databases, swept.failed), (1, 0), "{swept:?}");
    all_gone(&stage, &salts).await?;
    stage.run_until(ended + Duration::days(100)).await?;
    all_gone(&stage, &salts).await?;
    neighbour_is_whole(&stage).await
}

// clause: Q-23
#[tokio::test]
async fn of_a_database_that_was_deleted_and_purged_before() -> Outcome {
    let (stage, salts) = two_tenants("protopie", Wraps::default()).await?;
    let me = tenant(1);
    stage.covenant.delete_database(&admin(1), me).await?;
    stage.run_for(Duration::days(31)).await?;
    assert!(!stage.file().exists());
    assert!(vaults(&stage, 1).await? > 0 && living_keks(&stage, 1).await? > 0);
    stage.covenant.end_contract(&billing(), me).await?;
    stage.run_for(PROMISED).await?;
    all_gone(&stage, &salts).await?;
    neighbour_is_whole(&stage).await
}

// clause: Q-23
#[tokio::test]
async fn what_a_restart_interrupts_is_finished() -> Outcome {
    let (mut stage, salts) = two_tenants("protopie", Wraps::default()).await?;
    let ended = stage.clock.now();
    stage.covenant.end_contract(&admin(1), tenant(1)).await?;
    stage.run_for(Duration::days(2)).await?;
    stage.restart(Wraps::default()).await?;
    stage.run_until(ended + PROMISED).await?;
    all_gone(&stage, &salts).await
}

// clause: Q-23
#[tokio::test]
async fn what_fails_on_the_way_is_done_later_when_its_keys_are_gone_already() -> Outcome {
    for action in [Action::BackupPurged, Action::DatabasePurged] {
        let switch = Switch::default();
        let (stage, salts) = two_tenants("protopie", broken::sink(&switch, action)).await?;
        let ended = stage.clock.now();
        stage.covenant.end_contract(&billing(), tenant(1)).await?;
        switch.on();
        let swept = stage.run_until(ended + Duration::days(8)).await?;
        assert!(swept.failed > 0, "{swept:?}");
        assert_eq!(living_keks(&stage, 1).await?, 0, "keys wait for nobody");
        assert!(!told(&stage).await?.contains(&action));
        switch.off();
        stage.run_until(ended + Duration::days(9)).await?;
        all_gone(&stage, &salts).await?;
    }
    Ok(())
}

// clause: P-47, Q-23
#[tokio::test]
async fn a_hold_keeps_all_of_it_until_it_is_released() -> Outcome {
    let (stage, salts) = two_tenants("protopie", Wraps::default()).await?;
    let me = tenant(1);
    stage.covenant.end_contract(&billing(), me).await?;
    let ended = stage.clock.now();
    let hold = Hold {
        id: HoldId::from_bytes([1; 16]),
        tenant: me,
        matter: "case-1".parse()?,
        scope: HoldScope::Tenant,
        later: Later::Covered,
        mode: HoldMode::Governance,
        placed_by: PrincipalId::from_bytes([1; 16]),
        reason: "litigation".parse()?,
        placed_at: ended,
    };
    let desk = ActorContext::service("legal");
    stage.covenant.place_hold(&hold, desk.clone()).await?;
    stage.run_until(ended + Duration::days(20)).await?;
    assert!(stage.file().exists() && stage.live_sightings(&salts)? > 0);
    assert!(living_keks(&stage, 1).await? > 0);
    let roots = stage.covenant.keys().list().await?;
    let mut of_tenant = roots.iter().filter(|key| key.owner.tenant() == Some(me));
    assert!(of_tenant.all(|key| key.key_state == KeyState::Enabled));
    for by in [1, 2] {
        let act = HoldAct {
            at: stage.clock.now(),
            actor: desk.clone(),
            by: PrincipalId::from_bytes([by; 16]),
        };
        stage.covenant.release_hold(me, hold.id, &act).await?;
    }
    stage.run_for(Duration::days(2)).await?;
    all_gone(&stage, &salts).await
}

// clause: P-60, Q-23
#[tokio::test]
async fn where_nothing_is_promised_of_it_backups_keep_their_own_days() -> Outcome {
    let (stage, salts) = two_tenants("prodb", Wraps::default()).await?;
    let me = tenant(1);
    stage.covenant.end_contract(&billing(), me).await?;
    stage.run_for(Duration::days(30)).await?;
    assert!(!stage.file().exists());
    assert_eq!(stage.live_sightings(&salts)?, 0);
    assert!(!stage.covenant.snapshots(me).await?.is_empty());
    let told = told(&stage).await?;
    assert!(told.contains(&Action::ContractTerminated) && !told.contains(&Action::BackupPurged));
    // it goes as a deleted database goes, and the log says so
    assert!(told.contains(&Action::DatabaseDeleted));
    let keys = stage.covenant.keys().list().await?;
    assert!(keys.iter().all(|key| key.key_state == KeyState::Enabled));
    Ok(())
}
