//! Keys of the parts that a platform keeps of itself: roots of the platform whose bytes come from the
//! recovery key, and which the running platform keeps in its place.

use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, Secret};
use uuid::Uuid;

use super::Keys;
use crate::error::KeyError;
use crate::group::GroupName;
use crate::recovery::{Part, PartKey};
use crate::store::{Added, StoreError};

/// What the owners of these roots are derived from: the version 5 UUID of a part's name in it.
const PARTS: Uuid = Uuid::from_u128(0x636f_7665_6e61_6e74_2f70_6c61_7466_6f72);

impl Keys {
    /// Keeps the key of a part, unless one is kept: from then on [`Keys::part_key`] gives it.
    ///
    /// # Errors
    /// As [`Keys::create_tenant`].
    pub async fn keep_part_key(&self, key: &PartKey) -> Result<(), KeyError> {
        self.check_gate().await?;
        let (owner, purpose) = (owner(key.part()), Purpose::Platform);
        if self.store.root_of(owner, purpose).await?.is_some() {
            return Ok(());
        }
        let kek = self.wrapping_kek(&GroupName::Standard).await?;
        let id = KeyId::mint(&*self.terms.clock, &*self.terms.random)?;
        let record = self.wrapped_record(owner, purpose, 1, kek.id, id, key.root());
        match self.store.add_root(&record.await?).await? {
            Added::Stored(_) | Added::Exists(_) => Ok(()),
            Added::Refused(state) => Err(KeyError::State(state)),
            Added::Exhausted => Err(KeyError::Exhausted(kek.id)),
            Added::NoTenant => Err(KeyError::Store(StoreError::Damaged("part"))),
        }
    }

    /// The key of a part, as it was kept.
    ///
    /// # Errors
    /// [`KeyError::Absent`] when none was; otherwise as [`Keys::unlock`].
    pub async fn part_key(&self, part: Part) -> Result<PartKey, KeyError> {
        let (owner, purpose) = (owner(part), Purpose::Platform);
        let root = self.store.root_of(owner, purpose).await?;
        let version = root.ok_or(KeyError::Absent)?.id;
        let unlocked = self.unlock_version(version, owner, purpose).await?;
        let root = Secret::new(*unlocked.root()?.expose());
        PartKey::new(part, root).or(Err(KeyError::Damaged(version)))
    }
}

fn owner(part: Part) -> Owner {
    Owner::Platform(Uuid::new_v5(&PARTS, part.name().as_bytes()))
}
