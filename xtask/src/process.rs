//! Spawning other programs, and what can go wrong with a command of xtask.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It checked and found something; each finding is a line.
    Found(Vec<String>),
    /// The arguments make no sense.
    Usage(String),
    /// A program or server is missing; the text names what to install.
    Missing(String),
    /// A file or process could not be used.
    Io(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(findings) => {
                writeln!(f, "{} finding(s)", findings.len())?;
                findings.iter().try_for_each(|line| writeln!(f, "  {line}"))
            }
            Self::Usage(text) | Self::Missing(text) | Self::Io(text) => f.write_str(text),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// Findings as an outcome: none is success.
pub(crate) fn found(findings: Vec<String>) -> Result<(), Fault> {
    if findings.is_empty() {
        Ok(())
    } else {
        Err(Fault::Found(findings))
    }
}

/// The root folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// A command in the root folder.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs xtask.
pub(crate) fn cargo() -> Command {
    command(option_env!("CARGO").unwrap_or("cargo"))
}

/// Runs to the end with our output; not zero is a finding.
pub(crate) fn run(command: &mut Command) -> Result<(), Fault> {
    let shown = shown(command);
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|e| start_fault(&shown, &e))?;
    if status.success() {
        Ok(())
    } else {
        Err(Fault::Found(vec![format!("{shown}: {status}")]))
    }
}

/// Runs to the end and returns what it printed; not zero is a fault with its last words.
pub(crate) fn output(command: &mut Command) -> Result<String, Fault> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| start_fault(&shown, &e))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().take(8).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(Fault::Io(format!(
        "{shown}: {}: {}",
        output.status,
        last.join(" | ")
    )))
}

/// Whether a program starts with these arguments and is content with them.
pub(crate) fn exists(program: &str, probe: &[&str]) -> bool {
    Command::new(program)
        .args(probe)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let mut text = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

fn start_fault(shown: &str, error: &std::io::Error) -> Fault {
    Fault::Missing(format!("{shown}: cannot be started: {error}"))
}
