//! One event as a monitor sees it: borrowed, and without content.

use std::collections::BTreeMap;

use covenant_core::event::Datum;
use covenant_core::{Action, Event, Outcome, TenantId, TxnId};
use time::UtcDateTime;
use uuid::Uuid;

use super::recorded::Value;
use super::{Cases, MonitorError};

/// Longest id or attribute in bytes that a monitor holds: four times the longest id of an item.
pub const TEXT_LEN_BYTES_MAX: usize = 256;

/// Longest id in bytes that a key holds in place: that of a UUID, which is what most ids are.
const SHORT_LEN_BYTES: usize = 16;

/// What happened, when, to what and in which transaction.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// When it happened.
    pub at: UtcDateTime,
    /// What happened.
    pub action: Action,
    /// To whose data; `None` for the operator.
    pub tenant: Option<TenantId>,
    /// To which thing.
    pub key: Option<&'a [u8]>,
    /// In which transaction; `None` where none is known.
    pub txn: Option<TxnId>,
    /// What else is known of it.
    pub attributes: Attributes<'a>,
}

/// The value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// An instant.
    At(UtcDateTime),
    /// Bytes that are no content.
    Bytes(&'a [u8]),
    /// A count or a size.
    Count(u64),
    /// An id.
    Id(Uuid),
    /// A word of a closed list.
    Word(&'a str),
}

/// Named values of an event, and how it ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    outcome: Option<Outcome>,
    source: Source<'a>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Source<'a> {
    Event(&'a BTreeMap<&'static str, Datum>),
    Leaf(&'a [(&'a str, Attribute<'a>)]),
    #[default]
    None,
    Recorded(&'a BTreeMap<String, Value>),
}

impl<'a> Attributes<'a> {
    /// These values, as an exported entry of a log has them. `outcome` names itself.
    #[must_use]
    pub const fn new(outcome: Outcome, values: &'a [(&'a str, Attribute<'a>)]) -> Self {
        Self {
            outcome: Some(outcome),
            source: Source::Leaf(values),
        }
    }

    pub(super) const fn recorded(outcome: Outcome, values: &'a BTreeMap<String, Value>) -> Self {
        Self {
            outcome: Some(outcome),
            source: Source::Recorded(values),
        }
    }

    /// The value of this name; `outcome` is the word `ok`, `denied` or `error`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Attribute<'a>> {
        if name == "outcome" {
            let word = match self.outcome? {
                Outcome::Ok => "ok",
                Outcome::Denied => "denied",
                Outcome::Error => "error",
            };
            return Some(Attribute::Word(word));
        }
        match self.source {
            Source::Event(data) => data.get(name).and_then(attribute),
            Source::Leaf(values) => values.iter().find(|(n, _)| *n == name).map(|(_, v)| *v),
            Source::None => None,
            Source::Recorded(values) => values.get(name).map(Value::attribute),
        }
    }
}

fn attribute(datum: &Datum) -> Option<Attribute<'_>> {
    match datum {
        Datum::At(at) => Some(Attribute::At(*at)),
        Datum::Bytes(bytes) => Some(Attribute::Bytes(bytes)),
        Datum::Count(count) => Some(Attribute::Count(*count)),
        Datum::Id(id) => Some(Attribute::Id(*id)),
        Datum::Token(word) => Some(Attribute::Word(word)),
        _ => None,
    }
}

impl<'a> Observed<'a> {
    /// An event with nothing but its heads.
    #[must_use]
    pub const fn new(at: UtcDateTime, action: Action) -> Self {
        Self {
            at,
            action,
            tenant: None,
            key: None,
            txn: None,
            attributes: Attributes {
                outcome: None,
                source: Source::None,
            },
        }
    }

    /// Names the transaction in which the event was recorded.
    #[must_use]
    pub const fn in_txn(mut self, txn: TxnId) -> Self {
        self.txn = Some(txn);
        self
    }

    /// The case to which the event belongs.
    ///
    /// # Errors
    /// [`MonitorError::TooLong`] when its id is longer than any that is recorded.
    pub fn case_of(&self, cases: Cases) -> Result<CaseKey, MonitorError> {
        self.case(cases).map(CaseKey::from)
    }

    /// Whether what the action says took place.
    pub(super) const fn happened(&self) -> bool {
        let refusal = matches!(
            self.action,
            Action::AccessDenied
                | Action::BackupFailed
                | Action::FieldRefused
                | Action::RefusedHeld
        );
        refusal || matches!(self.attributes.outcome, None | Some(Outcome::Ok))
    }

    /// Which case the event belongs to.
    pub(super) fn case(&self, cases: Cases) -> Result<Key, MonitorError> {
        let own = || self.key.map_or(Ok(Thing::None), Thing::new);
        let thing = match cases {
            Cases::Tenant => Thing::None,
            Cases::Thing => own()?,
            Cases::Vault => match self.attributes.get("vault") {
                Some(Attribute::Id(vault)) => Thing::new(vault.as_bytes())?,
                _ => own()?,
            },
        };
        Ok(Key {
            tenant: self.tenant,
            thing,
        })
    }
}

/// An event of our own; no transaction is known of it. See [`Observed::in_txn`].
impl<'a> From<&'a Event> for Observed<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            at: event.at,
            action: event.action,
            tenant: event.target.tenant,
            key: event
                .target
                .id
                .as_ref()
                .map(covenant_core::ItemId::as_bytes),
            txn: None,
            attributes: Attributes {
                outcome: Some(event.outcome),
                source: Source::Event(&event.data),
            },
        }
    }
}

fn bounded(bytes: &[u8]) -> Result<Box<[u8]>, MonitorError> {
    if bytes.len() > TEXT_LEN_BYTES_MAX {
        return Err(MonitorError::TooLong);
    }
    Ok(Box::from(bytes))
}

/// Whose case it is, and of which thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct CaseKey {
    /// The tenant; `None` for the operator.
    pub tenant: Option<TenantId>,
    /// The thing; `None` for the tenant as a whole.
    pub thing: Option<Box<[u8]>>,
}

/// A [`CaseKey`] as monitors hold it: the ids that events have lie in place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) tenant: Option<TenantId>,
    thing: Thing,
}

/// Ordered so that the tenant as a whole comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    None,
    /// Padded with zeros, and how many bytes of it count.
    Short([u8; SHORT_LEN_BYTES], u8),
    Long(Box<[u8]>),
}

impl Thing {
    fn new(id: &[u8]) -> Result<Self, MonitorError> {
        let mut short = [0; SHORT_LEN_BYTES];
        match (short.get_mut(..id.len()), u8::try_from(id.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(id);
                Ok(Self::Short(short, len))
            }
            _ => Ok(Self::Long(bounded(id)?)),
        }
    }
}

impl Key {
    /// The first key of a tenant in the order of keys.
    pub(super) const fn first_of(tenant: Option<TenantId>) -> Self {
        Self {
            tenant,
            thing: Thing::None,
        }
    }
}

impl From<Key> for CaseKey {
    fn from(key: Key) -> Self {
        let thing = match key.thing {
            Thing::None => None,
            Thing::Short(bytes, len) => bytes.get(..usize::from(len)).map(Box::from),
            Thing::Long(bytes) => Some(bytes),
        };
        Self {
            tenant: key.tenant,
            thing,
        }
    }
}

impl TryFrom<Attribute<'_>> for Value {
    type Error = MonitorError;

    fn try_from(attribute: Attribute<'_>) -> Result<Self, MonitorError> {
        Ok(match attribute {
            Attribute::At(at) => Self::At(at),
            Attribute::Bytes(bytes) => Self::Bytes(bounded(bytes)?),
            Attribute::Count(count) => Self::Count(count),
            Attribute::Id(id) => Self::Id(id),
            Attribute::Word(word) if word.len() > TEXT_LEN_BYTES_MAX => {
                return Err(MonitorError::TooLong);
            }
            Attribute::Word(word) => Self::Word(Box::from(word)),
        })
    }
}
