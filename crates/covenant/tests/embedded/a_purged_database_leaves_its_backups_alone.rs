//! A deleted database is backed up until its purge; the purge takes files and objects, plans the
//! roots, and leaves backups that can be restored until their day. A purge that is stopped in
//! between ends at a later sweep.

use covenant::{Progress, Wraps};
use covenant_core::note::Vkey;
use covenant_core::sealer::Purpose;
use covenant_core::statement::Statement;
use covenant_core::{Action, Clock as _, Owner};
use time::format_description::well_known::Rfc3339;
use time::{Duration, UtcDateTime};

use crate::broken::{self, Switch};
use crate::common::{Outcome, Stage, admin, admin_id, files, full, item, profile, tenant};

/// A deployment of one tenant with one record, whose database has just been deleted.
async fn deleted(policy: &str, wraps: Wraps) -> Outcome<(Stage, UtcDateTime)> {
    let stage = Stage::with(profile(policy)?, wraps).await?;
    let (me, who) = (tenant(1), admin(1));
    stage.covenant.create_tenant(me, admin_id(1)).await?;
    stage
        .covenant
        .put(&who, me, &item("one")?, &full("one"))
        .await?;
    stage.run_for(Duration::hours(30)).await?;
    stage.covenant.delete_database(&who, me).await?;
    let at = stage.clock.now();
    Ok((stage, at))
}

/// When the tenant's roots die.
async fn roots_end(stage: &Stage) -> Outcome<Vec<Option<UtcDateTime>>> {
    let keys = stage.covenant.keys().list().await?;
    let mine = keys
        .into_iter()
        .filter(|key| key.owner == Owner::Tenant(tenant(1)));
    Ok(mine
        .inspect(|key| assert!(matches!(key.purpose, Purpose::Data | Purpose::Sensitive)))
        .map(|key| key.destroy_at)
        .collect())
}

/// Files and objects are gone, the roots have their day, and the last backup opens until its own.
async fn purged(stage: &Stage) -> Outcome {
    let layout = stage.covenant.layout();
    assert_eq!(files(&layout.tenants())?.len(), 0);
    assert_eq!(files(&layout.objects())?.len(), 0);
    let ends = roots_end(stage).await?;
    assert_eq!(ends.len(), 2);
    certified(stage, &ends).await?;
    let snapshots = stage.covenant.snapshots(tenant(1)).await?;
    let last = snapshots.last().ok_or("no backup is left")?.clone();
    for end in &ends {
        assert!(
            end.is_some_and(|end| end > last.completed + Duration::days(28)),
            "{end:?}"
        );
    }
    stage.run_until(last.destroy_at - Duration::SECOND).await?;
    let restored = stage.covenant.restore_beside(tenant(1), last.id).await?;
    let bodies: Vec<_> = restored
        .records()
        .await?
        .into_iter()
        .map(|r| r.body.0)
        .collect();
    assert_eq!(bodies, [b"one"]);
    drop(restored);
    stage.run_until(last.destroy_at + Duration::days(3)).await?;
    assert!(
        stage
            .covenant
            .restore_beside(tenant(1), last.id)
            .await
            .is_err()
    );
    // Nothing of it opens any more, and nothing more is due for it.
    assert_eq!(
        stage
            .covenant
            .keys()
            .list()
            .await?
            .iter()
            .filter(alive)
            .count(),
        0
    );
    // Copies of the key store are made, and nothing else happens.
    let idle = stage.run_for(Duration::days(30)).await?;
    assert_eq!(idle, covenant::Swept::default());
    Ok(())
}

/// One certificate, which says that files and objects are gone, and when roots and backups go.
async fn certified(stage: &Stage, roots: &[Option<UtcDateTime>]) -> Outcome {
    let certificates = stage.covenant.certificates(tenant(1)).await?;
    let [certificate] = certificates.as_slice() else {
        return Err(format!("{certificates:?}").into());
    };
    assert_eq!(certificate.progress, Progress::Complete);
    let key: Vkey = stage.covenant.certificate_key().await?.parse()?;
    let statement = Statement::open(&certificate.note, &[key])?;
    assert_eq!(statement.kind(), "disposal");
    assert_eq!(statement.id(), certificate.order.to_string());
    let value = |name: &str| statement.value(name).map(str::to_owned);
    assert_eq!(value("tenant"), Some(tenant(1).to_string()));
    assert_eq!(value("items.count").as_deref(), Some("1"));
    for store in ["store.rows", "store.objects"] {
        let line = value(store).ok_or(store)?;
        assert!(line.starts_with("delete done at "), "{line}");
    }
    let keys = stage.covenant.keys().list().await?;
    let keys = keys
        .iter()
        .filter(|key| key.owner == Owner::Tenant(tenant(1)));
    for (key, end) in keys.zip(roots) {
        let line = value(&format!("key.{}", key.id)).ok_or("a key is missing")?;
        let end = end.ok_or("a root has no day")?.format(&Rfc3339)?;
        assert_eq!(line, format!("planned {end}"));
    }
    let snapshots = stage.covenant.snapshots(tenant(1)).await?;
    let last = snapshots.iter().map(|snapshot| snapshot.destroy_at).max();
    let last = last.ok_or("no backup is left")?.format(&Rfc3339)?;
    assert_eq!(value("remains.backups"), Some(last));
    Ok(())
}

fn alive(key: &&crypto_envelope::KeyRecordInfo) -> bool {
    let platform = matches!(key.owner, Owner::Platform(_));
    !platform && key.state != crypto_envelope::record::RootState::Destroyed
}

// clause: P-58, P-59
#[tokio::test]
async fn under_each_document() -> Outcome {
    for policy in ["protopie", "immidb"] {
        let (stage, at) = deleted(policy, Wraps::default()).await?;
        let before = stage.covenant.snapshots(tenant(1)).await?.len();
        let swept = stage.run_until(at + Duration::days(3)).await?;
        assert!(swept.backups >= 2, "{policy}: not backed up while deleted");
        assert!(
            stage.covenant.snapshots(tenant(1)).await?.len() > before,
            "{policy}"
        );
        assert!(stage.file().exists(), "{policy}: purged at once");
        let swept = stage.run_until(at + Duration::days(30)).await?;
        assert_eq!(
            (swept.databases, swept.failed),
            (1, 0),
            "{policy}: {swept:?}"
        );
        purged(&stage).await?;
    }
    Ok(())
}

#[tokio::test]
async fn also_when_its_last_step_was_not_recorded() -> Outcome {
    let switch = Switch::default();
    let wraps = broken::sink(&switch, Action::DatabasePurged);
    let (stage, at) = deleted("immidb", wraps).await?;
    switch.on();
    let swept = stage.run_until(at + Duration::days(29)).await?;
    assert!(swept.databases == 0 && swept.failed > 0, "{swept:?}");
    switch.off();
    let swept = stage.run_until(at + Duration::days(30)).await?;
    assert_eq!((swept.databases, swept.failed), (1, 0), "{swept:?}");
    purged(&stage).await
}

#[tokio::test]
async fn also_when_its_folder_cannot_be_removed() -> Outcome {
    let (mut stage, at) = deleted("immidb", Wraps::default()).await?;
    let stray = stage.file().with_file_name("stray");
    std::fs::write(&stray, b"in the way")?;
    let swept = stage.run_until(at + Duration::days(29)).await?;
    assert!(swept.databases == 0 && swept.failed > 0, "{swept:?}");
    assert!(!stage.file().exists(), "nothing was removed");
    let certificates = stage.covenant.certificates(tenant(1)).await?;
    let progress = certificates.iter().map(|certificate| certificate.progress);
    assert_eq!(progress.collect::<Vec<_>>(), [Progress::Pending]);
    std::fs::remove_file(&stray)?;
    stage.restart(Wraps::default()).await?;
    let swept = stage.run_until(at + Duration::days(30)).await?;
    assert_eq!((swept.databases, swept.failed), (1, 0), "{swept:?}");
    purged(&stage).await
}
