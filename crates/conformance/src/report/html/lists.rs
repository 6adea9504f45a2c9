//! What stands after the clauses: deviations, attestations, controls, and lines without a promise.

use std::collections::BTreeMap;

use crate::report::DocumentReport;
use crate::report::markup::{escape, table};
use crate::report::terminal::spans;
use crate::runner::Options;

/// The deviations of the reported clauses under the profile of the run.
pub(super) fn deviations(report: &DocumentReport, options: &Options) -> String {
    let found = report.clauses.iter().filter_map(|verdict| {
        report
            .document
            .deviation(&verdict.clause.id, &options.profile)
    });
    let rows: Vec<_> = found
        .map(|found| {
            [
                found.clause.to_string(),
                escape(&found.class.to_string()),
                escape(&found.promised),
                escape(&found.delivered),
                escape(&found.reason),
                escape(&found.approved_by),
                found.review_by.to_string(),
            ]
        })
        .collect();
    let headings = [
        "Clause",
        "Class",
        "Promised",
        "Delivered",
        "Reason",
        "Approved by",
        "Review by",
    ];
    part(
        report,
        "Deviations",
        &headings,
        &rows,
        "None is declared for the reported clauses.",
    )
}

/// The words in force or run out, and the clauses that wait for one.
pub(super) fn attestations(report: &DocumentReport) -> String {
    let rows: Vec<_> = report
        .clauses
        .iter()
        .filter_map(|verdict| {
            let part = verdict.attestation.as_ref()?;
            let given = part.given.as_ref();
            let or_none = |text: Option<String>| {
                text.map_or_else(|| "\u{2013}".to_owned(), |text| escape(&text))
            };
            Some([
                verdict.clause.id.to_string(),
                super::status(part.outcome.status()),
                escape(
                    verdict
                        .clause
                        .attests
                        .as_deref()
                        .unwrap_or(&verdict.clause.says),
                ),
                or_none(given.map(|given| given.owner.clone())),
                or_none(given.map(|given| given.signed_on.to_string())),
                or_none(given.map(|given| given.expires.date().to_string())),
                or_none(given.map(|given| given.evidence.to_string())),
            ])
        })
        .collect();
    let headings = [
        "Clause",
        "Word",
        "What a person has to attest",
        "Owner",
        "Signed on",
        "Expires",
        "Evidence",
    ];
    part(
        report,
        "Attestations",
        &headings,
        &rows,
        "No reported clause needs one.",
    )
}

/// Which clauses serve which control.
pub(super) fn controls(report: &DocumentReport) -> String {
    let mut served: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let id = report.document.id();
    for verdict in &report.clauses {
        let clause = &verdict.clause;
        for (framework, controls) in clause.controls.iter() {
            for control in controls {
                let link = escape(&format!("{id}.{}", clause.id));
                let text = clause.id;
                let status = verdict.status;
                let cell = format!("<a class=\"whole\" href=\"#{link}\">{text}</a> {status}");
                served
                    .entry((framework.key(), control))
                    .or_default()
                    .push(cell);
            }
        }
    }
    let rows: Vec<_> = served
        .into_iter()
        .map(|((framework, control), cells)| [escape(framework), escape(control), cells.join(", ")])
        .collect();
    let headings = ["Framework", "Control", "Clauses and their statuses"];
    part(
        report,
        "Controls",
        &headings,
        &rows,
        "The reported clauses name none.",
    )
}

/// The lines of the page that promise nothing.
pub(super) fn ignored(report: &DocumentReport) -> String {
    let rows: Vec<_> = report
        .document
        .ignores()
        .iter()
        .map(|ignore| {
            let lines: Vec<_> = ignore.lines.iter().map(|line| line.number).collect();
            [escape(&ignore.reason.to_string()), spans(&lines)]
        })
        .collect();
    part(
        report,
        "Ignored lines",
        &["Reason", "Lines"],
        &rows,
        "None.",
    )
}

/// A heading with its table, or with a sentence where there is no row.
pub(super) fn part<const N: usize>(
    report: &DocumentReport,
    title: &str,
    headings: &[&str; N],
    rows: &[[String; N]],
    none: &str,
) -> String {
    let body = if rows.is_empty() {
        format!("<p>{none}</p>\n")
    } else {
        table(
            &format!("{title} of {}", report.document.id()),
            headings,
            rows,
        )
    };
    format!("<h3>{title}</h3>\n{body}")
}
