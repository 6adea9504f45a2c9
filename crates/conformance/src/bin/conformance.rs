//! `conformance`: runs every clause of the policies on a system under test, prints one line a
//! clause and writes the report. All of its work is in the library; this file reads the
//! environment and shows progress.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use conformance::cli::{Golden, Surroundings, main_with};
use conformance::progress::Progress;
use conformance::report::Tree;
use conformance::{EmbeddedFactory, SubjectFactory};
use time::UtcDateTime;

fn main() -> ExitCode {
    let factory: Arc<dyn SubjectFactory> = Arc::new(EmbeddedFactory);
    let progress = Shown {
        terminal: stderr().is_terminal(),
    };
    let code = main_with(
        &factory,
        std::env::args().skip(1),
        &surroundings(),
        &progress,
        &mut stdout().lock(),
        &mut stderr(),
    );
    code.map_or(ExitCode::from(4), ExitCode::from)
}

fn surroundings() -> Surroundings {
    let status = git(&["status", "--porcelain", "--untracked-files=no"]);
    Surroundings {
        policies: PathBuf::from("policies"),
        stamp: variable("SOURCE_DATE_EPOCH")
            .and_then(|text| text.parse().ok())
            .and_then(|secs| UtcDateTime::from_unix_timestamp(secs).ok()),
        commit: git(&["rev-parse", "HEAD"]),
        tree: if status.is_some_and(|text| text.is_empty()) {
            Tree::Clean
        } else {
            Tree::Dirty
        },
        toolchain: output("rustc", &["--version"]).unwrap_or_else(|| "unknown".to_owned()),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        golden: match variable("BLESS").as_deref() {
            Some("1") => Golden::Bless,
            _ => Golden::Compare,
        },
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the binary hands its environment to the library"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn git(args: &[&str]) -> Option<String> {
    output("git", args)
}

/// What a command prints; `None` when it is not there or fails.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Progress on stderr: one line that is rewritten, where that is a terminal.
#[derive(Debug)]
struct Shown {
    terminal: bool,
}

impl Shown {
    fn write(&self, text: &str) {
        if self.terminal {
            // a terminal that went away is no reason to stop
            write!(stderr(), "\r\x1b[K{text}").unwrap_or_default();
        }
    }
}

impl Progress for Shown {
    fn planned(&self, total: usize) {
        self.write(&format!("0/{total}"));
    }

    fn ended(&self, done: usize, total: usize, what: &str) {
        let end = if done == total { "\r\x1b[K" } else { "" };
        self.write(&format!("{done}/{total}  {what}{end}"));
    }
}
