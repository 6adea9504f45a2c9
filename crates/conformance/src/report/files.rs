//! The files of a run beside its evidence, written by one call: all of them, or none.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::{Report, html, json, junit, oscal};
use crate::evidence::Evidence;
use crate::runner::Options;

/// Writes `report.json`, `junit.xml`, `oscal-assessment-results.json` and `index.html`.
///
/// Every file is written beside its place and forced to disk before the first takes its place, so a
/// full disk leaves the files of the run before.
///
/// # Errors
/// When a file cannot be written.
pub fn publish(
    folder: &Path,
    report: &Report,
    options: &Options,
    evidence: &Evidence,
) -> io::Result<()> {
    let files = [
        ("report.json", json::print(report, options)),
        ("junit.xml", junit::print(report)),
        (
            "oscal-assessment-results.json",
            oscal::print(report, options, &evidence.lines),
        ),
        ("index.html", html::print(report, options)),
    ];
    std::fs::create_dir_all(folder)?;
    let mut staged = Vec::new();
    for (name, text) in &files {
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        let place = folder.join(name);
        if place.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        staged.push((file, place));
    }
    for (file, place) in staged {
        file.persist(place).map_err(|error| error.error)?;
    }
    File::open(folder)?.sync_all()
}
