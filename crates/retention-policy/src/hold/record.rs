//! A hold's life: it stands, it may be extended, it is released; and its bytes, as stores and logs
//! keep them.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use covenant_core::{HoldId, ItemId, PrincipalId, TenantId, canon};
use time::UtcDateTime;

use super::{Hold, HoldMode, HoldScope, ItemList, Later};
use crate::NAME_LEN_BYTES_MAX;

/// Opens the bytes of a hold.
const FORMAT: &str = "covenant/hold/v1";
/// Most items of one part: as many as a leaf of the log takes.
const PART_ITEMS_MAX: usize = 400;
/// Most bytes of the ids of one part: printed in hexadecimal they fit one value of a leaf.
const PART_BYTES_MAX: usize = 12_000;

/// A hold and what was done about it since it was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRecord {
    hold: Hold,
    asked: Option<Asked>,
    released_at: Option<UtcDateTime>,
}

/// Who asked for a release first, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Who.
    pub by: PrincipalId,
    /// When.
    pub at: UtcDateTime,
}

/// What became of a request to release a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller decides on each of these")]
pub enum Release {
    /// It still holds, until another principal asks too.
    Asked,
    /// It holds no longer.
    Released,
}

/// A hold cannot be changed like this; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HoldRefused {
    /// The principal asked before; another one must.
    #[error("the same principal asked before: another one must ask too")]
    SamePrincipal,
    /// Nobody can release it before its end.
    #[error("the hold cannot be released: it ends at {until}")]
    Compliance {
        /// Its end.
        until: UtcDateTime,
    },
    /// The new end is not later than the one it has.
    #[error("the hold ends at {until}: its end can only be moved later")]
    NotLater {
        /// The end it has.
        until: UtcDateTime,
    },
    /// It has no end that could be moved.
    #[error("the hold has no end of its own")]
    NoEnd,
    /// Somebody else changed it meanwhile: ask again.
    #[error("the hold was changed meanwhile: ask again")]
    Overtaken,
    /// It has ended or was released: place another one.
    #[error("the hold has ended: place another one")]
    Ended,
}

/// Bytes are not those of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not those of a hold")]
pub struct HoldBytesError;

impl HoldRecord {
    /// The hold, just placed.
    #[must_use]
    pub const fn new(hold: Hold) -> Self {
        Self {
            hold,
            asked: None,
            released_at: None,
        }
    }

    /// The record as a store kept it.
    #[must_use]
    pub const fn from_parts(
        hold: Hold,
        asked: Option<Asked>,
        released_at: Option<UtcDateTime>,
    ) -> Self {
        Self {
            hold,
            asked,
            released_at,
        }
    }

    /// Moves the end of a compliance hold later.
    ///
    /// # Errors
    /// [`HoldRefused`]; nothing changed.
    pub fn extend(&mut self, until: UtcDateTime, now: UtcDateTime) -> Result<(), HoldRefused> {
        if !self.is_active(now) {
            return Err(HoldRefused::Ended);
        }
        match self.hold.mode {
            HoldMode::Governance => Err(HoldRefused::NoEnd),
            HoldMode::Compliance { until: end } if until <= end => {
                Err(HoldRefused::NotLater { until: end })
            }
            HoldMode::Compliance { .. } => {
                self.hold.mode = HoldMode::Compliance { until };
                Ok(())
            }
        }
    }

    /// Asks for the release of a governance hold: the first principal is noted, the second, who must
    /// be another, ends it.
    ///
    /// # Errors
    /// [`HoldRefused`]; nothing changed.
    pub fn release(&mut self, by: PrincipalId, now: UtcDateTime) -> Result<Release, HoldRefused> {
        if !self.is_active(now) {
            return Err(HoldRefused::Ended);
        }
        if let HoldMode::Compliance { until } = self.hold.mode {
            return Err(HoldRefused::Compliance { until });
        }
        match self.asked {
            None => {
                self.asked = Some(Asked { by, at: now });
                Ok(Release::Asked)
            }
            Some(first) if first.by == by => Err(HoldRefused::SamePrincipal),
            Some(_) => {
                self.released_at = Some(now);
                Ok(Release::Released)
            }
        }
    }

    /// The hold.
    #[must_use]
    pub const fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Who asked for its release first.
    #[must_use]
    pub const fn asked(&self) -> Option<Asked> {
        self.asked
    }

    /// When it was released.
    #[must_use]
    pub const fn released_at(&self) -> Option<UtcDateTime> {
        self.released_at
    }

    /// Whether it holds at the instant.
    #[must_use]
    pub fn is_active(&self, now: UtcDateTime) -> bool {
        self.released_at.is_none() && self.hold.is_active(now)
    }
}

impl Hold {
    /// The canonical bytes, version 1: `FORMAT.md`, "Hold".
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self {
            id,
            tenant,
            matter,
            scope,
            later,
            mode,
            placed_by,
            reason,
            placed_at,
        } = self;
        let mut w = canon::Writer::new();
        w.text(FORMAT)
            .fixed(id.as_bytes())
            .fixed(tenant.as_bytes())
            .text(matter.as_str())
            .text(reason.as_str())
            .fixed(placed_by.as_bytes())
            .i64(micros(*placed_at))
            .u8(match later {
                Later::Covered => 1,
                Later::Free => 2,
            });
        match mode {
            HoldMode::Governance => w.u8(1),
            HoldMode::Compliance { until } => w.u8(2).i64(micros(*until)),
        };
        match scope {
            HoldScope::Tenant => w.u8(1),
            HoldScope::Class(class) => w.u8(2).text(class.as_str()),
            HoldScope::Items { class, ids } => {
                w.u8(3).text(class.as_str());
                w.u32(u32::try_from(ids.ids().len()).unwrap_or(u32::MAX));
                for id in ids.ids() {
                    w.bytes(id.as_bytes());
                }
                &mut w
            }
            HoldScope::Subject(subject) => w.u8(4).bytes(subject.as_bytes()),
        };
        w.finish()
    }

    /// Reads the bytes of a hold.
    ///
    /// # Errors
    /// [`HoldBytesError`] for bytes that [`Hold::bytes`] did not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HoldBytesError> {
        let hold = decode(bytes).ok_or(HoldBytesError)?;
        if hold.bytes() == bytes {
            Ok(hold)
        } else {
            Err(HoldBytesError)
        }
    }

    /// The hold in parts that each fit one leaf of a log: one, or as many as its list of items
    /// needs, alike in everything but their items.
    #[must_use]
    pub fn parts(&self) -> Vec<Self> {
        let HoldScope::Items { class, ids } = &self.scope else {
            return vec![self.clone()];
        };
        let mut parts: Vec<BTreeSet<ItemId>> = Vec::new();
        let mut room = 0_usize;
        for id in ids.ids() {
            let len = id.as_bytes().len().saturating_add(4);
            match parts.last_mut() {
                Some(part) if part.len() < PART_ITEMS_MAX && len <= room => {
                    part.insert(id.clone());
                }
                _ => {
                    room = PART_BYTES_MAX;
                    parts.push(BTreeSet::from([id.clone()]));
                }
            }
            room = room.saturating_sub(len);
        }
        let scope = |ids: BTreeSet<ItemId>| HoldScope::Items {
            class: class.clone(),
            ids: ItemList(ids),
        };
        parts
            .into_iter()
            .map(|ids| Self {
                scope: scope(ids),
                ..self.clone()
            })
            .collect()
    }

    /// Takes in another part of the same hold: its items are added, the later end stands. Says
    /// whether it was one; nothing changed if not.
    pub fn merge(&mut self, part: &Self) -> Merged {
        let alike = |hold: &Self| Self {
            scope: HoldScope::Tenant,
            mode: HoldMode::Governance,
            ..hold.clone()
        };
        let mode = match (self.mode, part.mode) {
            (HoldMode::Governance, HoldMode::Governance) => HoldMode::Governance,
            (HoldMode::Compliance { until: a }, HoldMode::Compliance { until: b }) => {
                HoldMode::Compliance { until: a.max(b) }
            }
            _ => return Merged::Other,
        };
        let scope = match (&self.scope, &part.scope) {
            (
                HoldScope::Items { class, ids },
                HoldScope::Items {
                    class: of,
                    ids: more,
                },
            ) if class == of => {
                let all: BTreeSet<ItemId> = ids.0.union(&more.0).cloned().collect();
                match ItemList::try_from(all) {
                    Ok(ids) => HoldScope::Items {
                        class: class.clone(),
                        ids,
                    },
                    Err(_) => return Merged::Other,
                }
            }
            (a, b) if a == b => a.clone(),
            _ => return Merged::Other,
        };
        if alike(self) != alike(part) {
            return Merged::Other;
        }
        self.mode = mode;
        self.scope = scope;
        Merged::Done
    }
}

/// Whether a part was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it was or it was not")]
pub enum Merged {
    /// It was.
    Done,
    /// It is of another hold.
    Other,
}

fn decode(bytes: &[u8]) -> Option<Hold> {
    let mut r = canon::Reader::new(bytes);
    if r.text(64).ok()? != FORMAT {
        return None;
    }
    let id = HoldId::from_bytes(r.array().ok()?);
    let tenant = TenantId::from_bytes(r.array().ok()?);
    let matter = r.text(NAME_LEN_BYTES_MAX).ok()?.parse().ok()?;
    let reason = r.text(NAME_LEN_BYTES_MAX).ok()?.parse().ok()?;
    let placed_by = PrincipalId::from_bytes(r.array().ok()?);
    let placed_at = instant(r.i64().ok()?)?;
    let later = match r.u8().ok()? {
        1 => Later::Covered,
        2 => Later::Free,
        _ => return None,
    };
    let mode = match r.u8().ok()? {
        1 => HoldMode::Governance,
        2 => HoldMode::Compliance {
            until: instant(r.i64().ok()?)?,
        },
        _ => return None,
    };
    let scope = match r.u8().ok()? {
        1 => HoldScope::Tenant,
        2 => HoldScope::Class(r.text(NAME_LEN_BYTES_MAX).ok()?.parse().ok()?),
        3 => {
            let class = r.text(NAME_LEN_BYTES_MAX).ok()?.parse().ok()?;
            let mut ids = BTreeSet::new();
            for _ in 0..r.u32().ok()? {
                ids.insert(ItemId::try_from(r.bytes(64).ok()?).ok()?);
            }
            HoldScope::Items {
                class,
                ids: ItemList::try_from(ids).ok()?,
            }
        }
        4 => HoldScope::Subject(ItemId::try_from(r.bytes(64).ok()?).ok()?),
        _ => return None,
    };
    r.end().ok()?;
    Some(Hold {
        id,
        tenant,
        matter,
        scope,
        later,
        mode,
        placed_by,
        reason,
        placed_at,
    })
}

/// Whole microseconds since 1970, as databases keep them.
fn micros(at: UtcDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

fn instant(micros: i64) -> Option<UtcDateTime> {
    let nanos = i128::from(micros).checked_mul(1_000)?;
    UtcDateTime::from_unix_timestamp_nanos(nanos).ok()
}
