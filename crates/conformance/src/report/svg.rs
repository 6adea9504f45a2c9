//! Timelines: per lifecycle, what the bounds promise above what was observed, drawn to scale.
//!
//! Only a clause that has a period, a lifecycle and a worst observation is drawn; each drawing is
//! followed by the same data as a table. Shapes and labels say everything that colour says.

use std::fmt::Write as _;

use policy_document::Bound;

use super::markup::{element, escape, table};
use super::terminal::length;
use super::{DocumentReport, figure, names};
use crate::stage::Margin;
use crate::verdict::ClauseVerdict;

/// Width of a drawing in its own units.
const WIDTH: u64 = 960;
/// Where second 0 is, right of the labels.
const LEFT: u64 = 150;
/// How long the longest time is drawn; the rest is room for its label.
const SPAN: u64 = 640;
/// Height of one clause.
const LANE: u64 = 54;
/// Height of the scale above the first clause.
const HEAD: u64 = 34;
/// How many marks the scale has after 0.
const TICKS: u64 = 5;

/// Lifecycles in the order of their drawings: title, and the words with which their events start.
const LIFECYCLES: &[(&str, &[&str])] = &[
    ("Record", &["record."]),
    ("Trial database", &["trial."]),
    ("Paid database", &["database.", "subscription."]),
    ("Contract", &["contract."]),
    ("Backup", &["backup."]),
    ("Key", &["key."]),
    ("Erasure request", &["erasure."]),
    ("Incident", &["incident."]),
];

/// One clause of a drawing.
struct Lane<'a> {
    verdict: &'a ClauseVerdict,
    bound: &'a Bound,
    worst: Margin,
    /// What is promised in every month.
    surely_secs: u64,
    /// What is promised in the longest one.
    at_most_secs: u64,
}

impl<'a> Lane<'a> {
    fn of(report: &DocumentReport, verdict: &'a ClauseVerdict, starts: &[&str]) -> Option<Self> {
        let bound = verdict.clause.bound.as_ref()?;
        let worst = verdict.worst?;
        let period = bound.max.or(bound.min).filter(|period| !period.is_zero())?;
        let events = if bound.from.is_empty() {
            &bound.to
        } else {
            &bound.from
        };
        let event = names(events).into_iter().next()?;
        if !starts.iter().any(|start| event.starts_with(start)) {
            return None;
        }
        let bounds = period.bounds(report.document.reading());
        Some(Self {
            verdict,
            bound,
            worst,
            surely_secs: bounds.shortest_secs,
            at_most_secs: bounds.longest_secs,
        })
    }

    fn observed_secs(&self) -> u64 {
        u64::try_from(self.worst.observed_seconds).unwrap_or(0)
    }

    fn longest_secs(&self) -> u64 {
        self.at_most_secs.max(self.observed_secs())
    }

    fn events(&self) -> String {
        let to = names(&self.bound.to);
        let to = to
            .into_iter()
            .chain(self.bound.state.iter().map(|s| s.name().to_owned()));
        let from: Vec<_> = names(&self.bound.from).into_iter().collect();
        let to: Vec<_> = to.collect();
        if from.is_empty() {
            return format!("from one {} to the next", to.join(" or "));
        }
        format!("{} to {}", from.join(" or "), to.join(", "))
    }
}

/// The timelines of a document, markup; empty when nothing can be drawn.
pub(super) fn timelines(report: &DocumentReport) -> String {
    let mut out = String::new();
    for (title, starts) in LIFECYCLES {
        let lanes = report
            .clauses
            .iter()
            .filter_map(|verdict| Lane::of(report, verdict, starts));
        let lanes: Vec<_> = lanes.collect();
        if !lanes.is_empty() {
            out.push_str(&lifecycle(report, title, &lanes));
        }
    }
    out
}

fn lifecycle(report: &DocumentReport, title: &str, lanes: &[Lane<'_>]) -> String {
    let document = report.document.id().to_string();
    let rows = lanes.iter().map(|lane| {
        [
            escape(&lane.verdict.clause.id.to_string()),
            escape(lane.verdict.status.name()),
            escape(&lane.events()),
            escape(&figure(&lane.verdict.clause).unwrap_or_default()),
            promised(lane),
            length(lane.observed_secs()),
            margin(&lane.worst),
        ]
    });
    let caption = format!("{title} of {document}: the same in words");
    let headings = [
        "Clause",
        "Status",
        "From and to",
        "Promised",
        "As a length",
        "Worst observed",
        "Margin",
    ];
    format!(
        "<figure class=\"timeline\">{}\n{}{}</figure>\n",
        element("figcaption", title),
        drawing(&document, title, lanes),
        table(&caption, &headings, rows)
    )
}

/// The promised length, which a month makes a range.
fn promised(lane: &Lane<'_>) -> String {
    if lane.surely_secs == lane.at_most_secs {
        return length(lane.surely_secs);
    }
    format!(
        "{} to {}",
        length(lane.surely_secs),
        length(lane.at_most_secs)
    )
}

/// How far the worst observation was from its limit.
pub(super) fn margin(worst: &Margin) -> String {
    let size = length(worst.margin_seconds.unsigned_abs());
    if worst.margin_seconds < 0 {
        format!("missed by {size}")
    } else {
        size
    }
}

fn drawing(document: &str, title: &str, lanes: &[Lane<'_>]) -> String {
    let longest = lanes
        .iter()
        .map(Lane::longest_secs)
        .max()
        .unwrap_or(1)
        .max(1);
    let step = step(longest);
    let longest = step.saturating_mul(TICKS);
    let at = |secs: u64| LEFT.saturating_add(scaled(secs, longest));
    let count = u64::try_from(lanes.len()).unwrap_or(u64::MAX);
    let height = HEAD
        .saturating_add(LANE.saturating_mul(count))
        .saturating_add(6);
    let id = escape(&format!(
        "t-{document}-{}",
        title.to_lowercase().replace(' ', "-")
    ));
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{title}: promised and observed times</title>\
         <desc id=\"{id}-d\">For each clause a bar of the promised time, and under it a line to the \
         worst observed time; the table that follows has the same figures.</desc>\n"
    );
    for tick in 0..=TICKS {
        let secs = step.saturating_mul(tick);
        let x = at(secs);
        push(
            &mut out,
            format_args!(
                "<line class=\"grid\" x1=\"{x}\" y1=\"20\" x2=\"{x}\" y2=\"{height}\"/>\
                 <text class=\"axis\" x=\"{x}\" y=\"14\" text-anchor=\"middle\">{}</text>\n",
                length(secs)
            ),
        );
    }
    for (lane, row) in lanes.iter().zip(0_u64..) {
        let top = HEAD.saturating_add(LANE.saturating_mul(row));
        draw_lane(&mut out, lane, top, &at);
    }
    out.push_str("</svg>\n");
    out
}

fn draw_lane(out: &mut String, lane: &Lane<'_>, top: u64, at: &impl Fn(u64) -> u64) {
    let clause = &lane.verdict.clause;
    let status = lane.verdict.status;
    let (bar, mid, line) = (
        top.saturating_add(4),
        top.saturating_add(16),
        top.saturating_add(34),
    );
    let (surely, most, seen) = (
        at(lane.surely_secs),
        at(lane.at_most_secs),
        at(lane.observed_secs()),
    );
    push(
        out,
        format_args!(
            "<text class=\"id\" x=\"4\" y=\"{mid}\">{}</text><text x=\"4\" y=\"{}\">{status}</text>\n\
             <rect class=\"promised\" x=\"{LEFT}\" y=\"{bar}\" width=\"{}\" height=\"16\"/>\n",
            escape(&clause.id.to_string()),
            line.saturating_add(4),
            surely.saturating_sub(LEFT)
        ),
    );
    if most > surely {
        push(
            out,
            format_args!(
                "<rect class=\"month\" x=\"{surely}\" y=\"{bar}\" width=\"{}\" height=\"16\"/>\n",
                most.saturating_sub(surely)
            ),
        );
    }
    let missed = if lane.worst.margin_seconds < 0 {
        "missed"
    } else {
        "observed"
    };
    let figure = escape(&figure(clause).unwrap_or_default());
    push(
        out,
        format_args!(
            "<text x=\"{}\" y=\"{mid}\">{figure}</text>\n\
             <line class=\"{missed}\" x1=\"{LEFT}\" y1=\"{line}\" x2=\"{seen}\" y2=\"{line}\"/>\
             <path class=\"{missed}\" d=\"M{} {line}l6 -6l6 6l-6 6z\"/>\n\
             <text x=\"{}\" y=\"{}\">worst {}</text>\n",
            most.saturating_add(8),
            seen.saturating_sub(6),
            seen.saturating_add(12),
            line.saturating_add(4),
            length(lane.observed_secs())
        ),
    );
}

/// Seconds in units of the drawing.
fn scaled(secs: u64, longest: u64) -> u64 {
    let units = u128::from(secs)
        .saturating_mul(u128::from(SPAN))
        .checked_div(u128::from(longest));
    u64::try_from(units.unwrap_or(0)).unwrap_or(SPAN)
}

/// Seconds from one mark of the scale to the next: whole days, hours or minutes.
fn step(longest: u64) -> u64 {
    let least = longest.div_ceil(TICKS).max(1);
    let units = [86_400_u64, 3_600, 60];
    let unit = units.into_iter().find(|unit| least >= *unit).unwrap_or(1);
    least.div_ceil(unit).saturating_mul(unit)
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // INVARIANT: writing to a String does not fail
    out.write_fmt(text).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_are_to_scale() {
        assert_eq!(scaled(0, 10), 0);
        assert_eq!(scaled(5, 10), SPAN / 2);
        assert_eq!(scaled(10, 10), SPAN);
        assert_eq!(scaled(u64::MAX, u64::MAX), SPAN);
    }

    #[test]
    fn marks_are_whole_units_and_reach_the_longest_time() {
        let check = |longest, expect| {
            assert_eq!(step(longest), expect, "{longest}");
            assert!(step(longest) * TICKS >= longest);
        };
        check(0, 1);
        check(4, 1);
        check(3_600, 720);
        check(86_400, 5 * 3_600);
        check(31 * 86_400, 7 * 86_400);
        check(185 * 86_400, 37 * 86_400);
    }

    #[test]
    fn margins_are_words() {
        let check = |margin_seconds, expect: &str| {
            let worst = Margin {
                observed_seconds: 0,
                limit_seconds: 0,
                margin_seconds,
            };
            assert_eq!(margin(&worst), expect);
        };
        check(90, "1m 30s");
        check(0, "0s");
        check(-86_400, "missed by 1d");
    }
}
