//! Identifiers: UUIDs that know what they name, and the opaque id of an item.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Clock, LogSafe, Random, RandomError};

/// What an [`Id`] names; one empty type for each kind of id.
pub mod kind {
    /// Marks ids of tenants.
    #[derive(Debug)]
    pub struct Tenant;
    /// Marks ids of events; a decision is known by the id of its event.
    #[derive(Debug)]
    pub struct Event;
    /// Marks ids of audit logs.
    #[derive(Debug)]
    pub struct Log;
    /// Marks ids of keys: key-encryption keys and versions of roots.
    #[derive(Debug)]
    pub struct Key;
    /// Marks ids of vaults.
    #[derive(Debug)]
    pub struct Vault;
    /// Marks ids of snapshots.
    #[derive(Debug)]
    pub struct Snapshot;
    /// Marks ids of disposal and erasure orders.
    #[derive(Debug)]
    pub struct Order;
    /// Marks ids of holds.
    #[derive(Debug)]
    pub struct Hold;
    /// Marks ids of principals of any kind.
    #[derive(Debug)]
    pub struct Principal;
    /// Marks ids of members of a tenant.
    #[derive(Debug)]
    pub struct User;
    /// Marks ids of the operator's staff.
    #[derive(Debug)]
    pub struct Staff;
    /// Marks ids of business transactions.
    #[derive(Debug)]
    pub struct Txn;
    /// Marks ids of stores.
    #[derive(Debug)]
    pub struct Store;
}

/// A UUID that names one kind of thing; minted as version 7, parsed in any version.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

/// Names a tenant (a customer).
pub type TenantId = Id<kind::Tenant>;
/// Names an event.
pub type EventId = Id<kind::Event>;
/// Names an access decision: the id of the event that recorded it.
pub type DecisionId = EventId;
/// Names an audit log.
pub type LogId = Id<kind::Log>;
/// Names a key-encryption key or one version of a root.
pub type KeyId = Id<kind::Key>;
/// Names a vault.
pub type VaultId = Id<kind::Vault>;
/// Names a snapshot.
pub type SnapshotId = Id<kind::Snapshot>;
/// Names a disposal or erasure order.
pub type OrderId = Id<kind::Order>;
/// Names a hold.
pub type HoldId = Id<kind::Hold>;
/// Names whoever acts: a member, a person of staff, an integration or a service.
pub type PrincipalId = Id<kind::Principal>;
/// Names a member of a tenant.
pub type UserId = Id<kind::User>;
/// Names one person of the operator's staff.
pub type StaffId = Id<kind::Staff>;
/// Names one business transaction.
pub type TxnId = Id<kind::Txn>;
/// Names one store.
pub type StoreId = Id<kind::Store>;

/// A text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct IdError;

impl<K> Id<K> {
    /// Mints a version 7 id: 48 bits of the clock's wall time in milliseconds, 74 random bits.
    ///
    /// # Errors
    /// [`RandomError`] when the source of randomness fails.
    pub fn mint(clock: &dyn Clock, random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = [0_u8; 10];
        random.fill(&mut bytes)?;
        let millis = clock.now().unix_timestamp_nanos() / 1_000_000;
        let millis = u64::try_from(millis).unwrap_or(0);
        Ok(Self::from_uuid(
            uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid(),
        ))
    }

    /// The id with this UUID, whatever its version.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self {
            uuid,
            kind: PhantomData,
        }
    }

    /// The id with these 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    /// The UUID.
    #[must_use]
    pub const fn as_uuid(&self) -> Uuid {
        self.uuid
    }

    /// The 16 bytes, most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.uuid.as_bytes()
    }

    /// 32 lower-case hexadecimal digits, as used in file and object names.
    #[must_use]
    pub fn simple(&self) -> String {
        self.uuid.as_simple().to_string()
    }
}

impl TenantId {
    /// The tenant id of a service that has ids of its own: UUID version 5 over its namespace.
    #[must_use]
    pub fn derive(namespace: &Uuid, external: &str) -> Self {
        Self::from_uuid(Uuid::new_v5(namespace, external.as_bytes()))
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.uuid)
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.uuid)
    }
}
impl<K> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text).map(Self::from_uuid).or(Err(IdError))
    }
}
impl<K> LogSafe for Id<K> {}

/// Longest [`ItemId`] in bytes: a bound of ours, so that a place and a plan stay small.
pub const ITEM_ID_LEN_BYTES_MAX: usize = 64;

/// The opaque id of one item (a row, an object) in its class: 1 to 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(Box<[u8]>);

/// Bytes cannot be an [`ItemId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an item id has 1 to {ITEM_ID_LEN_BYTES_MAX} bytes, not {len}")]
pub struct ItemIdError {
    len: usize,
}

impl ItemId {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lower-case hexadecimal of the bytes.
    #[must_use]
    pub fn hex(&self) -> String {
        crate::canon::hex(&self.0)
    }
}

impl TryFrom<&[u8]> for ItemId {
    type Error = ItemIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, ItemIdError> {
        if bytes.is_empty() || bytes.len() > ITEM_ID_LEN_BYTES_MAX {
            return Err(ItemIdError { len: bytes.len() });
        }
        Ok(Self(bytes.into()))
    }
}
impl TryFrom<&str> for ItemId {
    type Error = ItemIdError;

    fn try_from(text: &str) -> Result<Self, ItemIdError> {
        Self::try_from(text.as_bytes())
    }
}
impl From<Uuid> for ItemId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid.as_bytes().as_slice().into())
    }
}
impl From<i64> for ItemId {
    fn from(number: i64) -> Self {
        Self(number.to_be_bytes().as_slice().into())
    }
}
impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemId({})", self.hex())
    }
}
