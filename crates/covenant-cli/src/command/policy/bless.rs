//! `covenant policy bless`: writes the lock file of a policy file, once nothing is left to review.

use std::path::PathBuf;

use covenant_core::digest::Digest;
use policy_document::{DocumentError, Lock, LockDifference, lock_findings};
use serde_json::{Value, json};

use super::Day;
use super::lock::{self, Compared};
use crate::output::{FALSE, Failure, GOOD, Report, Table};
use crate::{input, replace};

#[derive(Debug, clap::Args)]
pub(crate) struct Bless {
    /// The policy file.
    file: PathBuf,
    /// The page; without it its lines are not compared.
    #[arg(long, value_name = "PAGE")]
    source: Option<PathBuf>,
    /// The lock file; FILE with the ending .lock.json where it is not given.
    #[arg(long, value_name = "LOCK")]
    lock: Option<PathBuf>,
    #[command(flatten)]
    day: Day,
}

impl Bless {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let document = input::document(&self.file)?;
        let today = self.day.get();
        document.check(today).map_err(|errors| {
            let told = |error: &DocumentError| format!("{}:{error}", self.file.display());
            Failure::invalid(errors.iter().map(told).collect())
        })?;
        if let Some(path) = &self.source {
            let page = input::bytes(path, input::PAGE_LEN_BYTES_MAX)?;
            if !document.check_source(&page).is_clean() {
                let hint = "covenant policy check --source names the lines";
                let line = format!(
                    "{}: it is not the page that was reviewed ({hint})",
                    path.display()
                );
                return Err(Failure::invalid(vec![line]));
            }
        }
        let path = self
            .lock
            .clone()
            .unwrap_or_else(|| lock::beside(&self.file));
        // a lock that is named need not be there yet
        let given = self.lock.as_deref().filter(|path| path.exists());
        let before = lock::compare(&self.file, given, &document)?;
        let before = before.filter(|compared| compared.path == path);
        let differences = before
            .as_ref()
            .map(|compared| compared.differences.as_slice());
        let differences = differences.unwrap_or_default();
        let findings = lock_findings(differences);
        let mut report = Answer {
            before: before.as_ref(),
            path: &path,
            clauses: document.clauses().len(),
            outcome: "",
            digest: None,
        };
        if !findings.is_empty() {
            report.outcome = "not written: what changed has no review";
            return Ok(report.into_report(FALSE));
        }
        if before
            .as_ref()
            .is_some_and(|b| b.lock == Lock::of(&document, b.lock.blessed()))
        {
            report.outcome = "as it was: nothing changed";
            return Ok(report.into_report(GOOD));
        }
        let text = Lock::of(&document, today).encode();
        replace::file(&path, text.as_bytes()).map_err(|error| {
            Failure::usage(format!("{}: it cannot be written: {error}", path.display()))
        })?;
        report.outcome = "written";
        report.digest = Some(Digest::of(text.as_bytes()));
        Ok(report.into_report(GOOD))
    }
}

/// What is told.
struct Answer<'a> {
    before: Option<&'a Compared>,
    path: &'a std::path::Path,
    clauses: usize,
    outcome: &'static str,
    digest: Option<Digest>,
}

impl Answer<'_> {
    fn into_report(self, code: u8) -> Report {
        let differences = self
            .before
            .map(|b| b.differences.as_slice())
            .unwrap_or_default();
        let mut text = Table::default();
        text.row("lock", &self.path.display().to_string());
        text.row("outcome", self.outcome);
        text.row("clauses", &self.clauses.to_string());
        if let Some(before) = self.before {
            text.row("before", &format!("of {}", before.lock.blessed()));
        }
        text.rows("changes", differences.iter().map(ToString::to_string));
        Report {
            code,
            text,
            json: json!({
                "lock": self.path.display().to_string(),
                "outcome": self.outcome,
                "clauses": self.clauses,
                "sha256": self.digest.map(|digest| digest.to_string()),
                "before": self.before.map(|b| b.lock.blessed().to_string()),
                "changes": differences.iter().map(change).collect::<Vec<_>>(),
                "exit": code,
            }),
        }
    }
}

/// One change since the lock was written.
pub(super) fn change(difference: &LockDifference) -> Value {
    json!({
        "clause": difference.clause.to_string(),
        "lines": difference.lines,
        "what": difference.to_string(),
        "reviewed": !difference.is_unreviewed(),
    })
}
