//! Roots of vaults, as backup engines see them: minted with their end, unlocked until then.

use std::fmt::Debug;

use covenant_core::{BoxFuture, KeyId, Secret, TenantId, VaultId};
use time::UtcDateTime;

use crate::error::KeyError;
use crate::group::EpochName;
use crate::unlocked::Unlocked;

/// The root of one vault, as it is recorded beside the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "wrappers of VaultKeys make these"
)]
pub struct VaultRoot {
    /// The version of the root.
    pub version: KeyId,
    /// The KEK of the backup epoch.
    pub kek: KeyId,
    /// The instant from which the root opens nothing.
    pub destroy_at: UtcDateTime,
}

/// An unlocked root of a vault: only derived from, never sealed with.
#[derive(Debug, Clone)]
pub struct VaultKey(Unlocked);

impl VaultKey {
    /// The version of the root.
    #[must_use]
    pub fn version(&self) -> KeyId {
        self.0.version()
    }

    /// The KEK of the backup epoch.
    #[must_use]
    pub fn kek(&self) -> KeyId {
        self.0.kek()
    }

    /// HKDF-Expand-SHA512(root, info, 32): a key for one use, which outlives the lease.
    ///
    /// # Errors
    /// [`KeyError::LeaseOver`] when the key was unlocked too long ago, [`KeyError::State`] once the
    /// vault's day has come, [`KeyError::ReservedInfo`].
    pub fn derive(&self, info: &[u8]) -> Result<Secret<[u8; 32]>, KeyError> {
        self.0.derive(info)
    }
}

impl From<Unlocked> for VaultKey {
    fn from(unlocked: Unlocked) -> Self {
        Self(unlocked)
    }
}

/// Mints and unlocks roots of vaults.
///
/// # Contract
/// Every vault has a root of its own, independent of every other. All vaults of an epoch lie under
/// one KEK, which is destroyed at the epoch's `destroy_at`, fixed by its first vault; until the
/// instant before, every one of them unlocks, and from then on none, anywhere. Minting again
/// returns the same root; of two callers at once both get the same.
///
/// # Errors
/// [`KeyError::TooSoon`] for an epoch that ends less than seven days after its first vault,
/// [`KeyError::Planned`] when the epoch has another end, [`KeyError::OtherEpoch`] when the vault
/// lies in another epoch, [`KeyError::State`] after the end, [`KeyError::Absent`] for a vault that
/// was never minted, [`KeyError::Store`], [`KeyError::Backend`].
///
/// # Implementing
/// [`crate::Keys`] is the implementation; others wrap it.
pub trait VaultKeys: Debug + Send + Sync {
    /// The vault's root, minted unless it is there.
    fn vault_root<'a>(
        &'a self,
        tenant: TenantId,
        vault: VaultId,
        epoch: &'a EpochName,
        destroy_at: UtcDateTime,
    ) -> BoxFuture<'a, Result<VaultRoot, KeyError>>;
    /// Unlocks the vault's root.
    fn unlock_vault(
        &self,
        tenant: TenantId,
        vault: VaultId,
    ) -> BoxFuture<'_, Result<VaultKey, KeyError>>;
}
