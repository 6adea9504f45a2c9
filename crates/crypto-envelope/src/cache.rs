//! Unwrapped roots, for a while: bounded in number, in uses and in time, and revoked by destruction.
//!
//! A lease ends at the monotonic start of its unwrap plus the cache's time to live, and is never
//! extended; wall time plays no part, but for the planned instant from which a root opens nothing.
//! An entry is that of one wrapped root under one KEK of one backend for one context, and is found for
//! no other: whoever changed a record in the store is not served what was unwrapped before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use covenant_core::sealer::Purpose;
use covenant_core::{Clock, KeyId, Monotonic, Owner, Random, Secret, canon};
use ring::digest::{SHA384, digest};
use time::UtcDateTime;

use crate::error::KeyError;
use crate::state::KeyState;

/// How long an unwrapped root may be kept unless told otherwise: 60 seconds (crypto-envelope 4.9).
pub const CACHE_TTL_SECS: u64 = 60;
/// The longest time to live: 300 seconds (crypto-envelope 4.9).
pub const CACHE_TTL_SECS_MAX: u64 = 300;
/// Most roots kept at once: a bound of ours on memory, 4,096.
pub const CACHE_ENTRIES_MAX: usize = 4096;

/// Most uses of one unwrapped root before it is unwrapped again, on record: a bound of ours, 1,048,576.
pub const CACHE_USES_MAX: u64 = 1 << 20;

/// Which unwrapped root: SHA-384 over everything that an unwrap depends on (crypto-envelope 4.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryKey([u8; 48]);

impl EntryKey {
    /// Of a wrapped root under a KEK of a backend, for the context that it is bound to.
    pub(crate) fn of(backend: &str, kek: KeyId, wrapped: &[u8], context: &[u8]) -> Self {
        let mut w = canon::Writer::new();
        w.text(backend)
            .bytes(kek.as_bytes())
            .bytes(wrapped)
            .bytes(context);
        let mut key = [0_u8; 48];
        let digest = digest(&SHA384, &w.finish());
        key.iter_mut()
            .zip(digest.as_ref())
            .for_each(|(to, from)| *to = *from);
        Self(key)
    }
}

/// One unwrapped root.
pub(crate) struct Lease {
    pub(crate) entry: EntryKey,
    /// How often it was used.
    pub(crate) uses: AtomicU64,
    /// How often it may be.
    pub(crate) uses_max: u64,
    pub(crate) version: KeyId,
    pub(crate) owner: Owner,
    pub(crate) purpose: Purpose,
    pub(crate) kek: KeyId,
    pub(crate) root: Secret<[u8; 32]>,
    pub(crate) ends: Monotonic,
    pub(crate) dies_at: Option<UtcDateTime>,
    pub(crate) use_for: UseFor,
}

/// What a root version is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UseFor {
    /// The owner's newest: seals and opens.
    Sealing,
    /// Opens only; the text is its state.
    Opening(&'static str),
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What leases are checked against at each use: time, and what was revoked meanwhile.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    revoked: RwLock<BTreeMap<KeyId, Revoked>>,
    revocations: AtomicU64,
}

/// Until when a revocation is remembered, by which time no lease from before it runs, and the state
/// that it rests on.
#[derive(Debug, Clone, Copy)]
struct Revoked {
    until: Monotonic,
    state: KeyState,
    number: u64,
}

/// How many revocations there had been at some moment: what is read from the store afterwards is
/// younger than all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen(u64);

impl Terms {
    pub(crate) fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            clock,
            random,
            revoked: RwLock::default(),
            revocations: AtomicU64::new(0),
        }
    }

    /// The revocations so far, to be asked for before the store is read.
    pub(crate) fn seen(&self) -> Seen {
        Seen(self.revocations.load(Ordering::SeqCst))
    }

    /// Takes back older revocations of keys that the store, read since, has switched on.
    pub(crate) fn allow(&self, keys: [KeyId; 2], seen: Seen) {
        let older = |revoked: &Revoked| revoked.number <= seen.0;
        let read = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        let any = keys.iter().any(|key| read.get(key).is_some_and(older));
        drop(read);
        if any {
            let write = self.revoked.write();
            let mut write = write.unwrap_or_else(PoisonError::into_inner);
            write.retain(|key, revoked| !(keys.contains(key) && older(revoked)));
        }
    }

    /// Takes one use of a lease.
    pub(crate) fn spend(&self, lease: &Lease) -> Result<(), KeyError> {
        self.check(lease)?;
        if lease.uses.fetch_add(1, Ordering::Relaxed) >= lease.uses_max {
            return Err(KeyError::LeaseOver(lease.version));
        }
        Ok(())
    }

    /// Refuses a lease that is over, revoked, or of a root whose instant has come. Whoever uses it
    /// already may go on when its uses are spent.
    pub(crate) fn check(&self, lease: &Lease) -> Result<(), KeyError> {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        let of = |key: &KeyId| revoked.get(key).map(|revoked| revoked.state);
        let state = of(&lease.version).max(of(&lease.kek));
        drop(revoked);
        if let Some(state) = state {
            return Err(KeyError::State(state.name()));
        }
        if lease.dies_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(KeyError::State(KeyState::Destroyed.name()));
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
    uses: u64,
    leases: Mutex<Leases>,
}

#[derive(Debug, Default)]
struct Leases {
    by_entry: BTreeMap<EntryKey, Arc<Lease>>,
    by_version: BTreeMap<KeyId, EntryKey>,
    current: BTreeMap<(Owner, Purpose), KeyId>,
    by_end: BTreeSet<(Monotonic, EntryKey)>,
}

impl Leases {
    fn of(&self, version: KeyId) -> Option<&Arc<Lease>> {
        self.by_entry.get(self.by_version.get(&version)?)
    }

    fn remove(&mut self, version: KeyId) {
        let entry = self.by_version.remove(&version);
        if let Some(lease) = entry.and_then(|entry| self.by_entry.remove(&entry)) {
            self.by_end.remove(&(lease.ends, lease.entry));
            let of = (lease.owner, lease.purpose);
            if self.current.get(&of) == Some(&version) {
                self.current.remove(&of);
            }
        }
    }
}

impl Cache {
    pub(crate) fn new(terms: Arc<Terms>, ttl: Duration, uses: u64) -> Self {
        let ttl = ttl.min(Duration::from_secs(CACHE_TTL_SECS_MAX));
        let uses = uses.clamp(1, CACHE_USES_MAX);
        Self {
            terms,
            ttl,
            uses,
            leases: Mutex::default(),
        }
    }

    pub(crate) const fn ttl(&self) -> Duration {
        self.ttl
    }

    pub(crate) const fn uses(&self) -> u64 {
        self.uses
    }

    /// The lease of exactly this entry, if one is kept and good.
    pub(crate) fn entry(&self, entry: &EntryKey) -> Option<Arc<Lease>> {
        let lease = self.leases().by_entry.get(entry).cloned()?;
        self.good(lease)
    }

    /// A lease of this version, if one is kept and good.
    pub(crate) fn version(&self, version: KeyId) -> Option<Arc<Lease>> {
        let lease = self.leases().of(version).cloned()?;
        self.good(lease)
    }

    /// A lease of the owner's root, if one is kept and good.
    pub(crate) fn current(&self, owner: Owner, purpose: Purpose) -> Option<Arc<Lease>> {
        let leases = self.leases();
        let version = leases.current.get(&(owner, purpose)).copied()?;
        let lease = leases.of(version).cloned()?;
        drop(leases);
        self.good(lease)
    }

    /// Keeps a lease; drops the one that ends first when there are too many.
    pub(crate) fn keep(&self, lease: &Arc<Lease>) {
        let mut leases = self.leases();
        leases.remove(lease.version);
        while leases.by_entry.len() >= CACHE_ENTRIES_MAX {
            let first = leases.by_end.first().map(|(_, entry)| *entry);
            let first = first.and_then(|entry| leases.by_entry.get(&entry));
            let Some(first) = first.map(|lease| lease.version) else {
                break;
            };
            leases.remove(first);
        }
        leases.by_end.insert((lease.ends, lease.entry));
        if lease.use_for == UseFor::Sealing {
            let of = (lease.owner, lease.purpose);
            leases.current.insert(of, lease.version);
        }
        leases.by_version.insert(lease.version, lease.entry);
        leases.by_entry.insert(lease.entry, Arc::clone(lease));
    }

    /// Drops the leases under a key, so that the next use reads the store.
    pub(crate) fn forget(&self, key: KeyId) {
        let mut leases = self.leases();
        let under = leases.by_entry.values();
        let under = under.filter(|lease| lease.version == key || lease.kek == key);
        let versions: Vec<_> = under.map(|lease| lease.version).collect();
        versions
            .into_iter()
            .for_each(|version| leases.remove(version));
    }

    /// Forgets which version seals for an owner, so that the next use asks the store.
    pub(crate) fn forget_current(&self, owner: Owner, purpose: Purpose) {
        self.leases().current.remove(&(owner, purpose));
    }

    /// Revokes keys, KEKs or roots: from now on nothing starts under them in this process, held
    /// leases and unwraps under way included.
    pub(crate) fn revoke(&self, keys: &[KeyId], state: KeyState) {
        let now = self.terms.clock.monotonic();
        let until = now.saturating_add(self.ttl);
        let mut revoked = self
            .terms
            .revoked
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        revoked.retain(|_, revoked| revoked.until > now);
        let number = self.terms.revocations.fetch_add(1, Ordering::SeqCst);
        let number = number.saturating_add(1);
        let entry = Revoked {
            until,
            state,
            number,
        };
        revoked.extend(keys.iter().map(|key| (*key, entry)));
        drop(revoked);
        let mut leases = self.leases();
        let gone = |lease: &&Arc<Lease>| keys.contains(&lease.version) || keys.contains(&lease.kek);
        let versions: Vec<_> = leases
            .by_entry
            .values()
            .filter(gone)
            .map(|lease| lease.version)
            .collect();
        versions
            .into_iter()
            .for_each(|version| leases.remove(version));
    }

    fn good(&self, lease: Arc<Lease>) -> Option<Arc<Lease>> {
        let unspent = lease.uses.load(Ordering::Relaxed) < lease.uses_max;
        if unspent && self.terms.check(&lease).is_ok() {
            return Some(lease);
        }
        self.leases().remove(lease.version);
        None
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use covenant_core::testing::SeededRandom;
    use covenant_core::{ManualClock, TenantId};
    use uuid::Uuid;

    use super::*;

    struct Setting {
        clock: Arc<ManualClock>,
        cache: Cache,
    }

    impl Setting {
        fn with_ttl(secs: u64) -> Self {
            let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
            let terms = Terms::new(clock.clone(), Arc::new(SeededRandom::new(7)));
            let cache = Cache::new(Arc::new(terms), Duration::from_secs(secs), USES);
            Self { clock, cache }
        }

        /// Keeps a lease of a tenant's root that ends so many seconds from now.
        fn keep(&self, number: u128, secs: u64) {
            let now = self.clock.monotonic();
            self.cache.keep(&Arc::new(Lease {
                entry: entry(number),
                uses: AtomicU64::new(0),
                uses_max: self.cache.uses(),
                version: version(number),
                owner: owner(number),
                purpose: Purpose::Data,
                kek: version(0),
                root: Secret::new([0; 32]),
                ends: now.saturating_add(Duration::from_secs(secs)),
                dies_at: None,
                use_for: UseFor::Sealing,
            }));
        }

        fn sizes(&self) -> [usize; 3] {
            let leases = self.cache.leases();
            [
                leases.by_entry.len(),
                leases.by_end.len(),
                leases.current.len(),
            ]
        }
    }

    /// Uses of a lease in these tests.
    const USES: u64 = 3;

    fn entry(number: u128) -> EntryKey {
        EntryKey::of("", version(0), &number.to_be_bytes(), b"")
    }

    fn version(number: u128) -> KeyId {
        KeyId::from_uuid(Uuid::from_u128(number))
    }

    fn owner(number: u128) -> Owner {
        Owner::Tenant(TenantId::from_uuid(Uuid::from_u128(number)))
    }

    // clause: Q-19
    #[test]
    fn no_setting_makes_a_lease_longer_than_five_minutes() {
        for (asked, given) in [(1, 1), (300, 300), (301, 300), (u64::MAX, 300)] {
            let ttl = Setting::with_ttl(asked).cache.ttl();
            assert_eq!(ttl, Duration::from_secs(given), "{asked}");
        }
    }

    #[test]
    fn the_cache_is_bounded_and_drops_what_ends_first() {
        let setting = Setting::with_ttl(300);
        let many = u128::try_from(CACHE_ENTRIES_MAX).unwrap();
        setting.keep(1, 10);
        setting.keep(2, 5);
        (3..=many).for_each(|number| setting.keep(number, 20));
        assert_eq!(setting.sizes(), [CACHE_ENTRIES_MAX; 3]);
        assert!(setting.cache.version(version(2)).is_some());
        // one that is there already takes no other's place
        setting.keep(3, 30);
        assert!(setting.cache.version(version(2)).is_some());

        setting.keep(many + 1, 20);
        assert_eq!(setting.sizes(), [CACHE_ENTRIES_MAX; 3]);
        assert!(setting.cache.version(version(2)).is_none());
        assert!(setting.cache.current(owner(2), Purpose::Data).is_none());
        assert!(setting.cache.version(version(1)).is_some());
        setting.keep(many + 2, 20);
        assert!(setting.cache.version(version(1)).is_none());
        assert!(setting.cache.version(version(many + 2)).is_some());
    }

    #[test]
    fn a_lease_that_is_over_leaves_the_cache() {
        let setting = Setting::with_ttl(300);
        setting.keep(1, 10);
        setting.clock.advance(Duration::from_secs(9));
        assert!(setting.cache.version(version(1)).is_some());
        setting.clock.advance(Duration::from_secs(1));
        assert!(setting.cache.current(owner(1), Purpose::Data).is_none());
        assert_eq!(setting.sizes(), [0; 3]);
    }

    #[test]
    fn every_part_of_an_entry_counts_and_so_does_where_it_ends() {
        let (one, two) = (version(1), version(2));
        let entries = [
            EntryKey::of("file", one, b"wrapped", b"context"),
            EntryKey::of("fil", one, b"wrapped", b"context"),
            EntryKey::of("file", two, b"wrapped", b"context"),
            EntryKey::of("file", one, b"wrappe", b"context"),
            EntryKey::of("file", one, b"wrapped", b"contexu"),
            EntryKey::of("file", one, b"wrappedcon", b"text"),
            EntryKey::of("file", one, b"", b"wrappedcontext"),
        ];
        let unique: BTreeSet<_> = entries.iter().collect();
        assert_eq!(unique.len(), entries.len());
        // the digest of exactly these bytes
        let mut bytes = vec![0, 0, 0, 4];
        bytes.extend(b"file\0\0\0\x10");
        bytes.extend(one.as_bytes());
        bytes.extend(b"\0\0\0\x07wrapped\0\0\0\x07context");
        assert_eq!(digest(&SHA384, &bytes).as_ref(), entries[0].0);
    }

    #[test]
    fn an_entry_is_found_for_nothing_else() {
        let setting = Setting::with_ttl(300);
        setting.keep(1, 10);
        assert!(setting.cache.entry(&entry(1)).is_some());
        assert!(setting.cache.entry(&entry(2)).is_none());
        setting.clock.advance(Duration::from_secs(10));
        assert!(setting.cache.entry(&entry(1)).is_none());
        assert_eq!(setting.sizes(), [0; 3]);
    }

    #[test]
    fn a_version_that_was_wrapped_anew_leaves_no_old_entry() {
        let setting = Setting::with_ttl(300);
        setting.keep(1, 10);
        let held = setting.cache.version(version(1)).unwrap();
        let anew = Lease {
            entry: entry(9),
            uses: AtomicU64::new(0),
            root: Secret::new([1; 32]),
            ..copied(&held)
        };
        setting.cache.keep(&Arc::new(anew));
        assert!(setting.cache.entry(&entry(1)).is_none());
        assert!(setting.cache.entry(&entry(9)).is_some());
        assert_eq!(setting.sizes(), [1; 3]);
    }

    fn copied(lease: &Lease) -> Lease {
        Lease {
            entry: lease.entry,
            uses: AtomicU64::new(0),
            uses_max: lease.uses_max,
            version: lease.version,
            owner: lease.owner,
            purpose: lease.purpose,
            kek: lease.kek,
            root: Secret::new(*lease.root.expose()),
            ends: lease.ends,
            dies_at: lease.dies_at,
            use_for: lease.use_for,
        }
    }

    #[test]
    fn a_lease_is_used_so_often_and_who_holds_it_may_finish() {
        let setting = Setting::with_ttl(300);
        setting.keep(1, 10);
        let terms = &setting.cache.terms;
        for left in (0..USES).rev() {
            let lease = setting.cache.version(version(1)).unwrap();
            assert!(terms.spend(&lease).is_ok(), "{left}");
            if left == 0 {
                let over = terms.spend(&lease);
                assert!(matches!(over, Err(KeyError::LeaseOver(_))));
                assert!(terms.check(&lease).is_ok());
            }
        }
        assert!(setting.cache.current(owner(1), Purpose::Data).is_none());
        assert_eq!(setting.sizes(), [0; 3]);
    }

    #[test]
    fn no_setting_allows_more_uses_than_the_bound() {
        for (asked, given) in [(0, 1), (1, 1), (u64::MAX, CACHE_USES_MAX)] {
            let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
            let terms = Arc::new(Terms::new(clock, Arc::new(SeededRandom::new(7))));
            let cache = Cache::new(terms, Duration::from_secs(60), asked);
            assert_eq!(cache.uses(), given, "{asked}");
        }
    }
}
