//! The table of clauses: what is promised, what was seen, and how it was proven.

use policy_document::{Bound, Clause};

use super::status;
use crate::report::markup::{element, escape, table};
use crate::report::svg::margin;
use crate::report::terminal::{length, spans};
use crate::report::{DocumentReport, figure, names};
use crate::runner::Options;
use crate::status::SabotageOutcome;
use crate::verdict::{ClauseVerdict, ScenarioVerdict};

/// The table, one row a clause.
pub(super) fn table_of(report: &DocumentReport, options: &Options) -> String {
    let id = report.document.id().to_string();
    let rows = report.clauses.iter().map(|verdict| {
        let deviation = report
            .document
            .deviation(&verdict.clause.id, &options.profile);
        [
            name(&id, verdict),
            status(verdict.status),
            promise(verdict, deviation.map(|found| found.class.to_string())),
            figures(&verdict.clause),
            observed(verdict),
            proof(verdict),
        ]
    });
    let headings = [
        "Clause",
        "Status",
        "Promise and reasons",
        "Figures",
        "Worst observed",
        "Proof",
    ];
    let table = table(&format!("Clauses of {id}"), &headings, rows);
    format!("<div class=\"clauses\">{table}</div>\n")
}

fn name(document: &str, verdict: &ClauseVerdict) -> String {
    let clause = &verdict.clause;
    let lines: Vec<_> = clause.line_numbers().collect();
    let full = escape(&format!("{document}.{}", clause.id));
    format!(
        "<span id=\"{full}\" class=\"id\">{full}</span><br/>{}",
        spans(&lines)
    )
}

fn promise(verdict: &ClauseVerdict, deviation: Option<String>) -> String {
    let clause = &verdict.clause;
    let kind = match clause.modality {
        Some(modality) => format!("{}, {modality}", clause.kind),
        None => clause.kind.to_string(),
    };
    let mut out = format!(
        "{}<br/><small>{}</small>",
        escape(&clause.says),
        escape(&kind)
    );
    if let Some(class) = deviation {
        out.push_str(&format!(" <small>deviation: {}</small>", escape(&class)));
    }
    out.push_str(&list(verdict.notes.iter().map(|note| element("li", note))));
    out
}

fn figures(clause: &Clause) -> String {
    let mut items = Vec::new();
    if let Some(figure) = figure(clause) {
        items.push(format!("<li><strong>{}</strong></li>", escape(&figure)));
    }
    if let Some(bound) = &clause.bound {
        items.push(element("li", events(bound)));
        if !bound.early.is_zero() {
            let early = bound
                .early
                .as_secs()
                .map_or_else(|| bound.early.to_string(), length);
            items.push(element(
                "li",
                format!("declared: the floor may be missed by up to {early}"),
            ));
        }
        if !bound.late.is_zero() {
            let late = bound
                .late
                .as_secs()
                .map_or_else(|| bound.late.to_string(), length);
            items.push(element(
                "li",
                format!("declared: the ceiling may be exceeded by up to {late}"),
            ));
        }
    }
    items.extend(clause.declared.iter().map(|(name, declared)| {
        element(
            "li",
            format!("declared: {name} = {} ({})", declared.value, declared.why),
        )
    }));
    list(items)
}

fn events(bound: &Bound) -> String {
    let from: Vec<_> = names(&bound.from).into_iter().collect();
    let to = names(&bound.to).into_iter();
    let to: Vec<_> = to
        .chain(bound.state.iter().map(|s| s.name().to_owned()))
        .collect();
    if from.is_empty() {
        to.join(", ")
    } else {
        format!("from {} to {}", from.join(" or "), to.join(", "))
    }
}

fn observed(verdict: &ClauseVerdict) -> String {
    let Some(worst) = &verdict.worst else {
        return "\u{2013}".to_owned();
    };
    let seen = length(worst.observed_seconds.unsigned_abs());
    let limit = length(worst.limit_seconds.unsigned_abs());
    format!(
        "{seen}<br/><small>limit {limit}<br/>margin {}</small>",
        margin(worst)
    )
}

fn proof(verdict: &ClauseVerdict) -> String {
    let mut items = Vec::new();
    if let Some(technical) = &verdict.technical {
        items.extend(technical.scenarios.iter().map(scenario));
        items.extend(sabotages(verdict).map(|text| element("li", text)));
    }
    if let Some(attestation) = &verdict.attestation {
        let word = match &attestation.given {
            Some(given) => format!("word of {}, expires {}", given.owner, given.expires.date()),
            None => "no word given".to_owned(),
        };
        items.push(element("li", word));
    }
    list(items)
}

fn scenario(scenario: &ScenarioVerdict) -> String {
    let outcome = scenario.outcome.map_or("not run", |outcome| outcome.name());
    let mut text = format!("<li><code>{}</code>: {outcome}", escape(&scenario.id));
    if scenario.outcome.is_some() {
        text.push_str(&format!(
            ", {} checks, seed {}",
            scenario.checks, scenario.seed
        ));
    }
    if let Some(failure) = &scenario.failure {
        text.push_str(&format!(
            "; at {} expected {}, observed {}",
            crate::evidence::rfc3339(failure.at),
            escape(&failure.expected),
            escape(&failure.observed)
        ));
    }
    text.push_str("</li>");
    text
}

/// The sabotages of the clause by what became of them, in words.
fn sabotages(verdict: &ClauseVerdict) -> impl Iterator<Item = String> {
    let words = [
        (SabotageOutcome::Caught, "caught"),
        (SabotageOutcome::Missed, "not caught"),
        (SabotageOutcome::Unsupported, "not possible on these stores"),
    ];
    words.into_iter().filter_map(|(outcome, word)| {
        let given = verdict.technical.iter().flat_map(|part| &part.scenarios);
        let given = given.flat_map(|scenario| &scenario.sabotages);
        let with = given.filter(|(_, found)| *found == outcome);
        let mut ids: Vec<_> = with.map(|(sabotage, _)| sabotage.name()).collect();
        ids.sort_unstable();
        ids.dedup();
        (!ids.is_empty()).then(|| format!("sabotage {word}: {}", ids.join(", ")))
    })
}

/// A list, markup; nothing when it has no item.
fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: String = items.into_iter().collect();
    if items.is_empty() {
        return items;
    }
    format!("<ul>{items}</ul>")
}
