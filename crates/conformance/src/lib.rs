//! Scenarios that prove each clause of a policy on a running system, and the report.
//!
//! A status comes only from a scenario that ran, and that fails on a sabotaged system. To put a
//! system of your own under test implement [`SubjectFactory`] and [`Subject`]; to run every clause
//! of some documents on it use [`run`]; to read what a scenario does see [`scenario`]; to judge a
//! clause from what ran see [`status`]; to see which sabotage breaks what see [`matrix`]; to write the reports see [`report`].
//!
//! Time is virtual: a [`clock::Simulator`] moves core's `ManualClock` from one due instant to the
//! next, so that six months take milliseconds.
//!
//! ```
//! use conformance::status::Status;
//! use conformance::testing::{ModelFactory, load, trial};
//! use conformance::Options;
//!
//! let policies = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
//! let documents = load(&policies, &["immidb"])?;
//! let mut options = Options::new(7, time::macros::utc_datetime!(2026-11-22 00:00));
//! options.clauses.insert("R-11".to_owned());
//! let outcome = trial(ModelFactory, &documents, &options)?;
//! assert_eq!(outcome.verdict("R-11").map(|verdict| verdict.status), Some(Status::Kept));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Features
//! - `embedded` (default): the assembled `covenant` on its embedded stores as subject, and the
//!   binary `conformance`.
//! - `suite`: the macro `suite!`, one test per clause of a policy of your own.
#![forbid(unsafe_code)]

pub mod act;
pub mod brief;
pub mod canary;
pub mod cli;
pub mod clock;
#[cfg(feature = "embedded")]
mod embedded;
pub mod evidence;
pub mod expected;
mod figures;
mod history;
pub mod json;
pub mod matrix;
pub mod progress;
pub mod report;
pub mod runner;
mod sabotage;
pub mod scenario;
pub mod stage;
pub mod status;
mod subject;
#[cfg(feature = "suite")]
pub mod suite;
pub mod testing;
mod trace;
mod trace_sabotage;
pub mod verdict;
pub mod watch;

pub use act::{Act, ActKind, Seen};
pub use canary::{Canary, Sightings};
#[cfg(feature = "embedded")]
pub use embedded::{EmbeddedFactory, EmbeddedOneWayOpen};
pub use runner::{Options, Outcome, run};
pub use sabotage::{Sabotage, UnknownSabotage};
pub use scenario::Scenario;
pub use stage::{Stage, Stop};
pub use subject::{
    BuildError, Can, CrashPoint, NoSubject, Refusal, Subject, SubjectError, SubjectFactory,
    SubjectInfo,
};
pub use trace::Entry;
pub use trace_sabotage::{TraceOutcome, TraceSabotage, attempt};
