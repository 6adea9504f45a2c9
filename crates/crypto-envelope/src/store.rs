//! Where key records live: never in the data's own database, never in its backups.

pub mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;

use std::fmt::Debug;

use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{BoxFuture, KeyId, OrderId, Owner, TenantId};
use time::UtcDateTime;

use crate::group::GroupName;
use crate::record::{Erasure, KekRecord, RootRecord};

pub use memory::MemoryStore;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::SqlStore;

/// A key store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A record cannot be read; the text names the part.
    #[error("a key record is damaged: {0}")]
    Damaged(&'static str),
    /// The order's id was used for another data subject.
    #[error("the order was carried out for another data subject")]
    OtherOrder,
    /// There is no such record.
    #[error("no key record {0}")]
    NoRecord(KeyId),
    /// Another record has this id.
    #[error("another key record has id {0}")]
    Taken(KeyId),
    /// No such order was carried out.
    #[error("order {0} was not carried out")]
    NoOrder(OrderId),
    /// The database failed.
    #[error("the key database failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What became of a new root.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller decides on each of these")]
pub enum Added {
    /// It is recorded, as given but for its date: a data subject's root takes its tenant's.
    Stored(RootRecord),
    /// The owner has this one already, active or destroyed; nothing was written.
    Exists(RootRecord),
    /// A key in this state forbids it: the KEK, the tenant's or the erased data subject's.
    Refused(&'static str),
    /// A data subject's tenant has no root here.
    NoTenant,
    /// The KEK has wrapped as many roots as is safe.
    Exhausted,
}

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller decides on each of these")]
pub enum Planned {
    /// All roots carry the date: how many there are.
    Done(u64),
    /// This root carries another date; nothing was written.
    Differs(KeyId, UtcDateTime),
}

/// Records whose planned instant has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// KEKs that are due, and those whose destruction was begun.
    pub keks: Vec<KekRecord>,
    /// Roots that are due by themselves.
    pub roots: Vec<RootRecord>,
}

/// Whether destroyed wrapped bytes have left the store's own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller decides on each of these")]
pub enum Flush {
    /// The store's files hold none of them any more.
    Clean,
    /// The store cannot say, or somebody was reading: call again.
    Pending,
}

/// A store's answer, later.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Keeps key records. Every method is one transaction, durable when it returns.
///
/// # Contract
/// A group has one KEK and an owner one root for a purpose: of two that are added at once one wins,
/// and the other caller is given the winner. Records are never removed, so a destroyed owner never
/// gets a root again. A root is added only while its KEK is enabled, and, for a data subject, only
/// while the tenant's root is active and the subject not erased; this holds against every other
/// call at the same time. A buried record's wrapped bytes are empty.
///
/// # Errors
/// [`StoreError`]; a failed call has written nothing, or all, and may be repeated.
///
/// # Implementing
/// Run `testing::store_suite` (feature `testing`) against the implementation.
pub trait KeyStore: Debug + Send + Sync {
    /// The KEK with this id.
    fn kek(&self, id: KeyId) -> StoreFuture<'_, Option<KekRecord>>;
    /// The KEK of the group.
    fn kek_of<'a>(&'a self, group: &'a GroupName) -> StoreFuture<'a, Option<KekRecord>>;
    /// Records a KEK as intended, unless its group has one; returns the group's.
    fn intend_kek<'a>(&'a self, kek: &'a KekRecord) -> StoreFuture<'a, KekRecord>;
    /// Enables an intended KEK; leaves every other state as it is; returns the record.
    fn enable_kek(&self, id: KeyId) -> StoreFuture<'_, KekRecord>;
    /// The root version with this id.
    fn root(&self, id: KeyId) -> StoreFuture<'_, Option<RootRecord>>;
    /// The owner's root for this purpose.
    fn root_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Option<RootRecord>>;
    /// Adds a root and counts the wrap.
    fn add_root<'a>(&'a self, root: &'a RootRecord) -> StoreFuture<'a, Added>;
    /// Dates the active roots of a tenant and of its data subjects, not of its vaults.
    fn plan_roots(&self, tenant: TenantId, at: UtcDateTime) -> StoreFuture<'_, Planned>;
    /// What is due at this instant.
    fn due(&self, now: UtcDateTime) -> StoreFuture<'_, Due>;
    /// The earliest planned instant of a living record; the past for a destruction begun.
    fn next_due(&self) -> StoreFuture<'_, Option<UtcDateTime>>;
    /// Buries a KEK: its state is dying and every root under it is emptied. Repeated, it changes
    /// nothing and returns the same. The roots returned are those that went with it.
    fn bury_kek(&self, id: KeyId, at: UtcDateTime)
    -> StoreFuture<'_, (KekRecord, Vec<RootRecord>)>;
    /// Records that a dying KEK has left its backend.
    fn finish_kek(&self, id: KeyId) -> StoreFuture<'_, ()>;
    /// Empties a root; one that is destroyed stays as it is. Returns the record.
    fn bury_root(&self, id: KeyId, at: UtcDateTime) -> StoreFuture<'_, RootRecord>;
    /// Empties every root of the order's data subject and refuses new ones for ever. The same order
    /// again returns the same; another order for the same subject returns the first one's facts.
    fn erase_subject<'a>(
        &'a self,
        order: &'a DestroyOrder,
        at: UtcDateTime,
    ) -> StoreFuture<'a, Erasure>;
    /// Records from when on no copy of an erased subject's roots exists, unless that is recorded
    /// already; returns what is recorded.
    fn settle_erasure(
        &self,
        order: OrderId,
        complete_by: UtcDateTime,
    ) -> StoreFuture<'_, UtcDateTime>;
    /// Makes emptied bytes leave the store's own files; cheap when there are none to leave.
    fn flush(&self) -> StoreFuture<'_, Flush>;
    /// Every KEK, by id.
    fn keks(&self) -> StoreFuture<'_, Vec<KekRecord>>;
    /// Every root, by id.
    fn roots(&self) -> StoreFuture<'_, Vec<RootRecord>>;
}
