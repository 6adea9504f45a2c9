//! Random histories of backups, waits, expiries, restores and faults:
//! after each step the engine holds what the model holds, gives back the same bytes, and gives back
//! nothing of a vault that is past its day.

use std::collections::BTreeMap;
use std::path::Path;

use backup_engine::testing::{Faults, MemorySource, Stage, a_month, at, six_months, stage};
use backup_engine::{
    BackupError, BackupPolicy, Backups, Depot as _, Domain, Gate, GateError, LogHead, ReplayReport,
    Snapshot,
};
use covenant_core::{BoxFuture, TenantId};
use proptest::prelude::*;
use time::Duration;

type Files = BTreeMap<String, Vec<u8>>;
type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Clone)]
enum Step {
    /// A file is written, and the domain backed up.
    Run { file: u8, len: usize, fill: u8 },
    /// The same, with a fault at a call: before it, after it, or for good.
    Faulty { call: u64, way: u8 },
    /// Time passes.
    Wait { hours: u32 },
    /// All that is due goes.
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u8, 0..140_000_usize, any::<u8>())
            .prop_map(|(file, len, fill)| Step::Run { file, len, fill }),
        3 => (1..12_u64, 0..3_u8).prop_map(|(call, way)| Step::Faulty { call, way }),
        4 => prop_oneof![1..30_u32, 24..200_u32, 4000..4800_u32]
            .prop_map(|hours| Step::Wait { hours }),
        2 => Just(Step::Expire),
    ]
}

/// Lets everything through.
struct Open;

impl Gate for Open {
    fn replay<'a>(
        &'a self,
        _domain: &'a Domain,
        _folder: &'a Path,
        head: LogHead,
    ) -> BoxFuture<'a, Result<ReplayReport, GateError>> {
        Box::pin(async move {
            Ok(ReplayReport {
                log_size: head.size,
                ..ReplayReport::default()
            })
        })
    }
}

/// What should be there: each committed snapshot with the files that it was made of.
struct Model {
    stage: Stage,
    domain: Domain,
    source: MemorySource,
    held: Vec<(Snapshot, Files)>,
    runs: u64,
}

impl Model {
    async fn take(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Run { file, len, fill } => {
                let bytes = (0..*len).map(|n| fill.wrapping_add(n.to_le_bytes()[2]));
                let path = format!("f{file}");
                self.source.files.insert(path, bytes.collect());
                let done = self.run().await?;
                self.held.push((done, self.source.files.clone()));
            }
            Step::Faulty { call, way } => {
                let strike = match way {
                    0 => Faults::fail_call,
                    1 => Faults::lose_answer,
                    _ => Faults::take_down_at,
                };
                strike(&self.stage.faults, *call);
                let outcome = self.run().await;
                self.stage.faults.bring_up();
                if let Ok(done) = outcome {
                    self.held.push((done, self.source.files.clone()));
                }
            }
            Step::Wait { hours } => {
                let seconds = u64::from(*hours) * 3600;
                self.stage
                    .clock
                    .advance(std::time::Duration::from_secs(seconds));
            }
            Step::Expire => {
                let now = covenant_core::Clock::now(self.stage.clock.as_ref());
                self.stage.keys.destroy_due(now).await?;
                for item in self.stage.engine.items(&self.domain).await? {
                    let expired = self.stage.engine.expire(&self.domain, item.epoch).await;
                    match expired {
                        Ok(expired) => assert!(now >= item.destroy_at && expired.objects > 0),
                        Err(BackupError::NotDue { .. }) => assert!(now < item.destroy_at),
                        Err(error) => return Err(error.into()),
                    }
                }
                let left = self.stage.engine.items(&self.domain).await?;
                assert!(left.iter().all(|item| now < item.destroy_at));
            }
        }
        Ok(())
    }

    async fn run(&mut self) -> Result<Snapshot, BackupError> {
        self.runs += 1;
        let head = LogHead {
            size: self.runs,
            root: [3; 32],
        };
        let (engine, domain) = (&self.stage.engine, &self.domain);
        engine.run(domain, &mut self.source, head).await
    }

    async fn compare(&mut self) -> Result<(), Failure> {
        let now = covenant_core::Clock::now(self.stage.clock.as_ref());
        let (engine, domain) = (&self.stage.engine, &self.domain);
        let living: Vec<_> = self
            .held
            .iter()
            .filter(|(snapshot, _)| now < snapshot.destroy_at)
            .collect();
        let mut expected: Vec<Snapshot> = living.iter().map(|(s, _)| s.clone()).collect();
        expected.sort_by_key(|s| (s.completed, s.id));
        assert_eq!(engine.snapshots(domain).await?, expected);
        let report = engine.check(domain).await?;
        assert_eq!(
            (report.good.len(), report.corrupt.len(), report.locked.len()),
            (living.len(), 0, 0)
        );
        let folder = tempfile::tempdir()?;
        if let Some((snapshot, files)) = living.last() {
            let shut = engine.restore(domain, snapshot.id, folder.path()).await?;
            let out = shut
                .replay(&Open)
                .await?
                .release(&folder.path().join("out"))?;
            for (path, bytes) in files {
                assert!(std::fs::read(out.join(path))? == *bytes, "{path} differs");
            }
            assert_eq!(std::fs::read_dir(&out)?.count(), files.len());
        }
        for (snapshot, _) in &self.held {
            if now >= snapshot.destroy_at {
                let gone = engine.restore(domain, snapshot.id, folder.path()).await;
                assert!(matches!(
                    gone,
                    Err(BackupError::Dead { .. } | BackupError::UnknownSnapshot(_))
                ));
            }
        }
        Ok(())
    }
}

async fn play(policy: BackupPolicy, steps: &[Step]) -> Result<(), Failure> {
    let stage = stage(policy, at("2027-02-27T03:00:00Z")?).await?;
    let mut model = Model {
        stage,
        domain: Domain::new(TenantId::from_bytes([1; 16]), "main")?,
        source: MemorySource::default(),
        held: Vec::new(),
        runs: 0,
    };
    for step in steps {
        model.take(step).await?;
        model.compare().await?;
    }
    // Far in the future nothing is left but by name.
    model.take(&Step::Wait { hours: 9000 }).await?;
    model.take(&Step::Expire).await?;
    assert_eq!(model.stage.depot.list("d/").await?, Vec::<String>::new());
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, TestCaseError> {
    let built = tokio::runtime::Builder::new_current_thread().build();
    built.map_err(|error| TestCaseError::fail(error.to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    // clause: P-18, R-23
    #[test]
    fn under_each_policy(steps in prop::collection::vec(step(), 1..14), month in any::<bool>()) {
        let policy = if month { a_month() } else { six_months(Duration::hours(49)) };
        let played = runtime()?.block_on(play(policy, &steps));
        played.map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}
