//! From what ran to the verdict on one clause, with all that the report says about it.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::digest::Digest;
use policy_document::{AttestationState, Clause, Document, Kind, Monitor};
use time::{Date, UtcDateTime};

use crate::evidence::{Evidence, RunOutcome};
use crate::figures;
use crate::history::Stopped;
use crate::runner::{Done, End, Job, Lived, Options, Run, failure, full_id};
use crate::sabotage::Sabotage;
use crate::stage::{Failure, Margin};
use crate::status::{
    Attested, Content, Deviating, SabotageOutcome, ScenarioOutcome, Status, Technical, judge,
    technical,
};
use crate::subject::{Can, SubjectFactory};
use crate::trace;
use crate::watch::{self, Heard, MonitorOutcome, MonitorVerdict, with_monitors};

/// What the note begins with that names figures which nothing was compared with.
pub const UNREAD: &str = "read by no scenario that ran";

/// What became of one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClauseVerdict {
    /// The clause.
    pub clause: Clause,
    /// Its status.
    pub status: Status,
    /// The part that scenarios prove; `None` for one that has no such part.
    pub technical: Option<TechnicalVerdict>,
    /// The part that a person attests; `None` for one that has no such part.
    pub attestation: Option<AttestationVerdict>,
    /// The smallest margin of all its runs to a limit.
    pub worst: Option<Margin>,
    /// Reasons, in words, for every status but `kept`; and, whatever the status, the figures that no
    /// scenario read ([`UNREAD`]).
    pub notes: Vec<String>,
}

/// The part of a verdict that comes from scenarios.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TechnicalVerdict {
    /// Its outcome.
    pub outcome: Technical,
    /// The bound scenarios, in the order of the clause.
    pub scenarios: Vec<ScenarioVerdict>,
    /// The monitors that it names, in the order of the clause.
    pub monitors: Vec<MonitorVerdict>,
}

/// What one bound scenario gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioVerdict {
    /// The scenario.
    pub id: String,
    /// How it ended, over all starts; `None` when it is not built or was not chosen.
    pub outcome: Option<RunOutcome>,
    /// The seed.
    pub seed: u64,
    /// The first start; `None` when it did not run.
    pub from: Option<UtcDateTime>,
    /// The last end.
    pub until: Option<UtcDateTime>,
    /// All checks.
    pub checks: u64,
    /// The first failure.
    pub failure: Option<Failure>,
    /// The sabotages that it was given by its clauses.
    pub sabotages: Vec<(Sabotage, SabotageOutcome)>,
    /// Sabotages that no clause of it names and that it caught all the same; empty unless the run
    /// gave all of them ([`crate::runner::Given`]).
    pub crossings: Vec<Sabotage>,
}

/// The part of a verdict that comes from a person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationVerdict {
    /// What the word is worth on the day of the run.
    pub outcome: Attested,
    /// The word; `None` when nobody gave it.
    pub given: Option<Given>,
}

/// A person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Who answers for it.
    pub owner: String,
    /// When it was signed.
    pub signed_on: Date,
    /// The first instant at which it holds no more.
    pub expires: UtcDateTime,
    /// SHA-256 of the evidence.
    pub evidence: Digest,
}

/// What the clauses of one document are judged by.
pub(crate) struct Case<'a> {
    pub(crate) number: usize,
    pub(crate) document: &'a Document,
    pub(crate) factory: &'a dyn SubjectFactory,
    pub(crate) options: &'a Options,
    /// The history of the document; `None` when it was not lived.
    pub(crate) lived: Option<&'a Lived>,
}

impl Case<'_> {
    /// The verdict on one clause.
    pub(crate) fn judge(
        &self,
        clause: &Clause,
        jobs: &[Job],
        done: &[Done],
        evidence: &Evidence,
    ) -> ClauseVerdict {
        let mut notes = Vec::new();
        let mut content = Content::Sealed;
        let mut worst: Option<Margin> = None;
        let mut read = BTreeSet::new();
        let proven = clause.is_proven().then(|| {
            let ran = jobs
                .iter()
                .zip(done)
                .filter(|(job, _)| job.document == self.number && job.clauses.contains(&clause.id));
            let ran: Vec<_> = ran.collect();
            for run in ran.iter().flat_map(|(_, done)| &done.sound) {
                if matches!(run.end, End::Passed | End::Failed) {
                    read.extend(run.record.read.iter().cloned());
                }
                if !run.record.plain_columns.is_empty() {
                    content = Content::Plain;
                    let columns: Vec<_> = run
                        .record
                        .plain_columns
                        .iter()
                        .map(String::as_str)
                        .collect();
                    note(
                        &mut notes,
                        format!("plain by declaration: {}", columns.join("; ")),
                    );
                }
                let smaller =
                    |new: &Margin| worst.is_none_or(|old| new.margin_seconds < old.margin_seconds);
                worst = run.record.worst.filter(smaller).or(worst);
            }
            let technical = self.technical(clause, &ran, evidence, &mut notes);
            for margin in technical
                .monitors
                .iter()
                .filter_map(|monitor| monitor.worst)
            {
                let smaller = |old: Margin| margin.margin_seconds < old.margin_seconds;
                if worst.is_none_or(smaller) {
                    worst = Some(margin);
                }
            }
            technical
        });
        let attestation = (clause.is_attested() || content == Content::Plain)
            .then(|| self.attestation(clause, &mut notes));
        let attested = attestation
            .as_ref()
            .map_or(Attested::None, |part| part.outcome);
        let outcome = proven
            .as_ref()
            .map_or(Technical::Untested, |part| part.outcome);
        let deviating = self.deviating(clause, &mut notes);
        let status = judge(clause.kind, outcome, attested, deviating, content);
        if clause.kind == Kind::Informational {
            note(&mut notes, "recorded, not scored".to_owned());
        }
        let unread = figures::unread(clause, &read);
        if !unread.is_empty() {
            note(&mut notes, format!("{UNREAD}: {}", unread.join("; ")));
        }
        ClauseVerdict {
            clause: clause.clone(),
            status,
            technical: proven,
            attestation,
            worst,
            notes,
        }
    }

    fn technical(
        &self,
        clause: &Clause,
        ran: &[(&Job, &Done)],
        evidence: &Evidence,
        notes: &mut Vec<String>,
    ) -> TechnicalVerdict {
        for (what, names) in [
            ("scenario", &clause.verify.scenarios),
            ("sabotage", &clause.verify.sabotages),
        ] {
            if names.is_empty() {
                note(notes, format!("unbound: the clause names no {what}"));
            }
        }
        let mut scenarios = Vec::new();
        let mut facts = Vec::new();
        for id in &clause.verify.scenarios {
            let found = ran.iter().find(|(job, _)| job.scenario.id == id);
            let verdict = match found {
                Some((job, done)) => self.scenario(job, done, notes),
                None => {
                    note(
                        notes,
                        format!("scenario {id} is not built or was not chosen"),
                    );
                    self.not_run(id)
                }
            };
            let lost = evidence.lost.iter().any(|line| {
                line.clause == full_id(self.document, clause.id) && line.scenario == *id
            });
            if lost {
                note(notes, format!("evidence of {id} is missing or altered"));
            }
            let outcome = match verdict.outcome {
                _ if lost => ScenarioOutcome::Failed,
                Some(RunOutcome::Passed) => ScenarioOutcome::Passed,
                Some(RunOutcome::Failed | RunOutcome::Error) if !not_started(found) => {
                    ScenarioOutcome::Failed
                }
                _ => ScenarioOutcome::NotRun,
            };
            let outcomes = verdict
                .sabotages
                .iter()
                .map(|(_, outcome)| *outcome)
                .collect();
            facts.push((outcome, outcomes));
            scenarios.push(verdict);
        }
        let mut best = Vec::new();
        for name in &clause.verify.sabotages {
            let of = |verdict: &ScenarioVerdict| {
                let found = verdict.sabotages.iter().find(|(id, _)| id.name() == name);
                found.map(|(_, outcome)| *outcome)
            };
            let outcomes: Vec<_> = scenarios.iter().filter_map(of).collect();
            let order = [
                SabotageOutcome::Caught,
                SabotageOutcome::Missed,
                SabotageOutcome::Unsupported,
            ];
            let outcome = order.into_iter().find(|outcome| outcomes.contains(outcome));
            let outcome = outcome.unwrap_or_else(|| self.forked(clause, name));
            if outcome == SabotageOutcome::Missed {
                note(notes, format!("sabotage {name} is not caught"));
            }
            best.push(outcome);
        }
        let monitors = self.monitors(clause, ran, evidence, notes);
        let outcomes: Vec<_> = monitors.iter().map(|monitor| monitor.outcome).collect();
        TechnicalVerdict {
            outcome: with_monitors(technical(&facts, &best), &outcomes),
            scenarios,
            monitors,
        }
    }

    /// What the history made of a sabotage that no scenario was given.
    fn forked(&self, clause: &Clause, name: &str) -> SabotageOutcome {
        let mut forks = self.lived.iter().flat_map(|lived| &lived.forks);
        let caught = forks.any(|(sabotage, clauses, past)| {
            sabotage.name() == name && clauses.contains(&clause.id) && past.objects(clause.id)
        });
        if caught {
            SabotageOutcome::Caught
        } else {
            SabotageOutcome::Missed
        }
    }

    /// What the monitors of the clause made of everything that ran on the sound subject.
    fn monitors(
        &self,
        clause: &Clause,
        ran: &[(&Job, &Done)],
        evidence: &Evidence,
        notes: &mut Vec<String>,
    ) -> Vec<MonitorVerdict> {
        let mut heard = Vec::new();
        for (job, done) in ran {
            heard.extend(done.sound.iter().map(|run| Heard {
                source: job.scenario.id,
                watched: &run.watched,
                teeth: &run.teeth,
            }));
        }
        if let Some(Lived { sound, .. }) = self.lived {
            heard.push(Heard {
                source: "history",
                watched: &sound.watched,
                teeth: &sound.teeth,
            });
        }
        let own: Vec<Monitor> = trace::named(self.document)
            .into_iter()
            .filter(|monitor| monitor.clause() == clause.id)
            .collect();
        let mut verdicts = Vec::new();
        for spec in &clause.verify.monitors {
            let before = verdicts.len();
            let named = own.iter().filter(|monitor| spec.names(monitor.pattern()));
            verdicts.extend(named.map(|monitor| watch::verdict(monitor, &heard)));
            if verdicts.len() == before {
                verdicts.push(watch::nothing(spec));
            }
        }
        if let Some(Lived { sound, .. }) = self.lived.filter(|_| !verdicts.is_empty()) {
            let (acts, events) = (sound.acts, sound.trace.len());
            let mut text = format!("history: {acts} acts, {events} events");
            if !sound.absent.is_empty() {
                let absent: Vec<_> = sound.absent.iter().map(String::as_str).collect();
                text.push_str("; without ");
                text.push_str(&absent.join(", "));
            }
            note(notes, text);
        }
        let stopped = self.lived.and_then(|lived| lived.sound.stopped.as_ref());
        if let Some(stopped) = stopped.filter(|_| !verdicts.is_empty()) {
            let (reason, outcome) = match stopped {
                Stopped::Error(reason) => (reason.clone(), MonitorOutcome::Violated),
                Stopped::NotStarted(reason) => (reason.clone(), MonitorOutcome::Unseen),
                Stopped::Unsupported(act) => {
                    (format!("{act} is not supported"), MonitorOutcome::Unseen)
                }
            };
            note(
                notes,
                format!("the history did not run to its end: {reason}"),
            );
            for verdict in &mut verdicts {
                verdict.outcome = verdict.outcome.min(outcome);
            }
        }
        let full = full_id(self.document, clause.id);
        let lost = |line: &crate::evidence::Line| {
            line.clause == full && line.scenario.starts_with("history::")
        };
        if evidence.lost.iter().any(lost) {
            note(
                notes,
                "evidence of the history is missing or altered".to_owned(),
            );
            for verdict in &mut verdicts {
                verdict.outcome = MonitorOutcome::Violated;
            }
        }
        for verdict in &verdicts {
            if let Some(failure) = &verdict.failure {
                let text = format!("monitor {}: {}", verdict.pattern, failure.observed);
                note(notes, text);
            } else if verdict.outcome == MonitorOutcome::Unseen {
                note(notes, format!("monitor {} saw no case", verdict.pattern));
            } else if verdict.outcome == MonitorOutcome::Toothless {
                let text = format!("monitor {} objects to no mutation", verdict.pattern);
                note(notes, text);
            }
        }
        verdicts
    }

    fn scenario(&self, job: &Job, done: &Done, notes: &mut Vec<String>) -> ScenarioVerdict {
        let id = job.scenario.id;
        if let Some(misfit) = &job.misfit {
            note(notes, format!("scenario {id} cannot run: {misfit}"));
            return self.not_run(id);
        }
        let bad = done.sound.iter().find(|run| run.end == End::Failed);
        let bad = bad.or_else(|| done.sound.iter().find(|run| run.end != End::Passed));
        let outcome = match bad {
            Some(run) => Some(crate::runner::outcome(&run.end)),
            None => done.sound.first().map(|_| RunOutcome::Passed),
        };
        if let Some(run) = bad {
            let reason = failure(run).map(|failure| {
                format!(
                    "{id} at start {}, seed {}: expected {}; observed {}",
                    run.start, run.seed, failure.expected, failure.observed
                )
            });
            notes.extend(reason.filter(|reason| !notes.contains(reason)));
            if let Some(flip) = flip(id, &done.sound) {
                note(notes, flip);
            }
        }
        let sabotages = job
            .sabotages
            .iter()
            .map(|sabotage| (*sabotage, self.caught(*sabotage, done)));
        ScenarioVerdict {
            id: id.to_owned(),
            outcome,
            seed: self.options.seed,
            from: done.sound.iter().map(|run| run.start).min(),
            until: done.sound.iter().map(|run| run.until).max(),
            checks: done
                .sound
                .iter()
                .fold(0, |sum, run| sum.saturating_add(run.record.checks)),
            failure: bad.and_then(failure),
            sabotages: sabotages.collect(),
            crossings: self.crossings(job, done),
        }
    }

    /// Whether a check failed on the sabotaged subject.
    fn caught(&self, sabotage: Sabotage, done: &Done) -> SabotageOutcome {
        match self.factory.can(sabotage) {
            Can::Unsupported => return SabotageOutcome::Unsupported,
            Can::NotBuilt => return SabotageOutcome::Missed,
            Can::Built => {}
        }
        let failed = |run: &Run| run.end == End::Failed;
        let mut runs = done.sabotaged.iter().filter(|(id, _)| *id == sabotage);
        let caught = runs.any(|(_, runs)| runs.iter().any(failed));
        if caught {
            SabotageOutcome::Caught
        } else {
            SabotageOutcome::Missed
        }
    }

    /// What was caught of the sabotages that the job was given beyond those that its clauses name.
    fn crossings(&self, job: &Job, done: &Done) -> Vec<Sabotage> {
        let tried = done.sabotaged.iter().map(|(sabotage, _)| *sabotage);
        let others = tried.filter(|sabotage| !job.sabotages.contains(sabotage));
        let caught = |sabotage: &Sabotage| self.caught(*sabotage, done) == SabotageOutcome::Caught;
        let mut crossings: Vec<_> = others.filter(caught).collect();
        crossings.sort_unstable();
        crossings
    }

    fn not_run(&self, id: &str) -> ScenarioVerdict {
        ScenarioVerdict {
            id: id.to_owned(),
            outcome: None,
            seed: self.options.seed,
            from: None,
            until: None,
            checks: 0,
            failure: None,
            sabotages: Vec::new(),
            crossings: Vec::new(),
        }
    }

    fn attestation(&self, clause: &Clause, notes: &mut Vec<String>) -> AttestationVerdict {
        let Some(found) = self.document.attestation(&clause.id) else {
            note(notes, "nobody attests it".to_owned());
            return AttestationVerdict {
                outcome: Attested::None,
                given: None,
            };
        };
        let outcome = match found.state(self.options.today) {
            AttestationState::Attested => Attested::Valid,
            _ => Attested::Expired,
        };
        if outcome == Attested::Expired {
            note(notes, "the attestation has run out".to_owned());
        }
        let given = Given {
            owner: found.owner.clone(),
            signed_on: found.signed_on,
            expires: found.expires,
            evidence: found.evidence,
        };
        AttestationVerdict {
            outcome,
            given: Some(given),
        }
    }

    fn deviating(&self, clause: &Clause, notes: &mut Vec<String>) -> Deviating {
        let Some(found) = self.document.deviation(&clause.id, &self.options.profile) else {
            return Deviating::No;
        };
        if found.in_force(self.options.today.date()) {
            note(notes, format!("{}: {}", found.class, found.delivered));
            Deviating::InForce
        } else {
            note(
                notes,
                format!("the deviation was to be reviewed by {}", found.review_by),
            );
            Deviating::Expired
        }
    }
}

/// What to say of a scenario that holds under one seed and not under another.
fn flip(id: &str, runs: &[Run]) -> Option<String> {
    let mut held: BTreeMap<u64, bool> = BTreeMap::new();
    for run in runs {
        let all = held.entry(run.seed).or_insert(true);
        *all = *all && run.end == End::Passed;
    }
    let seeds = |wanted: bool| {
        let those = held.iter().filter(|(_, held)| **held == wanted);
        let those: Vec<_> = those.map(|(seed, _)| seed.to_string()).collect();
        (!those.is_empty()).then(|| those.join(", "))
    };
    Some(format!(
        "{id} flips: it holds with seed {} and not with seed {}",
        seeds(true)?,
        seeds(false)?
    ))
}

fn note(notes: &mut Vec<String>, text: String) {
    if !notes.contains(&text) {
        notes.push(text);
    }
}

fn not_started(found: Option<&(&Job, &Done)>) -> bool {
    found.is_some_and(|(_, done)| {
        let started = |run: &Run| !matches!(run.end, End::NotStarted(_));
        !done.sound.iter().any(started)
    })
}
