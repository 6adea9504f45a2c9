//! `covenant policy new`: the first draft of a policy file, every line of the page still to do.

use std::path::PathBuf;

use policy_document::{Document, Draft, DraftError, Name};
use serde_json::json;

use super::Day;
use crate::input;
use crate::output::{Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// The page.
    source: PathBuf,
    /// The id of the new document: a-z, then a-z, 0-9, dot, hyphen and underscore.
    #[arg(long, value_name = "ID")]
    id: Name,
    /// Whose page it is; the id where it is not given.
    #[arg(long, value_name = "WORDS")]
    vendor: Option<String>,
    #[command(flatten)]
    day: Day,
}

impl New {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let path = self.source.display();
        let page = input::bytes(&self.source, input::PAGE_LEN_BYTES_MAX)?;
        let file = self.source.file_name().and_then(|name| name.to_str());
        let draft = Draft {
            id: &self.id,
            vendor: self.vendor.as_deref().unwrap_or(self.id.as_str()),
            file: file.unwrap_or(""),
            reviewed: self.day.get(),
        };
        let written = draft.write(&page).map_err(|error| match error {
            DraftError::Vendor => Failure::usage(format!("--vendor: {error}")),
            _ => Failure::usage(format!("{path}: {error}")),
        })?;
        let refused = |errors: Vec<_>| {
            let line = |error| format!("{path}: the draft is no document: {error}");
            Failure::invalid(errors.iter().map(line).collect())
        };
        let document = Document::parse(&written).map_err(refused)?;
        let mut text = Table::default();
        for line in written.lines() {
            text.line(line);
        }
        Ok(Report {
            code: GOOD,
            text,
            json: json!({
                "id": document.id().as_str(),
                "source": document.source(),
                "sha256": document.sha256().to_string(),
                "lines": document.lines(),
                "blank": document.blank(),
                "todo": document.todos().len(),
                "draft": written,
                "exit": GOOD,
            }),
        })
    }
}
