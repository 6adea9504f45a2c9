//! The assembly: a key store, a backend of KEKs, and the rules between them. Roots are minted,
//! unlocked and destroyed here, and nowhere else.

mod destroy;
mod mint;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use covenant_core::sealer::Purpose;
use covenant_core::{Clock, KeyId, Owner, Random, Secret, TenantId};
use subtle::ConstantTimeEq;
use time::UtcDateTime;
use tokio::sync::{Mutex, MutexGuard};

use crate::backend::{BackendError, KekBackend, Presence};
use crate::cache::{CACHE_TTL_SECS, Cache, Lease, Terms};
use crate::error::KeyError;
use crate::group::GroupName;
use crate::record::{KekRecord, KekState, RootRecord, RootState};
use crate::store::KeyStore;
use crate::unlocked::Unlocked;
use crate::wrapped::{WrappedKey, wrap_context};

#[cfg(feature = "testing")]
pub use destroy::SurvivingRoot;
pub use destroy::{DestroyedKey, DestroyedWhat, PLAN_WAIT_DAYS_MIN};

/// How many unwraps may be under way at once.
const FLIGHTS: usize = 64;

/// Settings of [`Keys`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeysOptions {
    /// How long an unwrapped root may be kept: 60 seconds unless set, at most 300. Until then a
    /// destruction by another process may go unnoticed in this one.
    pub cache_ttl: Duration,
}

impl Default for KeysOptions {
    fn default() -> Self {
        Self {
            cache_ttl: Duration::from_secs(CACHE_TTL_SECS),
        }
    }
}

/// The roots of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantRoots {
    /// Version of the root for its data.
    pub data: KeyId,
    /// Version of the root for the second layer of sensitive fields, under another KEK.
    pub sensitive: KeyId,
}

/// Keys of all owners.
///
/// Roots of tenants come from [`Keys::create_tenant`], of vaults from
/// [`crate::VaultKeys::vault_root`]; those of data subjects and of the platform are minted at
/// their first use.
pub struct Keys {
    store: Arc<dyn KeyStore>,
    backend: Arc<dyn KekBackend>,
    terms: Arc<Terms>,
    cache: Cache,
    flights: Vec<Mutex<()>>,
}

impl Keys {
    /// Opens the keys: makes the KEKs of the groups `standard` and `sensitive` unless they are
    /// there, and checks that they are there, and that they are two.
    ///
    /// # Errors
    /// [`KeyError::OneKeyForTwoLayers`] when one backend key stands behind both groups;
    /// [`KeyError::Backend`] when the backend lost a KEK or fails; [`KeyError::Store`],
    /// [`KeyError::Random`].
    pub async fn open(
        store: Arc<dyn KeyStore>,
        backend: Arc<dyn KekBackend>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        options: KeysOptions,
    ) -> Result<Self, KeyError> {
        let terms = Arc::new(Terms::new(clock, random));
        let cache = Cache::new(Arc::clone(&terms), options.cache_ttl);
        let flights = std::iter::repeat_with(|| Mutex::new(()))
            .take(FLIGHTS)
            .collect();
        let keys = Self {
            store,
            backend,
            terms,
            cache,
            flights,
        };
        let standard = keys.ensure_kek(&GroupName::Standard, None).await?;
        let sensitive = keys.ensure_kek(&GroupName::Sensitive, None).await?;
        for kek in [standard.id, sensitive.id] {
            if keys.backend.probe(kek).await? == Presence::Absent {
                return Err(KeyError::Backend(BackendError::Absent(kek)));
            }
        }
        keys.check_two_layers(standard.id, sensitive.id).await?;
        Ok(keys)
    }

    /// Mints the tenant's roots for data and for sensitive fields, unless they are there.
    ///
    /// # Errors
    /// [`KeyError::State`] when the tenant's roots were destroyed: a tenant gets no second ones.
    pub async fn create_tenant(&self, tenant: TenantId) -> Result<TenantRoots, KeyError> {
        let owner = Owner::Tenant(tenant);
        let data = self.ensure_root(owner, Purpose::Data).await?.id;
        let sensitive = self.ensure_root(owner, Purpose::Sensitive).await?.id;
        Ok(TenantRoots { data, sensitive })
    }

    /// The owner's root, for sealing and deriving; mints it for a data subject or the platform.
    ///
    /// # Errors
    /// [`KeyError::Absent`] for a tenant or vault without roots, [`KeyError::NoSuchRoot`] for a
    /// purpose that the owner never has, [`KeyError::State`] once destroyed or past its planned
    /// instant, [`KeyError::Damaged`], [`KeyError::Store`], [`KeyError::Backend`].
    pub async fn unlock(&self, owner: Owner, purpose: Purpose) -> Result<Unlocked, KeyError> {
        if let Some(lease) = self.cache.current(owner, purpose) {
            return Ok(Unlocked::new(lease, Arc::clone(&self.terms)));
        }
        let _flight = self.flight(owner, purpose).await?;
        if let Some(lease) = self.cache.current(owner, purpose) {
            return Ok(Unlocked::new(lease, Arc::clone(&self.terms)));
        }
        let root = match owner {
            Owner::Subject(..) | Owner::Platform(_) => self.ensure_root(owner, purpose).await?,
            _ => self
                .store
                .root_of(owner, purpose)
                .await?
                .ok_or(KeyError::Absent)?,
        };
        self.unwrap_root(root).await
    }

    /// The version of a root that sealed a value, for opening it.
    ///
    /// # Errors
    /// As [`Keys::unlock`]; [`KeyError::Absent`] also when the version is another owner's or has
    /// another purpose, which is found out without unwrapping it.
    pub async fn unlock_version(
        &self,
        version: KeyId,
        owner: Owner,
        purpose: Purpose,
    ) -> Result<Unlocked, KeyError> {
        let serves = |o: Owner, p: Purpose| o == owner && p == purpose;
        if let Some(lease) = self.cache.version(version) {
            if !serves(lease.owner, lease.purpose) {
                return Err(KeyError::Absent);
            }
            return Ok(Unlocked::new(lease, Arc::clone(&self.terms)));
        }
        let _flight = self.flight(owner, purpose).await?;
        if let Some(lease) = self.cache.version(version) {
            return Ok(Unlocked::new(lease, Arc::clone(&self.terms)));
        }
        let root = self.store.root(version).await?.ok_or(KeyError::Absent)?;
        if !serves(root.owner, root.purpose) {
            return Err(KeyError::Absent);
        }
        self.unwrap_root(root).await
    }

    /// Every root version, active and destroyed, by id; without key material.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn list(&self) -> Result<Vec<KeyRecordInfo>, KeyError> {
        let roots = self.store.roots().await?;
        Ok(roots.into_iter().map(KeyRecordInfo::from).collect())
    }

    /// Every KEK, by id.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn list_keks(&self) -> Result<Vec<KekRecord>, KeyError> {
        Ok(self.store.keks().await?)
    }

    /// One unwrap at a time for an owner's root: who waits finds it in the cache afterwards, and
    /// goes on by himself when the one before gave up or failed.
    async fn flight(&self, owner: Owner, purpose: Purpose) -> Result<MutexGuard<'_, ()>, KeyError> {
        let mut hasher = DefaultHasher::new();
        (owner, purpose).hash(&mut hasher);
        let flights = u64::try_from(self.flights.len()).unwrap_or(1);
        let slot = hasher
            .finish()
            .checked_rem(flights)
            .and_then(|slot| usize::try_from(slot).ok());
        let flight = slot
            .and_then(|slot| self.flights.get(slot))
            .ok_or(KeyError::Absent)?;
        Ok(flight.lock().await)
    }

    async fn unwrap_root(&self, root: RootRecord) -> Result<Unlocked, KeyError> {
        let begun = self.terms.clock.monotonic();
        if root.state != RootState::Active {
            return Err(KeyError::State(root.state.name()));
        }
        let kek = self
            .store
            .kek(root.kek)
            .await?
            .ok_or(KeyError::Damaged(root.id))?;
        if kek.state != KekState::Enabled {
            return Err(KeyError::State(KekState::Destroyed.name()));
        }
        let dies_at = [root.destroy_at, kek.destroy_at]
            .into_iter()
            .flatten()
            .min();
        if dies_at.is_some_and(|at| at <= self.terms.clock.now()) {
            return Err(KeyError::State(RootState::Destroyed.name()));
        }
        let secret = self.unwrap_record(&root).await?;
        let lease = Arc::new(Lease {
            version: root.id,
            owner: root.owner,
            purpose: root.purpose,
            kek: root.kek,
            root: secret,
            ends: begun.saturating_add(self.cache.ttl()),
            dies_at,
        });
        self.cache.keep(&lease);
        let unlocked = Unlocked::new(Arc::clone(&lease), Arc::clone(&self.terms));
        self.terms.check(&lease)?;
        Ok(unlocked)
    }

    async fn unwrap_record(&self, root: &RootRecord) -> Result<Secret<[u8; 32]>, KeyError> {
        let wrapped =
            WrappedKey::try_from(root.wrapped.as_slice()).or(Err(KeyError::Damaged(root.id)))?;
        if wrapped.kek() != root.kek {
            return Err(KeyError::Damaged(root.id));
        }
        let context = wrap_context(root.kek, root.owner, root.purpose, root.id);
        match self.backend.unwrap_root(root.kek, &context, &wrapped).await {
            Err(BackendError::NotAuthentic(_)) => Err(KeyError::Damaged(root.id)),
            other => Ok(other?),
        }
    }

    /// R-11 asks for two keys: what one KEK wraps the other must not unwrap.
    async fn check_two_layers(&self, standard: KeyId, sensitive: KeyId) -> Result<(), KeyError> {
        // clause: R-11
        let (canary, context) = (self.fresh()?, b"covenant/two-layers".as_slice());
        let wrapped = self.backend.wrap_root(standard, context, &canary).await?;
        let back = self
            .backend
            .unwrap_root(standard, context, &wrapped)
            .await?;
        if !bool::from(back.expose().ct_eq(canary.expose())) {
            return Err(KeyError::Damaged(standard));
        }
        match self.backend.unwrap_root(sensitive, context, &wrapped).await {
            Err(BackendError::NotAuthentic(_)) => Ok(()),
            Ok(_) => Err(KeyError::OneKeyForTwoLayers),
            Err(other) => Err(other.into()),
        }
    }

    fn fresh(&self) -> Result<Secret<[u8; 32]>, KeyError> {
        let mut secret = Secret::new([0_u8; 32]);
        self.terms.random.fill(secret.expose_mut())?;
        Ok(secret)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            store,
            backend,
            terms: _,
            cache: _,
            flights: _,
        } = self;
        f.debug_struct("Keys")
            .field("store", store)
            .field("backend", backend)
            .finish()
    }
}

/// What may be told about a root: everything but the root.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRecordInfo {
    /// The version's id.
    pub id: KeyId,
    /// Whose root.
    pub owner: Owner,
    /// What for.
    pub purpose: Purpose,
    /// The KEK under which it lies or lay.
    pub kek: KeyId,
    /// Where it is in its life.
    pub state: RootState,
    /// When it was minted.
    pub created_at: UtcDateTime,
    /// Its own planned instant, if it has one; a vault's root goes with its KEK.
    pub destroy_at: Option<UtcDateTime>,
    /// When it was destroyed.
    pub destroyed_at: Option<UtcDateTime>,
}

impl From<RootRecord> for KeyRecordInfo {
    fn from(root: RootRecord) -> Self {
        let RootRecord {
            id,
            owner,
            purpose,
            kek,
            wrapped: _,
            state,
            created_at,
            destroy_at,
            destroyed_at,
        } = root;
        Self {
            id,
            owner,
            purpose,
            kek,
            state,
            created_at,
            destroy_at,
            destroyed_at,
        }
    }
}
