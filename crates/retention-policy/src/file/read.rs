//! From a tree of values to plain structs; every mistake of shape is told, at its place.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::{DayRule, MonthRule, Reading, Zone};
use time::{Date, Month};

use super::node::{Node, Value};
use super::{FILE_LEN_BYTES_MAX, FileError, FileErrorKind, FileErrors, Places, RULES_FORMAT};
use crate::rule::{Act, Authority, Bound, Method};
use crate::spec::{
    CancelSpec, ClassSpec, FieldSpec, KeySpec, RuleSpec, RulesFile, StoreKind, StoreSpec,
};

/// Most mistakes that are listed: beyond these nobody reads on, and hostile input stays cheap.
const MISTAKES_MAX: usize = 1_000;

/// The mistakes of one text.
#[derive(Debug)]
pub(crate) struct Mistakes<'t> {
    text: &'t str,
    found: Vec<(usize, FileErrorKind)>,
}

impl<'t> Mistakes<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self {
            text,
            found: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, at: usize, kind: FileErrorKind) {
        if self.found.len() < MISTAKES_MAX {
            self.found.push((at, kind));
        }
    }

    pub(crate) fn shape(&mut self, at: usize, message: impl Into<String>) {
        self.push(at, FileErrorKind::Shape(message.into()));
    }

    /// Whether the text is short enough; a mistake when it is not.
    pub(crate) fn within_length(&mut self) -> bool {
        let within = self.text.len() <= FILE_LEN_BYTES_MAX;
        if !within {
            self.push(0, FileErrorKind::TooLong);
        }
        within
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of their places, with lines and columns.
    pub(crate) fn into_errors(mut self) -> FileErrors {
        self.found.sort_by_key(|(at, _)| *at);
        let (mut line, mut column, mut counted) = (1_u32, 1_u32, 0_usize);
        let mut errors = Vec::new();
        for (at, kind) in self.found {
            for c in self.text.get(counted..at).unwrap_or_default().chars() {
                if c == '\n' {
                    line = line.saturating_add(1);
                    column = 1;
                } else {
                    column = column.saturating_add(1);
                }
            }
            counted = counted.max(at);
            errors.push(FileError { line, column, kind });
        }
        FileErrors::new(errors)
    }
}

/// One table, read key by key.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    entries: BTreeMap<&'n str, (usize, &'n Node)>,
    at: usize,
    what: &'static str,
    taken: BTreeSet<&'static str>,
}

impl<'n> Fields<'n> {
    /// The table of a node; a mistake when it is none.
    pub(crate) fn of(
        node: &'n Node,
        what: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Self> {
        let Value::Table(entries) = &node.value else {
            let kind = node.value.kind();
            mistakes.shape(node.at, format!("{what} is a table, not {kind}"));
            return None;
        };
        let entries = entries.iter();
        Some(Self {
            entries: entries
                .map(|(key, at, node)| (key.as_str(), (*at, node)))
                .collect(),
            at: node.at,
            what,
            taken: BTreeSet::new(),
        })
    }

    /// The value of a key.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.taken.insert(key);
        self.entries.get(key).map(|(_, node)| *node)
    }

    pub(crate) fn missing(&self, key: &str, mistakes: &mut Mistakes<'_>) {
        mistakes.shape(self.at, format!("{} lacks {key}", self.what));
    }

    pub(crate) fn text(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<&'n str> {
        let node = self.take(key)?;
        text_of(node, key, mistakes)
    }

    pub(crate) fn owned(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<String> {
        self.text(key, mistakes).map(str::to_owned)
    }

    pub(crate) fn required(&mut self, key: &'static str, mistakes: &mut Mistakes<'_>) -> String {
        if self.take(key).is_none() {
            self.missing(key, mistakes);
        }
        self.owned(key, mistakes).unwrap_or_default()
    }

    pub(crate) fn list(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<&'n [Node]> {
        let node = self.take(key)?;
        match &node.value {
            Value::List(items) => Some(items),
            other => {
                mistakes.shape(node.at, format!("{key} is a list, not {}", other.kind()));
                None
            }
        }
    }

    pub(crate) fn texts(&mut self, key: &'static str, mistakes: &mut Mistakes<'_>) -> Vec<String> {
        let items = self.list(key, mistakes).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| text_of(item, key, mistakes).map(str::to_owned))
            .collect()
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        mistakes: &mut Mistakes<'_>,
    ) -> Option<T> {
        let node = self.take(key)?;
        let text = text_of(node, key, mistakes)?;
        word_of(node.at, text, key, words, mistakes)
    }

    /// Reads each table of a list.
    pub(crate) fn each<T>(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes<'_>,
        mut read: impl FnMut(&mut Fields<'n>, usize, &mut Mistakes<'_>) -> T,
    ) -> Vec<T> {
        let items = self.list(key, mistakes).unwrap_or_default();
        let mut all = Vec::new();
        for (number, item) in items.iter().enumerate() {
            if let Some(mut fields) = Fields::of(item, key, mistakes) {
                all.push(read(&mut fields, number.saturating_add(1), mistakes));
                fields.finish(mistakes);
            }
        }
        all
    }

    /// Tells every key that nobody asked for.
    pub(crate) fn finish(self, mistakes: &mut Mistakes<'_>) {
        for (key, (at, _)) in &self.entries {
            if !self.taken.contains(key) {
                let what = self.what;
                // a key is the writer's own text: cut, so that no line floods
                let key: String = key.chars().take(64).collect();
                mistakes.shape(*at, format!("{what} has no key {key:?}"));
            }
        }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }
}

pub(crate) fn text_of<'n>(
    node: &'n Node,
    key: &str,
    mistakes: &mut Mistakes<'_>,
) -> Option<&'n str> {
    match &node.value {
        Value::Text(text) => Some(text),
        other => {
            mistakes.shape(node.at, format!("{key} is a text, not {}", other.kind()));
            None
        }
    }
}

fn word_of<T: Copy>(
    at: usize,
    text: &str,
    key: &str,
    words: &[(&'static str, T)],
    mistakes: &mut Mistakes<'_>,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        mistakes.shape(at, format!("{key} is one of {}", known.join(", ")));
    }
    found.map(|(_, value)| *value)
}

/// The rules of a tree, or all mistakes.
pub(super) fn rules(
    root: Option<Node>,
    mut mistakes: Mistakes<'_>,
) -> Result<(RulesFile, Places), FileErrors> {
    let read = root.and_then(|root| rules_of(&root, &mut mistakes));
    read.ok_or_else(|| mistakes.into_errors())
}

pub(super) fn rules_of(root: &Node, mistakes: &mut Mistakes<'_>) -> Option<(RulesFile, Places)> {
    let mut fields = Fields::of(root, "the file", mistakes)?;
    let mut places = Places::new();
    if let Some(node) = fields.take("format") {
        if node.value != Value::text(RULES_FORMAT) {
            mistakes.shape(node.at, format!("format is {RULES_FORMAT:?}"));
        }
    } else {
        fields.missing("format", mistakes);
    }
    let reviewed = fields.take("reviewed");
    let reviewed = reviewed.and_then(|node| date(node, mistakes));
    let reading = match fields.take("reading") {
        Some(node) => reading(node, mistakes),
        None => {
            fields.missing("reading, whose zones nobody can guess", mistakes);
            None
        }
    };
    let mut place = |what: &str, id: &str, number: usize, at: usize| {
        places.entry(format!("{what} {id}")).or_insert(at);
        places.entry(format!("{what} #{number}")).or_insert(at);
    };
    let classes = fields.each("class", mistakes, |fields, number, mistakes| {
        let class = class(fields, mistakes);
        place("class", &class.id, number, fields.at());
        class
    });
    let stores = fields.each("store", mistakes, |fields, number, mistakes| {
        let store = store(fields, mistakes);
        place("store", &store.id, number, fields.at());
        store
    });
    let keys = fields.each("key", mistakes, |fields, number, mistakes| {
        let key = key(fields, mistakes);
        place("key", &key.id, number, fields.at());
        key
    });
    let rules = fields.each("rule", mistakes, |fields, number, mistakes| {
        let rule = rule(fields, mistakes);
        place("rule", &rule.id, number, fields.at());
        rule
    });
    let cancels = fields.each("cancel", mistakes, |fields, _, mistakes| CancelSpec {
        event: fields.required("event", mistakes),
        cancels: fields.required("cancels", mistakes),
    });
    let events = fields.texts("events", mistakes);
    for (key, name) in [("cancel", "cancel"), ("events", "events")] {
        if let Some((at, _)) = fields.entries.get(key) {
            places.insert(name.to_owned(), *at);
        }
    }
    fields.finish(mistakes);
    let reading = reading.filter(|_| mistakes.is_empty())?;
    let file = RulesFile {
        reviewed,
        reading,
        classes,
        stores,
        keys,
        events,
        rules,
        cancels,
    };
    Some((file, places))
}

fn reading(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Reading> {
    let mut fields = Fields::of(node, "reading", mistakes)?;
    let before = mistakes.found.len();
    let mut zones = Vec::new();
    if fields.take("zones").is_none() {
        fields.missing("zones", mistakes);
    }
    for item in fields.list("zones", mistakes).unwrap_or_default() {
        match text_of(item, "zones", mistakes).map(str::parse::<Zone>) {
            Some(Ok(zone)) => zones.push(zone),
            Some(Err(error)) => mistakes.shape(item.at, error.to_string()),
            None => {}
        }
    }
    let rules = DayRule::ALL.map(|rule| (rule.name(), rule));
    let days = match fields.list("day", mistakes) {
        None => DayRule::ALL.to_vec(),
        Some(items) => items
            .iter()
            .filter_map(|item| {
                let text = text_of(item, "day", mistakes)?;
                word_of(item.at, text, "day", &rules, mistakes)
            })
            .collect(),
    };
    let months = MonthRule::ALL.map(|rule| (rule.name(), rule));
    let month = fields.word("month", &months, mistakes);
    fields.finish(mistakes);
    match Reading::new(zones, days, month.unwrap_or(MonthRule::ClampEnd)) {
        Ok(reading) => Some(reading),
        Err(error) => {
            // what is empty because it was malformed has been told
            if mistakes.found.len() == before {
                mistakes.shape(node.at, error.to_string());
            }
            None
        }
    }
}

fn class(fields: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> ClassSpec {
    ClassSpec {
        id: fields.required("id", mistakes),
        parent: fields.owned("parent", mistakes),
        fields: fields.each("fields", mistakes, |field, _, mistakes| FieldSpec {
            name: field.required("name", mistakes),
            category: field.required("category", mistakes),
            plain: field.owned("plain", mistakes),
        }),
    }
}

fn store(fields: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> StoreSpec {
    let kinds = StoreKind::ALL.map(|kind| (kind.name(), kind));
    let methods = Method::ALL.map(|method| (method.name(), method));
    let id = fields.required("id", mistakes);
    if fields.take("kind").is_none() {
        fields.missing("kind", mistakes);
    }
    let erase = fields.list("erase", mistakes).unwrap_or_default();
    let erase = erase.iter().filter_map(|item| {
        let text = text_of(item, "erase", mistakes)?;
        word_of(item.at, text, "erase", &methods, mistakes)
    });
    let erase = erase.collect();
    StoreSpec {
        id,
        kind: fields.word("kind", &kinds, mistakes).unwrap_or_default(),
        classes: fields.texts("classes", mistakes),
        fed_by: fields.texts("fed_by", mistakes),
        every: fields.owned("every", mistakes),
        lag: fields.owned("lag", mistakes),
        epoch: fields.owned("epoch", mistakes),
        erase,
    }
}

fn key(fields: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> KeySpec {
    KeySpec {
        id: fields.required("id", mistakes),
        seals: fields.texts("seals", mistakes),
        from: fields.owned("from", mistakes),
        after: fields.owned("after", mistakes),
        copies: fields.owned("copies", mistakes),
    }
}

fn rule(fields: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> RuleSpec {
    let bounds = Bound::ALL.map(|bound| (bound.name(), bound));
    let authorities = Authority::ALL.map(|authority| (authority.name(), authority));
    let acts = Act::ALL.map(|act| (act.name(), act));
    let id = fields.required("id", mistakes);
    if fields.take("bound").is_none() {
        fields.missing("bound", mistakes);
    }
    RuleSpec {
        id,
        clause: fields.owned("clause", mistakes),
        classes: fields.texts("class", mistakes),
        stores: fields.texts("store", mistakes),
        bound: fields.word("bound", &bounds, mistakes).unwrap_or_default(),
        from: fields.owned("from", mistakes),
        to: fields.owned("to", mistakes),
        until: fields.owned("until", mistakes),
        period: fields.owned("period", mistakes),
        early: fields.owned("early", mistakes),
        late: fields.owned("late", mistakes),
        waived_by: fields.texts("waived_by", mistakes),
        authority: fields
            .word("authority", &authorities, mistakes)
            .unwrap_or_default(),
        overrides: fields.texts("overrides", mistakes),
        act: fields.word("act", &acts, mistakes).unwrap_or_default(),
    }
}

/// A day, written `2026-11-22`.
fn date(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Date> {
    let text = text_of(node, "reviewed", mistakes)?;
    let mut parts = text.split('-');
    let mut part = |len: usize| {
        let digits = parts
            .next()
            .filter(|p| p.len() == len && p.bytes().all(|b| b.is_ascii_digit()));
        digits.and_then(|digits| digits.parse::<u16>().ok())
    };
    let (year, month, day) = (part(4), part(2), part(2));
    let date = year.zip(month).zip(day).and_then(|((year, month), day)| {
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
    });
    let date = date.filter(|_| parts.next().is_none());
    if date.is_none() {
        mistakes.shape(node.at, "reviewed is a day, such as 2026-11-22");
    }
    date
}
