//! `covenant retention plan`: what goes now, in one canonical text. Nothing is deleted: a person
//! looks, and hands the hash to `apply`.

use std::path::PathBuf;
use std::sync::Arc;

use covenant_core::TenantId;
use retention_policy::{Item, Moment, PlanContext, PlanItem, Retention as _, Verdict, plan};
use serde_json::{Value, json};
use time::UtcDateTime;

use super::rules::sound;
use super::store::{Needs, StorePlace};
use super::{SWEEP, shown};
use crate::command::key_place::waited;
use crate::output::{FALSE, Failure, GOOD, Report, Table};
use crate::{input, replace};

#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    place: StorePlace,
    /// The tenant whose items are judged.
    #[arg(long, value_name = "UUID")]
    tenant: TenantId,
    /// The rule file (TOML or JSON), or a policy file.
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Where the plan is written.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Plan {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        waited(self.answer())
    }

    async fn answer(self) -> Result<Report, Failure> {
        let set = Arc::new(sound(&self.rules)?);
        let opened = self.place.current(Needs::Rows, self.tenant).await?;
        let now = opened.clock.now();
        let seen = opened.seen(self.tenant).await?;
        let occurrences = seen.items.occurrences();
        let moment = Moment::at(now).with_slack(SWEEP);
        let views = seen.items.views(&occurrences).into_iter();
        let found: Vec<(Item<'_>, Verdict)> = views
            .map(|item| {
                let verdict = set.evaluate(&item, &seen.holds, &moment);
                (item, verdict)
            })
            .collect();
        let context = PlanContext::of(&set).with_tenant(self.tenant, &seen.holds);
        let plan = plan(&found, now, &context);
        let alarms = found.iter().filter(|(_, verdict)| verdict.alarms()).count();
        let held = found
            .iter()
            .filter(|(_, verdict)| !verdict.held_by.is_empty());
        let held = held.count();
        if let Some(out) = &self.out {
            let written = replace::file(out, &plan.bytes());
            written.map_err(|error| input::refused(out, &error))?;
        }
        let hash = plan.hash().to_string();
        let bytes = plan.items().iter().map(|item| item.bytes);
        let bytes = bytes.fold(0_u64, u64::saturating_add);
        let mut text = Table::default();
        text.row("plan", &hash);
        text.row(
            "items",
            &format!("{} of {}", plan.items().len(), found.len()),
        );
        text.row("bytes", &bytes.to_string());
        text.row("held", &held.to_string());
        text.rows("goes", plan.items().iter().map(line));
        if alarms > 0 {
            text.row("alarms", &format!("{alarms}: see `covenant retention due`"));
        }
        let code = if alarms > 0 { FALSE } else { GOOD };
        Ok(Report {
            code,
            text,
            json: json!({
                "plan": hash,
                "made_at": shown(now),
                "rules": context.rules.map(|rules| rules.to_string()),
                "items": plan.items().iter().map(told).collect::<Vec<_>>(),
                "there": found.len(),
                "bytes": bytes,
                "held": held,
                "alarms": alarms,
                "exit": code,
            }),
        })
    }
}

fn deadline(item: &PlanItem) -> Option<String> {
    let at = UtcDateTime::from_unix_timestamp(item.gone_by).ok();
    at.filter(|_| item.gone_by != i64::MAX).map(shown)
}

fn line(item: &PlanItem) -> String {
    let id = String::from_utf8_lossy(item.id.as_bytes());
    let by = deadline(item).map_or_else(String::new, |at| format!(", gone by {at}"));
    let rules: Vec<&str> = item.rules.iter().map(|rule| rule.as_str()).collect();
    let (class, store, rules) = (&item.class, &item.store, rules.join(", "));
    format!("{class} {id} in {store}{by} ({rules})")
}

fn told(item: &PlanItem) -> Value {
    json!({
        "class": &*item.class,
        "store": &*item.store,
        "id": String::from_utf8_lossy(item.id.as_bytes()),
        "bytes": item.bytes,
        "method": item.method.name(),
        "gone_by": deadline(item),
        "rules": item.rules.iter().map(|rule| rule.as_str()).collect::<Vec<_>>(),
    })
}
