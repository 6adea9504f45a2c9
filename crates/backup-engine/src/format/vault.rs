//! The vault record: which key opens the vault, and when it dies. In the clear, since it is what
//! leads to the key; its tail proves that the vault's own key wrote it.
#![deny(clippy::arithmetic_side_effects)]

use covenant_core::canon::{CanonError, Reader, Writer};
use covenant_core::{KeyId, VaultId};
use time::UtcDateTime;

use super::FormatError;
use crate::domain::Epoch;
use crate::layout::DomainName;

const MAGIC: &[u8; 8] = b"CVNTVLT0";

/// Bytes before the tail: magic 8, repository 16, domain 16, epoch 8, start 8, end 8, vault 16,
/// root version 16, KEK 16, destroy_at 8.
pub const HEAD_LEN_BYTES: usize = 120;

/// Bytes of the tail: a Cobblestone message of nothing (salt 24, commitment 32, tag 16).
pub const TAIL_LEN_BYTES: usize = 72;

/// One vault's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultRecord {
    /// The repository.
    pub repo: [u8; 16],
    /// The domain's name in depots.
    pub domain: DomainName,
    /// The epoch.
    pub epoch: Epoch,
    /// First instant of the epoch.
    pub start: UtcDateTime,
    /// First instant after it.
    pub end: UtcDateTime,
    /// The vault.
    pub vault: VaultId,
    /// Version of its root.
    pub root: KeyId,
    /// The key-encryption key that wraps the root.
    pub kek: KeyId,
    /// When both die.
    pub destroy_at: UtcDateTime,
}

impl VaultRecord {
    /// The bytes before the tail: what the tail is bound to.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let Self {
            repo,
            domain,
            epoch,
            start,
            end,
            vault,
            root,
            kek,
            destroy_at,
        } = self;
        let mut writer = Writer::new();
        writer
            .fixed(MAGIC)
            .fixed(repo)
            .fixed(&domain.0)
            .fixed(epoch.to_string().as_bytes())
            .instant(*start)
            .instant(*end)
            .fixed(vault.as_bytes())
            .fixed(root.as_bytes())
            .fixed(kek.as_bytes())
            .instant(*destroy_at);
        writer.finish()
    }

    /// Record and tail out of stored bytes.
    ///
    /// # Errors
    /// [`FormatError`] for anything that does not encode back to the same bytes.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), FormatError> {
        let error = FormatError {
            kind: "vault record",
        };
        let (head, tail) = bytes.split_at_checked(HEAD_LEN_BYTES).ok_or(error)?;
        let record = Self::read(head).or(Err(error))?.ok_or(error)?;
        if tail.len() == TAIL_LEN_BYTES && record.head() == head {
            Ok((record, tail))
        } else {
            Err(error)
        }
    }

    fn read(head: &[u8]) -> Result<Option<Self>, CanonError> {
        let mut reader = Reader::new(head);
        let magic: [u8; 8] = reader.array()?;
        let repo = reader.array()?;
        let domain = DomainName(reader.array()?);
        let epoch: [u8; 8] = reader.array()?;
        let epoch = std::str::from_utf8(&epoch)
            .ok()
            .and_then(|text| text.parse().ok());
        let (start, end) = (reader.instant()?, reader.instant()?);
        let vault = VaultId::from_bytes(reader.array()?);
        let root = KeyId::from_bytes(reader.array()?);
        let kek = KeyId::from_bytes(reader.array()?);
        let destroy_at = reader.instant()?;
        reader.end()?;
        let Some(epoch) = epoch.filter(|_| &magic == MAGIC) else {
            return Ok(None);
        };
        Ok(Some(Self {
            repo,
            domain,
            epoch,
            start,
            end,
            vault,
            root,
            kek,
            destroy_at,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn record() -> VaultRecord {
        let at = |seconds| UtcDateTime::from_unix_timestamp(seconds).unwrap();
        VaultRecord {
            repo: [1; 16],
            domain: DomainName([2; 16]),
            epoch: "20270228".parse().unwrap(),
            start: at(1_803_740_400),
            end: at(1_803_826_800),
            vault: VaultId::from_bytes([3; 16]),
            root: KeyId::from_bytes([4; 16]),
            kek: KeyId::from_bytes([5; 16]),
            destroy_at: at(1_819_000_000),
        }
    }

    #[test]
    fn what_parses_encodes_to_the_same_bytes_and_nothing_else_parses() {
        let mut bytes = record().head();
        assert_eq!(bytes.len(), HEAD_LEN_BYTES);
        bytes.extend([0; TAIL_LEN_BYTES]);
        let (parsed, tail) = VaultRecord::parse(&bytes).unwrap();
        assert_eq!((parsed, tail.len()), (record(), TAIL_LEN_BYTES));
        for cut in 0..bytes.len() {
            assert!(VaultRecord::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        bytes.push(0);
        assert!(VaultRecord::parse(&bytes).is_err(), "a byte too many");
        bytes.pop();
        bytes[0] ^= 1;
        assert!(VaultRecord::parse(&bytes).is_err(), "another magic");
    }
}
