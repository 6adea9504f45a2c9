//! Typed access to one table: keys taken one by one, the rest reported as unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use time::{Date, Month};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::Errors;
use crate::{ErrorKind, Position, Token};

/// A value with its place.
pub(super) type Value<'t> = &'t Spanned<DeValue<'t>>;

/// Longest free text in characters: a paragraph, not a page.
const TEXT_LEN_CHARS_MAX: usize = 1_000;

/// One table, read key by key.
#[derive(Debug)]
pub(super) struct Fields<'t> {
    table: &'t DeTable<'t>,
    start: usize,
    what: &'static str,
    taken: BTreeSet<&'static str>,
}

impl<'t> Fields<'t> {
    pub(super) const fn new(table: &'t DeTable<'t>, start: usize, what: &'static str) -> Self {
        Self {
            table,
            start,
            what,
            taken: BTreeSet::new(),
        }
    }

    /// The table of a value; a mistake when it is none.
    pub(super) fn of(
        value: Value<'t>,
        what: &'static str,
        errors: &mut Errors<'_>,
    ) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Self::new(table, value.span().start, what)),
            other => wrong_type(value, "a table", other, errors),
        }
    }

    pub(super) fn optional(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.taken.insert(key);
        self.table.get(key)
    }

    pub(super) fn required(
        &mut self,
        key: &'static str,
        errors: &mut Errors<'_>,
    ) -> Option<Value<'t>> {
        let value = self.optional(key);
        if value.is_none() {
            let message = format!("{} lacks the key {key}", self.what);
            errors.push(self.start, ErrorKind::MissingKey, message);
        }
        value
    }

    pub(super) const fn start(&self) -> usize {
        self.start
    }

    pub(super) fn at(&self, errors: &Errors<'_>) -> Position {
        errors.position(self.start)
    }

    /// Keys that nobody took are unknown.
    pub(super) fn finish(self, errors: &mut Errors<'_>) {
        for (key, _) in self.table {
            if !self.taken.contains(key.get_ref().as_ref()) {
                let message = format!("{} has no key {}", self.what, quoted(key.get_ref()));
                errors.push(key.span().start, ErrorKind::UnknownKey, message);
            }
        }
    }
}

/// The tables of a list of tables; those with mistakes are left out, the mistakes reported.
pub(super) fn tables<'t, 'e, T>(
    value: Option<Value<'t>>,
    what: &'static str,
    errors: &mut Errors<'e>,
    mut read: impl FnMut(Fields<'t>, &mut Errors<'e>) -> Option<T>,
) -> Vec<T> {
    let Some(value) = value else {
        return Vec::new();
    };
    let read = |value, errors: &mut Errors<'e>| {
        Fields::of(value, what, errors).and_then(|fields| read(fields, errors))
    };
    list(value, errors, read).unwrap_or_default()
}

/// The items of a list; those with mistakes are left out, the mistakes reported.
pub(super) fn list<'t, 'e, T>(
    value: Value<'t>,
    errors: &mut Errors<'e>,
    mut read: impl FnMut(Value<'t>, &mut Errors<'e>) -> Option<T>,
) -> Option<Vec<T>> {
    match value.get_ref() {
        DeValue::Array(items) => Some(items.iter().filter_map(|item| read(item, errors)).collect()),
        other => wrong_type(value, "a list", other, errors),
    }
}

/// A list of which every item is good.
pub(super) fn whole<'t, 'e, T>(
    value: Value<'t>,
    errors: &mut Errors<'e>,
    read: impl FnMut(Value<'t>, &mut Errors<'e>) -> Option<T>,
) -> Option<Vec<T>> {
    let before = errors.len();
    let items = list(value, errors, read)?;
    (errors.len() == before).then_some(items)
}

/// A list of which no two items are alike.
pub(super) fn distinct<'t, 'e, T: PartialEq>(
    value: Value<'t>,
    errors: &mut Errors<'e>,
    read: impl FnMut(Value<'t>, &mut Errors<'e>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = whole(value, errors, read)?;
    let twice = items
        .iter()
        .enumerate()
        .any(|(at, item)| items.iter().take(at).any(|i| i == item));
    if twice {
        return fail(
            value,
            ErrorKind::Duplicate,
            "the list names something twice",
            errors,
        );
    }
    Some(items)
}

/// A list without duplicates, as a set.
pub(super) fn set<'t, 'e, T: Ord>(
    value: Value<'t>,
    errors: &mut Errors<'e>,
    read: impl FnMut(Value<'t>, &mut Errors<'e>) -> Option<T>,
) -> Option<BTreeSet<T>> {
    let items = whole(value, errors, read)?;
    let len = items.len();
    let set: BTreeSet<T> = items.into_iter().collect();
    if set.len() != len {
        return fail(
            value,
            ErrorKind::Duplicate,
            "the list names something twice",
            errors,
        );
    }
    Some(set)
}

/// One item, or a list of at least one.
pub(super) fn one_or_more<'t, 'e, T: Ord>(
    value: Value<'t>,
    errors: &mut Errors<'e>,
    mut read: impl FnMut(Value<'t>, &mut Errors<'e>) -> Option<T>,
) -> Option<BTreeSet<T>> {
    if !matches!(value.get_ref(), DeValue::Array(_)) {
        return read(value, errors).map(|item| BTreeSet::from([item]));
    }
    let items = set(value, errors, read)?;
    if items.is_empty() {
        return fail(value, ErrorKind::Value, "the list is empty", errors);
    }
    Some(items)
}

pub(super) fn string<'t>(value: Value<'t>, errors: &mut Errors<'_>) -> Option<&'t str> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.as_ref()),
        other => wrong_type(value, "a string", other, errors),
    }
}

/// Words for people: neither empty nor longer than a paragraph, without control characters.
pub(super) fn words(value: Value<'_>, errors: &mut Errors<'_>) -> Option<String> {
    words_at_most(value, TEXT_LEN_CHARS_MAX, errors)
}

pub(super) fn words_at_most(
    value: Value<'_>,
    chars_max: usize,
    errors: &mut Errors<'_>,
) -> Option<String> {
    let text = string(value, errors)?;
    if text.trim().is_empty() {
        return fail(value, ErrorKind::Value, "the text is empty", errors);
    }
    if text.chars().any(char::is_control) {
        return fail(
            value,
            ErrorKind::Value,
            "the text has a control character",
            errors,
        );
    }
    if text.chars().count() > chars_max {
        let message = format!("the text has more than {chars_max} characters");
        return fail(value, ErrorKind::Value, &message, errors);
    }
    Some(text.to_owned())
}

/// A string that parses.
pub(super) fn parsed<T>(value: Value<'_>, errors: &mut Errors<'_>) -> Option<T>
where
    T: FromStr,
    T::Err: Display,
{
    parsed_or(value, ErrorKind::Value, errors)
}

/// A string that parses; the kind of mistake when it does not.
pub(super) fn parsed_or<T>(value: Value<'_>, kind: ErrorKind, errors: &mut Errors<'_>) -> Option<T>
where
    T: FromStr,
    T::Err: Display,
{
    let text = string(value, errors)?;
    match text.parse() {
        Ok(parsed) => Some(parsed),
        Err(error) => fail(value, kind, &format!("{}: {error}", quoted(text)), errors),
    }
}

/// A word of a closed list.
pub(super) fn word<T: Copy>(
    value: Value<'_>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
    errors: &mut Errors<'_>,
) -> Option<T> {
    let text = string(value, errors)?;
    let found = all.iter().copied().find(|word| name(*word) == text);
    if found.is_none() {
        let names: Vec<_> = all.iter().map(|word| name(*word)).collect();
        let message = format!("{} is none of {}", quoted(text), names.join(", "));
        return fail(value, ErrorKind::Value, &message, errors);
    }
    found
}

pub(super) fn count(value: Value<'_>, errors: &mut Errors<'_>) -> Option<u64> {
    match value.get_ref() {
        DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(count) => Some(count),
            Err(error) => fail(
                value,
                ErrorKind::Value,
                &format!("no count: {error}"),
                errors,
            ),
        },
        other => wrong_type(value, "a whole number", other, errors),
    }
}

pub(super) fn number(value: Value<'_>, errors: &mut Errors<'_>) -> Option<u32> {
    let count = count(value, errors)?;
    match u32::try_from(count) {
        Ok(number) => Some(number),
        Err(error) => fail(
            value,
            ErrorKind::Value,
            &format!("no number: {error}"),
            errors,
        ),
    }
}

pub(super) fn truth(value: Value<'_>, errors: &mut Errors<'_>) -> Option<bool> {
    match value.get_ref() {
        DeValue::Boolean(truth) => Some(*truth),
        other => wrong_type(value, "true or false", other, errors),
    }
}

/// A local date, such as `2026-11-21`, without a time.
pub(super) fn date(value: Value<'_>, errors: &mut Errors<'_>) -> Option<Date> {
    let DeValue::Datetime(found) = value.get_ref() else {
        return wrong_type(value, "a date", value.get_ref(), errors);
    };
    let (Some(day), None, None) = (found.date, found.time, found.offset) else {
        return fail(
            value,
            ErrorKind::WrongType,
            "this must be a date without a time",
            errors,
        );
    };
    let month = Month::try_from(day.month).ok();
    let date =
        month.and_then(|month| Date::from_calendar_date(i32::from(day.year), month, day.day).ok());
    if date.is_none() {
        return fail(value, ErrorKind::Value, "there is no such day", errors);
    }
    date
}

/// A table of tokens to values.
pub(super) fn map<'t, 'e, T>(
    value: Value<'t>,
    errors: &mut Errors<'e>,
    mut read: impl FnMut(&str, Value<'t>, &mut Errors<'e>) -> Option<T>,
) -> Option<BTreeMap<Token, T>> {
    let DeValue::Table(table) = value.get_ref() else {
        return wrong_type(value, "a table", value.get_ref(), errors);
    };
    let mut entries = BTreeMap::new();
    for (key, entry) in table {
        let name = key.get_ref().as_ref();
        match name.parse::<Token>() {
            Ok(token) => {
                if let Some(read) = read(name, entry, errors) {
                    entries.insert(token, read);
                }
            }
            Err(error) => {
                let message = format!("{}: {error}", quoted(name));
                errors.push(key.span().start, ErrorKind::Value, message);
            }
        }
    }
    Some(entries)
}

/// An optional key that is absent, good, or bad (and then reported).
pub(super) fn transpose<T>(key: Option<Option<T>>) -> Option<Option<T>> {
    match key {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

/// An optional key that is absent, hence empty, or good.
pub(super) fn or_default<T: Default>(key: Option<Option<T>>) -> Option<T> {
    transpose(key).map(Option::unwrap_or_default)
}

/// Reports a mistake at a value; always `None`.
pub(super) fn fail<T>(
    value: Value<'_>,
    kind: ErrorKind,
    message: &str,
    errors: &mut Errors<'_>,
) -> Option<T> {
    errors.push(value.span().start, kind, message.to_owned());
    None
}

/// A text of the document inside a message: escaped, and no longer than a name.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN_LEN_CHARS_MAX: usize = 64;
    let mut shown: String = text.chars().take(SHOWN_LEN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push_str("..");
    }
    format!("{shown:?}")
}

fn wrong_type<T>(
    value: Value<'_>,
    expected: &str,
    found: &DeValue<'_>,
    errors: &mut Errors<'_>,
) -> Option<T> {
    let found = match found {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number without a type",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let message = format!("this must be {expected}, not {found}");
    fail(value, ErrorKind::WrongType, &message, errors)
}
