//! What a scenario holds in its hand: the subject, the clause's figures, virtual time, a seed, and
//! the recorder of checks.
//!
//! A *check* is a property that the clause promises: when it fails, the clause is broken, or the
//! sabotage is caught. A *premise* is a positive control, something that must hold for the checks to
//! mean anything: when it fails the run is an error, which catches nothing.

use std::collections::BTreeSet;
use std::fmt;

use covenant_core::digest::Digest;
use covenant_core::{BoxFuture, Event};
use time::{Duration, UtcDateTime};

use crate::act::{Act, ActKind, PutSeen, RecordSeen, Seen, SnapshotSeen};
use crate::brief::{Brief, BriefError, Read};
use crate::canary::{Canary, Sightings};
use crate::clock::{SimulationError, Simulator};
use crate::sabotage::Sabotage;
use crate::subject::{Refusal, Subject, SubjectError};
use crate::trace::{Trace, Wall};

/// Why a scenario ended before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// A check failed on a sabotaged subject: that is what the run was for.
    #[error("a check failed")]
    Caught,
    /// The subject does not support an act that the scenario needs.
    #[error("the subject does not support {0}")]
    Unsupported(ActKind),
    /// A positive control failed, so that the checks would prove nothing.
    #[error("premise failed: {premise}: {observed}")]
    Premise {
        /// What should have held.
        premise: String,
        /// What was seen.
        observed: String,
    },
    /// The subject refused or failed an act that nothing forbids.
    #[error("{act} was refused")]
    Refused {
        /// The act.
        act: ActKind,
        /// The refusal.
        #[source]
        refusal: Refusal,
    },
    /// The subject gave an answer that does not belong to the act.
    #[error("{0} was answered with something else")]
    WrongAnswer(ActKind),
    /// The clause lacks a figure that the scenario reads.
    #[error("the figures do not fit the scenario")]
    Brief(#[from] BriefError),
    /// Time could not pass.
    #[error("time could not pass")]
    Simulation(#[from] SimulationError),
    /// The subject cannot go on.
    #[error("the subject cannot go on")]
    Subject(#[from] SubjectError),
}

/// The first check that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The virtual time.
    pub at: UtcDateTime,
    /// What the clause promises.
    pub expected: String,
    /// What was seen.
    pub observed: String,
}

/// How close the subject came to a limit: the smallest margin of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Margin {
    /// Seconds from the start to the event, as seen.
    pub observed_seconds: i64,
    /// Seconds from the start to the limit, tolerance included.
    pub limit_seconds: i64,
    /// What was left between them; negative when the limit was missed.
    pub margin_seconds: i64,
}

/// What was recorded while a scenario ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// How many checks were made, the failed ones included.
    pub checks: u64,
    /// The first one that failed.
    pub failure: Option<Failure>,
    /// The smallest margin to a limit.
    pub worst: Option<Margin>,
    /// Columns of content that are declared plain.
    pub plain_columns: BTreeSet<String>,
    /// The figures of the clause that it read.
    pub read: BTreeSet<Read>,
}

/// The stage of one run of one scenario.
pub struct Stage<'a> {
    subject: &'a mut dyn Subject,
    simulator: &'a Simulator,
    brief: &'a Brief,
    seed: u64,
    sabotage: Option<Sabotage>,
    canaries: u64,
    record: Record,
    /// What was recorded; `None` while nobody listens.
    trace: Option<Trace>,
    /// How far the wall clock is off, and since when in true time.
    off: Duration,
    off_since: UtcDateTime,
}

impl fmt::Debug for Stage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("now", &self.simulator.now())
            .field("brief", self.brief)
            .field("seed", &self.seed)
            .field("sabotage", &self.sabotage)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl<'a> Stage<'a> {
    /// A stage on which nothing has happened; canaries and drawn numbers follow from the seed.
    pub fn new(
        subject: &'a mut dyn Subject,
        simulator: &'a Simulator,
        brief: &'a Brief,
        seed: u64,
        sabotage: Option<Sabotage>,
    ) -> Self {
        Self {
            subject,
            simulator,
            brief,
            seed,
            sabotage,
            canaries: 0,
            record: Record::default(),
            trace: None,
            off: Duration::ZERO,
            off_since: simulator.now(),
        }
    }

    /// From now on what the subject records is kept, for monitors to judge.
    pub(crate) fn listen(&mut self) {
        self.trace = Some(Trace::new());
    }

    /// Takes what was recorded under the wall clock as it is.
    async fn hear(&mut self) -> Result<(), Stop> {
        let until = self.true_now();
        let wall = if self.off.is_zero() {
            Wall::Right
        } else {
            Wall::Wrong {
                off: self.off,
                from: self.off_since,
                until,
            }
        };
        if let Some(trace) = &mut self.trace {
            trace.take(self.subject.entries().await?, wall);
        }
        Ok(())
    }

    /// What was recorded, and the true time; `None` when nobody listened.
    pub(crate) async fn heard(&mut self) -> Result<Option<(Trace, UtcDateTime)>, Stop> {
        self.hear().await?;
        let until = self.true_now();
        Ok(self.trace.take().map(|trace| (trace, until)))
    }

    fn true_now(&self) -> UtcDateTime {
        self.now().checked_sub(self.off).unwrap_or(self.off_since)
    }

    /// A value that occurs nowhere else.
    pub fn canary(&mut self) -> Canary {
        self.canaries = self.canaries.saturating_add(1);
        Canary::drawn(self.seed, self.canaries)
    }

    /// Does an act that nothing forbids.
    ///
    /// # Errors
    /// [`Stop::Unsupported`] or [`Stop::Refused`].
    pub async fn act(&mut self, act: Act) -> Result<Seen, Stop> {
        match self.try_act(act.clone()).await? {
            Ok(seen) => Ok(seen),
            Err(rule) => {
                let refusal = Refusal::Denied { rule };
                Err(Stop::Refused {
                    act: act.kind(),
                    refusal,
                })
            }
        }
    }

    /// Does an act that the system may deny; the inner error is the rule that denied it.
    ///
    /// # Errors
    /// [`Stop::Unsupported`], or [`Stop::Refused`] when the system failed rather than denied.
    pub async fn try_act(&mut self, act: Act) -> Result<Result<Seen, String>, Stop> {
        match self.subject.perform(&act).await {
            Ok(seen) => Ok(Ok(seen)),
            Err(Refusal::Denied { rule }) => Ok(Err(rule)),
            Err(Refusal::Unsupported(kind)) => Err(Stop::Unsupported(kind)),
            Err(refusal @ Refusal::Failed { .. }) => Err(Stop::Refused {
                act: act.kind(),
                refusal,
            }),
        }
    }

    /// Does an act whose answer is [`Seen::Done`].
    ///
    /// # Errors
    /// As [`Stage::act`], and [`Stop::WrongAnswer`].
    pub async fn done(&mut self, act: Act) -> Result<(), Stop> {
        let kind = act.kind();
        match self.act(act).await? {
            Seen::Done => Ok(()),
            _ => Err(Stop::WrongAnswer(kind)),
        }
    }

    /// Does a put or a change.
    ///
    /// # Errors
    /// As [`Stage::act`], and [`Stop::WrongAnswer`].
    pub async fn put(&mut self, act: Act) -> Result<PutSeen, Stop> {
        let kind = act.kind();
        match self.act(act).await? {
            Seen::Put(put) => Ok(put),
            _ => Err(Stop::WrongAnswer(kind)),
        }
    }

    /// Does a read that may be denied: `None` when it was, or when there is no such way.
    ///
    /// # Errors
    /// As [`Stage::try_act`], and [`Stop::WrongAnswer`].
    pub async fn read(&mut self, act: Act) -> Result<Option<RecordSeen>, Stop> {
        let kind = act.kind();
        match self.try_act(act).await? {
            Ok(Seen::Record(record)) => Ok(Some(record)),
            Ok(Seen::Absent) | Err(_) => Ok(None),
            Ok(_) => Err(Stop::WrongAnswer(kind)),
        }
    }

    /// Backs the tenant up.
    ///
    /// # Errors
    /// As [`Stage::act`], and [`Stop::WrongAnswer`].
    pub async fn back_up(&mut self, tenant: crate::act::Tenant) -> Result<SnapshotSeen, Stop> {
        match self.act(Act::BackUp { tenant }).await? {
            Seen::Snapshot(snapshot) => Ok(snapshot),
            _ => Err(Stop::WrongAnswer(ActKind::BackUp)),
        }
    }

    /// The tenant's completed backups, oldest first.
    ///
    /// # Errors
    /// As [`Stage::act`], and [`Stop::WrongAnswer`].
    pub async fn snapshots(
        &mut self,
        tenant: crate::act::Tenant,
    ) -> Result<Vec<SnapshotSeen>, Stop> {
        match self.act(Act::ListSnapshots { tenant }).await? {
            Seen::Snapshots(snapshots) => Ok(snapshots),
            _ => Err(Stop::WrongAnswer(ActKind::ListSnapshots)),
        }
    }

    /// Lets time pass until the instant, with all background work on the way.
    ///
    /// # Errors
    /// [`Stop::Simulation`].
    pub async fn pass_until(&mut self, at: UtcDateTime) -> Result<(), Stop> {
        Ok(self.simulator.pass_until(self.subject, at).await?)
    }

    /// Lets time pass for so long.
    ///
    /// # Errors
    /// [`Stop::Simulation`].
    pub async fn pass(&mut self, by: Duration) -> Result<(), Stop> {
        let at = self.now().checked_add(by).unwrap_or(UtcDateTime::MAX);
        self.pass_until(at).await
    }

    /// Sets the wall clock alone, tells the subject, and lets its background work run there.
    ///
    /// # Errors
    /// As [`Stage::done`], and [`Stop::Subject`].
    pub async fn step_clock(&mut self, to: UtcDateTime) -> Result<(), Stop> {
        self.hear().await?;
        self.off_since = self.true_now();
        self.off += to - self.now();
        self.simulator.step(to);
        self.done(Act::StepClock { to }).await?;
        Ok(self.subject.run_until(to).await?)
    }

    /// What the audit log recorded so far, in order.
    ///
    /// # Errors
    /// [`Stop::Subject`].
    pub async fn events(&mut self) -> Result<Vec<Event>, Stop> {
        Ok(self.subject.events().await?)
    }

    /// Searches all stores for the canary.
    ///
    /// # Errors
    /// [`Stop::Subject`].
    pub async fn search(&mut self, canary: &Canary) -> Result<Sightings, Stop> {
        Ok(self.subject.find_bytes(canary).await?)
    }

    /// Records a check of what the clause promises.
    ///
    /// # Errors
    /// [`Stop::Caught`] when it fails on a sabotaged subject; a sound one goes on, so that the
    /// report counts all checks.
    pub fn check<T: PartialEq + fmt::Display>(
        &mut self,
        property: impl fmt::Display,
        expected: T,
        observed: T,
    ) -> Result<(), Stop> {
        self.record.checks = self.record.checks.saturating_add(1);
        if expected == observed {
            return Ok(());
        }
        if self.record.failure.is_none() {
            self.record.failure = Some(Failure {
                at: self.now(),
                expected: format!("{property}: {expected}"),
                observed: observed.to_string(),
            });
        }
        if self.sabotage.is_some() {
            Err(Stop::Caught)
        } else {
            Ok(())
        }
    }

    /// States what must hold for the checks to mean anything.
    ///
    /// # Errors
    /// [`Stop::Premise`] when it does not.
    pub fn premise<T: PartialEq + fmt::Display>(
        &self,
        premise: impl fmt::Display,
        expected: T,
        observed: T,
    ) -> Result<(), Stop> {
        if expected == observed {
            return Ok(());
        }
        Err(Stop::Premise {
            premise: format!("{premise}: {expected}"),
            observed: observed.to_string(),
        })
    }

    /// States that there is at least one of something, for the checks to mean anything.
    ///
    /// # Errors
    /// [`Stop::Premise`] when there is none.
    pub fn premise_some(&self, premise: impl fmt::Display, count: u64) -> Result<(), Stop> {
        if count > 0 {
            return Ok(());
        }
        Err(Stop::Premise {
            premise: premise.to_string(),
            observed: "none".to_owned(),
        })
    }

    /// Notes how long something stayed or took, against a floor: the margin is what it stayed longer.
    pub fn note_floor(&mut self, from: UtcDateTime, at: UtcDateTime, floor: UtcDateTime) {
        self.note(from, at, floor, (at - floor).whole_seconds());
    }

    /// Notes how long something took, against a ceiling: the margin is what was left.
    pub fn note_ceiling(&mut self, from: UtcDateTime, at: UtcDateTime, ceiling: UtcDateTime) {
        self.note(from, at, ceiling, (ceiling - at).whole_seconds());
    }

    /// Notes columns of content that the live schema declares plain.
    pub fn note_plain(&mut self, columns: impl IntoIterator<Item = String>) {
        self.record.plain_columns.extend(columns);
    }

    /// The virtual wall time.
    #[must_use]
    pub fn now(&self) -> UtcDateTime {
        self.simulator.now()
    }

    /// The figures.
    #[must_use]
    pub const fn brief(&self) -> &Brief {
        self.brief
    }

    /// The seed of the run.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// A number below `below` that follows from the seed and the name; 0 when `below` is 0.
    #[must_use]
    pub fn drawn(&self, name: &str, below: u64) -> u64 {
        draw(self.seed, name, below)
    }

    /// What was recorded.
    #[must_use]
    pub fn into_record(self) -> Record {
        Record {
            read: self.brief.read(),
            ..self.record
        }
    }

    fn note(&mut self, from: UtcDateTime, at: UtcDateTime, limit: UtcDateTime, margin: i64) {
        let margin = Margin {
            observed_seconds: (at - from).whole_seconds(),
            limit_seconds: (limit - from).whole_seconds(),
            margin_seconds: margin,
        };
        if self
            .record
            .worst
            .is_none_or(|worst| margin.margin_seconds < worst.margin_seconds)
        {
            self.record.worst = Some(margin);
        }
    }
}

/// What runs on a [`Stage`].
pub type ScenarioFn = for<'s, 'a> fn(&'s mut Stage<'a>) -> BoxFuture<'s, Result<(), Stop>>;

/// A number below `below` that follows from seed and name alone; 0 when `below` is 0.
#[must_use]
pub fn draw(seed: u64, name: &str, below: u64) -> u64 {
    let digest = Digest::of(format!("covenant/draw/{seed}/{name}").as_bytes());
    let first = digest
        .as_bytes()
        .first_chunk::<8>()
        .copied()
        .unwrap_or_default();
    u64::from_be_bytes(first).checked_rem(below).unwrap_or(0)
}
