//! The evidence of monitors: what they said of a history, and of what was made of it.

use policy_document::Document;
use policy_document::monitor::Watched;

use super::{Lived, Options, full_id};
use crate::evidence::{Line, RunOutcome};
use crate::history::{Past, START, Stopped};
use crate::sabotage::Sabotage;
use crate::stage::Failure;
use crate::trace_sabotage::{Teeth, TraceOutcome};
use crate::watch::{evidence_name, failure};

/// One line for each monitor and subject, and one for each mutation of the trace.
pub(super) fn lines(lived: &Lived, document: &Document, options: &Options) -> Vec<Line> {
    let writer = Writer { document, options };
    let sound = &lived.sound;
    let mut lines = writer.past(sound, None);
    for teeth in &sound.teeth {
        lines.extend(writer.teeth(teeth, sound));
    }
    for (sabotage, _, past) in &lived.forks {
        lines.extend(writer.past(past, Some(*sabotage)));
    }
    lines.retain(|line| writer.is_wanted(line));
    lines
}

struct Writer<'a> {
    document: &'a Document,
    options: &'a Options,
}

impl Writer<'_> {
    fn past(&self, past: &Past, sabotage: Option<Sabotage>) -> Vec<Line> {
        let all = past.watched.iter();
        all.map(|watched| self.watched(watched, past, sabotage))
            .collect()
    }

    fn watched(&self, watched: &Watched, past: &Past, sabotage: Option<Sabotage>) -> Line {
        let failed = failure(watched);
        let (outcome, failure) = match (&past.stopped, failed) {
            (_, Some(failure)) => (RunOutcome::Failed, Some(failure)),
            (None, None) if watched.cases == 0 => (
                RunOutcome::Unsupported,
                Some(Failure {
                    at: past.until,
                    expected: "at least one case".to_owned(),
                    observed: "none was seen".to_owned(),
                }),
            ),
            (None, None) => (RunOutcome::Passed, None),
            (Some(stopped), None) => {
                let (outcome, observed) = match stopped {
                    Stopped::Unsupported(act) => {
                        (RunOutcome::Unsupported, format!("{act} is not supported"))
                    }
                    Stopped::NotStarted(reason) | Stopped::Error(reason) => {
                        (RunOutcome::Error, reason.clone())
                    }
                };
                let expected = "the history runs to its end".to_owned();
                let at = past.until;
                let failure = Failure {
                    at,
                    expected,
                    observed,
                };
                (outcome, Some(failure))
            }
        };
        Line {
            clause: full_id(self.document, watched.clause),
            scenario: evidence_name("history", &watched.pattern),
            sabotage,
            trace: None,
            start: START,
            seed: self.options.seed,
            until: past.until,
            checks: watched.cases,
            outcome,
            failure,
            commit: self.options.commit.clone(),
        }
    }

    fn teeth(&self, teeth: &Teeth, past: &Past) -> Vec<Line> {
        let line = |(sabotage, outcome): &(_, TraceOutcome)| {
            let told = |expected: &str, observed: &str| {
                Some(Failure {
                    at: past.until,
                    expected: expected.to_owned(),
                    observed: observed.to_owned(),
                })
            };
            let (outcome, failure) = match outcome {
                TraceOutcome::Caught => {
                    let text = teeth.pattern.to_string();
                    (RunOutcome::Failed, told(&text, "the monitor objects"))
                }
                TraceOutcome::Missed => (RunOutcome::Passed, None),
                TraceOutcome::Inapplicable(reason) => {
                    let expected = "an event to mutate";
                    (RunOutcome::Unsupported, told(expected, reason))
                }
            };
            Line {
                clause: full_id(self.document, teeth.clause),
                scenario: evidence_name("history", &teeth.pattern),
                sabotage: None,
                trace: Some(*sabotage),
                start: START,
                seed: self.options.seed,
                until: past.until,
                checks: 1,
                outcome,
                failure,
                commit: self.options.commit.clone(),
            }
        };
        teeth.outcomes.iter().map(line).collect()
    }

    fn is_wanted(&self, line: &Line) -> bool {
        let mut clauses = self.document.clauses().iter();
        clauses.any(|clause| {
            full_id(self.document, clause.id) == line.clause
                && self.options.wants(self.document, clause)
        })
    }
}
