//! Many monitors over one history: each event goes to those that look for its action, and to no
//! other.

use std::collections::BTreeMap;

use covenant_core::{Action, ClauseId};
use time::UtcDateTime;

use super::tally::{Judgement, Margin};
use super::{Monitor, MonitorError, Observed, Pattern};

/// Monitors that are fed the same events.
///
/// ```
/// use covenant_core::Action;
/// use policy_document::monitor::{Judgement, MonitorSet, Observed};
/// use policy_document::Document;
/// use time::macros::utc_datetime;
///
/// let document = Document::parse(include_str!("../../../../policies/prodb.toml"));
/// let mut set = MonitorSet::new(document.expect("the policy is sound").monitors());
/// set.see(&Observed::new(utc_datetime!(2027-01-01 12:00), Action::DatabaseDeleted))?;
/// set.see(&Observed::new(utc_datetime!(2027-02-01 12:00), Action::DatabasePurged))?;
/// let watched = set.close(utc_datetime!(2027-03-01 0:00));
/// let late = watched.iter().filter(|w| matches!(w.judgement, Judgement::Violated(_)));
/// assert_eq!(late.map(|w| w.clause.to_string()).collect::<Vec<_>>(), ["P-59"]);
/// # Ok::<(), policy_document::monitor::WatchError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MonitorSet {
    monitors: Vec<Monitor>,
    /// Which monitors look for an action.
    interested: BTreeMap<Action, Vec<usize>>,
    seen: u64,
    last: Option<UtcDateTime>,
}

/// What one monitor says of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watched {
    /// The clause.
    pub clause: ClauseId,
    /// What was looked for.
    pub pattern: Pattern,
    /// How many cases were decided, the failed ones included.
    pub cases: u64,
    /// The decided case that was nearest to failing and did not, where the pattern is about time.
    pub worst: Option<Margin>,
    /// The judgement.
    pub judgement: Judgement,
}

/// The history cannot be judged from this event on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event {position} of the history cannot be judged")]
pub struct WatchError {
    /// The event, counted from 1 over all that were fed.
    pub position: u64,
    /// Why.
    #[source]
    pub error: MonitorError,
}

/// One step of a history.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Step<'a> {
    /// Something happened.
    Event(Observed<'a>),
    /// What happened after `from` and before `until` is not known.
    Gap {
        /// The last known instant before it.
        from: UtcDateTime,
        /// The first known instant after it.
        until: UtcDateTime,
    },
}

/// Feeds a whole history to the monitors and judges it as of `end`.
///
/// # Errors
/// [`WatchError`] with the position of the event that cannot be judged.
pub fn watch<'a>(
    monitors: impl IntoIterator<Item = Monitor>,
    history: impl IntoIterator<Item = Step<'a>>,
    end: UtcDateTime,
) -> Result<Vec<Watched>, WatchError> {
    let mut set = MonitorSet::new(monitors);
    for step in history {
        match step {
            Step::Event(event) => set.see(&event)?,
            Step::Gap { from, until } => set.gap(from, until)?,
        }
    }
    Ok(set.close(end))
}

impl MonitorSet {
    /// A set of these.
    pub fn new(monitors: impl IntoIterator<Item = Monitor>) -> Self {
        let monitors: Vec<_> = monitors.into_iter().collect();
        let mut interested: BTreeMap<Action, Vec<usize>> = BTreeMap::new();
        for (at, monitor) in monitors.iter().enumerate() {
            for action in monitor.pattern().actions() {
                interested.entry(action).or_default().push(at);
            }
        }
        Self {
            monitors,
            interested,
            seen: 0,
            last: None,
        }
    }

    /// Takes the next event; see [`Monitor::see`].
    ///
    /// # Errors
    /// [`WatchError`] when it is out of order (no monitor has then seen it), or when a monitor
    /// cannot take it (those before it in the set have); nothing sound can be said after that.
    pub fn see(&mut self, event: &Observed<'_>) -> Result<(), WatchError> {
        self.seen = self.seen.saturating_add(1);
        self.in_order(event.at)?;
        self.last = Some(event.at);
        let Some(interested) = self.interested.get(&event.action) else {
            return Ok(());
        };
        if !event.happened() {
            return Ok(());
        }
        for at in interested {
            if let Some(monitor) = self.monitors.get_mut(*at) {
                let taken = monitor.take(event);
                taken.map_err(|error| WatchError {
                    position: self.seen,
                    error,
                })?;
            }
        }
        Ok(())
    }

    /// What happened after `from` and before `until` is not known: every case that was open then, or
    /// that could have been opened or met in between, is not decided; see [`Monitor::gap`].
    ///
    /// # Errors
    /// [`WatchError`] when the gap begins before the last event or ends before it begins.
    pub fn gap(&mut self, from: UtcDateTime, until: UtcDateTime) -> Result<(), WatchError> {
        self.in_order(from)?;
        if until < from {
            let error = MonitorError::OutOfOrder {
                at: until,
                last: from,
            };
            return Err(self.failed(error));
        }
        self.last = Some(until);
        for monitor in &mut self.monitors {
            monitor.lose(from, until);
        }
        Ok(())
    }

    /// Ends the history at `at`, or at its last event if that is later, and judges it; one entry for
    /// each monitor, in the order in which they were given.
    #[must_use]
    pub fn close(self, at: UtcDateTime) -> Vec<Watched> {
        let at = self.last.map_or(at, |last| last.max(at));
        self.monitors.into_iter().map(|m| m.watched(at)).collect()
    }

    /// How many events were fed.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// The monitors, in the order in which they were given.
    #[must_use]
    pub fn monitors(&self) -> &[Monitor] {
        &self.monitors
    }

    fn in_order(&self, at: UtcDateTime) -> Result<(), WatchError> {
        match self.last {
            Some(last) if at < last => Err(self.failed(MonitorError::OutOfOrder { at, last })),
            _ => Ok(()),
        }
    }

    const fn failed(&self, error: MonitorError) -> WatchError {
        WatchError {
            position: self.seen,
            error,
        }
    }
}

impl Watched {
    /// Whether a case was decided and none failed; cases may still be open.
    #[must_use]
    pub const fn held(&self) -> bool {
        !matches!(self.judgement, Judgement::Violated(_)) && self.cases > 0
    }
}
