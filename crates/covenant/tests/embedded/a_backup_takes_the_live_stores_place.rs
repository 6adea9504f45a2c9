//! Restoring in place: rows and files of a backup under the same id and a higher generation, with
//! what was deleted since deleted, nothing of what was written since, and every row accounted for.

use audit_log::log_of;
use audit_log::store::entries_from;
use covenant::{Error, Wraps};
use covenant_core::{Action, Clock as _, SnapshotId};
use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};
use tenant_isolation::{Caller, ServiceKind};
use time::Duration;

use crate::broken::{self, Switch};
use crate::common::{
    Outcome, Stage, admin, admin_id, covered, files, full, item, plain, profile, tenant,
};

fn service() -> Caller {
    Caller::service(ServiceKind::Restore)
}

/// Three records in a backup; since then one was deleted, one changed, one written.
async fn lived(wraps: Wraps) -> Outcome<(Stage, SnapshotId)> {
    let stage = Stage::with(profile("immidb")?, wraps).await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    for name in ["changed", "deleted", "kept"] {
        covenant.put(&who, me, &item(name)?, &full(name)).await?;
    }
    let snapshot = covenant.back_up(me).await?;
    stage.clock.advance(std::time::Duration::from_secs(60));
    covenant
        .change(&who, me, &item("changed")?, b"changed since")
        .await?;
    covenant.delete(&who, me, &item("deleted")?).await?;
    covenant
        .put(&who, me, &item("later")?, &full("later"))
        .await?;
    Ok((stage, snapshot.id))
}

/// What the tenant holds after its backup was put in place.
async fn as_backed_up(stage: &Stage) -> Outcome {
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    assert_eq!(
        covenant.list(&who, me).await?,
        [item("changed")?, item("kept")?]
    );
    for name in ["changed", "kept"] {
        let read = covenant.get(&who, me, &item(name)?).await?;
        assert_eq!(read.body.0, name.as_bytes());
        let attached: Vec<Vec<u8>> = read.attachments.into_iter().map(|file| file.0).collect();
        assert_eq!(attached, full(name).attachments);
        let shown = covenant.reveal(&who, me, &item(name)?).await?;
        assert_eq!(shown.expose(), format!("{name}, sensitive").as_bytes());
    }
    // The file of what was written since is gone with it.
    assert_eq!(files(&covenant.layout().objects())?.len(), 3);
    covered(stage).await
}

async fn told(stage: &Stage) -> Outcome<usize> {
    stage.covenant.sequence().await?;
    let entries = entries_from(stage.covenant.log().as_ref(), log_of(tenant(1)), 0).await?;
    let told = entries
        .iter()
        .filter(|entry| entry.leaf.action == Action::RestoreCompleted);
    Ok(told.count())
}

#[tokio::test]
async fn of_a_database_in_use() -> Outcome {
    let (stage, snapshot) = lived(Wraps::default()).await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    let session = covenant.open_session(&who, me).await?;
    let file = files(&covenant.layout().objects())?.remove(0);
    std::fs::remove_file(&file)?;
    let report = covenant.restore_in_place(&service(), me, snapshot).await?;
    assert_eq!((report.binned, report.purged), (1, 0));
    as_backed_up(&stage).await?;
    assert!(file.exists() || files(&covenant.layout().objects())?.len() == 3);
    assert_eq!(told(&stage).await?, 1);
    // A session that was open reads the restored store.
    assert_eq!(session.get(&item("changed")?).await?.body.0, b"changed");
    // It lives on: written, deleted, the bin emptied on its day, backed up.
    covenant.put(&who, me, &item("new")?, &plain("new")).await?;
    covenant.restore(&who, me, &item("deleted")?).await?;
    assert_eq!(
        covenant.get(&who, me, &item("deleted")?).await?.body.0,
        b"deleted"
    );
    covenant.delete(&who, me, &item("deleted")?).await?;
    let swept = stage.run_for(Duration::days(32)).await?;
    assert_eq!((swept.purged, swept.failed), (1, 0), "{swept:?}");
    assert!(swept.backups >= 31, "{swept:?}");
    covered(&stage).await
}

#[tokio::test]
async fn of_a_deleted_one_which_it_brings_back() -> Outcome {
    let (mut stage, snapshot) = lived(Wraps::default()).await?;
    let (me, who) = (tenant(1), admin(1));
    stage.covenant.delete_database(&who, me).await?;
    stage.run_for(Duration::days(10)).await?;
    stage.covenant.restore_in_place(&who, me, snapshot).await?;
    as_backed_up(&stage).await?;
    // The purge that was planned finds it in use.
    let swept = stage.run_for(Duration::days(40)).await?;
    assert_eq!(
        (swept.databases, swept.failed, swept.purged),
        (0, 0, 1),
        "{swept:?}"
    );
    stage.restart(Wraps::default()).await?;
    assert_eq!(stage.covenant.list(&who, me).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn not_of_a_purged_one_whose_keys_end() -> Outcome {
    let (stage, snapshot) = lived(Wraps::default()).await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.delete_database(&who, me).await?;
    assert_eq!(stage.run_for(Duration::days(30)).await?.databases, 1);
    for caller in [&who, &service()] {
        let refused = covenant.restore_in_place(caller, me, snapshot).await;
        assert!(matches!(refused, Err(Error::KeysEnd)), "{refused:?}");
    }
    let beside = covenant.restore_beside(me, snapshot).await?;
    assert_eq!(beside.records().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn by_nobody_who_may_not_order_it() -> Outcome {
    let (stage, snapshot) = lived(Wraps::default()).await?;
    let (covenant, me) = (&stage.covenant, tenant(1));
    covenant.create_tenant(tenant(2), admin_id(2)).await?;
    let before = std::fs::read(stage.file())?;
    let backup = Caller::service(ServiceKind::Backup);
    for caller in [&admin(1), &admin(2), &backup] {
        let refused = covenant.restore_in_place(caller, me, snapshot).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    }
    assert_eq!(std::fs::read(stage.file())?, before);
    assert_eq!(told(&stage).await?, 0);
    covenant.restore_in_place(&service(), me, snapshot).await?;
    as_backed_up(&stage).await
}

/// Stopped after the file was replaced and before the registry adopted it: nobody can use either,
/// until the next sweep has finished the restore.
#[tokio::test]
async fn also_when_it_was_interrupted() -> Outcome {
    let switch = Switch::default();
    let (mut stage, snapshot) = lived(broken::sink(&switch, Action::RestoreCompleted)).await?;
    let (me, who) = (tenant(1), admin(1));
    switch.on();
    let stopped = stage
        .covenant
        .restore_in_place(&service(), me, snapshot)
        .await;
    assert!(matches!(stopped, Err(Error::NotAudited(_))), "{stopped:?}");
    assert!(stage.covenant.get(&who, me, &item("kept")?).await.is_err());
    stage.restart(Wraps::default()).await?;
    assert!(stage.covenant.get(&who, me, &item("kept")?).await.is_err());
    assert!(
        stage
            .covenant
            .next_due()
            .await?
            .is_some_and(|due| due <= stage.clock.now())
    );
    let swept = stage.covenant.sweep().await?;
    assert_eq!(swept.failed, 0, "{swept:?}");
    as_backed_up(&stage).await?;
    assert_eq!(told(&stage).await?, 1);
    Ok(())
}

/// Stopped after the adoption: what was written since then is not lost by restoring once more.
#[tokio::test]
async fn once_and_not_twice() -> Outcome {
    let (mut stage, snapshot) = lived(Wraps::default()).await?;
    let (me, who) = (tenant(1), admin(1));
    stage
        .covenant
        .restore_in_place(&service(), me, snapshot)
        .await?;
    stage
        .covenant
        .put(&who, me, &item("new")?, &plain("new"))
        .await?;
    let mut key = snapshot.as_bytes().to_vec();
    key.extend(2_u64.to_be_bytes());
    let options = SqliteOptions::new(stage.covenant.layout().control(), SqliteProfile::Control);
    let control = Db::open_sqlite(options, stage.clock.clone()).await?;
    let tag = covenant_core::TxTag {
        txn: covenant_core::TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = control.begin_with(Mode::ReadWrite, tag).await?;
    let row = sql_store::due::Due {
        due_at: stage.clock.now(),
        kind: "restore".to_owned(),
        tenant: me,
        key,
    };
    sql_store::due::put(&mut tx, &row).await?;
    tx.commit().await?;
    stage.restart(Wraps::default()).await?;
    assert_eq!(stage.covenant.sweep().await?.failed, 0);
    assert_eq!(stage.covenant.list(&who, me).await?.len(), 3);
    let mut tx = control.begin_with(Mode::ReadOnly, tag).await?;
    let left = tx.row(
        "SELECT COUNT(*) AS n FROM due WHERE kind = 'restore'",
        Args::new(),
    );
    assert_eq!(left.await?.ok_or("no row")?.int("n")?, 0);
    Ok(())
}
