//! `covenant retention due`: what must start within a period, what is late already, and whether all
//! of it can be done in time at a declared rate.

use std::collections::BTreeMap;
use std::path::PathBuf;

use covenant_core::{Period, TenantId};
use retention_policy::{
    Item, Moment, Rate, Retention as _, State, Verdict, Work, done_by, feasible,
};
use serde_json::{Value, json};
use time::UtcDateTime;

use super::rules::sound;
use super::store::{Needs, StorePlace};
use super::{SWEEP, shown};
use crate::command::key_place::waited;
use crate::output::{FALSE, Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Due {
    #[command(flatten)]
    place: StorePlace,
    /// The tenant whose items are judged.
    #[arg(long, value_name = "UUID")]
    tenant: TenantId,
    /// The rule file (TOML or JSON), or a policy file.
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// How far ahead.
    #[arg(long, value_name = "PERIOD")]
    within: Period,
    /// How many items go in a second.
    #[arg(long, value_name = "N", default_value_t = 100)]
    items_per_second: u64,
    /// How many bytes go in a second.
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    bytes_per_second: u64,
}

impl Due {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        waited(self.answer())
    }

    async fn answer(self) -> Result<Report, Failure> {
        let set = sound(&self.rules)?;
        let opened = self.place.current(Needs::Rows, self.tenant).await?;
        let now = opened.clock.now();
        let until = self.within.resolve(now, set.reading());
        let until = until
            .map_err(|error| Failure::usage(error.to_string()))?
            .latest;
        let seen = opened.seen(self.tenant).await?;
        let occurrences = seen.items.occurrences();
        let moment = Moment::at(now).with_slack(SWEEP);
        let mut states: BTreeMap<State, u64> = BTreeMap::new();
        let mut starts: Vec<(UtcDateTime, Item<'_>, Verdict)> = Vec::new();
        let mut alarms = 0_u64;
        for item in seen.items.views(&occurrences) {
            let verdict = set.evaluate(&item, &seen.holds, &moment);
            let count = states.entry(verdict.state).or_default();
            *count = count.saturating_add(1);
            if verdict.alarms() {
                alarms = alarms.saturating_add(1);
            }
            let start = if verdict.disposes() {
                Some(now)
            } else {
                verdict.start_by.filter(|_| verdict.held_by.is_empty())
            };
            if let Some(start) = start.filter(|start| *start <= until) {
                starts.push((start.max(now), item, verdict));
            }
        }
        starts.sort_by(|(a, one, _), (b, other, _)| (a, &one.id).cmp(&(b, &other.id)));
        let rate = Rate {
            items: self.items_per_second,
            bytes: self.bytes_per_second,
        };
        let work: Vec<Work> = starts
            .iter()
            .filter_map(|(_, item, verdict)| {
                Some(Work {
                    deadline: verdict.gone_by?,
                    items: 1,
                    bytes: item.bytes,
                })
            })
            .collect();
        // what is late already alarms as such; the question is whether the rest can be kept
        let ahead: Vec<Work> = work
            .iter()
            .copied()
            .filter(|one| one.deadline > now)
            .collect();
        let late = feasible(&ahead, &rate, now).err();
        let mut text = Table::default();
        for (state, count) in &states {
            text.row(state.name(), &count.to_string());
        }
        text.rows(
            "start",
            starts
                .iter()
                .map(|(at, item, verdict)| line(*at, item, verdict)),
        );
        text.row("done by", &shown(done_by(&work, &rate, now)));
        text.rows("infeasible", late.map(|late| late.to_string()));
        let code = if alarms > 0 || late.is_some() {
            FALSE
        } else {
            GOOD
        };
        let states: BTreeMap<&str, u64> = states
            .iter()
            .map(|(state, count)| (state.name(), *count))
            .collect();
        Ok(Report {
            code,
            text,
            json: json!({
                "at": shown(now),
                "until": shown(until),
                "states": states,
                "starts": starts.iter().map(|(at, item, verdict)| told(*at, item, verdict)).collect::<Vec<_>>(),
                "alarms": alarms,
                "done_by": shown(done_by(&work, &rate, now)),
                "infeasible": late.map(|late| json!({
                    "deadline": shown(late.deadline),
                    "shortfall_secs": late.shortfall.as_secs(),
                })),
                "exit": code,
            }),
        })
    }
}

fn line(at: UtcDateTime, item: &Item<'_>, verdict: &Verdict) -> String {
    let id = String::from_utf8_lossy(item.id.as_bytes());
    let by = verdict.gone_by.map_or_else(
        || "no deadline".to_owned(),
        |at| format!("gone by {}", shown(at)),
    );
    let (class, store, state) = (item.class, item.store, verdict.state.name());
    format!("{} {class} {id} in {store}: {state}, {by}", shown(at))
}

fn told(at: UtcDateTime, item: &Item<'_>, verdict: &Verdict) -> Value {
    json!({
        "start_by": shown(at),
        "class": item.class,
        "store": item.store,
        "id": String::from_utf8_lossy(item.id.as_bytes()),
        "state": verdict.state.name(),
        "gone_by": verdict.gone_by.map(shown),
    })
}
