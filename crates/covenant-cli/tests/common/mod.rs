//! Running the built binary in a folder, and signed texts to run it on.

use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use covenant_core::Secret;
use covenant_core::note::{Ed25519Signer, Note};

/// Runs `covenant` in a folder.
pub(crate) fn covenant<A: AsRef<OsStr>>(
    folder: &Path,
    args: &[A],
) -> Result<Output, Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_covenant"));
    Ok(command.args(args).current_dir(folder).output()?)
}

/// Runs a line of words in a folder; the code, and all that was said.
pub(crate) fn said(folder: &Path, line: &str) -> Result<(i32, String), Box<dyn Error>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = covenant(folder, &words)?;
    let said = [output.stdout, output.stderr].concat();
    let code = output.status.code().ok_or("killed")?;
    Ok((code, String::from_utf8(said)?))
}

/// Runs a line of words, which ends with this code and says this.
pub(crate) fn check(
    folder: &Path,
    line: &str,
    code: i32,
    says: &str,
) -> Result<(), Box<dyn Error>> {
    let (found, said) = said(folder, line)?;
    assert_eq!(found, code, "{line}: {said}");
    assert!(said.contains(says), "{line}: {said}");
    Ok(())
}

/// The folder with the small policy and its page.
pub(crate) fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents")
}

/// The signer whose seed is this byte, 32 times.
pub(crate) fn signer(name: &str, seed: u8) -> Result<Ed25519Signer, Box<dyn Error>> {
    Ok(Ed25519Signer::from_seed(name, &Secret::new([seed; 32]))?)
}

/// A text, signed by all of these.
pub(crate) fn signed(text: &str, by: &[&Ed25519Signer]) -> Result<String, Box<dyn Error>> {
    let mut note = Note::unsigned(text)?;
    for signer in by {
        note.add_signature(&signer.sign_line(text))?;
    }
    Ok(note.to_string())
}

/// Uses every helper, so that none is dead in a test file that needs only some.
#[test]
fn a_signed_text_is_authentic_under_its_key() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let by = signer("example.org", 7)?;
    std::fs::write(folder.path().join("text"), signed("a text\n", &[&by])?)?;
    let line = format!("verify text --key {}", by.vkey());
    assert!(documents().is_dir());
    check(folder.path(), &line, 0, "example.org")
}
