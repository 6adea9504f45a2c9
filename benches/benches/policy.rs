//! Policy documents: the three real ones are read, and read and linted, in a moment.
//!
//! Python's own reader of TOML is a peer, measured by itself in the same run, where it is installed.

#![expect(clippy::print_stderr, reason = "a bench says what it could not run")]

use std::error::Error;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Duration;

use benches::{Bar, Measure, time};
use policy_document::{Document, lint_all};
use time::macros::date;

const DOCUMENTS: [&str; 3] = [
    include_str!("../../policies/immidb.toml"),
    include_str!("../../policies/prodb.toml"),
    include_str!("../../policies/protopie.toml"),
];

/// Reads the three files with `tomllib` and prints the median seconds of 21 rounds.
const PEER: &str = "\
import statistics, sys, time, tomllib
texts = [open(path, encoding='utf-8').read() for path in sys.argv[1:]]
took = []
for _ in range(21):
    start = time.perf_counter()
    for text in texts:
        tomllib.loads(text)
    took.append(time.perf_counter() - start)
print(statistics.median(took))
";

fn main() -> Result<(), Box<dyn Error>> {
    let today = date!(2026 - 11 - 22);
    let mut documents = Vec::new();
    for text in DOCUMENTS {
        let parsed = Document::parse(text);
        documents.push(parsed.map_err(|errors| format!("{} mistakes", errors.len()))?);
    }
    let all: Vec<&Document> = documents.iter().collect();
    if lint_all(&all, today).iter().any(|l| l.findings.is_empty()) {
        return Err("the linter finds nothing".into());
    }
    let parse = || DOCUMENTS.map(|text| Document::parse(black_box(text)));
    let took = time(parse);
    Measure {
        id: "policy-document/parse",
        value: milliseconds(took),
        unit: "ms for three documents",
        peer: "limit: 50 ms",
        bar: Bar::AtMost(50.0),
    }
    .print()?;
    let both = time(|| {
        let documents: Vec<Document> = parse().into_iter().flatten().collect();
        let all: Vec<&Document> = documents.iter().collect();
        let linted = lint_all(black_box(&all), today);
        linted.iter().map(|l| l.findings.len()).sum::<usize>()
    });
    Measure {
        id: "policy-document/parse_and_lint",
        value: milliseconds(both),
        unit: "ms for three documents",
        peer: "limit: 50 ms",
        bar: Bar::AtMost(50.0),
    }
    .print()?;
    match python() {
        Some(peer) => Measure {
            id: "policy-document/parse_vs_tomllib",
            value: took.as_secs_f64() / peer.as_secs_f64(),
            unit: "times the time",
            peer: "Python tomllib, reading the same three texts",
            bar: Bar::AtMost(1.0),
        }
        .print()?,
        None => eprintln!("policy-document/parse_vs_tomllib: not run: no python3 with tomllib"),
    }
    Ok(())
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}

/// What the peer takes; `None` where there is none.
fn python() -> Option<Duration> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies");
    let paths = ["immidb", "prodb", "protopie"].map(|id| format!("{folder}/{id}.toml"));
    let mut python = Command::new("python3");
    python.args(["-c", PEER]).args(paths).stdin(Stdio::null());
    let output = python.output().ok().filter(|out| out.status.success())?;
    let seconds: f64 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|d| !d.is_zero())
}
