//! `conformance`: builds and runs the binary of that name, and passes its exit code on.

use std::process::ExitCode;

use crate::process::cargo;

pub(crate) fn run(args: &[String]) -> ExitCode {
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
    match run.args(args).status() {
        Ok(status) => status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(4)
            .into(),
        Err(error) => {
            eprintln!("xtask: conformance: cannot be started: {error}");
            ExitCode::from(4)
        }
    }
}
