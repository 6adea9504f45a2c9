//! The long random history of one document: fourteen virtual months in the life of a few tenants, who
//! come, delete, purge and leave, with faults, crashes and wrong clocks, to which all monitors of the
//! document listen.
//!
//! Everything follows from the seed, so a sabotaged system lives through the same history: it is run
//! again from the same seed, which is cheaper than a copy of a folder for each sabotage, and ends as
//! soon as the monitors object. What the subject cannot do is left out, and named in the notes.

mod life;
mod plan;

use std::collections::BTreeSet;
use std::sync::Arc;

use covenant_core::{ClauseId, ManualClock};
use policy_document::Document;
use policy_document::monitor::{Monitor, Recorded, Watched};
use time::macros::utc_datetime;
use time::{Duration, UtcDateTime};

use crate::clock::Simulator;
use crate::sabotage::Sabotage;
use crate::stage::Stop;
use crate::subject::{BuildError, SubjectFactory};
use crate::trace::{Trace, is_hasty, is_violated, judge, named};
use crate::trace_sabotage::{Teeth, teeth};

use life::Life;

/// When every history starts: the afternoon of the last day of a month.
pub(crate) const START: UtcDateTime = utc_datetime!(2027-01-31 12:00);
/// Days of a history: fourteen months, with both changes of clocks and the end of a leap February.
pub(crate) const DAYS: u16 = 425;
/// For so long backups run as the document promises; afterwards once a day where that is less.
const PROMISED_CADENCE: Duration = Duration::hours(36);
/// Days after which the monitors of a sabotaged history are asked whether they object already.
const ASKED_EVERY_DAYS: u16 = 30;

/// What came of a history.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    /// When it ended.
    pub(crate) until: UtcDateTime,
    /// What was recorded, in the order of true time.
    pub(crate) trace: Vec<Recorded>,
    /// What the monitors that clauses name say.
    pub(crate) watched: Vec<Watched>,
    /// What they make of mutations of the trace.
    pub(crate) teeth: Vec<Teeth>,
    /// Acts that were done.
    pub(crate) acts: u64,
    /// What the subject cannot do, and was therefore left out.
    pub(crate) absent: BTreeSet<String>,
    /// Why it did not come to its end.
    pub(crate) stopped: Option<Stopped>,
}

/// Why a history did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The subject did not start.
    NotStarted(String),
    /// The subject lacks an act without which there is no history.
    Unsupported(String),
    /// The subject failed, or its log cannot be judged.
    Error(String),
}

impl Past {
    pub(crate) fn stopped(stopped: Stopped) -> Self {
        Self {
            until: START,
            trace: Vec::new(),
            watched: Vec::new(),
            teeth: Vec::new(),
            acts: 0,
            absent: BTreeSet::new(),
            stopped: Some(stopped),
        }
    }

    /// Whether a monitor of the clause objects.
    pub(crate) fn objects(&self, clause: ClauseId) -> bool {
        let mut own = self.watched.iter().filter(|w| w.clause == clause);
        own.any(is_violated)
    }
}

/// All that a history needs, owned, since one that hangs outlives its caller's patience.
#[derive(Clone)]
pub(crate) struct Errand {
    pub(crate) factory: Arc<dyn SubjectFactory>,
    pub(crate) document: Arc<Document>,
    pub(crate) seed: u64,
    /// The sabotage, and the clauses whose monitors must object to it.
    pub(crate) sabotage: Option<(Sabotage, Vec<ClauseId>)>,
}

/// Lives through the history.
pub(crate) async fn live(errand: &Errand, days: u16) -> Past {
    let clock = Arc::new(ManualClock::at(START));
    let sabotage = errand.sabotage.as_ref().map(|(sabotage, _)| *sabotage);
    let built = errand
        .factory
        .build(Arc::clone(&clock), &errand.document, sabotage)
        .await;
    let mut subject = match built {
        Ok(subject) => subject,
        Err(error @ BuildError::NotStarted { .. }) => {
            return Past::stopped(Stopped::NotStarted(error.to_string()));
        }
        Err(error) => return Past::stopped(Stopped::Error(error.to_string())),
    };
    let monitors = named(&errand.document);
    let simulator = Simulator::new(clock);
    let mut life = Life::new(subject.as_mut(), &simulator, errand.seed);
    let ended = go(&mut life, errand, &monitors, days).await;
    let mut past = Past {
        until: life.now(),
        trace: life.trace().events().to_vec(),
        watched: Vec::new(),
        teeth: Vec::new(),
        acts: life.acts(),
        absent: life.absent().clone(),
        stopped: match ended {
            Ok(()) => None,
            Err(Stop::Unsupported(act)) => Some(Stopped::Unsupported(format!("{act}"))),
            Err(stop) => Some(Stopped::Error(chain(&stop))),
        },
    };
    if life.trace().misdated() > 0 {
        past.absent.insert(format!(
            "{} backups that a clock days ahead dated: they end by that clock",
            life.trace().misdated()
        ));
    }
    match judged(&monitors, life.trace(), past.until) {
        Ok(watched) => {
            if errand.sabotage.is_none() {
                let (hasty, other): (Vec<_>, Vec<_>) = monitors.into_iter().partition(is_hasty);
                let stretch = after(START, PROMISED_CADENCE);
                let (end, trace) = (past.until, life.trace());
                past.teeth = teeth(&other, &watched, trace.events(), end);
                let first = teeth(&hasty, &watched, trace.before(stretch), stretch);
                past.teeth.extend(first);
            }
            past.watched = watched;
        }
        Err(error) => past.stopped = Some(Stopped::Error(chain(&error))),
    }
    past
}

async fn go(
    life: &mut Life<'_>,
    errand: &Errand,
    monitors: &[Monitor],
    days: u16,
) -> Result<(), Stop> {
    let hasty = monitors.iter().any(is_hasty);
    life.begin().await?;
    life.pass_until(after(START, PROMISED_CADENCE)).await?;
    if hasty {
        life.back_up_daily().await?;
    }
    for day in 2..days {
        for step in plan::day(errand.seed, day) {
            life.pass_until(after(START, step.after)).await?;
            life.take(step.what).await?;
        }
        if let Some((_, clauses)) = &errand.sabotage
            && day.checked_rem(ASKED_EVERY_DAYS) == Some(0)
        {
            life.listen().await?;
            let watched = judged(monitors, life.trace(), life.now());
            let watched = watched.map_err(|error| Stop::Premise {
                premise: "the log can be judged".to_owned(),
                observed: chain(&error),
            })?;
            let objects = |clause: &ClauseId| {
                let mut own = watched.iter().filter(|w| w.clause == *clause);
                own.any(is_violated)
            };
            if clauses.iter().all(objects) {
                return Ok(());
            }
        }
    }
    life.pass_until(after(START, Duration::days(i64::from(days))))
        .await?;
    life.listen().await
}

/// What the monitors say: those that look for more than one event a day over the stretch under the
/// promised cadence, the others over all of it.
fn judged(
    monitors: &[Monitor],
    trace: &Trace,
    end: UtcDateTime,
) -> Result<Vec<Watched>, policy_document::monitor::WatchError> {
    let (hasty, other): (Vec<_>, Vec<_>) = monitors.iter().cloned().partition(is_hasty);
    let stretch = after(START, PROMISED_CADENCE).min(end);
    let mut watched = judge(other, trace.events(), end)?;
    watched.extend(judge(hasty, trace.before(stretch), stretch)?);
    watched.sort_by_key(|watched| watched.clause);
    Ok(watched)
}

fn after(from: UtcDateTime, by: Duration) -> UtcDateTime {
    from.checked_add(by).unwrap_or(UtcDateTime::MAX)
}

/// The error and what lies beneath it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    crate::runner::chain(error)
}
