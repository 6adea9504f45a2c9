//! `[clause.bound]`, and the declared figures that fill it in.

use std::collections::BTreeMap;

use covenant_core::{Action, Period};

use super::errors::Errors;
use super::value::{self, Fields, Value, or_default, transpose};
use crate::document::SAYS_LEN_CHARS_MAX;
use crate::figure::{Per, State};
use crate::{Alternative, Bound, Declared, DeclaredValue, ErrorKind, Token};

/// How a rhythm by the civil calendar is spelled.
pub(super) const CIVIL_NIGHT: &str = "civil-night";

/// An action of the one table.
pub(super) fn action(value: Value<'_>, errors: &mut Errors<'_>) -> Option<Action> {
    value::parsed_or(value, ErrorKind::UnknownEvent, errors)
}

pub(super) fn bound(table: Value<'_>, errors: &mut Errors<'_>) -> Option<Bound> {
    let mut fields = Fields::of(table, "bound", errors)?;
    let from = fields
        .optional("from")
        .map(|v| value::one_or_more(v, errors, action));
    let to = fields
        .optional("to")
        .map(|v| value::one_or_more(v, errors, action));
    let state = fields.optional("state").map(|v| {
        value::one_or_more(v, errors, |v, errors| {
            value::word(v, State::ALL, State::name, errors)
        })
    });
    let of = fields.optional("of").map(|v| value::parsed(v, errors));
    let min = fields
        .optional("min")
        .map(|v| value::parsed::<Period>(v, errors));
    let max = fields
        .optional("max")
        .map(|v| value::parsed::<Period>(v, errors));
    let per = fields
        .optional("per")
        .map(|v| value::word(v, &[Per::CivilNight], |Per::CivilNight| CIVIL_NIGHT, errors));
    let early = fields.optional("early").map(|v| tolerance(v, errors));
    let late = fields.optional("late").map(|v| tolerance(v, errors));
    let waived_by = fields.optional("waived_by");
    let waived_by = waived_by.map(|v| value::one_or_more(v, errors, action));
    fields.finish(errors);
    let bound = Bound {
        from: or_default(from)?,
        to: or_default(to)?,
        state: or_default(state)?,
        of: transpose(of)?,
        min: transpose(min)?,
        max: transpose(max)?,
        per: transpose(per)?,
        early: or_default(early)?,
        late: or_default(late)?,
        waived_by: or_default(waived_by)?,
    };
    let message = if bound.to.is_empty() == bound.state.is_empty() {
        "a bound leads either to events or to states"
    } else if !bound.state.is_empty() && bound.from.is_empty() {
        "a state follows from an event"
    } else if bound.of.is_some() && (!bound.from.is_empty() || !bound.state.is_empty()) {
        "a period that an event carries needs no other start, and no state"
    } else if bound.per.is_some() && bound.max.is_some() {
        "a rhythm is either a period or civil nights"
    } else {
        return Some(bound);
    };
    value::fail(table, ErrorKind::Contradiction, message, errors)
}

/// Most other ways to read one clause: a page that leaves more open says nothing.
const ALTERNATIVES_MAX: usize = 4;

/// `[[clause.alternative]]`.
pub(super) fn alternatives(value: Value<'_>, errors: &mut Errors<'_>) -> Option<Vec<Alternative>> {
    let all = value::whole(value, errors, |value, errors| {
        let mut fields = Fields::of(value, "alternative", errors)?;
        let from = fields.optional("from").map(|v| action(v, errors));
        let to = fields.optional("to").map(|v| action(v, errors));
        let says = fields.required("says", errors);
        let says = says.and_then(|v| value::words_at_most(v, SAYS_LEN_CHARS_MAX, errors));
        fields.finish(errors);
        let (from, to) = (transpose(from)?, transpose(to)?);
        if from.is_none() && to.is_none() {
            let message = "an alternative has another start or another end";
            return value::fail(value, ErrorKind::MissingKey, message, errors);
        }
        Some(Alternative {
            from,
            to,
            says: says?,
        })
    })?;
    if all.len() > ALTERNATIVES_MAX {
        let message = format!("a clause has at most {ALTERNATIVES_MAX} alternatives");
        return value::fail(value, ErrorKind::TooLarge, &message, errors);
    }
    Some(all)
}

/// The bound as stated, with the declared figures filled in.
pub(super) fn in_force(
    stated: Option<&Bound>,
    declared: &BTreeMap<Token, Declared>,
    start: usize,
    errors: &mut Errors<'_>,
) -> Option<Bound> {
    let mut bound = stated.cloned();
    for (name, declared) in declared {
        if let Err(message) = fill(bound.as_mut(), name.as_str(), &declared.value) {
            let message = format!("declared {name}: {message}");
            errors.push(start, ErrorKind::Contradiction, message);
        }
    }
    bound
}

/// Fills in one key of a bound; names that are no key of it stand for themselves.
fn fill(bound: Option<&mut Bound>, key: &str, value: &DeclaredValue) -> Result<(), &'static str> {
    const NO_BOUND: &str = "there is no bound that it belongs to";
    match (key, value) {
        ("from", DeclaredValue::Event(action)) => {
            let bound = bound.ok_or(NO_BOUND)?;
            if !bound.from.insert(*action) || bound.from.len() > 1 {
                return Err("the page states a start already");
            }
        }
        ("min", DeclaredValue::Period(period)) => bound.ok_or(NO_BOUND)?.min = Some(*period),
        ("max", DeclaredValue::Period(period)) => bound.ok_or(NO_BOUND)?.max = Some(*period),
        ("early", DeclaredValue::Period(period)) => bound.ok_or(NO_BOUND)?.early = *period,
        ("late", DeclaredValue::Period(period)) => bound.ok_or(NO_BOUND)?.late = *period,
        ("from", _) => return Err("it must be an event"),
        ("min" | "max" | "early" | "late", _) => return Err("it must be a period"),
        _ => {}
    }
    Ok(())
}

/// A page states no tolerance: in a bound it can only be said to be none.
fn tolerance(value: Value<'_>, errors: &mut Errors<'_>) -> Option<Period> {
    let period: Period = value::parsed(value, errors)?;
    if period.is_zero() {
        return Some(period);
    }
    let message = "a tolerance is declared, with a reason, in clause.declared";
    value::fail(value, ErrorKind::Contradiction, message, errors)
}
