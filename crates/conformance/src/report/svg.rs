//! Timelines: per lifecycle, what the document promises above what was observed, drawn to scale.
//!
//! A lane is an event of the course: a bar until it may happen, a dashed box while it is due, marked
//! with the clauses that say so; under it each clause whose limit a run came close to. Every drawing
//! is followed by the same data as a table. Shapes and labels say everything that colour says.

use std::fmt::Write as _;

use covenant_core::ClauseId;
use policy_document::{Document, Lifecycle, Mark, Milestone};
use time::UtcDateTime;
use time::macros::utc_datetime;

use super::DocumentReport;
use super::html::shape;
use super::markup::{element, escape, table, whole};
use super::terminal::length;
use crate::stage::Margin;
use crate::verdict::ClauseVerdict;

/// When the first event of each course happens: the first start of the scenarios. Months make
/// lengths depend on it.
const START: UtcDateTime = utc_datetime!(2027-08-31 12:00);
/// Width of a drawing in its own units.
const WIDTH: u64 = 960;
/// Where second 0 is, right of the names.
const LEFT: u64 = 230;
/// How long the longest time is drawn; the rest is room for its label.
const SPAN: u64 = 480;
/// Height of an event's promise.
const LANE: u64 = 34;
/// Height of one observation under it.
const ROW: u64 = 22;
/// Height of the scale above the first event.
const HEAD: u64 = 34;
/// How many marks the scale has after 0.
const TICKS: u64 = 4;

/// One event of a course.
struct Lane<'a> {
    event: String,
    clauses: Vec<ClauseId>,
    /// Not before so many seconds after the start; `None` when nothing holds it back.
    earliest: Option<i64>,
    /// Not after so many seconds; `None` when nothing demands it.
    latest: Option<i64>,
    seen: Vec<Seen<'a>>,
}

/// The observation of a clause that came closest to its limit.
struct Seen<'a> {
    verdict: &'a ClauseVerdict,
    worst: Margin,
    /// The event that it was counted from, and when that is due, in seconds after the start.
    from: String,
    from_secs: u64,
}

impl<'a> Lane<'a> {
    /// The lane of a milestone that a reported clause speaks of.
    fn of(report: &'a DocumentReport, all: &[Milestone], milestone: &Milestone) -> Option<Self> {
        let reported = |id: &ClauseId| report.clauses.iter().find(|one| one.clause.id == *id);
        let verdicts: Vec<_> = milestone.clauses.iter().filter_map(reported).collect();
        if verdicts.is_empty() {
            return None;
        }
        let seen = verdicts
            .iter()
            .filter_map(|verdict| Seen::of(verdict, all, milestone));
        Some(Self {
            event: milestone.mark.to_string(),
            clauses: milestone.clauses.clone(),
            earliest: milestone.earliest.map(offset),
            latest: milestone.latest.map(offset),
            seen: seen.collect(),
        })
    }

    fn longest_secs(&self) -> u64 {
        let promised = [self.earliest, self.latest].into_iter().flatten();
        let seen = self.seen.iter().map(Seen::at_secs);
        promised.map(forward).chain(seen).max().unwrap_or(0)
    }

    fn height(&self) -> u64 {
        let rows = u64::try_from(self.seen.len()).unwrap_or(u64::MAX);
        LANE.saturating_add(ROW.saturating_mul(rows))
    }

    fn ids(&self) -> String {
        let ids: Vec<_> = self.clauses.iter().map(ToString::to_string).collect();
        ids.join(", ")
    }
}

impl<'a> Seen<'a> {
    /// What was observed of the clause, where its bound ends with the milestone.
    fn of(verdict: &'a ClauseVerdict, all: &[Milestone], milestone: &Milestone) -> Option<Self> {
        let bound = verdict.clause.bound.as_ref()?;
        let worst = verdict.worst?;
        let ends = match &milestone.mark {
            Mark::Event(action) => bound.to.contains(action),
            Mark::KeyDestroyed(_) => bound.to.contains(&covenant_core::Action::KeyDestroyed),
            Mark::State(state) => bound.state.contains(state),
            _ => false,
        };
        let starts = |one: &&Milestone| match &one.mark {
            Mark::Event(action) => bound.from.contains(action),
            _ => false,
        };
        // the first milestone is the start of the course
        let from = all.iter().find(starts).filter(|_| ends)?;
        let due = from.latest.or(from.earliest).map_or(0, offset);
        Some(Self {
            verdict,
            worst,
            from: from.mark.to_string(),
            from_secs: forward(due),
        })
    }

    fn observed_secs(&self) -> u64 {
        forward(self.worst.observed_seconds)
    }

    fn at_secs(&self) -> u64 {
        self.from_secs.saturating_add(self.observed_secs())
    }

    const fn is_missed(&self) -> bool {
        self.worst.margin_seconds < 0
    }

    /// The clause, its status and the time: `P-51 kept: 31d after record.deleted`.
    fn words(&self) -> String {
        let (id, status) = (self.verdict.clause.id, self.verdict.status);
        format!(
            "{id} {status}: {} after {}",
            length(self.observed_secs()),
            self.from
        )
    }
}

/// Seconds after the start of the course.
fn offset(at: UtcDateTime) -> i64 {
    (at - START).whole_seconds()
}

/// Seconds after the start as drawn: what may have happened before is drawn at it.
fn forward(secs: i64) -> u64 {
    u64::try_from(secs).unwrap_or(0)
}

/// The timelines of a document, markup; empty when nothing can be drawn.
pub(super) fn timelines(report: &DocumentReport) -> String {
    let mut out = String::new();
    for lifecycle in Lifecycle::ALL {
        let all = report.document.timeline(*lifecycle, START);
        let lanes = all
            .iter()
            .skip(1)
            .filter_map(|one| Lane::of(report, &all, one));
        let lanes: Vec<_> = lanes.collect();
        if let (false, Some(start)) = (lanes.is_empty(), all.first()) {
            out.push_str(&figure(&report.document, *lifecycle, start, &lanes));
        }
    }
    out
}

/// What a course is called.
const fn title(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Record => "Record",
        Lifecycle::Object => "Object",
        Lifecycle::Trial => "Trial database",
        Lifecycle::Database => "Paid database",
        Lifecycle::Contract => "Contract",
        Lifecycle::Backup => "Backup",
        Lifecycle::Key => "Key",
        Lifecycle::Erasure => "Erasure request",
        Lifecycle::Incident => "Incident",
        Lifecycle::Access => "Staff access",
        Lifecycle::Export => "Export",
        Lifecycle::Update => "Update",
        _ => "Other events",
    }
}

fn figure(
    document: &Document,
    lifecycle: Lifecycle,
    start: &Milestone,
    lanes: &[Lane<'_>],
) -> String {
    let id = document.id().to_string();
    let title = title(lifecycle);
    let caption = format!(
        "{title} of {id}, counted from {}: the same in words",
        start.mark
    );
    let rows = lanes.iter().map(|lane| {
        let limit = |secs: Option<i64>| secs.map_or_else(|| "\u{2013}".to_owned(), after);
        let seen = lane.seen.iter().map(|seen| {
            let words = format!("{}; margin {}", seen.words(), margin(&seen.worst));
            element("li", words)
        });
        let seen: String = seen.collect();
        [
            escape(&lane.event),
            whole(&lane.clauses),
            limit(lane.earliest),
            limit(lane.latest),
            if seen.is_empty() {
                "not observed".to_owned()
            } else {
                format!("<ul>{seen}</ul>")
            },
        ]
    });
    let headings = ["Event", "Clauses", "Not before", "Not after", "Simulated"];
    format!(
        "<figure class=\"timeline\">{}\n\
         <div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">{}</div>\n\
         {}</figure>\n",
        element(
            "figcaption",
            format!("{title}, counted from {}", start.mark)
        ),
        escape(&format!("{title} of {id}, drawn")),
        drawing(&format!("t-{id}-{lifecycle}"), title, lanes),
        table(&caption, &headings, rows)
    )
}

/// Seconds after the start in words.
fn after(secs: i64) -> String {
    let size = length(secs.unsigned_abs());
    if secs < 0 {
        format!("{size} earlier")
    } else {
        size
    }
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

fn drawing(id: &str, title: &str, lanes: &[Lane<'_>]) -> String {
    let longest = lanes.iter().map(Lane::longest_secs).max().unwrap_or(1);
    let step = step(longest.max(1));
    let longest = step.saturating_mul(TICKS);
    let at = |secs: u64| LEFT.saturating_add(scaled(secs, longest));
    let heights = lanes.iter().map(Lane::height);
    let height = heights.fold(HEAD.saturating_add(6), u64::saturating_add);
    let id = escape(id);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{title}: promised and observed times</title>\
         <desc id=\"{id}-d\">For each event a bar until it may happen and a dashed box while it is \
         due, and under it a line to each observed time; the table that follows has the same \
         figures.</desc>\n"
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
    let mut top = HEAD;
    for lane in lanes {
        draw_promise(&mut out, lane, top, &at);
        let mut row = top.saturating_add(LANE);
        for seen in &lane.seen {
            draw_seen(&mut out, seen, row, &at);
            row = row.saturating_add(ROW);
        }
        top = top.saturating_add(lane.height());
    }
    out.push_str("</svg>\n");
    out
}

fn draw_promise(out: &mut String, lane: &Lane<'_>, top: u64, at: &impl Fn(u64) -> u64) {
    let (bar, mid) = (top.saturating_add(6), top.saturating_add(18));
    let from = at(lane.earliest.map_or(0, forward));
    // nothing demands it: the box stays open at its right end
    let until = lane
        .latest
        .map_or(LEFT.saturating_add(SPAN), |secs| at(forward(secs)));
    let until = until.max(from);
    push(
        out,
        format_args!(
            "<text class=\"id\" x=\"4\" y=\"{mid}\">{}</text>\n",
            escape(&lane.event)
        ),
    );
    if from > LEFT {
        push(
            out,
            format_args!(
                "<rect class=\"promised\" x=\"{LEFT}\" y=\"{bar}\" width=\"{}\" height=\"16\"/>\n",
                from.saturating_sub(LEFT)
            ),
        );
    }
    let (low, edge) = (
        bar.saturating_add(16),
        if lane.latest.is_some() {
            "v16"
        } else {
            "m0 16"
        },
    );
    push(
        out,
        format_args!(
            "<path class=\"due\" d=\"M{from} {low}v-16H{until}{edge}H{from}\"/>\
             <text x=\"{}\" y=\"{mid}\">{}</text>\n",
            until.saturating_add(8),
            escape(&lane.ids())
        ),
    );
}

fn draw_seen(out: &mut String, seen: &Seen<'_>, top: u64, at: &impl Fn(u64) -> u64) {
    let line = top.saturating_add(6);
    let (from, until) = (at(seen.from_secs), at(seen.at_secs()));
    let class = if seen.is_missed() {
        "missed"
    } else {
        "observed"
    };
    let (id, status) = (seen.verdict.clause.id, seen.verdict.status);
    let size = length(seen.observed_secs());
    push(
        out,
        format_args!(
            "<text x=\"16\" y=\"{text}\">{id} {} {status}</text>\
             <line class=\"{class}\" x1=\"{from}\" y1=\"{line}\" x2=\"{until}\" y2=\"{line}\"/>\
             <path class=\"{class}\" d=\"M{} {line}l6 -6l6 6l-6 6z\"/>\
             <text x=\"{}\" y=\"{text}\">{size}</text>\n",
            shape(status),
            until.saturating_sub(6),
            until.saturating_add(12),
            text = line.saturating_add(4),
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
        check(3_600, 900);
        check(86_400, 6 * 3_600);
        check(31 * 86_400, 8 * 86_400);
        check(184 * 86_400, 46 * 86_400);
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
