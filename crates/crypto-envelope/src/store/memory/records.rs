//! The records in memory, and every rule of the contract as plain code over them.

use std::collections::BTreeMap;

use covenant_core::event::ActorContext;
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{EventId, KeyId, OrderId, Owner, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::copies::KeyCopy;
use crate::group::GroupName;
use crate::journal::KeyEvent;
use crate::record::{Erasure, KekRecord, KekState, RootRecord, RootState, Switch};
use crate::state::Refused;
use crate::store::{
    Added, Changes, Counted, Due, Gate, Moved, Planned, StoreError, StoreStanding, Swap,
};
use crate::wrapped::WRAPS_MAX;

#[derive(Default)]
pub(super) struct Records {
    pub(super) keks: BTreeMap<KeyId, KekRecord>,
    pub(super) roots: BTreeMap<KeyId, RootRecord>,
    pub(super) copies: BTreeMap<Uuid, KeyCopy>,
    pub(super) events: BTreeMap<EventId, KeyEvent>,
    erasures: BTreeMap<OrderId, Erasure>,
    pub(super) shut: Option<()>,
    revision: u64,
    latest_at: Option<UtcDateTime>,
}

impl Records {
    pub(super) fn standing(&self) -> StoreStanding {
        StoreStanding {
            revision: self.revision,
            gate: self.shut.map_or(Gate::Open, |()| Gate::Shut),
            latest_at: self.latest_at,
        }
    }

    fn bump(&mut self, at: Option<UtcDateTime>) -> u64 {
        self.revision = self.revision.saturating_add(1);
        self.latest_at = self.latest_at.max(at);
        self.revision
    }

    pub(super) fn tell(&mut self, event: KeyEvent) {
        self.events.entry(event.id).or_insert(event);
    }

    pub(super) fn keks_of(&self, group: &GroupName) -> Vec<KekRecord> {
        let mut keks: Vec<_> = self
            .keks
            .values()
            .filter(|kek| kek.group == *group)
            .collect();
        keks.sort_by_key(|kek| kek.n);
        keks.into_iter().cloned().collect()
    }

    pub(super) fn intend_kek(&mut self, kek: &KekRecord) -> Result<KekRecord, StoreError> {
        let mut of_group = self.keks.values();
        if let Some(existing) = of_group.find(|k| k.group == kek.group && k.n == kek.n) {
            return Ok(existing.clone());
        }
        if self.keks.contains_key(&kek.id) {
            return Err(StoreError::Taken(kek.id));
        }
        let revision = self.bump(Some(kek.created_at));
        let kek = KekRecord {
            revision,
            ..kek.clone()
        };
        self.keks.insert(kek.id, kek.clone());
        Ok(kek)
    }

    pub(super) fn enable_kek(
        &mut self,
        id: KeyId,
        canary: &[u8],
        event: &KeyEvent,
    ) -> Result<KekRecord, StoreError> {
        let state = self.keks.get(&id).ok_or(StoreError::NoRecord(id))?.state;
        let revision = match state {
            KekState::Intended => {
                self.tell(event.clone());
                Some(self.bump(Some(event.at)))
            }
            _ => None,
        };
        let kek = self.keks.get_mut(&id).ok_or(StoreError::NoRecord(id))?;
        if let Some(revision) = revision {
            kek.state = KekState::Enabled;
            kek.canary = canary.to_vec();
            kek.revision = revision;
        }
        Ok(kek.clone())
    }

    pub(super) fn put_kek(
        &mut self,
        kek: &KekRecord,
        event: &KeyEvent,
    ) -> Result<Swap, StoreError> {
        let stored = self.keks.get(&kek.id).ok_or(StoreError::NoRecord(kek.id))?;
        let buried = matches!(stored.state, KekState::Dying | KekState::Destroyed);
        if buried || stored.revision != kek.revision {
            return Ok(Swap::Stale);
        }
        let (state, wraps, canary) = (stored.state, stored.wraps, stored.canary.clone());
        let revision = self.bump(Some(event.at));
        let kek = KekRecord {
            state,
            wraps,
            canary,
            revision,
            ..kek.clone()
        };
        self.keks.insert(kek.id, kek);
        self.tell(event.clone());
        Ok(Swap::Done)
    }

    pub(super) fn put_empty_kek(
        &mut self,
        kek: &KekRecord,
        event: &KeyEvent,
    ) -> Result<Swap, StoreError> {
        let under = self.living_under(kek.id).count();
        if under > 0 {
            return Ok(Swap::NotEmpty(u64::try_from(under).unwrap_or(u64::MAX)));
        }
        self.put_kek(kek, event)
    }

    fn living_under(&self, kek: KeyId) -> impl Iterator<Item = &RootRecord> {
        let roots = self.roots.values();
        roots.filter(move |root| root.kek == kek && root.state != RootState::Destroyed)
    }

    pub(super) fn roots_under(
        &self,
        kek: KeyId,
        after: Option<KeyId>,
        limit: u32,
    ) -> Vec<RootRecord> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = self.living_under(kek);
        let page = page.filter(|root| after.is_none_or(|after| root.id > after));
        page.take(limit).cloned().collect()
    }

    /// Counts wraps by the newest enabled KEK of its group.
    pub(super) fn count(&mut self, id: KeyId, wraps: u64) -> Counted {
        let counted = self.may_count(id, wraps);
        if let (Counted::Done, Some(kek)) = (counted, self.keks.get_mut(&id)) {
            kek.wraps = kek.wraps.saturating_add(wraps);
        }
        counted
    }

    fn may_count(&self, id: KeyId, wraps: u64) -> Counted {
        let Some(kek) = self.keks.get(&id) else {
            return Counted::Refused(KekState::Destroyed.name());
        };
        let group = self.keks.values().filter(|k| k.group == kek.group);
        if let Some(refused) = refusal(kek, group) {
            return Counted::Refused(refused);
        }
        if kek.wraps.saturating_add(wraps) > WRAPS_MAX {
            return Counted::Exhausted;
        }
        Counted::Done
    }

    pub(super) fn versions(&self, owner: Owner, purpose: Purpose) -> Vec<&RootRecord> {
        let roots = self.roots.values();
        let mut roots: Vec<_> = roots
            .filter(|root| root.owner == owner && root.purpose == purpose)
            .collect();
        roots.sort_by_key(|root| root.n);
        roots
    }

    pub(super) fn root_of(&self, owner: Owner, purpose: Purpose) -> Option<&RootRecord> {
        let versions = self.versions(owner, purpose);
        let active = versions.iter().rev().find(|r| r.state == RootState::Active);
        active.or(versions.last()).copied()
    }

    pub(super) fn add_root(&mut self, root: &RootRecord) -> Result<Added, StoreError> {
        let mut root = root.clone();
        let versions = self.versions(root.owner, root.purpose);
        if let Some(existing) = versions.iter().find(|version| version.n == root.n) {
            return Ok(Added::Exists((*existing).clone()));
        }
        if let Some(before) = versions.last() {
            if before.state == RootState::Destroyed {
                return Ok(Added::Refused(before.state.name()));
            }
            root.destroy_at = before.destroy_at;
        }
        if let Owner::Subject(tenant, subject) = root.owner {
            let Some(data) = self.root_of(Owner::Tenant(tenant), Purpose::Data) else {
                return Ok(Added::NoTenant);
            };
            if data.state == RootState::Destroyed {
                return Ok(Added::Refused(data.state.name()));
            }
            let erased = |e: &Erasure| e.tenant == tenant && e.subject == subject;
            if self.erasures.values().any(erased) {
                return Ok(Added::Refused(RootState::Destroyed.name()));
            }
            root.destroy_at = data.destroy_at;
        }
        match self.may_count(root.kek, 1) {
            Counted::Done => {}
            Counted::Refused(state) => return Ok(Added::Refused(state)),
            Counted::Exhausted => return Ok(Added::Exhausted),
        }
        if self.roots.contains_key(&root.id) {
            return Err(StoreError::Taken(root.id));
        }
        self.count(root.kek, 1);
        root.revision = self.bump(Some(root.created_at));
        root.wrapped_revision = root.revision;
        self.roots.insert(root.id, root.clone());
        Ok(Added::Stored(root))
    }

    pub(super) fn put_root(
        &mut self,
        root: &RootRecord,
        event: &KeyEvent,
    ) -> Result<Swap, StoreError> {
        let stored = self.roots.get(&root.id);
        let stored = stored.ok_or(StoreError::NoRecord(root.id))?;
        if stored.state == RootState::Destroyed || stored.revision != root.revision {
            return Ok(Swap::Stale);
        }
        let revision = self.bump(Some(event.at));
        let root = RootRecord {
            revision,
            ..root.clone()
        };
        self.roots.insert(root.id, root);
        self.tell(event.clone());
        Ok(Swap::Done)
    }

    pub(super) fn move_roots(&mut self, to: KeyId, roots: &[RootRecord]) -> Moved {
        let fits = |root: &&RootRecord| {
            let stored = self.roots.get(&root.id);
            let living =
                |r: &&RootRecord| r.revision == root.revision && r.state != RootState::Destroyed;
            stored.filter(living).is_some()
        };
        let fit: Vec<_> = roots.iter().filter(fits).cloned().collect();
        let wraps = u64::try_from(fit.len()).unwrap_or(u64::MAX);
        match self.count(to, wraps) {
            Counted::Done => {}
            Counted::Refused(state) => return Moved::Refused(state),
            Counted::Exhausted => return Moved::Exhausted,
        }
        let revision = self.bump(None);
        for root in fit {
            let moved = RootRecord {
                kek: to,
                revision,
                wrapped_revision: revision,
                ..root
            };
            self.roots.insert(moved.id, moved);
        }
        Moved::Done(wraps)
    }

    pub(super) fn plan_roots(&mut self, tenant: TenantId, at: UtcDateTime) -> Planned {
        let of_tenant = |root: &&mut RootRecord| {
            let owner =
                matches!(root.owner, Owner::Tenant(t) | Owner::Subject(t, _) if t == tenant);
            owner && root.state != RootState::Destroyed
        };
        let differs = |root: &&mut RootRecord| root.destroy_at.is_some_and(|planned| planned != at);
        if let Some(root) = self.roots.values_mut().filter(of_tenant).find(differs) {
            return Planned::Differs(root.id, root.destroy_at.unwrap_or(at));
        }
        let revision = self.bump(None);
        let mut count: u64 = 0;
        for root in self.roots.values_mut().filter(of_tenant) {
            root.destroy_at = Some(at);
            root.revision = revision;
            count = count.saturating_add(1);
        }
        Planned::Done(count)
    }

    pub(super) fn due(&self, now: UtcDateTime) -> Due {
        let over = |at: Option<UtcDateTime>| at.is_some_and(|at| at <= now);
        let keks = self.keks.values().filter(|kek| match kek.state {
            KekState::Intended | KekState::Enabled => {
                over(kek.destroy_at) || over(kek.pending_until)
            }
            KekState::Dying => true,
            KekState::Destroyed => false,
        });
        let living = || {
            self.roots
                .values()
                .filter(|r| r.state != RootState::Destroyed)
        };
        let roots = living().filter(|r| over(r.destroy_at) || over(r.pending_until));
        let ripe = living().filter(|r| ripens(r) && over(r.active_from));
        Due {
            keks: keks.cloned().collect(),
            roots: roots.cloned().collect(),
            ripe: ripe.cloned().collect(),
        }
    }

    pub(super) fn next_due(&self) -> Option<UtcDateTime> {
        let keks = self.keks.values().flat_map(|kek| match kek.state {
            KekState::Intended | KekState::Enabled => {
                let expiry = kek.expires_at.filter(|_| expires(kek));
                [kek.destroy_at, kek.pending_until, expiry]
            }
            KekState::Dying => [kek.destroyed_at, None, None],
            KekState::Destroyed => [None; 3],
        });
        let living = self
            .roots
            .values()
            .filter(|r| r.state != RootState::Destroyed);
        let roots = living.flat_map(|root| {
            let ripe = root.active_from.filter(|_| ripens(root));
            [root.destroy_at, root.pending_until, ripe]
        });
        keks.chain(roots).flatten().min()
    }

    pub(super) fn bury_kek(
        &mut self,
        id: KeyId,
        at: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<(KekRecord, Vec<RootRecord>), StoreError> {
        let kek = self.keks.get(&id).ok_or(StoreError::NoRecord(id))?;
        if matches!(kek.state, KekState::Intended | KekState::Enabled) {
            let under: Vec<_> = self.living_under(id).map(|root| root.id).collect();
            let revision = self.bump(Some(at));
            if let Some(kek) = self.keks.get_mut(&id) {
                kek.state = KekState::Dying;
                kek.destroyed_at = Some(at);
                kek.revision = revision;
            }
            self.tell(KeyEvent::destroyed(id, None, at, actor.clone()));
            self.empty(&under, at, revision, actor);
        }
        let kek = self.keks.get(&id).ok_or(StoreError::NoRecord(id))?;
        let went = self.roots.values();
        let went = went.filter(|r| r.kek == id && r.destroyed_at == kek.destroyed_at);
        Ok((kek.clone(), went.cloned().collect()))
    }

    pub(super) fn finish_kek(&mut self, id: KeyId, at: UtcDateTime) -> Result<(), StoreError> {
        let state = self.keks.get(&id).ok_or(StoreError::NoRecord(id))?.state;
        if state == KekState::Dying {
            let revision = self.bump(Some(at));
            if let Some(kek) = self.keks.get_mut(&id) {
                kek.state = KekState::Destroyed;
                kek.gone_at = Some(at);
                kek.revision = revision;
            }
        }
        Ok(())
    }

    pub(super) fn bury_root(
        &mut self,
        id: KeyId,
        at: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<RootRecord, StoreError> {
        let state = self.roots.get(&id).ok_or(StoreError::NoRecord(id))?.state;
        if state != RootState::Destroyed {
            let revision = self.bump(Some(at));
            self.empty(&[id], at, revision, actor);
        }
        let root = self.roots.get(&id).ok_or(StoreError::NoRecord(id))?;
        Ok(root.clone())
    }

    pub(super) fn erase_subject(
        &mut self,
        order: &DestroyOrder,
        at: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<Erasure, StoreError> {
        if let Some(done) = self.erasures.get(&order.id) {
            let same = done.tenant == order.tenant && done.subject == order.subject;
            return if same {
                Ok(done.clone())
            } else {
                Err(StoreError::OtherOrder)
            };
        }
        let same = |e: &&Erasure| e.tenant == order.tenant && e.subject == order.subject;
        let first = self.erasures.values().filter(same);
        let first = first.min_by_key(|e| (e.destroyed_at, e.order)).cloned();
        let revision = self.bump(Some(at));
        let erasure = match first {
            Some(first) => Erasure {
                order: order.id,
                revision,
                ..first
            },
            None => {
                let owner = Owner::Subject(order.tenant, order.subject);
                let roots = self.roots.values().filter(|root| root.owner == owner);
                let keys: Vec<_> = roots.map(|root| root.id).collect();
                self.empty(&keys, at, revision, actor);
                Erasure {
                    order: order.id,
                    tenant: order.tenant,
                    subject: order.subject,
                    destroyed_at: at,
                    keys,
                    revision,
                    complete_by: None,
                }
            }
        };
        self.erasures.insert(order.id, erasure.clone());
        Ok(erasure)
    }

    pub(super) fn settle_erasure(
        &mut self,
        order: OrderId,
        complete_by: UtcDateTime,
    ) -> Result<UtcDateTime, StoreError> {
        let erasure = self.erasures.get_mut(&order);
        let erasure = erasure.ok_or(StoreError::NoOrder(order))?;
        Ok(*erasure.complete_by.get_or_insert(complete_by))
    }

    /// Empties those of the roots that live.
    fn empty(&mut self, ids: &[KeyId], at: UtcDateTime, revision: u64, actor: &ActorContext) {
        for id in ids {
            let Some(root) = self.roots.get_mut(id) else {
                continue;
            };
            if root.state == RootState::Destroyed {
                continue;
            }
            root.wrapped = Vec::new();
            root.state = RootState::Destroyed;
            root.destroyed_at = Some(at);
            root.revision = revision;
            let tenant = root.owner.tenant();
            self.tell(KeyEvent::destroyed(*id, tenant, at, actor.clone()));
        }
    }

    pub(super) fn changes(&self, after: u64) -> Changes {
        let keks = self.keks.values().filter(|kek| kek.revision > after);
        let roots = self.roots.values().filter(|root| root.revision > after);
        let erasures = self.erasures.values().filter(|e| e.revision > after);
        Changes {
            after,
            revision: self.revision,
            keks: keks.cloned().collect(),
            roots: roots.cloned().collect(),
            erasures: erasures.cloned().collect(),
        }
    }

    pub(super) fn restore(&mut self, copies: &[Changes]) -> Result<(), StoreError> {
        if !(self.keks.is_empty() && self.roots.is_empty() && self.erasures.is_empty()) {
            return Err(StoreError::NotEmpty);
        }
        for copy in super::super::in_order(copies)? {
            let keks = copy.keks.iter().map(|kek| (kek.id, kek.clone()));
            self.keks.extend(keks);
            let roots = copy.roots.iter().map(|root| (root.id, root.clone()));
            self.roots.extend(roots);
            let erasures = copy.erasures.iter().map(|e| (e.order, e.clone()));
            self.erasures.extend(erasures);
            self.revision = copy.revision;
        }
        self.shut = Some(());
        Ok(())
    }
}

/// Why this KEK wraps nothing, if so, given all KEKs of its group; the word is that of its state.
pub(in crate::store) fn refusal<'a>(
    kek: &KekRecord,
    mut group: impl Iterator<Item = &'a KekRecord>,
) -> Option<&'static str> {
    let newer = |other: &KekRecord| other.n > kek.n && other.state != KekState::Intended;
    match (kek.state, kek.switch) {
        (KekState::Enabled, Switch::On) => group.any(newer).then_some(Refused::Superseded.name()),
        (KekState::Enabled, Switch::Off) => Some(Refused::Disabled.name()),
        (KekState::Enabled, Switch::Pending) => Some(Refused::PendingDeletion.name()),
        (state, _) => Some(state.name()),
    }
}

/// A version that a rotation made, and that is to seal.
fn ripens(root: &RootRecord) -> bool {
    root.state == RootState::Pending && root.switch == Switch::On && root.compromised_at.is_none()
}

/// A KEK whose expiry is to be acted upon.
fn expires(kek: &KekRecord) -> bool {
    kek.state == KekState::Enabled && kek.switch == Switch::On
}
