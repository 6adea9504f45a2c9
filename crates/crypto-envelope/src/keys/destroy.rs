//! Destruction: what is due, the roots of a tenant on a planned day, and a data subject at once.

use covenant_core::digest::Digest;
use covenant_core::sealer::{DestroyOrder, Destroyed, Purpose};
use covenant_core::{KeyId, Owner, TenantId, canon};
use time::{Duration, UtcDateTime};

use super::Keys;
use super::mint::whole_micros;
use crate::backend::Presence;
use crate::cache::CACHE_TTL_SECS_MAX;
use crate::error::KeyError;
use crate::group::GroupName;
use crate::record::{Erasure, KekRecord, KekState, RootRecord, RootState};
use crate::store::{Flush, Planned};

/// Days between a plan and the destruction that it plans, at least.
pub const PLAN_WAIT_DAYS_MIN: i64 = 7;

/// What a destroyed key was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DestroyedWhat {
    /// The KEK of a group.
    Kek(GroupName),
    /// A root.
    Root(Owner, Purpose),
}

/// A key that was destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestroyedKey {
    /// Its id.
    pub key: KeyId,
    /// What it was.
    pub what: DestroyedWhat,
    /// Since when it opens nothing.
    pub destroyed_at: UtcDateTime,
}

impl DestroyedKey {
    fn kek(kek: KekRecord) -> Option<Self> {
        let destroyed_at = kek.destroyed_at?;
        Some(Self {
            key: kek.id,
            what: DestroyedWhat::Kek(kek.group),
            destroyed_at,
        })
    }

    fn root(root: &RootRecord) -> Option<Self> {
        let what = DestroyedWhat::Root(root.owner, root.purpose);
        Some(Self {
            key: root.id,
            what,
            destroyed_at: root.destroyed_at?,
        })
    }
}

impl Keys {
    /// Plans the destruction of a tenant's roots and those of its data subjects, present and
    /// future. They work until that instant, and the plan does not move; the tenant's vaults keep
    /// their own dates. The same plan again does nothing.
    ///
    /// # Errors
    /// [`KeyError::TooSoon`] for an instant less than seven days ahead, [`KeyError::Planned`] when
    /// another one is planned, [`KeyError::Absent`] for a tenant without roots,
    /// [`KeyError::State`] once they are destroyed, [`KeyError::Store`].
    pub async fn plan_tenant(&self, tenant: TenantId, at: UtcDateTime) -> Result<(), KeyError> {
        let at = whole_micros(at);
        let data = self
            .store
            .root_of(Owner::Tenant(tenant), Purpose::Data)
            .await?;
        let data = data.ok_or(KeyError::Absent)?;
        if data.destroy_at != Some(at) {
            if data.state != RootState::Active {
                return Err(KeyError::State(data.state.name()));
            }
            let earliest = self
                .now()
                .saturating_add(Duration::days(PLAN_WAIT_DAYS_MIN));
            if data.destroy_at.is_none() && at < earliest {
                return Err(KeyError::TooSoon { earliest });
            }
        }
        match self.store.plan_roots(tenant, at).await? {
            Planned::Done(_) => Ok(()),
            Planned::Differs(key, planned) => Err(KeyError::Planned { key, planned }),
        }
    }

    /// Destroys every key whose planned instant has come: roots by themselves, and KEKs with all
    /// roots under them. For a KEK, in this order: buried in the store with its roots, destroyed
    /// in the backend, found absent there, recorded as gone. A run that fails or dies in between
    /// is completed by the next one; one key that fails does not keep the others alive.
    ///
    /// Returns what this run completed; [`Keys::destroyed_since`] tells what an interrupted run
    /// did.
    ///
    /// # Errors
    /// The first failure, after all keys were tried: [`KeyError::StillThere`],
    /// [`KeyError::Backend`], [`KeyError::Store`].
    pub async fn destroy_due(&self, now: UtcDateTime) -> Result<Vec<DestroyedKey>, KeyError> {
        let now = whole_micros(now);
        let due = self.store.due(now).await?;
        let mut destroyed = Vec::new();
        let mut failed = None;
        for root in due.roots {
            self.cache.revoke(&[root.id]);
            match self.store.bury_root(root.id, now).await {
                Ok(root) => destroyed.extend(DestroyedKey::root(&root)),
                Err(error) => failed = failed.or(Some(error.into())),
            }
        }
        for kek in due.keks {
            match self.destroy_kek(kek.id, now).await {
                Ok(keys) => destroyed.extend(keys),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Err(error) = self.store.flush().await {
            failed = failed.or(Some(error.into()));
        }
        failed.map_or(Ok(destroyed), Err)
    }

    async fn destroy_kek(
        &self,
        id: KeyId,
        now: UtcDateTime,
    ) -> Result<Vec<DestroyedKey>, KeyError> {
        self.cache.revoke(&[id]);
        let (kek, roots) = self.store.bury_kek(id, now).await?;
        self.backend.destroy(id).await?;
        if self.backend.probe(id).await? == Presence::Present {
            return Err(KeyError::StillThere(id));
        }
        self.store.finish_kek(id).await?;
        let roots = roots.iter().filter_map(DestroyedKey::root);
        Ok(roots.chain(DestroyedKey::kek(kek)).collect())
    }

    /// The earliest instant at which a key is due; in the past when a destruction was begun and
    /// not completed.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn next_due(&self) -> Result<Option<UtcDateTime>, KeyError> {
        Ok(self.store.next_due().await?)
    }

    /// Every key destroyed at this instant or later, in no particular order.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn destroyed_since(&self, at: UtcDateTime) -> Result<Vec<DestroyedKey>, KeyError> {
        let keks = self.store.keks().await?.into_iter();
        let keks = keks.filter(|kek| kek.state == KekState::Destroyed);
        let roots = self.store.roots().await?;
        let roots = roots.iter().filter_map(DestroyedKey::root);
        let all = keks.filter_map(DestroyedKey::kek).chain(roots);
        Ok(all.filter(|key| key.destroyed_at >= at).collect())
    }

    /// Destroys the roots of a data subject at once, and refuses new ones for ever.
    ///
    /// `complete_by` is the instant of destruction plus the longest time that any process may
    /// keep an unwrapped root (300 s), or, if later, the instant at which the store's own files
    /// were seen clean of the wrapped bytes; `None` while the store cannot say. The store's
    /// copies are not covered: this version makes none, and whoever copies `keys.db` by other
    /// means must not rely on the date.
    ///
    /// # Errors
    /// [`KeyError::Store`]; what was done stays done, and the same order completes it.
    pub async fn destroy_subject(&self, order: &DestroyOrder) -> Result<Destroyed, KeyError> {
        let mut erasure = self.store.erase_subject(order, self.now()).await?;
        self.cache.revoke(&erasure.keys);
        if erasure.complete_by.is_none() && self.store.flush().await? == Flush::Clean {
            let ttl = i64::try_from(CACHE_TTL_SECS_MAX).unwrap_or(i64::MAX);
            let cached = erasure.destroyed_at.saturating_add(Duration::seconds(ttl));
            let complete_by = cached.max(self.now());
            erasure.complete_by = Some(
                self.store
                    .settle_erasure(erasure.order, complete_by)
                    .await?,
            );
        }
        let part = erased_part(&erasure);
        let Erasure {
            order: _,
            tenant: _,
            subject: _,
            destroyed_at,
            keys,
            complete_by,
        } = erasure;
        Ok(Destroyed {
            keys,
            destroyed_at,
            complete_by,
            part,
        })
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

/// SHA-256 of our part of an erasure's certificate: order, subject, instant and keys.
fn erased_part(erasure: &Erasure) -> [u8; 32] {
    let Erasure {
        order,
        tenant,
        subject,
        destroyed_at,
        keys,
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
        w.bytes(key.as_bytes());
    }
    *Digest::of(w.as_bytes()).as_bytes()
}
