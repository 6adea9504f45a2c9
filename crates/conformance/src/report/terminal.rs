//! The terminal report: one line a clause, then the tallies and the reasons of the exit code.

use std::fmt::Write as _;

use super::{DocumentReport, Report, figure};
use crate::evidence::RunOutcome;
use crate::json::shown;
use crate::stage::Margin;
use crate::status::{SabotageOutcome, Status};
use crate::verdict::ClauseVerdict;

/// Prints the report.
#[must_use]
pub fn print(report: &Report) -> String {
    let mut out = String::new();
    for document in &report.documents {
        for verdict in &document.clauses {
            out.push_str(&line(document, verdict));
            out.push('\n');
        }
    }
    for document in &report.documents {
        out.push_str(&tally(document));
        out.push('\n');
    }
    for reason in &report.exit.reasons {
        out.push_str(&shown(reason));
        out.push('\n');
    }
    out
}

/// One clause: `kept        prodb.P-59  l.103  <= P30D  worst 29d 23h 58m  1 scenario   2/2 sabotages`.
#[must_use]
pub fn line(document: &DocumentReport, verdict: &ClauseVerdict) -> String {
    let clause = &verdict.clause;
    let id = format!("{}.{}", document.document.id(), clause.id);
    let lines: Vec<u32> = clause.line_numbers().collect();
    let mut text = format!(
        "{:<13} {id:<14} {:<10}",
        verdict.status.name(),
        spans(&lines)
    );
    if let Some(figure) = figure(clause) {
        append(&mut text, &figure);
    }
    if let Some(worst) = &verdict.worst {
        append(&mut text, &format!("worst {}", span(worst)));
    }
    if let Some(technical) = &verdict.technical {
        let all = technical.scenarios.len();
        let ran = |outcome: Option<RunOutcome>| outcome.is_some();
        let run = technical
            .scenarios
            .iter()
            .filter(|s| ran(s.outcome))
            .count();
        let of = if run == all {
            all.to_string()
        } else {
            format!("{run}/{all}")
        };
        append(
            &mut text,
            &format!("{of} scenario{}", if all == 1 { "" } else { "s" }),
        );
        let caught = clause.verify.sabotages.iter().filter(|name| {
            let mut given = technical.scenarios.iter().flat_map(|s| &s.sabotages);
            given.any(|(id, outcome)| {
                id.name() == name.as_str() && *outcome == SabotageOutcome::Caught
            })
        });
        let named = clause.verify.sabotages.len();
        append(&mut text, &format!("{}/{named} sabotages", caught.count()));
    }
    let telling = matches!(
        verdict.status,
        Status::Broken | Status::Toothless | Status::Expired | Status::Superseded
    );
    if let Some(note) = verdict.notes.first().filter(|_| telling) {
        append(&mut text, note);
    }
    shown(text.trim_end())
}

/// The tally of one document, every status that occurs, never added up.
#[must_use]
pub fn tally(document: &DocumentReport) -> String {
    let counts = Status::ALL.iter().filter_map(|status| {
        let count = document.tally(*status);
        (count > 0).then(|| format!("{count} {status}"))
    });
    let counts: Vec<_> = counts.collect();
    let all = document.clauses.len();
    format!(
        "{}: {all} clauses: {}",
        document.document.id(),
        counts.join(", ")
    )
}

fn append(text: &mut String, part: &str) {
    text.push_str("  ");
    text.push_str(part);
}

/// Line numbers, runs of neighbours as one: `l.54-57`, `l.5,17`.
pub(super) fn spans(lines: &[u32]) -> String {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match spans.last_mut() {
            Some((_, end)) if end.saturating_add(1) == *line => *end = *line,
            _ => spans.push((*line, *line)),
        }
    }
    let texts = spans.iter().map(|(start, end)| {
        if start == end {
            start.to_string()
        } else {
            format!("{start}-{end}")
        }
    });
    format!("l.{}", texts.collect::<Vec<_>>().join(","))
}

/// The observed length of the worst case, in its three largest units.
fn span(worst: &Margin) -> String {
    length(worst.observed_seconds.unsigned_abs())
}

/// Seconds in days, hours, minutes and seconds.
pub(super) fn length(secs: u64) -> String {
    let mut rest = secs;
    let mut text = String::new();
    for (unit, secs) in [("d", 86_400_u64), ("h", 3_600), ("m", 60), ("s", 1)] {
        let count = rest.checked_div(secs).unwrap_or(0);
        rest = rest.checked_rem(secs).unwrap_or(0);
        if count > 0 {
            // INVARIANT: writing to a String does not fail
            write!(text, " {count}{unit}").unwrap_or_default();
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text.trim_start().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_lengths_read_well() {
        assert_eq!(spans(&[54, 55, 56, 57]), "l.54-57");
        assert_eq!(spans(&[5, 17]), "l.5,17");
        let check = |secs, expect: &str| {
            let margin = Margin {
                observed_seconds: secs,
                limit_seconds: 0,
                margin_seconds: 0,
            };
            assert_eq!(span(&margin), expect);
        };
        check(0, "0s");
        check(2_591_880, "29d 23h 58m");
        check(-61, "1m 1s");
    }
}
