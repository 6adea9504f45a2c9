//! What follows from the document alone: findings about it, and how long data stays.

use covenant_core::ClauseId;
use policy_document::{Finding, Residency};

use super::lists::part;
use crate::report::markup::{escape, whole};
use crate::report::terminal::spans;
use crate::report::{DocumentReport, Found, standing};

/// Promises at odds with each other, without a figure, or that say more than is kept.
pub(super) fn findings(report: &DocumentReport) -> String {
    let rows: Vec<_> = report
        .findings
        .iter()
        .map(|found| {
            let Found { finding, golden } = found;
            let id = golden
                .as_ref()
                .map_or_else(|| "new".to_owned(), ToString::to_string);
            let lines = if finding.lines.is_empty() {
                String::new()
            } else {
                format!("<br/>{}", spans(&finding.lines))
            };
            [
                format!("{}<br/><code>{}</code>", escape(&id), finding.code),
                format!("{}{lines}", clauses(report, &finding.clauses)),
                message(finding),
                answer(finding),
            ]
        })
        .collect();
    part(
        report,
        "Findings",
        &[
            "Finding",
            "Clauses",
            "What is the matter",
            "What became of it",
        ],
        &rows,
        "None.",
    )
}

fn message(finding: &Finding) -> String {
    let from = finding
        .witness
        .map(|date| format!(" <small>first on {date}</small>"));
    format!("{}{}", escape(&finding.message), from.unwrap_or_default())
}

/// What became of a finding, by word and shape.
fn answer(finding: &Finding) -> String {
    let (shape, word) = match (finding.fails(), &finding.answered_by) {
        (true, _) => ("\u{2715}", "broken"),
        (false, Some(_)) => ("\u{25c6}", "superseded"),
        (false, None) => ("\u{2013}", "informational"),
    };
    let reason = finding.answered_by.as_ref().map(ToString::to_string);
    format!(
        "<span class=\"status {word}\"><span aria-hidden=\"true\">{shape}</span> {}</span> {}",
        standing(finding),
        escape(&reason.unwrap_or_default())
    )
}

/// How long data of each class stays in which stores, after which event.
pub(super) fn residency(report: &DocumentReport) -> String {
    let residency = report.document.residency();
    let rows: Vec<_> = residency
        .iter()
        .map(|one| {
            let stores: Vec<_> = one.stores.iter().map(ToString::to_string).collect();
            [
                escape(&one.class.to_string()),
                escape(&format!("{} to {}", one.from, one.to)),
                escape(&stores.join(", ")),
                days(one),
                escape(&one.tolerance.to_string()),
                clauses(report, &one.clauses),
            ]
        })
        .collect();
    let headings = [
        "Class",
        "From and to",
        "Stores",
        "Stays",
        "Declared tolerance",
        "Because of",
    ];
    part(
        report,
        "Residency",
        &headings,
        &rows,
        "No clause says how long any data stays.",
    )
}

fn days(one: &Residency) -> String {
    if let Some(most) = one.less_than_a_day() {
        return format!("at most {most}, less than 1 d");
    }
    match one.max_days {
        None => format!("at least {} d, without an end", one.min_days),
        Some(max) if max == one.min_days => format!("{max} d"),
        Some(max) if one.min_days == 0 => format!("at most {max} d"),
        Some(max) => format!("{} to {max} d", one.min_days),
    }
}

/// The clauses, each a link to its row where it is reported.
fn clauses(report: &DocumentReport, ids: &[ClauseId]) -> String {
    let document = report.document.id();
    let shown = ids.iter().map(|id| {
        let is_reported = report.clauses.iter().any(|one| one.clause.id == *id);
        if is_reported {
            let link = escape(&format!("{document}.{id}"));
            format!("<a class=\"whole\" href=\"#{link}\">{id}</a>")
        } else {
            whole(&[id])
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}
