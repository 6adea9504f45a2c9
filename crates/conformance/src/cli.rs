//! The command, as a function: arguments in, exit code out, so that it runs on any factory.
//!
//! Nothing here reads the environment: where the policies are, the stamp, the commit and whether to
//! rewrite the golden file come from the caller. Results go to `out`, everything else to `err`.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use covenant_core::note::{Ed25519Signer, Note};
use covenant_core::{Clock, Secret, SystemClock};
use policy_document::ExpectedFindings;
use time::UtcDateTime;

use crate::evidence::{Log, write_atomically};
use crate::expected::Expected;
use crate::progress::Progress;
use crate::report::files::Files;
use crate::report::{DocumentReport, Exit, Report, RunFacts, Tree, terminal};
use crate::runner::{Options, Outcome, full_id, run};
use crate::scenario::CATALOGUE;
use crate::subject::SubjectFactory;

mod args;
mod exit;
mod load;

#[cfg(feature = "suite")]
pub(crate) use args::SEED_DEFAULT;
pub(crate) use exit::exit;
pub(crate) use load::{Loaded, Unread, reports};

pub use args::{Args, ArgsError, Attestations, USAGE, Way};

/// What the command takes from its surroundings.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The folder of the policies.
    pub policies: PathBuf,
    /// The instant that stands for the real time of the run, when there is one
    /// (`SOURCE_DATE_EPOCH`).
    pub stamp: Option<UtcDateTime>,
    /// The commit of the code.
    pub commit: Option<String>,
    /// Whether the code is that of the commit.
    pub tree: Tree,
    /// The compiler.
    pub toolchain: String,
    /// The machine that the code was built for.
    pub target: String,
    /// What to do with the golden file.
    pub golden: Golden,
}

/// What to do with the golden file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is compared or rewritten")]
pub enum Golden {
    /// Compare with it.
    Compare,
    /// Rewrite it (`BLESS=1`).
    Bless,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// When `out` or `err` cannot be written to.
pub fn main_with(
    factory: &Arc<dyn SubjectFactory>,
    args: impl IntoIterator<Item = String>,
    around: &Surroundings,
    progress: &dyn Progress,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let args = match Args::parse(args) {
        Ok(args) => args,
        Err(error) => {
            writeln!(err, "conformance: {error}\n{USAGE}")?;
            return Ok(2);
        }
    };
    if args.way == Way::Help {
        writeln!(out, "{USAGE}")?;
        return Ok(0);
    }
    if args.way == Way::List {
        for scenario in CATALOGUE {
            let kills: Vec<_> = scenario
                .kills
                .iter()
                .map(|sabotage| sabotage.name())
                .collect();
            writeln!(out, "{:<38} {}", scenario.id, kills.join(", "))?;
        }
        return Ok(0);
    }
    let signer = match args.sign.as_deref().map(signer).transpose() {
        Ok(signer) => signer,
        Err(reason) => {
            writeln!(err, "conformance: {reason}")?;
            return Ok(2);
        }
    };
    let clock = SystemClock::new();
    let started = around.stamp.unwrap_or_else(|| clock.now());
    let started = started.replace_nanosecond(0).unwrap_or(started);
    let mut command = Command {
        args: &args,
        around,
        started,
        reasons: Vec::new(),
        err,
    };
    let loaded = match command.load()? {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let reviewed = match reviewed(&around.policies) {
        Ok(reviewed) => reviewed,
        Err(reason) => {
            writeln!(command.err, "conformance: {reason}")?;
            return Ok(4);
        }
    };
    let options = command.options();
    if let Some(unknown) = unknown(&args, &loaded) {
        writeln!(command.err, "conformance: {unknown}")?;
        return Ok(2);
    }
    let documents: Vec<_> = loaded.iter().map(|l| Arc::clone(&l.document)).collect();
    let outcome =
        Log::in_folder(&args.out).and_then(|log| run(factory, &documents, &options, log, progress));
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            writeln!(
                command.err,
                "conformance: the evidence could not be written: {error}"
            )?;
            return Ok(4);
        }
    };
    let finished = around.stamp.unwrap_or_else(|| clock.now());
    let mut report = Report {
        run: RunFacts {
            started,
            finished: finished.replace_nanosecond(0).unwrap_or(finished),
            seed: args.seed,
            commit: around.commit.clone(),
            tree: around.tree,
            toolchain: around.toolchain.clone(),
            target: around.target.clone(),
            subject: factory.info(),
        },
        evidence_sha256: outcome.evidence.digest,
        documents: reports(&loaded, &outcome, (&reviewed, started.date())),
        exit: Exit {
            code: 0,
            reasons: Vec::new(),
        },
    };
    report.exit = command.exit(&report, &outcome)?;
    let printed = Files::print(&report, &options, &outcome.evidence);
    let published = sign(printed, &report, signer.as_ref()).and_then(|all| all.publish(&args.out));
    if let Err(error) = published {
        writeln!(
            command.err,
            "conformance: the reports could not be written: {error}"
        )?;
        return Ok(4);
    }
    write!(out, "{}", terminal::print(&report))?;
    Ok(report.exit.code)
}

/// The findings that somebody has read; none where the folder has no such file.
fn reviewed(policies: &Path) -> Result<ExpectedFindings, String> {
    let path = policies.join("expected-findings.toml");
    let shown = path.display();
    match std::fs::read_to_string(&path) {
        Ok(text) => ExpectedFindings::parse(&text).map_err(|error| format!("{shown}: {error}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ExpectedFindings::default()),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// The signer whose key is in the file; the reason names the file, and nothing of the key.
fn signer(path: &Path) -> Result<Ed25519Signer, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let text = Secret::new(text);
    Ed25519Signer::from_text(text.expose().trim_end()).map_err(|error| format!("{shown}: {error}"))
}

/// Adds the signed statement over the files, when there is somebody to sign it.
fn sign(files: Files, report: &Report, signer: Option<&Ed25519Signer>) -> io::Result<Files> {
    let Some(signer) = signer else {
        return Ok(files);
    };
    let text = files.statement(report).map_err(io::Error::other)?.encode();
    let mut note = Note::unsigned(&text).map_err(io::Error::other)?;
    note.add_signature(&signer.sign_line(&text))
        .map_err(io::Error::other)?;
    Ok(files.signed(note))
}

/// A clause or scenario of the arguments that no document has.
fn unknown(args: &Args, loaded: &[Loaded]) -> Option<String> {
    let mut clauses = BTreeSet::new();
    let mut scenarios = BTreeSet::new();
    for document in loaded.iter().map(|loaded| &loaded.document) {
        for clause in document.clauses() {
            clauses.insert(clause.id.to_string());
            clauses.insert(full_id(document, clause.id));
            scenarios.extend(clause.verify.scenarios.iter().cloned());
        }
    }
    let clause = args.clauses.iter().find(|id| !clauses.contains(*id));
    let scenario = args.scenarios.iter().find(|id| !scenarios.contains(*id));
    clause
        .map(|id| format!("no document has a clause {id}"))
        .or_else(|| scenario.map(|id| format!("no clause binds a scenario {id}")))
}

/// Runs at once for each core: a run and the threads of its databases wait for each other by turns, so
/// that one alone leaves a core idle in between.
const RUNS_A_CORE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

fn workers() -> NonZeroUsize {
    let cores = std::thread::available_parallelism();
    cores
        .unwrap_or(NonZeroUsize::MIN)
        .saturating_mul(RUNS_A_CORE)
}

struct Command<'a> {
    args: &'a Args,
    around: &'a Surroundings,
    started: UtcDateTime,
    /// Why a document must not be accepted: code 3.
    reasons: Vec<String>,
    err: &'a mut dyn Write,
}

impl Command<'_> {
    /// Reads and checks the documents; the inner error is the exit code.
    fn load(&mut self) -> io::Result<Result<Vec<Loaded>, u8>> {
        let paths = match self.paths() {
            Ok(paths) => paths,
            Err(reason) => {
                writeln!(self.err, "conformance: {reason}\n{USAGE}")?;
                return Ok(Err(2));
            }
        };
        let mut loaded = Vec::new();
        let mut invalid = false;
        for path in paths {
            match Loaded::read(&path, &self.args.sources, self.started.date()) {
                Ok(document) => {
                    self.reasons.extend(document.reasons.iter().cloned());
                    loaded.push(document);
                }
                Err(Unread::Usage(reason)) => {
                    writeln!(self.err, "conformance: {reason}")?;
                    return Ok(Err(2));
                }
                Err(Unread::Invalid(errors)) => {
                    invalid = true;
                    for error in errors {
                        writeln!(self.err, "{}:{error}", path.display())?;
                    }
                }
            }
        }
        for reason in &self.reasons {
            writeln!(self.err, "{reason}")?;
        }
        Ok(if invalid { Err(3) } else { Ok(loaded) })
    }

    /// The files that the arguments name.
    fn paths(&self) -> Result<Vec<PathBuf>, String> {
        let folder = &self.around.policies;
        if !self.args.policies.is_empty() {
            let named = self.args.policies.iter().map(|name| {
                let looks_like_a_file = name.contains('/') || Path::new(name).extension().is_some();
                if looks_like_a_file {
                    name.into()
                } else {
                    folder.join(format!("{name}.toml"))
                }
            });
            return Ok(named.collect());
        }
        let entries =
            std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut paths: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default();
                name.ends_with(".toml") && !name.starts_with("expected-")
            })
            .collect();
        paths.sort();
        if paths.is_empty() {
            return Err(format!("{}: no policies", folder.display()));
        }
        Ok(paths)
    }

    fn options(&self) -> Options {
        Options {
            clauses: self.args.clauses.clone(),
            scenarios: self.args.scenarios.clone(),
            commit: self.around.commit.clone(),
            workers: workers(),
            ..Options::new(self.args.seed, self.started)
        }
    }

    /// The first code that applies, with its reasons.
    fn exit(&mut self, report: &Report, outcome: &Outcome) -> io::Result<Exit> {
        let exit = exit(report, outcome, &self.reasons, self.args.attestations);
        match &self.args.expected {
            Some(path) if !matches!(exit.code, 3 | 4) => self.compare(path, &report.documents),
            _ => Ok(exit),
        }
    }

    /// Compares with the reviewed statuses, or rewrites them.
    fn compare(&mut self, path: &Path, documents: &[DocumentReport]) -> io::Result<Exit> {
        let failed = |reason: String| {
            Ok(Exit {
                code: 4,
                reasons: vec![reason],
            })
        };
        let shown = path.display();
        if self.around.golden == Golden::Bless {
            let text = Expected::of(documents).print();
            return match write_atomically(path, text.as_bytes()) {
                Ok(()) => Ok(Exit {
                    code: 0,
                    reasons: Vec::new(),
                }),
                Err(error) => failed(format!("{shown}: {error}")),
            };
        }
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return failed(format!("{shown}: {error}")),
        };
        let expected = match Expected::parse(&text) {
            Ok(expected) => expected,
            Err(error) => return failed(format!("{shown}: {error}")),
        };
        for better in expected.improvements(documents) {
            writeln!(self.err, "better than reviewed: {better}")?;
        }
        let reasons = expected.regressions(documents);
        Ok(Exit {
            code: if reasons.is_empty() { 0 } else { 6 },
            reasons,
        })
    }
}
