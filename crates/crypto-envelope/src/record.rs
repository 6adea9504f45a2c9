//! Records of the key store: a KEK, and one version of a root. Plain data; the rules are with
//! [`crate::Keys`], the transactions with [`crate::store::KeyStore`].

use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, OrderId, Owner, TenantId, VaultId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::group::GroupName;
pub use crate::state::RootState;
use crate::state::{Dueness, KeyState, Standing, Trust};

/// Where a KEK is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new state must be met wherever states are decided"
)]
pub enum KekState {
    /// Recorded; the backend may or may not have it yet. Nothing is wrapped by it.
    Intended,
    /// In use, unless it is switched off.
    Enabled,
    /// Buried: its roots are emptied, the backend may or may not have it still.
    Dying,
    /// Gone from the backend and from escrow.
    Destroyed,
}

impl KekState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Intended, Self::Enabled, Self::Dying, Self::Destroyed];

    /// The name, as it stands in records and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Enabled => "enabled",
            Self::Dying => "dying",
            Self::Destroyed => "destroyed",
        }
    }
}

/// How a key is switched, over where it is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new state must be met wherever states are decided"
)]
pub enum Switch {
    /// In use.
    On,
    /// Switched off by hand.
    Off,
    /// Waiting for its destruction.
    Pending,
}

impl Switch {
    /// Every position.
    pub const ALL: [Self; 3] = [Self::On, Self::Off, Self::Pending];

    /// The name, as it stands in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Pending => "pending",
        }
    }

    const fn state(self) -> KeyState {
        match self {
            Self::On => KeyState::Enabled,
            Self::Off => KeyState::Disabled,
            Self::Pending => KeyState::PendingDeletion,
        }
    }
}

/// A key-encryption key, which itself never leaves its backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KekRecord {
    /// Its id, in the store as in the backend.
    pub id: KeyId,
    /// Which group it serves.
    pub group: GroupName,
    /// Its number in the group, from 1. The newest that was ever enabled wraps.
    pub n: u32,
    /// Where it is in its life.
    pub state: KekState,
    /// How it is switched.
    pub switch: Switch,
    /// Roots wrapped so far, at most [`crate::wrapped::WRAPS_MAX`].
    pub wraps: u64,
    /// When it was recorded.
    pub created_at: UtcDateTime,
    /// From when on it wraps no more, and a next one is made; `None` for an epoch's.
    pub expires_at: Option<UtcDateTime>,
    /// The instant from which it opens nothing, planned; `None` when none is planned.
    pub destroy_at: Option<UtcDateTime>,
    /// When the window of a scheduled destruction is over.
    pub pending_until: Option<UtcDateTime>,
    /// When it was marked as compromised.
    pub compromised_at: Option<UtcDateTime>,
    /// When it was buried.
    pub destroyed_at: Option<UtcDateTime>,
    /// When nothing of it was left, in its backend and in escrow.
    pub gone_at: Option<UtcDateTime>,
    /// A random root wrapped by it when it was enabled: it must open until it is destroyed, and
    /// never after. Empty before.
    pub canary: Vec<u8>,
    /// The store's revision at its last change, wraps aside.
    pub revision: u64,
}

impl KekRecord {
    /// Where it stands in the state table.
    #[must_use]
    pub const fn key_state(&self) -> KeyState {
        match self.state {
            KekState::Dying | KekState::Destroyed => KeyState::Destroyed,
            KekState::Intended | KekState::Enabled => self.switch.state(),
        }
    }

    /// Whether it may wrap, given the newest of its group that was ever enabled.
    #[must_use]
    pub fn standing(&self, newest: KeyId, now: UtcDateTime) -> Standing {
        if self.compromised_at.is_some() {
            Standing::Compromised
        } else if self.id != newest {
            Standing::Superseded
        } else if self.expires_at.is_some_and(|at| at <= now) {
            Standing::Expired
        } else {
            Standing::Current
        }
    }

    /// Whether its last instant has come.
    #[must_use]
    pub fn dueness(&self, now: UtcDateTime) -> Dueness {
        dueness(self.destroy_at, self.pending_until, now)
    }
}

/// One version of a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRecord {
    /// The version's id, in the prefix of every value that it sealed.
    pub id: KeyId,
    /// Whose root.
    pub owner: Owner,
    /// What for.
    pub purpose: Purpose,
    /// Its number among the owner's versions for this purpose, from 1.
    pub n: u32,
    /// The KEK that wraps it.
    pub kek: KeyId,
    /// The 77 bytes of a [`crate::wrapped::WrappedKey`]; empty once destroyed.
    pub wrapped: Vec<u8>,
    /// Where it is in its life.
    pub state: RootState,
    /// How it is switched.
    pub switch: Switch,
    /// When it was minted.
    pub created_at: UtcDateTime,
    /// From when on a pending version seals; `None` for an owner's first.
    pub active_from: Option<UtcDateTime>,
    /// The instant from which it opens nothing, planned; `None` when none is planned.
    pub destroy_at: Option<UtcDateTime>,
    /// When the window of a scheduled destruction is over.
    pub pending_until: Option<UtcDateTime>,
    /// When it was marked as compromised.
    pub compromised_at: Option<UtcDateTime>,
    /// When it was destroyed.
    pub destroyed_at: Option<UtcDateTime>,
    /// The store's revision at which it was last wrapped: copies from before hold other bytes.
    pub wrapped_revision: u64,
    /// The store's revision at its last change.
    pub revision: u64,
}

impl RootRecord {
    /// Where it stands in the state table.
    #[must_use]
    pub const fn key_state(&self) -> KeyState {
        match self.state {
            RootState::Destroyed => KeyState::Destroyed,
            RootState::Pending
            | RootState::Active
            | RootState::DecryptOnly
            | RootState::Retired => self.switch.state(),
        }
    }

    /// Whether its last instant has come.
    #[must_use]
    pub fn dueness(&self, now: UtcDateTime) -> Dueness {
        dueness(self.destroy_at, self.pending_until, now)
    }

    /// Whether it was marked.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        match self.compromised_at {
            None => Trust::Whole,
            Some(_) => Trust::Compromised,
        }
    }
}

fn dueness(plan: Option<UtcDateTime>, window: Option<UtcDateTime>, now: UtcDateTime) -> Dueness {
    let over = |at: Option<UtcDateTime>| at.is_some_and(|at| at <= now);
    if over(plan) {
        Dueness::PlanReached
    } else if over(window) {
        Dueness::WindowOver
    } else {
        Dueness::NotDue
    }
}

/// What a carried-out erasure of one data subject left on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The order.
    pub order: OrderId,
    /// The tenant.
    pub tenant: TenantId,
    /// The data subject.
    pub subject: Uuid,
    /// When the roots were destroyed.
    pub destroyed_at: UtcDateTime,
    /// The versions destroyed, ascending.
    pub keys: Vec<KeyId>,
    /// The store's revision at the destruction: copies from before may hold the keys.
    pub revision: u64,
    /// From when on no copy of them exists anywhere; `None` until that is known.
    pub complete_by: Option<UtcDateTime>,
}

/// Takes apart the 33 bytes of [`Owner::encode`]; `None` for bytes that no owner encodes to.
#[must_use]
pub fn decode_owner(bytes: &[u8]) -> Option<Owner> {
    let bytes: &[u8; 33] = bytes.try_into().ok()?;
    let (class, rest) = bytes.split_first()?;
    let (tenant, id) = rest.split_first_chunk::<16>()?;
    let tenant = TenantId::from_bytes(*tenant);
    let id = Uuid::from_slice(id).ok()?;
    let owner = match class {
        1 => Owner::Tenant(tenant),
        2 => Owner::Subject(tenant, id),
        3 => Owner::Vault(tenant, VaultId::from_uuid(id)),
        4 => Owner::Platform(id),
        _ => return None,
    };
    (owner.encode() == *bytes).then_some(owner)
}

/// The purpose with this name.
#[must_use]
pub fn parse_purpose(name: &str) -> Option<Purpose> {
    use Purpose::{Data, Index, Platform, Sensitive, Subject, Vault};
    [Data, Index, Sensitive, Subject, Vault, Platform]
        .into_iter()
        .find(|p| p.name() == name)
}

/// Whether an owner of this class has a root for this purpose.
#[must_use]
pub const fn has_root(owner: Owner, purpose: Purpose) -> bool {
    matches!(
        (owner, purpose),
        (
            Owner::Tenant(_),
            Purpose::Data | Purpose::Index | Purpose::Sensitive
        ) | (Owner::Subject(..), Purpose::Subject | Purpose::Sensitive)
            | (Owner::Vault(..), Purpose::Vault)
            | (Owner::Platform(_), Purpose::Platform)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_survive_their_encoding() {
        let (a, b) = (Uuid::from_u128(7), Uuid::from_u128(9));
        let tenant = TenantId::from_uuid(a);
        let owners = [
            Owner::Tenant(tenant),
            Owner::Subject(tenant, b),
            Owner::Vault(tenant, VaultId::from_uuid(b)),
            Owner::Platform(b),
        ];
        for owner in owners {
            assert_eq!(decode_owner(&owner.encode()), Some(owner));
        }
    }

    #[test]
    fn bytes_that_no_owner_encodes_to_are_refused() {
        let tenant = TenantId::from_uuid(Uuid::from_u128(7));
        let mut bytes = Owner::Tenant(tenant).encode();
        for len in [0, 32] {
            assert_eq!(decode_owner(&bytes[..len]), None);
        }
        bytes[32] = 1;
        assert_eq!(decode_owner(&bytes), None, "a tenant has no second id");
        bytes[32] = 0;
        assert_eq!(decode_owner(&bytes), Some(Owner::Tenant(tenant)));
        for class in [0, 4, 5, 255] {
            bytes[0] = class;
            assert_eq!(decode_owner(&bytes), None, "class {class}");
        }
    }
}
