//! Erasure of a data subject at once, and the instant from which no copy gives its keys back.

use covenant_core::digest::Digest;
use covenant_core::event::ActorContext;
use covenant_core::sealer::{DestroyOrder, Destroyed, Purpose};
use covenant_core::{KeyId, Owner, canon};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

use super::{Keys, OwnFiles, tell};
use crate::cache::CACHE_TTL_SECS_MAX;
use crate::copies::{Holding, KeyCopy, unrecoverable_at};
use crate::error::KeyError;
use crate::guard::{Cause, KeyKind};
#[cfg(feature = "testing")]
use crate::record::RootRecord;
use crate::record::{Erasure, RootState};
use crate::state::KeyState;
use crate::store::{Changes, Flush};

impl Keys {
    /// Destroys the roots of a data subject at once, and refuses new ones for ever.
    ///
    /// `complete_by` is the latest of: the instant of destruction plus the longest time that any
    /// process may keep an unwrapped root (300 s); the instant at which the store's own files are
    /// clean of the wrapped bytes; the end of every copy of the key store that may hold them, or,
    /// if earlier, of the KEK that wraps them in it. `None` while any of these is unknown; the
    /// same order again tells it once it is.
    ///
    /// # Errors
    /// [`KeyError::Held`] and [`KeyError::Floor`] when the guard keeps a root;
    /// [`KeyError::Store`]: what was done stays done, and the same order completes it.
    pub async fn destroy_subject(&self, order: &DestroyOrder) -> Result<Destroyed, KeyError> {
        self.check_gate().await?;
        self.erase(order, &ActorContext::service(tell::SERVICE))
            .await
    }

    pub(super) async fn erase(
        &self,
        order: &DestroyOrder,
        actor: &ActorContext,
    ) -> Result<Destroyed, KeyError> {
        let owner = Owner::Subject(order.tenant, order.subject);
        for purpose in [Purpose::Subject, Purpose::Sensitive] {
            for root in self.store.roots_of(owner, purpose).await? {
                if root.state != RootState::Destroyed {
                    let kind = KeyKind::Root(owner, purpose);
                    self.check_guard(root.id, &kind, &Cause::Order(order), self.now())
                        .await?;
                }
            }
        }
        let mut erasure = self.store.erase_subject(order, self.now(), actor).await?;
        self.cache.revoke(&erasure.keys, KeyState::Destroyed);
        if erasure.complete_by.is_none()
            && let Some(complete_by) = self.complete_by(&erasure).await?
        {
            let settled = self.store.settle_erasure(erasure.order, complete_by);
            erasure.complete_by = Some(settled.await?);
        }
        let part = erased_part(&erasure);
        let Erasure {
            order: _,
            tenant: _,
            subject: _,
            destroyed_at,
            keys,
            revision: _,
            complete_by,
        } = erasure;
        Ok(Destroyed {
            keys,
            destroyed_at,
            complete_by,
            part,
        })
    }

    async fn complete_by(&self, erasure: &Erasure) -> Result<Option<UtcDateTime>, KeyError> {
        let Erasure {
            destroyed_at,
            revision,
            keys,
            ..
        } = erasure;
        self.gone_everywhere(keys, *destroyed_at, *revision).await
    }

    /// From when on no cache, no file of the store and no copy of it gives a destroyed key back, as
    /// far as it is known now: a root, or a KEK, which is in its backend and in escrow only. `None`
    /// while the key lives, and while any of this is unknown.
    ///
    /// # Errors
    /// [`KeyError::Absent`], [`KeyError::Store`].
    // clause: P-56
    pub async fn unrecoverable_at(&self, key: KeyId) -> Result<Option<UtcDateTime>, KeyError> {
        if let Some(kek) = self.store.kek(key).await? {
            let (Some(destroyed_at), Some(gone_at)) = (kek.destroyed_at, kek.gone_at) else {
                return Ok(None);
            };
            let gone = Holding {
                ends_at: Some(gone_at),
                kek_gone_at: None,
            };
            return Ok(unrecoverable_at(destroyed_at, cache_bound(), [gone]));
        }
        let root = self.store.root(key).await?.ok_or(KeyError::Absent)?;
        match root.destroyed_at {
            Some(at) => self.gone_everywhere(&[key], at, root.revision).await,
            None => Ok(None),
        }
    }

    /// The latest end of whatever may hold one of these roots, destroyed at this revision.
    async fn gone_everywhere(
        &self,
        keys: &[KeyId],
        destroyed_at: UtcDateTime,
        destroyed: u64,
    ) -> Result<Option<UtcDateTime>, KeyError> {
        let flushed = self.flushed_at(destroyed_at).await?;
        let copies = self.store.copies().await?;
        let mut holdings = Vec::new();
        for key in keys {
            let kek = match self.store.root(*key).await? {
                Some(root) => Some((root.wrapped_revision, self.store.kek(root.kek).await?)),
                None => None,
            };
            let kek_gone = |revision: u64| {
                let (wrapped, kek) = kek.as_ref()?;
                let gone_at = kek.as_ref()?.gone_at;
                // a copy from before the last rewrapping names another KEK
                gone_at.filter(|_| revision >= *wrapped)
            };
            let held = copies.iter().filter(|copy| copy.may_hold(destroyed));
            holdings.extend(held.map(|copy| Holding {
                ends_at: copy.ends_at(destroyed_at),
                kek_gone_at: kek_gone(copy.revision),
            }));
            holdings.push(Holding {
                ends_at: flushed,
                kek_gone_at: kek_gone(destroyed),
            });
        }
        Ok(unrecoverable_at(destroyed_at, cache_bound(), holdings))
    }

    /// When destroyed bytes have left, or will have left, the store's own files.
    async fn flushed_at(&self, destroyed_at: UtcDateTime) -> Result<Option<UtcDateTime>, KeyError> {
        Ok(match (self.store.flush().await?, self.options.own_files) {
            (Flush::Clean, _) => Some(self.now()),
            (Flush::Pending, OwnFiles::Flushed) => None,
            (Flush::Pending, OwnFiles::GoneAfter(lag)) => Some(destroyed_at.saturating_add(lag)),
        })
    }

    /// Records a copy of the key store: from now on it counts in every date. To be called before
    /// the copy leaves the store, and again when it was removed.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn record_copy(&self, copy: &KeyCopy) -> Result<(), KeyError> {
        Ok(self.store.put_copy(copy).await?)
    }

    /// The copies on record, by id.
    #[cfg(feature = "object-store")]
    pub(crate) async fn known_copies(&self) -> Result<Vec<KeyCopy>, KeyError> {
        Ok(self.store.copies().await?)
    }

    /// Forgets a copy that was seen to be gone everywhere.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn forget_copy(&self, id: Uuid) -> Result<(), KeyError> {
        Ok(self.store.forget_copy(id).await?)
    }

    /// The records that changed after this revision of the key store: 0 for a full copy. Wrapped
    /// roots only; and none that was destroyed.
    ///
    /// # Errors
    /// [`KeyError::NotReplayed`], [`KeyError::Store`].
    pub async fn changes(&self, after: u64) -> Result<Changes, KeyError> {
        self.check_gate().await?;
        Ok(self.store.changes(after).await?)
    }

    /// Every root that an existing KEK still opens, in the clear, whatever its record says: what
    /// an adversary with the whole key store and the whole backend would hold.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    #[cfg(feature = "testing")]
    pub async fn surviving_roots(&self) -> Result<Vec<SurvivingRoot>, KeyError> {
        let mut survivors = Vec::new();
        for record in self.store.roots().await? {
            if let Ok(root) = self.unwrap_record(&record).await {
                let RootRecord {
                    id, owner, purpose, ..
                } = record;
                survivors.push(SurvivingRoot {
                    version: id,
                    owner,
                    purpose,
                    root,
                });
            }
        }
        Ok(survivors)
    }
}

/// A root that an existing KEK still opens.
#[cfg(feature = "testing")]
#[derive(Debug)]
#[non_exhaustive]
pub struct SurvivingRoot {
    /// The version's id.
    pub version: KeyId,
    /// Whose root.
    pub owner: Owner,
    /// What for.
    pub purpose: Purpose,
    /// The root itself.
    pub root: covenant_core::Secret<[u8; 32]>,
}

#[cfg(feature = "testing")]
impl SurvivingRoot {
    /// What the owner would derive from it: HKDF-Expand-SHA512(root, info, 32).
    #[must_use]
    pub fn derive(&self, info: &[u8]) -> Option<covenant_core::Secret<[u8; 32]>> {
        crate::cobblestone::expand(self.root.expose(), &[info])
    }
}

/// The longest time for which any process may keep an unwrapped root.
fn cache_bound() -> Duration {
    Duration::seconds(i64::try_from(CACHE_TTL_SECS_MAX).unwrap_or(i64::MAX))
}

/// SHA-256 of our part of an erasure's certificate: order, subject, instant and keys.
fn erased_part(erasure: &Erasure) -> [u8; 32] {
    let Erasure {
        order,
        tenant,
        subject,
        destroyed_at,
        keys,
        revision: _,
        complete_by: _,
    } = erasure;
    let mut w = canon::Writer::new();
    w.text("covenant/erased-keys/0")
        .bytes(order.as_bytes())
        .bytes(tenant.as_bytes())
        .bytes(subject.as_bytes())
        .instant(*destroyed_at)
        .u32(u32::try_from(keys.len()).unwrap_or(u32::MAX));
    for key in keys {
        let key: &KeyId = key;
        w.bytes(key.as_bytes());
    }
    *Digest::of(w.as_bytes()).as_bytes()
}
