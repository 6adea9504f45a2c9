//! `covenant retention residency`: how long each class stays in each store, as the rules imply.

use std::path::PathBuf;

use retention_policy::ClassId;
use serde_json::json;

use super::check::parsed;
use super::rules::sound;
use crate::output::{Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Residency {
    /// The rule file (TOML or JSON), or a policy file.
    file: PathBuf,
    /// Only this class; may be given several times.
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<ClassId>,
}

impl Residency {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let set = sound(&self.file)?;
        let known = set.classes();
        if let Some(unknown) = self.classes.iter().find(|class| !known.contains(class)) {
            let known: Vec<&str> = known.iter().map(|class| class.as_str()).collect();
            let known = known.join(", ");
            return Err(Failure::usage(format!(
                "the rules have no class {unknown} (they have {known})"
            )));
        }
        let wanted = known
            .into_iter()
            .filter(|class| self.classes.is_empty() || self.classes.contains(class));
        let rows: Vec<_> = wanted.flat_map(|class| set.residency(class)).collect();
        let mut text = Table::default();
        for row in &rows {
            let longest = row.longest.iter().flat_map(|stay| &stay.because);
            let mut why: Vec<&str> = row
                .shortest
                .because
                .iter()
                .chain(longest)
                .map(|rule| rule.as_str())
                .collect();
            why.sort_unstable();
            why.dedup();
            text.line(&format!("{} in {} from {}", row.class, row.store, row.from));
            text.row("  stays", &row.stays());
            text.row("  tolerance", &row.tolerance());
            text.row("  rules", &why.join(", "));
        }
        if rows.is_empty() {
            text.line("no rule says how long anything stays");
        }
        let rows: Vec<_> = rows.iter().map(|row| parsed(&row.to_json())).collect();
        Ok(Report {
            code: GOOD,
            text,
            json: json!({ "residency": rows, "exit": GOOD }),
        })
    }
}
