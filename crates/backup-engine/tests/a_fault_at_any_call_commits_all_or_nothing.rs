//! A fault at each call of the depot, before its effect, after it, and for good, during a backup and
//! during an expiry: nothing is committed or all of it, the next run succeeds, and the audit log is
//! told of each snapshot once.

use std::sync::Arc;

use backup_engine::testing::{Faults, MemorySource, Stage, at, six_months, stage};
use backup_engine::{BackupError, Backups as _, Depot as _, Domain, Engine, LogHead, Parts};
use covenant_core::event::{Prepared, SinkError};
use covenant_core::{
    Action, BoxFuture, Event, EventId, EventSink, OutboxTx, Owner, Secret, TenantId,
};
use time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const HEAD: LogHead = LogHead {
    size: 0,
    root: [0; 32],
};

/// The ways in which one call of a depot goes wrong.
const WAYS: [fn(&Faults, u64); 3] = [Faults::fail_call, Faults::lose_answer, Faults::take_down_at];

#[tokio::test]
async fn after_any_fault_what_is_listed_restores_and_is_told_of_once() -> Outcome {
    for (way, strike) in WAYS.into_iter().enumerate() {
        let (mut failed, mut in_doubt) = (0, 0);
        for call in 1..24 {
            let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T03:00:00Z")?).await?;
            let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
            let mut source = MemorySource::of([("main.db", vec![3; 100_000])]);
            strike(&stage.faults, call);
            let outcome = stage.engine.run(&domain, &mut source, HEAD).await;
            stage.faults.bring_up();
            let listed = stage.engine.snapshots(&domain).await?.len();
            if outcome.is_err() {
                failed += 1;
                in_doubt += listed;
            } else {
                assert_eq!(listed, 1, "way {way}, call {call}");
            }
            stage.clock.advance(std::time::Duration::from_secs(60));
            stage.engine.run(&domain, &mut source, HEAD).await?;
            let all = stage.engine.snapshots(&domain).await?.len();
            assert_eq!(all, listed + 1, "way {way}, call {call}");
            let report = stage.engine.check(&domain).await?;
            assert_eq!((report.good.len(), report.corrupt.len()), (all, 0));
            assert_eq!(told(&stage), all, "each snapshot is told of, once");
            let roots = stage.keys.surviving_roots().await?;
            let vaults = roots.iter().filter(|r| matches!(r.owner, Owner::Vault(..)));
            assert_eq!(
                vaults.count(),
                1,
                "no try to mint a vault leaves a second root"
            );
        }
        assert!(failed >= 2, "way {way}: only {failed} calls mattered");
        assert_eq!(
            in_doubt, 0,
            "way {way}: a run that failed committed nothing"
        );
    }
    Ok(())
}

/// Snapshots that the audit log knows of.
fn told(stage: &Stage) -> usize {
    let actions = stage.sink.actions();
    let completed = actions.iter().filter(|a| **a == Action::BackupCompleted);
    completed.count()
}

#[tokio::test]
async fn a_snapshot_whose_event_was_lost_is_told_of_by_the_next_process() -> Outcome {
    let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T03:00:00Z")?).await?;
    let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
    let mut source = MemorySource::of([("main.db", vec![3; 1000])]);
    let deaf = engine(&stage, Arc::new(Deaf));
    let run = deaf.run(&domain, &mut source, HEAD).await;
    assert!(matches!(run, Err(BackupError::NotAudited(_))), "{run:?}");
    assert_eq!(stage.engine.snapshots(&domain).await?.len(), 1);
    assert!(deaf.run(&domain, &mut source, HEAD).await.is_err());
    assert_eq!(
        stage.engine.snapshots(&domain).await?.len(),
        1,
        "none is added to one that is untold"
    );
    for _ in 0..2 {
        engine(&stage, stage.sink.clone())
            .tell_missing(&domain)
            .await?;
        assert_eq!(told(&stage), 1);
    }
    Ok(())
}

/// An engine of another process on the same depot and keys.
fn engine(stage: &Stage, sink: Arc<dyn EventSink>) -> Engine {
    Engine::new(Parts {
        repo: [1; 16],
        depot: stage.depot.clone(),
        keys: stage.keys.clone(),
        sink,
        clock: stage.clock.clone(),
        random: stage.random.clone(),
        naming: Secret::new([5; 32]),
        policy: six_months(Duration::hours(49)),
    })
}

/// A sink that takes nothing.
#[derive(Debug)]
struct Deaf;

impl EventSink for Deaf {
    fn prepare(&self, _event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        Box::pin(async { Err(SinkError::Unavailable("deaf".into())) })
    }

    fn record<'a>(
        &'a self,
        _tx: &'a mut dyn OutboxTx,
        _prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        Box::pin(async { Err(SinkError::Unavailable("deaf".into())) })
    }

    fn emit(&self, _event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        Box::pin(async { Err(SinkError::Unavailable("deaf".into())) })
    }
}

#[tokio::test]
async fn two_engines_that_mint_at_once_share_one_vault_and_one_root() -> Outcome {
    let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T03:00:00Z")?).await?;
    let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
    let both = [
        engine(&stage, stage.sink.clone()),
        engine(&stage, stage.sink.clone()),
    ];
    let mut sources = [
        MemorySource::of([("main.db", vec![3; 1000])]),
        MemorySource::of([("main.db", vec![4; 1000])]),
    ];
    let [first, second] = &mut sources;
    let (a, b) = tokio::join!(
        both[0].run(&domain, first, HEAD),
        both[1].run(&domain, second, HEAD)
    );
    let (a, b) = (a?, b?);
    assert_ne!(a.id, b.id);
    let report = both[0].check(&domain).await?;
    assert_eq!((report.good.len(), report.corrupt.len()), (2, 0));
    assert_eq!(both[0].items(&domain).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_expiry_that_fails_is_finished_by_the_next_and_told_once() -> Outcome {
    for strike in WAYS {
        for call in 1..12 {
            let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T03:00:00Z")?).await?;
            let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
            let mut source = MemorySource::of([("main.db", vec![3; 100_000])]);
            let snapshot = stage.engine.run(&domain, &mut source, HEAD).await?;
            stage.clock.advance_to(snapshot.destroy_at);
            strike(&stage.faults, call);
            let first = stage.engine.expire(&domain, snapshot.epoch).await;
            stage.faults.bring_up();
            if first.is_err() {
                stage.engine.expire(&domain, snapshot.epoch).await?;
            }
            assert_eq!(stage.depot.list("d/").await?, Vec::<String>::new());
            let purged = stage.sink.actions();
            let purged = purged.iter().filter(|a| **a == Action::BackupPurged);
            assert_eq!(purged.count(), 1, "call {call}");
        }
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
    clock: Arc<covenant_core::ManualClock>,
    left: u32,
}

impl backup_engine::Source for Slow {
    fn token(&mut self) -> BoxFuture<'_, Result<Vec<u8>, backup_engine::source::SourceError>> {
        self.inner.token()
    }

    fn begin(
        &mut self,
    ) -> BoxFuture<
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
    ) -> BoxFuture<'a, Result<Vec<u8>, backup_engine::source::SourceError>> {
        self.inner.read(path, offset, len)
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), backup_engine::source::SourceError>> {
        self.inner.end()
    }
}
