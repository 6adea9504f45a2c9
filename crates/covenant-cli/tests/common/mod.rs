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
