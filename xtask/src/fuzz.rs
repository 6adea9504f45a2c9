//! `fuzz`: builds the fuzz targets with coverage and runs each for its share of the time; a crash
//! is a finding. The corpora replay in `cargo xtask test` without any of that.

use std::process::Command;

use crate::environment;
use crate::process::{self, Fault, cargo, command, found, output, root};

/// Seconds shared by all targets when none are given (STYLE.md 7: three minutes).
const SECONDS: u64 = 180;

/// What libFuzzer needs from the compiler; the flags of cargo-fuzz, without its sanitizer.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(crate) fn run(args: &[String]) -> Result<(), Fault> {
    let seconds = match args {
        [] => SECONDS,
        [text] => text
            .parse()
            .map_err(|_e| Fault::Usage(format!("{text}: not a number")))?,
        _ => {
            return Err(Fault::Usage(
                "fuzz takes a number of seconds or nothing".to_owned(),
            ));
        }
    };
    let targets = targets()?;
    let host = host()?;
    let folder = root().join("target/fuzz-coverage");
    let mut build = cargo();
    build.args([
        "build",
        "--release",
        "--bins",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
    ]);
    // With a target named, the flags below stay away from build scripts and macros.
    build.args(["--target", &host]);
    build.arg("--target-dir").arg(&folder);
    build.env("RUSTC_BOOTSTRAP", "1");
    build.env(
        "RUSTFLAGS",
        format!("{} {COVERAGE}", environment::rustflags()),
    );
    process::run(&mut build)?;
    let programs = folder.join(&host).join("release");
    let share = (seconds / u64::try_from(targets.len().max(1)).unwrap_or(1)).max(1);
    let mut findings = Vec::new();
    for target in &targets {
        eprintln!("fuzz: {target}: {share} s");
        let artifacts = root().join("target/fuzz-artifacts").join(target);
        // New inputs go to the first folder, so that a run leaves the tree as it was.
        let found_inputs = root().join("target/fuzz-corpus").join(target);
        std::fs::create_dir_all(&artifacts)?;
        std::fs::create_dir_all(&found_inputs)?;
        let mut fuzzer = Command::new(programs.join(target));
        fuzzer
            .arg(&found_inputs)
            .arg(root().join("fuzz/corpus").join(target))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={share}"))
            .args([
                "-rss_limit_mb=1024",
                "-timeout=10",
                "-verbosity=0",
                "-print_final_stats=0",
            ]);
        if let Err(fault) = process::run(&mut fuzzer) {
            findings.push(format!("{target}: {fault}"));
        }
    }
    found(findings)
}

/// The command that replays every corpus through its target.
pub(crate) fn replay() -> Command {
    let mut test = cargo();
    test.args([
        "test",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--no-default-features",
    ]);
    test.arg("--target-dir").arg(root().join("target/fuzz"));
    test
}

/// The triple of the machine that compiles.
fn host() -> Result<String, Fault> {
    let said = output(command("rustc").arg("-vV"))?;
    host_in(&said).map_or_else(
        || Err(Fault::Io("rustc -vV names no host".to_owned())),
        |host| Ok(host.to_owned()),
    )
}

fn host_in(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.strip_prefix("host: "))
}

/// The names in `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem()
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(Fault::Missing(
            "fuzz/fuzz_targets holds no target".to_owned(),
        ));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_a_line_of_its_own() {
        let said = "rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(host_in(said), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(host_in("rustc 1.95.0\n"), None);
    }

    #[test]
    fn every_source_of_a_target_is_a_target() {
        let names = targets().unwrap();
        assert!(names.iter().any(|name| name == "core_note"), "{names:?}");
        assert!(names.is_sorted());
    }
}
