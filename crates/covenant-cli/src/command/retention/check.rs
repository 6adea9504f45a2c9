//! `covenant retention check`: whether rules leave no gap and can all hold.

use std::path::PathBuf;

use serde_json::json;

use super::rules::{Loaded, load};
use crate::output::{FALSE, Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The rule file (TOML or JSON), or a policy file.
    file: PathBuf,
}

impl Check {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let mut text = Table::default();
        match load(&self.file)? {
            Loaded::Sound(set) => {
                let classes = set.classes();
                text.row("rules", &set.rules().len().to_string());
                text.row("classes", &classes.len().to_string());
                text.row("stores", &set.stores().len().to_string());
                text.row("keys", &set.keys().len().to_string());
                text.rows(
                    "undecided",
                    set.undecided().iter().map(|group| group.join(", ")),
                );
                let worst = classes.iter().flat_map(|class| set.residency(class));
                let worst = worst.max_by_key(|row| row.max_days());
                if let Some(row) = &worst {
                    let days = row.stays();
                    let what = format!("{days}, {} in {} from {}", row.class, row.store, row.from);
                    text.row("longest", &what);
                }
                text.row("result", "the rules leave no gap and can all hold");
                let longest = worst.map(|row| parsed(&row.to_json()));
                Ok(Report {
                    code: GOOD,
                    text,
                    json: json!({
                        "rules": set.rules().len(),
                        "classes": classes.len(),
                        "stores": set.stores().len(),
                        "keys": set.keys().len(),
                        "undecided": set.undecided(),
                        "longest": longest,
                        "findings": [],
                        "exit": GOOD,
                    }),
                })
            }
            Loaded::Unsound(lines) => {
                for line in &lines {
                    text.line(line);
                }
                Ok(Report {
                    code: FALSE,
                    text,
                    json: json!({ "findings": lines, "exit": FALSE }),
                })
            }
        }
    }
}

/// JSON that the library wrote.
pub(super) fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_default()
}
