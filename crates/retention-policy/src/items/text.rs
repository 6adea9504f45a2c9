//! Lists of items as text: `format = "covenant/items/v1"`, in JSON.

use covenant_core::{ItemId, TenantId};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcDateTime};

use super::{Items, OwnedItem};
use crate::STORE_MAIN;
use crate::file::{Fields, FileErrorKind, FileErrors, Mistakes, Node, Value, parse_json};

/// The first value of every list of items.
pub const ITEMS_FORMAT: &str = "covenant/items/v1";
/// Most events of one item in a list: a bound of ours, for those that are still to come are looked at
/// together.
pub const ITEM_EVENTS_MAX: usize = 4_096;
/// Longest list of items in bytes: 64 MiB, a bound of ours.
pub const ITEMS_LEN_BYTES_MAX: usize = 64 << 20;

impl Items {
    /// Reads a list of items in JSON.
    ///
    /// # Errors
    /// [`FileErrors`]: every mistake, with its line.
    pub fn from_json(text: &str) -> Result<Self, FileErrors> {
        let mut mistakes = Mistakes::new(text);
        if text.len() > ITEMS_LEN_BYTES_MAX {
            mistakes.push(0, FileErrorKind::TooLong);
            return Err(mistakes.into_errors());
        }
        let root = parse_json(text, &mut mistakes);
        let read = root.and_then(|root| {
            let mut fields = Fields::of(&root, "the list", &mut mistakes)?;
            match fields.take("format") {
                Some(node) if node.value == Value::text(ITEMS_FORMAT) => {}
                Some(node) => mistakes.shape(node.at, format!("format is {ITEMS_FORMAT:?}")),
                None => fields.missing("format", &mut mistakes),
            }
            let items = Self::in_table(&mut fields, &mut mistakes);
            fields.finish(&mut mistakes);
            Some(items)
        });
        read.filter(|_| mistakes.is_empty())
            .ok_or_else(|| mistakes.into_errors())
    }

    /// Reads the key `items` of a table.
    pub(crate) fn in_table(fields: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> Self {
        let items = fields.each("items", mistakes, |fields, _, mistakes| {
            item(fields, mistakes)
        });
        Self {
            items: items.into_iter().flatten().collect(),
        }
    }
}

fn item(fields: &mut Fields<'_>, mistakes: &mut Mistakes<'_>) -> Option<OwnedItem> {
    let id = fields.required("id", mistakes);
    let at = fields.take("id").map_or(fields.at(), |node| node.at);
    let id = match ItemId::try_from(id.as_str()) {
        Ok(id) => Some(id),
        Err(error) => {
            mistakes.shape(at, error.to_string());
            None
        }
    };
    let tenant_at = fields.take("tenant").map_or(fields.at(), |node| node.at);
    let tenant: Option<TenantId> = fields.required("tenant", mistakes).parse().ok();
    if tenant.is_none() {
        mistakes.shape(tenant_at, "tenant is a UUID");
    }
    let class = fields.required("class", mistakes);
    let store = fields.owned("store", mistakes);
    let bytes = match fields.take("bytes").map(|node| (node.at, &node.value)) {
        None => 0,
        Some((at, Value::Number(number))) => u64::try_from(*number).unwrap_or_else(|_| {
            mistakes.shape(at, "bytes is not negative");
            0
        }),
        Some((at, other)) => {
            mistakes.shape(at, format!("bytes is an integer, not {}", other.kind()));
            0
        }
    };
    let events = fields.each("events", mistakes, |event, _, mistakes| {
        let name = event.required("name", mistakes);
        if event.take("at").is_none() {
            event.missing("at", mistakes);
        }
        let at = event.take("at").and_then(|node| instant(node, mistakes));
        at.map(|at| (name, at))
    });
    if events.len() > ITEM_EVENTS_MAX {
        let at = fields.take("events").map_or(fields.at(), |node| node.at);
        mistakes.shape(at, format!("an item has at most {ITEM_EVENTS_MAX} events"));
    }
    let made_at = fields
        .take("made_at")
        .and_then(|node| instant(node, mistakes));
    Some(OwnedItem {
        id: id?,
        tenant: tenant?,
        class,
        store: store.unwrap_or_else(|| STORE_MAIN.to_owned()),
        bytes,
        events: events.into_iter().flatten().collect(),
        made_at,
    })
}

/// An instant, written as RFC 3339.
pub(crate) fn instant(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<UtcDateTime> {
    let text = match &node.value {
        Value::Text(text) => text.as_str(),
        _ => "",
    };
    let parsed = parse_instant(text);
    if parsed.is_none() {
        mistakes.shape(node.at, "an instant is written 2026-11-22T10:00:00Z");
    }
    parsed
}

fn parse_instant(text: &str) -> Option<UtcDateTime> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    at.checked_to_utc()
}

/// The instant as RFC 3339; years beyond 9999, which have no such form, as seconds since 1970.
pub(crate) fn shown(at: UtcDateTime) -> Value {
    let text = at.to_offset(time::UtcOffset::UTC).format(&Rfc3339);
    text.map_or_else(|_| Value::Number(at.unix_timestamp()), Value::Text)
}
