//! What can go wrong with keys, by what the caller can do about it.

use covenant_core::sealer::{DestroyError, OpenError, SealError};
use covenant_core::{ClauseId, KeyId, RandomError, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::backend::BackendError;
use crate::escrow::EscrowError;
use crate::guard::GuardError;
use crate::state::Refused;
use crate::store::StoreError;

/// A key could not be used, made or destroyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no such key; a tenant's roots are made by `create_tenant`, a vault's by
    /// `vault_root`.
    #[error("no such key")]
    Absent,
    /// The owner has no root for this purpose, ever.
    #[error("the owner has no root for this purpose")]
    NoSuchRoot,
    /// The key's state forbids it; the text is the state.
    #[error("the key is {0}")]
    State(&'static str),
    /// The state table forbids it.
    #[error("key {key} is {refused}")]
    Refused {
        /// The key.
        key: KeyId,
        /// Why.
        refused: Refused,
    },
    /// The caller is no administrator.
    #[error("only administrators reach keys")]
    NotAdmin,
    /// The key store was put back from a copy: what was destroyed since must be replayed first.
    #[error("the key store was put back from a copy and is shut until it is replayed")]
    NotReplayed,
    /// A hold keeps bytes under the key.
    #[error("key {key} is kept by hold {hold}")]
    Held {
        /// The key.
        key: KeyId,
        /// The hold.
        hold: Uuid,
    },
    /// A floor keeps bytes under the key.
    #[error("key {key} is kept until {until} by {clause}")]
    Floor {
        /// The key.
        key: KeyId,
        /// Until then.
        until: UtcDateTime,
        /// The clause that says so.
        clause: ClauseId,
    },
    /// Living roots lie under a KEK that is due, so nothing was destroyed.
    #[error("{count} roots lie under key {key}: rotate it first")]
    RecordsLeft {
        /// The KEK.
        key: KeyId,
        /// How many roots.
        count: u64,
    },
    /// Keys of this kind are not replaced: what they derive lies outside.
    #[error("key {0} is of a kind that is not rotated")]
    NotRotated(KeyId),
    /// Others changed the key again and again meanwhile.
    #[error("key {0} is being changed by others: try again")]
    Contended(KeyId),
    /// The date lies after the latest: a KEK that is not rotated lives no longer than its expiry.
    #[error("destruction cannot be planned after {latest}")]
    TooLate {
        /// The last admissible instant.
        latest: UtcDateTime,
    },
    /// The lease of an unlocked root is over: unlock it again.
    #[error("the lease of root {0} is over: unlock it again")]
    LeaseOver(KeyId),
    /// The value lies under another version of the root than the one in hand:
    /// [`crate::Envelope`] finds that one.
    #[error("the value needs version {0} of the root")]
    NeedVersion(KeyId),
    /// The wrapped root does not open under its KEK: the key store or the KEK was changed.
    #[error("root {0} does not open under its key-encryption key")]
    Damaged(KeyId),
    /// A value is not what was sealed at its place.
    #[error("not authentic")]
    NotAuthentic,
    /// The value is larger than the cap.
    #[error("the value is larger than {max} bytes")]
    TooLarge {
        /// The cap, in bytes.
        max: u64,
    },
    /// The date lies before the shortest wait (Q-18: seven days).
    #[error("destruction cannot be planned before {earliest}")]
    TooSoon {
        /// The first admissible instant.
        earliest: UtcDateTime,
    },
    /// Another date is planned already, and a plan does not move.
    #[error("key {key} is planned to be destroyed at {planned}: a plan does not move")]
    Planned {
        /// The key.
        key: KeyId,
        /// Its planned instant.
        planned: UtcDateTime,
    },
    /// The vault's root lies under the KEK of another backup epoch.
    #[error("vault root {0} belongs to another backup epoch")]
    OtherEpoch(KeyId),
    /// The tenant's roots lie under KEKs of the other kind: shared ones, or its own.
    #[error("the keys of tenant {0} lie under KEKs of the other kind")]
    OtherIsolation(TenantId),
    /// Both layers of sensitive fields would hang on one backend key.
    #[error("groups standard and sensitive resolve to one backend key")]
    OneKeyForTwoLayers,
    /// The KEK has wrapped as many roots as is safe.
    #[error("key {0} has wrapped as many roots as is safe")]
    Exhausted(KeyId),
    /// The backend still has a KEK that it destroyed.
    #[error("key {0} was destroyed, but its backend still has it")]
    StillThere(KeyId),
    /// The KEK is gone from its module, and nobody attests when it leaves the module's replicas.
    #[error("key {0} was destroyed, but nobody says when it leaves the replicas of its module")]
    Unattested(KeyId),
    /// An info given to `derive` begins like that of the sealing format.
    #[error("the info is reserved for sealing")]
    ReservedInfo,
    /// No randomness for a key, an id or an IV.
    #[error("no randomness for a key")]
    Random(#[source] RandomError),
    /// Floors and holds cannot be read, so nothing was destroyed.
    #[error("the guard of destruction is not available")]
    Guard(#[source] GuardError),
    /// The escrow of KEKs failed.
    #[error("the escrow of keys is not available")]
    Escrow(#[source] EscrowError),
    /// The key store failed.
    #[error("the key store is not available")]
    Store(#[source] StoreError),
    /// The backend of KEKs failed.
    #[error("the key backend is not available")]
    Backend(#[source] BackendError),
}

impl From<StoreError> for KeyError {
    fn from(source: StoreError) -> Self {
        Self::Store(source)
    }
}
impl From<EscrowError> for KeyError {
    fn from(source: EscrowError) -> Self {
        Self::Escrow(source)
    }
}
impl From<GuardError> for KeyError {
    fn from(source: GuardError) -> Self {
        Self::Guard(source)
    }
}
impl From<BackendError> for KeyError {
    fn from(source: BackendError) -> Self {
        Self::Backend(source)
    }
}
impl From<RandomError> for KeyError {
    fn from(source: RandomError) -> Self {
        Self::Random(source)
    }
}

impl KeyError {
    /// The same as an error of [`covenant_core::Sealer::seal`].
    #[must_use]
    pub fn into_seal_error(self) -> SealError {
        match self {
            Self::Absent => SealError::Key("absent"),
            Self::NoSuchRoot => SealError::Key("none of its owner's"),
            Self::State(state) => SealError::Key(state),
            Self::TooLarge { max } => SealError::TooLarge { max },
            other => SealError::Unavailable(Box::new(other)),
        }
    }

    /// The same as an error of [`covenant_core::Sealer::open`]; a key that does not exist is not
    /// told from a changed byte.
    #[must_use]
    pub fn into_open_error(self) -> OpenError {
        match self {
            Self::Absent | Self::NeedVersion(_) | Self::NoSuchRoot | Self::NotAuthentic => {
                OpenError::NotAuthentic
            }
            Self::State(state) => OpenError::Key(state),
            other => OpenError::Unavailable(Box::new(other)),
        }
    }

    /// The same as an error of [`covenant_core::Sealer::destroy`].
    #[must_use]
    pub fn into_destroy_error(self) -> DestroyError {
        match self {
            Self::Held { .. } | Self::Floor { .. } => DestroyError::Held,
            other => DestroyError::Unavailable(Box::new(other)),
        }
    }
}
