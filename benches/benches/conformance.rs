//! The reports of a run are printed and written in a moment, however much evidence there is.
//!
//! What is reported is a run of the three policies on the model; its lines are repeated, a second
//! later each time, until there are enough.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use benches::{Bar, Measure, time};
use conformance::Options;
use conformance::evidence::{Evidence, Log};
use conformance::report::files::Files;
use conformance::report::{DocumentReport, Exit, Found, Report, RunFacts, SourceState, Tree};
use conformance::testing::{ModelFactory, load, trial};
use conformance::{Outcome, SubjectFactory};
use covenant_core::digest::Digest;
use policy_document::{Document, lint_all};
use time::macros::utc_datetime;
use time::{Duration, UtcDateTime};

/// How many lines of evidence, by the design.
const LINES: usize = 50_000;
/// Longest `index.html`, by the design.
const PAGE_LEN_BYTES_MAX: f64 = 3.0 * 1024.0 * 1024.0;
const TODAY: UtcDateTime = utc_datetime!(2026-11-22 00:00);

fn main() -> Result<(), Box<dyn Error>> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let documents = load(&policies, &["immidb", "prodb", "protopie"])?;
    let options = Options::new(7, TODAY);
    let outcome = trial(ModelFactory, &documents, &options)?;
    let evidence = repeated(&outcome)?;
    let all: Vec<&Document> = documents.iter().map(AsRef::as_ref).collect();
    let report = report(&all, &outcome, &evidence);

    let folder = tempfile::tempdir()?;
    let publish = || {
        let files = Files::print(black_box(&report), &options, &evidence);
        files.publish(folder.path())
    };
    publish()?;
    let took = time(publish);
    Measure {
        id: "conformance/reports",
        value: took.as_secs_f64(),
        unit: "s for 50,000 lines of evidence",
        peer: "limit: 3 s",
        bar: Bar::AtMost(3.0),
    }
    .print()?;
    let page = std::fs::metadata(folder.path().join("index.html"))?.len();
    Measure {
        id: "conformance/page",
        value: f64::from(u32::try_from(page)?),
        unit: "bytes of index.html",
        peer: "limit: 3 MiB",
        bar: Bar::AtMost(PAGE_LEN_BYTES_MAX),
    }
    .print()?;
    Ok(())
}

/// The lines of the run, again and again.
fn repeated(outcome: &Outcome) -> Result<Evidence, Box<dyn Error>> {
    let mut log = Log::in_memory();
    let again = outcome
        .evidence
        .lines
        .iter()
        .cycle()
        .zip(0_i64..)
        .take(LINES);
    for (line, seconds) in again {
        let mut line = line.clone();
        line.start += Duration::seconds(seconds);
        log.append(line)?;
    }
    Ok(log.close()?)
}

fn report(documents: &[&Document], outcome: &Outcome, evidence: &Evidence) -> Report {
    let linted = lint_all(documents, TODAY.date());
    let pairs = documents.iter().zip(&outcome.documents).zip(linted);
    let reports = pairs.map(|((document, clauses), linted)| DocumentReport {
        document: Document::clone(document),
        policy_sha256: Digest::of(b""),
        source_state: SourceState::Absent,
        clauses: clauses.clone(),
        findings: linted
            .findings
            .into_iter()
            .map(|finding| Found {
                finding,
                golden: None,
            })
            .collect(),
    });
    Report {
        run: RunFacts {
            started: TODAY,
            finished: TODAY,
            seed: 7,
            commit: None,
            tree: Tree::Dirty,
            toolchain: "rustc".to_owned(),
            target: "bench".to_owned(),
            subject: ModelFactory.info(),
        },
        evidence_sha256: evidence.digest,
        documents: reports.collect(),
        exit: Exit {
            code: 0,
            reasons: Vec::new(),
        },
    }
}
