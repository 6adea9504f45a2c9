//! Unwrapped roots, for a while: bounded in number and in time, and revoked by destruction.
//!
//! A lease ends at the monotonic start of its unwrap plus the cache's time to live, and is never
//! extended; wall time plays no part, but for the planned instant from which a root opens nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use covenant_core::sealer::Purpose;
use covenant_core::{Clock, KeyId, Monotonic, Owner, Random, Secret};
use time::UtcDateTime;

use crate::error::KeyError;
use crate::record::RootState;

/// How long an unwrapped root may be kept unless told otherwise: 60 seconds (crypto-envelope 4.9).
pub const CACHE_TTL_SECS: u64 = 60;
/// The longest time to live: 300 seconds (crypto-envelope 4.9).
pub const CACHE_TTL_SECS_MAX: u64 = 300;
/// Most roots kept at once: a bound of ours on memory, 4,096.
pub const CACHE_ENTRIES_MAX: usize = 4096;

/// One unwrapped root.
pub(crate) struct Lease {
    pub(crate) version: KeyId,
    pub(crate) owner: Owner,
    pub(crate) purpose: Purpose,
    pub(crate) kek: KeyId,
    pub(crate) root: Secret<[u8; 32]>,
    pub(crate) ends: Monotonic,
    pub(crate) dies_at: Option<UtcDateTime>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What leases are checked against at each use: time, and what was destroyed meanwhile.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    revoked: RwLock<BTreeMap<KeyId, Monotonic>>,
}

impl Terms {
    pub(crate) fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            clock,
            random,
            revoked: RwLock::default(),
        }
    }

    /// Refuses a lease that is over, revoked, or of a root whose instant has come.
    pub(crate) fn check(&self, lease: &Lease) -> Result<(), KeyError> {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        let dead = revoked.contains_key(&lease.version) || revoked.contains_key(&lease.kek);
        drop(revoked);
        if dead || lease.dies_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(KeyError::State(RootState::Destroyed.name()));
        }
        if lease.ends <= self.clock.monotonic() {
            return Err(KeyError::LeaseOver(lease.version));
        }
        Ok(())
    }
}

/// The leases that may be handed out again.
#[derive(Debug)]
pub(crate) struct Cache {
    terms: Arc<Terms>,
    ttl: Duration,
    leases: Mutex<Leases>,
}

#[derive(Debug, Default)]
struct Leases {
    by_version: BTreeMap<KeyId, Arc<Lease>>,
    current: BTreeMap<(Owner, Purpose), KeyId>,
    by_end: BTreeSet<(Monotonic, KeyId)>,
}

impl Leases {
    fn remove(&mut self, version: KeyId) {
        if let Some(lease) = self.by_version.remove(&version) {
            self.by_end.remove(&(lease.ends, version));
            self.current.remove(&(lease.owner, lease.purpose));
        }
    }
}

impl Cache {
    pub(crate) fn new(terms: Arc<Terms>, ttl: Duration) -> Self {
        let ttl = ttl.min(Duration::from_secs(CACHE_TTL_SECS_MAX));
        Self {
            terms,
            ttl,
            leases: Mutex::default(),
        }
    }

    pub(crate) const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// A lease of this version, if one is kept and good.
    pub(crate) fn version(&self, version: KeyId) -> Option<Arc<Lease>> {
        let lease = self.leases().by_version.get(&version).cloned()?;
        self.good(lease)
    }

    /// A lease of the owner's root, if one is kept and good.
    pub(crate) fn current(&self, owner: Owner, purpose: Purpose) -> Option<Arc<Lease>> {
        let leases = self.leases();
        let version = leases.current.get(&(owner, purpose))?;
        let lease = leases.by_version.get(version).cloned()?;
        drop(leases);
        self.good(lease)
    }

    /// Keeps a lease; drops the one that ends first when there are too many.
    pub(crate) fn keep(&self, lease: &Arc<Lease>) {
        let mut leases = self.leases();
        leases.remove(lease.version);
        while leases.by_version.len() >= CACHE_ENTRIES_MAX {
            let Some((_, first)) = leases.by_end.first().copied() else {
                break;
            };
            leases.remove(first);
        }
        leases.by_end.insert((lease.ends, lease.version));
        leases
            .current
            .insert((lease.owner, lease.purpose), lease.version);
        leases.by_version.insert(lease.version, Arc::clone(lease));
    }

    /// Revokes keys, KEKs or roots: from now on nothing starts under them in this process, held
    /// leases and unwraps under way included.
    pub(crate) fn revoke(&self, keys: &[KeyId]) {
        let now = self.terms.clock.monotonic();
        let until = now.saturating_add(self.ttl);
        let mut revoked = self
            .terms
            .revoked
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        revoked.retain(|_, until| *until > now);
        revoked.extend(keys.iter().map(|key| (*key, until)));
        drop(revoked);
        let mut leases = self.leases();
        let gone = |lease: &&Arc<Lease>| keys.contains(&lease.version) || keys.contains(&lease.kek);
        let versions: Vec<_> = leases
            .by_version
            .values()
            .filter(gone)
            .map(|lease| lease.version)
            .collect();
        versions
            .into_iter()
            .for_each(|version| leases.remove(version));
    }

    fn good(&self, lease: Arc<Lease>) -> Option<Arc<Lease>> {
        if self.terms.check(&lease).is_ok() {
            return Some(lease);
        }
        self.leases().remove(lease.version);
        None
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
