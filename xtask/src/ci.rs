//! `ci`: every check, cheap ones first; a failure does not stop the others, each prints its
//! seconds, and the last lines say what failed.

use std::process::ExitCode;
use std::time::Instant;

use crate::outside::OUTSIDE;
use crate::process::{self, Fault, cargo, command, exists, found, output, root};
use crate::{bench, citations, docs, fuzz, layers, lint, test, tidy};

/// One step: its name, and what it does.
type Step = (&'static str, fn() -> Result<(), Fault>);

const STEPS: &[Step] = &[
    ("fmt", fmt),
    ("lock", lock),
    ("tidy", tidy::run),
    ("layers", layers::run),
    ("citations", citations::run),
    ("lint", lint::run),
    ("docs", || docs::run(&["--check".to_owned()])),
    ("clippy", clippy),
    ("deny", deny),
    ("audit", audit),
    ("test", || test::run(&[])),
    ("doc", doc),
    ("conformance", conformance),
    ("package", package),
    ("fuzz", || fuzz::run(&[])),
    ("bench", || bench::run(&[])),
];

pub(crate) fn run() -> ExitCode {
    let began = now();
    let mut failed = Vec::new();
    println!("{}", disk());
    for (name, step) in STEPS {
        println!("== {name}");
        let start = now();
        let outcome = step();
        let seconds = start.elapsed().as_secs();
        match outcome {
            Ok(()) => println!("== {name}: good, {seconds} s"),
            Err(fault) => {
                println!("== {name}: FAILED, {seconds} s: {fault}");
                failed.push(*name);
            }
        }
    }
    println!("{}", disk());
    println!("ci took {} s", began.elapsed().as_secs());
    println!(
        "ci: {} passed, {} failed",
        STEPS.len().saturating_sub(failed.len()),
        failed.len()
    );
    if failed.is_empty() {
        println!("all good");
        ExitCode::SUCCESS
    } else {
        println!("failed: {}", failed.join(", "));
        ExitCode::FAILURE
    }
}

/// How much room the tree's file system has left: a full one fails steps for no reason of theirs.
fn disk() -> String {
    let said = output(command("df").args(["-Ph", "."])).unwrap_or_default();
    let free = said
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3));
    format!("disk: {} free", free.unwrap_or("unknown"))
}

fn fmt() -> Result<(), Fault> {
    process::run(cargo().args(["fmt", "--all", "--check"]))?;
    for manifest in manifests_apart() {
        process::run(cargo().args(["fmt", "--check", "--manifest-path", &manifest]))?;
    }
    Ok(())
}

/// Every lock file names what the manifests ask for, so that a build of a fresh clone changes none.
fn lock() -> Result<(), Fault> {
    let workspace = ["Cargo.toml".to_owned()];
    for manifest in workspace.into_iter().chain(manifests_apart()) {
        let mut metadata = cargo();
        metadata.args(["metadata", "--locked", "--format-version", "1"]);
        output(metadata.args(["--manifest-path", &manifest]))?;
    }
    Ok(())
}

/// Each package alone, so that no other's features hide what it lacks.
fn clippy() -> Result<(), Fault> {
    let mut findings = Vec::new();
    for package in members()? {
        for features in ["--no-default-features", "--all-features"] {
            let mut clippy = cargo();
            clippy.args([
                "clippy",
                "--quiet",
                "-p",
                &package,
                "--all-targets",
                features,
            ]);
            keep(
                process::run(clippy.args(["--", "-D", "warnings"])),
                &mut findings,
            )?;
        }
    }
    for (manifest, folder) in apart() {
        let mut clippy = cargo();
        clippy.args(["clippy", "--quiet", "--manifest-path", &manifest]);
        clippy.arg("--all-targets");
        clippy.arg("--target-dir").arg(root().join(folder));
        keep(
            process::run(clippy.args(["--", "-D", "warnings"])),
            &mut findings,
        )?;
    }
    found(findings)
}

fn deny() -> Result<(), Fault> {
    tool("cargo-deny")?;
    process::run(
        cargo()
            .args(["deny", "--log-level", "error", "check"])
            .args(["bans", "licenses", "sources"]),
    )
}

fn audit() -> Result<(), Fault> {
    tool("cargo-audit")?;
    let database = root().join("../shared/advisory-db");
    if !database.is_dir() {
        return Err(Fault::Missing(
            "../shared/advisory-db: not beside the tree".to_owned(),
        ));
    }
    let mut audit = cargo();
    audit
        .arg("audit")
        .arg("--db")
        .arg(database)
        .args(["--no-fetch", "--stale", "--quiet"]);
    process::run(&mut audit)
}

fn doc() -> Result<(), Fault> {
    let mut doc = cargo();
    doc.args([
        "doc",
        "--workspace",
        "--no-deps",
        "--all-features",
        "--quiet",
    ]);
    process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The main job. It exits 1 while any technical clause is untested; CI asks that each status be the
/// golden one or better, which the binary checks and reports as exit code 6 where it is not.
fn conformance() -> Result<(), Fault> {
    let mut run = cargo();
    run.args([
        "run",
        "--quiet",
        "--package",
        "conformance",
        "--bin",
        "conformance",
        "--",
    ]);
    run.args(["--expected", "policies/expected-statuses.toml"]);
    let status = run.status()?;
    if status.success() {
        Ok(())
    } else {
        found(vec![format!("conformance: {status}")])
    }
}

/// Publishing stays possible: the leaves pack.
fn package() -> Result<(), Fault> {
    let mut package = cargo();
    package.args([
        "package",
        "--quiet",
        "--allow-dirty",
        "--no-verify",
        "-p",
        "covenant-core",
    ]);
    process::run(&mut package)
}

/// The manifest of every package outside the workspace.
fn manifests_apart() -> impl Iterator<Item = String> {
    let apart = apart().into_iter().map(|(manifest, _)| manifest);
    // measured, and not linted: the step `bench` builds its large tree once
    apart.chain([bench::PEERS.to_owned()])
}

/// The manifest of each package outside the workspace that is linted, and where it is built.
fn apart() -> Vec<(String, String)> {
    let fuzz = ("fuzz/Cargo.toml".to_owned(), "target/fuzz".to_owned());
    let outside = OUTSIDE.iter().map(|o| (o.manifest(), o.target()));
    std::iter::once(fuzz).chain(outside).collect()
}

/// The workspace's packages.
fn members() -> Result<Vec<String>, Fault> {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| Fault::Io(e.to_string()))?;
    let packages = metadata
        .get("packages")
        .and_then(serde_json::Value::as_array);
    let names = packages
        .into_iter()
        .flatten()
        .filter_map(|p| p.get("name")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

/// Installs a cargo sub-command when it is missing.
fn tool(name: &str) -> Result<(), Fault> {
    if exists(name, &["--version"]) {
        return Ok(());
    }
    println!("installing {name}");
    process::run(command("cargo").args(["install", "--locked", "--quiet", name]))
}

fn keep(outcome: Result<(), Fault>, findings: &mut Vec<String>) -> Result<(), Fault> {
    match outcome {
        Err(Fault::Found(lines)) => {
            findings.extend(lines);
            Ok(())
        }
        other => other,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the seconds that a step took, for the reader only"
)]
fn now() -> Instant {
    Instant::now()
}
