//! `bench`: runs the benches of package `benches`, and of `benches/peers`, and gathers their
//! measures, one JSON object a line, into `target/bench/ratios.json`.

use std::process::Command;

use serde_json::Value;

use crate::process::{Fault, cargo, found, output, root};

/// What every measure must have.
const KEYS: &[&str] = &["id", "value", "unit", "peer", "bar", "holds"];

/// The package of peers whose trees are too large for the workspace: it has a lock file of its own.
pub(crate) const PEERS: &str = "benches/peers/Cargo.toml";
/// Where it is built.
const PEERS_TARGET: &str = "target/peers";
/// Whose bench it is.
const OF_PEERS: &str = "retention-policy";

pub(crate) fn run(args: &[String]) -> Result<(), Fault> {
    let mut bench = cargo();
    bench.args(["bench", "--package", "benches"]);
    match args {
        [] => bench.arg("--benches"),
        [package] => bench.args(["--bench", &bench_of(package)?]),
        _ => return Err(Fault::Usage("bench takes one crate or nothing".to_owned())),
    };
    let mut printed = output(&mut bench)?;
    if args.is_empty() || args.iter().any(|package| package == OF_PEERS) {
        printed.push_str(&output(&mut peers())?);
    }
    let measures = measures(&printed)?;
    let path = root().join("target/bench/ratios.json");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let text = serde_json::to_string_pretty(&measures).map_err(|e| Fault::Io(e.to_string()))?;
    std::fs::write(&path, text + "\n")?;
    for measure in &measures {
        let of = |key: &str| match measure.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let holds = match measure.get("holds") {
            Some(Value::Bool(true)) => "holds",
            _ => "MISSED",
        };
        println!(
            "{holds:<7} {}: {} {} (bar {}; {})",
            of("id"),
            of("value"),
            of("unit"),
            of("bar"),
            of("peer")
        );
    }
    println!("{} measure(s) in target/bench/ratios.json", measures.len());
    Ok(())
}

/// The command that builds and runs the package of peers, with its own lock file.
fn peers() -> Command {
    let mut peers = cargo();
    peers.args(["run", "--release", "--locked", "--quiet"]);
    peers.args(["--manifest-path", PEERS]);
    peers.arg("--target-dir").arg(root().join(PEERS_TARGET));
    peers
}

/// The bench that measures a crate.
fn bench_of(package: &str) -> Result<String, Fault> {
    let name = match package {
        "crypto-envelope" => "envelope",
        "tenant-isolation" => "isolation",
        "retention-policy" => "retention",
        "backup-engine" => "backup",
        "audit-log" => "audit",
        "pii-scrub" => "pii",
        "policy-document" => "policy",
        "conformance" => "conformance",
        other => return Err(Fault::Usage(format!("no bench measures {other}"))),
    };
    let benches = root().join("benches/benches");
    let alone = benches.join(format!("{name}.rs"));
    if alone.is_file() || benches.join(name).join("main.rs").is_file() {
        return Ok(name.to_owned());
    }
    Err(Fault::Usage(format!("no bench measures {package} yet")))
}

/// The measures among printed lines; a line that looks like one and is not is a finding.
fn measures(printed: &str) -> Result<Vec<Value>, Fault> {
    let mut measures = Vec::new();
    let mut findings = Vec::new();
    for line in printed.lines().filter(|line| line.starts_with('{')) {
        match serde_json::from_str::<Value>(line) {
            Ok(measure) if KEYS.iter().all(|key| measure.get(key).is_some()) => {
                measures.push(measure);
            }
            _ => findings.push(format!("not a measure: {line}")),
        }
    }
    found(findings)?;
    Ok(measures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_is_a_file_or_a_folder() {
        assert_eq!(bench_of("crypto-envelope").unwrap(), "envelope");
        assert_eq!(bench_of("audit-log").unwrap(), "audit");
        assert!(bench_of("pii-scrub").is_err());
        assert!(bench_of("xtask").is_err());
    }

    #[test]
    fn a_measure_needs_every_key() {
        let whole = r#"{"id":"a/b","value":1.0,"unit":"ratio","peer":"p","bar":2.0,"holds":true}"#;
        assert_eq!(measures(&format!("noise\n{whole}\n")).unwrap().len(), 1);
        assert!(measures(r#"{"id":"a/b"}"#).is_err());
    }
}
