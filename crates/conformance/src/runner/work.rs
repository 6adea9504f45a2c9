//! One run of one scenario on one subject, in a thread of its own: a panic or a hang ends the run
//! and nothing else.

use std::error::Error;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use covenant_core::ManualClock;
use policy_document::Document;
use policy_document::monitor::{Monitor, Watched};
use time::UtcDateTime;

use super::plan::Setting;
use crate::act::ActKind;
use crate::brief::{Brief, Figures};
use crate::clock::Simulator;
use crate::history::{self, Past, Stopped};
use crate::sabotage::Sabotage;
use crate::scenario::Scenario;
use crate::stage::{Record, Stage, Stop};
use crate::subject::{BuildError, SubjectFactory};
use crate::trace::judge;
use crate::trace_sabotage::{Teeth, teeth};

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
    /// What the monitors of its clauses say of it.
    pub(crate) watched: Vec<Watched>,
    /// What they make of mutations of what was recorded.
    pub(crate) teeth: Vec<Teeth>,
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
    /// The monitors that listen.
    pub(crate) monitors: Vec<Monitor>,
}

/// Runs a scenario in a thread of its own.
pub(crate) fn isolated(errand: Errand, limit: Duration) -> Run {
    let setting = errand.setting;
    let done = alone(errand.scenario.id, limit, move || run(&errand));
    done.unwrap_or_else(|reason| Run::ended(setting, End::Error(reason)))
}

/// Lives through a history in a thread of its own.
pub(crate) fn isolated_history(errand: history::Errand, limit: Duration) -> Past {
    let stopped = |reason| Past::stopped(Stopped::Error(reason));
    let done = alone("history", limit, move || match runtime() {
        Ok(runtime) => runtime.block_on(history::live(&errand, history::DAYS)),
        Err(error) => stopped(format!("no runtime could be started: {error}")),
    });
    done.unwrap_or_else(stopped)
}

impl Run {
    fn ended(Setting { start, seed }: Setting, end: End) -> Self {
        Self {
            start,
            seed,
            until: start,
            record: Record::default(),
            watched: Vec::new(),
            teeth: Vec::new(),
            end,
        }
    }
}

/// Works in a thread of its own, for at most `limit` of real time. A thread that hangs is left alone.
fn alone<T: Send + 'static>(
    name: &str,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // the receiver is gone only when this work has already been given up
            sender.send(work()).unwrap_or_default();
        });
    let thread = thread.map_err(|error| format!("no thread could be started: {error}"))?;
    match receiver.recv_timeout(limit) {
        Ok(done) => Ok(done),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(format!(
            "did not end within {} s of real time",
            limit.as_secs()
        )),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let payload = thread.join().err();
            let text = payload.as_ref().and_then(|payload| {
                let text = payload.downcast_ref::<String>().map(String::as_str);
                text.or_else(|| payload.downcast_ref::<&str>().copied())
            });
            let text = text.unwrap_or("without a message");
            Err(format!("panicked: {text}"))
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build()
}

fn run(errand: &Errand) -> Run {
    match runtime() {
        Ok(runtime) => runtime.block_on(perform(errand)),
        Err(error) => {
            let reason = format!("no runtime could be started: {error}");
            Run::ended(errand.setting, End::Error(reason))
        }
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
        monitors,
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
            return Run::ended(errand.setting, end);
        }
    };
    let simulator = Simulator::new(clock);
    let brief = Brief::new(figures.clone());
    let mut stage = Stage::new(subject.as_mut(), &simulator, &brief, *seed, *sabotage);
    if !monitors.is_empty() {
        stage.listen();
    }
    let ended = (scenario.run)(&mut stage).await;
    let heard = match &ended {
        Ok(()) => stage.heard().await,
        Err(_) => Ok(None),
    };
    let watched = heard.map_err(|stop| chain(&stop)).and_then(|heard| {
        let Some((trace, end)) = heard else {
            return Ok((Vec::new(), Vec::new()));
        };
        let watched = judge(monitors.clone(), trace.events(), end);
        let watched = watched.map_err(|error| chain(&error))?;
        let teeth = teeth(monitors, &watched, trace.events(), end);
        Ok((watched, teeth))
    });
    let until = stage.now();
    let record = stage.into_record();
    let ((watched, teeth), unheard) = match watched {
        Ok(both) => (both, None),
        Err(reason) => ((Vec::new(), Vec::new()), Some(reason)),
    };
    let end = match ended {
        _ if record.failure.is_some() => End::Failed,
        Ok(()) if unheard.is_some() => End::Error(unheard.unwrap_or_default()),
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
        watched,
        teeth,
        end,
    }
}

/// The error and what lies beneath it, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
