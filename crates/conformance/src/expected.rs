//! The golden statuses, `policies/expected-statuses.toml`: reviewed, and they may only get better.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::report::DocumentReport;
use crate::status::Status;

/// The format that the first key names.
pub const FORMAT: &str = "covenant/expected-statuses/v1";

/// The reviewed status of every clause, by document and clause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected(BTreeMap<String, BTreeMap<String, Status>>);

/// A file is no golden file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectedError {
    /// The text is not TOML.
    #[error("expected statuses: {0}")]
    Toml(String),
    /// The key `format` is missing or names another one.
    #[error("expected statuses: the first key must be format = \"{FORMAT}\"")]
    Format,
    /// An entry is no status.
    #[error("expected statuses: {document}.{clause} has no status of the nine")]
    Status {
        /// The document.
        document: String,
        /// The clause, or nothing when the whole document is no table.
        clause: String,
    },
}

impl Expected {
    /// Reads a golden file.
    ///
    /// # Errors
    /// [`ExpectedError`], the first mistake.
    pub fn parse(text: &str) -> Result<Self, ExpectedError> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| ExpectedError::Toml(error.to_string()))?;
        if table.get("format").and_then(toml::Value::as_str) != Some(FORMAT) {
            return Err(ExpectedError::Format);
        }
        let mut all = BTreeMap::new();
        for (document, clauses) in table.iter().filter(|(key, _)| *key != "format") {
            let bad = |clause: &str| ExpectedError::Status {
                document: document.clone(),
                clause: clause.to_owned(),
            };
            let clauses = clauses.as_table().ok_or_else(|| bad(""))?;
            let mut statuses = BTreeMap::new();
            for (clause, status) in clauses {
                let status = status.as_str().and_then(|name| name.parse().ok());
                statuses.insert(clause.clone(), status.ok_or_else(|| bad(clause))?);
            }
            all.insert(document.clone(), statuses);
        }
        Ok(Self(all))
    }

    /// The reviewed status of a clause; `None` for one that was never reviewed.
    #[must_use]
    pub fn status(&self, document: &str, clause: &str) -> Option<Status> {
        self.0.get(document)?.get(clause).copied()
    }

    /// The statuses of a run, to be reviewed and kept.
    #[must_use]
    pub fn of(documents: &[DocumentReport]) -> Self {
        let all = documents.iter().map(|report| {
            let statuses = report
                .clauses
                .iter()
                .map(|verdict| (verdict.clause.id.to_string(), verdict.status));
            (report.document.id().to_string(), statuses.collect())
        });
        Self(all.collect())
    }

    /// The file's text.
    #[must_use]
    pub fn print(&self) -> String {
        let mut text = format!(
            "# Reviewed statuses of every clause; they may only get better.\n\
             # Rewritten by BLESS=1 with the option --expected; the commit says why.\n\
             format = \"{FORMAT}\"\n"
        );
        for (document, statuses) in &self.0 {
            // INVARIANT: writing to a String does not fail
            write!(text, "\n[{document}]\n").unwrap_or_default();
            for (clause, status) in statuses {
                writeln!(text, "{clause} = \"{}\"", status.name()).unwrap_or_default();
            }
        }
        text
    }

    /// What is worse than reviewed, or was never reviewed, in the reported clauses.
    #[must_use]
    pub fn regressions(&self, documents: &[DocumentReport]) -> Vec<String> {
        let mut found = Vec::new();
        for report in documents {
            let document = report.document.id().to_string();
            for verdict in &report.clauses {
                let clause = verdict.clause.id.to_string();
                let before = self
                    .0
                    .get(&document)
                    .and_then(|statuses| statuses.get(&clause));
                match before {
                    Some(before) if verdict.status.is_at_least(*before) => {}
                    Some(before) => found.push(format!(
                        "{document}.{clause} was {before} and is {}",
                        verdict.status
                    )),
                    None => found.push(format!("{document}.{clause} has no reviewed status")),
                }
            }
        }
        found
    }

    /// What is better than reviewed: worth a new review.
    #[must_use]
    pub fn improvements(&self, documents: &[DocumentReport]) -> Vec<String> {
        let mut found = Vec::new();
        for report in documents {
            let document = report.document.id().to_string();
            for verdict in &report.clauses {
                let clause = verdict.clause.id.to_string();
                let before = self
                    .0
                    .get(&document)
                    .and_then(|statuses| statuses.get(&clause));
                if let Some(before) = before
                    && verdict.status != *before
                    && verdict.status.is_at_least(*before)
                {
                    let now = verdict.status;
                    found.push(format!("{document}.{clause} was {before} and is {now}"));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        let text =
            format!("format = \"{FORMAT}\"\n[prodb]\nP-01 = \"informational\"\nP-12 = \"kept\"\n");
        let expected = Expected::parse(&text).unwrap();
        assert_eq!(Expected::parse(&expected.print()), Ok(expected));
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expect: &str| {
            let error = Expected::parse(text).unwrap_err().to_string();
            assert!(error.contains(expect), "{text}: {error}");
        };
        let head = format!("format = \"{FORMAT}\"\n");
        check("", "first key");
        check("format = \"covenant/policy/v1\"\n", "first key");
        check("format = ", "expected statuses");
        check(&format!("{head}prodb = 1\n"), "prodb.");
        check(&format!("{head}[prodb]\nP-01 = \"passed\"\n"), "prodb.P-01");
        check(&format!("{head}[prodb]\nP-01 = 1\n"), "prodb.P-01");
    }
}
