//! Under each of the three documents a record is written, read, changed, shown, deleted, restored,
//! deleted again and purged down to its bytes; its database is deleted and purged; backups are
//! taken by schedule, give nothing back that was deleted, and die on their day; and the log accounts
//! for every row.

use audit_log::log_of;
use audit_log::store::AuditLog as _;
use backup_engine::Cadence;
use covenant::{Error, Wraps};
use covenant_core::Clock as _;
use time::Duration;

use crate::common::{
    self, Outcome, Stage, admin, admin_id, covered, files, full, item, plain, sightings, tenant,
    verified,
};

#[tokio::test]
async fn under_prodb() -> Outcome {
    whole_way("prodb").await
}

#[tokio::test]
async fn under_protopie() -> Outcome {
    whole_way("protopie").await
}

#[tokio::test]
async fn under_immidb() -> Outcome {
    whole_way("immidb").await
}

// clause: P-14, P-18, P-51, P-52, P-58, P-59, R-11, R-20, R-22, R-23
async fn whole_way(policy: &str) -> Outcome {
    let mut profile = common::profile(policy)?;
    if let Cadence::Every(_) = profile.backup.cadence {
        // The months of this test have thousands of hours.
        profile.backup.cadence = Cadence::Every(Duration::hours(36));
    }
    let stage = Stage::with(profile, Wraps::default()).await?;
    let covenant = &stage.covenant;
    let (me, who) = (tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;

    // Written, read, changed, shown.
    let (kept, gone) = (item("kept")?, item("gone")?);
    covenant.put(&who, me, &kept, &full("kept")).await?;
    let mut written = covenant.put(&who, me, &gone, &full("gone")).await?;
    let read = covenant.get(&who, me, &gone).await?;
    assert_eq!(read.body.0, b"gone");
    assert_eq!(read.attachments[0].0, b"gone, attached".repeat(100));
    assert!(read.has_sensitive);
    assert_eq!(read.shown_sensitive(), Some(crypto_envelope::MASK));
    let changed = covenant.change(&who, me, &gone, b"gone, changed").await?;
    assert_eq!(
        covenant.get(&who, me, &gone).await?.body.0,
        b"gone, changed"
    );
    assert_eq!(
        covenant.reveal(&who, me, &gone).await?.expose(),
        b"gone, sensitive"
    );
    written.body.extend(changed.body);
    let salts = [written.body, written.sensitive, written.attachments].concat();
    assert_eq!(salts.len(), 4);
    assert!(stage.live_sightings(&salts)? >= 3);

    // Backed up with the record in it.
    stage.run_for(Duration::hours(49)).await?;
    let snapshots = covenant.snapshots(me).await?;
    let with_it = snapshots.last().ok_or("no backup")?.clone();
    let early = covenant.restore_beside(me, with_it.id).await?;
    let ids: Vec<_> = early.records().await?.into_iter().map(|r| r.id).collect();
    assert_eq!(ids, [gone.clone(), kept.clone()]);
    drop(early);

    // Deleted, invisible, restored, deleted again.
    covenant.delete(&who, me, &gone).await?;
    assert!(matches!(
        covenant.get(&who, me, &gone).await,
        Err(Error::NotFound)
    ));
    assert_eq!(covenant.list(&who, me).await?, std::slice::from_ref(&kept));
    covenant.restore(&who, me, &gone).await?;
    assert_eq!(
        covenant.get(&who, me, &gone).await?.body.0,
        b"gone, changed"
    );
    covenant.delete(&who, me, &gone).await?;
    let deleted = stage.clock.now();

    // Not a byte goes before the floor, and every byte after it.
    let swept = stage
        .run_until(deleted + Duration::days(30) - Duration::SECOND)
        .await?;
    assert_eq!((swept.purged, swept.failed), (0, 0), "{swept:?}");
    assert!(stage.live_sightings(&salts)? >= 3);
    let swept = stage
        .run_until(deleted + Duration::days(30) + Duration::hours(25))
        .await?;
    assert_eq!((swept.purged, swept.failed), (1, 0), "{swept:?}");
    assert_eq!(stage.live_sightings(&salts)?, 0);
    assert!(matches!(
        covenant.restore(&who, me, &gone).await,
        Err(Error::NotFound)
    ));

    // A backup that has it does not give it back.
    let alive = covenant.snapshots(me).await?;
    if alive.iter().any(|snapshot| snapshot.id == with_it.id) {
        let restored = covenant.restore_beside(me, with_it.id).await?;
        let ids: Vec<_> = restored
            .records()
            .await?
            .into_iter()
            .map(|r| r.id)
            .collect();
        assert_eq!(ids, std::slice::from_ref(&kept));
        assert_eq!(restored.report().purged, 1);
        assert_eq!(sightings(restored.folder(), &salts)?, 0);
    } else {
        assert!(with_it.destroy_at <= stage.clock.now());
    }
    covered(&stage).await?;
    assert!(stage.covenant.log().head(log_of(me)).await?.size > 20);

    // Deleted as a whole: unreadable at once, for an open session too.
    let session = covenant.open_session(&who, me).await?;
    assert!(session.get(&kept).await.is_ok());
    covenant.delete_database(&who, me).await?;
    assert!(matches!(
        covenant.get(&who, me, &kept).await,
        Err(Error::Denied(_))
    ));
    assert!(matches!(session.get(&kept).await, Err(Error::Revoked)));
    assert!(matches!(session.list().await, Err(Error::Revoked)));
    let deleted = stage.clock.now();
    let swept = stage.run_until(deleted + Duration::days(30)).await?;
    assert_eq!((swept.databases, swept.failed), (1, 0), "{swept:?}");
    let layout = covenant.layout();
    assert_eq!(files(&layout.tenants())?, files(&layout.objects())?);
    assert_eq!(files(&layout.objects())?.len(), 0);

    // Its last backup can be restored until its day, and not from then on.
    let last = covenant
        .snapshots(me)
        .await?
        .pop()
        .ok_or("no last backup")?;
    assert!(deleted + Duration::days(28) < last.completed, "{last:?}");
    stage.run_until(last.destroy_at - Duration::SECOND).await?;
    let restored = covenant.restore_beside(me, last.id).await?;
    let records = restored.records().await?;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].attachments[0].0, b"kept, attached".repeat(100));
    drop(restored);
    let swept = stage.run_until(last.destroy_at + Duration::days(1)).await?;
    assert!(swept.epochs > 0 && swept.failed == 0, "{swept:?}");
    let refused = covenant.restore_beside(me, last.id).await;
    assert!(matches!(refused, Err(Error::Backup(_))), "{refused:?}");
    assert_eq!(files(&layout.depot())?.len(), 0, "the depot is empty again");
    verified(&stage).await?;

    // Another tenant starts where all of this ended.
    covenant.create_tenant(tenant(2), admin_id(2)).await?;
    covenant
        .put(&admin(2), tenant(2), &kept, &plain("new"))
        .await?;
    assert_eq!(covenant.list(&admin(2), tenant(2)).await?, [kept]);
    Ok(())
}
