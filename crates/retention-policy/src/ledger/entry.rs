//! The bytes of an entry, and the chain of digests over a log: `FORMAT.md`, "Ledger".
#![deny(clippy::arithmetic_side_effects)]

#[cfg(feature = "digest")]
use covenant_core::digest::Digest;
use covenant_core::{EventId, HoldId, ItemId, canon};

use super::{Entry, LedgerKey};
use crate::{Hold, NAME_LEN_BYTES_MAX};

/// Opens the bytes of an entry, and names the empty log.
const FORMAT: &str = "covenant/ledger/v1";
/// Longest hold in bytes: as many items as it may list, each as long as it may be.
const HOLD_LEN_BYTES_MAX: usize = 1 << 20;

/// Bytes are not those of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not those of an entry of a ledger")]
pub struct EntryBytesError;

impl Entry {
    /// The canonical bytes; the fraction of a second is dropped.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self {
            seq,
            event,
            at,
            action,
            key,
            hold,
        } = self;
        let mut w = canon::Writer::new();
        w.text(FORMAT)
            .u64(*seq)
            .fixed(event.as_bytes())
            .instant(*at)
            .text(action.name());
        match key {
            LedgerKey::Database => w.u8(0),
            LedgerKey::Item { class, id } => w.u8(1).text(class).bytes(id.as_bytes()),
            LedgerKey::Hold(id) => w.u8(2).fixed(id.as_bytes()),
        };
        match hold {
            None => w.u8(0),
            Some(hold) => w.u8(1).bytes(&hold.bytes()),
        };
        w.finish()
    }

    /// Reads the bytes of an entry.
    ///
    /// # Errors
    /// [`EntryBytesError`] for bytes that [`Entry::bytes`] did not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryBytesError> {
        let entry = decode(bytes).ok_or(EntryBytesError)?;
        if entry.bytes() == bytes {
            Ok(entry)
        } else {
            Err(EntryBytesError)
        }
    }
}

fn decode(bytes: &[u8]) -> Option<Entry> {
    let mut r = canon::Reader::new(bytes);
    if r.text(64).ok()? != FORMAT {
        return None;
    }
    let seq = r.u64().ok()?;
    let event = EventId::from_bytes(r.array().ok()?);
    let at = r.instant().ok()?;
    let action = r.text(64).ok()?.parse().ok()?;
    let key = match r.u8().ok()? {
        0 => LedgerKey::Database,
        1 => LedgerKey::Item {
            class: r.text(NAME_LEN_BYTES_MAX).ok()?.to_owned(),
            id: ItemId::try_from(r.bytes(64).ok()?).ok()?,
        },
        2 => LedgerKey::Hold(HoldId::from_bytes(r.array().ok()?)),
        _ => return None,
    };
    let hold = match r.u8().ok()? {
        0 => None,
        1 => Some(Hold::from_bytes(r.bytes(HOLD_LEN_BYTES_MAX).ok()?).ok()?),
        _ => return None,
    };
    r.end().ok()?;
    Some(Entry {
        seq,
        event,
        at,
        action,
        key,
        hold,
    })
}

/// The root of the empty log.
#[cfg(feature = "digest")]
pub(crate) fn empty_root() -> Digest {
    Digest::of(FORMAT.as_bytes())
}

/// The root after one more entry.
#[cfg(feature = "digest")]
pub(crate) fn chain(before: &Digest, entry: &Entry) -> Digest {
    let mut bytes = before.as_bytes().to_vec();
    bytes.extend(entry.bytes());
    Digest::of(&bytes)
}
