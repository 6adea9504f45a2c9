//! A backup that fails is told in the tenant's log and tried again a quarter of an hour later; what
//! failed counts as none.

use std::sync::Arc;

use audit_log::log_of;
use audit_log::store::entries_from;
use backup_engine::testing::{FaultDepot, Faults};
use covenant::Wraps;
use covenant_core::{Action, Clock as _, Outcome as Ending};
use time::Duration;

use crate::common::{Outcome, Stage, admin, admin_id, full, item, profile, tenant};

async fn told(stage: &Stage, action: Action) -> Outcome<usize> {
    stage.covenant.sequence().await?;
    let entries = entries_from(stage.covenant.log().as_ref(), log_of(tenant(1)), 0).await?;
    let told = entries.iter().filter(|entry| entry.leaf.action == action);
    for entry in told.clone() {
        let ok = action == Action::BackupCompleted;
        assert_eq!(entry.leaf.outcome == Ending::Ok, ok, "{:?}", entry.leaf);
    }
    Ok(told.count())
}

// clause: P-15, R-22
#[tokio::test]
async fn under_each_document() -> Outcome {
    for policy in ["prodb", "protopie", "immidb"] {
        let faults = Arc::new(Faults::default());
        let depot = Arc::clone(&faults);
        let wraps = Wraps {
            depot: Some(Box::new(move |sound| {
                Arc::new(FaultDepot::new(sound, depot))
            })),
            ..Wraps::default()
        };
        let stage = Stage::with(profile(policy)?, wraps).await?;
        stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
        let (who, id) = (admin(1), item("kept")?);
        stage
            .covenant
            .put(&who, tenant(1), &id, &full("kept"))
            .await?;
        faults.take_down();
        let mut swept = covenant::Swept::default();
        // copies of the new keys may be due before the backup
        for _ in 0..2 {
            if swept.failed == 0 {
                let due = stage.covenant.next_due().await?;
                stage.clock.advance_to(due.ok_or("no backup planned")?);
                swept = stage.covenant.sweep().await?;
            }
        }
        assert_eq!((swept.backups, swept.failed), (0, 1), "{policy}: {swept:?}");
        assert_eq!(told(&stage, Action::BackupFailed).await?, 1, "{policy}");
        assert_eq!(told(&stage, Action::BackupCompleted).await?, 0, "{policy}");
        let again = stage.covenant.next_due().await?.ok_or("not tried again")?;
        assert_eq!(again, stage.clock.now() + Duration::minutes(15), "{policy}");
        // Other work goes on meanwhile.
        stage.covenant.get(&who, tenant(1), &id).await?;
        stage.clock.advance_to(again);
        assert_eq!(stage.covenant.sweep().await?.failed, 1);
        assert_eq!(told(&stage, Action::BackupFailed).await?, 2, "{policy}");

        faults.bring_up();
        let again = stage.covenant.next_due().await?.ok_or("not tried again")?;
        stage.clock.advance_to(again);
        let swept = stage.covenant.sweep().await?;
        assert_eq!((swept.backups, swept.failed), (1, 0), "{policy}: {swept:?}");
        assert_eq!(told(&stage, Action::BackupCompleted).await?, 1, "{policy}");
        let snapshots = stage.covenant.snapshots(tenant(1)).await?;
        let ids: Vec<_> = snapshots.iter().map(|snapshot| snapshot.id).collect();
        let [only] = ids.as_slice() else {
            return Err(format!("{policy}: {snapshots:?}").into());
        };
        let restored = stage.covenant.restore_beside(tenant(1), *only).await?;
        assert_eq!(restored.records().await?.len(), 1, "{policy}");
    }
    Ok(())
}
