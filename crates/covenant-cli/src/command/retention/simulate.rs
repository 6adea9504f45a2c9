//! `covenant retention simulate`: what becomes of items over a span of time. An item goes as soon as
//! a sweep would dispose of it; what comes after is not shown.

use std::path::PathBuf;

use covenant_core::Zone;
use retention_policy::{CHANGES_MAX, Change, Count, HoldView, Matter, Span, per_day, what_if};
use serde_json::json;
use time::UtcDateTime;

use super::rules::{items, sound};
use super::{SWEEP, instant, shown};
use crate::output::{FALSE, Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Simulate {
    /// The rule file (TOML or JSON), or a policy file.
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// A list of items, in JSON.
    #[arg(long, value_name = "FILE")]
    items: PathBuf,
    /// The first instant.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: UtcDateTime,
    /// The first instant that does not belong to it.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: UtcDateTime,
    /// As if everything were held for this matter.
    #[arg(long, value_name = "MATTER")]
    hold: Option<Matter>,
}

impl Simulate {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let set = sound(&self.rules)?;
        let list = items(&self.items)?;
        let occurrences = list.occurrences();
        let views = list.views(&occurrences);
        let holds = self.hold.as_ref();
        let holds = holds.map_or_else(HoldView::none, |matter| what_if(&list, matter, self.from));
        let span = Span {
            from: self.from,
            until: self.until,
        };
        let mut gone = vec![Seen::There; views.len()];
        let mut code = GOOD;
        let mut changes: Vec<Change> = Vec::new();
        for change in set.simulate(&views, &holds, SWEEP, span) {
            let Some(seen) = gone.get_mut(change.item) else {
                continue;
            };
            if *seen == Seen::Gone {
                continue;
            }
            if change.verdict.alarms() {
                code = FALSE;
            }
            if change.verdict.disposes() {
                *seen = Seen::Gone;
            }
            changes.push(change);
            if changes.len() > CHANGES_MAX {
                return Err(Failure::usage(format!(
                    "more than {CHANGES_MAX} changes: a shorter span or fewer items"
                )));
            }
        }
        let mut text = Table::default();
        let mut timeline = Vec::new();
        for change in &changes {
            let Some((item, owned)) = views.get(change.item).zip(list.as_slice().get(change.item))
            else {
                continue;
            };
            let id = String::from_utf8_lossy(owned.id.as_bytes());
            let state = change.verdict.state.name();
            let goes = if change.verdict.disposes() {
                ", goes"
            } else {
                ""
            };
            let unjudged = change.verdict.because.unclassified();
            let unjudged = unjudged.map(|why| why.to_string());
            let why = unjudged.as_ref();
            let why = why.map_or_else(String::new, |why| format!(", not judged: {why}"));
            let what = format!("{} {id} in {}: {state}{goes}{why}", item.class, item.store);
            text.line(&format!("{} {what}", shown(change.at)));
            timeline.push(json!({
                "at": shown(change.at),
                "id": id,
                "class": item.class,
                "store": item.store,
                "before": change.before.map(|state| state.name()),
                "state": state,
                "goes": change.verdict.disposes(),
                "gone_by": change.verdict.gone_by.map(shown),
                "unjudged": unjudged,
            }));
        }
        let zone = set.reading().zones().first().cloned().unwrap_or(Zone::UTC);
        let days = per_day(&views, changes, &zone);
        text.gap();
        let mut counted = Vec::new();
        for (day, count) in &days {
            let Count { items, bytes } = count.goes;
            text.line(&format!("{day}: {items} items go, {bytes} bytes"));
            let entered = count.entered.iter().map(|(state, count)| {
                let count = json!({ "items": count.items, "bytes": count.bytes });
                (state.name().to_owned(), count)
            });
            counted.push(json!({
                "day": day.to_string(),
                "goes": { "items": items, "bytes": bytes },
                "entered": serde_json::Value::Object(entered.collect()),
            }));
        }
        Ok(Report {
            code,
            text,
            json: json!({ "timeline": timeline, "days": counted, "exit": code }),
        })
    }
}

/// Whether an item is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    There,
    Gone,
}
