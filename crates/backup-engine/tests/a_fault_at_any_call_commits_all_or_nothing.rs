//! One error at each call of the depot, during a backup and during an expiry: nothing is committed,
//! or all of it, and the next run succeeds.

use backup_engine::testing::{MemorySource, at, six_months, stage};
use backup_engine::{Backups as _, Depot as _, Domain, LogHead};
use covenant_core::TenantId;
use time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const HEAD: LogHead = LogHead {
    size: 0,
    root: [0; 32],
};

#[tokio::test]
async fn a_backup_that_fails_leaves_no_snapshot() -> Outcome {
    let mut failed = 0;
    for call in 1..40 {
        let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T03:00:00Z")?).await?;
        let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
        let mut source = MemorySource::of([("main.db", vec![3; 100_000])]);
        stage.faults.fail_call(call);
        let outcome = stage.engine.run(&domain, &mut source, HEAD).await;
        stage.faults.fail_call(0);
        let listed = stage.engine.snapshots(&domain).await?.len();
        match outcome {
            Ok(_) => assert_eq!(listed, 1),
            Err(_) => {
                failed += 1;
                assert_eq!(listed, 0, "call {call} failed, yet something is committed");
                stage.engine.run(&domain, &mut source, HEAD).await?;
                assert_eq!(stage.engine.snapshots(&domain).await?.len(), 1);
            }
        }
        let report = stage.engine.check(&domain).await?;
        assert_eq!((report.good.len(), report.corrupt.len()), (1, 0));
    }
    assert!(failed >= 5, "only {failed} calls mattered");
    Ok(())
}

#[tokio::test]
async fn an_expiry_that_fails_is_finished_by_the_next() -> Outcome {
    for call in 1..12 {
        let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T03:00:00Z")?).await?;
        let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
        let mut source = MemorySource::of([("main.db", vec![3; 100_000])]);
        let snapshot = stage.engine.run(&domain, &mut source, HEAD).await?;
        stage.clock.advance_to(snapshot.destroy_at);
        stage.faults.fail_call(call);
        let first = stage.engine.expire(&domain, snapshot.epoch).await;
        stage.faults.fail_call(0);
        if first.is_err() {
            stage.engine.expire(&domain, snapshot.epoch).await?;
        }
        assert_eq!(stage.depot.list("d/").await?, Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_runs_over_midnight_begins_again_in_the_next_epoch() -> Outcome {
    // 23:59:30 in Tokyo; the source takes a minute to read.
    let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T14:59:30Z")?).await?;
    let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
    let inner = MemorySource::of([("main.db", vec![3; 1000])]);
    let mut slow = Slow {
        inner,
        clock: stage.clock.clone(),
        left: 1,
    };
    let snapshot = stage.engine.run(&domain, &mut slow, HEAD).await?;
    assert_eq!(snapshot.epoch.to_string(), "20270301");
    assert_eq!(stage.engine.snapshots(&domain).await?.len(), 1);
    Ok(())
}

/// A source whose first reading takes a minute.
#[derive(Debug)]
struct Slow {
    inner: MemorySource,
    clock: std::sync::Arc<covenant_core::ManualClock>,
    left: u32,
}

impl backup_engine::Source for Slow {
    fn token(
        &mut self,
    ) -> covenant_core::BoxFuture<'_, Result<Vec<u8>, backup_engine::source::SourceError>> {
        self.inner.token()
    }

    fn begin(
        &mut self,
    ) -> covenant_core::BoxFuture<
        '_,
        Result<Vec<backup_engine::source::SourceFile>, backup_engine::source::SourceError>,
    > {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            self.clock.advance(std::time::Duration::from_secs(60));
        }
        self.inner.begin()
    }

    fn read<'a>(
        &'a mut self,
        path: &'a str,
        offset: u64,
        len: u32,
    ) -> covenant_core::BoxFuture<'a, Result<Vec<u8>, backup_engine::source::SourceError>> {
        self.inner.read(path, offset, len)
    }

    fn end(
        &mut self,
    ) -> covenant_core::BoxFuture<'_, Result<(), backup_engine::source::SourceError>> {
        self.inner.end()
    }
}
