//! `covenant policy explain`: all that is known about a promise, from the policy files given.

use std::path::PathBuf;

use covenant_core::ClauseId;
use policy_document::{
    Attestation, AttestationState, Bound, Clause, Declared, DeclaredValue, Deviation, Document,
    Figure, Per,
};
use serde_json::{Map, Value, json};
use time::{Date, Time, UtcDateTime};

use super::{Day, shown};
use crate::input;
use crate::output::{Failure, GOOD, Report, Table};
use crate::progress::Progress;

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The promise: P-59, or with its document, prodb.P-59.
    #[arg(value_name = "CLAUSE")]
    clause: String,
    /// A policy file to look in; may be given several times.
    #[arg(long = "policy", value_name = "FILE", required = true)]
    policies: Vec<PathBuf>,
    #[command(flatten)]
    day: Day,
}

impl Explain {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let (document, id) = asked(&self.clause)?;
        let day = self.day.get();
        let progress = Progress::new("reading", self.policies.len());
        let mut documents = Vec::new();
        for path in &self.policies {
            documents.push(input::document(path)?);
            progress.step();
        }
        let mut text = Table::default();
        let mut found = Vec::new();
        for candidate in &documents {
            if document.is_some_and(|name| candidate.id().as_str() != name) {
                continue;
            }
            if let Ok(clause) = candidate.clause(&id) {
                if !found.is_empty() {
                    text.gap();
                }
                let view = View {
                    document: candidate,
                    clause,
                    day,
                };
                view.write(&mut text);
                found.push(view.object());
            }
        }
        if found.is_empty() {
            return Err(unknown(&self.clause, &documents));
        }
        Ok(Report {
            code: GOOD,
            text,
            json: json!({ "clauses": found, "exit": GOOD }),
        })
    }
}

/// The document, if it is named, and the clause.
fn asked(text: &str) -> Result<(Option<&str>, ClauseId), Failure> {
    let (document, id) = match text.rsplit_once('.') {
        Some((document, id)) => (Some(document), id),
        None => (None, text),
    };
    match id.parse() {
        Ok(id) => Ok((document, id)),
        Err(error) => Err(Failure::usage(format!("{text}: {error}"))),
    }
}

fn unknown(asked: &str, documents: &[Document]) -> Failure {
    let known = documents.iter().map(|document| {
        let ids = || document.clauses().iter().map(|clause| clause.id);
        match (ids().min(), ids().max()) {
            (Some(first), Some(last)) => format!("{} has {first} to {last}", document.id()),
            _ => format!("{} has no clause", document.id()),
        }
    });
    let known: Vec<_> = known.collect();
    Failure::usage(format!(
        "{asked}: no policy given has this clause ({})",
        known.join("; ")
    ))
}

/// A clause as it is shown on a day.
struct View<'a> {
    document: &'a Document,
    clause: &'a Clause,
    day: Date,
}

impl View<'_> {
    fn write(&self, text: &mut Table) {
        let clause = self.clause;
        text.line(&format!("{}.{}", self.document.id(), clause.id));
        text.row("says", &clause.says);
        let shape = clause.modality.map_or("", |modality| modality.name());
        text.row("kind", format!("{} {shape}", clause.kind).trim_end());
        text.row("lines", &numbers(clause.line_numbers()));
        if let Some(repeats) = clause.repeats {
            text.row("repeats", &repeats.to_string());
        }
        if let Some(figure) = &clause.figure {
            text.row("figure", &figure.to_string());
        }
        if let Some(bound) = &clause.bound {
            text.row("bound", &bound_text(bound));
            if let Some(stated) = clause.stated.as_ref().filter(|stated| *stated != bound) {
                text.row("stated", &bound_text(stated));
            }
        }
        let declared = clause.declared.iter();
        text.rows(
            "declared",
            declared.map(|(name, Declared { value, why, .. })| format!("{name} = {value}: {why}")),
        );
        let hedges: Vec<_> = clause.hedges.iter().map(ToString::to_string).collect();
        text.rows("hedges", joined(&hedges));
        text.rows("crates", joined(&clause.crates));
        text.rows("scenarios", joined(&clause.verify.scenarios));
        text.rows("sabotages", joined(&clause.verify.sabotages));
        if clause.is_attested() {
            self.write_attestation(text);
        }
        for deviation in self.deviations() {
            text.row("deviation", deviation.class.name());
            text.row("  promised", &deviation.promised);
            text.row("  delivered", &deviation.delivered);
            text.row("  reason", &deviation.reason);
            text.row("  approved", &deviation.approved_by);
            text.row("  review by", &self.review(deviation));
            if let Some(profile) = &deviation.profile {
                text.row("  profile", profile.as_str());
            }
        }
        text.rows(
            "controls",
            clause
                .controls
                .iter()
                .filter(|(_, ids)| !ids.is_empty())
                .map(|(framework, ids)| format!("{} {}", framework.key(), ids.join(", "))),
        );
    }

    fn write_attestation(&self, text: &mut Table) {
        if let Some(attests) = &self.clause.attests {
            text.row("attests", attests);
        }
        let Some(attestation) = self.attestation() else {
            text.row("attestation", "none: nobody has signed one");
            return;
        };
        text.row("attestation", self.attestation_state(attestation));
        text.row("  statement", &attestation.statement);
        text.row("  owner", &attestation.owner);
        text.row("  signed on", &attestation.signed_on.to_string());
        text.row("  expires", &shown(attestation.expires));
        text.row("  evidence", &attestation.evidence.to_string());
    }

    fn object(&self) -> Value {
        let clause = self.clause;
        let declared: Map<_, _> = clause
            .declared
            .iter()
            .map(|(name, declared)| {
                let value =
                    json!({ "value": declared_value(&declared.value), "why": declared.why });
                (name.to_string(), value)
            })
            .collect();
        let controls: Map<_, _> = clause
            .controls
            .iter()
            .map(|(framework, ids)| (framework.key().to_owned(), json!(ids)))
            .collect();
        json!({
            "document": self.document.id().as_str(),
            "id": clause.id.to_string(),
            "says": clause.says,
            "kind": clause.kind.name(),
            "modality": clause.modality.map(policy_document::Modality::name),
            "lines": clause.line_numbers().collect::<Vec<_>>(),
            "repeats": clause.repeats.map(|id| id.to_string()),
            "figure": clause.figure.as_ref().map(Figure::to_string),
            "bound": clause.bound.as_ref().map(bound_object),
            "stated": clause.stated.as_ref().map(bound_object),
            "declared": declared,
            "hedges": clause.hedges.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "crates": clause.crates,
            "scenarios": clause.verify.scenarios,
            "sabotages": clause.verify.sabotages,
            "attests": clause.attests,
            "attestation": self.attestation().map(|attestation| json!({
                "state": self.attestation_state(attestation),
                "owner": attestation.owner,
                "statement": attestation.statement,
                "evidence": attestation.evidence.to_string(),
                "signed_on": attestation.signed_on.to_string(),
                "expires": shown(attestation.expires),
            })),
            "deviations": self.deviations().map(|d| self.deviation_object(d)).collect::<Vec<_>>(),
            "controls": controls,
        })
    }

    fn attestation(&self) -> Option<&Attestation> {
        self.document.attestation(&self.clause.id)
    }

    fn attestation_state(&self, attestation: &Attestation) -> &'static str {
        let at = UtcDateTime::new(self.day, Time::MIDNIGHT);
        if attestation.signed_on > self.day {
            return "signed after that day";
        }
        match attestation.state(at) {
            AttestationState::Attested => "in force",
            _ => "expired",
        }
    }

    fn deviations(&self) -> impl Iterator<Item = &Deviation> {
        let all = self.document.deviations().iter();
        all.filter(|deviation| deviation.clause == self.clause.id)
    }

    fn deviation_object(&self, deviation: &Deviation) -> Value {
        json!({
            "class": deviation.class.name(),
            "promised": deviation.promised,
            "delivered": deviation.delivered,
            "reason": deviation.reason,
            "approved_by": deviation.approved_by,
            "review_by": deviation.review_by.to_string(),
            "in_force": deviation.in_force(self.day),
            "profile": deviation.profile.as_ref().map(policy_document::Name::as_str),
        })
    }

    fn review(&self, deviation: &Deviation) -> String {
        let by = deviation.review_by;
        if deviation.in_force(self.day) {
            by.to_string()
        } else {
            format!("{by}, which is past")
        }
    }
}

/// One line, unless there is nothing to join.
fn joined(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(", "))
}

fn numbers(numbers: impl Iterator<Item = u32>) -> String {
    let numbers: Vec<_> = numbers.map(|number| number.to_string()).collect();
    numbers.join(", ")
}

/// `database.deleted -> database.purged, at most P30D`.
fn bound_text(bound: &Bound) -> String {
    let from = either(bound.from.iter());
    let mut to: Vec<_> = bound.to.iter().map(ToString::to_string).collect();
    to.extend(bound.state.iter().map(|state| state.name().to_owned()));
    to.extend(bound.of.iter().map(|of| format!("its {of}")));
    let to = to.join(" | ");
    let mut parts = vec![match (from.is_empty(), to.is_empty()) {
        (false, false) => format!("{from} -> {to}"),
        (false, true) => from,
        _ => to,
    }];
    parts.extend(bound.min.map(|min| format!("at least {min}")));
    parts.extend(bound.max.map(|max| format!("at most {max}")));
    parts.extend(bound.per.map(|per| rhythm(per).to_owned()));
    for (tolerance, word) in [(bound.early, "early"), (bound.late, "late")] {
        if tolerance != covenant_core::Period::ZERO {
            parts.push(format!("up to {tolerance} {word}"));
        }
    }
    if !bound.waived_by.is_empty() {
        parts.push(format!("unless {}", either(bound.waived_by.iter())));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

fn either<T: ToString>(all: impl Iterator<Item = T>) -> String {
    let all: Vec<_> = all.map(|one| one.to_string()).collect();
    all.join(" | ")
}

const fn rhythm(per: Per) -> &'static str {
    match per {
        Per::CivilNight => "every civil night",
        _ => "in a rhythm",
    }
}

fn bound_object(bound: &Bound) -> Value {
    let texts = |actions: &std::collections::BTreeSet<covenant_core::Action>| {
        actions.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    json!({
        "from": texts(&bound.from),
        "to": texts(&bound.to),
        "state": bound.state.iter().map(|state| state.name()).collect::<Vec<_>>(),
        "of": bound.of.as_ref().map(|of| of.as_str()),
        "min": bound.min.map(|period| period.to_string()),
        "max": bound.max.map(|period| period.to_string()),
        "per": bound.per.map(|per| match per {
            Per::CivilNight => "civil-night",
            _ => "other",
        }),
        "early": bound.early.to_string(),
        "late": bound.late.to_string(),
        "waived_by": texts(&bound.waived_by),
    })
}

fn declared_value(value: &DeclaredValue) -> Value {
    match value {
        DeclaredValue::Count(count) => json!(count),
        DeclaredValue::Set(words) => {
            json!(words.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        other => json!(other.to_string()),
    }
}
