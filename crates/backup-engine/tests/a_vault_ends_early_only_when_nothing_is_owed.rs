//! A vault goes before its day on an order that ends all of its tenant, and stays, whatever the
//! order, while a snapshot in it must be restorable.

use backup_engine::testing::{MemorySource, a_month, at, six_months, stage};
use backup_engine::{BackupError, BackupPolicy, Backups, Domain, Keeping, LogHead, MemoryBackups};
use covenant_core::{Action, ManualClock, Period, TenantId};
use time::Duration;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HEAD: LogHead = LogHead {
    size: 4,
    root: [7; 32],
};

/// The figures of protopie: kept for a while, and owed to nobody.
fn not_owed() -> BackupPolicy {
    BackupPolicy {
        keeping: Keeping::Kept {
            after_end: Period::days(30),
            floor: Period::ZERO,
        },
        ..a_month()
    }
}

async fn one(backups: &dyn Backups, clock: &ManualClock, policy: &BackupPolicy) -> Outcome {
    let (mine, other) = (
        Domain::new(TenantId::from_bytes([1; 16]), "main")?,
        Domain::new(TenantId::from_bytes([2; 16]), "main")?,
    );
    let mut source = MemorySource::of([("db", vec![3; 5000])]);
    let kept = backups.run(&other, &mut source, HEAD).await?;
    let first = backups.run(&mine, &mut source, HEAD).await?;
    clock.advance(std::time::Duration::from_secs(3600));
    let last = backups.run(&mine, &mut source, HEAD).await?;
    assert_eq!(first.epoch, last.epoch);
    let owed_until = policy.keep_until(last.completed)?;
    assert!(owed_until <= last.destroy_at);
    if owed_until > last.completed {
        for at in [last.completed, owed_until - Duration::seconds(1)] {
            clock.advance_to(at);
            let early = backups.end(&mine, last.epoch).await;
            assert!(
                matches!(early, Err(BackupError::NotDue { destroy_at, .. }) if destroy_at == owed_until),
                "{early:?}"
            );
        }
        assert_eq!(backups.snapshots(&mine).await?.len(), 2);
        clock.advance_to(owed_until);
    } else {
        let on_its_day = backups.expire(&mine, last.epoch).await;
        assert!(matches!(on_its_day, Err(BackupError::NotDue { .. })));
    }
    assert!(backups.end(&mine, last.epoch).await?.objects > 0);
    assert_eq!(backups.end(&mine, last.epoch).await?.objects, 0);
    assert!(backups.items(&mine).await?.is_empty());
    assert_eq!(backups.snapshots(&mine).await?, []);
    assert_eq!(backups.items(&other).await?.len(), 1);
    if clock_now(clock) < kept.destroy_at {
        assert_eq!(backups.snapshots(&other).await?, [kept]);
    }
    Ok(())
}

fn clock_now(clock: &ManualClock) -> time::UtcDateTime {
    covenant_core::Clock::now(clock)
}

// clause: P-18, Q-23, R-23
#[tokio::test]
async fn engine_and_model() -> Outcome {
    for policy in [not_owed(), a_month(), six_months(Duration::hours(49))] {
        let stage = stage(policy.clone(), at("2027-02-25T03:00:00Z")?).await?;
        let model = MemoryBackups::new(policy.clone(), stage.clock.clone(), stage.random.clone());
        one(&model, &stage.clock, &policy).await?;
        stage.clock.advance_to(at("2028-02-24T03:00:00Z")?);
        one(&stage.engine, &stage.clock, &policy).await?;
        let told = stage.sink.events();
        let purged = told.iter().filter(|e| e.action == Action::BackupPurged);
        assert_eq!(purged.count(), 1, "told once, however often it is ended");
    }
    Ok(())
}
