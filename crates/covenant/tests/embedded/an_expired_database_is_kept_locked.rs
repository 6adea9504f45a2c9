//! After a subscription a database is kept, locked, its bin still purged, until somebody deletes it
//! or subscribes.

use covenant::{Error, Wraps};
use covenant_core::sealer::Purpose;
use covenant_core::{Clock as _, Owner};
use crypto_envelope::KeyState;
use time::Duration;

use crate::common::{Outcome, Stage, admin, admin_id, full, item, profile, tenant};

async fn with_records() -> Outcome<(Stage, Vec<[u8; 24]>)> {
    let stage = Stage::with(profile("protopie")?, Wraps::default()).await?;
    let (me, who) = (tenant(1), admin(1));
    stage.covenant.create_tenant(me, admin_id(1)).await?;
    let mut salts = Vec::new();
    for name in ["gone", "kept"] {
        let id = item(name)?;
        let written = stage.covenant.put(&who, me, &id, &full(name)).await?;
        if name == "gone" {
            stage.covenant.delete(&who, me, &id).await?;
            salts = [written.body, written.sensitive, written.attachments].concat();
        }
    }
    Ok((stage, salts))
}

async fn standings(stage: &Stage) -> Outcome<Vec<KeyState>> {
    let keys = stage.covenant.keys().list().await?;
    let of_content = keys.into_iter().filter(|key| {
        let purpose = matches!(key.purpose, Purpose::Data | Purpose::Sensitive);
        key.owner == Owner::Tenant(tenant(1)) && purpose
    });
    Ok(of_content.map(|key| key.key_state).collect())
}

// clause: P-52, P-56
#[tokio::test]
async fn a_paid_one_is_locked_and_its_bin_is_purged_all_the_same() -> Outcome {
    let (stage, salts) = with_records().await?;
    let (me, who) = (tenant(1), admin(1));
    stage.covenant.cancel_subscription(me).await?;
    let read = stage.covenant.list(&who, me).await;
    assert!(matches!(read, Err(Error::Denied(_))), "{read:?}");
    assert_eq!(standings(&stage).await?, [KeyState::Disabled; 2]);
    let cancelled = stage.clock.now();
    assert!(stage.live_sightings(&salts)? > 0);
    stage.run_until(cancelled + Duration::days(33)).await?;
    assert_eq!(stage.live_sightings(&salts)?, 0);
    stage.run_until(cancelled + Duration::days(60)).await?;
    stage.covenant.start_subscription(me).await?;
    assert_eq!(standings(&stage).await?, [KeyState::Enabled; 2]);
    let kept = stage.covenant.get(&who, me, &item("kept")?).await?;
    assert_eq!(kept.attachments.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_locked_one_can_be_deleted_and_goes_in_time() -> Outcome {
    let (stage, _) = with_records().await?;
    let (me, who) = (tenant(1), admin(1));
    stage.covenant.cancel_subscription(me).await?;
    stage.covenant.delete_database(&who, me).await?;
    let deleted = stage.clock.now();
    let swept = stage.run_until(deleted + Duration::days(30)).await?;
    assert_eq!((swept.databases, swept.failed), (1, 0), "{swept:?}");
    assert!(!stage.file().exists());
    Ok(())
}
