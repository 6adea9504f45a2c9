//! What a subject recorded while something ran, put in the order of true time, and judged by the
//! monitors of a document.
//!
//! A wrong wall clock stamps events with wrong times. Whoever moved the clock knows by how much, so
//! those events are dated back before a monitor sees them; a production log has no such witness.

use std::collections::BTreeSet;

use covenant_core::{Action, Event, EventId};
use policy_document::monitor::{
    Monitor, MonitorSet, Pattern, Recorded, Rhythm, WatchError, Watched,
};
use policy_document::{Document, Judgement};
use time::{Duration, UtcDateTime};

/// One entry of a subject's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an entry is an id and what was recorded under it"
)]
pub struct Entry {
    /// The event's id.
    pub id: EventId,
    /// What was recorded.
    pub recorded: Recorded,
}

impl From<&Event> for Entry {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id,
            recorded: Recorded::from(event),
        }
    }
}

/// What the wall clock showed while some entries were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wall {
    /// The true time.
    Right,
    /// So much more than the true time, from the first instant to the second, in true time.
    Wrong {
        off: Duration,
        from: UtcDateTime,
        until: UtcDateTime,
    },
}

/// Events in the order of true time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    known: BTreeSet<EventId>,
    events: Vec<Recorded>,
    misdated: u64,
}

/// A backup that was made under a clock which was wrong by more than this ends by that clock, and
/// is not judged: how far the ends of backups may be off without any promise being touched.
const MISDATED: Duration = Duration::DAY;

impl Trace {
    pub(crate) const fn new() -> Self {
        Self {
            known: BTreeSet::new(),
            events: Vec::new(),
            misdated: 0,
        }
    }

    /// Takes the entries that are not in it yet; they were written under this wall clock.
    pub(crate) fn take(&mut self, entries: Vec<Entry>, wall: Wall) {
        for Entry { id, mut recorded } in entries {
            if !self.known.insert(id) {
                continue;
            }
            if let Wall::Wrong { off, from, until } = wall {
                if off.abs() > MISDATED && recorded.action == Action::BackupCompleted {
                    self.misdated = self.misdated.saturating_add(1);
                    continue;
                }
                let right = recorded.at.checked_sub(off).unwrap_or(from);
                recorded.at = right.clamp(from, until);
            }
            self.events.push(recorded);
        }
        self.events.sort_by_key(|event| event.at);
    }

    /// The events.
    pub(crate) fn events(&self) -> &[Recorded] {
        &self.events
    }

    /// How many backups are left out, since a clock that was days off dated them.
    pub(crate) const fn misdated(&self) -> u64 {
        self.misdated
    }

    /// Those before the instant.
    pub(crate) fn before(&self, end: UtcDateTime) -> &[Recorded] {
        let len = self.events.partition_point(|event| event.at < end);
        self.events.get(..len).unwrap_or_default()
    }
}

/// Judges the events with these monitors as of `end`. What has to be in one transaction can be judged
/// only where transactions are known; where none is, such a monitor sees no case.
pub(crate) fn judge(
    monitors: impl IntoIterator<Item = Monitor>,
    events: &[Recorded],
    end: UtcDateTime,
) -> Result<Vec<Watched>, WatchError> {
    let known = events.iter().any(|event| event.txn.is_some());
    let told = |monitor: &Monitor| known || !matches!(monitor.pattern(), Pattern::Always { .. });
    let mut set = MonitorSet::new(monitors.into_iter().filter(told));
    for event in events {
        set.see(&event.observed())?;
    }
    Ok(set.close(end))
}

/// The monitors of a document that its clauses name.
pub(crate) fn named(document: &Document) -> Vec<Monitor> {
    let is_named = |monitor: &Monitor| {
        let clause = document.clause(&monitor.clause());
        clause.is_ok_and(|clause| {
            let mut specs = clause.verify.monitors.iter();
            specs.any(|spec| spec.names(monitor.pattern()))
        })
    };
    let all = document.monitors();
    all.into_iter().filter(is_named).collect()
}

/// Whether a monitor looks for something that comes more than once a day: only a stretch under the
/// promised cadence can show it.
pub(crate) fn is_hasty(monitor: &Monitor) -> bool {
    match monitor.pattern() {
        Pattern::Every {
            rhythm: Rhythm::Period(period),
            ..
        } => {
            let reading = covenant_core::Reading::default();
            period.bounds(&reading).longest_secs < 86_400
        }
        _ => false,
    }
}

/// Whether a case failed.
pub(crate) const fn is_violated(watched: &Watched) -> bool {
    matches!(watched.judgement, Judgement::Violated(_))
}

#[cfg(test)]
mod tests {
    use covenant_core::event::{ActorContext, Target};
    use covenant_core::{ItemId, Outcome};
    use time::macros::utc_datetime;
    use uuid::Uuid;

    use super::*;

    fn entry(number: u128, at: UtcDateTime) -> Entry {
        let id = EventId::from_uuid(Uuid::from_u128(number));
        let target = Target::operator("clock", ItemId::from(1_i64));
        let actor = ActorContext::system();
        let event = Event::new(id, at, actor, Action::ClockStepped, target, Outcome::Ok);
        Entry::from(&event)
    }

    #[test]
    fn what_a_wrong_clock_stamped_is_dated_back_and_nothing_is_taken_twice() {
        let (from, until) = (
            utc_datetime!(2027-05-01 12:00),
            utc_datetime!(2027-05-01 13:00),
        );
        let off = Duration::days(400);
        let mut trace = Trace::default();
        let first = entry(1, utc_datetime!(2027-05-01 11:00));
        trace.take(vec![first.clone()], Wall::Right);
        let wrong = entry(2, from + off + Duration::minutes(30));
        // stamped from what was trusted, not from the wall
        let early = entry(3, utc_datetime!(2027-04-01 0:00));
        let entries = vec![first.clone(), wrong, early];
        trace.take(entries.clone(), Wall::Wrong { off, from, until });
        trace.take(entries, Wall::Right);
        let times: Vec<_> = trace.events().iter().map(|event| event.at).collect();
        assert_eq!(
            times,
            [first.recorded.at, from, from + Duration::minutes(30)]
        );
        assert_eq!(trace.before(from).len(), 1);
    }
}
