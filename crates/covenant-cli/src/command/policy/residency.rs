//! `covenant policy residency`: how long data stays in each store, as the promises together imply.

use std::collections::BTreeSet;
use std::path::PathBuf;

use policy_document::{Document, Name, Residency as Stay};
use serde_json::{Value, json};

use crate::input;
use crate::output::{Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Residency {
    /// The policy file.
    file: PathBuf,
    /// Only data of this class; may be given several times.
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<Name>,
}

impl Residency {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let document = input::document(&self.file)?;
        let known: BTreeSet<&Name> = document.classes().iter().map(|class| &class.id).collect();
        for class in &self.classes {
            if !known.contains(class) {
                return Err(unknown(class, &known));
            }
        }
        let mut stays = document.residency();
        stays.retain(|stay| self.classes.is_empty() || self.classes.contains(&stay.class));
        let mut text = Table::default();
        text.row(
            "document",
            &format!("{}, {}", document.id(), document.vendor()),
        );
        if stays.is_empty() {
            let why = if document.stores().is_empty() {
                "the policy file has no [[store]] in which anything could stay"
            } else {
                "no promise says how long anything stays"
            };
            text.row("residency", why);
        }
        for stay in &stays {
            text.gap();
            text.line(&format!("{} in {}", stay.class, words(&stay.stores)));
            text.row("  course", stay.lifecycle.name());
            text.row("  from", stay.from.name());
            text.row("  to", stay.to.name());
            text.row("  stays", &stay.stays());
            text.row("  tolerance", &stay.tolerance.to_string());
            text.row("  clauses", &words(&stay.clauses));
        }
        Ok(Report {
            code: GOOD,
            text,
            json: json!({
                "id": document.id().as_str(),
                "residency": stays.iter().map(object).collect::<Vec<_>>(),
                "unbounded": unbounded(&document, &stays),
                "exit": GOOD,
            }),
        })
    }
}

fn unknown(class: &Name, known: &BTreeSet<&Name>) -> Failure {
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    let known = if known.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", known.join(", "))
    };
    Failure::usage(format!("the document has no class {class} ({known})"))
}

/// Classes of which no store has an end.
fn unbounded(document: &Document, stays: &[Stay]) -> Vec<String> {
    let ends = |class: &Name| {
        stays
            .iter()
            .any(|s| s.class == *class && s.max_days.is_some())
    };
    let asked = |class: &Name| stays.iter().any(|stay| stay.class == *class);
    let classes = document.classes().iter().map(|class| &class.id);
    let classes = classes.filter(|class| asked(class) && !ends(class));
    classes.map(ToString::to_string).collect()
}

fn words<T: ToString>(all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.join(", ")
}

fn object(stay: &Stay) -> Value {
    json!({
        "class": stay.class.as_str(),
        "lifecycle": stay.lifecycle.name(),
        "from": stay.from.name(),
        "to": stay.to.name(),
        "stores": stay.stores.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "min_days": stay.min_days,
        "max_days": stay.max_days,
        "max": stay.max.map(|most| most.to_string()),
        "stays": stay.stays(),
        "tolerance": {
            "more": stay.tolerance.more.to_string(),
            "less": stay.tolerance.less.to_string(),
        },
        "clauses": stay.clauses.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
