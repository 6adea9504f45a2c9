//! One event as a log keeps it: owned, and without content.

use std::collections::BTreeMap;

use covenant_core::event::Datum;
use covenant_core::{Action, Event, ItemId, Outcome, TenantId, TxnId};
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::observed::{Attribute, Attributes, Observed};

/// Length of a UUID with its hyphens, in bytes.
const ID_LEN_BYTES: usize = 36;

/// What was recorded of an event, as far as a monitor may ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an event has these parts; whoever reads a log fills them all"
)]
pub struct Recorded {
    /// When it happened.
    pub at: UtcDateTime,
    /// What happened.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// To whose data; `None` for the operator.
    pub tenant: Option<TenantId>,
    /// To which thing.
    pub key: Option<Box<[u8]>>,
    /// In which transaction; `None` where none is known.
    pub txn: Option<TxnId>,
    /// Values of the action's own schema.
    pub attributes: BTreeMap<String, Value>,
}

/// A value of an attribute, owned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Value {
    /// An instant.
    At(UtcDateTime),
    /// Bytes that are no content.
    Bytes(Box<[u8]>),
    /// A count or a size.
    Count(u64),
    /// An id.
    Id(Uuid),
    /// A word of a closed list.
    Word(Box<str>),
}

impl Value {
    /// What the text of an exported entry spells: an id with its hyphens, an instant of RFC 3339 in
    /// UTC, else a word. Bytes in hexadecimal are a word, the same for the same bytes.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        if text.len() == ID_LEN_BYTES
            && let Ok(id) = Uuid::try_parse(text)
        {
            return Self::Id(id);
        }
        if text.ends_with('Z')
            && let Ok(at) = UtcDateTime::parse(text, &Rfc3339)
        {
            return Self::At(at);
        }
        Self::Word(Box::from(text))
    }

    /// The value, borrowed.
    #[must_use]
    pub fn attribute(&self) -> Attribute<'_> {
        match self {
            Self::At(at) => Attribute::At(*at),
            Self::Bytes(bytes) => Attribute::Bytes(bytes),
            Self::Count(count) => Attribute::Count(*count),
            Self::Id(id) => Attribute::Id(*id),
            Self::Word(word) => Attribute::Word(word),
        }
    }
}

impl Recorded {
    /// The event as a monitor sees it.
    #[must_use]
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            at: self.at,
            action: self.action,
            tenant: self.tenant,
            key: self.key.as_deref(),
            txn: self.txn,
            attributes: Attributes::recorded(self.outcome, &self.attributes),
        }
    }
}

/// An event of our own; no transaction is known of it.
impl From<&Event> for Recorded {
    fn from(event: &Event) -> Self {
        let value = |datum: &Datum| match datum {
            Datum::At(at) => Some(Value::At(*at)),
            Datum::Bytes(bytes) => Some(Value::Bytes(Box::from(bytes.as_slice()))),
            Datum::Count(count) => Some(Value::Count(*count)),
            Datum::Id(id) => Some(Value::Id(*id)),
            Datum::Token(word) => Some(Value::Word(Box::from(*word))),
            _ => None,
        };
        let known = event.data.iter();
        let known = known.filter_map(|(name, datum)| Some(((*name).to_owned(), value(datum)?)));
        Self {
            at: event.at,
            action: event.action,
            outcome: event.outcome,
            tenant: event.target.tenant,
            key: event
                .target
                .id
                .as_ref()
                .map(|id| Box::from(ItemId::as_bytes(id))),
            txn: None,
            attributes: known.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::utc_datetime;

    use super::*;

    #[test]
    fn a_text_is_an_id_an_instant_or_a_word() {
        let id = Uuid::from_u128(7);
        let check = |text: &str, expect: Value| assert_eq!(Value::of_text(text), expect, "{text}");
        check(&id.to_string(), Value::Id(id));
        let at = utc_datetime!(2027-08-31 12:00:00.25);
        check("2027-08-31T12:00:00.250000Z", Value::At(at));
        let word = |text: &str| Value::Word(Box::from(text));
        check("insert", word("insert"));
        check("", word(""));
        check("Z", word("Z"));
        // a digest of sixteen bytes is no id
        let digest = id.simple().to_string();
        check(&digest, word(&digest));
    }
}
