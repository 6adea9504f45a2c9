//! What became of the figures of a promise, in the light of its modality: a longer floor promises
//! more, a longer ceiling less; one more of a closed list is less, one more part to include is more.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::{Action, Period, Reading};

use super::order::{self, More};
use super::{Direction, Part};
use crate::lock::figures;
use crate::{Bound, Clause, DeclaredValue, Figure, Kind, Modality};

/// Parts of the figures that are not as they were, by name.
pub(super) fn parts(before: &Clause, after: &Clause, readings: [&Reading; 2]) -> Vec<Part> {
    let (was, is) = (figures(before), figures(after));
    let mut directions: BTreeMap<String, Direction> = BTreeMap::new();
    let mut put = |name: &str, direction: Option<Direction>| {
        directions.extend(direction.map(|direction| (name.to_owned(), direction)));
    };
    put(
        "kind",
        order::number(proof(before.kind), proof(after.kind), More::Stricter),
    );
    put("modality", modality(before.modality, after.modality));
    let closed = before.modality == Some(Modality::Set) && after.modality == before.modality;
    let more = if closed { More::Weaker } else { More::Unclear };
    put("sites", order::set(&before.sites, &after.sites, more));
    match (&before.bound, &after.bound) {
        (None, None) => {}
        (Some(one), Some(other)) => {
            for (name, direction) in bound(before, one, other, readings) {
                put(name, direction);
            }
        }
        (None, Some(_)) => put_all(&is, "bound.", Direction::Stricter, &mut put),
        (Some(_), None) => put_all(&was, "bound.", Direction::Weaker, &mut put),
    }
    if before.modality == after.modality {
        match (&before.figure, &after.figure) {
            (None, None) => {}
            (Some(one), Some(other)) => {
                let direction = figure(one, other, after.modality);
                put_all(
                    &was,
                    "figure.",
                    direction.unwrap_or(Direction::Changed),
                    &mut put,
                );
            }
            (None, Some(_)) => put_all(&is, "figure.", Direction::Stricter, &mut put),
            (Some(_), None) => put_all(&was, "figure.", Direction::Weaker, &mut put),
        }
        for (name, one) in &before.declared {
            if let Some(other) = after.declared(name.as_str()) {
                let direction = declared(&one.value, &other.value, after.modality);
                put(&format!("declared.{name}"), direction);
            }
        }
    }
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let text =
        |of: &BTreeMap<String, String>, name: &String| of.get(name).cloned().unwrap_or_default();
    let part = |name: &String| {
        let (before, after) = (text(&was, name), text(&is, name));
        let direction = *directions.get(name).unwrap_or(&Direction::Changed);
        (before != after).then(|| Part {
            name: name.clone(),
            before,
            after,
            direction,
        })
    };
    names.into_iter().filter_map(part).collect()
}

/// How much of a promise is proven.
const fn proof(kind: Kind) -> u64 {
    match kind {
        Kind::Technical => 3,
        Kind::Partial => 2,
        Kind::Organisational => 1,
        Kind::Informational => 0,
    }
}

fn modality(before: Option<Modality>, after: Option<Modality>) -> Option<Direction> {
    match (before, after) {
        _ if before == after => None,
        (None, Some(_)) | (Some(Modality::Floor | Modality::Ceiling), Some(Modality::Exact)) => {
            Some(Direction::Stricter)
        }
        (Some(_), None) | (Some(Modality::Exact), Some(Modality::Floor | Modality::Ceiling)) => {
            Some(Direction::Weaker)
        }
        _ => Some(Direction::Changed),
    }
}

fn bound(
    clause: &Clause,
    before: &Bound,
    after: &Bound,
    readings: [&Reading; 2],
) -> [(&'static str, Option<Direction>); 10] {
    let max = if before.per == after.per {
        order::side(before.max, after.max, More::Weaker, readings)
    } else {
        // a rhythm by the calendar instead of by the clock
        order::other(&before.max, &after.max)
    };
    let ends_duty = clause.until().is_some();
    let set = |one: &BTreeSet<Action>, other: &BTreeSet<Action>, more| order::set(one, other, more);
    let tolerance = |one: Period, other: Period| order::period(one, other, More::Weaker, readings);
    // until one of these happened, or one constraint for each of them
    let to = if ends_duty {
        More::Weaker
    } else {
        More::Stricter
    };
    [
        ("bound.from", set(&before.from, &after.from, More::Stricter)),
        ("bound.to", set(&before.to, &after.to, to)),
        (
            "bound.state",
            order::set(&before.state, &after.state, More::Weaker),
        ),
        ("bound.of", order::other(&before.of, &after.of)),
        (
            "bound.min",
            order::side(before.min, after.min, More::Stricter, readings),
        ),
        ("bound.max", max),
        ("bound.per", order::other(&before.per, &after.per)),
        ("bound.early", tolerance(before.early, after.early)),
        ("bound.late", tolerance(before.late, after.late)),
        (
            "bound.waived_by",
            set(&before.waived_by, &after.waived_by, More::Weaker),
        ),
    ]
}

/// The same for every figure whose name begins so.
fn put_all(
    listed: &BTreeMap<String, String>,
    begin: &str,
    direction: Direction,
    put: &mut impl FnMut(&str, Option<Direction>),
) {
    for name in listed.keys().filter(|name| name.starts_with(begin)) {
        put(name, Some(direction));
    }
}

/// What more of a count means.
const fn count(modality: Option<Modality>) -> More {
    match modality {
        Some(Modality::Floor) => More::Stricter,
        Some(Modality::Ceiling) => More::Weaker,
        _ => More::Unclear,
    }
}

/// What more of a list means: more that never happens is stricter, more that is admitted weaker.
const fn admitted(modality: Option<Modality>) -> More {
    match modality {
        Some(Modality::Never) => More::Stricter,
        _ => More::Weaker,
    }
}

fn figure(before: &Figure, after: &Figure, modality: Option<Modality>) -> Option<Direction> {
    match (before, after) {
        (Figure::Count(before), Figure::Count(after)) => {
            order::number(*before, *after, count(modality))
        }
        (Figure::Fields(before), Figure::Fields(after)) => {
            order::set(before, after, More::Stricter)
        }
        (Figure::OneOf(before), Figure::OneOf(after)) => {
            order::set(before, after, admitted(modality))
        }
        (
            Figure::Ratio {
                num: n,
                den: d,
                over: o,
            },
            Figure::Ratio { num, den, over },
        ) if o == over => {
            // compared crosswise; what overflows is no ratio of ours
            let (before, after) = (n.saturating_mul(*den), num.saturating_mul(*d));
            order::number(before, after, count(modality))
        }
        _ => order::other(before, after),
    }
}

fn declared(
    before: &DeclaredValue,
    after: &DeclaredValue,
    modality: Option<Modality>,
) -> Option<Direction> {
    match (before, after) {
        (DeclaredValue::Count(before), DeclaredValue::Count(after)) => {
            order::number(*before, *after, count(modality))
        }
        _ => order::other(before, after),
    }
}
