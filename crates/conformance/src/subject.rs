//! The system under test: what an integrator implements so that scenarios can run on it.

use std::fmt;
use std::sync::Arc;

use covenant_core::{BoxFuture, Event, ManualClock};
use policy_document::Document;
use time::UtcDateTime;

use crate::act::{Act, ActKind, Seen};
use crate::canary::{Canary, Sightings};
use crate::sabotage::Sabotage;
use crate::trace::Entry;

/// What stands in the report about the system under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What its rows lie in.
    pub rows: String,
    /// What its attachments and backups lie in.
    pub blobs: String,
    /// What its key-encryption keys lie in.
    pub keys: String,
    /// How its notices leave it.
    pub notices: String,
    /// How far writes are forced to disk in this run: SQLite's `synchronous`, or another's word.
    pub synchronous: String,
}

/// Whether a sabotage can be tried on what the factory builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the three answers of the status table"
)]
pub enum Can {
    /// The factory builds it.
    Built,
    /// Nobody has built it yet; it counts as not caught.
    NotBuilt,
    /// The chosen stores have nothing that could be sabotaged this way.
    Unsupported,
}

/// A system could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The sabotage is not built, or makes no sense on these stores.
    #[error("sabotage {0} cannot be built")]
    Sabotage(Sabotage),
    /// A store or key backend did not start; nothing can run.
    #[error("the subject did not start: {reason}")]
    NotStarted {
        /// Why, without customer content.
        reason: String,
        /// What failed beneath.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// An act was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A rule forbids it: the system decided so.
    #[error("denied by {rule}")]
    Denied {
        /// The rule, or the state that forbids it.
        rule: String,
    },
    /// The subject has no such act; the clause is then untested.
    #[error("{0} is not supported by the subject")]
    Unsupported(ActKind),
    /// The system tried, and failed.
    #[error("the subject failed: {reason}")]
    Failed {
        /// Why, without customer content.
        reason: String,
        /// What failed beneath.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Refusal {
    /// A denial by this rule.
    #[must_use]
    pub fn denied(rule: impl Into<String>) -> Self {
        Self::Denied { rule: rule.into() }
    }

    /// A failure of the system.
    #[must_use]
    pub fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed {
            reason: source.to_string(),
            source: Some(Box::new(source)),
        }
    }
}

/// The subject cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the subject cannot go on: {reason}")]
pub struct SubjectError {
    reason: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SubjectError {
    /// An error with a reason in words, without customer content.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            source: None,
        }
    }

    /// An error with what failed beneath.
    #[must_use]
    pub fn from_source(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            reason: source.to_string(),
            source: Some(Box::new(source)),
        }
    }
}

/// A point at which a crash scenario stops the system dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrashPoint {
    /// Between two acts, with nothing in flight.
    Idle,
    /// In the background work that is due now, before this effect on the depot, counted from 1; as
    /// [`CrashPoint::Idle`] when there are fewer.
    Depot {
        /// Which effect.
        call: u64,
    },
}

/// Builds systems under test, each on stores of its own.
///
/// # Contract
/// What `build` returns starts empty, takes time from the clock alone, and shares no state with
/// another subject. A sabotaged subject differs from the sound one by the sabotage and by nothing
/// else; production code has no switch for it.
///
/// # Errors
/// [`BuildError`]: with [`BuildError::NotStarted`] on the sound subject the run ends with code 4.
///
/// # Implementing
/// `can` answers [`Can::Built`] only for sabotages that `build` accepts.
pub trait SubjectFactory: Send + Sync {
    /// What stands in the report.
    fn info(&self) -> SubjectInfo;
    /// Whether this sabotage can be tried.
    fn can(&self, sabotage: Sabotage) -> Can;
    /// Builds a subject for the document's profile.
    fn build<'a>(
        &'a self,
        clock: Arc<ManualClock>,
        document: &'a Document,
        sabotage: Option<Sabotage>,
    ) -> BoxFuture<'a, Result<Box<dyn Subject>, BuildError>>;
}

impl fmt::Debug for dyn SubjectFactory + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SubjectFactory")
            .field(&self.info().name)
            .finish()
    }
}

/// One system under test.
///
/// # Contract
/// Acts happen at the instant that the clock shows. After `run_until(at)` all background work due
/// by `at` has been tried, and `next_due` is later than `at`.
///
/// # Errors
/// [`Refusal`] for an act that was not done; [`SubjectError`] when the system cannot go on, which
/// ends the scenario as an error.
///
/// # Implementing
/// What is not there answers [`Refusal::Unsupported`], never a made-up success.
pub trait Subject: Send {
    /// Does one act.
    fn perform<'a>(&'a mut self, act: &'a Act) -> BoxFuture<'a, Result<Seen, Refusal>>;
    /// Does all background work that is due by this instant, which the clock shows.
    fn run_until(&mut self, at: UtcDateTime) -> BoxFuture<'_, Result<(), SubjectError>>;
    /// When background work is due next.
    fn next_due(&self) -> Option<UtcDateTime>;
    /// What the audit log recorded, in order.
    fn events(&mut self) -> BoxFuture<'_, Result<Vec<Event>, SubjectError>>;
    /// The same as entries of a log: with the transaction in which each was recorded, and with every
    /// value that it has. Without transactions nothing can be shown of what must be in one.
    fn entries(&mut self) -> BoxFuture<'_, Result<Vec<Entry>, SubjectError>> {
        Box::pin(async move { Ok(self.events().await?.iter().map(Entry::from).collect()) })
    }
    /// Searches all stores: raw, and in whatever any existing key still opens.
    fn find_bytes<'a>(
        &'a mut self,
        canary: &'a Canary,
    ) -> BoxFuture<'a, Result<Sightings, SubjectError>>;
    /// Whether it can be crashed there.
    fn can_crash(&self, at: CrashPoint) -> bool {
        let _ = at;
        false
    }
    /// Stops the system dead at the point and starts it again on what is on disk.
    fn crash(&mut self, at: CrashPoint) -> BoxFuture<'_, Result<(), SubjectError>>;
}

/// A factory without any subject: every technical clause stays untested, and the run ends with
/// code 4.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSubject;

impl SubjectFactory for NoSubject {
    fn info(&self) -> SubjectInfo {
        let none = || "none".to_owned();
        SubjectInfo {
            name: none(),
            version: none(),
            rows: none(),
            blobs: none(),
            keys: none(),
            notices: none(),
            synchronous: none(),
        }
    }

    fn can(&self, _: Sabotage) -> Can {
        Can::NotBuilt
    }

    fn build<'a>(
        &'a self,
        _: Arc<ManualClock>,
        _: &'a Document,
        _: Option<Sabotage>,
    ) -> BoxFuture<'a, Result<Box<dyn Subject>, BuildError>> {
        Box::pin(async {
            Err(BuildError::NotStarted {
                reason: "this build has no subject".to_owned(),
                source: None,
            })
        })
    }
}
