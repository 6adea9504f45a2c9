//! One run of one scenario on one subject, in a thread of its own: a panic or a hang ends the run
//! and nothing else.

use std::error::Error;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use covenant_core::ManualClock;
use policy_document::Document;
use time::UtcDateTime;

use super::plan::Setting;
use crate::act::ActKind;
use crate::brief::{Brief, Figures};
use crate::clock::Simulator;
use crate::sabotage::Sabotage;
use crate::scenario::Scenario;
use crate::stage::{Record, Stage, Stop};
use crate::subject::{BuildError, SubjectFactory};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// To its end, every check held.
    Passed,
    /// A check failed; which, is in the record.
    Failed,
    /// An act is not supported.
    Unsupported(ActKind),
    /// A panic, a hang, a premise that did not hold, an act refused for no reason.
    Error(String),
    /// The subject did not start.
    NotStarted(String),
}

/// What came of a run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) start: UtcDateTime,
    pub(crate) seed: u64,
    pub(crate) until: UtcDateTime,
    pub(crate) record: Record,
    pub(crate) end: End,
}

/// All that a run needs, owned, since a run that hangs outlives its caller's patience.
#[derive(Clone)]
pub(crate) struct Errand {
    pub(crate) factory: Arc<dyn SubjectFactory>,
    pub(crate) document: Arc<Document>,
    pub(crate) scenario: &'static Scenario,
    pub(crate) figures: Figures,
    pub(crate) setting: Setting,
    pub(crate) sabotage: Option<Sabotage>,
}

/// Runs in a thread of its own, for at most `limit` of real time. A thread that hangs is left alone.
pub(crate) fn isolated(errand: Errand, limit: Duration) -> Run {
    let Setting { start, seed } = errand.setting;
    let broken = |reason: String| Run {
        start,
        seed,
        until: start,
        record: Record::default(),
        end: End::Error(reason),
    };
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name(errand.scenario.id.to_owned())
        .spawn(move || {
            // the receiver is gone only when this run has already been given up
            sender.send(run(&errand)).unwrap_or_default();
        });
    let thread = match thread {
        Ok(thread) => thread,
        Err(error) => return broken(format!("no thread could be started: {error}")),
    };
    match receiver.recv_timeout(limit) {
        Ok(run) => run,
        Err(mpsc::RecvTimeoutError::Timeout) => broken(format!(
            "did not end within {} s of real time",
            limit.as_secs()
        )),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let payload = thread.join().err();
            let text = payload.as_ref().and_then(|payload| {
                let text = payload.downcast_ref::<String>().map(String::as_str);
                text.or_else(|| payload.downcast_ref::<&str>().copied())
            });
            broken(format!("panicked: {}", text.unwrap_or("without a message")))
        }
    }
}

fn run(errand: &Errand) -> Run {
    let Setting { start, seed } = errand.setting;
    let at_start = |end| Run {
        start,
        seed,
        until: start,
        record: Record::default(),
        end,
    };
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(perform(errand)),
        Err(error) => at_start(End::Error(format!("no runtime could be started: {error}"))),
    }
}

async fn perform(errand: &Errand) -> Run {
    let Errand {
        factory,
        document,
        scenario,
        figures,
        setting: Setting { start, seed },
        sabotage,
    } = errand;
    let clock = Arc::new(ManualClock::at(*start));
    let built = factory.build(Arc::clone(&clock), document, *sabotage).await;
    let mut subject = match built {
        Ok(subject) => subject,
        Err(error) => {
            let text = chain(&error);
            let end = match error {
                BuildError::NotStarted { .. } => End::NotStarted(text),
                BuildError::Sabotage(_) => End::Error(text),
            };
            return Run {
                start: *start,
                seed: *seed,
                until: *start,
                record: Record::default(),
                end,
            };
        }
    };
    let simulator = Simulator::new(clock);
    let brief = Brief::new(figures.clone());
    let mut stage = Stage::new(subject.as_mut(), &simulator, &brief, *seed, *sabotage);
    let ended = (scenario.run)(&mut stage).await;
    let until = stage.now();
    let record = stage.into_record();
    let end = match ended {
        _ if record.failure.is_some() => End::Failed,
        Ok(()) if record.checks == 0 => End::Error("no check was made".to_owned()),
        Ok(()) => End::Passed,
        Err(Stop::Unsupported(act)) => End::Unsupported(act),
        Err(stop) => End::Error(chain(&stop)),
    };
    Run {
        start: *start,
        seed: *seed,
        until,
        record,
        end,
    }
}

/// The error and what lies beneath it, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
