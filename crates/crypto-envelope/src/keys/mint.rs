//! Minting: KEKs of groups, roots of owners, and the roots of vaults with their planned end.

use covenant_core::event::{Action, ActorContext};
use covenant_core::sealer::Purpose;
use covenant_core::{BoxFuture, KeyId, Owner, TenantId, VaultId, canon};
use subtle::ConstantTimeEq;
use time::{Duration, UtcDateTime};

use super::{Keys, KeysOptions, PLAN_WAIT_DAYS_MIN, tell};
use crate::error::KeyError;
use crate::group::{EpochName, GroupKind, GroupName, Isolation};
use crate::record::{KekRecord, KekState, RootRecord, RootState, Switch, has_root};
use crate::state::{KeyState, Refused, Verb};
use crate::store::Added;
use crate::vault::{VaultKey, VaultKeys, VaultRoot};
use crate::wrapped::{WrappedKey, wrap_context};

/// How often an act is begun again because somebody else changed the key meanwhile.
pub(super) const ATTEMPTS: u32 = 8;

impl Keys {
    /// The group's KEK: the newest that was ever enabled, made unless there is one.
    ///
    /// Made in steps that may be repeated after a crash at any point: recorded as intended, made
    /// in the backend, deposited in escrow, tried, recorded as enabled. Nothing is wrapped by it
    /// before the last, and a backend key that a crash left behind is adopted by its id.
    pub(super) async fn current_kek(
        &self,
        group: &GroupName,
        destroy_at: Option<UtcDateTime>,
    ) -> Result<KekRecord, KeyError> {
        let keks = self.store.keks_of(group).await?;
        let of_epoch = keks.last().filter(|_| group.is_epoch());
        if let Some(kek) = of_epoch.filter(|kek| kek.destroy_at != destroy_at) {
            return Err(KeyError::Planned {
                key: kek.id,
                planned: kek.destroy_at.unwrap_or(UtcDateTime::MAX),
            });
        }
        if let Some(kek) = newest(&keks) {
            return Ok(kek.clone());
        }
        let intended = match keks.into_iter().next_back() {
            Some(kek) => kek,
            None => {
                let kek = self.intended(group, 1, destroy_at)?;
                self.store.intend_kek(&kek).await?
            }
        };
        self.complete_kek(intended, &ActorContext::service(tell::SERVICE))
            .await
    }

    /// The group's KEK, for wrapping: a next one when it has expired or is compromised.
    pub(super) async fn wrapping_kek(&self, group: &GroupName) -> Result<KekRecord, KeyError> {
        let kek = self.current_kek(group, None).await?;
        match kek
            .key_state()
            .answer(Verb::Wrap(kek.standing(kek.id, self.now())))
        {
            Ok(_) => Ok(kek),
            Err(Refused::Expired | Refused::Compromised) => {
                self.next_kek(&kek, &ActorContext::service(tell::SERVICE))
                    .await
            }
            Err(refused) => Err(KeyError::State(refused.name())),
        }
    }

    /// The KEK of an epoch that ends with its tenant, which may be nearer than any plan.
    pub(super) async fn last_epoch(
        &self,
        group: &GroupName,
        ends: UtcDateTime,
    ) -> Result<KekRecord, KeyError> {
        if ends <= self.now() {
            return Err(KeyError::State(KeyState::Destroyed.name()));
        }
        let begun = self.store.keks_of(group).await?.into_iter().next_back();
        let intended = match begun {
            Some(kek) => kek,
            None => {
                let kek = KekRecord {
                    expires_at: None,
                    destroy_at: Some(ends),
                    ..self.intended(group, 1, None)?
                };
                self.store.intend_kek(&kek).await?
            }
        };
        self.complete_kek(intended, &ActorContext::service(tell::SERVICE))
            .await
    }

    /// The KEK that takes the place of this one, made unless somebody has begun to.
    pub(super) async fn next_kek(
        &self,
        old: &KekRecord,
        actor: &ActorContext,
    ) -> Result<KekRecord, KeyError> {
        let next = old.n.saturating_add(1);
        let kek = self.intended(&old.group, next, old.destroy_at);
        let kek = match kek {
            // an epoch's next KEK dies with the epoch, however near that is
            Err(KeyError::TooSoon { .. }) => self.intended(&old.group, next, None)?,
            made => made?,
        };
        let kek = KekRecord {
            destroy_at: old.destroy_at,
            expires_at: kek.expires_at.filter(|_| old.destroy_at.is_none()),
            ..kek
        };
        let kek = self.store.intend_kek(&kek).await?;
        self.complete_kek(kek, actor).await
    }

    async fn complete_kek(
        &self,
        kek: KekRecord,
        actor: &ActorContext,
    ) -> Result<KekRecord, KeyError> {
        match kek.state {
            KekState::Enabled => return Ok(kek),
            KekState::Dying | KekState::Destroyed => {
                return Err(KeyError::State(KeyState::Destroyed.name()));
            }
            KekState::Intended => {}
        }
        self.backend.create(kek.id).await?;
        self.options.escrow.deposit(kek.id).await?;
        let (canary, context) = (self.fresh()?, canary_context(kek.id));
        let wrapped = self.backend.wrap_root(kek.id, &context, &canary).await?;
        let back = self.backend.unwrap_root(kek.id, &context, &wrapped).await?;
        if !bool::from(back.expose().ct_eq(canary.expose())) {
            return Err(KeyError::Damaged(kek.id));
        }
        let event = self.key_event(Action::KeyCreated, Some(kek.id), actor)?;
        let canary = wrapped.as_bytes().as_slice();
        let kek = self.store.enable_kek(kek.id, canary, &event).await?;
        if kek.state != KekState::Enabled {
            // its day came meanwhile
            self.backend.destroy(kek.id).await?;
            self.options.escrow.remove(kek.id).await?;
            return Err(KeyError::State(KeyState::Destroyed.name()));
        }
        Ok(kek)
    }

    fn intended(
        &self,
        group: &GroupName,
        n: u32,
        destroy_at: Option<UtcDateTime>,
    ) -> Result<KekRecord, KeyError> {
        let created_at = self.now();
        let earliest = created_at.saturating_add(Duration::days(PLAN_WAIT_DAYS_MIN));
        let latest = self.expiry_of(created_at);
        if destroy_at.is_some_and(|at| at < earliest) {
            return Err(KeyError::TooSoon { earliest });
        }
        if destroy_at.is_some_and(|at| at > latest) {
            return Err(KeyError::TooLate { latest });
        }
        Ok(KekRecord {
            id: KeyId::mint(&*self.terms.clock, &*self.terms.random)?,
            group: group.clone(),
            n,
            state: KekState::Intended,
            switch: Switch::On,
            wraps: 0,
            created_at,
            // clause: Q-17
            expires_at: destroy_at.is_none().then_some(latest),
            destroy_at,
            pending_until: None,
            compromised_at: None,
            destroyed_at: None,
            gone_at: None,
            canary: Vec::new(),
            revision: 0,
        })
    }

    /// The owner's root, minted under its group's KEK unless it is there.
    pub(super) async fn ensure_root(
        &self,
        owner: Owner,
        purpose: Purpose,
    ) -> Result<RootRecord, KeyError> {
        if !has_root(owner, purpose) {
            return Err(KeyError::NoSuchRoot);
        }
        let root = match self.store.root_of(owner, purpose).await? {
            Some(root) => root,
            None => {
                let group = self.group_for(owner, purpose).await?;
                self.mint(owner, purpose, 1, &group).await?
            }
        };
        if root.state != RootState::Active {
            return Err(KeyError::State(root.state.name()));
        }
        Ok(root)
    }

    /// Mints a root and adds it; when another caller was first, his is returned, and ours, which
    /// sealed nothing, is forgotten. A version after the first is pending for as long as any
    /// process may go without asking the store.
    pub(super) async fn mint(
        &self,
        owner: Owner,
        purpose: Purpose,
        n: u32,
        group: &GroupName,
    ) -> Result<RootRecord, KeyError> {
        for _ in 0..ATTEMPTS {
            let kek = match group {
                epoch if epoch.is_epoch() => newest(&self.store.keks_of(epoch).await?)
                    .cloned()
                    .ok_or(KeyError::Absent)?,
                _ => self.wrapping_kek(group).await?,
            };
            let (id, secret) = (
                KeyId::mint(&*self.terms.clock, &*self.terms.random)?,
                self.fresh()?,
            );
            let root = self
                .wrapped_record(owner, purpose, n, kek.id, id, &secret)
                .await?;
            match self.store.add_root(&root).await? {
                Added::Stored(root) | Added::Exists(root) => return Ok(root),
                // a next KEK was made meanwhile
                Added::Refused(state) if state == Refused::Superseded.name() => {}
                Added::Refused(state) => return Err(KeyError::State(state)),
                Added::NoTenant => return Err(KeyError::Absent),
                Added::Exhausted => return Err(KeyError::Exhausted(kek.id)),
            }
        }
        Err(KeyError::Store(crate::store::StoreError::Damaged("group")))
    }

    /// The record of a version with this id and these bytes, wrapped by the KEK.
    pub(super) async fn wrapped_record(
        &self,
        owner: Owner,
        purpose: Purpose,
        n: u32,
        kek: KeyId,
        id: KeyId,
        secret: &covenant_core::Secret<[u8; 32]>,
    ) -> Result<RootRecord, KeyError> {
        let context = wrap_context(kek, owner, purpose, id);
        let wrapped = self.wrap_tried(kek, &context, secret).await?;
        let created_at = self.now();
        let (state, active_from) = if n == 1 {
            (RootState::Active, None)
        } else {
            let ttl = i64::try_from(crate::cache::CACHE_TTL_SECS_MAX).unwrap_or(i64::MAX);
            let from = created_at.saturating_add(Duration::seconds(ttl));
            (RootState::Pending, Some(from))
        };
        Ok(RootRecord {
            id,
            owner,
            purpose,
            n,
            kek,
            wrapped: wrapped.as_bytes().to_vec(),
            state,
            switch: Switch::On,
            created_at,
            active_from,
            destroy_at: None,
            pending_until: None,
            compromised_at: None,
            destroyed_at: None,
            wrapped_revision: 0,
            revision: 0,
        })
    }

    /// Wraps, unwraps again and compares: a root that does not come back is lost.
    pub(super) async fn wrap_tried(
        &self,
        kek: KeyId,
        context: &[u8],
        secret: &covenant_core::Secret<[u8; 32]>,
    ) -> Result<WrappedKey, KeyError> {
        let wrapped = self.backend.wrap_root(kek, context, secret).await?;
        let back = self.backend.unwrap_root(kek, context, &wrapped).await?;
        if !bool::from(back.expose().ct_eq(secret.expose())) {
            return Err(KeyError::Damaged(kek));
        }
        Ok(wrapped)
    }

    // clause: Q-13
    async fn mint_vault(
        &self,
        tenant: TenantId,
        vault: VaultId,
        epoch: &EpochName,
        destroy_at: UtcDateTime,
    ) -> Result<VaultRoot, KeyError> {
        self.check_gate().await?;
        let destroy_at = whole_micros(destroy_at);
        let owner = Owner::Vault(tenant, vault);
        let isolation = self.isolation(tenant).await?;
        let group = isolation.group(tenant, GroupKind::Epoch(epoch.clone()));
        let kek = match isolation {
            Isolation::Shared => self.current_kek(&group, Some(destroy_at)).await?,
            Isolation::Dedicated => self.epoch_of_tenant(tenant, &group, destroy_at).await?,
        };
        let destroy_at = kek.destroy_at.unwrap_or(destroy_at);
        match kek
            .key_state()
            .answer(Verb::Wrap(kek.standing(kek.id, self.now())))
        {
            Ok(_) if destroy_at > self.now() => {}
            Ok(_) => return Err(KeyError::State(KeyState::Destroyed.name())),
            Err(refused) => return Err(KeyError::State(refused.name())),
        }
        let root = match self.store.root_of(owner, Purpose::Vault).await? {
            Some(root) => root,
            None => self.mint(owner, Purpose::Vault, 1, &group).await?,
        };
        if root.state != RootState::Active {
            return Err(KeyError::State(root.state.name()));
        }
        if root.kek != kek.id {
            let other = self.store.kek(root.kek).await?;
            if other.is_none_or(|other| other.group != group) {
                return Err(KeyError::OtherEpoch(root.id));
            }
        }
        Ok(VaultRoot {
            version: root.id,
            kek: root.kek,
            destroy_at,
        })
    }

    /// When a KEK made then is replaced.
    fn expiry_of(&self, created_at: UtcDateTime) -> UtcDateTime {
        let KeysOptions { expiry, zone, .. } = &self.options;
        expiry.end(created_at, zone).unwrap_or(UtcDateTime::MAX)
    }

    /// Gives the KEKs in use the expiry of the settings, which may have changed since they were
    /// made; on record.
    // clause: Q-17
    pub(super) async fn set_expiries(&self) -> Result<(), KeyError> {
        for kek in self.store.keks().await? {
            let expires_at = self.expiry_of(kek.created_at);
            let over = matches!(kek.state, KekState::Dying | KekState::Destroyed);
            if over || kek.expires_at.is_none_or(|at| at == expires_at) {
                continue;
            }
            let actor = ActorContext::service(tell::SERVICE);
            let event = self.key_event(Action::KeyExpirySet, Some(kek.id), &actor)?;
            let kek = KekRecord {
                expires_at: Some(expires_at),
                ..kek
            };
            // whoever was faster has looked too, or the next start does
            self.store.put_kek(&kek, &event).await?;
        }
        Ok(())
    }

    pub(super) fn now(&self) -> UtcDateTime {
        whole_micros(self.terms.clock.now())
    }
}

impl VaultKeys for Keys {
    fn vault_root<'a>(
        &'a self,
        tenant: TenantId,
        vault: VaultId,
        epoch: &'a EpochName,
        destroy_at: UtcDateTime,
    ) -> BoxFuture<'a, Result<VaultRoot, KeyError>> {
        Box::pin(self.mint_vault(tenant, vault, epoch, destroy_at))
    }

    fn unlock_vault(
        &self,
        tenant: TenantId,
        vault: VaultId,
    ) -> BoxFuture<'_, Result<VaultKey, KeyError>> {
        Box::pin(async move {
            self.unlock(Owner::Vault(tenant, vault), Purpose::Vault)
                .await
                .map(VaultKey::from)
        })
    }
}

/// The newest of a group's KEKs that was ever enabled.
pub(super) fn newest(keks: &[KekRecord]) -> Option<&KekRecord> {
    let mut newest_first = keks.iter().rev();
    newest_first.find(|kek| kek.state != KekState::Intended)
}

/// What a KEK's canary is bound to.
pub(super) fn canary_context(kek: KeyId) -> Vec<u8> {
    let mut w = canon::Writer::new();
    w.text("covenant/canary/1").bytes(kek.as_bytes());
    w.finish()
}

/// Instants are stored in whole microseconds, so they are compared so.
pub(crate) fn whole_micros(at: UtcDateTime) -> UtcDateTime {
    at.replace_microsecond(at.microsecond()).unwrap_or(at)
}
