//! A tenant whose store could not be made at once gets it at the next sweep, and keeps nobody else
//! from working; a store that is another's or has another schema keeps the deployment shut.

use covenant::{StartError, Wraps};
use covenant_core::Clock as _;
use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};

use crate::common::{
    Outcome, Stage, admin, admin_id, copy_database, covered, item, plain, remove_database, tenant,
};

#[tokio::test]
async fn a_store_that_could_not_be_made_is_made_later() -> Outcome {
    let mut stage = Stage::new("immidb").await?;
    stage.covenant.create_tenant(tenant(2), admin_id(2)).await?;
    // A file lies where the tenant's folder must be.
    let folder = stage.file().parent().ok_or("no folder")?.to_path_buf();
    std::fs::write(&folder, b"in the way")?;
    assert!(
        stage
            .covenant
            .create_tenant(tenant(1), admin_id(1))
            .await
            .is_err()
    );
    std::fs::remove_file(&folder)?;
    // Its process dies with a file begun.
    std::fs::create_dir(&folder)?;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&folder, private)?;
    std::fs::write(folder.join("main.db.new"), b"begun")?;
    stage.restart(Wraps::default()).await?;
    stage
        .covenant
        .put(&admin(2), tenant(2), &item("two")?, &plain("two"))
        .await?;
    let early = stage
        .covenant
        .put(&admin(1), tenant(1), &item("one")?, &plain("one"))
        .await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(stage.covenant.sweep().await?.failed, 0);
    stage
        .covenant
        .put(&admin(1), tenant(1), &item("one")?, &plain("one"))
        .await?;
    assert!(
        stage
            .covenant
            .next_due()
            .await?
            .is_some_and(|due| due > stage.clock.now())
    );
    covered(&stage).await?;
    stage.restart(Wraps::default()).await?;
    assert_eq!(
        stage.covenant.list(&admin(1), tenant(1)).await?,
        [item("one")?]
    );
    Ok(())
}

#[tokio::test]
async fn a_file_left_over_without_such_work_is_refused() -> Outcome {
    let mut stage = Stage::new("immidb").await?;
    stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
    let left = stage.file().with_extension("db.new");
    std::fs::write(&left, b"whose?")?;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&left, private)?;
    let refused = stage.start(Wraps::default()).await?;
    assert!(
        matches!(refused, Err(StartError::NotIsolated(_))),
        "{refused:?}"
    );
    std::fs::remove_file(&left)?;
    stage.restart(Wraps::default()).await
}

#[tokio::test]
async fn another_tenants_store_is_refused() -> Outcome {
    let mut stage = Stage::new("immidb").await?;
    for number in [1, 2] {
        stage
            .covenant
            .create_tenant(tenant(number), admin_id(number))
            .await?;
    }
    stage.covenant.sweep().await?;
    let layout = stage.covenant.layout();
    let other = layout.tenant_file(stage.covenant.region(), tenant(2));
    let (file, aside) = (stage.file(), stage.folder.path().join("aside"));
    copy_database(&file, &aside)?;
    copy_database(&other, &file)?;
    let refused = stage.start(Wraps::default()).await?;
    assert!(
        matches!(refused, Err(StartError::Store { .. })),
        "{refused:?}"
    );
    // A store that is lost is not made anew.
    remove_database(&file)?;
    let refused = stage.start(Wraps::default()).await?;
    assert!(
        matches!(refused, Err(StartError::Store { .. })),
        "{refused:?}"
    );
    assert!(!file.exists());
    copy_database(&aside, &file)?;
    stage.restart(Wraps::default()).await
}

// clause: P-12, R-20
#[tokio::test]
async fn a_store_with_another_schema_is_refused() -> Outcome {
    for change in [
        "ALTER TABLE record ADD COLUMN title TEXT",
        "ALTER TABLE content DROP COLUMN sensitive",
        "CREATE TABLE note (text TEXT)",
        "DROP TRIGGER audit_touch_record_update",
    ] {
        let mut stage = Stage::new("immidb").await?;
        stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
        let options = SqliteOptions::new(stage.file(), SqliteProfile::Control).readers(1);
        let db = Db::open_sqlite(options, stage.clock.clone()).await?;
        let tag = covenant_core::TxTag {
            txn: covenant_core::TxnId::from_bytes([0; 16]),
            tenant: None,
            decision: None,
        };
        let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
        tx.execute(change, Args::new()).await?;
        tx.commit().await?;
        db.close().await;
        let refused = stage.start(Wraps::default()).await?;
        assert!(
            matches!(refused, Err(StartError::Schema(_))),
            "{change}: {refused:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_in_use_is_not_written_over() -> Outcome {
    let stage = Stage::new("immidb").await?;
    let profile = crate::common::profile("immidb")?;
    let settings =
        crate::common::settings(&stage.root(), &profile, &stage.clock, 9, Wraps::default())?;
    let refused = covenant::Covenant::create(settings).await;
    assert!(matches!(refused, Err(StartError::NotEmpty)), "{refused:?}");
    Ok(())
}
