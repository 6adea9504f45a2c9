//! When a file cannot be written whole, the command ends with 4, and what lies in the folder is the
//! run before, every file of it. The disk is full by the shell's limit on the size of a file, which
//! makes a write fail in the middle as a full disk does.
#![cfg(all(unix, feature = "embedded"))]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};

/// The files of a folder.
fn files(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, fs::read(entry.path())?))
        })
        .collect()
}

/// Runs the command on a clause that needs no subject; no file may become longer than so many
/// blocks of 512 or 1,024 bytes, as the shell counts.
fn run(out: &Path, clause: &str, blocks: &str) -> io::Result<Output> {
    Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"",
            "sh",
            blocks,
        ])
        .arg(env!("CARGO_BIN_EXE_conformance"))
        .args([
            "--policy",
            "immidb",
            "--clause",
            clause,
            "--sources",
            "nowhere",
            "--out",
        ])
        .arg(out)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
}

#[test]
fn half_a_report_is_never_there() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    // the first four kilobytes of the page fit, the rest does not
    let full = run(&out, "R-04", "4").unwrap();
    assert_eq!(full.status.code(), Some(4), "{full:?}");
    let said = String::from_utf8_lossy(&full.stderr);
    assert!(said.contains("the reports could not be written"), "{said}");
    assert!(full.stdout.is_empty());
    let left: Vec<_> = files(&out).unwrap().into_keys().collect();
    assert_eq!(left, ["evidence.jsonl.partial"]);

    let good = run(&out, "R-04", "unlimited").unwrap();
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    let before = files(&out).unwrap();
    assert_eq!(before.len(), 5);

    let full = run(&out, "R-13", "4").unwrap();
    assert_eq!(full.status.code(), Some(4), "{full:?}");
    let mut after = files(&out).unwrap();
    assert!(after.remove("evidence.jsonl.partial").is_some());
    assert!(after == before, "the files of the run before, untouched");

    let good = run(&out, "R-13", "unlimited").unwrap();
    assert_eq!(good.status.code(), Some(0));
    let after = files(&out).unwrap();
    assert_eq!(after.len(), 5);
    assert!(after["report.json"] != before["report.json"]);
}
