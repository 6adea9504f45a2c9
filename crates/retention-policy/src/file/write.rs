//! From plain structs back to the tree that a rule file is; what is not said is left out.

use super::RULES_FORMAT;
use super::node::Value;
use crate::rule::{Act, Authority};
use crate::spec::{ClassSpec, KeySpec, RuleSpec, RulesFile, StoreSpec};

/// The file as a tree.
pub(super) fn file(file: &RulesFile) -> Value {
    let reading = &file.reading;
    let mut zones: Vec<String> = reading.zones().iter().map(ToString::to_string).collect();
    zones.sort_unstable();
    let mut days: Vec<&str> = reading.days().iter().map(|day| day.name()).collect();
    days.sort_unstable();
    let reading = Value::table([
        ("zones", Value::texts(zones)),
        ("day", Value::texts(days)),
        ("month", Value::text(reading.months().name())),
    ]);
    said([
        ("format", Value::text(RULES_FORMAT)),
        ("reviewed", Value::optional(file.reviewed)),
        ("reading", reading),
        ("class", Value::list(file.classes.iter().map(class))),
        ("store", Value::list(file.stores.iter().map(store))),
        ("key", Value::list(file.keys.iter().map(key))),
        ("events", Value::texts(&file.events)),
        ("rule", Value::list(file.rules.iter().map(rule))),
        (
            "cancel",
            Value::list(file.cancels.iter().map(|cancel| {
                Value::table([
                    ("event", Value::text(&cancel.event)),
                    ("cancels", Value::text(&cancel.cancels)),
                ])
            })),
        ),
    ])
}

/// A table without what is null or an empty list.
fn said<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let is_said = |(_, value): &(&str, Value)| match value {
        Value::Null => false,
        Value::List(items) => !items.is_empty(),
        _ => true,
    };
    Value::table(entries.into_iter().filter(is_said))
}

fn class(class: &ClassSpec) -> Value {
    let fields = class.fields.iter().map(|field| {
        said([
            ("name", Value::text(&field.name)),
            ("category", Value::text(&field.category)),
            ("plain", Value::optional(field.plain.as_ref())),
        ])
    });
    said([
        ("id", Value::text(&class.id)),
        ("parent", Value::optional(class.parent.as_ref())),
        ("fields", Value::list(fields)),
    ])
}

fn store(store: &StoreSpec) -> Value {
    said([
        ("id", Value::text(&store.id)),
        ("kind", Value::text(store.kind.name())),
        ("classes", Value::texts(&store.classes)),
        ("fed_by", Value::texts(&store.fed_by)),
        ("every", Value::optional(store.every.as_ref())),
        ("lag", Value::optional(store.lag.as_ref())),
        ("epoch", Value::optional(store.epoch.as_ref())),
        (
            "erase",
            Value::texts(store.erase.iter().map(|method| method.name())),
        ),
    ])
}

fn key(key: &KeySpec) -> Value {
    said([
        ("id", Value::text(&key.id)),
        ("seals", Value::texts(&key.seals)),
        ("from", Value::optional(key.from.as_ref())),
        ("after", Value::optional(key.after.as_ref())),
        ("copies", Value::optional(key.copies.as_ref())),
    ])
}

fn rule(rule: &RuleSpec) -> Value {
    let authority = (rule.authority != Authority::Vendor).then(|| rule.authority.name());
    let act = (rule.act != Act::Early).then(|| rule.act.name());
    said([
        ("id", Value::text(&rule.id)),
        ("clause", Value::optional(rule.clause.as_ref())),
        ("class", Value::texts(&rule.classes)),
        ("store", Value::texts(&rule.stores)),
        ("bound", Value::text(rule.bound.name())),
        ("from", Value::optional(rule.from.as_ref())),
        ("to", Value::optional(rule.to.as_ref())),
        ("until", Value::optional(rule.until.as_ref())),
        ("period", Value::optional(rule.period.as_ref())),
        ("early", Value::optional(rule.early.as_ref())),
        ("late", Value::optional(rule.late.as_ref())),
        ("waived_by", Value::texts(&rule.waived_by)),
        ("authority", Value::optional(authority)),
        ("overrides", Value::texts(&rule.overrides)),
        ("act", Value::optional(act)),
    ])
}
