//! Names of objects: pure functions of ids, derived from no plaintext. Create-only: nothing in a
//! depot is ever overwritten.

use covenant_core::canon;
use time::UtcDateTime;

use crate::domain::Epoch;

/// The name of a domain in a depot: 16 bytes that only the platform's naming key can link to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(pub [u8; 16]);

impl DomainName {
    /// Everything of the domain.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("d/{}/", canon::hex(&self.0))
    }

    /// Everything of every vault of the domain.
    #[must_use]
    pub fn vaults(&self) -> String {
        format!("{}v/", self.prefix())
    }

    /// Everything of one vault.
    #[must_use]
    pub fn vault_prefix(&self, epoch: Epoch) -> String {
        format!("{}{epoch}/", self.vaults())
    }

    /// The vault record.
    #[must_use]
    pub fn vault(&self, epoch: Epoch) -> String {
        format!("{}vault", self.vault_prefix(epoch))
    }

    /// All packs of a vault.
    #[must_use]
    pub fn packs(&self, epoch: Epoch) -> String {
        format!("{}pack/", self.vault_prefix(epoch))
    }

    /// A pack of sealed chunks.
    #[must_use]
    pub fn pack(&self, epoch: Epoch, id: [u8; 16]) -> String {
        format!("{}{}", self.packs(epoch), canon::hex(&id))
    }

    /// All snapshots of a vault.
    #[must_use]
    pub fn snapshots(&self, epoch: Epoch) -> String {
        format!("{}snap/", self.vault_prefix(epoch))
    }

    /// A snapshot: the only commit point.
    #[must_use]
    pub fn snapshot(&self, epoch: Epoch, completed: UtcDateTime, id: [u8; 16]) -> String {
        let seconds = completed.unix_timestamp();
        format!("{}{seconds:012}-{}", self.snapshots(epoch), canon::hex(&id))
    }

    /// The epoch that a key of this domain's vaults lies in.
    #[must_use]
    pub fn epoch_of(&self, key: &str) -> Option<Epoch> {
        key.strip_prefix(&self.vaults())?
            .split('/')
            .next()?
            .parse()
            .ok()
    }

    /// Completion and id of a snapshot, from its key.
    #[must_use]
    pub fn snapshot_of(&self, key: &str) -> Option<(Epoch, UtcDateTime, [u8; 16])> {
        let epoch = self.epoch_of(key)?;
        let (seconds, id) = key.strip_prefix(&self.snapshots(epoch))?.split_once('-')?;
        let completed = UtcDateTime::from_unix_timestamp(seconds.parse().ok()?).ok()?;
        let id = canon::unhex(id)?.try_into().ok()?;
        (self.snapshot(epoch, completed, id) == key).then_some((epoch, completed, id))
    }
}

/// The file that names the repository.
pub const REPO: &str = "repo";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshots_key_gives_back_what_it_was_made_of() {
        let name = DomainName([7; 16]);
        let epoch: Epoch = "20270228".parse().unwrap();
        let completed = UtcDateTime::from_unix_timestamp(1_803_000_000).unwrap();
        let key = name.snapshot(epoch, completed, [9; 16]);
        assert_eq!(name.snapshot_of(&key), Some((epoch, completed, [9; 16])));
        for bad in [
            "",
            "d/",
            "x",
            &key.replace("snap", "pack"),
            &format!("{key}0"),
        ] {
            assert_eq!(name.snapshot_of(bad), None, "{bad}");
        }
        assert_eq!(
            DomainName([8; 16]).snapshot_of(&key),
            None,
            "another domain's"
        );
    }
}
