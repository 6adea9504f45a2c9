//! What happened, judged against a promise: a pattern over events, fed in order of time.
//!
//! One code for the simulation, the tests and a production log. A monitor holds one record for each
//! open case and nothing of what is settled; it takes the time from the events and asks no clock.

mod bonds;
mod derive;
mod exported;
mod limit;
mod observed;
mod pattern;
mod recorded;
mod set;
mod spec;
mod tally;
mod timed;
mod txn;

use covenant_core::{ClauseId, PeriodError, Reading};
use time::UtcDateTime;

pub use exported::{EXPORTED_LINE_LEN_BYTES_MAX, ExportedError, OPERATOR_LOG};
pub use observed::{Attribute, Attributes, CaseKey, Observed, TEXT_LEN_BYTES_MAX};
pub use pattern::{Cases, Pattern, Rhythm};
pub use recorded::{Recorded, Value};
pub use set::{MonitorSet, Step, WatchError, Watched, watch};
pub use spec::{MonitorSpec, MonitorSpecError, SPEC_LEN_BYTES_MAX};
pub use tally::{Breach, Judgement, Margin, Open, Undecided, VIOLATIONS_MAX, Violation};
pub use txn::TXN_SPAN_SECS;

pub(crate) use derive::derived;

use bonds::{Before, Member, Never, Unique};
use limit::Limits;
use observed::Key;
use tally::{Case, Tally};
use timed::Timed;
use txn::Always;

/// Most records that one monitor holds: eight times the open cases of a large tenant's month; at
/// about 200 bytes each they are 200 MiB, so that hostile input ends in an error, not in swapping.
pub const OPEN_CASES_MAX: usize = 1 << 20;

/// An event could not be judged; the monitor is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The event is earlier than the one before it.
    #[error("an event of {at} came after one of {last}")]
    OutOfOrder {
        /// When the event happened.
        at: UtcDateTime,
        /// When the one before it happened.
        last: UtcDateTime,
    },
    /// The period of the promise leads outside the calendar.
    #[error("the end of the period cannot be computed")]
    Period(#[source] PeriodError),
    /// An id or an attribute is longer than any that is recorded.
    #[error("an id or an attribute is too long")]
    TooLong,
    /// More than [`OPEN_CASES_MAX`] cases are open.
    #[error("too many cases are open")]
    TooManyCases,
}

/// A promise, watched.
///
/// ```
/// use covenant_core::{Action, ClauseId, Reading};
/// use policy_document::monitor::{Cases, Judgement, Monitor, Observed, Pattern};
/// use time::macros::utc_datetime;
///
/// let clause: ClauseId = "P-59".parse()?;
/// let pattern = Pattern::Within {
///     from: [Action::DatabaseDeleted].into(),
///     to: Action::DatabasePurged,
///     max: "P30D".parse()?,
///     late: "PT0S".parse()?,
///     ended_by: [Action::DatabaseRestored].into(),
///     cases: Cases::Tenant,
/// };
/// let mut monitor = Monitor::new(clause, pattern, &Reading::default());
/// monitor.see(&Observed::new(utc_datetime!(2027-01-01 12:00), Action::DatabaseDeleted))?;
/// monitor.see(&Observed::new(utc_datetime!(2027-01-31 12:00:01), Action::DatabasePurged))?;
/// let judgement = monitor.close(utc_datetime!(2027-03-01 0:00));
/// assert!(matches!(judgement, Judgement::Violated(all) if all.len() == 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Monitor {
    clause: ClauseId,
    pattern: Pattern,
    last: Option<UtcDateTime>,
    watch: Watch,
    tally: Tally,
}

/// The state that a pattern needs.
#[derive(Debug, Clone)]
enum Watch {
    Always(Always),
    Before(Before),
    Member(Member),
    Never(Never),
    Timed(Timed),
    Unique(Unique),
}

impl Monitor {
    /// A monitor that has seen nothing. Periods are read as `reading` says: a ceiling ends at the
    /// earliest reading, a floor at the latest.
    #[must_use]
    pub fn new(clause: ClauseId, pattern: Pattern, reading: &Reading) -> Self {
        let watch = match &pattern {
            Pattern::Within { max, late, .. } => {
                Watch::Timed(Timed::new(Limits::ceiling(*max, *late, reading)))
            }
            Pattern::NotBefore { min, early, .. } => {
                Watch::Timed(Timed::new(Limits::floor(*min, *early, reading)))
            }
            Pattern::Every { rhythm, late, .. } => {
                Watch::Timed(Timed::new(Limits::rhythm(*rhythm, *late, reading)))
            }
            Pattern::Never { .. } => Watch::Never(Never::default()),
            Pattern::Always { .. } => Watch::Always(Always::default()),
            Pattern::Before { .. } => Watch::Before(Before::default()),
            Pattern::Member { .. } => Watch::Member(Member),
            Pattern::Unique { .. } => Watch::Unique(Unique::default()),
        };
        Self {
            clause,
            pattern,
            last: None,
            watch,
            tally: Tally::default(),
        }
    }

    /// Takes the next event. Events of the same instant count in the order in which they come.
    ///
    /// What was refused or failed did not happen, and is passed over; only an action that names a
    /// refusal or a failure (`access.denied`, `field.refused`, `refused.held`, `backup.failed`)
    /// counts whatever its outcome.
    ///
    /// # Errors
    /// [`MonitorError`]; the event is then not counted, and the monitor may be fed on.
    pub fn see(&mut self, event: &Observed<'_>) -> Result<(), MonitorError> {
        if let Some(last) = self.last.filter(|last| event.at < *last) {
            return Err(MonitorError::OutOfOrder { at: event.at, last });
        }
        if event.happened() {
            self.take(event)?;
        }
        self.last = Some(event.at);
        Ok(())
    }

    /// What happened after `from` and before `until` is not known. A case that was due before the
    /// gap failed, one that was over held; every other open case is not decided, and neither is what
    /// the gap itself may hold, so that the judgement is [`Judgement::Pending`] at best.
    ///
    /// # Errors
    /// [`MonitorError::OutOfOrder`] when the gap begins before the last event or ends before it
    /// begins.
    pub fn gap(&mut self, from: UtcDateTime, until: UtcDateTime) -> Result<(), MonitorError> {
        let (at, last) = match self.last {
            Some(last) if from < last => (from, last),
            _ if until < from => (until, from),
            _ => {
                self.lose(from, until);
                self.last = Some(until);
                return Ok(());
            }
        };
        Err(MonitorError::OutOfOrder { at, last })
    }

    /// Ends the history at `at`, or at its last event if that is later, and judges it. A ceiling
    /// that ends exactly then may still be met: its case is open.
    #[must_use]
    pub fn close(self, at: UtcDateTime) -> Judgement {
        self.watched(at).judgement
    }

    /// An event that happened and is not out of order.
    fn take(&mut self, event: &Observed<'_>) -> Result<(), MonitorError> {
        let (pattern, tally) = (&self.pattern, &mut self.tally);
        match &mut self.watch {
            Watch::Always(watch) => watch.see(pattern, event, tally),
            Watch::Before(watch) => watch.see(pattern, event, tally),
            Watch::Member(watch) => watch.see(pattern, event, tally),
            Watch::Never(watch) => watch.see(pattern, event, tally),
            Watch::Timed(watch) => watch.see(pattern, event, tally),
            Watch::Unique(watch) => watch.see(pattern, event, tally),
        }
    }

    fn lose(&mut self, from: UtcDateTime, until: UtcDateTime) {
        let tally = &mut self.tally;
        match &mut self.watch {
            Watch::Always(watch) => watch.lose(from, until, tally),
            Watch::Before(watch) => watch.lose(until),
            Watch::Never(watch) => watch.lose(),
            Watch::Timed(watch) => watch.lose(from, tally),
            Watch::Member(_) | Watch::Unique(_) => {}
        }
        let (since, limit) = (from, until);
        tally.leave_open(Key::first_of(None), Case { since, limit }, Undecided::Gap);
    }

    /// The judgement with what it is about.
    fn watched(self, at: UtcDateTime) -> Watched {
        let at = self.last.map_or(at, |last| last.max(at));
        let mut tally = self.tally;
        match self.watch {
            Watch::Always(watch) => watch.close(at, &mut tally),
            Watch::Timed(watch) => watch.close(&self.pattern, at, &mut tally),
            Watch::Before(_) | Watch::Member(_) | Watch::Never(_) | Watch::Unique(_) => {}
        }
        Watched {
            clause: self.clause,
            pattern: self.pattern,
            cases: tally.decided(),
            worst: tally.worst(),
            judgement: tally.judgement(),
        }
    }

    /// The clause that it watches.
    #[must_use]
    pub const fn clause(&self) -> ClauseId {
        self.clause
    }

    /// What it looks for.
    #[must_use]
    pub const fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The open case to which an event belongs, where the pattern is about time; `None` when there
    /// is none.
    #[must_use]
    pub fn open_case(&self, event: &Observed<'_>) -> Option<Open> {
        let (Watch::Timed(watch), Some(cases)) = (&self.watch, self.pattern.cases()) else {
            return None;
        };
        let key = event.case(cases).ok()?;
        let (_, case) = watch.cases().find(|(own, _)| **own == key)?;
        Some(Open {
            case: key.into(),
            since: case.since,
            limit: case.limit,
            why: Undecided::End,
        })
    }

    /// Records that it holds now.
    #[must_use]
    pub fn open_cases(&self) -> usize {
        match &self.watch {
            Watch::Always(watch) => watch.len(),
            Watch::Before(watch) => watch.len(),
            Watch::Member(_) => 0,
            Watch::Never(watch) => watch.len(),
            Watch::Timed(watch) => watch.len(),
            Watch::Unique(watch) => watch.len(),
        }
    }
}

impl std::fmt::Display for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.clause, self.pattern)
    }
}
