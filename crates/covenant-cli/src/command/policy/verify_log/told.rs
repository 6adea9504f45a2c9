//! What was found in a log, in words and as JSON.

use covenant_core::canon::hex;
use policy_document::Judgement;
use policy_document::monitor::{CaseKey, Margin, Open, Violation, Watched};
use serde_json::{Value, json};
use time::UtcDateTime;

use super::super::history::Gap;
use super::super::shown;
use super::{Answer, State};
use crate::output::Table;

/// Most cases of a monitor that are told in words: as many as a screen holds.
const CASES_SHOWN_MAX: usize = 20;

impl Answer {
    pub(super) fn text(&self) -> Table {
        let mut text = Table::default();
        text.row("document", &self.document);
        text.rows("logs", self.logs.iter().cloned());
        text.row("events", &self.events());
        if let Some(from) = self.from {
            text.row(
                "from",
                &format!("{}, violations before it are left out", shown(from)),
            );
        }
        if let Some(until) = self.until {
            text.row("judged as of", &shown(until));
        }
        text.rows("gaps", self.told.gaps.iter().map(gap));
        let count = |state: &State| {
            let of = self.watched.iter().filter(|w| State::of(w) == *state);
            format!("{} {}", of.count(), state.name())
        };
        let counts: Vec<_> = State::ALL.iter().map(count).collect();
        text.row("monitors", &counts.join(", "));
        for watched in &self.watched {
            let clause = watched.clause.to_string();
            text.row(
                &clause,
                &format!("{}: {}", State::of(watched).name(), watched.pattern),
            );
            text.rows("", nearest(watched));
            text.rows("", cases(watched));
        }
        text
    }

    fn events(&self) -> String {
        match (self.told.first, self.told.last) {
            (Some(first), Some(last)) => {
                let events = self.told.events;
                format!("{events}, {} to {}", shown(first), shown(last))
            }
            _ => "none".to_owned(),
        }
    }

    pub(super) fn object(&self, code: u8) -> Value {
        let instant = |at: Option<UtcDateTime>| at.map(shown);
        let gap = |gap: &Gap| json!({ "log": gap.log, "from": instant(gap.from), "until": instant(gap.until) });
        json!({
            "document": self.document,
            "logs": self.logs,
            "events": self.told.events,
            "first": instant(self.told.first),
            "last": instant(self.told.last),
            "from": instant(self.from),
            "until": instant(self.until),
            "gaps": self.told.gaps.iter().map(gap).collect::<Vec<_>>(),
            "monitors": self.watched.iter().map(watched_object).collect::<Vec<_>>(),
            "exit": code,
        })
    }
}

fn gap(gap: &Gap) -> String {
    let word = |at: Option<UtcDateTime>, none: &str| at.map_or_else(|| none.to_owned(), shown);
    let from = word(gap.from, "its beginning");
    let until = word(gap.until, "its end");
    format!("{}: nothing is known from {from} to {until}", gap.log)
}

fn nearest(watched: &Watched) -> Option<String> {
    let cases = watched.cases;
    let worst = watched.worst?;
    let spare = spare(&worst);
    Some(format!(
        "{cases} decided, the nearest with {spare} to spare"
    ))
}

/// `3 d 4 h`, in the two largest parts.
fn spare(margin: &Margin) -> String {
    let secs = margin.spare_secs.unsigned_abs();
    let (days, hours) = (secs / 86_400, secs / 3_600 % 24);
    let (minutes, seconds) = (secs / 60 % 60, secs % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")];
    let parts = parts.into_iter().skip_while(|(n, _)| *n == 0).take(2);
    let parts: Vec<_> = parts.map(|(n, unit)| format!("{n} {unit}")).collect();
    if parts.is_empty() {
        "0 s".to_owned()
    } else {
        parts.join(" ")
    }
}

fn cases(watched: &Watched) -> Vec<String> {
    let mut lines: Vec<String> = match &watched.judgement {
        Judgement::Violated(all) => {
            let line = |v: &Violation| format!("{}: {v}", case(&v.case));
            all.iter().map(line).collect()
        }
        Judgement::Pending(all) => {
            let line = |o: &Open| format!("{}: {o}", case(&o.case));
            all.iter().map(line).collect()
        }
        _ => Vec::new(),
    };
    let more = lines.len().saturating_sub(CASES_SHOWN_MAX);
    lines.truncate(CASES_SHOWN_MAX);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Whose, and of what: ids alone.
fn case(key: &CaseKey) -> String {
    let tenant = key
        .tenant
        .map(|tenant| format!("tenant {}", tenant.as_uuid()));
    let thing = key
        .thing
        .as_ref()
        .map(|thing| format!("thing {}", hex(thing)));
    let words: Vec<_> = tenant.into_iter().chain(thing).collect();
    if words.is_empty() {
        "the operator".to_owned()
    } else {
        words.join(", ")
    }
}

fn watched_object(watched: &Watched) -> Value {
    let (violations, open) = match &watched.judgement {
        Judgement::Violated(all) => (all.as_slice(), &[][..]),
        Judgement::Pending(all) => (&[][..], all.as_slice()),
        _ => (&[][..], &[][..]),
    };
    let violation = |v: &Violation| {
        json!({
            "case": case(&v.case),
            "what": v.to_string(),
            "at": shown(v.at),
            "since": v.since.map(shown),
            "limit": v.limit.map(shown),
        })
    };
    let open_case = |o: &Open| {
        json!({
            "case": case(&o.case),
            "what": o.to_string(),
            "since": shown(o.since),
            "limit": shown(o.limit),
        })
    };
    json!({
        "clause": watched.clause.to_string(),
        "pattern": watched.pattern.to_string(),
        "state": State::of(watched).name(),
        "cases": watched.cases,
        "nearest_spare_seconds": watched.worst.map(|worst| worst.spare_secs),
        "violations": violations.iter().map(violation).collect::<Vec<_>>(),
        "open": open.iter().map(open_case).collect::<Vec<_>>(),
    })
}
