//! What a command says: a report on stdout as text or JSON, a failure on stderr, and exit codes.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};

/// Good or done.
pub(crate) const GOOD: u8 = 0;
/// Checked, and false.
pub(crate) const FALSE: u8 = 1;
/// Usage or bad input.
pub(crate) const USAGE: u8 = 2;
/// Of `covenant policy` only: the document is invalid, or the page is not the one it is about.
pub(crate) const INVALID: u8 = 3;
/// A server or store cannot be reached.
pub(crate) const UNREACHABLE: u8 = 3;
/// Refused, or not authentic.
pub(crate) const REFUSED: u8 = 4;

/// Of `covenant keys` only: the key store is damaged, or was put back and not replayed.
pub(crate) const DAMAGED: u8 = 5;

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One object.
    Json,
    /// Lines for people.
    Text,
}

/// What a command found out.
#[derive(Debug)]
pub(crate) struct Report {
    /// The exit code.
    pub(crate) code: u8,
    /// For people.
    pub(crate) text: Table,
    /// The same for programs.
    pub(crate) json: Value,
}

/// Why a command found nothing out.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub(crate) struct Failure {
    code: u8,
    lines: Vec<String>,
}

impl Failure {
    /// The arguments, or a file given, cannot be used.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            lines: vec![line.into()],
        }
    }

    /// The same, in several lines.
    pub(crate) const fn usage_lines(lines: Vec<String>) -> Self {
        Self { code: USAGE, lines }
    }

    /// A policy file is no policy document; one line a mistake.
    pub(crate) const fn invalid(lines: Vec<String>) -> Self {
        Self {
            code: INVALID,
            lines,
        }
    }

    /// Nobody answers there.
    pub(crate) fn unreachable(line: impl Into<String>) -> Self {
        Self {
            code: UNREACHABLE,
            lines: vec![line.into()],
        }
    }

    /// Something was checked, and is false.
    pub(crate) fn found(line: impl Into<String>) -> Self {
        Self {
            code: FALSE,
            lines: vec![line.into()],
        }
    }

    /// The key store cannot be used as it is.
    pub(crate) fn damaged(line: impl Into<String>) -> Self {
        Self {
            code: DAMAGED,
            lines: vec![line.into()],
        }
    }

    /// Something signed is not authentic.
    pub(crate) fn refused(line: impl Into<String>) -> Self {
        Self {
            code: REFUSED,
            lines: vec![line.into()],
        }
    }
}

/// Text in two columns: a label, and lines beside it.
#[derive(Debug, Default)]
pub(crate) struct Table(String);

/// Width of the first column: the longest label and two spaces.
const LABEL_WIDTH: usize = 13;

impl Table {
    /// A line that stands alone.
    pub(crate) fn line(&mut self, text: &str) {
        self.0.push_str(&shown(text));
        self.0.push('\n');
    }

    /// A label and its text.
    pub(crate) fn row(&mut self, label: &str, text: &str) {
        let text = shown(text);
        // INVARIANT: writing to a string cannot fail
        let _always_ok = writeln!(self.0, "{label:<LABEL_WIDTH$}{text}");
    }

    /// A label and a line for each text; nothing when there is none.
    pub(crate) fn rows(&mut self, label: &str, texts: impl IntoIterator<Item = String>) {
        let mut label = label;
        for text in texts {
            self.row(label, &text);
            label = "";
        }
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.0.push('\n');
    }
}

/// Without what would steer a terminal or turn the text around.
fn shown(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let safe = |c: char| if steers(c) { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}

/// Prints a report; the exit code is its own, or that of bad input when stdout takes nothing.
pub(crate) fn print(report: &Report, format: Format) -> ExitCode {
    let text = match format {
        Format::Json => format!("{:#}\n", report.json),
        Format::Text => report.text.0.clone(),
    };
    written(io::stdout().write_all(text.as_bytes()), report.code)
}

/// Prints a failure: for people on stderr, with `--json` also as an object on stdout.
pub(crate) fn fail(failure: &Failure, format: Format) -> ExitCode {
    let mut text = String::new();
    for line in &failure.lines {
        text.push_str("covenant: ");
        text.push_str(&shown(line));
        text.push('\n');
    }
    let mut outcome = io::stderr().write_all(text.as_bytes());
    if format == Format::Json {
        let object = json!({ "exit": failure.code, "errors": failure.lines });
        outcome = outcome.and(io::stdout().write_all(format!("{object:#}\n").as_bytes()));
    }
    written(outcome, failure.code)
}

/// A reader that has closed the pipe has seen enough.
fn written(outcome: io::Result<()>, code: u8) -> ExitCode {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(USAGE),
        _ => ExitCode::from(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_steers_the_terminal() {
        let mut table = Table::default();
        table.row("says", "a\u{1b}[2Jb\u{202e}c\rd");
        assert_eq!(table.0, "says         a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\n");
    }

    #[test]
    fn a_label_stands_once_and_not_without_text() {
        let mut table = Table::default();
        table.rows("crates", ["a".to_owned(), "b".to_owned()]);
        table.rows("none", []);
        assert_eq!(table.0, "crates       a\n             b\n");
    }
}
