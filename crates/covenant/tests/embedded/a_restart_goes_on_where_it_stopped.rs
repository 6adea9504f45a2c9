//! A deployment that is started again on its folder has the same tenants, rows and plans; one of
//! which a part is missing, or is another's, does not start.

use covenant::{Error, StartError, Wraps};
use covenant_core::Clock as _;
use time::Duration;

use crate::common::{Outcome, Stage, admin, admin_id, full, item, plain, tenant};

#[tokio::test]
async fn rows_bin_and_plans_are_still_there() -> Outcome {
    let mut stage = Stage::new("prodb").await?;
    let (me, who) = (tenant(1), admin(1));
    stage.covenant.create_tenant(me, admin_id(1)).await?;
    let (kept, gone) = (item("kept")?, item("gone")?);
    stage.covenant.put(&who, me, &kept, &full("kept")).await?;
    stage.covenant.put(&who, me, &gone, &plain("gone")).await?;
    stage.covenant.delete(&who, me, &gone).await?;
    let deleted = stage.clock.now();
    stage.run_for(Duration::hours(2)).await?;
    let planned = stage.covenant.next_due().await?;
    let snapshots = stage.covenant.snapshots(me).await?;

    stage.restart(Wraps::default()).await?;
    // a start looks after the copies of keys at once
    stage.covenant.sweep().await?;
    assert_eq!(stage.covenant.next_due().await?, planned);
    assert_eq!(stage.covenant.snapshots(me).await?, snapshots);
    assert_eq!(stage.covenant.get(&who, me, &kept).await?.body.0, b"kept");
    assert_eq!(
        stage.covenant.reveal(&who, me, &kept).await?.expose(),
        b"kept, sensitive"
    );
    let binned = stage.covenant.get(&who, me, &gone).await;
    assert!(matches!(binned, Err(Error::NotFound)), "{binned:?}");
    stage.clock.advance_to(deleted + Duration::days(29));
    let swept = stage.covenant.sweep().await?;
    assert_eq!(
        (swept.purged, swept.failed, swept.in_doubt),
        (0, 0, false),
        "{swept:?}"
    );
    stage.clock.advance_to(deleted + Duration::days(31));
    assert_eq!(stage.covenant.sweep().await?.purged, 1);
    Ok(())
}

#[tokio::test]
async fn a_missing_part_is_refused() -> Outcome {
    for part in [
        "control.db",
        "audit.db",
        "keys.db",
        "keks",
        "tenants",
        "objects",
        "depot",
    ] {
        let mut stage = Stage::new("immidb").await?;
        stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
        let (path, aside) = (stage.root().join(part), stage.folder.path().join("aside"));
        std::fs::rename(&path, &aside)?;
        let refused = stage.start(Wraps::default()).await?;
        assert!(
            matches!(
                refused,
                Err(StartError::Missing(_) | StartError::Store { .. })
            ),
            "without {part}: {refused:?}"
        );
        assert!(!path.exists(), "{part} was made anew");
        std::fs::rename(&aside, &path)?;
        stage.restart(Wraps::default()).await?;
    }
    Ok(())
}
