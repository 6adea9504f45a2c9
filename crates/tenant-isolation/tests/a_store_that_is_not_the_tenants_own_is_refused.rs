//! A file swapped, put back by hand, moved, stripped of its identity or opened to others does not
//! open; put right again, it does.
#![cfg(all(feature = "sqlite", feature = "testing"))]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use covenant_core::{RegionSet, TxTag};
use sql_store::{Args, Db, Durability, Mode, SqliteOptions, SqliteProfile};
use tenant_isolation::level::{Maintain, Write};
use tenant_isolation::testing::{Backing, Deployment, SuiteError};
use tenant_isolation::{
    AccessAction, Attached, BeginError, Caller, RegistryChange, Scope, ServiceKind,
    SqliteFileStore, StoreError, TenantStore,
};

async fn write(at: &Deployment, n: u8) -> Result<Scope<Write>, SuiteError> {
    Ok(at
        .guard
        .enter::<Write>(Deployment::request(n, AccessAction::RecordWrite))
        .await?)
}

/// How the store refuses the scope: the field of the identity, or what is wrong with the file.
async fn refusal(at: &Deployment, scope: &Scope<Write>) -> Result<&'static str, SuiteError> {
    at.store.close().await?;
    match scope.begin(&at.store).await {
        Ok(_) => Ok("nothing"),
        Err(BeginError::Store(StoreError::Identity { mismatch, .. })) => Ok(mismatch.field()),
        Err(BeginError::Store(StoreError::Unsafe { what, .. })) => Ok(what),
        Err(BeginError::Store(StoreError::Missing { .. })) => Ok("missing"),
        Err(BeginError::Store(StoreError::WrongRegion { .. })) => Ok("region of the store"),
        Err(other) => Err(other.into()),
    }
}

async fn run(file: &Path, clock: &Deployment, sql: &'static str) -> Result<u64, SuiteError> {
    let options = SqliteOptions::new(file, SqliteProfile::Control).durability(Durability::Off);
    let db = Db::open_sqlite(options, Arc::clone(&clock.clock) as _).await?;
    let txn = covenant_core::TxnId::from_bytes([0; 16]);
    let tag = TxTag {
        txn,
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
    let rows = tx.execute(sql, Args::new()).await?;
    tx.commit().await?;
    db.close().await;
    Ok(rows)
}

#[tokio::test]
async fn files_of_two_tenants_swapped() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    let one = at.file(&at.create_tenant(1, "us-chicago").await?);
    let two = at.file(&at.create_tenant(2, "us-chicago").await?);
    let scope = write(&at, 1).await?;
    assert_eq!(refusal(&at, &scope).await?, "nothing");
    at.store.close().await?;
    let aside = folder.path().join("aside");
    fs::rename(&one, &aside)?;
    fs::rename(&two, &one)?;
    assert_eq!(refusal(&at, &scope).await?, "tenant");
    fs::rename(&aside, &one)?;
    assert_eq!(refusal(&at, &scope).await?, "nothing");
    Ok(())
}

#[tokio::test]
async fn an_old_generation_put_back_by_hand() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    let file = at.file(&at.create_tenant(1, "us-chicago").await?);
    let scope = write(&at, 1).await?;
    at.put(&scope, 1, "first generation").await?;
    at.store.close().await?;
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    fs::copy(&file, &old)?;
    let restore = Deployment::service(ServiceKind::Restore, 1, AccessAction::StoreRestore);
    at.guard
        .enter::<Maintain>(restore)
        .await?
        .replace(&at.store, &old)
        .await?;
    let service = Caller::service(ServiceKind::Restore);
    let change = RegistryChange::Repoint;
    at.guard
        .act(service, Deployment::tenant(1), change, Attached::default())
        .await?;
    assert_eq!(refusal(&at, &scope).await?, "nothing");
    at.store.close().await?;
    fs::copy(&file, &new)?;
    fs::copy(&old, &file)?;
    assert_eq!(refusal(&at, &scope).await?, "generation");
    fs::copy(&new, &file)?;
    assert_eq!(refusal(&at, &scope).await?, "nothing");
    Ok(())
}

#[tokio::test]
async fn a_file_moved_to_another_region() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    let file = at.file(&at.create_tenant(1, "us-chicago").await?);
    at.create_tenant(2, "eu-west").await?;
    let chicago = write(&at, 1).await?;
    at.store.close().await?;
    let moved = folder
        .path()
        .join("tenants/eu-west")
        .join(Deployment::tenant(1).simple());
    let tenants_folder = file.parent().ok_or("no parent")?;
    fs::rename(tenants_folder, &moved)?;
    assert_eq!(
        refusal(&at, &chicago).await?,
        "missing",
        "looked for only where it belongs"
    );
    assert!(!tenants_folder.exists(), "and not created by the way");
    // Whoever changes the registry as well still has a file that says where it belongs.
    let control = folder.path().join("control.db");
    run(&control, &at, "UPDATE tenant SET region = 'eu-west'").await?;
    let elsewhere = write(&at, 1).await?;
    assert_eq!(refusal(&at, &elsewhere).await?, "region");
    Ok(())
}

#[tokio::test]
async fn a_store_of_another_region_than_the_tenants() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    let identity = at.create_tenant(1, "us-chicago").await?;
    let scope = write(&at, 1).await?;
    let root = folder.path().join("elsewhere");
    fs::create_dir(&root)?;
    let regions = RegionSet::new(["eu-west"])?;
    let clock = Arc::clone(&at.clock);
    let options = Deployment::store_options();
    let store = SqliteFileStore::open(root, regions, Deployment::identity_key(), clock, options)?;
    let refused = scope.begin(&store).await;
    assert!(matches!(
        refused,
        Err(BeginError::Store(StoreError::WrongRegion { .. }))
    ));
    let refused = store.provision(&identity, &[]).await;
    assert!(matches!(refused, Err(StoreError::WrongRegion { .. })));
    scope.begin(&at.store).await?;
    Ok(())
}

#[tokio::test]
async fn an_identity_removed_or_altered() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    let file = at.file(&at.create_tenant(1, "us-chicago").await?);
    let scope = write(&at, 1).await?;
    at.store.close().await?;
    let good = folder.path().join("good");
    fs::copy(&file, &good)?;
    for (sql, field) in [
        ("DELETE FROM covenant_identity", "presence"),
        ("DROP TABLE covenant_identity", "presence"),
        ("UPDATE covenant_identity SET record = zeroblob(126)", "mac"),
        (
            "UPDATE covenant_identity SET record = substr(record, 1, 125)",
            "length",
        ),
    ] {
        run(&file, &at, sql).await?;
        assert_eq!(refusal(&at, &scope).await?, field, "{sql}");
        fs::copy(&good, &file)?;
        assert_eq!(refusal(&at, &scope).await?, "nothing", "after {sql}");
        at.store.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_link_a_missing_file_and_loose_permissions() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    let file = at.file(&at.create_tenant(1, "us-chicago").await?);
    let tenants_folder = file.parent().ok_or("no parent")?.to_owned();
    let scope = write(&at, 1).await?;
    assert_eq!(refusal(&at, &scope).await?, "nothing");
    at.store.close().await?;
    assert_eq!(at.store.self_check().await?.findings, []);
    assert_eq!(file.metadata()?.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        tenants_folder.metadata()?.permissions().mode() & 0o777,
        0o700
    );

    let open = "open to others than its owner";
    for (path, loose, tight) in [(&file, 0o640, 0o600), (&tenants_folder, 0o750, 0o700)] {
        fs::set_permissions(path, Permissions::from_mode(loose))?;
        assert_eq!(refusal(&at, &scope).await?, open);
        let findings = at.store.self_check().await?.findings;
        assert_eq!(findings.iter().map(|f| f.what).collect::<Vec<_>>(), [open]);
        fs::set_permissions(path, Permissions::from_mode(tight))?;
        assert_eq!(refusal(&at, &scope).await?, "nothing");
        at.store.close().await?;
    }

    let aside = folder.path().join("aside");
    fs::rename(&file, &aside)?;
    assert_eq!(refusal(&at, &scope).await?, "missing");
    assert!(!file.exists(), "not created by the way");
    symlink(&aside, &file)?;
    assert_eq!(refusal(&at, &scope).await?, "not a regular file");
    assert_eq!(at.store.self_check().await?.findings.len(), 1);
    fs::remove_file(&file)?;
    fs::rename(&aside, &file)?;
    assert_eq!(refusal(&at, &scope).await?, "nothing");

    at.store.close().await?;
    fs::rename(&tenants_folder, &aside)?;
    symlink(&aside, &tenants_folder)?;
    assert_eq!(refusal(&at, &scope).await?, "not a folder");
    Ok(())
}

#[tokio::test]
async fn an_interrupted_provision_is_found_and_done_again() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    let identity = at.create_tenant(1, "us-chicago").await?;
    let file = at.file(&identity);
    at.store.close().await?;
    let unfinished = file.with_file_name("main.db.new");
    fs::rename(&file, &unfinished)?;
    fs::write(file.with_file_name("main.db.new-wal"), "half")?;
    let findings = at.store.self_check().await?.findings;
    assert_eq!(
        findings.iter().map(|f| f.what).collect::<Vec<_>>(),
        ["unfinished"; 2]
    );
    let scope = write(&at, 1).await?;
    assert_eq!(refusal(&at, &scope).await?, "missing");
    at.store.provision(&identity, &[]).await?;
    assert_eq!(refusal(&at, &scope).await?, "nothing");
    assert!(!unfinished.exists());
    Ok(())
}
