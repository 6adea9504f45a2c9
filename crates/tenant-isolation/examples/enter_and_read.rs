//! Enter a tenant's store, read, and see the access end when the tenant is deleted.

use tenant_isolation::level::{Read, Write};
use tenant_isolation::testing::{Backing, Deployment, SuiteError};
use tenant_isolation::{AccessAction, RegistryChange};

#[tokio::main]
async fn main() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let service = Deployment::create(folder.path(), Backing::Sql).await?;
    service.create_tenant(1, "us-chicago").await?;
    let request = |action| Deployment::request(1, action);
    let writer = service
        .guard
        .enter::<Write>(request(AccessAction::RecordWrite))
        .await?;
    service.put(&writer, 1, "hello").await?;
    let reader = service
        .guard
        .enter::<Read>(request(AccessAction::RecordRead))
        .await?;
    assert_eq!(service.notes(&reader).await?, [(1, "hello".to_owned())]);
    service.act(1, RegistryChange::Delete).await?;
    assert!(
        reader.begin(&service.store).await.is_err(),
        "gone at the next transaction"
    );
    Ok(())
}
