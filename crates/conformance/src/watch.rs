//! From what the monitors of a clause said of all that ran to their part in its verdict.

use policy_document::monitor::{Judgement, Monitor, MonitorSpec, Watched};

use crate::stage::{Failure, Margin};
use crate::status::Technical;
use crate::trace_sabotage::{Teeth, TraceOutcome, TraceSabotage};

/// What became of one monitor that a clause names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the status table covers every case"
)]
pub enum MonitorOutcome {
    /// It objected to something that ran on the sound subject.
    Violated,
    /// It saw no case decided; this is never success.
    Unseen,
    /// It objects to no mutation of what it saw, or misses one.
    Toothless,
    /// Every case that it saw held, and it objects where it must.
    Satisfied,
}

impl MonitorOutcome {
    /// The word of reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Violated => "violated",
            Self::Unseen => "unseen",
            Self::Toothless => "toothless",
            Self::Satisfied => "satisfied",
        }
    }
}

/// What one monitor of a clause gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorVerdict {
    /// What it looks for, in full; the word that the clause uses where nothing follows from it.
    pub pattern: String,
    /// What became of it.
    pub outcome: MonitorOutcome,
    /// How many cases were decided, in all that ran.
    pub cases: u64,
    /// What it judged: scenarios, and `history`.
    pub judged: Vec<String>,
    /// The case that was nearest to failing.
    pub worst: Option<Margin>,
    /// The first violation.
    pub failure: Option<Failure>,
    /// What it made of mutations of the recorded history: the level `trace`.
    pub sabotages: Vec<(TraceSabotage, TraceOutcome)>,
}

/// What one source gave: a scenario, or the history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard<'a> {
    /// Which.
    pub(crate) source: &'a str,
    /// What its monitors say.
    pub(crate) watched: &'a [Watched],
    /// What they make of mutations of what was recorded.
    pub(crate) teeth: &'a [Teeth],
}

/// The verdict on one monitor of a clause, from everything that it judged.
pub(crate) fn verdict(monitor: &Monitor, heard: &[Heard<'_>]) -> MonitorVerdict {
    let mut verdict = MonitorVerdict {
        pattern: monitor.pattern().to_string(),
        outcome: MonitorOutcome::Unseen,
        cases: 0,
        judged: Vec::new(),
        worst: None,
        failure: None,
        sabotages: Vec::new(),
    };
    for Heard {
        source,
        watched,
        teeth,
    } in heard
    {
        let own = |t: &&Teeth| t.clause == monitor.clause() && t.pattern == *monitor.pattern();
        for (sabotage, outcome) in teeth.iter().filter(own).flat_map(|t| &t.outcomes) {
            let known = verdict.sabotages.iter_mut().find(|(id, _)| id == sabotage);
            match known {
                Some((_, old)) => *old = stronger(*old, *outcome),
                None => verdict.sabotages.push((*sabotage, *outcome)),
            }
        }
        let same = |w: &&Watched| w.clause == monitor.clause() && w.pattern == *monitor.pattern();
        for watched in watched.iter().filter(same) {
            verdict.cases = verdict.cases.saturating_add(watched.cases);
            let known = verdict.judged.iter().any(|known| known == source);
            if watched.cases > 0 && !known {
                verdict.judged.push((*source).to_owned());
            }
            let margin = watched.worst.map(margin);
            let nearer = |new: &Margin| {
                let old = verdict.worst;
                old.is_none_or(|old| new.margin_seconds < old.margin_seconds)
            };
            verdict.worst = margin.filter(nearer).or(verdict.worst);
            verdict.failure = verdict.failure.or_else(|| failure(watched));
        }
    }
    let caught = |(_, outcome): &(_, TraceOutcome)| *outcome == TraceOutcome::Caught;
    let missed = |(_, outcome): &(_, TraceOutcome)| *outcome == TraceOutcome::Missed;
    verdict.outcome = if verdict.failure.is_some() {
        MonitorOutcome::Violated
    } else if verdict.cases == 0 {
        MonitorOutcome::Unseen
    } else if verdict.sabotages.iter().any(missed) || !verdict.sabotages.iter().any(caught) {
        MonitorOutcome::Toothless
    } else {
        MonitorOutcome::Satisfied
    };
    verdict
}

/// A mutation that was missed once is missed; one that was caught once is caught.
const fn stronger(one: TraceOutcome, other: TraceOutcome) -> TraceOutcome {
    match (one, other) {
        (TraceOutcome::Missed, _) | (_, TraceOutcome::Missed) => TraceOutcome::Missed,
        (TraceOutcome::Caught, _) | (_, TraceOutcome::Caught) => TraceOutcome::Caught,
        (TraceOutcome::Inapplicable(reason), TraceOutcome::Inapplicable(_)) => {
            TraceOutcome::Inapplicable(reason)
        }
    }
}

/// The verdict on a monitor that follows from no bound of the clause: nothing can have been seen.
pub(crate) fn nothing(spec: &MonitorSpec) -> MonitorVerdict {
    MonitorVerdict {
        pattern: spec.to_string(),
        outcome: MonitorOutcome::Unseen,
        cases: 0,
        judged: Vec::new(),
        worst: None,
        failure: None,
        sabotages: Vec::new(),
    }
}

/// The technical outcome with the monitors of the clause, first match: broken, untested, toothless,
/// kept.
#[must_use]
pub fn with_monitors(technical: Technical, monitors: &[MonitorOutcome]) -> Technical {
    let all = monitors.iter().map(|outcome| match outcome {
        MonitorOutcome::Violated => Technical::Broken,
        MonitorOutcome::Unseen => Technical::Untested,
        MonitorOutcome::Toothless => Technical::Toothless,
        MonitorOutcome::Satisfied => Technical::Kept,
    });
    // the order of the variants is that of the rule
    all.chain([technical]).min().unwrap_or(technical)
}

/// The first violation as a failed check.
pub(crate) fn failure(watched: &Watched) -> Option<Failure> {
    let Judgement::Violated(all) = &watched.judgement else {
        return None;
    };
    let first = all.first()?;
    Some(Failure {
        at: first.at,
        expected: format!("{} {}", watched.clause, watched.pattern),
        observed: first.to_string(),
    })
}

/// When nothing was violated: how near the nearest case came.
fn margin(margin: policy_document::monitor::Margin) -> Margin {
    Margin {
        observed_seconds: (margin.met - margin.since).whole_seconds(),
        limit_seconds: (margin.limit - margin.since).whole_seconds(),
        margin_seconds: margin.spare_secs,
    }
}

/// The name of a monitor of a source in the evidence: `history::within`.
pub(crate) fn evidence_name(source: &str, pattern: &policy_document::Pattern) -> String {
    let text = pattern.to_string();
    let word = text.split('(').next().unwrap_or_default();
    format!("{source}::{word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_can_only_make_an_outcome_worse() {
        let all = [
            (MonitorOutcome::Violated, Technical::Broken),
            (MonitorOutcome::Unseen, Technical::Untested),
            (MonitorOutcome::Toothless, Technical::Toothless),
            (MonitorOutcome::Satisfied, Technical::Kept),
        ];
        let rank = |technical| match technical {
            Technical::Broken => 0,
            Technical::Untested => 1,
            Technical::Toothless => 2,
            Technical::Kept => 3,
        };
        for (_, own) in all {
            assert_eq!(with_monitors(own, &[]), own);
            for (monitor, as_technical) in all {
                let expect = if rank(own) < rank(as_technical) {
                    own
                } else {
                    as_technical
                };
                assert_eq!(
                    with_monitors(own, &[monitor]),
                    expect,
                    "{own:?} {monitor:?}"
                );
                let with = [MonitorOutcome::Satisfied, monitor];
                assert_eq!(with_monitors(own, &with), expect);
            }
        }
    }
}
