//! `[[clause]]`.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::ClauseId;
use toml::de::DeValue;

use super::errors::Errors;
use super::head::pinned_lines;
use super::value::{self, Fields, Value, or_default, transpose};
use super::{bound, shape};
use crate::clause::{Kind, Modality, PinnedLine, Verify};
use crate::control::{Controls, Framework};
use crate::document::SAYS_LEN_CHARS_MAX;
use crate::monitor::MonitorSpec;
use crate::{Catalogue, Clause, Declared, DeclaredValue, ErrorKind, Figure, Token};

/// The crates that keep promises.
const CRATES: &[&str] = &[
    "audit-log",
    "backup-engine",
    "conformance",
    "covenant",
    "covenant-core",
    "crypto-envelope",
    "pii-scrub",
    "policy-document",
    "retention-policy",
    "sql-store",
    "tenant-isolation",
];

pub(super) fn clause(
    mut fields: Fields<'_>,
    catalogue: &Catalogue<'_>,
    errors: &mut Errors<'_>,
) -> Option<Clause> {
    let at = fields.at(errors);
    let start = fields.start();
    let before = errors.len();
    let id = fields
        .required("id", errors)
        .and_then(|v| value::parsed::<ClauseId>(v, errors));
    let lines = pinned_lines(&mut fields, errors);
    let says = fields.required("says", errors);
    let says = says.and_then(|v| value::words_at_most(v, SAYS_LEN_CHARS_MAX, errors));
    let kind = fields.required("kind", errors);
    let kind = kind.and_then(|v| value::word(v, Kind::ALL, Kind::name, errors));
    let modality = match kind {
        Some(Kind::Informational) | None => fields.optional("modality"),
        Some(_) => fields.required("modality", errors),
    };
    let modality = modality.map(|v| value::word(v, Modality::ALL, Modality::name, errors));
    let crates = fields.optional("crates").map(|v| {
        let has = |name: &str| CRATES.contains(&name);
        value::distinct(v, errors, |v, errors| {
            known(v, "crate", ErrorKind::Unknown, has, errors)
        })
    });
    let heading = fields.optional("heading").map(|v| value::truth(v, errors));
    let hedges = tokens(fields.optional("hedges"), errors);
    let denies = tokens(fields.optional("denies"), errors);
    let does = tokens(fields.optional("does"), errors);
    let owner = fields.optional("owner");
    let owner = owner.map(|v| value::map(v, errors, |_, v, errors| value::parsed(v, errors)));
    let sites = tokens(fields.optional("sites"), errors);
    let terms = tokens(fields.optional("terms"), errors);
    let words_on = fields.optional("words_on");
    let words_on = words_on.map(|v| words_on_lines(v, lines.as_deref(), errors));
    let repeats = fields
        .optional("repeats")
        .map(|v| value::parsed::<ClauseId>(v, errors));
    let attests = fields.optional("attests").map(|v| value::words(v, errors));
    let stated = fields.optional("bound").map(|v| bound::bound(v, errors));
    let alternatives = fields.optional("alternative");
    let alternatives = alternatives.map(|v| bound::alternatives(v, errors));
    let figure = fields.optional("figure").map(|v| figure(v, errors));
    let declared = fields.optional("declared");
    let declared = declared.map(|v| value::map(v, errors, declared_entry));
    let verify = fields
        .optional("verify")
        .map(|v| verify(v, catalogue, errors));
    let controls = fields.optional("controls").map(|v| controls(v, errors));
    fields.finish(errors);
    let (stated, declared) = (transpose(stated)?, or_default(declared)?);
    let in_force = bound::in_force(stated.as_ref(), &declared, start, errors);
    let clause = Clause {
        id: id?,
        at,
        lines: lines?,
        says: says?,
        kind: kind?,
        modality: transpose(modality)?,
        crates: or_default(crates)?,
        heading: or_default(heading)?,
        hedges: hedges?,
        denies: denies?,
        does: does?,
        owner: or_default(owner)?,
        sites: sites?,
        terms: terms?,
        words_on: transpose(words_on)?,
        repeats: transpose(repeats)?,
        attests: transpose(attests)?,
        stated,
        bound: in_force,
        alternatives: or_default(alternatives)?,
        figure: transpose(figure)?,
        declared,
        verify: or_default(verify)?,
        controls: or_default(controls)?,
    };
    if errors.len() == before {
        for message in shape::shape(&clause) {
            let message = format!("clause {}: {message}", clause.id);
            errors.push(start, ErrorKind::Contradiction, message);
        }
    }
    Some(clause)
}

/// Lines of the clause itself.
fn words_on_lines(
    value: Value<'_>,
    lines: Option<&[PinnedLine]>,
    errors: &mut Errors<'_>,
) -> Option<BTreeSet<u32>> {
    let numbers = value::set(value, errors, value::number)?;
    let lines = lines?;
    if numbers.is_empty() {
        return value::fail(value, ErrorKind::Value, "the list is empty", errors);
    }
    let is_own = |number: &u32| lines.iter().any(|line| line.number == *number);
    if let Some(other) = numbers.iter().find(|number| !is_own(number)) {
        let message = format!("line {other} is none of the clause");
        return value::fail(value, ErrorKind::Contradiction, &message, errors);
    }
    Some(numbers)
}

fn tokens(value: Option<Value<'_>>, errors: &mut Errors<'_>) -> Option<BTreeSet<Token>> {
    or_default(value.map(|v| value::set(v, errors, value::parsed::<Token>)))
}

/// A name of a table of ours.
fn known(
    value: Value<'_>,
    what: &str,
    kind: ErrorKind,
    has: impl Fn(&str) -> bool,
    errors: &mut Errors<'_>,
) -> Option<String> {
    let name = value::string(value, errors)?;
    if has(name) {
        return Some(name.to_owned());
    }
    let message = format!("there is no {what} {}", value::quoted(name));
    value::fail(value, kind, &message, errors)
}

/// `[clause.figure]`: one key, which is the figure's type.
fn figure(table: Value<'_>, errors: &mut Errors<'_>) -> Option<Figure> {
    let mut fields = Fields::of(table, "figure", errors)?;
    let before = errors.len();
    let count = fields
        .optional("count")
        .and_then(|v| value::count(v, errors));
    let ratio = fields.optional("ratio").and_then(|v| ratio(v, errors));
    let one_of = fields.optional("one_of");
    let one_of = one_of.and_then(|v| value::one_or_more(v, errors, value::parsed::<Token>));
    let parts = fields.optional("fields");
    let parts = parts.and_then(|v| value::one_or_more(v, errors, value::parsed::<Token>));
    let text = fields
        .optional("text")
        .and_then(|v| value::parsed(v, errors));
    fields.finish(errors);
    let found = [
        count.map(Figure::Count),
        ratio,
        one_of.map(Figure::OneOf),
        parts.map(Figure::Fields),
        text.map(Figure::Text),
    ];
    only_one(
        found,
        table,
        "a figure is one of count, ratio, one_of, fields, text",
        before,
        errors,
    )
}

/// The one that is there. Where mistakes were found since `before`, nothing more is said.
fn only_one<T>(
    found: impl IntoIterator<Item = Option<T>>,
    table: Value<'_>,
    message: &str,
    before: usize,
    errors: &mut Errors<'_>,
) -> Option<T> {
    let mut found = found.into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(one), None) => Some(one),
        (None, _) if errors.len() > before => None,
        _ => value::fail(table, ErrorKind::Contradiction, message, errors),
    }
}

fn ratio(table: Value<'_>, errors: &mut Errors<'_>) -> Option<Figure> {
    let mut fields = Fields::of(table, "ratio", errors)?;
    let num = fields
        .required("num", errors)
        .and_then(|v| value::count(v, errors));
    let den = fields
        .required("den", errors)
        .and_then(|v| value::count(v, errors));
    let over = fields
        .required("over", errors)
        .and_then(|v| value::truth(v, errors));
    fields.finish(errors);
    let (num, den, over) = (num?, den?, over?);
    if den == 0 || num > den {
        let message = "a ratio lies between nothing and the whole";
        return value::fail(table, ErrorKind::Value, message, errors);
    }
    Some(Figure::Ratio { num, den, over })
}

/// An entry of `[clause.declared]`: a typed value, and why.
fn declared_entry(name: &str, table: Value<'_>, errors: &mut Errors<'_>) -> Option<Declared> {
    let mut fields = Fields::of(table, "declared figure", errors)?;
    let before = errors.len();
    let period = fields
        .optional("period")
        .and_then(|v| value::parsed(v, errors));
    let count = fields
        .optional("count")
        .and_then(|v| value::count(v, errors));
    let event = fields
        .optional("event")
        .and_then(|v| bound::action(v, errors));
    let set = fields.optional("set");
    let set = set.and_then(|v| value::one_or_more(v, errors, value::parsed::<Token>));
    let text = fields
        .optional("text")
        .and_then(|v| value::parsed(v, errors));
    let why = fields
        .required("why", errors)
        .and_then(|v| value::words(v, errors));
    let answers = tokens(fields.optional("answers"), errors);
    fields.finish(errors);
    let found = [
        period.map(DeclaredValue::Period),
        count.map(DeclaredValue::Count),
        event.map(DeclaredValue::Event),
        set.map(DeclaredValue::Set),
        text.map(DeclaredValue::Text),
    ];
    let message = format!("{name} is one of period, count, event, set, text");
    let value = only_one(found, table, &message, before, errors);
    Some(Declared {
        value: value?,
        why: why?,
        answers: answers?,
    })
}

fn verify(table: Value<'_>, catalogue: &Catalogue<'_>, errors: &mut Errors<'_>) -> Option<Verify> {
    let mut fields = Fields::of(table, "verify", errors)?;
    let scenarios = fields.required("scenarios", errors).and_then(|v| {
        let has = |name: &str| catalogue.has_scenario(name);
        value::distinct(v, errors, |v, errors| {
            known(v, "scenario", ErrorKind::Unknown, has, errors)
        })
    });
    let sabotages = fields.required("sabotages", errors).and_then(|v| {
        let has = |name: &str| catalogue.has_sabotage(name);
        value::distinct(v, errors, |v, errors| {
            known(v, "sabotage", ErrorKind::Unknown, has, errors)
        })
    });
    let monitors = fields.optional("monitor").map(|v| monitors(v, errors));
    fields.finish(errors);
    Some(Verify {
        scenarios: scenarios?,
        sabotages: sabotages?,
        monitors: or_default(monitors)?,
    })
}

/// One monitor, or a list of several.
fn monitors(value: Value<'_>, errors: &mut Errors<'_>) -> Option<Vec<MonitorSpec>> {
    if !matches!(value.get_ref(), DeValue::Array(_)) {
        return value::parsed(value, errors).map(|spec| vec![spec]);
    }
    let specs = value::distinct(value, errors, value::parsed)?;
    if specs.is_empty() {
        return value::fail(value, ErrorKind::Value, "the list is empty", errors);
    }
    Some(specs)
}

fn controls(table: Value<'_>, errors: &mut Errors<'_>) -> Option<Controls> {
    let mut fields = Fields::of(table, "controls", errors)?;
    let mut found = BTreeMap::new();
    for framework in Framework::ALL {
        let ids = fields.optional(framework.key()).map(|v| {
            let has = |name: &str| framework.has(name);
            value::distinct(v, errors, |v, errors| {
                known(v, "control", ErrorKind::UnknownControl, has, errors)
            })
        });
        found.insert(*framework, or_default(ids));
    }
    fields.finish(errors);
    let mut take = |framework| found.remove(&framework).flatten();
    Some(Controls {
        gdpr: take(Framework::Gdpr)?,
        iso27001: take(Framework::Iso27001)?,
        iso27701_2019: take(Framework::Iso27701In2019)?,
        iso27701_2025: take(Framework::Iso27701In2025)?,
        soc2: take(Framework::Soc2)?,
    })
}
