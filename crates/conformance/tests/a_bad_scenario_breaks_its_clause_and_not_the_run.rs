//! A scenario that panics, hangs, checks nothing or flips with its seed breaks its own clause, with
//! the reason and the seeds; so does evidence that was cut or altered on its way. The others go on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use conformance::evidence::Log;
use conformance::progress::{Progress, Silent};
use conformance::runner::run;
use conformance::scenario;
use conformance::stage::{ScenarioFn, Stage};
use conformance::status::Status;
use conformance::testing::{ModelFactory, load, trial};
use conformance::{Options, Outcome, Scenario, Stop, SubjectFactory};
use covenant_core::BoxFuture;
use time::macros::utc_datetime;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
/// The scenario of R-11, in whose place the bad ones stand.
const SECOND_LAYER: &str = "at_rest::second_layer";

#[expect(clippy::panic, reason = "what a bad scenario does")]
fn panics<'s>(_: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async { panic!("a scenario panics") })
}

fn hangs<'s>(_: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(std::future::pending())
}

fn checks_nothing<'s>(_: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async { Ok(()) })
}

fn flips<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let odd = stage.seed() % 2;
        stage.check("the seed's last bit", 1, odd)
    })
}

/// The catalogue with this in the place of one scenario.
fn catalogue_with(run: ScenarioFn) -> &'static [Scenario] {
    let replaced = scenario::CATALOGUE.iter().map(|scenario| Scenario {
        run: if scenario.id == SECOND_LAYER {
            run
        } else {
            scenario.run
        },
        ..*scenario
    });
    Box::leak(replaced.collect())
}

fn options(catalogue: &'static [Scenario]) -> Options {
    let mut options = Options::new(7, utc_datetime!(2026-11-22 00:00));
    options.clauses = ["R-11".to_owned(), "R-23".to_owned()].into();
    options.catalogue = catalogue;
    options
}

fn run_with(options: &Options) -> io::Result<Outcome> {
    let documents = load(Path::new(POLICIES), &["immidb"])?;
    trial(ModelFactory, &documents, options)
}

fn notes(outcome: &Outcome, clause: &str) -> Option<(Status, String)> {
    let verdict = outcome.verdict(clause)?;
    Some((verdict.status, verdict.notes.join("\n")))
}

#[test]
fn a_bad_scenario_breaks_its_clause_with_the_reason_and_the_seed() {
    let check = |scenario: ScenarioFn, limit, reason: &str| {
        let mut options = options(catalogue_with(scenario));
        options.limit = limit;
        options.clauses = ["R-11".to_owned()].into();
        let (status, notes) = notes(&run_with(&options).unwrap(), "R-11").unwrap();
        assert_eq!(status, Status::Broken, "{notes}");
        assert!(notes.contains(reason), "{notes}");
        assert!(notes.contains("seed 7"), "{notes}");
    };
    let long = Duration::from_secs(300);
    check(panics, long, "panicked: a scenario panics");
    check(hangs, Duration::from_millis(50), "did not end within");
    check(checks_nothing, long, "no check was made");
    check(
        flips,
        long,
        "flips: it holds with seed 7 and not with seed 8",
    );
}

#[test]
fn the_limit_of_real_time_is_half_an_hour_unless_a_test_shortens_it() {
    let limit = Duration::from_secs(30 * 60);
    assert_eq!(options(scenario::CATALOGUE).limit, limit);
}

#[test]
fn the_run_goes_on_after_a_bad_scenario() {
    let honest = run_with(&options(scenario::CATALOGUE)).unwrap();
    for scenario in [panics as ScenarioFn, checks_nothing, flips] {
        let outcome = run_with(&options(catalogue_with(scenario))).unwrap();
        assert_ne!(notes(&outcome, "R-11"), notes(&honest, "R-11"));
        assert_eq!(notes(&outcome, "R-23"), notes(&honest, "R-23"));
        let lines = |outcome: &Outcome, sound: bool| {
            let lines = outcome.evidence.lines.iter();
            let of = lines.filter(|line| line.clause.ends_with("R-23"));
            of.filter(|line| line.sabotage.is_none() == sound).count()
        };
        assert_eq!(lines(&outcome, true), lines(&honest, true));
    }
}

/// Cuts the evidence in the middle of its last line once so many runs have ended.
#[derive(Debug)]
struct Cuts {
    partial: PathBuf,
    after: usize,
}

impl Progress for Cuts {
    fn planned(&self, _: usize) {}

    fn ended(&self, done: usize, _: usize, _: &str) {
        if done == self.after {
            // a failure to cut shows: nothing is lost then
            cut(&self.partial).unwrap_or_default();
        }
    }
}

fn cut(path: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(path)?;
    file.set_len(file.metadata()?.len().saturating_sub(20))
}

#[test]
fn evidence_that_is_left_half_written_breaks_its_clause_and_the_run_goes_on() {
    let factory: Arc<dyn SubjectFactory> = Arc::new(ModelFactory);
    let documents = load(Path::new(POLICIES), &["immidb"]).unwrap();
    let mut options = options(scenario::CATALOGUE);
    options.workers = std::num::NonZeroUsize::MIN;
    let folder = tempfile::tempdir().unwrap();
    let run_with = |progress: &dyn Progress| {
        let log = Log::in_folder(folder.path()).unwrap();
        run(&factory, &documents, &options, log, progress).unwrap()
    };
    let whole = run_with(&Silent);
    assert!(whole.evidence.lost.is_empty());
    assert_eq!(notes(&whole, "R-11").unwrap().0, Status::Kept);
    let total = whole.evidence.lines.len();
    let partial = folder.path().join("evidence.jsonl.partial");
    let mut broken = 0;
    for after in 1..=total {
        let partial = partial.clone();
        let outcome = run_with(&Cuts { partial, after });
        for clause in ["R-11", "R-23"] {
            let (status, notes) = notes(&outcome, clause).unwrap();
            let full = format!("immidb.{clause}");
            let lost = outcome.evidence.lost.iter().any(|line| line.clause == full);
            if lost {
                broken += 1;
                assert_eq!(status, Status::Broken, "{notes}");
                assert!(notes.contains("is missing or altered"), "{notes}");
            } else {
                assert_eq!(status, Status::Kept, "{notes}");
            }
        }
        assert_eq!(outcome.evidence.lines.len(), total, "the run went on");
    }
    assert!(broken >= 2, "{broken}");
}
