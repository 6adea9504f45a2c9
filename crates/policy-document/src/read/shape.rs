//! What a clause needs for its kind and its modality, and may not have.

use crate::clause::{Kind, Modality};
use crate::monitor::{MonitorSpec, derived};
use crate::{Bound, Clause, DeclaredValue};

/// Everything that is wrong with the shape of a clause whose parts are all good.
pub(super) fn shape(clause: &Clause) -> Vec<&'static str> {
    let mut wrong = kind(clause);
    let own = derived(clause);
    let follows = |spec: &&MonitorSpec| match spec {
        MonitorSpec::Pattern(_) => true,
        word => own.iter().any(|pattern| word.names(pattern)),
    };
    let mut named = clause.verify.monitors.iter();
    if !named.all(|spec| follows(&spec)) {
        wrong.push("its bound gives no monitor of the kind that is named");
    }
    if let Some(modality) = clause.modality
        && clause.kind != Kind::Informational
    {
        wrong.extend(figures(clause, modality));
        let waived = clause
            .bound
            .as_ref()
            .is_some_and(|bound| !bound.waived_by.is_empty());
        if waived && !matches!(modality, Modality::Floor | Modality::Exact) {
            wrong.push("only a floor can be waived");
        }
    }
    wrong
}

fn kind(clause: &Clause) -> Vec<&'static str> {
    let verify = &clause.verify;
    let proven = !verify.scenarios.is_empty() || !verify.sabotages.is_empty();
    let proven = proven || !verify.monitors.is_empty();
    let mut wrong = Vec::new();
    match clause.kind {
        Kind::Technical if clause.attests.is_some() => {
            wrong.push("a technical clause attests nothing");
        }
        Kind::Partial if clause.attests.is_none() => {
            wrong.push("a partial clause must say what it attests");
        }
        Kind::Organisational if proven => {
            wrong.push("an organisational clause is bound to no scenario, sabotage or monitor");
        }
        Kind::Informational if proven => {
            wrong.push("an informational clause is bound to no scenario, sabotage or monitor");
        }
        Kind::Informational
            if clause.modality.is_some() || clause.bound.is_some() || clause.attests.is_some() =>
        {
            wrong.push("an informational clause has no modality, bound or attestation");
        }
        Kind::Technical | Kind::Partial | Kind::Organisational | Kind::Informational => {}
    }
    if !clause.alternatives.is_empty() && clause.bound.is_none() {
        wrong.push("an alternative is another way to read a bound, and there is none");
    }
    let mut answered = clause.declared.values().flat_map(|d| &d.answers);
    if !answered.all(|word| clause.hedges.contains(word)) {
        wrong.push("a declared figure answers only words that the clause names in hedges");
    }
    wrong
}

/// A floor has `min`, or an event to keep until; a ceiling `max`, as a period or a count; an exact
/// promise both, or a count; a rhythm `max` or civil nights; a closed list its figure.
fn figures(clause: &Clause, modality: Modality) -> Option<&'static str> {
    let is_count = |value: &DeclaredValue| matches!(value, DeclaredValue::Count(_));
    let counted = clause.figure.is_some() || clause.declared.values().any(|d| is_count(&d.value));
    match (modality, &clause.bound) {
        (Modality::Floor, Some(bound)) => floor(bound),
        (Modality::Floor, None) => Some("a floor has a bound"),
        (Modality::Ceiling, Some(bound)) => ceiling(bound),
        (Modality::Ceiling, None) if !counted => Some("a ceiling is a bound or a count"),
        (Modality::Exact, Some(bound)) => exact(bound),
        (Modality::Exact, None) if !counted => Some("an exact promise is a bound or a count"),
        (Modality::Every, Some(bound)) => every(bound),
        (Modality::Every, None) => Some("a rhythm has a bound"),
        (Modality::Set, None) if clause.figure.is_none() && clause.declared.is_empty() => {
            Some("a closed list has a figure")
        }
        (
            Modality::Always
            | Modality::Never
            | Modality::Set
            | Modality::Ceiling
            | Modality::Exact,
            _,
        ) => None,
    }
}

fn floor(bound: &Bound) -> Option<&'static str> {
    match bound.min {
        Some(_) if !is_anchored(bound) => Some("a floor in time runs from an event"),
        None if bound.to.is_empty() => Some("a floor has min, or an event to keep until"),
        Some(_) | None => None,
    }
}

fn ceiling(bound: &Bound) -> Option<&'static str> {
    if bound.max.is_none() {
        Some("a ceiling in time has max")
    } else if !is_anchored(bound) {
        Some("a ceiling in time runs from an event")
    } else {
        None
    }
}

fn exact(bound: &Bound) -> Option<&'static str> {
    let (Some(min), Some(max)) = (bound.min, bound.max) else {
        return Some("an exact bound has min and max");
    };
    if !is_anchored(bound) {
        Some("an exact bound in time runs from an event")
    } else if min == max && bound.early.is_zero() && bound.late.is_zero() {
        Some("a bound of no width declares early or late")
    } else {
        None
    }
}

fn every(bound: &Bound) -> Option<&'static str> {
    if bound.to.is_empty() {
        Some("a rhythm is one of events")
    } else if bound.max.is_none() && bound.per.is_none() {
        Some("a rhythm has max, or per civil night")
    } else {
        None
    }
}

/// Whether something starts the clock, or the event carries the period itself.
fn is_anchored(bound: &Bound) -> bool {
    !bound.from.is_empty() || bound.of.is_some()
}
