//! The public suites pass on every registry and every store of this crate.
#![cfg(all(feature = "sqlite", feature = "testing"))]

use covenant_core::RegionSet;
use tenant_isolation::testing::{Backing, Deployment, SuiteError, registry_suite, store_suite};

#[tokio::test]
async fn registries() -> Result<(), SuiteError> {
    let region = RegionSet::new(["us-chicago"])?.region("us-chicago")?;
    for backing in [Backing::Memory, Backing::Sql] {
        let folder = tempfile::tempdir()?;
        let at = Deployment::create(folder.path(), backing).await?;
        registry_suite(&*at.registry, &region)
            .await
            .map_err(|e| format!("{backing:?}: {e}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn stores() -> Result<(), SuiteError> {
    for backing in [Backing::Memory, Backing::Sql] {
        let (folder, scratch) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let at = Deployment::create(folder.path(), backing).await?;
        store_suite(&at, scratch.path())
            .await
            .map_err(|e| format!("{backing:?}: {e}"))?;
    }
    Ok(())
}
