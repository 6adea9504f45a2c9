//! A purge by hand: an administrator alone orders it, its certificate opens under the deployment's key,
//! and one that fails after its first effect is finished by the next sweep.

use audit_log::log_of;
use audit_log::store::entries_from;
use covenant::{Error, FromBin, Progress, Wraps};
use covenant_core::note::Vkey;
use covenant_core::statement::Statement;
use covenant_core::{Action, UserId};
use tenant_isolation::{Caller, Role};

use crate::broken::{self, Switch};
use crate::common::{Outcome, Stage, admin, admin_id, covered, full, item, profile, tenant};

/// A deployment with one record in the bin and one beside it, and the salts of the first.
async fn binned(wraps: Wraps) -> Outcome<(Stage, Vec<[u8; 24]>)> {
    let stage = Stage::with(profile("prodb")?, wraps).await?;
    stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
    let who = admin(1);
    let mut salts = Vec::new();
    for name in ["gone", "kept"] {
        let id = item(name)?;
        let written = stage
            .covenant
            .put(&who, tenant(1), &id, &full(name))
            .await?;
        if name == "gone" {
            stage.covenant.delete(&who, tenant(1), &id).await?;
            salts = [written.body, written.sensitive, written.attachments].concat();
        }
    }
    stage.covenant.sweep().await?;
    Ok((stage, salts))
}

// clause: P-48, P-53
#[tokio::test]
async fn nothing_is_left_and_the_certificate_says_so() -> Outcome {
    let (stage, salts) = binned(Wraps::default()).await?;
    let (who, gone) = (admin(1), item("gone")?);
    let purged = stage
        .covenant
        .purge(&who, tenant(1), FromBin::One(&gone))
        .await?;
    assert_eq!(purged.records, 1);
    assert_eq!(stage.live_sightings(&salts)?, 0);
    let key: Vkey = stage.covenant.certificate_key().await?.parse()?;
    let statement = Statement::open(&purged.certificate, &[key])?;
    assert_eq!(statement.kind(), "disposal");
    assert_eq!(statement.id(), purged.order.to_string());
    assert_eq!(statement.value("items.count"), Some("1"));
    assert!(statement.value("remains.backups").is_some());
    // neither the id of the record nor anything of its content
    assert!(!purged.certificate.contains("gone"));
    let kept = stage.covenant.get(&who, tenant(1), &item("kept")?).await?;
    assert_eq!(kept.attachments.len(), 1);
    let again = stage.covenant.purge(&who, tenant(1), FromBin::All).await;
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    covered(&stage).await
}

// clause: P-51
#[tokio::test]
async fn in_the_log_each_order_comes_before_its_purge() -> Outcome {
    let (stage, _) = binned(Wraps::default()).await?;
    let (who, me) = (admin(1), tenant(1));
    for number in 0..16 {
        let id = item(&format!("more-{number}"))?;
        stage.covenant.put(&who, me, &id, &full("more")).await?;
        stage.covenant.delete(&who, me, &id).await?;
    }
    let purged = stage.covenant.purge(&who, me, FromBin::All).await?;
    assert_eq!(purged.records, 17);
    stage.covenant.sequence().await?;
    let entries = entries_from(stage.covenant.log().as_ref(), log_of(me), 0).await?;
    let told = entries.iter().map(|entry| entry.leaf.action);
    let mut owed = 0_u64;
    for action in told {
        match action {
            Action::RecordManualPurge => owed += 1,
            Action::RecordPurged => {
                owed = owed.checked_sub(1).ok_or("a purge before its order")?;
            }
            _ => {}
        }
    }
    assert_eq!(owed, 0);
    Ok(())
}

#[tokio::test]
async fn whoever_is_no_administrator_is_denied_and_changes_nothing() -> Outcome {
    let (stage, salts) = binned(Wraps::default()).await?;
    let user = UserId::from_bytes([9; 16]);
    let role = Some(Role::Member);
    stage
        .covenant
        .set_member(&admin(1), tenant(1), user, role)
        .await?;
    let address = std::net::IpAddr::from([192, 0, 2, 9]);
    let member = Caller::member(tenant(1), user, address);
    for who in [member, admin(2)] {
        let denied = stage.covenant.purge(&who, tenant(1), FromBin::All).await;
        assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    }
    assert!(stage.live_sightings(&salts)? > 0);
    stage
        .covenant
        .restore(&admin(1), tenant(1), &item("gone")?)
        .await?;
    Ok(())
}

#[tokio::test]
async fn one_that_fails_on_the_way_is_finished_by_the_next_sweep() -> Outcome {
    let switch = Switch::default();
    let (stage, salts) = binned(broken::flush(&switch)).await?;
    switch.on();
    let failed = stage
        .covenant
        .purge(&admin(1), tenant(1), FromBin::All)
        .await;
    assert!(failed.is_err());
    assert!(
        stage.live_sightings(&salts)? > 0,
        "nothing was left to find"
    );
    let begun = stage.covenant.certificates(tenant(1)).await?;
    let progress: Vec<_> = begun.iter().map(|begun| begun.progress).collect();
    assert_eq!(progress, [Progress::Pending]);
    switch.off();
    stage.covenant.sweep().await?;
    assert_eq!(stage.live_sightings(&salts)?, 0);
    let ended = stage.covenant.certificates(tenant(1)).await?;
    let [ended] = ended.as_slice() else {
        return Err(format!("not one certificate: {ended:?}").into());
    };
    assert_eq!(ended.progress, Progress::Complete);
    // of the order that the log tells of, as if it had not been stopped
    assert_eq!(begun.first().map(|begun| begun.order), Some(ended.order));
    let key: Vkey = stage.covenant.certificate_key().await?.parse()?;
    let statement = Statement::open(&ended.note, &[key])?;
    assert_eq!(statement.id(), ended.order.to_string());
    assert_eq!(statement.value("items.count"), Some("1"));
    covered(&stage).await
}
