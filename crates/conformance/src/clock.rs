//! Virtual time: the simulator that moves core's `ManualClock` from one due instant to the next.
//!
//! One tick is a second. Time never runs by itself: it jumps to whatever comes first, the scenario's
//! next act or the head of the subject's due-queue. Tokio's own clock is never touched.

use std::sync::Arc;

use covenant_core::{Clock, ManualClock};
use time::{Duration, UtcDateTime};

use crate::subject::{Subject, SubjectError};

/// How often background work may be tried at one and the same instant before the subject counts as
/// stuck: far above what any sound queue needs, a bound of ours.
pub const ROUNDS_AT_ONE_INSTANT_MAX: u32 = 64;

/// Time cannot pass.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The subject keeps naming work that is due, and does not do it.
    #[error("work due at {due} is still due after {ROUNDS_AT_ONE_INSTANT_MAX} rounds")]
    Stuck {
        /// When it was due.
        due: UtcDateTime,
    },
    /// The subject cannot go on.
    #[error("background work failed")]
    Subject(#[from] SubjectError),
}

/// Moves a clock together with the background work of the system that lives by it.
#[derive(Debug)]
pub struct Simulator {
    clock: Arc<ManualClock>,
}

impl Simulator {
    /// A simulator of this clock.
    #[must_use]
    pub const fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock }
    }

    /// The wall time that the clock shows.
    #[must_use]
    pub fn now(&self) -> UtcDateTime {
        self.clock.now()
    }

    /// Steps the wall clock alone, as a person or a bad time server does.
    pub fn step(&self, to: UtcDateTime) {
        self.clock.step(to);
    }

    /// Lets time pass until `at`, doing on the way all background work at the instant at which it
    /// falls due; the clock then shows `at`, or what it showed when that was later.
    ///
    /// # Errors
    /// [`SimulationError`] when the subject fails or gets stuck.
    pub async fn pass_until(
        &self,
        subject: &mut dyn Subject,
        at: UtcDateTime,
    ) -> Result<(), SimulationError> {
        let mut rounds = 0_u32;
        loop {
            let now = self.now();
            let due = subject.next_due().map(whole_second_from);
            let step = due.filter(|due| *due < at).unwrap_or(at).max(now);
            if step > now {
                self.clock.advance_to(step);
                rounds = 0;
            }
            subject.run_until(step).await?;
            let next = subject.next_due().map(whole_second_from);
            match next {
                Some(due) if due <= step => {
                    rounds = rounds.saturating_add(1);
                    if rounds >= ROUNDS_AT_ONE_INSTANT_MAX {
                        return Err(SimulationError::Stuck { due });
                    }
                }
                _ if step >= at => return Ok(()),
                _ => {}
            }
        }
    }
}

/// The instant itself when it is a whole second, else the next one.
fn whole_second_from(at: UtcDateTime) -> UtcDateTime {
    let floor = at.replace_nanosecond(0).unwrap_or(at);
    if floor == at {
        at
    } else {
        floor.checked_add(Duration::SECOND).unwrap_or(at)
    }
}

#[cfg(test)]
mod tests {
    use covenant_core::{BoxFuture, Event};
    use time::macros::utc_datetime;

    use super::*;
    use crate::act::{Act, Seen};
    use crate::canary::{Canary, Sightings};
    use crate::subject::{CrashPoint, Refusal};

    /// A subject with a list of due instants that it works off, or never does.
    struct Queue {
        due: Vec<UtcDateTime>,
        done: Vec<UtcDateTime>,
        stuck: bool,
    }

    impl Subject for Queue {
        fn perform<'a>(&'a mut self, act: &'a Act) -> BoxFuture<'a, Result<Seen, Refusal>> {
            let kind = act.kind();
            Box::pin(async move { Err(Refusal::Unsupported(kind)) })
        }

        fn run_until(&mut self, at: UtcDateTime) -> BoxFuture<'_, Result<(), SubjectError>> {
            Box::pin(async move {
                if !self.stuck {
                    self.due.retain(|due| *due > at);
                }
                self.done.push(at);
                Ok(())
            })
        }

        fn next_due(&self) -> Option<UtcDateTime> {
            self.due.iter().min().copied()
        }

        fn events(&mut self) -> BoxFuture<'_, Result<Vec<Event>, SubjectError>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn find_bytes<'a>(
            &'a mut self,
            _: &'a Canary,
        ) -> BoxFuture<'a, Result<Sightings, SubjectError>> {
            Box::pin(async { Ok(Sightings::new()) })
        }

        fn crash(&mut self, _: CrashPoint) -> BoxFuture<'_, Result<(), SubjectError>> {
            Box::pin(async { Ok(()) })
        }
    }

    const START: UtcDateTime = utc_datetime!(2027-08-31 12:00);

    #[tokio::test]
    async fn time_stops_at_every_due_instant_on_the_way_and_no_other() {
        let clock = Arc::new(ManualClock::at(START));
        let due = |secs| START + Duration::seconds(secs);
        let half = due(20) + Duration::milliseconds(1);
        let mut queue = Queue {
            due: vec![due(50), half, due(90)],
            done: vec![],
            stuck: false,
        };
        let simulator = Simulator::new(Arc::clone(&clock));
        simulator.pass_until(&mut queue, due(60)).await.unwrap();
        assert_eq!(queue.done, [due(21), due(50), due(60)]);
        assert_eq!(clock.now(), due(60));
        assert_eq!(queue.next_due(), Some(due(90)));
    }

    #[tokio::test]
    async fn work_due_at_the_very_instant_is_done_and_time_never_runs_back() {
        let clock = Arc::new(ManualClock::at(START));
        let mut queue = Queue {
            due: vec![START],
            done: vec![],
            stuck: false,
        };
        let simulator = Simulator::new(clock);
        simulator
            .pass_until(&mut queue, START - Duration::DAY)
            .await
            .unwrap();
        assert_eq!(simulator.now(), START);
        assert_eq!(queue.next_due(), None);
    }

    #[tokio::test]
    async fn a_subject_that_never_does_its_work_is_stuck() {
        let mut queue = Queue {
            due: vec![START],
            done: vec![],
            stuck: true,
        };
        let simulator = Simulator::new(Arc::new(ManualClock::at(START)));
        let error = simulator
            .pass_until(&mut queue, START + Duration::DAY)
            .await
            .unwrap_err();
        assert!(matches!(error, SimulationError::Stuck { due } if due == START));
    }
}
