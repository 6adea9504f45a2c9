//! What services may do with keys: make a data key of their own and have it wrapped, unwrap it,
//! keep its wrapping current. Nothing here changes a key's state.

use std::fmt::Debug;

use covenant_core::sealer::Purpose;
use covenant_core::{BoxFuture, KeyId, Owner, Secret};
use time::UtcDateTime;

use crate::backend::Capabilities;
use crate::error::KeyError;
use crate::group::GroupName;
use crate::state::{KeyState, Standing};
use crate::wrapped::WrappedKey;

/// A key's answer, later.
pub type KeyFuture<'a, T> = BoxFuture<'a, Result<T, KeyError>>;

/// What a wrapped key is bound to, besides its KEK: it unwraps for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a caller states all of it")]
pub struct WrapContext {
    /// Whose key.
    pub owner: Owner,
    /// What for.
    pub purpose: Purpose,
    /// The key's own id.
    pub version: KeyId,
}

/// A 32-byte key in the clear; wiped when dropped, and never printed.
#[derive(Debug)]
pub struct DataKey(Secret<[u8; 32]>);

impl DataKey {
    /// The bytes.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

impl From<Secret<[u8; 32]>> for DataKey {
    fn from(secret: Secret<[u8; 32]>) -> Self {
        Self(secret)
    }
}

/// What became of a wrapped key that should be current.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it changes or it does not")]
pub enum Rewrap {
    /// It is: the newest KEK of its group wraps it.
    Unchanged,
    /// This takes its place.
    Changed(WrappedKey),
}

/// What may be told about a wrapped key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrapInfo {
    /// The KEK that wraps it.
    pub kek: KeyId,
    /// That KEK's group.
    pub group: GroupName,
    /// Where that KEK stands.
    pub state: KeyState,
    /// Whether it may still wrap.
    pub standing: Standing,
    /// When it was made.
    pub created_at: UtcDateTime,
    /// Whether [`KeyService::rewrap`] would change nothing.
    pub is_current: bool,
}

/// Makes, wraps and unwraps data keys.
///
/// # Contract
/// A wrapped key unwraps for its context alone. Every unwrap is on record before the key is there.
/// `describe` says that a wrapped key is current exactly when `rewrap` leaves it unchanged; it
/// answers for destroyed KEKs too. After a KEK was disabled here, nothing under it unwraps here.
///
/// # Errors
/// [`KeyError::State`] when the KEK's state forbids it, [`KeyError::NotAuthentic`] for what was
/// wrapped for another context, [`KeyError::Absent`] for an unknown KEK, [`KeyError::NotReplayed`],
/// [`KeyError::Store`], [`KeyError::Backend`].
///
/// # Implementing
/// [`crate::Keys`] is the implementation; others wrap it.
pub trait KeyService: Debug + Send + Sync {
    /// A new key, and the same wrapped by the group's KEK.
    fn generate<'a>(
        &'a self,
        group: &'a GroupName,
        context: &'a WrapContext,
    ) -> KeyFuture<'a, (DataKey, WrappedKey)>;
    /// The key.
    fn unwrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a WrapContext,
    ) -> KeyFuture<'a, DataKey>;
    /// The same key under the newest KEK of its group.
    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a WrapContext,
    ) -> KeyFuture<'a, Rewrap>;
    /// What may be told about a wrapped key.
    fn describe<'a>(&'a self, wrapped: &'a WrappedKey) -> KeyFuture<'a, WrapInfo>;
    /// What the backend can do by itself.
    fn capabilities(&self) -> Capabilities;
}
