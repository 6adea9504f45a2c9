//! `[[class]]`, `[[store]]` and `[[key]]`.

use covenant_core::Period;
use toml::de::DeValue;

use super::bound::{CIVIL_NIGHT, action};
use super::errors::Errors;
use super::value::{self, Fields, Value, or_default, transpose};
use crate::store::{Cadence, Class, Erase, Key, KeyDeath, Store, StoreKind};
use crate::{ErrorKind, Name};

pub(super) fn class(mut fields: Fields<'_>, errors: &mut Errors<'_>) -> Option<Class> {
    let at = fields.at(errors);
    let id = fields
        .required("id", errors)
        .and_then(|v| value::parsed(v, errors));
    let parent = fields.optional("parent").map(|v| value::parsed(v, errors));
    fields.finish(errors);
    Some(Class {
        id: id?,
        at,
        parent: transpose(parent)?,
    })
}

pub(super) fn store(mut fields: Fields<'_>, errors: &mut Errors<'_>) -> Option<Store> {
    let at = fields.at(errors);
    let start = fields.start();
    let id = fields
        .required("id", errors)
        .and_then(|v| value::parsed::<Name>(v, errors));
    let kind = fields.required("kind", errors);
    let kind = kind.and_then(|v| value::word(v, StoreKind::ALL, StoreKind::name, errors));
    let classes = fields.required("classes", errors);
    let classes = classes.and_then(|v| value::set(v, errors, value::parsed::<Name>));
    let fed_by = fields.optional("fed_by");
    let fed_by = fed_by.map(|v| value::one_or_more(v, errors, value::parsed::<Name>));
    let every = fields.optional("every").map(|v| cadence(v, errors));
    let lag = fields
        .optional("lag")
        .map(|v| value::parsed::<Period>(v, errors));
    let epoch = fields.optional("epoch").map(|v| positive(v, errors));
    let kept = fields.optional("kept").map(|v| positive(v, errors));
    let erase = fields.required("erase", errors);
    let erase = erase.and_then(|v| {
        value::set(v, errors, |v, errors| {
            value::word(v, Erase::ALL, Erase::name, errors)
        })
    });
    fields.finish(errors);
    let store = Store {
        id: id?,
        at,
        kind: kind?,
        classes: classes?,
        fed_by: or_default(fed_by)?,
        every: transpose(every)?,
        lag: transpose(lag)?,
        epoch: transpose(epoch)?,
        kept: transpose(kept)?,
        erase: erase?,
    };
    for message in shape(&store) {
        let message = format!("store {}: {message}", store.id);
        errors.push(start, ErrorKind::Contradiction, message);
    }
    Some(store)
}

pub(super) fn key(mut fields: Fields<'_>, errors: &mut Errors<'_>) -> Option<Key> {
    let at = fields.at(errors);
    let start = fields.start();
    let id = fields
        .required("id", errors)
        .and_then(|v| value::parsed::<Name>(v, errors));
    let seals = fields.required("seals", errors);
    let seals = seals.and_then(|v| value::one_or_more(v, errors, value::parsed::<Name>));
    let from = fields.optional("from").map(|v| action(v, errors));
    let after = fields
        .optional("after")
        .map(|v| value::parsed::<Period>(v, errors));
    let copies = fields
        .required("copies", errors)
        .and_then(|v| value::parsed(v, errors));
    fields.finish(errors);
    let death = match (transpose(from)?, transpose(after)?) {
        (Some(from), Some(after)) => KeyDeath::After { from, after },
        (None, None) => KeyDeath::WithEpoch,
        (Some(_), None) | (None, Some(_)) => {
            let message = "a key has both from and after, or neither where it dies with its epoch";
            errors.push(start, ErrorKind::Contradiction, message.to_owned());
            return None;
        }
    };
    Some(Key {
        id: id?,
        at,
        seals: seals?,
        death,
        copies: copies?,
    })
}

/// A period that is not zero.
pub(super) fn positive(value: Value<'_>, errors: &mut Errors<'_>) -> Option<Period> {
    let period: Period = value::parsed(value, errors)?;
    if period.is_zero() {
        return value::fail(
            value,
            ErrorKind::Value,
            "the period must not be zero",
            errors,
        );
    }
    Some(period)
}

fn cadence(value: Value<'_>, errors: &mut Errors<'_>) -> Option<Cadence> {
    match value.get_ref() {
        DeValue::String(text) if text == CIVIL_NIGHT => Some(Cadence::CivilNight),
        _ => positive(value, errors).map(Cadence::Every),
    }
}

fn shape(store: &Store) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    if (store.kind == StoreKind::Epoch) != store.epoch.is_some() {
        wrong.push("a store of kind epoch, and no other, has the length of its epochs");
    }
    if store.fed_by.is_empty() && (store.every.is_some() || store.lag.is_some()) {
        wrong.push("a store that copies from none has neither every nor lag");
    }
    if store.classes.is_empty() && store.kind != StoreKind::Log {
        wrong.push("a store that is no log holds at least one class");
    }
    wrong
}
