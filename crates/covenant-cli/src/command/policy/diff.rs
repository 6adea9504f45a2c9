//! `covenant policy diff`: what became of every promise from one version of a policy file to the
//! next. Anything that is weaker, or gone, is a finding.

use std::path::PathBuf;

use policy_document::{Difference, Direction, Part};
use serde_json::{Value, json};

use crate::input;
use crate::output::{FALSE, Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// The earlier version.
    before: PathBuf,
    /// The later version.
    after: PathBuf,
}

impl Diff {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let before = input::document(&self.before)?;
        let after = input::document(&self.after)?;
        let found = before.diff(&after);
        let code = if found.iter().any(Difference::is_loss) {
            FALSE
        } else {
            GOOD
        };
        let mut text = Table::default();
        text.row(
            "before",
            &format!("{}, {}", before.id(), self.before.display()),
        );
        text.row(
            "after",
            &format!("{}, {}", after.id(), self.after.display()),
        );
        text.row("promises", &tally(&found, before.clauses().len()));
        for difference in &found {
            let clause = difference.clause.to_string();
            text.row(&clause, difference.direction.name());
            text.rows("", difference.parts.iter().map(Part::to_string));
        }
        Ok(Report {
            code,
            text,
            json: json!({
                "before": before.id().as_str(),
                "after": after.id().as_str(),
                "differences": found.iter().map(object).collect::<Vec<_>>(),
                "exit": code,
            }),
        })
    }
}

fn tally(found: &[Difference], before: usize) -> String {
    let count = |direction: &Direction| {
        let of = found.iter().filter(|d| d.direction == *direction);
        (of.count(), direction.name())
    };
    let counts: Vec<_> = Direction::ALL
        .iter()
        .map(count)
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if counts.is_empty() {
        format!("{before}, all as they were")
    } else {
        counts.join(", ")
    }
}

fn object(difference: &Difference) -> Value {
    let part = |part: &Part| {
        json!({
            "name": part.name,
            "before": part.before,
            "after": part.after,
            "direction": part.direction.name(),
        })
    };
    json!({
        "clause": difference.clause.to_string(),
        "direction": difference.direction.name(),
        "parts": difference.parts.iter().map(part).collect::<Vec<_>>(),
    })
}
