//! `covenant retention explain`: what becomes of one item at an instant, and why.

use std::path::PathBuf;

use covenant_core::{ItemId, TenantId};
use retention_policy::{
    Effect, HoldMode, HoldReason, HoldView, Item, Items, KeepUntil, Matter, Moment, Reason,
    Retention as _, RuleSet, Unclassified, Verdict, what_if,
};
use serde_json::json;
use time::UtcDateTime;

use super::check::parsed;
use super::rules::{items, sound};
use super::store::{Needs, StorePlace};
use super::{instant, shown};
use crate::command::key_place::{chain, waited};
use crate::output::{FALSE, Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The item: its id in the list of items or in the store, or, without either, the item itself in
    /// JSON.
    item: String,
    /// The rule file (TOML or JSON), or a policy file.
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// The instant of the decision.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: UtcDateTime,
    /// A list of items, in JSON.
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
    /// As if everything were held for this matter.
    #[arg(long, value_name = "MATTER", conflicts_with = "store")]
    hold: Option<Matter>,
    #[command(flatten)]
    place: StorePlace,
    /// The tenant whose holds, and without a list whose items, are read from the store.
    #[arg(long, value_name = "UUID")]
    tenant: Option<TenantId>,
}

/// Items to explain, which of them, and what holds them.
struct Asked {
    list: Items,
    wanted: Option<ItemId>,
    holds: HoldView,
}

impl Explain {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let set = sound(&self.rules)?;
        let Asked {
            list,
            wanted,
            holds,
        } = self.asked()?;
        let occurrences = list.occurrences();
        let views = list.views(&occurrences);
        let wanted = |item: &&Item<'_>| wanted.as_ref().is_none_or(|id| item.id == *id);
        let mut text = Table::default();
        let mut found = Vec::new();
        let mut code = GOOD;
        for item in views.iter().filter(wanted) {
            let verdict = set.evaluate(item, &holds, &Moment::at(self.at));
            if !found.is_empty() {
                text.gap();
            }
            let unjudged = unjudged(&set, item, &verdict);
            tell(&mut text, item, &verdict, unjudged.as_deref());
            if verdict.alarms() {
                code = FALSE;
            }
            found.push(json!({
                "id": String::from_utf8_lossy(item.id.as_bytes()),
                "class": item.class,
                "store": item.store,
                "tenant": item.tenant.to_string(),
                "verdict": parsed(&verdict.to_json()),
                "unjudged": unjudged,
            }));
        }
        if found.is_empty() {
            return Err(Failure::usage("there is no item of that id"));
        }
        Ok(Report {
            code,
            text,
            json: json!({ "items": found, "exit": code }),
        })
    }

    fn asked(&self) -> Result<Asked, Failure> {
        let id = || {
            let id = ItemId::try_from(self.item.as_str());
            id.map_err(|error| Failure::usage(error.to_string()))
        };
        let seen = if self.place.is_named() {
            let tenant = self.tenant;
            let tenant = tenant.ok_or_else(|| Failure::usage("--tenant is needed"))?;
            Some(waited(async {
                let opened = self.place.current(Needs::Rows, tenant).await?;
                opened.seen(tenant).await
            })?)
        } else {
            None
        };
        let (list, wanted) = match (&self.items, &seen) {
            (Some(path), _) => (items(path)?, Some(id()?)),
            (None, Some(seen)) => (seen.items.clone(), Some(id()?)),
            (None, None) => {
                if !self.item.trim_start().starts_with('{') {
                    return Err(Failure::usage(
                        "the item is an id: name the list it is in by --items, or the store by \
                         --store and --tenant, or give the item itself in JSON",
                    ));
                }
                (of_json(&self.item)?, None)
            }
        };
        let holds = match (seen, &self.hold) {
            (Some(seen), _) => seen.holds,
            (None, Some(matter)) => what_if(&list, matter, self.at),
            (None, None) => HoldView::none(),
        };
        Ok(Asked {
            list,
            wanted,
            holds,
        })
    }
}

/// The item that a text in JSON is.
fn of_json(item: &str) -> Result<Items, Failure> {
    let before = format!(
        "{{\"format\":\"{}\",\"items\":[",
        retention_policy::ITEMS_FORMAT
    );
    let text = format!("{before}{item}\n]}}");
    let indent = u32::try_from(before.len()).unwrap_or(0);
    Items::from_json(&text).map_err(|errors| {
        let lines = errors.as_slice().iter().map(|error| {
            let column = match error.line {
                1 => error.column.saturating_sub(indent).max(1),
                _ => error.column,
            };
            format!("the item:{}:{column}: {}", error.line, chain(&error.kind))
        });
        Failure::usage_lines(lines.collect())
    })
}

/// Why the rules say nothing of the item, and what it is that they do not know.
fn unjudged(set: &RuleSet, item: &Item<'_>, verdict: &Verdict) -> Option<String> {
    let why = verdict.because.unclassified()?;
    let unknown = match why {
        Unclassified::Class => vec![item.class],
        Unclassified::Store => vec![item.store],
        Unclassified::Trigger => {
            let names = item.events.iter().map(|event| event.name);
            let mut names: Vec<&str> = names.filter(|name| !set.knows_event(name)).collect();
            names.sort_unstable();
            names.dedup();
            names
        }
        _ => Vec::new(),
    };
    Some(format!("{why}: {}", unknown.join(", ")))
}

fn tell(text: &mut Table, item: &Item<'_>, verdict: &Verdict, unjudged: Option<&str>) {
    let id = String::from_utf8_lossy(item.id.as_bytes());
    text.row("item", &format!("{} {id} in {}", item.class, item.store));
    text.row("tenant", &item.tenant.to_string());
    text.row("state", verdict.state.name());
    let kept = match verdict.keep_until {
        KeepUntil::Free => "nothing keeps it".to_owned(),
        KeepUntil::Open => "open".to_owned(),
        KeepUntil::At(at) => shown(at),
    };
    text.row("kept until", &kept);
    let gone = verdict.gone_by.map_or_else(|| "never".to_owned(), shown);
    text.row("gone by", &gone);
    text.rows("next change", verdict.next_change.map(shown));
    text.rows("unjudged", unjudged.map(str::to_owned));
    text.rows("held by", verdict.because.holds().iter().map(hold));
    let suspended = verdict
        .suspended
        .map(|at| format!("the deadline of {}", shown(at)));
    text.rows("suspended", suspended);
    text.rows("because", verdict.because.rules().map(reason));
}

fn hold(hold: &HoldReason) -> String {
    let ends = match hold.mode {
        HoldMode::Governance => "until two principals release it".to_owned(),
        HoldMode::Compliance { until } => format!("until {}", shown(until)),
    };
    format!("{} for {}, {ends}", hold.hold, hold.matter)
}

fn reason(reason: Reason<'_>) -> String {
    let clause = reason
        .clause
        .map_or_else(String::new, |clause| format!(" ({clause})"));
    let counted = match (reason.period, reason.anchor) {
        (Some(period), Some(from)) => format!(", {period} from {}", shown(from)),
        _ => String::new(),
    };
    let effect = match reason.effect {
        Effect::KeepsUntil(at) => format!("keeps it until {}", shown(at)),
        Effect::KeepsOpen => "keeps it, and nobody knows how long".to_owned(),
        Effect::Ended => "has ended".to_owned(),
        Effect::Waived(at) => format!("was waived on {}", shown(at)),
        Effect::GoneBy(at) => format!("wants it gone by {}", shown(at)),
        Effect::NotStarted => "has not started".to_owned(),
        _ => "says something that this command does not know".to_owned(),
    };
    let decided = if reason.decided {
        ", which decides"
    } else {
        ""
    };
    format!("{}{clause} {effect}{counted}{decided}", reason.rule)
}
