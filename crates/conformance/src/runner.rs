//! The runner: plans what the clauses bind, runs it on two threads, and judges each clause from
//! what ran.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use covenant_core::ClauseId;
use policy_document::{Clause, Document, Monitor};
use time::UtcDateTime;

use crate::evidence::{Evidence, Line, Log, RunOutcome};
use crate::history::{self, Past};
use crate::progress::Progress;
use crate::sabotage::Sabotage;
use crate::scenario::{CATALOGUE, Scenario};
use crate::stage::Failure;
use crate::subject::{Can, SubjectFactory};
use crate::trace;
use crate::verdict::{self, ClauseVerdict};

mod plan;
mod remembered;
mod work;

pub(crate) use plan::Job;
use plan::Setting;
pub(crate) use work::{End, Run, chain};
use work::{Errand, isolated, isolated_history};

/// Real time that one run may take, so that a hang ends: far above the slowest, which takes seconds on
/// a machine of its own and minutes on a crowded one.
pub const RUN_LIMIT: Duration = Duration::from_secs(1_800);

/// Which sabotages a scenario is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a run has one of the two purposes")]
pub enum Given {
    /// Those that its clauses name.
    Named,
    /// Those, and at its first start every other that the factory builds: what the matrix of
    /// sabotages and clauses is made of. No status depends on the others.
    All,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// What canaries, drawn starts and churned contents follow from; the last start of each scenario
    /// follows from the next one.
    pub seed: u64,
    /// How many runs at once.
    pub workers: NonZeroUsize,
    /// Real time that one run may take.
    pub limit: Duration,
    /// The profile that the deviations must concern: `embedded`.
    pub profile: String,
    /// Only these clauses, with their document (`prodb.P-51`) or without; all when empty.
    pub clauses: BTreeSet<String>,
    /// Only these scenarios, and the clauses that bind them; all when empty.
    pub scenarios: BTreeSet<String>,
    /// The instant on which attestations and deviations are judged.
    pub today: UtcDateTime,
    /// The commit of the code, for the evidence.
    pub commit: Option<String>,
    /// The scenarios that are built.
    pub catalogue: &'static [Scenario],
    /// Which sabotages they are given.
    pub given: Given,
}

impl Options {
    /// Everything, on two threads, on this day.
    #[must_use]
    pub fn new(seed: u64, today: UtcDateTime) -> Self {
        Self {
            seed,
            workers: NonZeroUsize::MIN.saturating_add(1),
            limit: RUN_LIMIT,
            profile: "embedded".to_owned(),
            clauses: BTreeSet::new(),
            scenarios: BTreeSet::new(),
            today,
            commit: None,
            catalogue: CATALOGUE,
            given: Given::Named,
        }
    }

    /// Whether the clause is to be run and reported.
    #[must_use]
    pub fn wants(&self, document: &Document, clause: &Clause) -> bool {
        let id = clause.id.to_string();
        let full = format!("{}.{id}", document.id());
        let named =
            self.clauses.is_empty() || self.clauses.contains(&id) || self.clauses.contains(&full);
        let bound = self.scenarios.is_empty()
            || clause
                .verify
                .scenarios
                .iter()
                .any(|id| self.scenarios.contains(id));
        named && bound
    }
}

/// What came of a run over some documents.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The clauses of each document, in the order of documents and clauses.
    pub documents: Vec<Vec<ClauseVerdict>>,
    /// What they were judged from.
    pub evidence: Evidence,
    /// Why the subject did not start, if it did not.
    pub not_started: Option<String>,
}

impl Outcome {
    /// Every verdict, in the order of documents and clauses.
    pub fn verdicts(&self) -> impl Iterator<Item = &ClauseVerdict> {
        self.documents.iter().flatten()
    }

    /// The verdict on the clause with this id, as `P-51`; `None` when it was not reported.
    #[must_use]
    pub fn verdict(&self, clause: &str) -> Option<&ClauseVerdict> {
        self.verdicts()
            .find(|verdict| verdict.clause.id.to_string() == clause)
    }
}

/// What came of the history of one document.
#[derive(Debug, Clone)]
pub(crate) struct Lived {
    /// The history of the sound subject.
    pub(crate) sound: Past,
    /// The same history of a sabotaged one, for the clauses that no scenario defends against it.
    pub(crate) forks: Vec<(Sabotage, Vec<ClauseId>, Past)>,
}

/// What came of one job: the sound runs, and each sabotage with its runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    pub(crate) sound: Vec<Run>,
    pub(crate) sabotaged: Vec<(Sabotage, Vec<Run>)>,
}

/// One piece of work.
#[derive(Debug, Clone)]
enum Task {
    /// The history of a document, by its place in the input.
    History(usize),
    /// A run, or some.
    Runs(Item),
}

/// Some runs: a sound run at one start, or a sabotage at its starts until it is caught.
#[derive(Debug, Clone)]
struct Item {
    job: usize,
    sabotage: Option<Sabotage>,
    settings: Vec<Setting>,
}

/// Runs every scenario that the wanted clauses bind, sound and sabotaged, and judges the clauses.
///
/// A scenario that panics or hangs breaks its clauses; the run goes on.
///
/// # Errors
/// When the evidence cannot be written; nothing may then be claimed.
pub fn run(
    factory: &Arc<dyn SubjectFactory>,
    documents: &[Arc<Document>],
    options: &Options,
    log: Log,
    progress: &dyn Progress,
) -> io::Result<Outcome> {
    let mut jobs = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        let clauses: Vec<_> = document
            .clauses()
            .iter()
            .filter(|clause| options.wants(document, clause))
            .collect();
        jobs.extend(plan::jobs(number, document, &clauses, options.catalogue));
    }
    if !options.scenarios.is_empty() {
        jobs.retain(|job| options.scenarios.contains(job.scenario.id));
    }
    let mut tasks: VecDeque<Task> = documents
        .iter()
        .enumerate()
        .filter(|(_, document)| listens(document, options))
        .map(|(number, _)| Task::History(number))
        .collect();
    tasks.extend(
        items(&jobs, factory.as_ref(), options)
            .into_iter()
            .map(Task::Runs),
    );
    progress.planned(tasks.len());
    let floor = Floor {
        factory,
        documents,
        options,
        jobs: &jobs,
        total: tasks.len(),
        progress,
        shared: Mutex::new(Shared {
            queue: tasks,
            done: vec![Done::default(); jobs.len()],
            lived: vec![None; documents.len()],
            ended: 0,
            log,
            failed: None,
        }),
    };
    std::thread::scope(|scope| {
        for _ in 0..options.workers.get() {
            scope.spawn(|| floor.work());
        }
    });
    let shared = floor
        .shared
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = shared.failed {
        return Err(error);
    }
    let (mut done, lived) = (shared.done, shared.lived);
    for job in &mut done {
        job.sound.sort_by_key(|run| run.start);
    }
    let evidence = shared.log.close()?;
    let not_started = done
        .iter()
        .flat_map(|job| &job.sound)
        .find_map(|run| match &run.end {
            End::NotStarted(reason) => Some(reason.clone()),
            _ => None,
        });
    let judged = documents.iter().enumerate().map(|(number, document)| {
        let clauses = document
            .clauses()
            .iter()
            .filter(|clause| options.wants(document, clause));
        let case = verdict::Case {
            number,
            document,
            factory: factory.as_ref(),
            options,
            lived: lived.get(number).and_then(Option::as_ref),
        };
        clauses
            .map(|clause| case.judge(clause, &jobs, &done, &evidence))
            .collect()
    });
    Ok(Outcome {
        documents: judged.collect(),
        evidence,
        not_started,
    })
}

/// Whether a clause that is to be judged names a monitor, so that the history must be lived.
fn listens(document: &Document, options: &Options) -> bool {
    let mut wanted = document
        .clauses()
        .iter()
        .filter(|clause| options.wants(document, clause));
    options.scenarios.is_empty()
        && wanted.any(|clause| clause.is_proven() && !clause.verify.monitors.is_empty())
}

/// The work, the longest first, so that two threads end together.
fn items(jobs: &[Job], factory: &dyn SubjectFactory, options: &Options) -> VecDeque<Item> {
    let mut items = Vec::new();
    for (number, job) in jobs
        .iter()
        .enumerate()
        .filter(|(_, job)| job.misfit.is_none())
    {
        let settings = plan::settings(job, options.seed);
        for setting in &settings {
            items.push(Item {
                job: number,
                sabotage: None,
                settings: vec![*setting],
            });
        }
        let mut give = |sabotage: Sabotage, settings: &[Setting]| {
            if factory.can(sabotage) == Can::Built {
                items.push(Item {
                    job: number,
                    sabotage: Some(sabotage),
                    settings: settings.to_vec(),
                });
            }
        };
        for sabotage in &job.sabotages {
            give(*sabotage, &settings);
        }
        if options.given == Given::All {
            let first = settings.get(..1).unwrap_or_default();
            for sabotage in Sabotage::ALL {
                if !job.sabotages.contains(sabotage) {
                    give(*sabotage, first);
                }
            }
        }
    }
    let weight = |item: &Item| {
        let needs = jobs.get(item.job).map_or(&[][..], |job| job.scenario.needs);
        std::cmp::Reverse((needs.contains(&crate::act::ActKind::Churn), needs.len()))
    };
    items.sort_by_key(weight);
    items.into()
}

/// What the threads share.
struct Floor<'a> {
    factory: &'a Arc<dyn SubjectFactory>,
    documents: &'a [Arc<Document>],
    options: &'a Options,
    jobs: &'a [Job],
    total: usize,
    progress: &'a dyn Progress,
    shared: Mutex<Shared>,
}

struct Shared {
    queue: VecDeque<Task>,
    done: Vec<Done>,
    lived: Vec<Option<Lived>>,
    ended: usize,
    log: Log,
    failed: Option<io::Error>,
}

impl Floor<'_> {
    /// Takes items until there are none, or the evidence cannot be written.
    fn work(&self) {
        loop {
            let task = {
                let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
                if shared.failed.is_some() {
                    return;
                }
                shared.queue.pop_front()
            };
            match task {
                Some(Task::Runs(item)) => self.perform(&item),
                Some(Task::History(number)) => self.remember(number),
                None => return,
            }
        }
    }

    fn perform(&self, item: &Item) {
        let Some(job) = self.jobs.get(item.job) else {
            return;
        };
        let Some(document) = self.documents.get(job.document) else {
            return;
        };
        let mut runs = Vec::new();
        for setting in &item.settings {
            let errand = Errand {
                factory: Arc::clone(self.factory),
                document: Arc::clone(document),
                scenario: job.scenario,
                figures: job.figures.clone(),
                setting: *setting,
                sabotage: item.sabotage,
                monitors: match item.sabotage {
                    None => monitors(document, &job.clauses),
                    Some(_) => Vec::new(),
                },
            };
            let run = isolated(errand, self.options.limit);
            let last = run.end != End::Passed;
            runs.push(run);
            if last {
                break;
            }
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        for line in runs
            .iter()
            .flat_map(|run| self.lines(job, document, item.sabotage, run))
        {
            if let Err(error) = shared.log.append(line) {
                shared.failed = Some(error);
                return;
            }
        }
        if let Some(done) = shared.done.get_mut(item.job) {
            match item.sabotage {
                None => done.sound.extend(runs),
                Some(sabotage) => done.sabotaged.push((sabotage, runs)),
            }
        }
        shared.ended = shared.ended.saturating_add(1);
        let subject = item.sabotage.map_or("sound", Sabotage::name);
        let what = format!("{} {} ({subject})", document.id(), job.scenario.id);
        self.progress.ended(shared.ended, self.total, &what);
    }

    /// Lives through the history of a document, and through that of every sabotage which no scenario
    /// of a clause is built to catch.
    fn remember(&self, number: usize) {
        let Some(document) = self.documents.get(number) else {
            return;
        };
        let errand = |sabotage| history::Errand {
            factory: Arc::clone(self.factory),
            document: Arc::clone(document),
            seed: self.options.seed,
            sabotage,
        };
        let sound = isolated_history(errand(None), self.options.limit);
        let mut forks = Vec::new();
        for (sabotage, clauses) in self.undefended(document, &sound) {
            let fork = errand(Some((sabotage, clauses.clone())));
            let past = isolated_history(fork, self.options.limit);
            forks.push((sabotage, clauses, past));
        }
        let lived = Lived { sound, forks };
        let lines = remembered::lines(&lived, document, self.options);
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            if let Err(error) = shared.log.append(line) {
                shared.failed = Some(error);
                return;
            }
        }
        if let Some(place) = shared.lived.get_mut(number) {
            *place = Some(lived);
        }
        shared.ended = shared.ended.saturating_add(1);
        let what = format!("{} history of {} days", document.id(), history::DAYS);
        self.progress.ended(shared.ended, self.total, &what);
    }

    /// Sabotages that a clause names, that can be built, and that only its monitors can catch: all of
    /// its scenarios are built, and none is made to catch it.
    fn undefended(&self, document: &Document, sound: &Past) -> Vec<(Sabotage, Vec<ClauseId>)> {
        let mut all: Vec<(Sabotage, Vec<ClauseId>)> = Vec::new();
        for clause in document.clauses() {
            let held = sound
                .watched
                .iter()
                .any(|w| w.clause == clause.id && w.held());
            if !held || !self.options.wants(document, clause) {
                continue;
            }
            let built = |id: &String| self.options.catalogue.iter().find(|s| s.id == id);
            let scenarios: Vec<_> = clause.verify.scenarios.iter().map(built).collect();
            if scenarios.iter().any(Option::is_none) {
                continue;
            }
            for name in &clause.verify.sabotages {
                let Ok(sabotage) = name.parse::<Sabotage>() else {
                    continue;
                };
                let killed = scenarios
                    .iter()
                    .flatten()
                    .any(|s| s.kills.contains(&sabotage));
                if killed || self.factory.can(sabotage) != Can::Built {
                    continue;
                }
                match all.iter_mut().find(|(known, _)| *known == sabotage) {
                    Some((_, clauses)) => clauses.push(clause.id),
                    None => all.push((sabotage, vec![clause.id])),
                }
            }
        }
        all
    }

    /// One line of evidence for each clause that the run speaks for.
    fn lines<'r>(
        &'r self,
        job: &'r Job,
        document: &'r Document,
        sabotage: Option<Sabotage>,
        run: &'r Run,
    ) -> impl Iterator<Item = Line> + 'r {
        job.clauses.iter().map(move |clause| Line {
            clause: full_id(document, *clause),
            scenario: job.scenario.id.to_owned(),
            sabotage,
            trace: None,
            start: run.start,
            seed: run.seed,
            until: run.until,
            checks: run.record.checks,
            outcome: outcome(&run.end),
            failure: failure(run),
            commit: self.options.commit.clone(),
        })
    }
}

/// The monitors that these clauses name.
fn monitors(document: &Document, clauses: &[ClauseId]) -> Vec<Monitor> {
    let mut own = trace::named(document);
    own.retain(|monitor| clauses.contains(&monitor.clause()));
    own
}

/// The clause with its document: `prodb.P-51`.
#[must_use]
pub fn full_id(document: &Document, clause: ClauseId) -> String {
    format!("{}.{clause}", document.id())
}

pub(crate) const fn outcome(end: &End) -> RunOutcome {
    match end {
        End::Passed => RunOutcome::Passed,
        End::Failed => RunOutcome::Failed,
        End::Unsupported(_) => RunOutcome::Unsupported,
        End::Error(_) | End::NotStarted(_) => RunOutcome::Error,
    }
}

/// The failed check, or the reason for which there is none.
pub(crate) fn failure(run: &Run) -> Option<Failure> {
    let because = |observed: String| Failure {
        at: run.until,
        expected: "the scenario runs to its end".to_owned(),
        observed,
    };
    match &run.end {
        End::Passed => None,
        End::Failed => run.record.failure.clone(),
        End::Unsupported(act) => Some(because(format!("{act} is not supported"))),
        End::Error(reason) | End::NotStarted(reason) => Some(because(reason.clone())),
    }
}
