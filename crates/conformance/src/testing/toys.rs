//! Toys: subjects that are wrong in one simple way, to show that the kit is not taken in.

use std::sync::Arc;

use covenant_core::{BoxFuture, Event, ManualClock};
use policy_document::Document;
use time::UtcDateTime;

use super::ModelFactory;
use crate::act::{Act, ActKind, Seen};
use crate::canary::{Canary, Sightings};
use crate::sabotage::Sabotage;
use crate::subject::{
    BuildError, Can, CrashPoint, Refusal, Subject, SubjectError, SubjectFactory, SubjectInfo,
};

/// In which way a toy is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Toy {
    /// Says that everything was done, and does nothing.
    DoesNothing,
    /// Denies everything.
    RefusesAll,
    /// Supports nothing.
    SupportsNothing,
    /// Logs its purges, and keeps the bytes.
    Lies,
    /// Purges late, and shows the log of one that purges on time.
    AlwaysOnTime,
    /// Panics at the first act.
    Panics,
    /// Never comes back from the first act.
    Hangs,
    /// Is right for one half of the starts and wrong for the other.
    Flaky,
    /// Is right, and cannot be sabotaged at all: its sabotaged subjects are sound.
    Unsabotageable,
    /// Is right, and its sabotaged subjects refuse every act.
    RefusesWhenSabotaged,
    /// Is right, and cannot be built with any sabotage, although it says that it can.
    RefusesToBeSabotaged,
    /// Does not start.
    NeverStarts,
}

impl Toy {
    /// Every toy.
    pub const ALL: &'static [Self] = &[
        Self::DoesNothing,
        Self::RefusesAll,
        Self::SupportsNothing,
        Self::Lies,
        Self::AlwaysOnTime,
        Self::Panics,
        Self::Hangs,
        Self::Flaky,
        Self::Unsabotageable,
        Self::RefusesWhenSabotaged,
        Self::RefusesToBeSabotaged,
        Self::NeverStarts,
    ];
}

/// Builds toys of one kind.
#[derive(Debug, Clone, Copy)]
pub struct ToyFactory(pub Toy);

impl SubjectFactory for ToyFactory {
    fn info(&self) -> SubjectInfo {
        SubjectInfo {
            name: format!("toy: {:?}", self.0),
            ..ModelFactory.info()
        }
    }

    fn can(&self, sabotage: Sabotage) -> Can {
        ModelFactory.can(sabotage)
    }

    fn build<'a>(
        &'a self,
        clock: Arc<ManualClock>,
        document: &'a Document,
        sabotage: Option<Sabotage>,
    ) -> BoxFuture<'a, Result<Box<dyn Subject>, BuildError>> {
        Box::pin(async move {
            let start = covenant_core::Clock::now(clock.as_ref());
            let instead = match self.0 {
                Toy::Lies if sabotage.is_none() => Some(Sabotage::IndexRowOnly),
                Toy::Flaky if sabotage.is_none() && start.day() > 30 => {
                    Some(Sabotage::IndexRowOnly)
                }
                Toy::Unsabotageable => None,
                _ => sabotage,
            };
            match (self.0, sabotage) {
                (Toy::NeverStarts, _) => Err(BuildError::NotStarted {
                    reason: "no store".to_owned(),
                    source: None,
                }),
                (Toy::RefusesToBeSabotaged, Some(sabotage)) => Err(BuildError::Sabotage(sabotage)),
                (Toy::AlwaysOnTime, _) => {
                    let real = sabotage.or(Some(Sabotage::PurgeLate));
                    Ok(Box::new(Pretending {
                        shown: ModelFactory
                            .build(Arc::clone(&clock), document, None)
                            .await?,
                        real: ModelFactory.build(clock, document, real).await?,
                    }) as Box<dyn Subject>)
                }
                (Toy::Lies | Toy::Flaky | Toy::Unsabotageable, _)
                | (Toy::RefusesWhenSabotaged | Toy::RefusesToBeSabotaged, None) => {
                    ModelFactory.build(clock, document, instead).await
                }
                (toy, _) => Ok(Box::new(Stub(toy)) as Box<dyn Subject>),
            }
        })
    }
}

/// A subject without any state.
struct Stub(Toy);

impl Stub {
    #[expect(
        clippy::panic,
        reason = "a toy that panics, to show that the run survives it"
    )]
    fn answer(&self, act: ActKind) -> Result<Seen, Refusal> {
        match self.0 {
            Toy::SupportsNothing => Err(Refusal::Unsupported(act)),
            Toy::RefusesAll | Toy::RefusesWhenSabotaged => Err(Refusal::denied("a toy")),
            Toy::Panics => panic!("a toy panics at {act}"),
            _ => Ok(made_up(act)),
        }
    }
}

/// What a subject would say that does nothing and claims everything.
fn made_up(act: ActKind) -> Seen {
    use crate::act::{CoverageSeen, Opening, PutSeen, RecordSeen, SealingSeen, SnapshotSeen};
    match act {
        ActKind::PutRecord | ActKind::ChangeRecord => Seen::Put(PutSeen {
            item: covenant_core::ItemId::from(0_i64),
            body: Vec::new(),
            sensitive: Vec::new(),
            attachment: Vec::new(),
        }),
        ActKind::ReadRecord | ActKind::ReadFrom => Seen::Record(RecordSeen {
            body: Vec::new(),
            attachment: None,
            sensitive: None,
        }),
        ActKind::RevealSensitive => Seen::Revealed(Vec::new()),
        ActKind::ListRecords => Seen::Records(std::collections::BTreeSet::new()),
        ActKind::Churn => Seen::Churned(Canary::of(b"")),
        ActKind::BackUp => Seen::Snapshot(SnapshotSeen {
            id: covenant_core::SnapshotId::from_bytes([0; 16]),
            consistent_at: UtcDateTime::UNIX_EPOCH,
            completed_at: UtcDateTime::UNIX_EPOCH,
        }),
        ActKind::ListSnapshots => Seen::Snapshots(Vec::new()),
        ActKind::RestoreSnapshot => Seen::Restored(std::collections::BTreeMap::new()),
        ActKind::AuditCoverage => Seen::Coverage(CoverageSeen {
            touched: 0,
            attributed: 0,
        }),
        ActKind::ListVaults => Seen::Vaults(Vec::new()),
        ActKind::TryVaultRoot => Seen::Trial(Opening::Refused),
        ActKind::DescribeSealing => Seen::Sealing(SealingSeen {
            layers: Vec::new(),
            outer_alone: Opening::Refused,
            column: String::new(),
            content_columns: Vec::new(),
            plain_columns: Vec::new(),
            undeclared_columns: Vec::new(),
        }),
        _ => Seen::Done,
    }
}

impl Subject for Stub {
    fn perform<'a>(&'a mut self, act: &'a Act) -> BoxFuture<'a, Result<Seen, Refusal>> {
        if self.0 == Toy::Hangs {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move { self.answer(act.kind()) })
    }

    fn run_until(&mut self, _: UtcDateTime) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async { Ok(()) })
    }

    fn next_due(&self) -> Option<UtcDateTime> {
        None
    }

    fn events(&mut self) -> BoxFuture<'_, Result<Vec<Event>, SubjectError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn find_bytes<'a>(
        &'a mut self,
        _: &'a Canary,
    ) -> BoxFuture<'a, Result<Sightings, SubjectError>> {
        Box::pin(async { Ok(Sightings::new()) })
    }

    fn crash(&mut self, _: CrashPoint) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A system that answers and keeps bytes as one model, and shows the log of another that was asked
/// the same.
struct Pretending {
    shown: Box<dyn Subject>,
    real: Box<dyn Subject>,
}

impl Subject for Pretending {
    fn perform<'a>(&'a mut self, act: &'a Act) -> BoxFuture<'a, Result<Seen, Refusal>> {
        Box::pin(async move {
            // what the shown one answers is not told
            drop(self.shown.perform(act).await);
            self.real.perform(act).await
        })
    }

    fn run_until(&mut self, at: UtcDateTime) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move {
            self.shown.run_until(at).await?;
            self.real.run_until(at).await
        })
    }

    fn next_due(&self) -> Option<UtcDateTime> {
        let both = [self.shown.next_due(), self.real.next_due()];
        both.into_iter().flatten().min()
    }

    fn events(&mut self) -> BoxFuture<'_, Result<Vec<Event>, SubjectError>> {
        self.shown.events()
    }

    fn find_bytes<'a>(
        &'a mut self,
        canary: &'a Canary,
    ) -> BoxFuture<'a, Result<Sightings, SubjectError>> {
        self.real.find_bytes(canary)
    }

    fn crash(&mut self, at: CrashPoint) -> BoxFuture<'_, Result<(), SubjectError>> {
        self.real.crash(at)
    }
}
