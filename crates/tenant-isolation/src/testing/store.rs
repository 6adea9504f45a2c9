//! What every store of tenants must do: each refusal with its positive control.

use std::path::Path;

use sql_store::Args;

use super::{Deployment, NOTES, SuiteError, refused, same};
use crate::level::{Maintain, Metadata, Read, Write};
use crate::{
    AccessAction, BeginError, RegistryChange, ServiceKind, StoreError, StoreIdentity, TenantStore,
};

/// Checks the store of a deployment without tenants; `scratch` is an empty folder for a copy.
///
/// # Errors
/// The first requirement that the store does not meet.
pub async fn store_suite(at: &Deployment, scratch: &Path) -> Result<(), SuiteError> {
    let identity = at.create_tenant(1, "us-chicago").await?;
    at.create_tenant(2, "us-chicago").await?;
    provisioning_again_changes_nothing(at, &identity).await?;
    two_tenants_with_equal_ids_keep_their_rows(at).await?;
    a_reader_cannot_write(at).await?;
    what_is_not_committed_is_not_there(at).await?;
    a_store_that_was_never_made_is_missing(at).await?;
    metadata_tells_sizes(at).await?;
    a_restored_copy_becomes_the_next_generation(at, scratch).await?;
    a_removed_store_is_gone(at).await?;
    let report = at.store.self_check().await?;
    same(report.findings, Vec::new(), "findings of the self-check")
}

async fn provisioning_again_changes_nothing(
    at: &Deployment,
    identity: &StoreIdentity,
) -> Result<(), SuiteError> {
    let scope = at
        .guard
        .enter::<Write>(Deployment::request(1, AccessAction::RecordWrite))
        .await?;
    at.put(&scope, 1, "kept").await?;
    at.store.provision(identity, &[NOTES]).await?;
    same(
        at.notes(&scope).await?,
        vec![(1, "kept".to_owned())],
        "rows after a second provision",
    )?;
    let raised = at.store.provision(&identity.raised(), &[NOTES]).await;
    let raised = refused(raised, "provisioning over a store of another generation")?;
    same(
        matches!(raised, StoreError::Identity { .. }),
        true,
        "Identity",
    )
}

async fn two_tenants_with_equal_ids_keep_their_rows(at: &Deployment) -> Result<(), SuiteError> {
    let write = |n| {
        at.guard
            .enter::<Write>(Deployment::request(n, AccessAction::RecordWrite))
    };
    let (first, second) = (write(1).await?, write(2).await?);
    same(
        at.notes(&second).await?,
        Vec::new(),
        "rows of a tenant that wrote none",
    )?;
    at.put(&first, 1, "of the first").await?;
    at.put(&second, 1, "of the second").await?;
    same(
        at.notes(&first).await?,
        vec![(1, "of the first".to_owned())],
        "rows of the first",
    )?;
    same(
        at.notes(&second).await?,
        vec![(1, "of the second".to_owned())],
        "rows of the second",
    )
}

async fn a_reader_cannot_write(at: &Deployment) -> Result<(), SuiteError> {
    let read = at
        .guard
        .enter::<Read>(Deployment::request(1, AccessAction::RecordRead))
        .await?;
    same(at.notes(&read).await?.len(), 1, "rows that a reader sees")?;
    let mut tx = read.begin(&at.store).await?;
    let deleted = tx
        .tx()
        .await?
        .execute("DELETE FROM note", Args::new())
        .await;
    refused(deleted, "a write in a read scope")?;
    drop(tx);
    same(
        at.notes(&read).await?.len(),
        1,
        "rows after the refused write",
    )
}

async fn what_is_not_committed_is_not_there(at: &Deployment) -> Result<(), SuiteError> {
    let write = at
        .guard
        .enter::<Write>(Deployment::request(1, AccessAction::RecordWrite))
        .await?;
    let mut tx = write.begin(&at.store).await?;
    tx.tx()
        .await?
        .execute("DELETE FROM note", Args::new())
        .await?;
    drop(tx);
    same(
        at.notes(&write).await?.len(),
        1,
        "rows after a transaction was dropped",
    )
}

async fn a_store_that_was_never_made_is_missing(at: &Deployment) -> Result<(), SuiteError> {
    let region = at.regions.region("eu-west")?;
    let change = RegistryChange::Create {
        region,
        admin: Deployment::user(3),
    };
    let billing = crate::Caller::service(ServiceKind::Billing);
    let made = at.guard.act(
        billing,
        Deployment::tenant(3),
        change,
        crate::Attached::default(),
    );
    made.await?;
    let scope = at
        .guard
        .enter::<Read>(Deployment::request(3, AccessAction::RecordRead))
        .await?;
    let missing = refused(scope.begin(&at.store).await, "a store that was never made")?;
    let is_missing = matches!(missing, BeginError::Store(StoreError::Missing { .. }));
    same(is_missing, true, "Missing")?;
    at.store.provision(&at.identity(3).await?, &[NOTES]).await?;
    same(at.notes(&scope).await?.len(), 0, "rows once it was made")
}

async fn metadata_tells_sizes(at: &Deployment) -> Result<(), SuiteError> {
    let request = Deployment::request(1, AccessAction::MetadataRead);
    let scope = at.guard.enter::<Metadata>(request).await?;
    let bytes = scope.metadata(&at.store).await?.bytes;
    same(bytes > 0, true, "a store has bytes")
}

async fn a_restored_copy_becomes_the_next_generation(
    at: &Deployment,
    scratch: &Path,
) -> Result<(), SuiteError> {
    let write = at
        .guard
        .enter::<Write>(Deployment::request(1, AccessAction::RecordWrite))
        .await?;
    let copy = scratch.join("copy.db");
    let request = Deployment::service(ServiceKind::Backup, 1, AccessAction::StoreBackup);
    let backup = at.guard.enter::<Maintain>(request).await?;
    let slot = backup.maintain(&at.store).await?;
    let mut maintenance =
        sql_store::maintenance::Maintenance::open(slot.file(), sql_store::Durability::Off).await?;
    maintenance.vacuum_into(&copy).await?;
    maintenance.close().await?;
    drop(slot);
    at.put(&write, 2, "after the copy").await?;

    let request = Deployment::service(ServiceKind::Restore, 2, AccessAction::StoreRestore);
    let other = at.guard.enter::<Maintain>(request).await?;
    let foreign = refused(
        other.replace(&at.store, &copy).await,
        "a copy of another tenant",
    )?;
    let is_identity = matches!(foreign, BeginError::Store(StoreError::Identity { .. }));
    same(is_identity, true, "Identity")?;

    let request = Deployment::service(ServiceKind::Restore, 1, AccessAction::StoreRestore);
    let restore = at.guard.enter::<Maintain>(request).await?;
    restore.replace(&at.store, &copy).await?;
    let early = refused(write.begin(&at.store).await, "a store that was not adopted")?;
    let is_identity = matches!(early, BeginError::Store(StoreError::Identity { .. }));
    same(is_identity, true, "Identity before the adoption")?;
    let service = crate::Caller::service(ServiceKind::Restore);
    let attached = crate::Attached::default();
    let tenant = Deployment::tenant(1);
    at.guard
        .act(service, tenant, RegistryChange::Repoint, attached)
        .await?;
    same(
        at.notes(&write).await?.len(),
        1,
        "rows of the restored copy",
    )
}

async fn a_removed_store_is_gone(at: &Deployment) -> Result<(), SuiteError> {
    let file = at.file(&at.identity(2).await?);
    let sweep = Deployment::service(ServiceKind::Retention, 2, AccessAction::StoreSweep);
    let sweep = at.guard.enter::<Maintain>(sweep).await?;
    refused(
        sweep.remove(&at.store).await,
        "a removal by a scope for something else",
    )?;
    same(file.exists(), true, "the file before its removal")?;
    at.act(2, RegistryChange::Delete).await?;
    let request = Deployment::service(ServiceKind::Purge, 2, AccessAction::StoreRemove);
    let purge = at.guard.enter::<Maintain>(request).await?;
    let removed = purge.remove(&at.store).await?;
    same(
        removed.contains(&file),
        true,
        "the file is in the list of what was removed",
    )?;
    same(file.exists(), false, "the file after its removal")?;
    same(
        purge.remove(&at.store).await?,
        Vec::new(),
        "what a second removal finds",
    )?;
    let first = Deployment::request(1, AccessAction::RecordRead);
    let first = at.guard.enter::<Read>(first).await?;
    same(at.notes(&first).await?.len(), 1, "rows of the other tenant")
}
