//! Policy documents: the three real ones are read, and read and linted, in a moment.
//!
//! Python's own reader of TOML is a peer, in turns with ours, where it is installed.

#![expect(clippy::print_stderr, reason = "a bench says what it could not run")]

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use benches::{Bar, Measure, compare_samples, time, timed};
use covenant_core::network::{Constraint, Network, Verdict};
use covenant_core::{DayRule, MonthRule, Period, Reading, Zone};
use policy_document::{Document, lint_all};
use time::macros::date;

const DOCUMENTS: [&str; 3] = [
    include_str!("../../policies/immidb.toml"),
    include_str!("../../policies/prodb.toml"),
    include_str!("../../policies/protopie.toml"),
];

/// For each line of input reads the three files with `tomllib` once and prints the seconds.
const PEER: &str = "\
import sys, time, tomllib
texts = [open(path, encoding='utf-8').read() for path in sys.argv[1:]]
for _ in sys.stdin:
    start = time.perf_counter()
    for text in texts:
        tomllib.loads(text)
    print(time.perf_counter() - start, flush=True)
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
    let (network, reading) = twenty_constraints();
    let from = date!(2026 - 01 - 01);
    if !matches!(network.check(&reading, from), Verdict::SomeDates { .. }) {
        return Err("all days must be looked at".into());
    }
    let took = time(|| black_box(&network).check(&reading, from));
    Measure {
        id: "policy-document/every_day_of_400_years",
        value: took.as_secs_f64(),
        unit: "s for 20 constraints, 146,097 days",
        peer: "limit: 2 s",
        bar: Bar::AtMost(2.0),
    }
    .print()?;
    match Python::start() {
        Some(mut peer) => Measure {
            id: "policy-document/parse_vs_tomllib",
            value: compare_samples(|| timed(parse).1, || peer.read()).ratio,
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

/// The peer, waiting for its turn.
struct Python {
    asked: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Python {
    /// `None` where there is none, or it does not answer.
    fn start() -> Option<Self> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies");
        let paths = ["immidb", "prodb", "protopie"].map(|id| format!("{folder}/{id}.toml"));
        let mut python = Command::new("python3");
        python.args(["-c", PEER]).args(paths);
        python.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.stderr(Stdio::null()).spawn().ok()?;
        let mut peer = Self {
            asked: child.stdin.take()?,
            told: BufReader::new(child.stdout.take()?),
        };
        peer.turn().map(|_| peer)
    }

    /// What reading takes it; no time at all, and so no ratio, when it has died.
    fn read(&mut self) -> Duration {
        self.turn().unwrap_or_default()
    }

    fn turn(&mut self) -> Option<Duration> {
        writeln!(self.asked).ok()?;
        let mut line = String::new();
        self.told.read_line(&mut line).ok()?;
        Duration::try_from_secs_f64(line.trim().parse().ok()?).ok()
    }
}

/// Months one after the other, the first of which has too few days on most dates.
fn twenty_constraints() -> (Network, Reading) {
    let mut network = Network::new();
    for step in 0..10 {
        let (from, to) = (format!("event {step}"), format!("event {}", step + 1));
        let most = Period::days(if step == 0 { 30 } else { 31 });
        network.add(Constraint::floor("floor", &*from, &*to, Period::months(1)));
        network.add(Constraint::ceiling("ceiling", &*from, &*to, most));
    }
    let reading = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd);
    (network, reading)
}
