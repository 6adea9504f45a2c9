//! A history from several exported logs, in order of time: each log in its own order, and nothing
//! said of what lies in a gap.

mod bundle;
mod lines;

use policy_document::monitor::{MonitorSet, Recorded};
use time::UtcDateTime;

use crate::output::Failure;
use crate::progress::Progress;

pub(super) use bundle::Bundle;
pub(super) use lines::Lines;

/// One exported log.
#[derive(Debug)]
pub(super) enum Log {
    /// An audit bundle that was found authentic.
    Bundle(Bundle),
    /// JSON Lines.
    Lines(Lines),
}

/// What comes next in a log.
#[derive(Debug)]
pub(super) enum Item {
    /// Something happened.
    Event(Box<Recorded>),
    /// Entries that the log has and the export has not.
    Gap,
}

/// What is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    /// In which log.
    pub(super) log: String,
    /// The last event before it; `None` when the log begins with it.
    pub(super) from: Option<UtcDateTime>,
    /// The first event after it; `None` when the log ends with it.
    pub(super) until: Option<UtcDateTime>,
}

/// What a history was.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// How many events were judged.
    pub(super) events: u64,
    /// The first of them.
    pub(super) first: Option<UtcDateTime>,
    /// The last of them.
    pub(super) last: Option<UtcDateTime>,
    /// What is missing.
    pub(super) gaps: Vec<Gap>,
}

impl Log {
    fn next(&mut self) -> Result<Option<Item>, Failure> {
        match self {
            Self::Bundle(bundle) => bundle.next(),
            Self::Lines(lines) => lines.next(),
        }
    }

    /// The log, and the entry that was read last.
    fn place(&self) -> String {
        match self {
            Self::Bundle(bundle) => bundle.place(),
            Self::Lines(lines) => lines.place(),
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Bundle(bundle) => bundle.name(),
            Self::Lines(lines) => lines.name(),
        }
    }
}

/// A log and its next event.
#[derive(Debug)]
struct Head {
    log: Log,
    event: Option<Box<Recorded>>,
    last: Option<UtcDateTime>,
}

/// Feeds all events up to `until` to the monitors.
///
/// A log that names a gap of its own, with the event `log.gap`, knows nothing of what happened since
/// the event before it.
pub(super) fn feed(
    logs: Vec<Log>,
    until: Option<UtcDateTime>,
    monitors: &mut MonitorSet,
    progress: &Progress,
) -> Result<Told, Failure> {
    let mut told = Told::default();
    let mut unknown = Unknown::default();
    let mut heads = Vec::new();
    for log in logs {
        let mut head = Head {
            log,
            event: None,
            last: None,
        };
        pull(&mut head, &mut told, &mut unknown)?;
        heads.push(head);
    }
    loop {
        let next = heads.iter_mut().filter(|head| head.event.is_some());
        let next = next.min_by_key(|head| head.event.as_ref().map(|event| event.at));
        let Some(head) = next else { break };
        let Some(event) = head.event.take() else {
            break;
        };
        if until.is_some_and(|until| event.at > until) {
            break;
        }
        unknown
            .pass(event.at, monitors)
            .map_err(|what| at(head, &what))?;
        let seen = monitors.see(&event.observed());
        seen.map_err(|error| at(head, &error.error.to_string()))?;
        told.events = told.events.saturating_add(1);
        told.first = told.first.or(Some(event.at));
        told.last = Some(event.at);
        progress.step();
        pull(head, &mut told, &mut unknown)?;
    }
    if let Some(end) = until.or(told.last) {
        let failed = |what: String| Failure::found(what);
        unknown.pass(end, monitors).map_err(failed)?;
        told.gaps
            .retain(|gap| gap.from.is_none_or(|from| from < end));
    }
    Ok(told)
}

/// Takes the next event of a log, and notes what is missing before it.
fn pull(head: &mut Head, told: &mut Told, unknown: &mut Unknown) -> Result<(), Failure> {
    let mut missing = false;
    loop {
        match head.log.next()? {
            Some(Item::Gap) => missing = true,
            Some(Item::Event(event)) => {
                if let Some(last) = head.last.filter(|last| event.at < *last) {
                    let what = format!("an event of {} came after one of {last}", event.at);
                    return Err(at(head, &what));
                }
                if missing || event.action == covenant_core::Action::LogGap {
                    told.gaps.push(Gap {
                        log: head.log.name(),
                        from: head.last,
                        until: Some(event.at),
                    });
                    unknown.until(event.at);
                }
                head.last = Some(event.at);
                head.event = Some(event);
                return Ok(());
            }
            None => {
                if missing {
                    told.gaps.push(Gap {
                        log: head.log.name(),
                        from: head.last,
                        until: None,
                    });
                    unknown.for_ever = true;
                }
                return Ok(());
            }
        }
    }
}

fn at(head: &Head, what: &str) -> Failure {
    Failure::found(format!("{}: {what}", head.log.place()))
}

/// How far nothing is known of some log.
#[derive(Debug, Default)]
struct Unknown {
    /// What the monitors were told last.
    cursor: Option<UtcDateTime>,
    until: Option<UtcDateTime>,
    for_ever: bool,
}

impl Unknown {
    fn until(&mut self, until: UtcDateTime) {
        self.until = self.until.max(Some(until));
    }

    /// Time has come to `now`: what of it lies in a gap is told to the monitors.
    fn pass(&mut self, now: UtcDateTime, monitors: &mut MonitorSet) -> Result<(), String> {
        let from = self.cursor.unwrap_or(UtcDateTime::UNIX_EPOCH.min(now));
        let until = if self.for_ever {
            Some(now)
        } else {
            self.until.map(|until| until.min(now))
        };
        if let Some(until) = until.filter(|until| *until > from) {
            let lost = monitors.gap(from, until);
            lost.map_err(|error| error.error.to_string())?;
        }
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
        }
        self.cursor = Some(now);
        Ok(())
    }
}
