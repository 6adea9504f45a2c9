//! What `covenant retention apply` leaves: for each item its part of a certificate, and how it ended.

use std::collections::BTreeMap;

use covenant_core::canon::hex;
use retention_policy::apply::Ended;
use retention_policy::rows::Order;
use retention_policy::{Basis, Disposal, DisposalPart, LineState, Plan, RuleSet, StoreLine};
use serde_json::{Value, json};

use crate::command::retention::shown;
use crate::output::{FALSE, GOOD, REFUSED, Report, Table};

pub(super) fn report(
    order: &Order,
    plan: &Plan,
    set: &RuleSet,
    disposals: &[Disposal],
    ended: &[Ended],
    in_logs: u64,
) -> Report {
    let mut text = Table::default();
    text.row("order", &order.id().to_string());
    text.row("plan", &order.plan().to_string());
    let mut parts = Vec::new();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut read_back = 0_u64;
    for (disposal, ended) in disposals.iter().zip(ended) {
        let count = counts.entry(word(*ended)).or_default();
        *count = count.saturating_add(1);
        if *ended != Ended::Done {
            text.row(word(*ended), &name(disposal));
        }
        let Some(basis) = basis(order, plan, set, disposal) else {
            continue;
        };
        let part = disposal.part(basis);
        if part.stores.iter().any(|line| line.scanned_bytes.is_none()) && *ended == Ended::Done {
            read_back = read_back.saturating_add(1);
        }
        parts.push(told(&part, disposal, *ended));
    }
    for (word, count) in &counts {
        text.row(word, &count.to_string());
    }
    if read_back > 0 {
        let note = format!("{read_back} read back, and not looked for in files");
        text.row("not scanned", &note);
    }
    if in_logs > 0 {
        let note = format!("seen {in_logs} times in the server's write-ahead log");
        text.row("remains", &note);
    }
    let code = if ended.contains(&Ended::Held) {
        REFUSED
    } else if ended.iter().all(|ended| *ended == Ended::Done) && in_logs == 0 {
        GOOD
    } else {
        FALSE
    };
    Report {
        code,
        text,
        json: json!({
            "order": order.id().to_string(),
            "plan": order.plan().to_string(),
            "tenant": order.tenant().to_string(),
            "ended": counts,
            "not_scanned": read_back,
            "seen_in_logs": in_logs,
            "parts": parts,
            "exit": code,
        }),
    }
}

/// On what the disposal rests: the rule of the plan that has a clause, else the first.
fn basis(order: &Order, plan: &Plan, set: &RuleSet, disposal: &Disposal) -> Option<Basis> {
    let items = plan.items().iter();
    let mut items = items.filter(|item| *item.class == *disposal.class().as_str());
    let item = items.find(|item| item.id == *disposal.item())?;
    let rules = item.rules.iter().filter_map(|name| {
        let mut rules = set.rules().iter();
        rules.find(|rule| rule.id() == name)
    });
    let mut clauses = rules.filter_map(|rule| Some((rule.id(), rule.clause()?)));
    let clause = clauses.next();
    let rule = clause.map(|(rule, _)| rule).or_else(|| item.rules.first());
    Some(Basis {
        clause: clause.map(|(_, clause)| clause),
        rule: rule?.clone(),
        rules: plan.rules(),
        commitment: order.commitment(disposal.class(), disposal.item()),
        methods: set.stores().clone(),
        remains: Vec::new(),
        leaf: None,
    })
}

fn told(part: &DisposalPart, disposal: &Disposal, ended: Ended) -> Value {
    json!({
        "item": name(disposal),
        "ended": word(ended),
        "order": part.order.to_string(),
        "clause": part.clause.map(|clause| clause.to_string()),
        "rule": part.rule.as_str(),
        "rules": part.rules.map(|rules| rules.to_string()),
        "items": part
            .items
            .iter()
            .map(|item| json!({ "class": item.class.as_str(), "commitment": hex(&item.commitment) }))
            .collect::<Vec<_>>(),
        "stores": part.stores.iter().map(line).collect::<Vec<_>>(),
    })
}

fn line(line: &StoreLine) -> Value {
    json!({
        "store": line.store.as_str(),
        "method": line.method.name(),
        "state": match line.state {
            LineState::Done => "done",
            LineState::Pending => "pending",
            LineState::Refused => "refused",
        },
        "scanned_bytes": line.scanned_bytes,
        "at": line.at.map(shown),
    })
}

fn name(disposal: &Disposal) -> String {
    let id = String::from_utf8_lossy(disposal.item().as_bytes());
    format!("{} {id}", disposal.class())
}

const fn word(ended: Ended) -> &'static str {
    match ended {
        Ended::Done => "done",
        Ended::Held => "held",
        Ended::Blocked => "still there",
        Ended::Waiting => "waiting",
    }
}
