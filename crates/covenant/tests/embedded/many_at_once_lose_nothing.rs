//! Writers, drains, sweeps and a restore at the same time: every committed change is in the log, and
//! every record that is listed can be read with its files.

use audit_log::log_of;
use audit_log::store::{AuditLog as _, entries_from};
use covenant::{Covenant, Error, Wraps};
use covenant_core::{Action, TenantId};
use tenant_isolation::{Caller, ServiceKind};

use crate::common::{
    Outcome, Stage, admin, admin_id, covered, files, full, item, plain, profile, tenant,
};

/// Records that each writer writes.
const EACH: u32 = 12;

/// Writes records with files, and deletes every third one.
async fn write(covenant: Covenant, me: TenantId, who: Caller, name: &str) -> Result<u32, String> {
    let mut written = 0;
    for number in 0..EACH {
        let id = item(&format!("{name}-{number}")).map_err(|error| error.to_string())?;
        let put = covenant.put(&who, me, &id, &full(name)).await;
        put.map_err(|error| format!("{error:?}"))?;
        written += 1;
        if number % 3 == 0 {
            match covenant.delete(&who, me, &id).await {
                // A restore came in between: the record is younger than the backup.
                Ok(()) | Err(Error::NotFound) => {}
                Err(error) => return Err(format!("{error:?}")),
            }
        }
    }
    Ok(written)
}

async fn readable(stage: &Stage) -> Outcome<usize> {
    let listed = stage.covenant.list(&admin(1), tenant(1)).await?;
    for id in &listed {
        let read = stage.covenant.get(&admin(1), tenant(1), id).await?;
        assert_eq!(read.attachments.len(), 1, "{id:?}");
    }
    Ok(listed.len())
}

// clause: R-20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_reaches_the_log() -> Outcome {
    let stage = Stage::with(profile("immidb")?, Wraps::default()).await?;
    stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
    let writers: Vec<_> = ["a", "b", "c"]
        .map(|name| tokio::spawn(write(stage.covenant.clone(), tenant(1), admin(1), name)))
        .into();
    for _ in 0..20 {
        stage.covenant.sequence().await?;
        stage.covenant.sweep().await?;
    }
    for writer in writers {
        assert_eq!(writer.await??, EACH);
    }
    // The last drain is of what was marked, and nothing else.
    stage.covenant.sequence().await?;
    let entries = entries_from(stage.covenant.log().as_ref(), log_of(tenant(1)), 0).await?;
    let of = |action| {
        entries
            .iter()
            .filter(|entry| entry.leaf.action == action)
            .count()
    };
    assert_eq!(of(Action::RecordCreated), 36);
    assert_eq!(of(Action::RecordDeleted), 12);
    assert_eq!(readable(&stage).await?, 24);
    covered(&stage).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_in_place_comes_between_two_writes_and_not_into_one() -> Outcome {
    let stage = Stage::with(profile("immidb")?, Wraps::default()).await?;
    let (covenant, me) = (&stage.covenant, tenant(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    covenant
        .put(&admin(1), me, &item("kept")?, &full("kept"))
        .await?;
    let snapshot = covenant.back_up(me).await?;
    let writers: Vec<_> = ["a", "b"]
        .map(|name| tokio::spawn(write(covenant.clone(), me, admin(1), name)))
        .into();
    let service = Caller::service(ServiceKind::Restore);
    for _ in 0..3 {
        covenant.restore_in_place(&service, me, snapshot.id).await?;
        covenant.sequence().await?;
    }
    for writer in writers {
        assert_eq!(writer.await??, EACH);
    }
    let live = readable(&stage).await?;
    assert!(live >= 1);
    covered(&stage).await?;
    // No file is left that no record names, in the bin or out of it.
    let named = files(&covenant.layout().objects())?.len();
    covenant.restore_in_place(&service, me, snapshot.id).await?;
    assert!(named >= live);
    assert_eq!(files(&covenant.layout().objects())?.len(), 1);
    assert!(covenant.log().head(log_of(me)).await?.size > 0);
    Ok(())
}

#[tokio::test]
async fn more_tenants_than_are_open_at_once() -> Outcome {
    let mut stage = Stage::with(profile("immidb")?, Wraps::default()).await?;
    for number in 1..=60 {
        stage
            .covenant
            .create_tenant(tenant(number), admin_id(number))
            .await?;
        let who = admin(number);
        stage
            .covenant
            .put(&who, tenant(number), &item("one")?, &plain("one"))
            .await?;
    }
    stage.restart(Wraps::default()).await?;
    stage.covenant.sequence().await?;
    for number in 1..=60 {
        let log = stage.covenant.log().as_ref();
        let entries = entries_from(log, log_of(tenant(number)), 0).await?;
        let created = entries
            .iter()
            .filter(|entry| entry.leaf.action == Action::RecordCreated);
        assert_eq!(created.count(), 1, "tenant {number}");
    }
    covered(&stage).await
}
