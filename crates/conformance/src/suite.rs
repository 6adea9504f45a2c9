//! One test per clause of a policy of your own, from one run of the kit: what [`crate::suite!`]
//! expands to.
//!
//! A test is named after its document and clause, as `acme::A-01`, so that it can be filtered,
//! listed and rerun by name, under `cargo test` as under `cargo nextest`. Two more tests concern the
//! document: `acme::document` compares it with its page and asks whether its
//! promises can all be kept, `acme::reports` writes the reports. Only
//! the scenarios of the clauses that were asked for run, once, whichever test comes first.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use covenant_core::{Clock, SystemClock};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use policy_document::{Clause, Document, ExpectedFindings};
use time::UtcDateTime;

use crate::cli::{Attestations, Loaded, SEED_DEFAULT, Unread, exit, reports};
use crate::evidence::Log;
use crate::progress::Silent;
use crate::report::{Exit, Report, RunFacts, Tree, figure, files};
use crate::runner::{Options, Outcome, full_id, run};
use crate::status::{Status, Technical};
use crate::subject::SubjectFactory;
use crate::verdict::ClauseVerdict;

/// Expands to the `main` of a test target with `harness = false`: one test per clause of the policy
/// file, one for the document itself and one that writes the reports.
///
/// The first argument is a value that implements [`crate::SubjectFactory`]; the second is the policy
/// file, from the folder of the package. The page lies beside it under the name that it gives as its
/// `source`. Reports go to `target/tmp/conformance/`.
///
/// ```text
/// // tests/policy.rs, with `[[test]] name = "policy"`, `harness = false` in Cargo.toml
/// conformance::suite!(AcmeFactory, "acme.toml");
/// ```
#[macro_export]
macro_rules! suite {
    ($factory:expr, $policy:literal $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            // named here, so that a change of the file builds and runs the tests again
            const _: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $policy));
            let place = $crate::suite::Place {
                policy: concat!(env!("CARGO_MANIFEST_DIR"), "/", $policy).into(),
                reports: concat!(env!("CARGO_TARGET_TMPDIR"), "/conformance").into(),
            };
            let factory = ::std::sync::Arc::new($factory);
            $crate::suite::run_tests(factory, &place, ::std::env::args())
        }
    };
}

/// Where the files of a suite are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The policy file; its page lies beside it.
    pub policy: PathBuf,
    /// The folder of the reports, made if it is not there.
    pub reports: PathBuf,
}

/// Runs the tests that the arguments ask for (those of `libtest`, the program's name first), prints
/// what became of them, and returns the exit code of a test program.
pub fn run_tests(
    factory: Arc<dyn SubjectFactory>,
    place: &Place,
    args: impl IntoIterator<Item = String>,
) -> ExitCode {
    let args = Arguments::from_iter(args);
    libtest_mimic::run(&args, trials(factory, place, &args)).exit_code()
}

/// The tests of the policy file, in the order of its clauses; a file that cannot be taken has one
/// test alone, which fails with all of its mistakes.
fn trials(factory: Arc<dyn SubjectFactory>, place: &Place, args: &Arguments) -> Vec<Trial> {
    let now = SystemClock::new().now();
    let started = now.replace_nanosecond(0).unwrap_or(now);
    let sources = place.policy.parent().unwrap_or_else(|| Path::new("."));
    let loaded = match Loaded::read(&place.policy, sources, started.date()) {
        Ok(loaded) => loaded,
        Err(unread) => return vec![refused(place, unread)],
    };
    let document = Arc::clone(&loaded.document);
    let mut wrong = loaded.reasons.clone();
    let findings = document.lint(started.date());
    let severe = findings.iter().filter(|finding| finding.fails());
    wrong.extend(severe.map(ToString::to_string));
    let shared = Arc::new(Shared {
        factory,
        loaded: vec![loaded],
        started,
        reports: place.reports.clone(),
        wanted: OnceLock::new(),
        ran: OnceLock::new(),
    });
    let id = document.id();
    let mut trials = vec![Trial::test(format!("{id}::document"), move || {
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Failed::from(wrong.join("\n")))
        }
    })];
    let mut wanted = BTreeSet::new();
    for clause in document.clauses() {
        let trial = clause_trial(&shared, &document, clause);
        if !args.is_filtered_out(&trial) {
            wanted.insert(full_id(&document, clause.id));
        }
        trials.push(trial);
    }
    let run = Arc::clone(&shared);
    let writes = Trial::test(format!("{id}::reports"), move || run.publish());
    let wanted = if args.is_filtered_out(&writes) {
        Wanted::Clauses(wanted)
    } else {
        Wanted::Reports
    };
    trials.push(writes);
    // INVARIANT: set once, here, before any test runs
    shared.wanted.get_or_init(|| wanted);
    trials
}

/// The one test of a file that cannot be taken.
fn refused(place: &Place, unread: Unread) -> Trial {
    let stem = place.policy.file_stem().unwrap_or_default();
    let name = format!("{}::document", stem.to_string_lossy());
    let shown = place.policy.display().to_string();
    Trial::test(name, move || {
        Err(Failed::from(match unread {
            Unread::Usage(reason) => reason,
            Unread::Invalid(errors) => {
                let errors = errors.iter().map(|error| format!("{shown}:{error}"));
                errors.collect::<Vec<_>>().join("\n")
            }
        }))
    })
}

fn clause_trial(shared: &Arc<Shared>, document: &Document, clause: &Clause) -> Trial {
    let shared = Arc::clone(shared);
    let id = clause.id.to_string();
    let name = format!("{}::{id}", document.id());
    Trial::ignorable_test(name, move || match shared.ran() {
        Ok(outcome) => match outcome.verdict(&id) {
            Some(verdict) => completion(verdict),
            None => Err(Failed::from("the clause was not judged")),
        },
        Err(error) => Err(Failed::from(error)),
    })
}

/// As in `junit.xml`: what scenarios prove fails when it is not kept; what nobody has attested, or
/// whose word has run out, is skipped, with the reason.
fn completion(verdict: &ClauseVerdict) -> Result<Completion, Failed> {
    let mut lines = vec![format!("{}: {}", verdict.status, verdict.clause.says)];
    lines.extend(figure(&verdict.clause).map(|figure| format!("figure: {figure}")));
    lines.extend(verdict.notes.iter().cloned());
    let part = verdict.technical.as_ref();
    if part.is_some_and(|part| part.outcome != Technical::Kept) {
        return Err(Failed::from(lines.join("\n")));
    }
    Ok(match verdict.status {
        Status::Kept | Status::Attested | Status::Superseded => Completion::Completed,
        status => Completion::ignored_with(status),
    })
}

/// What a run has to be made for.
#[derive(Debug)]
enum Wanted {
    /// These clauses alone.
    Clauses(BTreeSet<String>),
    /// All of them, with evidence on disk.
    Reports,
}

/// What the tests share: one run, made by the first that asks for it.
struct Shared {
    factory: Arc<dyn SubjectFactory>,
    loaded: Vec<Loaded>,
    started: UtcDateTime,
    reports: PathBuf,
    wanted: OnceLock<Wanted>,
    ran: OnceLock<Result<Outcome, String>>,
}

impl Shared {
    fn options(&self) -> Options {
        let mut options = Options::new(SEED_DEFAULT, self.started);
        if let Some(Wanted::Clauses(clauses)) = self.wanted.get() {
            options.clauses.clone_from(clauses);
        }
        options
    }

    fn ran(&self) -> Result<&Outcome, &str> {
        let ran = self.ran.get_or_init(|| {
            let log = match self.wanted.get() {
                Some(Wanted::Clauses(_)) => Ok(Log::in_memory()),
                _ => Log::in_folder(&self.reports),
            };
            let documents: Vec<_> = self
                .loaded
                .iter()
                .map(|loaded| Arc::clone(&loaded.document))
                .collect();
            log.and_then(|log| run(&self.factory, &documents, &self.options(), log, &Silent))
                .map_err(|error| format!("the evidence could not be written: {error}"))
        });
        ran.as_ref().map_err(String::as_str)
    }

    /// Writes the reports of the run. It fails only when they cannot be written: what they say of a
    /// clause is for the test of that clause.
    fn publish(&self) -> Result<(), Failed> {
        let outcome = self.ran()?;
        let now = SystemClock::new().now();
        let mut report = Report {
            run: RunFacts {
                started: self.started,
                finished: now.replace_nanosecond(0).unwrap_or(now),
                seed: SEED_DEFAULT,
                commit: None,
                tree: Tree::Dirty,
                toolchain: "unknown".to_owned(),
                target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
                subject: self.factory.info(),
            },
            evidence_sha256: outcome.evidence.digest,
            documents: reports(
                &self.loaded,
                outcome,
                (&ExpectedFindings::default(), self.started.date()),
            ),
            exit: Exit {
                code: 0,
                reasons: Vec::new(),
            },
        };
        let drift: Vec<_> = self
            .loaded
            .iter()
            .flat_map(|loaded| loaded.reasons.iter().cloned())
            .collect();
        report.exit = exit(&report, outcome, &drift, Attestations::Optional);
        files::publish(&self.reports, &report, &self.options(), &outcome.evidence)
            .map_err(|error| Failed::from(format!("the reports could not be written: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ModelFactory, Toy, ToyFactory};

    const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/immidb.toml");

    fn place(folder: &Path) -> Place {
        Place {
            policy: POLICY.into(),
            reports: folder.join("reports"),
        }
    }

    fn args(text: &str) -> Arguments {
        // what a suite prints is not what its own tests print
        let program = ["suite", "--logfile", "/dev/null", "--test-threads", "1"].into_iter();
        Arguments::from_iter(program.chain(text.split_whitespace()).map(str::to_owned))
    }

    /// Passed, failed, ignored, filtered out.
    fn ended(
        factory: impl SubjectFactory + 'static,
        place: &Place,
        asked: &str,
    ) -> (u64, u64, u64, u64) {
        let args = args(asked);
        let trials = trials(Arc::new(factory), place, &args);
        let all = libtest_mimic::run(&args, trials);
        (
            all.num_passed,
            all.num_failed,
            all.num_ignored,
            all.num_filtered_out,
        )
    }

    #[test]
    fn there_is_one_test_for_each_clause_and_two_for_the_document() {
        let folder = tempfile::tempdir().unwrap();
        let trials = trials(Arc::new(ModelFactory), &place(folder.path()), &args(""));
        let names: Vec<_> = trials.iter().map(Trial::name).collect();
        assert_eq!(names.first(), Some(&"immidb::document"));
        assert_eq!(names.get(1), Some(&"immidb::R-01"));
        assert_eq!(names.last(), Some(&"immidb::reports"));
        let text = std::fs::read_to_string(POLICY).unwrap();
        assert_eq!(names.len(), text.matches("[[clause]]").count() + 2);
    }

    #[test]
    fn a_test_passes_fails_or_is_skipped_as_its_clause_is_kept_unproven_or_not_scored() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        let check = |factory, asked, expect| {
            let (passed, failed, ignored, _) = ended(ToyFactory(factory), &place, asked);
            assert_eq!((passed, failed, ignored), expect, "{factory:?} {asked}");
        };
        // kept; a sabotage is not caught; refused; unattested; informational
        check(Toy::RefusesWhenSabotaged, "R-11", (0, 1, 0));
        check(Toy::RefusesAll, "R-11", (0, 1, 0));
        check(Toy::SupportsNothing, "R-11", (0, 1, 0));
        check(Toy::RefusesAll, "R-08", (0, 0, 1));
        check(Toy::RefusesAll, "R-04", (0, 0, 1));
        assert_eq!(ended(ModelFactory, &place, "--exact immidb::R-11").0, 1);
        assert!(!place.reports.exists(), "nobody asked for reports");
    }

    #[test]
    fn only_what_was_asked_for_runs_and_the_reports_run_everything() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        let args = args("R-11");
        let (shared, all) = {
            let trials = trials(Arc::new(ModelFactory), &place, &args);
            let asked = trials.iter().filter(|trial| !args.is_filtered_out(trial));
            (asked.count(), trials.len())
        };
        assert_eq!(shared, 1);
        assert!(all > 1);
        assert_eq!(
            ended(ToyFactory(Toy::NeverStarts), &place, "immidb::reports").0,
            1
        );
        let report = std::fs::read_to_string(place.reports.join("report.json")).unwrap();
        assert!(report.contains("\"id\": \"R-01\""), "all clauses are there");
        assert!(report.contains("\"code\": 4"), "the toy did not start");
    }

    #[test]
    fn a_policy_that_cannot_be_taken_is_one_failure() {
        let folder = tempfile::tempdir().unwrap();
        let mut place = place(folder.path());
        place.policy = folder.path().join("small.toml");
        assert_eq!(
            ended(ModelFactory, &place, ""),
            (0, 1, 0, 0),
            "no such file"
        );
        std::fs::write(&place.policy, "[document]\n").unwrap();
        assert_eq!(ended(ModelFactory, &place, ""), (0, 1, 0, 0), "no document");
    }

    #[test]
    fn a_page_that_drifted_fails_the_test_of_the_document() {
        let folder = tempfile::tempdir().unwrap();
        let mut place = place(folder.path());
        place.policy = folder.path().join("immidb.toml");
        std::fs::copy(POLICY, &place.policy).unwrap();
        assert_eq!(
            ended(ModelFactory, &place, "document").0,
            1,
            "no page, no drift"
        );
        let page = folder.path().join("002_d1a5f3b159b9bfea.txt");
        std::fs::write(page, "another page\n").unwrap();
        assert_eq!(ended(ModelFactory, &place, "document").1, 1);
    }

    #[test]
    fn promises_that_exclude_each_other_fail_the_test_of_the_document() {
        let folder = tempfile::tempdir().unwrap();
        let mut place = place(folder.path());
        place.policy = folder.path().join("acme.toml");
        let acme = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../examples/acme-notes/acme.toml"
        );
        let text = std::fs::read_to_string(acme).unwrap();
        std::fs::write(&place.policy, &text).unwrap();
        assert_eq!(ended(ModelFactory, &place, "document").0, 1);
        // seven days in the bin, and gone after six
        std::fs::write(&place.policy, text.replace("P10D", "P6D")).unwrap();
        assert_eq!(ended(ModelFactory, &place, "document").1, 1);
    }
}
