//! `covenant policy schema`: the JSON Schemas of what this and the conformance run read and write.

use serde_json::{Value, json};

use crate::output::{Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Schema {
    /// Of what; without it the schemas are listed.
    #[arg(value_enum)]
    of: Option<Of>,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// A policy file, as JSON.
    Document,
    /// `report.json` of a conformance run.
    Report,
    /// A line of `evidence.jsonl`.
    Evidence,
    /// A lock file.
    Lock,
}

impl Of {
    const ALL: [Self; 4] = [Self::Document, Self::Report, Self::Evidence, Self::Lock];

    const fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Report => "report",
            Self::Evidence => "evidence",
            Self::Lock => "lock",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Document => include_str!("../../../schema/policy-v1.schema.json"),
            Self::Report => include_str!("../../../schema/conformance-report-v1.schema.json"),
            Self::Evidence => include_str!("../../../schema/evidence-line-v1.schema.json"),
            Self::Lock => include_str!("../../../schema/policy-lock-v1.schema.json"),
        }
    }

    fn schema(self) -> Result<Value, Failure> {
        let unreadable = |error: serde_json::Error| Failure::usage(error.to_string());
        serde_json::from_str(self.text()).map_err(unreadable)
    }
}

impl Schema {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let mut text = Table::default();
        let json = match self.of {
            Some(of) => {
                for line in of.text().lines() {
                    text.line(line);
                }
                of.schema()?
            }
            None => {
                let mut list = Vec::new();
                for of in Of::ALL {
                    let schema = of.schema()?;
                    let title = schema.get("title").and_then(Value::as_str);
                    text.row(of.name(), title.unwrap_or_default());
                    list.push(json!({ "name": of.name(), "title": title }));
                }
                json!({ "schemas": list, "exit": GOOD })
            }
        };
        Ok(Report {
            code: GOOD,
            text,
            json,
        })
    }
}
