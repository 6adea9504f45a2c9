//! `cargo xtask`: runs the checks, the tests with their servers, the main job and the benches.
//! Depends on nothing of the workspace: it reads files and spawns cargo.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command prints"
)]

mod bench;
mod ci;
mod citations;
mod conformance;
mod docs;
mod environment;
mod fuzz;
mod layers;
mod lint;
mod oracles;
mod outside;
mod process;
mod servers;
mod test;
mod tidy;
mod tree;

use std::process::ExitCode;

use process::Fault;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  conformance [ARGS]   runs every clause of every policy on the embedded stores (the main job)
  test [ARGS]          the whole test suite, with throw-away servers on loopback
  ci                   everything that CI checks, in its order
  bench [CRATE]        runs the benches, writes target/bench/ratios.json
  layers               allowed arrows between crates, against cargo metadata
  tidy                 habits of the tree; BLESS=1 rewrites the guards of FORMAT.md
  citations            clause citations against policies/*.toml, both ways
  lint                 findings of every policy against policies/expected-findings.toml
  docs [--check]       regenerates docs/clause-matrix.md, or checks that it is fresh
  fuzz [SECONDS]       builds the fuzz targets and runs each, SECONDS in all (default 180)
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match command.as_str() {
        "conformance" => return conformance::run(&rest),
        "test" => test::run(&rest),
        "ci" => return ci::run(),
        "bench" => bench::run(&rest),
        "layers" => layers::run(),
        "tidy" => tidy::run(),
        "citations" => citations::run(),
        "lint" => lint::run(),
        "docs" => docs::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "" | "help" | "--help" | "-h" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprint!("xtask: no command {other}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("xtask: {command}: {fault}");
            match fault {
                Fault::Found(_) => ExitCode::from(1),
                Fault::Usage(_) => ExitCode::from(2),
                Fault::Missing(_) | Fault::Io(_) => ExitCode::from(3),
            }
        }
    }
}
