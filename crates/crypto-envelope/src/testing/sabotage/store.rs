//! A key store that is wrong in one way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use covenant_core::event::{Action, ActorContext};
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner};
use time::{Duration, UtcDateTime};

use crate::journal::KeyEvent;
use crate::record::{KekRecord, RootRecord, Switch};
use crate::store::{Due, Gate, KeyStore, Moved, StoreFuture, StoreStanding, Swap};
use crate::testing::AroundStore;

/// What is wrong with an [`UnsoundStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFlaw {
    /// A destroyed root keeps its wrapped bytes.
    BurialKeepsBytes,
    /// Records read as switched on, whatever they are.
    SwitchIgnored,
    /// The window of a scheduled destruction is stored a day short.
    WindowADayShort,
    /// What is due is due a day before.
    DueADayEarly,
    /// A store that was put back says that it is open.
    GateOpen,
    /// Unwraps leave no event.
    UnwrapsUnrecorded,
    /// A destroyed root is kept aside, and moves to the next KEK with the living ones.
    DestroyedRewrapped,
}

impl StoreFlaw {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::BurialKeepsBytes,
        Self::SwitchIgnored,
        Self::WindowADayShort,
        Self::DueADayEarly,
        Self::GateOpen,
        Self::UnwrapsUnrecorded,
        Self::DestroyedRewrapped,
    ];
}

/// A key store that is wrong in one way.
#[derive(Debug)]
pub struct UnsoundStore {
    inner: Arc<dyn KeyStore>,
    flaw: StoreFlaw,
    /// Roots that were destroyed, as they were before.
    aside: Mutex<BTreeMap<KeyId, RootRecord>>,
}

impl UnsoundStore {
    /// The store with the flaw.
    #[must_use]
    pub fn new(inner: Arc<dyn KeyStore>, flaw: StoreFlaw) -> Self {
        let aside = Mutex::default();
        Self { inner, flaw, aside }
    }

    fn aside(&self) -> MutexGuard<'_, BTreeMap<KeyId, RootRecord>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn short(&self, until: Option<UtcDateTime>) -> Option<UtcDateTime> {
        match self.flaw {
            StoreFlaw::WindowADayShort => until.map(|until| until.saturating_sub(Duration::DAY)),
            _ => until,
        }
    }

    fn kek_as_read(&self, kek: KekRecord) -> KekRecord {
        match self.flaw {
            StoreFlaw::SwitchIgnored => KekRecord {
                switch: Switch::On,
                ..kek
            },
            _ => kek,
        }
    }

    fn root_as_read(&self, root: RootRecord) -> RootRecord {
        match self.flaw {
            StoreFlaw::SwitchIgnored => RootRecord {
                switch: Switch::On,
                ..root
            },
            _ => root,
        }
    }
}

impl AroundStore for UnsoundStore {
    fn within(&self) -> &dyn KeyStore {
        &*self.inner
    }

    fn kek(&self, id: KeyId) -> StoreFuture<'_, Option<KekRecord>> {
        Box::pin(async move {
            let kek = self.inner.kek(id).await?;
            Ok(kek.map(|kek| self.kek_as_read(kek)))
        })
    }

    fn put_kek<'a>(&'a self, kek: &'a KekRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        Box::pin(async move {
            let pending_until = self.short(kek.pending_until);
            let kek = KekRecord {
                pending_until,
                ..kek.clone()
            };
            self.inner.put_kek(&kek, event).await
        })
    }

    fn root(&self, id: KeyId) -> StoreFuture<'_, Option<RootRecord>> {
        Box::pin(async move {
            let root = self.inner.root(id).await?;
            Ok(root.map(|root| self.root_as_read(root)))
        })
    }

    fn root_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Option<RootRecord>> {
        Box::pin(async move {
            let root = self.inner.root_of(owner, purpose).await?;
            Ok(root.map(|root| self.root_as_read(root)))
        })
    }

    fn put_root<'a>(&'a self, root: &'a RootRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        Box::pin(async move {
            let pending_until = self.short(root.pending_until);
            let root = RootRecord {
                pending_until,
                ..root.clone()
            };
            self.inner.put_root(&root, event).await
        })
    }

    fn roots_under(
        &self,
        kek: KeyId,
        after: Option<KeyId>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<RootRecord>> {
        Box::pin(async move {
            let mut roots = self.inner.roots_under(kek, after, limit).await?;
            let aside = self.aside();
            let under = aside.values().filter(|root| root.kek == kek);
            roots.extend(
                under
                    .filter(|root| after.is_none_or(|after| root.id > after))
                    .cloned(),
            );
            roots.sort_by_key(|root| root.id);
            Ok(roots)
        })
    }

    fn move_roots<'a>(&'a self, to: KeyId, roots: &'a [RootRecord]) -> StoreFuture<'a, Moved> {
        Box::pin(async move {
            let mut living = Vec::new();
            {
                let mut aside = self.aside();
                for root in roots {
                    match aside.get_mut(&root.id) {
                        Some(kept) => {
                            *kept = RootRecord {
                                kek: to,
                                ..root.clone()
                            };
                        }
                        None => living.push(root.clone()),
                    }
                }
            }
            self.inner.move_roots(to, &living).await
        })
    }

    fn due(&self, now: UtcDateTime) -> StoreFuture<'_, Due> {
        match self.flaw {
            StoreFlaw::DueADayEarly => self.inner.due(now.saturating_add(Duration::DAY)),
            _ => self.inner.due(now),
        }
    }

    fn bury_root<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, RootRecord> {
        Box::pin(async move {
            let before = self.inner.root(id).await?;
            if let (StoreFlaw::DestroyedRewrapped, Some(root)) = (self.flaw, &before) {
                self.aside().insert(id, root.clone());
            }
            let buried = self.inner.bury_root(id, at, actor).await?;
            Ok(match (self.flaw, before) {
                (StoreFlaw::BurialKeepsBytes, Some(RootRecord { wrapped, .. })) => {
                    RootRecord { wrapped, ..buried }
                }
                _ => buried,
            })
        })
    }

    fn roots(&self) -> StoreFuture<'_, Vec<RootRecord>> {
        Box::pin(async move {
            let roots = self.inner.roots().await?;
            let aside = self.aside();
            let kept = |root: RootRecord| aside.get(&root.id).cloned().unwrap_or(root);
            Ok(roots.into_iter().map(kept).collect())
        })
    }

    fn standing(&self) -> StoreFuture<'_, StoreStanding> {
        Box::pin(async move {
            let mut standing = self.inner.standing().await?;
            if self.flaw == StoreFlaw::GateOpen {
                standing.gate = Gate::Open;
            }
            Ok(standing)
        })
    }

    fn add_event<'a>(&'a self, event: &'a KeyEvent) -> StoreFuture<'a, ()> {
        let lost = self.flaw == StoreFlaw::UnwrapsUnrecorded;
        if lost && event.action == Action::KeyUnwrapped {
            return Box::pin(async { Ok(()) });
        }
        self.inner.add_event(event)
    }
}
