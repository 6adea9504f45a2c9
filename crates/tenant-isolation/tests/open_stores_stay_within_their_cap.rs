//! At most so many databases are open; a busy one keeps its place, an idle one is given up; and
//! maintenance has a store to itself.
#![cfg(all(feature = "sqlite", feature = "testing"))]

use std::sync::Arc;
use std::time::Duration;

use sql_store::DbError;
use tenant_isolation::level::{Maintain, Read};
use tenant_isolation::testing::{Backing, Deployment, SuiteError};
use tenant_isolation::{
    AccessAction, BeginError, ServiceKind, SqliteFileOptions, SqliteFileStore, StoreError,
};

/// The deployment's stores again, with room for two and little patience.
fn small(at: &Deployment) -> Result<SqliteFileStore, SuiteError> {
    let options = SqliteFileOptions {
        open_tenants_max: 2,
        busy_wait: Duration::from_millis(50),
        ..Deployment::store_options()
    };
    let root = at.folder.join("tenants");
    let key = Deployment::identity_key();
    let clock = Arc::clone(&at.clock);
    Ok(SqliteFileStore::open(
        root,
        at.regions.clone(),
        key,
        clock,
        options,
    )?)
}

#[tokio::test]
async fn five_tenants_share_two_places() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    let mut scopes = Vec::new();
    for n in 1..=5 {
        at.create_tenant(n, "us-chicago").await?;
        let request = Deployment::request(n, AccessAction::RecordRead);
        scopes.push(at.guard.enter::<Read>(request).await?);
    }
    at.store.close().await?;
    let store = small(&at)?;
    for _ in 0..3 {
        for scope in &scopes {
            drop(scope.begin(&store).await?);
            assert!(store.open_tenants() <= 2);
        }
    }
    let first = scopes[0].begin(&store).await?;
    let second = scopes[1].begin(&store).await?;
    let full = scopes[2].begin(&store).await;
    assert!(matches!(
        full,
        Err(BeginError::Store(StoreError::Busy { .. }))
    ));
    drop(scopes[1].begin(&store).await?);
    drop(second);
    drop(scopes[2].begin(&store).await?);
    drop(first);
    assert_eq!(store.open_tenants(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_never_exceed_the_cap() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Arc::new(Deployment::create(folder.path(), Backing::Memory).await?);
    for n in 1..=6 {
        at.create_tenant(n, "us-chicago").await?;
    }
    at.store.close().await?;
    let options = SqliteFileOptions {
        open_tenants_max: 2,
        ..Deployment::store_options()
    };
    let root = at.folder.join("tenants");
    let key = Deployment::identity_key();
    let clock = Arc::clone(&at.clock) as _;
    let store = SqliteFileStore::open(root, at.regions.clone(), key, clock, options)?;
    let mut tasks = Vec::new();
    for n in 1..=6 {
        let (at, store) = (Arc::clone(&at), store.clone());
        tasks.push(tokio::spawn(async move {
            let request = Deployment::request(n, AccessAction::RecordRead);
            let scope = at.guard.enter::<Read>(request).await?;
            for _ in 0..20 {
                let tx = scope.begin(&store).await?;
                if store.open_tenants() > 2 {
                    return Err(SuiteError::from("more than two are open"));
                }
                drop(tx);
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

#[tokio::test]
async fn maintenance_waits_for_transactions_and_keeps_new_ones_out() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    at.create_tenant(1, "us-chicago").await?;
    at.store.close().await?;
    let store = small(&at)?;
    let read = at
        .guard
        .enter::<Read>(Deployment::request(1, AccessAction::RecordRead))
        .await?;
    let sweep = Deployment::service(ServiceKind::Retention, 1, AccessAction::StoreSweep);
    let sweep = at.guard.enter::<Maintain>(sweep).await?;

    let open = read.begin(&store).await?;
    let busy = sweep.maintain(&store).await;
    assert!(matches!(
        busy,
        Err(BeginError::Store(StoreError::Busy { .. }))
    ));
    drop(open);
    let slot = sweep.maintain(&store).await?;
    let kept_out = read.begin(&store).await;
    assert!(matches!(
        kept_out,
        Err(BeginError::Store(StoreError::Database(DbError::Busy(_))))
    ));
    let second = sweep.maintain(&store).await;
    assert!(
        matches!(second, Err(BeginError::Store(StoreError::Busy { .. }))),
        "one at a time"
    );
    drop(slot);
    read.begin(&store).await?;
    Ok(())
}
