//! One event as a monitor sees it: borrowed, and without content.

use std::collections::BTreeMap;

use covenant_core::event::Datum;
use covenant_core::{Action, Event, Outcome, TenantId, TxnId};
use time::UtcDateTime;
use uuid::Uuid;

use super::{Cases, MonitorError};

/// Longest id or attribute in bytes that a monitor holds: four times the longest id of an item.
pub const TEXT_LEN_BYTES_MAX: usize = 256;

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
    pub(super) fn case(&self, cases: Cases) -> Result<CaseKey, MonitorError> {
        let thing = match cases {
            Cases::Tenant => None,
            Cases::Thing => self.key.map(short).transpose()?,
            Cases::Vault => match self.attributes.get("vault") {
                Some(Attribute::Id(vault)) => Some(Box::from(vault.as_bytes().as_slice())),
                _ => self.key.map(short).transpose()?,
            },
        };
        Ok(CaseKey {
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

fn short(bytes: &[u8]) -> Result<Box<[u8]>, MonitorError> {
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

/// A value of an attribute, to be remembered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    At(UtcDateTime),
    Bytes(Box<[u8]>),
    Count(u64),
    Id(Uuid),
    Word(Box<str>),
}

impl TryFrom<Attribute<'_>> for Value {
    type Error = MonitorError;

    fn try_from(attribute: Attribute<'_>) -> Result<Self, MonitorError> {
        Ok(match attribute {
            Attribute::At(at) => Self::At(at),
            Attribute::Bytes(bytes) => Self::Bytes(short(bytes)?),
            Attribute::Count(count) => Self::Count(count),
            Attribute::Id(id) => Self::Id(id),
            Attribute::Word(word) if word.len() > TEXT_LEN_BYTES_MAX => {
                return Err(MonitorError::TooLong);
            }
            Attribute::Word(word) => Self::Word(Box::from(word)),
        })
    }
}
