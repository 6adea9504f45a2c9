//! Where key records live: never in the data's own database, never in its backups.

pub mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;

use std::fmt::Debug;

use covenant_core::event::ActorContext;
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{BoxFuture, EventId, KeyId, OrderId, Owner, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::copies::KeyCopy;
use crate::group::GroupName;
use crate::journal::KeyEvent;
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
    /// The store holds records, so that none can be put back into it.
    #[error("the key store is not empty")]
    NotEmpty,
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

/// What became of a change to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller decides on each of these")]
pub enum Swap {
    /// It is recorded, with its event.
    Done,
    /// The record was changed since it was read; nothing was written. Read it again.
    Stale,
    /// Living roots lie under the KEK: how many. Nothing was written.
    NotEmpty(u64),
}

/// What became of a count of wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller decides on each of these")]
pub enum Counted {
    /// Counted.
    Done,
    /// The KEK does not wrap; the text is its state.
    Refused(&'static str),
    /// It has wrapped as many roots as is safe.
    Exhausted,
}

/// What became of a batch of rewrapped roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller decides on each of these")]
pub enum Moved {
    /// So many lie under the new KEK now; the others were changed since they were read.
    Done(u64),
    /// The new KEK does not wrap; the text is its state. Nothing was written.
    Refused(&'static str),
    /// The new KEK has wrapped as many roots as is safe. Nothing was written.
    Exhausted,
}

/// Whether the store may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store is open or shut")]
pub enum Gate {
    /// It may.
    Open,
    /// It was put back from a copy: what was destroyed since must be destroyed again first.
    Shut,
}

/// What a store knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data of the key store")]
pub struct StoreStanding {
    /// How many changes there were.
    pub revision: u64,
    /// Whether it may be used.
    pub gate: Gate,
    /// The latest instant that was ever recorded: time was at least so late.
    pub latest_at: Option<UtcDateTime>,
}

/// Records that changed after a revision: of all of them, a full copy; else an increment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data of the key store")]
pub struct Changes {
    /// The revision after which these changed.
    pub after: u64,
    /// The store's revision.
    pub revision: u64,
    /// KEKs, by id.
    pub keks: Vec<KekRecord>,
    /// Roots, by id. Those that were destroyed are empty.
    pub roots: Vec<RootRecord>,
    /// Erasures, by order.
    pub erasures: Vec<Erasure>,
}

/// Records whose last instant has come, planned or by a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// KEKs that are due, and those whose destruction was begun.
    pub keks: Vec<KekRecord>,
    /// Roots that are due by themselves.
    pub roots: Vec<RootRecord>,
    /// Root versions that are to seal from now on.
    pub ripe: Vec<RootRecord>,
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
/// A group has one KEK of each number, and an owner one root of each number for a purpose: of two
/// that are added at once one wins, and the other caller is given the winner. Records are never
/// removed, so a destroyed owner never gets a root again. A root is added only while its KEK is
/// enabled, switched on and the newest enabled one of its group; a later version only while the one
/// before is not destroyed, whose dates it takes; a data subject's only while the tenant's root is
/// not destroyed and the subject not erased. All of this holds against every other call at the same
/// time. A buried record's wrapped bytes are empty. Every change but the count of wraps raises the
/// store's revision, and the changed record carries the new one. Events that a method is given are
/// recorded with the change or not at all.
///
/// # Errors
/// [`StoreError`]; a failed call has written nothing, or all, and may be repeated.
///
/// # Implementing
/// Run `testing::store_suite` (feature `testing`) against the implementation.
pub trait KeyStore: Debug + Send + Sync {
    /// The KEK with this id.
    fn kek(&self, id: KeyId) -> StoreFuture<'_, Option<KekRecord>>;
    /// The KEKs of the group, by number.
    fn keks_of<'a>(&'a self, group: &'a GroupName) -> StoreFuture<'a, Vec<KekRecord>>;
    /// Records a KEK as intended, unless its group has one of its number; returns that one.
    fn intend_kek<'a>(&'a self, kek: &'a KekRecord) -> StoreFuture<'a, KekRecord>;
    /// Enables an intended KEK and keeps its canary; leaves every other state as it is; returns
    /// the record. The event is recorded when it was enabled now.
    fn enable_kek<'a>(
        &'a self,
        id: KeyId,
        canary: &'a [u8],
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, KekRecord>;
    /// Changes switch and dates of a KEK that is not buried, if nobody changed it since.
    fn put_kek<'a>(&'a self, kek: &'a KekRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap>;
    /// The same, only while no living root lies under it.
    fn put_empty_kek<'a>(
        &'a self,
        kek: &'a KekRecord,
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, Swap>;
    /// Counts one wrap by a KEK that keeps no record here.
    fn count_wrap(&self, kek: KeyId) -> StoreFuture<'_, Counted>;
    /// The root version with this id.
    fn root(&self, id: KeyId) -> StoreFuture<'_, Option<RootRecord>>;
    /// The owner's root for this purpose that seals: the newest active version, else the newest.
    fn root_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Option<RootRecord>>;
    /// All versions of the owner's root for this purpose, by number.
    fn roots_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Vec<RootRecord>>;
    /// Adds a root and counts the wrap.
    fn add_root<'a>(&'a self, root: &'a RootRecord) -> StoreFuture<'a, Added>;
    /// Changes state, switch and dates of a root that is not destroyed, if nobody changed it since.
    fn put_root<'a>(&'a self, root: &'a RootRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap>;
    /// Up to `limit` living roots under the KEK with ids greater than `after`, by id.
    fn roots_under(
        &self,
        kek: KeyId,
        after: Option<KeyId>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<RootRecord>>;
    /// Puts living roots under another KEK: each has its new bytes, and is left alone if somebody
    /// changed it since. Counts the wraps.
    fn move_roots<'a>(&'a self, to: KeyId, roots: &'a [RootRecord]) -> StoreFuture<'a, Moved>;
    /// Dates the living roots of a tenant and of its data subjects, not of its vaults.
    fn plan_roots(&self, tenant: TenantId, at: UtcDateTime) -> StoreFuture<'_, Planned>;
    /// What is due at this instant.
    fn due(&self, now: UtcDateTime) -> StoreFuture<'_, Due>;
    /// The earliest instant at which something is to be done with a key: a date of a living record,
    /// the expiry of a KEK in use; the past for a destruction begun.
    fn next_due(&self) -> StoreFuture<'_, Option<UtcDateTime>>;
    /// Buries a KEK: its state is dying and every root under it is emptied. Repeated, it changes
    /// nothing and returns the same. The roots returned are those that went with it. Of each key
    /// that went, [`KeyEvent::destroyed`] is recorded.
    fn bury_kek<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, (KekRecord, Vec<RootRecord>)>;
    /// Records that a dying KEK has left its backend and escrow.
    fn finish_kek(&self, id: KeyId, at: UtcDateTime) -> StoreFuture<'_, ()>;
    /// Empties a root; one that is destroyed stays as it is. Returns the record. Its
    /// [`KeyEvent::destroyed`] is recorded.
    fn bury_root<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, RootRecord>;
    /// Empties every root of the order's data subject and refuses new ones for ever. The same order
    /// again returns the same; another order for the same subject returns the first one's facts.
    /// Of each root that went, [`KeyEvent::destroyed`] is recorded.
    fn erase_subject<'a>(
        &'a self,
        order: &'a DestroyOrder,
        at: UtcDateTime,
        actor: &'a ActorContext,
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
    /// What the store knows of itself.
    fn standing(&self) -> StoreFuture<'_, StoreStanding>;
    /// Shuts or opens the store for use.
    fn set_gate(&self, gate: Gate) -> StoreFuture<'_, ()>;
    /// What changed after this revision, at one consistent point; 0 for everything.
    fn changes(&self, after: u64) -> StoreFuture<'_, Changes>;
    /// Fills an empty store from a full copy and its increments, ascending, and leaves it shut.
    fn restore<'a>(&'a self, copies: &'a [Changes]) -> StoreFuture<'a, ()>;
    /// Records a copy of the key store; the same again replaces it.
    fn put_copy<'a>(&'a self, copy: &'a KeyCopy) -> StoreFuture<'a, ()>;
    /// Every copy on record, by id.
    fn copies(&self) -> StoreFuture<'_, Vec<KeyCopy>>;
    /// Forgets the record of a copy that is gone.
    fn forget_copy(&self, id: Uuid) -> StoreFuture<'_, ()>;
    /// Records an event by itself; the same id again changes nothing.
    fn add_event<'a>(&'a self, event: &'a KeyEvent) -> StoreFuture<'a, ()>;
    /// Up to `limit` events that wait for the log, by id.
    fn events(&self, limit: u32) -> StoreFuture<'_, Vec<KeyEvent>>;
    /// Forgets events that the log has.
    fn settle_events<'a>(&'a self, ids: &'a [EventId]) -> StoreFuture<'a, ()>;
}

/// The copies, if they are one full copy and increments that leave no gap.
fn in_order(copies: &[Changes]) -> Result<&[Changes], StoreError> {
    let mut known = 0;
    for copy in copies {
        if copy.after > known || copy.revision < known {
            return Err(StoreError::Damaged("a copy of the key store is missing"));
        }
        known = copy.revision;
    }
    Ok(copies)
}
