//! What administrators may do with keys, apart from what services may: every call says who
//! acts and on what it rests, is refused to everybody else, and is on record either way.

use covenant_core::KeyId;
use covenant_core::event::ActorContext;
use covenant_core::sealer::{DestroyOrder, Destroyed};
use time::UtcDateTime;
use uuid::Uuid;

use crate::copies::KeyCopy;
use crate::group::GroupName;
use crate::keys::{DestroyedKey, KeyRecordInfo};
use crate::record::KekRecord;
use crate::service::{KeyFuture, KeyService};
use crate::state::KeyState;
use crate::window::PendingWindow;

/// What a person or a part of the system may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Administers the system: the only role that reaches keys.
    SysAdmin,
    /// Of the operator's staff, and no administrator.
    Staff,
    /// A member of a tenant.
    Member,
    /// A part of the system that works by itself.
    Service,
}

/// Who calls, and on what the call rests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a caller states all of it")]
pub struct AdminCall {
    /// Who.
    pub actor: ActorContext,
    /// In which role, as it was established by whoever authenticated him.
    pub role: Role,
    /// Id of the ticket, order or change on which it rests; no text, which could be content.
    pub reason: Uuid,
}

/// All keys, without key material.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// KEKs, by id.
    pub keks: Vec<KekRecord>,
    /// Root versions, by id.
    pub roots: Vec<KeyRecordInfo>,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotated {
    /// The key that was replaced.
    pub old: KeyId,
    /// The one in its place.
    pub new: KeyId,
    /// Root records that this run put under the new KEK. The roots themselves, and so the keys of
    /// all values, are the same as before.
    pub rewrapped: u64,
    /// Root records still under the old KEK, which keep it alive.
    pub left: u64,
    /// Replaced root versions of the group under which values may still lie: those are renewed by
    /// rotating the root and sealing the values again, not by rotating a KEK.
    pub values_under_old_roots: u64,
    /// When the old KEK will be destroyed; `None` while records are left, and for a root.
    pub old_ends_at: Option<UtcDateTime>,
}

/// A key that was destroyed, as the log tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a caller states all of it")]
pub struct Gone {
    /// The key, a KEK or a root version.
    pub key: KeyId,
    /// When it was destroyed.
    pub at: UtcDateTime,
}

/// What happened after the copy was taken from which a key store was put back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a caller states all of it")]
pub struct Replay {
    /// Keys of the log's `key.destroyed` events.
    pub destroyed: Vec<Gone>,
    /// Orders that were carried out, by which subjects get no keys again.
    pub orders: Vec<DestroyOrder>,
}

/// What a replay did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// Keys that the copy had brought back, and that were destroyed again; ascending.
    pub again: Vec<KeyId>,
    /// Keys whose day had come meanwhile.
    pub due: Vec<DestroyedKey>,
}

/// Administers keys.
///
/// # Contract
/// A call whose role is not [`Role::SysAdmin`] changes nothing, returns
/// [`crate::KeyError::NotAdmin`], and is on record. What a call did is on record in the same
/// transaction; when that fails, nothing was done. States change as [`KeyState::answer`] says.
/// After `disable` or `schedule_destruction` returned, nothing starts under the key in this
/// process, and in any other after the time to live of its cache.
///
/// # Errors
/// [`crate::KeyError`]: `Refused` with the word of the state table, `Held` and `Floor` with what
/// keeps the key, `TooSoon`, `Planned`, `Absent`, `Contended` when others kept changing the key.
///
/// # Implementing
/// [`crate::Keys`] is the implementation; others wrap it.
pub trait KeyAdmin: KeyService {
    /// Makes the group's first KEK, with the instant from which it opens nothing if it is an
    /// epoch's.
    fn create<'a>(
        &'a self,
        call: &'a AdminCall,
        group: &'a GroupName,
        destroy_at: Option<UtcDateTime>,
    ) -> KeyFuture<'a, KekRecord>;
    /// All keys.
    fn list<'a>(&'a self, call: &'a AdminCall) -> KeyFuture<'a, Listing>;
    /// All copies of the key store.
    fn copies<'a>(&'a self, call: &'a AdminCall) -> KeyFuture<'a, Vec<KeyCopy>>;
    /// Switches a key on.
    fn enable<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, KeyState>;
    /// Switches a key off.
    fn disable<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, KeyState>;
    /// Puts a new key in the place of this one. Calling it again goes on where a run stopped.
    fn rotate<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, Rotated>;
    /// Says that somebody else may know the key: it never wraps or seals again.
    fn mark_compromised<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, ()>;
    /// Makes the key unusable now, and has it destroyed when the window is over, as
    /// [`PendingWindow::end`] says. Returns when.
    fn schedule_destruction<'a>(
        &'a self,
        call: &'a AdminCall,
        key: KeyId,
        window: PendingWindow,
    ) -> KeyFuture<'a, UtcDateTime>;
    /// Has the key destroyed at an instant, at least seven days ahead, and lets it work until then.
    /// A plan moves later only, and only while a hold keeps the key.
    fn plan_destruction<'a>(
        &'a self,
        call: &'a AdminCall,
        key: KeyId,
        at: UtcDateTime,
    ) -> KeyFuture<'a, ()>;
    /// Takes a scheduled destruction back: the key is disabled then, and a plan still stands.
    fn cancel_destruction<'a>(&'a self, call: &'a AdminCall, key: KeyId)
    -> KeyFuture<'a, KeyState>;
    /// Destroys every key that is due.
    fn destroy_due<'a>(
        &'a self,
        call: &'a AdminCall,
        now: UtcDateTime,
    ) -> KeyFuture<'a, Vec<DestroyedKey>>;
    /// Destroys the roots of a data subject at once.
    fn destroy_subject<'a>(
        &'a self,
        call: &'a AdminCall,
        order: &'a DestroyOrder,
    ) -> KeyFuture<'a, Destroyed>;
    /// Destroys again, in a store put back from a copy, what was destroyed since, and opens it.
    fn replay<'a>(&'a self, call: &'a AdminCall, since: &'a Replay) -> KeyFuture<'a, Replayed>;
}
