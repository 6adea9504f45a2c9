//! Lists of items that own what they say, for questions about many items.

use covenant_core::{ItemId, TenantId};
use time::UtcDateTime;

use crate::{Item, Occurrence};

#[cfg(feature = "serde")]
mod text;

#[cfg(feature = "serde")]
pub use text::{ITEM_EVENTS_MAX, ITEMS_FORMAT, ITEMS_LEN_BYTES_MAX};
#[cfg(feature = "serde")]
pub(crate) use text::{instant, shown};

/// An item that owns what [`Item`] borrows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnedItem {
    /// Its id in its class.
    pub id: ItemId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its class.
    pub class: String,
    /// Its store; `main` where the list names none.
    pub store: String,
    /// Its size; 0 where the list does not say.
    pub bytes: u64,
    /// What happened to it: names and instants, in the order of the list.
    pub events: Vec<(String, UtcDateTime)>,
    /// When it was made, where the list says so.
    pub made_at: Option<UtcDateTime>,
}

/// A list of items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Items {
    pub(crate) items: Vec<OwnedItem>,
}

impl Items {
    /// The items, in the order of the list.
    #[must_use]
    pub fn as_slice(&self) -> &[OwnedItem] {
        &self.items
    }

    /// What happened to each item, for [`Items::views`].
    #[must_use]
    pub fn occurrences(&self) -> Vec<Vec<Occurrence<'_>>> {
        self.items.iter().map(occurrences).collect()
    }

    /// The items as the rules look at them.
    #[must_use]
    pub fn views<'a>(&'a self, occurrences: &'a [Vec<Occurrence<'a>>]) -> Vec<Item<'a>> {
        let both = self.items.iter().zip(occurrences);
        both.map(|(item, events)| Item {
            id: item.id.clone(),
            tenant: item.tenant,
            class: &item.class,
            store: &item.store,
            bytes: item.bytes,
            events,
            made_at: item.made_at,
            subjects: None,
        })
        .collect()
    }
}

fn occurrences(item: &OwnedItem) -> Vec<Occurrence<'_>> {
    let events = item.events.iter();
    events
        .map(|(name, at)| Occurrence::new(name, *at))
        .collect()
}
