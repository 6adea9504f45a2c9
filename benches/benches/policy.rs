//! Policy documents: the three real ones are read, and read and linted, in a moment; monitors judge a
//! history of a million events in less time than its lines are parsed in.
//!
//! Python's own reader of TOML is a peer, in turns with ours, where it is installed.

#![expect(clippy::print_stderr, reason = "a bench says what it could not run")]

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use ::time::UtcDateTime;
use ::time::macros::{date, utc_datetime};
use benches::{Bar, Measure, compare_samples, time, timed};
use covenant_core::network::{Constraint, Network, Verdict};
use covenant_core::{Action, DayRule, MonthRule, Outcome, Period, Reading, TenantId, TxnId, Zone};
use policy_document::monitor::{MonitorSet, Recorded, Value, WatchError};
use policy_document::{Document, lint_all};
use uuid::Uuid;

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
    monitors(&documents)
}

/// Events of the history.
const EVENTS: u32 = 1_000_000;
/// Monitors over it: those of the three documents, in turns.
const MONITORS: usize = 40;
/// Rounds of both, of a second each.
const ROUNDS: usize = 5;
/// How many of the events of a busy tenant's log no promise is about.
const OTHER: [Action; 6] = [
    Action::AccessAllowed,
    Action::RecordCreated,
    Action::ChangeRecorded,
    Action::AccessAllowed,
    Action::ChangeRecorded,
    Action::FieldRevealed,
];

/// Judging a million events, read already, against parsing the same lines as JSON.
fn monitors(documents: &[Document]) -> Result<(), Box<dyn Error>> {
    let history: Vec<Recorded> = (0..EVENTS).map(event).collect();
    let lines: Vec<String> = history.iter().map(line).collect();
    let all: Vec<_> = documents.iter().flat_map(Document::monitors).collect();
    let set = MonitorSet::new(all.iter().cycle().take(MONITORS).cloned());
    let end = history.last().map_or(START, |last| last.at);
    let judge = || -> Result<u64, WatchError> {
        let mut set = set.clone();
        for event in &history {
            set.see(&event.observed())?;
        }
        Ok(set.close(end).iter().map(|watched| watched.cases).sum())
    };
    let parse = || -> Result<usize, serde_json::Error> {
        let mut members = 0;
        for line in &lines {
            let value: serde_json::Value = serde_json::from_str(line)?;
            members += value.as_object().map_or(0, serde_json::Map::len);
        }
        Ok(members)
    };
    let mut ratios = Vec::new();
    let mut took = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        let (cases, judged) = timed(judge);
        let (members, parsed) = timed(parse);
        if cases? == 0 || members? == 0 {
            return Err("nothing was judged, or nothing was parsed".into());
        }
        took = (judged, parsed);
        ratios.push(judged.as_secs_f64() / parsed.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    let bytes: usize = lines.iter().map(String::len).sum();
    let (judged, parsed) = (milliseconds(took.0), milliseconds(took.1));
    eprintln!("policy-document/monitors: {judged:.0} ms; parse of {bytes} bytes: {parsed:.0} ms");
    Measure {
        id: "policy-document/monitors",
        value: ratios.get(ROUNDS / 2).copied().unwrap_or(f64::NAN),
        unit: "times the time, 40 monitors over 1,000,000 events",
        peer: "serde_json, parsing the same lines",
        bar: Bar::AtMost(1.0),
    }
    .print()?;
    Ok(())
}

const START: UtcDateTime = utc_datetime!(2027-01-01 0:00);

/// One event: of four, one is about a record's end, and backups come every hour for one of eight
/// tenants.
fn event(number: u32) -> Recorded {
    let tenant = TenantId::from_uuid(Uuid::from_u128(u128::from(number % 8) + 1));
    let at = START + ::time::Duration::seconds(30) * number;
    let (action, thing) = match number % 120 {
        0 => (Action::BackupCompleted, number),
        n if n % 8 == 3 => (Action::RecordDeleted, number),
        // purged thirty days and a half after it was deleted
        n if n % 8 == 7 && number > 87_844 => (Action::RecordPurged, number - 87_844),
        n => {
            let other = usize::try_from(n).unwrap_or(0) % OTHER.len();
            (
                OTHER.get(other).copied().unwrap_or(Action::AccessAllowed),
                number,
            )
        }
    };
    let mut attributes = std::collections::BTreeMap::new();
    if action == Action::BackupCompleted {
        attributes.insert("consistent_at".to_owned(), Value::At(at));
        let vault = Uuid::from_u128(u128::from(number / 2_880));
        attributes.insert("vault".to_owned(), Value::Id(vault));
    }
    Recorded {
        at,
        action,
        outcome: Outcome::Ok,
        tenant: Some(tenant),
        key: Some(
            Uuid::from_u128(u128::from(thing))
                .as_bytes()
                .as_slice()
                .into(),
        ),
        txn: Some(TxnId::from_uuid(Uuid::from_u128(u128::from(number / 2)))),
        attributes,
    }
}

/// The event as a leaf has it, with the members of every leaf.
fn line(event: &Recorded) -> String {
    let id = |number: u8| Uuid::from_u128(u128::from(number)).to_string();
    let text = |value: &Value| match value {
        Value::At(at) => serde_json::json!(at.to_string()),
        Value::Id(id) => serde_json::json!(id.to_string()),
        other => serde_json::json!(format!("{other:?}")),
    };
    let data: serde_json::Map<_, _> = event
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    let key = event.key.iter().flat_map(|key| key.iter());
    let key: String = key.map(|byte| format!("{byte:02x}")).collect();
    serde_json::json!({
        "action": event.action.name(),
        "actor": {"id": id(1), "kind": "member"},
        "at": event.at.to_string(),
        "changes": [],
        "clauses": [],
        "data": data,
        "decision": id(2),
        "event": id(3),
        "fields": [{"c": "5e".repeat(32), "keep": "shred", "p": "src.ip"}],
        "log": event.tenant.map(|tenant| tenant.to_string()),
        "outcome": "ok",
        "recorded_at": event.at.to_string(),
        "src": {"ip": 0, "path": "app"},
        "target": {"id": key, "kind": "record", "table": "content"},
        "txn": event.txn.map(|txn| txn.as_uuid().to_string()),
        "v": 0
    })
    .to_string()
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
