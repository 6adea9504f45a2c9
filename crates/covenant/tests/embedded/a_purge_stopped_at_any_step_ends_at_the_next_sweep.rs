//! A purge that fails, or whose process dies, after any of its steps leaves bytes behind for a while
//! and nothing for ever: the next sweep ends where an undisturbed one would, with one event a record
//! and one certificate that says the same.

use audit_log::log_of;
use audit_log::store::entries_from;
use covenant::{Error, Progress, Wraps};
use covenant_core::note::Vkey;
use covenant_core::statement::Statement;
use covenant_core::{Action, Clock as _};
use time::{Duration, UtcDateTime};

use crate::broken::{self, Switch};
use crate::common::{
    Outcome, Stage, admin, admin_id, covered, files, full, item, plain, profile, tenant,
};

/// A deployment with one record in the bin, the salts of it, and when it was deleted.
async fn binned(wraps: Wraps) -> Outcome<(Stage, Vec<[u8; 24]>, UtcDateTime)> {
    let stage = Stage::with(profile("prodb")?, wraps).await?;
    stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
    let (who, gone) = (admin(1), item("gone")?);
    let written = stage
        .covenant
        .put(&who, tenant(1), &gone, &full("gone"))
        .await?;
    stage.covenant.delete(&who, tenant(1), &gone).await?;
    let salts = [written.body, written.sensitive, written.attachments].concat();
    let deleted = stage.clock.now();
    // A first backup, so that the next sweep has the purge alone to fail at.
    stage.covenant.sweep().await?;
    Ok((stage, salts, deleted))
}

/// Gone down to the bytes, told of once, and nothing planned any more but backups.
async fn gone(stage: &Stage, salts: &[[u8; 24]]) -> Outcome {
    assert_eq!(stage.live_sightings(salts)?, 0);
    assert_eq!(files(&stage.covenant.layout().objects())?.len(), 0);
    stage.covenant.sequence().await?;
    let entries = entries_from(stage.covenant.log().as_ref(), log_of(tenant(1)), 0).await?;
    let purged = entries
        .iter()
        .filter(|entry| entry.leaf.action == Action::RecordPurged);
    assert_eq!(purged.count(), 1);
    certified(stage, &["done"; 2]).await?;
    covered(stage).await
}

/// There is one certificate, and its stores are this far: objects, then rows.
async fn certified(stage: &Stage, states: &[&str; 2]) -> Outcome {
    let certificates = stage.covenant.certificates(tenant(1)).await?;
    let [certificate] = certificates.as_slice() else {
        return Err(format!("not one certificate: {certificates:?}").into());
    };
    let progress = if states == &["done"; 2] {
        Progress::Complete
    } else {
        Progress::Pending
    };
    assert_eq!(certificate.progress, progress);
    let key: Vkey = stage.covenant.certificate_key().await?.parse()?;
    let statement = Statement::open(&certificate.note, &[key])?;
    assert_eq!(statement.id(), certificate.order.to_string());
    assert_eq!(statement.value("items.count"), Some("1"));
    assert_eq!(statement.value("clause"), Some("P-52"));
    assert!(statement.value("remains.backups").is_some());
    for (store, state) in ["store.objects", "store.rows"].iter().zip(states) {
        let line = statement.value(store).ok_or(*store)?;
        let line = line.strip_prefix("delete ").ok_or(line.to_owned())?;
        assert!(line.starts_with(state), "{store}: {line}");
    }
    Ok(())
}

const FLOOR: Duration = Duration::days(31);

#[tokio::test]
async fn when_the_flush_fails() -> Outcome {
    let switch = Switch::default();
    let (stage, salts, deleted) = binned(broken::flush(&switch)).await?;
    switch.on();
    stage.clock.advance_to(deleted + FLOOR);
    let swept = stage.covenant.sweep().await?;
    assert_eq!((swept.failed, swept.purged), (1, 0), "{swept:?}");
    let failures = stage.covenant.failures();
    let [failed] = failures.as_slice() else {
        return Err(format!("not one failure: {failures:?}").into());
    };
    assert_eq!(
        (failed.kind.as_str(), failed.tenant),
        ("bin", Some(tenant(1)))
    );
    assert!(
        failed.why.starts_with("a store is not available: "),
        "{failed:?}"
    );
    assert!(
        stage.live_sightings(&salts)? > 0,
        "nothing was left to find"
    );
    // Not tried again at once, and then after a wait that doubles, until it succeeds; a deletion
    // meanwhile does not hasten it.
    assert_eq!(stage.covenant.sweep().await?.failed, 0);
    assert_eq!(stage.run_for(Duration::minutes(46)).await?.failed, 2);
    let (who, other) = (admin(1), item("other")?);
    stage
        .covenant
        .put(&who, tenant(1), &other, &plain("other"))
        .await?;
    stage.covenant.delete(&who, tenant(1), &other).await?;
    assert_eq!(stage.covenant.sweep().await?.failed, 0);
    stage.covenant.restore(&who, tenant(1), &other).await?;
    switch.off();
    assert_eq!(stage.run_for(Duration::minutes(60)).await?.failed, 0);
    gone(&stage, &salts).await
}

#[tokio::test]
async fn when_the_process_dies_after_the_rows_went() -> Outcome {
    let switch = Switch::default();
    let (mut stage, salts, deleted) = binned(broken::flush(&switch)).await?;
    switch.on();
    stage.clock.advance_to(deleted + FLOOR);
    assert_eq!(stage.covenant.sweep().await?.failed, 1);
    stage.restart(Wraps::default()).await?;
    assert!(
        stage
            .covenant
            .next_due()
            .await?
            .is_some_and(|due| due <= stage.clock.now())
    );
    assert_eq!(stage.covenant.sweep().await?.failed, 0);
    gone(&stage, &salts).await
}

#[tokio::test]
async fn when_an_object_cannot_be_deleted() -> Outcome {
    let (stage, salts, deleted) = binned(Wraps::default()).await?;
    let object = files(&stage.covenant.layout().objects())?.remove(0);
    let aside = stage.folder.path().join("aside");
    std::fs::rename(&object, &aside)?;
    std::fs::create_dir(&object)?;
    stage.clock.advance_to(deleted + FLOOR);
    assert_eq!(stage.covenant.sweep().await?.failed, 1);
    std::fs::remove_dir(&object)?;
    std::fs::rename(&aside, &object)?;
    assert_eq!(stage.run_for(Duration::minutes(15)).await?.failed, 0);
    gone(&stage, &salts).await
}

/// Whoever comes next is another process, with nothing but what the last one left.
#[tokio::test]
async fn when_the_process_dies_at_any_step() -> Outcome {
    type Fault = fn(&Switch) -> Wraps;
    let recorded: Fault = |switch| broken::sink(switch, Action::RecordPurged);
    let steps: [(&str, Fault, Option<[&str; 2]>); 4] = [
        ("record", recorded, None),
        ("rows", broken::tables, Some(["pending"; 2])),
        ("flush", broken::flush, Some(["pending"; 2])),
        ("verify", broken::lying_flush, Some(["done", "pending"])),
    ];
    for (step, fault, states) in steps {
        let switch = Switch::default();
        let (mut stage, salts, deleted) = binned(fault(&switch)).await?;
        switch.on();
        stage.clock.advance_to(deleted + FLOOR);
        assert_eq!(stage.covenant.sweep().await?.failed, 1, "{step}");
        assert!(stage.live_sightings(&salts)? > 0, "{step}");
        match states {
            None => assert_eq!(stage.covenant.certificates(tenant(1)).await?, []),
            Some(states) => {
                certified(&stage, &states).await?;
                // Nothing leads back into the bin, and no read shows it.
                let (who, id) = (admin(1), item("gone")?);
                let back = stage.covenant.restore(&who, tenant(1), &id).await;
                assert!(matches!(back, Err(Error::NotFound)), "{step}: {back:?}");
                let read = stage.covenant.get(&who, tenant(1), &id).await;
                assert!(matches!(read, Err(Error::NotFound)), "{step}: {read:?}");
            }
        }
        stage.restart(Wraps::default()).await?;
        assert_eq!(stage.covenant.sweep().await?.failed, 0, "{step}");
        gone(&stage, &salts).await?;
    }
    Ok(())
}

#[tokio::test]
async fn when_the_purge_cannot_be_recorded() -> Outcome {
    let switch = Switch::default();
    let (stage, salts, deleted) = binned(broken::sink(&switch, Action::RecordPurged)).await?;
    switch.on();
    stage.clock.advance_to(deleted + FLOOR);
    let before = stage.live_sightings(&salts)?;
    assert_eq!(stage.covenant.sweep().await?.failed, 1);
    assert_eq!(
        stage.live_sightings(&salts)?,
        before,
        "purged without an event"
    );
    switch.off();
    assert_eq!(stage.run_for(Duration::minutes(15)).await?.purged, 1);
    gone(&stage, &salts).await
}

#[tokio::test]
async fn when_two_sweep_at_once() -> Outcome {
    let (stage, salts, deleted) = binned(Wraps::default()).await?;
    stage.clock.advance_to(deleted + FLOOR);
    let (one, two) = tokio::join!(stage.covenant.sweep(), stage.covenant.sweep());
    let (one, two) = (one?, two?);
    assert_eq!((one.purged + two.purged, one.failed + two.failed), (1, 0));
    gone(&stage, &salts).await
}

/// An object that cannot be deleted is one record's trouble.
#[tokio::test]
async fn when_one_object_cannot_be_deleted_the_other_records_go() -> Outcome {
    let stage = Stage::with(profile("prodb")?, Wraps::default()).await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    let objects = covenant.layout().objects();
    let mut salts = Vec::new();
    let mut first = None;
    for name in ["stuck", "free"] {
        let id = item(name)?;
        let written = covenant.put(&who, me, &id, &full(name)).await?;
        salts = [written.body, written.sensitive, written.attachments].concat();
        first = first.or(files(&objects)?.pop());
        covenant.delete(&who, me, &id).await?;
    }
    // a folder where the object was, which no deletion of an object removes
    let stuck = first.ok_or("the first record has an object")?;
    std::fs::remove_file(&stuck)?;
    std::fs::create_dir(&stuck)?;
    std::fs::write(stuck.join("inside"), b"in the way")?;
    let swept = stage.run_for(FLOOR).await?;
    assert!(swept.failed > 0, "{swept:?}");
    assert_eq!(stage.live_sightings(&salts)?, 0, "the other one is gone");
    certified_pending(&stage).await?;
    std::fs::remove_dir_all(&stuck)?;
    let swept = stage.run_for(Duration::hours(5)).await?;
    assert_eq!(swept.failed, 0, "{swept:?}");
    assert_eq!(files(&objects)?.len(), 0);
    let certificates = covenant.certificates(me).await?;
    let done = |one: &covenant::Certificate| one.progress == Progress::Complete;
    assert!(certificates.iter().all(done), "{certificates:?}");
    Ok(())
}

/// No certificate says that all is done.
async fn certified_pending(stage: &Stage) -> Outcome {
    let certificates = stage.covenant.certificates(tenant(1)).await?;
    let pending = |one: &covenant::Certificate| one.progress == Progress::Pending;
    assert!(certificates.iter().any(pending), "{certificates:?}");
    Ok(())
}
