//! `covenant retention schema`: the JSON Schema of a rule file.

use retention_policy::RULES_SCHEMA;

use super::check::parsed;
use crate::output::{Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let Self {} = self;
        let mut text = Table::default();
        for line in RULES_SCHEMA.lines() {
            text.line(line);
        }
        Ok(Report {
            code: GOOD,
            text,
            json: parsed(RULES_SCHEMA),
        })
    }
}
