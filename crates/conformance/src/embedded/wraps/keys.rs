//! Wrong about keys: a key store that records something else than it is told.

use std::sync::Arc;

use covenant::Wrap;
use covenant_core::event::{Action, ActorContext};
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{Clock, EventId, KeyId, OrderId, Owner, TenantId};
use crypto_envelope::GroupName;
use crypto_envelope::copies::KeyCopy;
use crypto_envelope::journal::KeyEvent;
use crypto_envelope::record::{Erasure, KekRecord, RootRecord, Switch};
use crypto_envelope::store::{
    Added, Changes, Counted, Due, Flush, Gate, KeyStore, Moved, Planned, StoreError, StoreFuture,
    StoreStanding, Swap,
};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

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

impl KeyStore for Flawed {
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

    // the rest is sound
    fn kek(&self, id: KeyId) -> StoreFuture<'_, Option<KekRecord>> {
        self.sound.kek(id)
    }
    fn keks_of<'a>(&'a self, group: &'a GroupName) -> StoreFuture<'a, Vec<KekRecord>> {
        self.sound.keks_of(group)
    }
    fn enable_kek<'a>(
        &'a self,
        id: KeyId,
        canary: &'a [u8],
        event: &'a KeyEvent,
    ) -> StoreFuture<'a, KekRecord> {
        self.sound.enable_kek(id, canary, event)
    }
    fn count_wrap(&self, kek: KeyId) -> StoreFuture<'_, Counted> {
        self.sound.count_wrap(kek)
    }
    fn root(&self, id: KeyId) -> StoreFuture<'_, Option<RootRecord>> {
        self.sound.root(id)
    }
    fn root_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Option<RootRecord>> {
        self.sound.root_of(owner, purpose)
    }
    fn roots_of(&self, owner: Owner, purpose: Purpose) -> StoreFuture<'_, Vec<RootRecord>> {
        self.sound.roots_of(owner, purpose)
    }
    fn add_root<'a>(&'a self, root: &'a RootRecord) -> StoreFuture<'a, Added> {
        self.sound.add_root(root)
    }
    fn roots_under(
        &self,
        kek: KeyId,
        after: Option<KeyId>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<RootRecord>> {
        self.sound.roots_under(kek, after, limit)
    }
    fn plan_roots(&self, tenant: TenantId, at: UtcDateTime) -> StoreFuture<'_, Planned> {
        let at = match &self.flaw {
            Flaw::DiesWithPurge(clock) => clock.now(),
            _ => at,
        };
        self.sound.plan_roots(tenant, at)
    }
    fn due(&self, now: UtcDateTime) -> StoreFuture<'_, Due> {
        self.sound.due(now)
    }
    fn next_due(&self) -> StoreFuture<'_, Option<UtcDateTime>> {
        self.sound.next_due()
    }
    fn bury_kek<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, (KekRecord, Vec<RootRecord>)> {
        self.sound.bury_kek(id, at, actor)
    }
    fn finish_kek(&self, id: KeyId, at: UtcDateTime) -> StoreFuture<'_, ()> {
        self.sound.finish_kek(id, at)
    }
    fn bury_root<'a>(
        &'a self,
        id: KeyId,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, RootRecord> {
        self.sound.bury_root(id, at, actor)
    }
    fn erase_subject<'a>(
        &'a self,
        order: &'a DestroyOrder,
        at: UtcDateTime,
        actor: &'a ActorContext,
    ) -> StoreFuture<'a, Erasure> {
        self.sound.erase_subject(order, at, actor)
    }
    fn settle_erasure(
        &self,
        order: OrderId,
        complete_by: UtcDateTime,
    ) -> StoreFuture<'_, UtcDateTime> {
        self.sound.settle_erasure(order, complete_by)
    }
    fn flush(&self) -> StoreFuture<'_, Flush> {
        self.sound.flush()
    }
    fn keks(&self) -> StoreFuture<'_, Vec<KekRecord>> {
        self.sound.keks()
    }
    fn roots(&self) -> StoreFuture<'_, Vec<RootRecord>> {
        self.sound.roots()
    }
    fn standing(&self) -> StoreFuture<'_, StoreStanding> {
        self.sound.standing()
    }
    fn set_gate(&self, gate: Gate) -> StoreFuture<'_, ()> {
        self.sound.set_gate(gate)
    }
    fn changes(&self, after: u64) -> StoreFuture<'_, Changes> {
        self.sound.changes(after)
    }
    fn restore<'a>(&'a self, copies: &'a [Changes]) -> StoreFuture<'a, ()> {
        self.sound.restore(copies)
    }
    fn put_copy<'a>(&'a self, copy: &'a KeyCopy) -> StoreFuture<'a, ()> {
        self.sound.put_copy(copy)
    }
    fn copies(&self) -> StoreFuture<'_, Vec<KeyCopy>> {
        self.sound.copies()
    }
    fn forget_copy(&self, id: Uuid) -> StoreFuture<'_, ()> {
        self.sound.forget_copy(id)
    }
    fn add_event<'a>(&'a self, event: &'a KeyEvent) -> StoreFuture<'a, ()> {
        if matches!(self.flaw, Flaw::ForgetsUnwraps) && event.action == Action::KeyUnwrapped {
            return Box::pin(async { Ok(()) });
        }
        self.sound.add_event(event)
    }
    fn events(&self, limit: u32) -> StoreFuture<'_, Vec<KeyEvent>> {
        self.sound.events(limit)
    }
    fn settle_events<'a>(&'a self, ids: &'a [EventId]) -> StoreFuture<'a, ()> {
        self.sound.settle_events(ids)
    }
}
