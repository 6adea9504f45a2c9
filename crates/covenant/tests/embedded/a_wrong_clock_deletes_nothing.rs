//! While the clock is in doubt nothing is deleted and backups go on; once it is right again, or a
//! person has confirmed it, work goes on where it should.

use audit_log::operator_log;
use audit_log::store::entries_from;
use covenant::{Swept, Wraps};
use covenant_core::{Action, Clock as _};
use time::{Duration, UtcDateTime};

use crate::common::{Outcome, Stage, admin, admin_id, full, item, tenant};

/// A deployment with one record in the bin, the salts of it, and when it was deleted.
async fn binned(policy: &str) -> Outcome<(Stage, Vec<[u8; 24]>, UtcDateTime)> {
    let stage = Stage::new(policy).await?;
    stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
    let (who, gone) = (admin(1), item("gone")?);
    let written = stage
        .covenant
        .put(&who, tenant(1), &gone, &full("gone"))
        .await?;
    stage.covenant.delete(&who, tenant(1), &gone).await?;
    let salts = [written.body, written.sensitive, written.attachments].concat();
    stage.covenant.sweep().await?;
    let deleted = stage.clock.now();
    Ok((stage, salts, deleted))
}

/// How often the operator was told that the clock is in doubt.
async fn told(stage: &Stage) -> Outcome<usize> {
    stage.covenant.sequence().await?;
    let entries = entries_from(stage.covenant.log().as_ref(), operator_log(), 0).await?;
    let told = entries
        .iter()
        .filter(|entry| entry.leaf.action == Action::ClockStepped);
    Ok(told.count())
}

async fn sweep(stage: &Stage) -> Outcome<Swept> {
    Ok(stage.covenant.sweep().await?)
}

// clause: P-51
#[tokio::test]
async fn a_jump_of_400_days_deletes_nothing_and_a_jump_back_goes_on() -> Outcome {
    let (stage, salts, deleted) = binned("prodb").await?;
    stage.clock.step(deleted + Duration::days(400));
    let swept = sweep(&stage).await?;
    assert!(swept.in_doubt && swept.failed == 0, "{swept:?}");
    assert_eq!(
        (swept.purged, swept.epochs, swept.keys),
        (0, 0, 0),
        "{swept:?}"
    );
    assert_eq!(swept.backups, 1, "backups go on");
    assert!(stage.live_sightings(&salts)? > 0);
    // What waits does not keep the sweep busy, and backups stay in their rhythm.
    let next = stage.covenant.next_due().await?.ok_or("nothing planned")?;
    assert!(next > stage.clock.now(), "{next}");
    let swept = stage.run_for(Duration::hours(3)).await?;
    assert!(swept.in_doubt && swept.backups == 3, "{swept:?}");
    assert_eq!(
        (swept.purged, swept.epochs, swept.keys),
        (0, 0, 0),
        "{swept:?}"
    );

    // Told of once, however many sweeps there were.
    assert_eq!(told(&stage).await?, 1);

    // Right again: backups are not postponed by what was planned in the wrong year.
    stage.clock.step(deleted + Duration::hours(3));
    assert_eq!(stage.covenant.next_due().await?, Some(stage.clock.now()));
    let swept = stage.run_for(Duration::hours(4)).await?;
    assert!(!swept.in_doubt && swept.backups >= 4, "{swept:?}");
    stage
        .covenant
        .restore(&admin(1), tenant(1), &item("gone")?)
        .await?;
    stage
        .covenant
        .delete(&admin(1), tenant(1), &item("gone")?)
        .await?;
    stage
        .clock
        .advance(std::time::Duration::from_secs(31 * 86_400));
    assert_eq!(sweep(&stage).await?.purged, 1);
    assert_eq!(stage.live_sightings(&salts)?, 0);
    Ok(())
}

#[tokio::test]
async fn a_person_can_confirm_the_clock() -> Outcome {
    let (stage, salts, deleted) = binned("immidb").await?;
    stage.clock.step(deleted + Duration::days(40));
    assert!(sweep(&stage).await?.in_doubt);
    stage.covenant.confirm_clock().await?;
    let swept = sweep(&stage).await?;
    assert_eq!((swept.in_doubt, swept.purged), (false, 1), "{swept:?}");
    assert_eq!(stage.live_sightings(&salts)?, 0);
    Ok(())
}

/// Starts the deployment again at this instant.
async fn standstill(until: Duration) -> Outcome<(Stage, Vec<[u8; 24]>)> {
    let (mut stage, salts, deleted) = binned("immidb").await?;
    stage.clock.step(deleted + until);
    stage.restart(Wraps::default()).await?;
    Ok((stage, salts))
}

#[tokio::test]
async fn after_a_standstill_of_thirty_days_the_clock_is_believed() -> Outcome {
    let (stage, _) = standstill(Duration::days(30)).await?;
    assert!(!sweep(&stage).await?.in_doubt);
    Ok(())
}

// clause: P-51
#[tokio::test]
async fn after_a_longer_one_a_person_must_confirm_it() -> Outcome {
    let (mut stage, salts) = standstill(Duration::days(30) + Duration::SECOND).await?;
    let swept = sweep(&stage).await?;
    assert_eq!((swept.in_doubt, swept.purged), (true, 0), "{swept:?}");
    // Neither time nor another start makes it more plausible.
    let swept = stage.run_for(Duration::days(2)).await?;
    assert_eq!((swept.in_doubt, swept.purged), (true, 0), "{swept:?}");
    assert_eq!(swept.backups, 2, "backups go on");
    stage.restart(Wraps::default()).await?;
    assert!(sweep(&stage).await?.in_doubt);
    assert!(stage.live_sightings(&salts)? > 0);
    stage.covenant.confirm_clock().await?;
    assert_eq!(sweep(&stage).await?.purged, 1);
    // What was confirmed is kept.
    stage.restart(Wraps::default()).await?;
    assert!(!sweep(&stage).await?.in_doubt);
    Ok(())
}

#[tokio::test]
async fn a_start_before_what_was_accepted_is_doubted() -> Outcome {
    let (stage, _) = standstill(-Duration::hours(1)).await?;
    let swept = sweep(&stage).await?;
    assert!(swept.in_doubt, "{swept:?}");
    stage.clock.advance(std::time::Duration::from_secs(3_600));
    assert!(!sweep(&stage).await?.in_doubt);
    Ok(())
}
