//! The assembly: a key store, a backend of KEKs, and the rules between them. Roots are minted,
//! unlocked and destroyed here, and nowhere else.

mod administer;
mod check;
mod dedicate;
mod destroy;
mod erase;
mod mint;
mod part;
mod replay;
mod rotate;
mod serve;
mod tell;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use covenant_core::event::{Action, ActorContext};
use covenant_core::sealer::Purpose;
use covenant_core::{Clock, KeyId, Monotonic, OrderId, Owner, Random, Secret, TenantId, Zone};
use subtle::ConstantTimeEq;
use time::UtcDateTime;
use tokio::sync::{Mutex, MutexGuard};

use crate::backend::{BackendError, KekBackend, Presence};
use crate::cache::{CACHE_TTL_SECS, CACHE_USES_MAX, Cache, EntryKey, Lease, Seen, Terms, UseFor};
use crate::error::KeyError;
use crate::escrow::{Escrow, NoEscrow};
use crate::group::{GroupName, Isolation};
use crate::guard::{DestructionGuard, NoGuard};
use crate::record::{KekRecord, RootRecord, RootState, Switch};
use crate::state::{KeyState, Verb};
use crate::store::{Gate, KeyStore, StoreStanding};
use crate::unlocked::Unlocked;
use crate::window::{KeyExpiry, PendingWindow};
use crate::wrapped::{WrappedKey, wrap_context};

pub use check::{Checked, KeyFault};
pub use destroy::{DestroyedKey, PLAN_WAIT_DAYS_MIN};
#[cfg(feature = "testing")]
pub use erase::SurvivingRoot;
#[cfg(feature = "object-store")]
pub(crate) use mint::whole_micros;

/// How many unwraps may be under way at once.
const FLIGHTS: usize = 64;

/// Settings of [`Keys`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeysOptions {
    /// How long an unwrapped root may be kept: 60 seconds unless set, at most 300. Until then a
    /// destruction by another process may go unnoticed in this one.
    pub cache_ttl: Duration,
    /// How often an unwrapped root may be used before it is unwrapped again, on record: 1,048,576
    /// times unless set, and at most.
    pub cache_uses: u64,
    /// After how long the KEKs of tenants and subjects are replaced: one year unless set.
    /// KEKs in use take it over when the keys are opened.
    pub expiry: KeyExpiry,
    /// How long a replaced KEK waits for its destruction: 7 days unless set, the fewest, and
    /// more than a copy of the key store lives.
    pub replaced_window: PendingWindow,
    /// The civil zone in which the last day of a wait ends, and by which a year is counted: UTC
    /// unless set.
    pub zone: Zone,
    /// How destroyed bytes leave the key store's own files.
    pub own_files: OwnFiles,
    /// The highest revision of the key store that is known from elsewhere: a store that is behind
    /// it was put back, and is shut. 0 unless set.
    pub known_revision: u64,
    /// Where KEKs are kept besides their backend: nowhere unless set.
    pub escrow: Arc<dyn Escrow>,
    /// What keeps keys from being destroyed: nothing unless set.
    pub guard: Arc<dyn DestructionGuard>,
}

impl Default for KeysOptions {
    fn default() -> Self {
        Self {
            cache_ttl: Duration::from_secs(CACHE_TTL_SECS),
            cache_uses: CACHE_USES_MAX,
            expiry: KeyExpiry::OneYear,
            replaced_window: PendingWindow::SHORTEST,
            zone: Zone::UTC,
            own_files: OwnFiles::Flushed,
            known_revision: 0,
            escrow: Arc::new(NoEscrow),
            guard: Arc::new(NoGuard),
        }
    }
}

/// How destroyed bytes leave the key store's own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "dates are computed from each of these"
)]
pub enum OwnFiles {
    /// The store says when: [`crate::store::KeyStore::flush`].
    Flushed,
    /// The operator attests that dead rows and the database's log are gone so long after.
    GoneAfter(time::Duration),
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
    options: KeysOptions,
    shut: AtomicBool,
    /// Unix seconds that a caller last vouched for; `i64::MIN` before the first.
    vouched: AtomicI64,
}

impl Keys {
    /// Opens the keys: makes the KEKs of the groups `standard` and `sensitive` unless they are
    /// there, and checks that they are there, and that they are two.
    ///
    /// A store that was put back from a copy, or is behind the revision that the options name, is
    /// opened shut: nothing can be done with it but [`crate::KeyAdmin::replay`].
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
        let cache = Cache::new(Arc::clone(&terms), options.cache_ttl, options.cache_uses);
        let flights = std::iter::repeat_with(|| Mutex::new(()))
            .take(FLIGHTS)
            .collect();
        let standing = store.standing().await?;
        let behind = standing.revision < options.known_revision;
        if behind && standing.gate == Gate::Open {
            store.set_gate(Gate::Shut).await?;
        }
        let shut = behind || standing.gate == Gate::Shut;
        let keys = Self {
            store,
            backend,
            terms,
            cache,
            flights,
            options,
            shut: AtomicBool::new(shut),
            vouched: AtomicI64::new(i64::MIN),
        };
        if !shut {
            keys.make_ready().await?;
        }
        Ok(keys)
    }

    /// Makes and checks the KEKs of tenants. One that is switched off stays so: it is switched on
    /// again through these very keys.
    async fn make_ready(&self) -> Result<(), KeyError> {
        self.set_expiries().await?;
        let standard = self.current_kek(&GroupName::Standard, None).await?;
        let sensitive = self.current_kek(&GroupName::Sensitive, None).await?;
        let in_use = |kek: &KekRecord| kek.key_state() == KeyState::Enabled;
        for kek in [&standard, &sensitive] {
            if in_use(kek) && self.backend.probe(kek.id).await? == Presence::Absent {
                return Err(KeyError::Backend(BackendError::Absent(kek.id)));
            }
        }
        if in_use(&standard) && in_use(&sensitive) {
            self.check_two_layers(standard.id, sensitive.id).await?;
        }
        Ok(())
    }

    /// Refuses while the store is shut; looks again whether another process has opened it.
    async fn check_gate(&self) -> Result<(), KeyError> {
        if !self.shut.load(Ordering::Acquire) {
            return Ok(());
        }
        if self.store.standing().await?.gate == Gate::Shut {
            return Err(KeyError::NotReplayed);
        }
        self.shut.store(false, Ordering::Release);
        Ok(())
    }

    /// Mints the tenant's roots for data and for sensitive fields, unless they are there, under
    /// KEKs that all tenants share; [`Keys::create_tenant_with`] gives a tenant its own.
    ///
    /// # Errors
    /// [`KeyError::State`] when the tenant's roots were destroyed: a tenant gets no second ones.
    pub async fn create_tenant(&self, tenant: TenantId) -> Result<TenantRoots, KeyError> {
        self.create_tenant_with(tenant, Isolation::Shared).await
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
        self.check_gate().await?;
        let seen = self.terms.seen();
        let root = match owner {
            Owner::Subject(..) | Owner::Platform(_) => self.ensure_root(owner, purpose).await?,
            _ => self
                .store
                .root_of(owner, purpose)
                .await?
                .ok_or(KeyError::Absent)?,
        };
        if root.state != RootState::Active {
            return Err(KeyError::State(root.state.name()));
        }
        self.unwrap_root(root, seen).await
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
        self.check_gate().await?;
        let seen = self.terms.seen();
        let root = self.store.root(version).await?.ok_or(KeyError::Absent)?;
        if !serves(root.owner, root.purpose) {
            let actor = ActorContext::service(tell::SERVICE);
            let event = self.key_event(Action::KeyScopeMismatch, Some(version), &actor)?;
            self.store.add_event(&event).await?;
            return Err(KeyError::Absent);
        }
        self.unwrap_root(root, seen).await
    }

    /// Opens the tenant's switched-off root for one erasure order: the caller has to find what the
    /// data subject left in a locked tenant. The root is in no cache, and the event is durable
    /// before it is there.
    ///
    /// # Errors
    /// As [`Keys::unlock`]; [`KeyError::State`] for a root that waits for its destruction, or is
    /// destroyed.
    pub async fn unlock_maintenance(
        &self,
        owner: Owner,
        purpose: Purpose,
        order: OrderId,
    ) -> Result<Unlocked, KeyError> {
        self.check_gate().await?;
        let root = self.store.root_of(owner, purpose).await?;
        let mut root = root.ok_or(KeyError::Absent)?;
        if root.key_state() == KeyState::Disabled {
            root.switch = Switch::On;
        }
        let actor = ActorContext::service(tell::SERVICE);
        let mut event = self.key_event(Action::KeyMaintenance, Some(root.id), &actor)?;
        event.tenant = owner.tenant();
        event.reason = Some(order.as_uuid());
        self.store.add_event(&event).await?;
        let terms = Terms::new(self.terms.clock.clone(), self.terms.random.clone());
        let admitted = self.admit(&root).await?;
        let lease = self.lease(root, admitted, UseFor::Sealing).await?;
        Ok(Unlocked::new(Arc::new(lease), Arc::new(terms)))
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

    /// What the key store knows of itself: how many changes there were, and whether it is shut.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn standing(&self) -> Result<StoreStanding, KeyError> {
        Ok(self.store.standing().await?)
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

    async fn unwrap_root(&self, root: RootRecord, seen: Seen) -> Result<Unlocked, KeyError> {
        let use_for = match root.state {
            RootState::Active => UseFor::Sealing,
            other => UseFor::Opening(other.name()),
        };
        let admitted = self.admit(&root).await?;
        let same = |held: &Arc<Lease>| held.use_for == use_for && held.dies_at == admitted.dies_at;
        let held = self.cache.entry(&admitted.entry).filter(same);
        let lease = match held {
            Some(held) => held,
            None => Arc::new(self.lease(root, admitted, use_for).await?),
        };
        self.terms.allow([lease.version, lease.kek], seen);
        self.cache.keep(&lease);
        let unlocked = Unlocked::new(Arc::clone(&lease), Arc::clone(&self.terms));
        self.terms.check(&lease)?;
        Ok(unlocked)
    }

    /// Whether a root may be unwrapped now, and until when.
    async fn admit(&self, root: &RootRecord) -> Result<Admitted, KeyError> {
        let begun = self.terms.clock.monotonic();
        unwraps(root.key_state())?;
        let kek = self.store.kek(root.kek).await?;
        let kek = kek.ok_or(KeyError::Damaged(root.id))?;
        unwraps(kek.key_state())?;
        let dates = [root.destroy_at, root.pending_until];
        let dates = dates.into_iter().chain([kek.destroy_at, kek.pending_until]);
        let dies_at = dates.flatten().min();
        if dies_at.is_some_and(|at| at <= self.terms.clock.now()) {
            return Err(KeyError::State(KeyState::Destroyed.name()));
        }
        let context = wrap_context(root.kek, root.owner, root.purpose, root.id);
        // a backend serves whole groups of KEKs
        let backend = kek.group.to_string();
        Ok(Admitted {
            begun,
            dies_at,
            entry: EntryKey::of(&backend, root.kek, &root.wrapped, &context),
        })
    }

    /// Unwraps a root that may be, on record.
    // clause: Q-16
    async fn lease(
        &self,
        root: RootRecord,
        admitted: Admitted,
        use_for: UseFor,
    ) -> Result<Lease, KeyError> {
        let Admitted {
            begun,
            dies_at,
            entry,
        } = admitted;
        let actor = ActorContext::service(tell::SERVICE);
        let mut event = self.key_event(Action::KeyUnwrapped, Some(root.id), &actor)?;
        event.tenant = root.owner.tenant();
        self.store.add_event(&event).await?;
        let secret = self.unwrap_record(&root).await?;
        Ok(Lease {
            entry,
            uses: AtomicU64::new(0),
            uses_max: self.cache.uses(),
            version: root.id,
            owner: root.owner,
            purpose: root.purpose,
            kek: root.kek,
            root: secret,
            ends: begun.saturating_add(self.cache.ttl()),
            dies_at,
            use_for,
        })
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
            options: _,
            shut: _,
            vouched: _,
        } = self;
        f.debug_struct("Keys")
            .field("store", store)
            .field("backend", backend)
            .finish()
    }
}

/// A root that may be unwrapped.
struct Admitted {
    /// When it was asked.
    begun: Monotonic,
    /// From when on it opens nothing.
    dies_at: Option<UtcDateTime>,
    /// Under which its lease is kept.
    entry: EntryKey,
}

/// Whether a key in this state opens anything.
fn unwraps(state: KeyState) -> Result<(), KeyError> {
    match state.answer(Verb::Unwrap) {
        Ok(_) => Ok(()),
        Err(refused) => Err(KeyError::State(refused.name())),
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
    /// Its number among the owner's versions for this purpose, from 1.
    pub n: u32,
    /// Where it is in its life.
    pub state: RootState,
    /// Where it stands in the state table.
    pub key_state: KeyState,
    /// When its scheduled destruction is due, if one is scheduled.
    pub pending_until: Option<UtcDateTime>,
    /// When it was marked as compromised.
    pub compromised_at: Option<UtcDateTime>,
    /// When it was minted.
    pub created_at: UtcDateTime,
    /// Its own planned instant, if it has one; a vault's root goes with its KEK.
    pub destroy_at: Option<UtcDateTime>,
    /// When it was destroyed.
    pub destroyed_at: Option<UtcDateTime>,
}

impl From<RootRecord> for KeyRecordInfo {
    fn from(root: RootRecord) -> Self {
        let key_state = root.key_state();
        let RootRecord {
            id,
            owner,
            purpose,
            n,
            kek,
            wrapped: _,
            state,
            switch: _,
            created_at,
            active_from: _,
            destroy_at,
            pending_until,
            compromised_at,
            destroyed_at,
            wrapped_revision: _,
            revision: _,
        } = root;
        Self {
            id,
            owner,
            purpose,
            kek,
            n,
            state,
            key_state,
            pending_until,
            compromised_at,
            created_at,
            destroy_at,
            destroyed_at,
        }
    }
}

#[cfg(feature = "token")]
mod index;
