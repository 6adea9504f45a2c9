//! The files of a run, its evidence among them, written by one call: all of them, or none.
//!
//! Signed by whoever answers for the run, a statement over their digests lies beside them.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use covenant_core::digest::Digest;
use covenant_core::note::Note;
use covenant_core::statement::{Statement, StatementError};
use tempfile::NamedTempFile;

use super::{Report, html, json, junit, oscal};
use crate::evidence::{Evidence, PARTIAL, rfc3339};
use crate::runner::Options;

/// The kind of the statement over the files of a run.
pub const STATEMENT_KIND: &str = "policy-report";
/// The file of the signed statement.
pub const STATEMENT: &str = "statement.txt";

/// The texts of a run's files, not yet written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    files: [(&'static str, String); 5],
    signed: Option<Note>,
}

impl Files {
    /// Prints `evidence.jsonl`, `report.json`, `junit.xml`, `oscal-assessment-results.json` and
    /// `index.html`.
    #[must_use]
    pub fn print(report: &Report, options: &Options, evidence: &Evidence) -> Self {
        let oscal = oscal::print(report, options, &evidence.lines);
        Self {
            files: [
                ("evidence.jsonl", evidence.text.clone()),
                ("report.json", json::print(report, options)),
                ("junit.xml", junit::print(report)),
                ("oscal-assessment-results.json", oscal),
                ("index.html", html::print(report, options)),
            ],
            signed: None,
        }
    }

    /// The statement over the files: a line `sha256.NAME` for each, and what was judged.
    ///
    /// # Errors
    /// [`StatementError`], when a fact of the run makes no line.
    pub fn statement(&self, report: &Report) -> Result<Statement, StatementError> {
        let digests = self.files.iter().map(|(name, text)| {
            let digest = Digest::of(text.as_bytes());
            (format!("sha256.{name}"), digest.to_string())
        });
        let policies = report.documents.iter().flat_map(|report| {
            let id = report.document.id();
            [
                (format!("policy.{id}"), report.policy_sha256.to_string()),
                (format!("page.{id}"), report.document.sha256().to_string()),
            ]
        });
        let facts = [
            ("exit".to_owned(), report.exit.code.to_string()),
            ("finished".to_owned(), rfc3339(report.run.finished)),
        ];
        let commit = report.run.commit.clone();
        let commit = commit.map(|commit| ("commit".to_owned(), commit));
        Statement::new(STATEMENT_KIND, &report.id().to_string())?
            .with_all(digests.chain(policies).chain(facts).chain(commit))
    }

    /// Adds the signed statement.
    #[must_use]
    pub fn signed(self, statement: Note) -> Self {
        Self {
            signed: Some(statement),
            ..self
        }
    }

    /// Writes the files into the folder.
    ///
    /// Every file is written beside its place and forced to disk before the first takes its place, so
    /// a full disk leaves the files of the run before. A statement of an earlier run is removed.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn publish(&self, folder: &Path) -> io::Result<()> {
        let Self { files, signed } = self;
        let signed = signed.as_ref().map(|note| (STATEMENT, note.to_string()));
        std::fs::create_dir_all(folder)?;
        let mut staged = Vec::new();
        for (name, text) in files.iter().chain(&signed) {
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            let place = folder.join(name);
            if place.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            staged.push((file, place));
        }
        // what was signed before is about files that are replaced now
        remove(&folder.join(STATEMENT))?;
        for (file, place) in staged {
            file.persist(place).map_err(|error| error.error)?;
        }
        remove(&folder.join(PARTIAL))?;
        File::open(folder)?.sync_all()
    }
}

/// Removes a file, which may be absent.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Prints the files of a run and writes them, unsigned.
///
/// # Errors
/// As [`Files::publish`].
pub fn publish(
    folder: &Path,
    report: &Report,
    options: &Options,
    evidence: &Evidence,
) -> io::Result<()> {
    Files::print(report, options, evidence).publish(folder)
}
