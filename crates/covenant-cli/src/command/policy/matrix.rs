//! `covenant policy matrix`: which clause serves which control, and which control is served by
//! nothing that is given.

use std::collections::BTreeMap;
use std::path::PathBuf;

use policy_document::{Clause, Document, Framework};
use serde_json::{Map, Value, json};

use crate::input;
use crate::output::{Failure, GOOD, Report, Table};
use crate::progress::Progress;

#[derive(Debug, clap::Args)]
pub(crate) struct Matrix {
    /// A policy file; may be given several times.
    #[arg(value_name = "FILE", required = true)]
    policies: Vec<PathBuf>,
    /// Only controls of this framework: gdpr, iso27001, iso27701_2019, iso27701_2025, soc2.
    #[arg(long, value_name = "FRAMEWORK", value_parser = framework)]
    framework: Option<Framework>,
}

fn framework(text: &str) -> Result<Framework, String> {
    let mut all = Framework::ALL.iter().copied();
    all.find(|framework| framework.key() == text)
        .ok_or_else(|| {
            let keys: Vec<_> = Framework::ALL.iter().map(|f| f.key()).collect();
            format!("the frameworks are {}", keys.join(", "))
        })
}

/// Clauses by control, by framework.
type Served<'d> = BTreeMap<Framework, BTreeMap<&'d str, Vec<(&'d Document, &'d Clause)>>>;

impl Matrix {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let progress = Progress::new("reading", self.policies.len());
        let mut documents = Vec::new();
        for path in &self.policies {
            documents.push(input::document(path)?);
            progress.step();
        }
        let mut served = Served::new();
        for document in &documents {
            for clause in document.clauses() {
                for (framework, controls) in clause.controls.iter() {
                    if self.framework.is_some_and(|only| only != framework) {
                        continue;
                    }
                    for control in controls {
                        let of = served.entry(framework).or_default();
                        of.entry(control).or_default().push((document, clause));
                    }
                }
            }
        }
        Ok(Report {
            code: GOOD,
            text: text(&documents, &served),
            json: object(&documents, &served),
        })
    }
}

fn text(documents: &[Document], served: &Served<'_>) -> Table {
    let mut text = Table::default();
    let ids: Vec<_> = documents.iter().map(|d| d.id().to_string()).collect();
    text.row("documents", &ids.join(", "));
    for (framework, controls) in served {
        text.gap();
        text.line(&format!("{framework}, {} controls", controls.len()));
        for (control, clauses) in controls {
            let clauses: Vec<_> = clauses.iter().map(|(d, c)| name(d, c)).collect();
            text.row(&format!("  {control}"), &clauses.join(", "));
        }
    }
    let bare: Vec<_> = unserved(documents).map(|(d, c)| name(d, c)).collect();
    if !bare.is_empty() {
        text.gap();
        text.line("clauses that name no control");
        text.row("", &bare.join(", "));
    }
    text
}

fn name(document: &Document, clause: &Clause) -> String {
    format!("{}.{} {}", document.id(), clause.id, clause.kind)
}

fn unserved(documents: &[Document]) -> impl Iterator<Item = (&Document, &Clause)> {
    let all = documents.iter().flat_map(|document| {
        document
            .clauses()
            .iter()
            .map(move |clause| (document, clause))
    });
    all.filter(|(_, clause)| clause.controls.iter().all(|(_, ids)| ids.is_empty()))
}

fn object(documents: &[Document], served: &Served<'_>) -> Value {
    let clause = |(document, clause): &(&Document, &Clause)| {
        json!({
            "document": document.id().as_str(),
            "clause": clause.id.to_string(),
            "kind": clause.kind.name(),
            "modality": clause.modality.map(policy_document::Modality::name),
        })
    };
    let mut frameworks = Map::new();
    for (framework, controls) in served {
        let controls = controls.iter().map(|(control, clauses)| {
            let clauses: Vec<_> = clauses.iter().map(clause).collect();
            ((*control).to_owned(), Value::from(clauses))
        });
        frameworks.insert(
            framework.key().to_owned(),
            Value::Object(controls.collect()),
        );
    }
    json!({
        "documents": documents.iter().map(|d| d.id().as_str()).collect::<Vec<_>>(),
        "frameworks": frameworks,
        "without_control": unserved(documents).map(|pair| clause(&pair)).collect::<Vec<_>>(),
        "exit": GOOD,
    })
}
