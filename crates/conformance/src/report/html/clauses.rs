//! The table of clauses: what is promised, what was seen, and how it was proven.

use policy_document::{Bound, Clause};

use super::status;
use crate::report::markup::{element, escape, table};
use crate::report::svg::margin;
use crate::report::terminal::{length, spans};
use crate::report::{DocumentReport, figure, names};
use crate::runner::Options;
use crate::stage::Margin;
use crate::status::SabotageOutcome;
use crate::trace_sabotage::TraceOutcome;
use crate::verdict::{ClauseVerdict, ScenarioVerdict};
use crate::watch::MonitorVerdict;

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
                format!("declared: the page\u{2019}s floor may be missed by up to {early}"),
            ));
        }
        if !bound.late.is_zero() {
            let late = bound
                .late
                .as_secs()
                .map_or_else(|| bound.late.to_string(), length);
            items.push(element(
                "li",
                format!("declared: the page\u{2019}s ceiling may be passed by up to {late}"),
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
    let mut out = format!(
        "{seen}<br/><small>limit {limit}<br/>margin {}</small>",
        margin(worst)
    );
    if let Some(missed) = verdict
        .clause
        .bound
        .as_ref()
        .and_then(|bound| missed(bound, worst))
    {
        out.push_str(&format!("<br/>{missed}"));
    }
    out
}

/// By how much the run missed what the page itself says, within a declared tolerance or not.
fn missed(bound: &Bound, worst: &Margin) -> Option<String> {
    let Margin {
        observed_seconds,
        limit_seconds,
        margin_seconds,
    } = *worst;
    // the margin to a floor is what came after it, to a ceiling what was left before it
    let is_floor = observed_seconds.checked_sub(limit_seconds) == Some(margin_seconds);
    let (what, tolerance) = match (bound.min, bound.max) {
        (Some(_), None) => ("floor", bound.early),
        (Some(_), Some(_)) if is_floor => ("floor", bound.early),
        (_, Some(_)) => ("ceiling", bound.late),
        (None, None) => return None,
    };
    let tolerance = i64::try_from(tolerance.as_secs()?).ok()?;
    let missed = u64::try_from(tolerance.checked_sub(margin_seconds)?).ok()?;
    (missed > 0).then(|| format!("the page\u{2019}s {what} missed by {}", days(missed)))
}

/// A length with its days: `2d 1h (2.04 days)`.
fn days(secs: u64) -> String {
    let hundredths = secs.saturating_mul(100).div_ceil(86_400);
    let whole = hundredths.checked_div(100).unwrap_or(0);
    let part = hundredths.checked_rem(100).unwrap_or(0);
    format!("{} ({whole}.{part:02} days)", length(secs))
}

fn proof(verdict: &ClauseVerdict) -> String {
    let mut items = Vec::new();
    if let Some(technical) = &verdict.technical {
        items.extend(technical.scenarios.iter().map(scenario));
        items.extend(technical.monitors.iter().map(monitor));
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

fn monitor(monitor: &MonitorVerdict) -> String {
    let (pattern, outcome) = (escape(&monitor.pattern), monitor.outcome.name());
    let mut text = format!("<li>monitor <code>{pattern}</code>: {outcome}");
    text.push_str(&format!(", {} cases", monitor.cases));
    if !monitor.judged.is_empty() {
        text.push_str(&format!(" in {}", escape(&monitor.judged.join(", "))));
    }
    let caught = |(_, outcome): &&(_, TraceOutcome)| *outcome == TraceOutcome::Caught;
    let caught = monitor.sabotages.iter().filter(caught);
    let caught: Vec<_> = caught.map(|(sabotage, _)| sabotage.name()).collect();
    if !caught.is_empty() {
        text.push_str(&format!("; of the trace caught: {}", caught.join(", ")));
    }
    if let Some(failure) = &monitor.failure {
        text.push_str(&format!("; observed {}", escape(&failure.observed)));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str) -> Bound {
        let policy = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../policies/prodb.toml"
        ))
        .unwrap();
        let document = policy_document::Document::parse(&policy).unwrap();
        let clause = document.clause(&text.parse().unwrap()).unwrap();
        clause.bound.clone().unwrap()
    }

    #[test]
    fn a_floor_that_the_page_gives_is_missed_by_what_the_tolerance_takes() {
        let check = |clause: &str, observed, limit, margin, expect: Option<&str>| {
            let worst = Margin {
                observed_seconds: observed,
                limit_seconds: limit,
                margin_seconds: margin,
            };
            let got = missed(&bound(clause), &worst);
            assert_eq!(got.as_deref(), expect, "{clause} {margin}");
        };
        let (hour, day) = (3_600, 86_400);
        // P-18: six months, 49 h early at most
        let floor = 184 * day - 49 * hour;
        let most = "the page\u{2019}s floor missed by 2d 1h (2.05 days)";
        check("P-18", floor, floor, 0, Some(most));
        let some = "the page\u{2019}s floor missed by 1h (0.05 days)";
        check("P-18", floor + 48 * hour, floor, 48 * hour, Some(some));
        check("P-18", floor + 49 * hour, floor, 49 * hour, None);
        check("P-18", 181 * day, 182 * day, day, None);
        // P-52: 30 days, 25 h late at most
        let ceiling = 31 * day + hour;
        let late = "the page\u{2019}s ceiling missed by 1d 1h (1.05 days)";
        check("P-52", ceiling, ceiling, 0, Some(late));
        check("P-52", ceiling - 25 * hour, ceiling, 25 * hour, None);
    }
}
