//! `covenant retention explain`: what becomes of one item at an instant, and why.

use std::path::PathBuf;

use covenant_core::ItemId;
use retention_policy::{
    Effect, HoldView, Item, Items, KeepUntil, Moment, Reason, Retention as _, Verdict,
};
use serde_json::json;
use time::UtcDateTime;

use super::check::parsed;
use super::rules::{items, sound, told};
use super::{instant, shown};
use crate::output::{FALSE, Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The id of an item of the list; without a list, the item itself in JSON, as a list has it.
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
}

impl Explain {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let set = sound(&self.rules)?;
        let (list, wanted) = match &self.items {
            Some(path) => {
                let id = ItemId::try_from(self.item.as_str());
                let id = id.map_err(|error| Failure::usage(error.to_string()))?;
                (items(path)?, Some(id))
            }
            None => {
                let format = retention_policy::ITEMS_FORMAT;
                let text = format!("{{\"format\":\"{format}\",\"items\":[{}\n]}}", self.item);
                let list = Items::from_json(&text).map_err(|errors| told("the item", &errors))?;
                (list, None)
            }
        };
        let occurrences = list.occurrences();
        let views = list.views(&occurrences);
        let wanted = |item: &&Item<'_>| wanted.as_ref().is_none_or(|id| item.id == *id);
        let mut text = Table::default();
        let mut found = Vec::new();
        let mut code = GOOD;
        for item in views.iter().filter(wanted) {
            let verdict = set.evaluate(item, &HoldView::none(), &Moment::at(self.at));
            if !found.is_empty() {
                text.gap();
            }
            tell(&mut text, item, &verdict);
            if verdict.alarms() {
                code = FALSE;
            }
            found.push(json!({
                "class": item.class,
                "store": item.store,
                "tenant": item.tenant.to_string(),
                "verdict": parsed(&verdict.to_json()),
            }));
        }
        if found.is_empty() {
            return Err(Failure::usage("the list has no item of that id"));
        }
        Ok(Report {
            code,
            text,
            json: json!({ "items": found, "exit": code }),
        })
    }
}

fn tell(text: &mut Table, item: &Item<'_>, verdict: &Verdict) {
    text.row("item", &format!("{} in {}", item.class, item.store));
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
    let unclassified = verdict.because.unclassified;
    text.rows("unjudged", unclassified.map(|why| why.to_string()));
    text.rows("because", verdict.because.rules.iter().map(reason));
}

fn reason(reason: &Reason) -> String {
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
