//! The public suites hold for the memory depot, the local depot, the model and the engine.

use std::sync::Arc;

use backup_engine::MemoryBackups;
use backup_engine::depot::{Fsync, MemoryDepot, ObjectDepot};
use backup_engine::testing::{a_month, at, backups_suite, depot_suite, six_months, stage};
use covenant_core::{Region, RegionError, RegionSet};
use time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn region() -> Result<Region, RegionError> {
    RegionSet::new(["us-chicago"])?.region("us-chicago")
}

#[tokio::test]
async fn depots() -> Outcome {
    depot_suite(&MemoryDepot::new(region()?)).await?;
    for fsync in [Fsync::Full, Fsync::Off] {
        let folder = tempfile::tempdir()?;
        depot_suite(&ObjectDepot::local(folder.path(), region()?, fsync)?).await?;
    }
    Ok(())
}

#[tokio::test]
async fn engine_and_model() -> Outcome {
    for policy in [six_months(Duration::hours(49)), a_month()] {
        let stage = stage(policy.clone(), at("2027-02-28T03:00:00Z")?).await?;
        let folder = tempfile::tempdir()?;
        let model = MemoryBackups::new(policy, stage.clock.clone(), stage.random.clone());
        backups_suite(&model, &stage.clock, folder.path()).await?;
        stage.clock.advance_to(at("2028-02-28T03:00:00Z")?);
        let folder = tempfile::tempdir()?;
        backups_suite(&stage.engine, &stage.clock, folder.path()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_create_race_at_a_local_depot_has_one_winner() -> Outcome {
    let folder = tempfile::tempdir()?;
    let depot = Arc::new(ObjectDepot::local(folder.path(), region()?, Fsync::Off)?);
    let tries = (0_u8..8).map(|n| {
        let depot = depot.clone();
        tokio::spawn(async move {
            let body = bytes::Bytes::from(vec![n; 64]);
            backup_engine::Depot::create(depot.as_ref(), "d/00/v/20270101/vault", body).await
        })
    });
    let mut new = 0;
    for outcome in tries.collect::<Vec<_>>() {
        if outcome.await?? == backup_engine::depot::Created::New {
            new += 1;
        }
    }
    assert_eq!(new, 1);
    Ok(())
}
