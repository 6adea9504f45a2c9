//! P-58: from the commit of a deletion on, nobody's next transaction begins: not with a scope that
//! was minted before, not with a database that is open, not in another process.
#![cfg(all(feature = "sqlite", feature = "testing"))]

use std::time::Duration;

use sql_store::maintenance::Maintenance;
use sql_store::{Args, Durability};
use tenant_isolation::level::{Maintain, Read, Write};
use tenant_isolation::testing::{Backing, Deployment, SuiteError};
use tenant_isolation::{
    AccessAction, Attached, BeginError, Caller, CommitError, EnterError, LendError, RegistryChange,
    Role, ServiceKind, TenantState,
};

// clause: P-58
#[tokio::test]
async fn in_this_and_every_other_process() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let other = at.other_process().await?;
    let read = |at: &Deployment| {
        let guard = at.guard.clone();
        async move {
            guard
                .enter::<Read>(Deployment::request(1, AccessAction::RecordRead))
                .await
        }
    };
    let (here, there) = (read(&at).await?, read(&other).await?);
    let write = at
        .guard
        .enter::<Write>(Deployment::request(1, AccessAction::RecordWrite))
        .await?;
    at.put(&write, 1, "seen").await?;
    assert_eq!(at.notes(&here).await?.len(), 1);
    assert_eq!(
        other.notes(&there).await?.len(),
        1,
        "both have the database open"
    );

    at.act(1, RegistryChange::Delete).await?;

    assert!(matches!(
        here.begin(&at.store).await,
        Err(BeginError::Revoked)
    ));
    assert!(matches!(
        write.begin(&at.store).await,
        Err(BeginError::Revoked)
    ));
    assert!(matches!(
        there.begin(&other.store).await,
        Err(BeginError::Revoked)
    ));
    assert!(matches!(read(&at).await, Err(EnterError::Denied { .. })));
    assert!(matches!(read(&other).await, Err(EnterError::Denied { .. })));
    Ok(())
}

#[tokio::test]
async fn backups_go_on_until_the_purge_and_a_restore_brings_it_back() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let write = at
        .guard
        .enter::<Write>(Deployment::request(1, AccessAction::RecordWrite))
        .await?;
    at.put(&write, 1, "kept").await?;
    let backup = Deployment::service(ServiceKind::Backup, 1, AccessAction::StoreBackup);
    let backup = at.guard.enter::<Maintain>(backup).await?;
    let purge = Deployment::service(ServiceKind::Purge, 1, AccessAction::StoreRemove);
    assert!(
        at.guard.enter::<Maintain>(purge.clone()).await.is_err(),
        "not while it is in use"
    );

    at.act(1, RegistryChange::Delete).await?;
    assert_eq!(
        at.notes(&backup).await?.len(),
        1,
        "the same scope goes on at the new epoch"
    );
    let slot = backup.maintain(&at.store).await?;
    let copy = folder.path().join("copy.db");
    let mut maintenance = Maintenance::open(slot.file(), Durability::Off).await?;
    maintenance.vacuum_into(&copy).await?;
    maintenance.close().await?;
    drop(slot);

    at.guard
        .enter::<Maintain>(purge)
        .await?
        .remove(&at.store)
        .await?;
    let service = |kind, change| {
        at.guard.act(
            Caller::service(kind),
            Deployment::tenant(1),
            change,
            Attached::default(),
        )
    };
    let purged = service(ServiceKind::Purge, RegistryChange::Purge).await?;
    assert_eq!(purged.record.state, TenantState::Purged);
    assert!(matches!(
        backup.begin(&at.store).await,
        Err(BeginError::Revoked)
    ));

    let restore = Deployment::service(ServiceKind::Restore, 1, AccessAction::StoreRestore);
    let restore = at.guard.enter::<Maintain>(restore).await?;
    restore.replace(&at.store, &copy).await?;
    assert!(
        write.begin(&at.store).await.is_err(),
        "in place, and still nobody's"
    );
    let restored = service(ServiceKind::Restore, RegistryChange::Restore).await?;
    assert_eq!(
        (restored.record.state, restored.record.generation),
        (TenantState::Active, 2)
    );
    assert_eq!(at.notes(&write).await?, [(1, "kept".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn a_contract_ends_in_every_state_and_nobody_gets_in() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let read = Deployment::request(1, AccessAction::RecordRead);
    let here = at.guard.enter::<Read>(read.clone()).await?;
    let act = |kind, change| {
        let (caller, tenant) = (Caller::service(kind), Deployment::tenant(1));
        at.guard.act(caller, tenant, change, Attached::default())
    };
    let purging = act(ServiceKind::Retention, RegistryChange::Terminate).await;
    assert!(matches!(purging, Err(EnterError::Denied { .. })));
    for _ in 0..2 {
        let ended = act(ServiceKind::Billing, RegistryChange::Terminate).await?;
        assert_eq!(ended.record.state, TenantState::Deleted);
    }
    let begun = here.begin(&at.store).await;
    assert!(matches!(begun, Err(BeginError::Revoked)));
    let denied = at.guard.enter::<Read>(read).await;
    assert!(matches!(denied, Err(EnterError::Denied { .. })));
    act(ServiceKind::Purge, RegistryChange::Purge).await?;
    let ended = act(ServiceKind::Billing, RegistryChange::Terminate).await?;
    assert_eq!(ended.record.state, TenantState::Purged);
    Ok(())
}

#[tokio::test]
async fn an_open_transaction_ends_when_its_last_look_is_old() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    at.create_tenant(1, "us-chicago").await?;
    let write = at
        .guard
        .enter::<Write>(Deployment::request(1, AccessAction::RecordWrite))
        .await?;
    let sql = "INSERT INTO note (id, body) VALUES (1, 'late')";
    for deleted in ["no", "yes"] {
        let mut tx = write.begin(&at.store).await?;
        tx.tx().await?.execute(sql, Args::new()).await?;
        if deleted == "yes" {
            at.act(1, RegistryChange::Delete).await?;
        }
        at.clock.advance(Duration::from_secs(6));
        match deleted {
            "yes" => {
                assert!(matches!(
                    tx.tx().await,
                    Err(LendError::Scope(BeginError::Revoked))
                ));
                assert!(matches!(
                    tx.commit().await,
                    Err(CommitError::Scope(BeginError::Revoked))
                ));
            }
            _ => drop(tx.tx().await?),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_role_taken_away_ends_that_scope_and_no_other() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let user = Deployment::user(9);
    at.act(
        1,
        RegistryChange::SetMember {
            user,
            role: Some(Role::Member),
        },
    )
    .await?;
    let caller = Caller::member(Deployment::tenant(1), user, Deployment::address());
    let request = |action| {
        tenant_isolation::AccessRequest::new(caller.clone(), Deployment::tenant(1), action)
    };
    let theirs = at
        .guard
        .enter::<Write>(request(AccessAction::RecordWrite))
        .await?;
    let admins = at
        .guard
        .enter::<Write>(Deployment::request(1, AccessAction::RecordWrite))
        .await?;
    at.put(&theirs, 1, "mine").await?;

    at.act(
        1,
        RegistryChange::SetMember {
            user,
            role: Some(Role::Reader),
        },
    )
    .await?;
    assert!(matches!(
        theirs.begin(&at.store).await,
        Err(BeginError::Revoked)
    ));
    assert_eq!(at.notes(&admins).await?.len(), 1);
    let reads = at
        .guard
        .enter::<Read>(request(AccessAction::RecordRead))
        .await?;
    assert_eq!(
        at.notes(&reads).await?.len(),
        1,
        "what the new role has is allowed"
    );
    Ok(())
}

#[tokio::test]
async fn a_scope_of_a_person_ends_by_itself_and_that_of_a_service_does_not()
-> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    at.create_tenant(1, "us-chicago").await?;
    let person = at
        .guard
        .enter::<Read>(Deployment::request(1, AccessAction::RecordRead))
        .await?;
    let sweep = Deployment::service(ServiceKind::Retention, 1, AccessAction::StoreSweep);
    let sweep = at.guard.enter::<Maintain>(sweep).await?;
    at.clock.advance(Duration::from_secs(59));
    at.notes(&person).await?;
    let mut open = person.begin(&at.store).await?;
    at.clock.advance(Duration::from_secs(1));
    assert!(matches!(
        open.tx().await,
        Err(LendError::Scope(BeginError::Expired))
    ));
    assert!(matches!(
        person.begin(&at.store).await,
        Err(BeginError::Expired)
    ));
    at.notes(&sweep).await?;
    Ok(())
}
