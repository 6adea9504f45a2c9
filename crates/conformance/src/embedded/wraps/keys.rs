//! Wrong about keys: a key store that records something else than it is told.

use std::sync::Arc;

use covenant::Wrap;
use covenant_core::event::{Action, ActorContext};
use covenant_core::sealer::Purpose;
use covenant_core::{Clock, KeyId, Owner, TenantId};
use crypto_envelope::journal::KeyEvent;
use crypto_envelope::record::{KekRecord, RootRecord, Switch};
use crypto_envelope::store::{KeyStore, Moved, Planned, StoreError, StoreFuture, Swap};
use crypto_envelope::testing::AroundStore;
use time::{Duration, UtcDateTime};

/// How much longer than it was told a key waits.
const LONGER: Duration = Duration::days(1);

/// What the store gets wrong.
#[derive(Debug)]
pub(super) enum Flaw {
    /// A key that is switched off stays on.
    StaysOn,
    /// What is told of unwraps is lost.
    ForgetsUnwraps,
    /// The roots of a purged tenant die at once, whatever was planned.
    DiesWithPurge(Arc<dyn Clock>),
    /// The wait before a destruction is over at once.
    NoWait(Arc<dyn Clock>),
    /// The wait before a destruction is a day longer.
    LongWait,
    /// A key that wraps keys never expires.
    NeverExpires,
    /// The key of a tenant's contents is destroyed when it is put under another one.
    BuriesMoved(Arc<dyn Clock>),
}

/// Wraps the store of keys with a flaw.
pub(super) fn wrap(flaw: Flaw) -> Wrap<dyn KeyStore> {
    Box::new(|sound| Arc::new(Flawed { sound, flaw }))
}

#[derive(Debug)]
struct Flawed {
    sound: Arc<dyn KeyStore>,
    flaw: Flaw,
}

impl Flawed {
    /// What is recorded of a switch and the end of its wait.
    fn switched(
        &self,
        switch: Switch,
        until: Option<UtcDateTime>,
    ) -> (Switch, Option<UtcDateTime>) {
        match (&self.flaw, switch) {
            (Flaw::StaysOn, Switch::Off) => (Switch::On, until),
            (Flaw::NoWait(clock), Switch::Pending) => (switch, until.map(|_| clock.now())),
            (Flaw::LongWait, Switch::Pending) => {
                (switch, until.map(|until| until.saturating_add(LONGER)))
            }
            _ => (switch, until),
        }
    }

    fn kek_as_recorded(&self, kek: &KekRecord) -> KekRecord {
        let (switch, pending_until) = self.switched(kek.switch, kek.pending_until);
        KekRecord {
            switch,
            pending_until,
            expires_at: self.expires(kek.expires_at),
            ..kek.clone()
        }
    }

    fn expires(&self, at: Option<UtcDateTime>) -> Option<UtcDateTime> {
        at.filter(|_| !matches!(self.flaw, Flaw::NeverExpires))
    }

    /// Destroys the roots of contents among these.
    async fn bury(&self, moved: &[RootRecord], at: UtcDateTime) -> Result<(), StoreError> {
        let actor = ActorContext::service("conformance");
        let of_contents = |root: &&RootRecord| {
            matches!(root.owner, Owner::Tenant(_)) && root.purpose == Purpose::Data
        };
        for root in moved.iter().filter(of_contents) {
            self.sound.bury_root(root.id, at, &actor).await?;
        }
        Ok(())
    }
}

impl AroundStore for Flawed {
    fn within(&self) -> &dyn KeyStore {
        &*self.sound
    }

    fn put_kek<'a>(&'a self, kek: &'a KekRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        let kek = self.kek_as_recorded(kek);
        Box::pin(async move { self.sound.put_kek(&kek, event).await })
    }

    fn put_empty_kek<'a>(
        &'a self,
        kek: &'a KekRecord,
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, Swap> {
        let kek = self.kek_as_recorded(kek);
        Box::pin(async move { self.sound.put_empty_kek(&kek, event).await })
    }

    fn put_root<'a>(&'a self, root: &'a RootRecord, event: &'a KeyEvent) -> StoreFuture<'a, Swap> {
        let (switch, pending_until) = self.switched(root.switch, root.pending_until);
        let root = RootRecord {
            switch,
            pending_until,
            ..root.clone()
        };
        Box::pin(async move { self.sound.put_root(&root, event).await })
    }

    fn intend_kek<'a>(&'a self, kek: &'a KekRecord) -> StoreFuture<'a, KekRecord> {
        let kek = KekRecord {
            expires_at: self.expires(kek.expires_at),
            ..kek.clone()
        };
        Box::pin(async move { self.sound.intend_kek(&kek).await })
    }

    fn move_roots<'a>(&'a self, to: KeyId, roots: &'a [RootRecord]) -> StoreFuture<'a, Moved> {
        Box::pin(async move {
            let moved = self.sound.move_roots(to, roots).await?;
            if let Flaw::BuriesMoved(clock) = &self.flaw {
                self.bury(roots, clock.now()).await?;
            }
            Ok(moved)
        })
    }

    fn plan_roots(&self, tenant: TenantId, at: UtcDateTime) -> StoreFuture<'_, Planned> {
        let at = match &self.flaw {
            Flaw::DiesWithPurge(clock) => clock.now(),
            _ => at,
        };
        self.sound.plan_roots(tenant, at)
    }

    fn add_event<'a>(&'a self, event: &'a KeyEvent) -> StoreFuture<'a, ()> {
        if matches!(self.flaw, Flaw::ForgetsUnwraps) && event.action == Action::KeyUnwrapped {
            return Box::pin(async { Ok(()) });
        }
        self.sound.add_event(event)
    }
}
