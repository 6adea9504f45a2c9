//! Promises that name no start, and how long data then stays: `start-unstated`.

use covenant_core::{Action, Period};

use super::network::{elapsed, in_days};
use super::{Finding, FindingCode, Linter};
use crate::lifecycle::{Figures, Lifecycle, Promise, promises};
use crate::residency::stay_network;
use crate::{Clause, DeclaredValue};

pub(super) fn findings(linter: &Linter<'_>) -> Vec<Finding> {
    let all = promises(linter.document, Figures::InForce);
    let unstated = linter
        .clauses()
        .filter_map(|clause| unstated(linter, &all, clause));
    unstated.collect()
}

/// A figure whose start is declared, because the page names none.
fn unstated(linter: &Linter<'_>, all: &[Promise<'_>], clause: &Clause) -> Option<Finding> {
    let stated = clause.stated.as_ref()?;
    let is_figure = stated.min.is_some() || stated.max.is_some();
    let declared = clause.declared("from")?;
    let DeclaredValue::Event(from) = declared.value else {
        return None;
    };
    if !stated.from.is_empty() || !is_figure {
        return None;
    }
    let mut message = format!("no start is stated, {from} is declared");
    let others = clause.alternatives.iter().filter_map(|other| other.from);
    for other in others {
        let ends = stated.to.iter();
        if let Some(stay) = ends
            .filter_map(|end| longest(linter, all, other, *end))
            .next()
        {
            message.push_str(&format!("; counted from {other} it lasts {stay} days"));
        }
    }
    let answer = linter.declared_where(&[clause.id], |name, _| name == "from");
    Some(Finding::on(FindingCode::StartUnstated, [clause], message).with_answer(answer))
}

/// The longest stay from one event to another, in days, over all dates; as promised, tolerances
/// left out.
fn longest(linter: &Linter<'_>, all: &[Promise<'_>], from: Action, to: Action) -> Option<String> {
    let elapsed = elapsed();
    let mut courses = Lifecycle::ALL.iter();
    courses.find_map(|lifecycle| {
        let about = lifecycle.select(all);
        let network = stay_network(linter.document, *lifecycle, &about).without_tolerances();
        let span = network.span_with(&linter.calendar, (from.name(), to.name()), &elapsed)?;
        let most = span.most?;
        let on_the_way = |promise: &&Promise<'_>| most.labels.contains(&promise.id().to_string());
        let ceilings: Vec<Period> = about
            .iter()
            .filter(on_the_way)
            .filter_map(|promise| promise.max)
            .collect();
        let sum = |of: fn(covenant_core::Bounds) -> u64| {
            let lengths = ceilings.iter().map(|max| of(max.bounds(&elapsed)));
            lengths.fold(0_u64, u64::saturating_add)
        };
        let (least, most) = (sum(|b| b.shortest_secs), sum(|b| b.longest_secs));
        Some(in_days(least, most))
    })
}
