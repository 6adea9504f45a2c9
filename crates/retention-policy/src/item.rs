//! What a decision is about: one item with its events, and the moment.

use covenant_core::{ItemId, TenantId};
use time::UtcDateTime;

use crate::{Occurrence, Slack};

/// The store of a rule set that names none.
pub const STORE_MAIN: &str = "main";

/// One item of a class in a store, with everything that happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its id in its class.
    pub id: ItemId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its class; one that the rules do not know is kept, with an alarm.
    pub class: &'a str,
    /// Its store; one that the rules do not know is kept, with an alarm.
    pub store: &'a str,
    /// Its size, for limits and rates.
    pub bytes: u64,
    /// What happened to it, in any order.
    pub events: &'a [Occurrence<'a>],
    /// When it was made; unknown, a hold that leaves out later items covers it all the same.
    pub made_at: Option<UtcDateTime>,
    /// The people it is about; unknown, every hold on a person of its tenant covers it.
    pub subjects: Option<&'a [ItemId]>,
}

impl<'a> Item<'a> {
    /// An item in the store `main`, of unknown size.
    #[must_use]
    pub fn new(
        tenant: TenantId,
        class: &'a str,
        id: impl Into<ItemId>,
        events: &'a [Occurrence<'a>],
    ) -> Self {
        Self {
            id: id.into(),
            tenant,
            class,
            store: STORE_MAIN,
            bytes: 0,
            events,
            made_at: None,
            subjects: None,
        }
    }

    /// The same item in this store.
    #[must_use]
    pub fn in_store(self, store: &'a str) -> Self {
        Self { store, ..self }
    }

    /// The same item, made at this instant.
    #[must_use]
    pub fn made_at(self, at: UtcDateTime) -> Self {
        Self {
            made_at: Some(at),
            ..self
        }
    }

    /// The same item, about these people and nobody else.
    #[must_use]
    pub fn about(self, subjects: &'a [ItemId]) -> Self {
        Self {
            subjects: Some(subjects),
            ..self
        }
    }

    /// The same item with this size in bytes.
    #[must_use]
    pub fn of_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

/// When a decision is taken, and how long disposal takes at worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The instant; may lie in the future, for planning.
    pub now: UtcDateTime,
    /// What must fit between start and deadline.
    pub slack: Slack,
}

impl Moment {
    /// This instant; disposal takes no time.
    #[must_use]
    pub const fn at(now: UtcDateTime) -> Self {
        Self {
            now,
            slack: Slack::NONE,
        }
    }

    /// The same instant; disposal takes this long at worst.
    #[must_use]
    pub const fn with_slack(self, slack: Slack) -> Self {
        Self { slack, ..self }
    }
}
