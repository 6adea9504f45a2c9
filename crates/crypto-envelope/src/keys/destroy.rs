//! Destruction of what is due: planned roots and KEKs, and those whose window is over.

use covenant_core::event::{Action, ActorContext};
use covenant_core::{KeyId, Owner, TenantId};
use time::{Duration, UtcDateTime};

use super::mint::{canary_context, whole_micros};
use super::{Keys, tell};
use crate::backend::{BackendError, Presence};
use crate::error::KeyError;
use crate::escrow::Reach;
use crate::guard::{Cause, KeyKind, Verdict};
use crate::journal::code;
use crate::record::{KekRecord, KekState, RootRecord, RootState};
use crate::state::{Dueness, KeyState, Verb};
use crate::store::Planned;
use crate::wrapped::WrappedKey;

/// Days between a plan and the destruction that it plans, at least.
pub const PLAN_WAIT_DAYS_MIN: i64 = 7;

/// A key that was destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestroyedKey {
    /// Its id.
    pub key: KeyId,
    /// What it was.
    pub what: KeyKind,
    /// Since when it opens nothing.
    pub destroyed_at: UtcDateTime,
}

impl DestroyedKey {
    fn kek(kek: KekRecord) -> Option<Self> {
        let destroyed_at = kek.destroyed_at?;
        Some(Self {
            key: kek.id,
            what: KeyKind::Kek(kek.group),
            destroyed_at,
        })
    }

    fn root(root: &RootRecord) -> Option<Self> {
        let what = KeyKind::Root(root.owner, root.purpose);
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
    /// Of a tenant with KEKs of its own, all of them go at that instant, those of its backup epochs
    /// included, which keep a date only where it comes first: nothing of the tenant is left then.
    ///
    /// # Errors
    /// [`KeyError::TooSoon`] for an instant less than seven days ahead, [`KeyError::Planned`] when
    /// another one is planned, [`KeyError::Floor`] before a floor over the tenant's bytes,
    /// [`KeyError::Absent`] for a tenant without roots, [`KeyError::State`] once they are
    /// destroyed, [`KeyError::Store`].
    // clause: P-59, P-60, Q-23
    pub async fn plan_tenant(&self, tenant: TenantId, at: UtcDateTime) -> Result<(), KeyError> {
        self.check_gate().await?;
        let at = whole_micros(at);
        let owner = Owner::Tenant(tenant);
        let purpose = covenant_core::sealer::Purpose::Data;
        let data = self.store.root_of(owner, purpose).await?;
        let data = data.ok_or(KeyError::Absent)?;
        if data.destroy_at != Some(at) {
            if data.state == RootState::Destroyed {
                return Err(KeyError::State(data.state.name()));
            }
            let earliest = self.latest().await?;
            let earliest = earliest.saturating_add(Duration::days(PLAN_WAIT_DAYS_MIN));
            if data.destroy_at.is_none() && at < earliest {
                return Err(KeyError::TooSoon { earliest });
            }
            let kind = KeyKind::Root(owner, purpose);
            self.check_floor(data.id, &kind, &Cause::Plan, at).await?;
        }
        match self.store.plan_roots(tenant, at).await? {
            Planned::Done(_) => self.plan_keks(tenant, at).await,
            Planned::Differs(key, planned) => {
                // where an earlier call stopped
                self.plan_keks(tenant, planned).await?;
                Err(KeyError::Planned { key, planned })
            }
        }
    }

    /// Destroys every key whose last instant has come: roots by themselves, and KEKs. A planned KEK
    /// takes all roots under it along, and so does one that a tenant has for itself; another one is
    /// kept while any lies under it. For a KEK, in
    /// this order: guard asked, buried in the store with its roots, destroyed in the backend, found
    /// absent there, removed from escrow, its canary tried, recorded as gone. A run that fails or
    /// dies in between is completed by the next one; one key that fails does not keep the others
    /// alive.
    ///
    /// Returns what this run completed; [`Keys::destroyed_since`] tells what an interrupted run
    /// did.
    ///
    /// # Errors
    /// The first failure, after all keys were tried: [`KeyError::Held`], [`KeyError::Floor`],
    /// [`KeyError::RecordsLeft`], [`KeyError::StillThere`], [`KeyError::Backend`],
    /// [`KeyError::Escrow`], [`KeyError::Store`].
    // clause: P-49
    pub async fn destroy_due(&self, now: UtcDateTime) -> Result<Vec<DestroyedKey>, KeyError> {
        self.check_gate().await?;
        self.destroy_all_due(now, &ActorContext::service(tell::SERVICE))
            .await
    }

    pub(super) async fn destroy_all_due(
        &self,
        now: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<Vec<DestroyedKey>, KeyError> {
        let now = whole_micros(now);
        let due = self.store.due(now).await?;
        let mut destroyed = Vec::new();
        let mut failed = None;
        for root in due.roots {
            match self.destroy_root(&root, now, actor).await {
                Ok(key) => destroyed.extend(key),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        for kek in due.keks {
            match self.destroy_kek(&kek, now, actor).await {
                Ok(keys) => destroyed.extend(keys),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Err(error) = self.store.flush().await {
            failed = failed.or(Some(error.into()));
        }
        failed.map_or(Ok(destroyed), Err)
    }

    async fn destroy_root(
        &self,
        root: &RootRecord,
        now: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<Option<DestroyedKey>, KeyError> {
        let kind = KeyKind::Root(root.owner, root.purpose);
        let dueness = root.dueness(now);
        self.check_due(root.id, root.key_state(), &kind, dueness, now)
            .await?;
        self.cache.revoke(&[root.id], KeyState::Destroyed);
        let root = self.store.bury_root(root.id, now, actor).await?;
        Ok(DestroyedKey::root(&root))
    }

    // clause: Q-18
    async fn destroy_kek(
        &self,
        kek: &KekRecord,
        now: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<Vec<DestroyedKey>, KeyError> {
        let id = kek.id;
        if kek.state != KekState::Dying {
            let kind = KeyKind::Kek(kek.group.clone());
            let dueness = kek.dueness(now);
            self.check_due(id, kek.key_state(), &kind, dueness, now)
                .await?;
            // what a tenant has for itself goes with its KEK
            if dueness != Dueness::PlanReached && kek.group.tenant().is_none() {
                let left = self.store.roots_under(id, None, u32::MAX).await?;
                if !left.is_empty() {
                    self.alarm(Action::KeyDestroyed, id, code::RECORDS_LEFT, now)
                        .await?;
                    let count = u64::try_from(left.len()).unwrap_or(u64::MAX);
                    return Err(KeyError::RecordsLeft { key: id, count });
                }
            }
        }
        self.bury_kek(id, now, actor).await
    }

    /// Buries a KEK and makes it go, wherever an earlier run stopped.
    pub(super) async fn bury_kek(
        &self,
        id: KeyId,
        now: UtcDateTime,
        actor: &ActorContext,
    ) -> Result<Vec<DestroyedKey>, KeyError> {
        self.cache.revoke(&[id], KeyState::Destroyed);
        let (kek, roots) = self.store.bury_kek(id, now, actor).await?;
        self.remove_kek(id, &kek.canary, now).await?;
        let gone_at = match self.options.escrow.reach() {
            Reach::NoCopies | Reach::Ours => now,
            Reach::Attested(lag) => now.saturating_add(lag),
            Reach::Unknown => {
                let action = Action::KeyDestroyed;
                self.alarm(action, id, code::ESCROW_REMAINS, now).await?;
                return Err(KeyError::Unattested(id));
            }
        };
        self.store.finish_kek(id, gone_at).await?;
        let roots = roots.iter().filter_map(DestroyedKey::root);
        Ok(roots.chain(DestroyedKey::kek(kek)).collect())
    }

    /// Destroys a KEK in its backend and in escrow, and tries that it is gone.
    pub(super) async fn remove_kek(
        &self,
        id: KeyId,
        canary: &[u8],
        now: UtcDateTime,
    ) -> Result<(), KeyError> {
        self.backend.destroy(id).await?;
        if self.backend.probe(id).await? == Presence::Present {
            return Err(KeyError::StillThere(id));
        }
        let removed = self.options.escrow.remove(id).await;
        let there = match removed {
            Ok(()) => self.options.escrow.probe(id).await,
            Err(error) => Err(error),
        };
        match there {
            Ok(Presence::Absent) => {}
            Ok(Presence::Present) => {
                self.alarm(Action::KeyDestroyed, id, code::ESCROW_REMAINS, now)
                    .await?;
                return Err(KeyError::StillThere(id));
            }
            Err(error) => {
                self.alarm(Action::KeyDestroyed, id, code::ESCROW_REMAINS, now)
                    .await?;
                return Err(error.into());
            }
        }
        let Ok(canary) = WrappedKey::try_from(canary) else {
            // never enabled, so nothing was ever wrapped
            return Ok(());
        };
        let context = canary_context(id);
        match self.backend.unwrap_root(id, &context, &canary).await {
            Ok(_) => Err(KeyError::StillThere(id)),
            Err(BackendError::Absent(_) | BackendError::NotAuthentic(_)) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    /// Asks the table, and then the guard, whether a key that is due may go.
    async fn check_due(
        &self,
        key: KeyId,
        state: KeyState,
        kind: &KeyKind,
        dueness: Dueness,
        now: UtcDateTime,
    ) -> Result<(), KeyError> {
        if let Err(refused) = state.answer(Verb::Destroy(dueness)) {
            return Err(KeyError::Refused { key, refused });
        }
        let cause = match dueness {
            Dueness::PlanReached => Cause::Plan,
            Dueness::WindowOver | Dueness::NotDue => Cause::Window,
        };
        self.check_guard(key, kind, &cause, now).await
    }

    /// Refuses while a hold or a floor keeps the key, and tells the log of it once a day.
    pub(super) async fn check_guard(
        &self,
        key: KeyId,
        kind: &KeyKind,
        cause: &Cause<'_>,
        now: UtcDateTime,
    ) -> Result<(), KeyError> {
        match self.options.guard.may_go(key, kind, cause, now).await? {
            Verdict::Free => Ok(()),
            Verdict::Held { hold } => {
                self.alarm(Action::RefusedHeld, key, code::HELD, now)
                    .await?;
                Err(KeyError::Held { key, hold })
            }
            Verdict::Floor { until, clause } => {
                self.alarm(Action::RefusedHeld, key, code::FLOOR, now)
                    .await?;
                Err(KeyError::Floor { key, until, clause })
            }
        }
    }

    /// Refuses a date before a floor; a hold refuses no date, but the destruction when it is due.
    pub(super) async fn check_floor(
        &self,
        key: KeyId,
        kind: &KeyKind,
        cause: &Cause<'_>,
        at: UtcDateTime,
    ) -> Result<Verdict, KeyError> {
        match self.options.guard.may_go(key, kind, cause, at).await? {
            Verdict::Floor { until, clause } => Err(KeyError::Floor { key, until, clause }),
            verdict => Ok(verdict),
        }
    }

    /// The earliest instant at which something is to be done with a key, by [`Keys::destroy_due`]
    /// or [`Keys::rotate_due`]; in the past when a destruction was begun and not completed.
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
}
