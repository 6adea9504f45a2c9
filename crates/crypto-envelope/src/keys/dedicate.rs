//! Tenants with KEKs of their own: which groups they have, and that all of them end together.

use covenant_core::event::{Action, ActorContext};
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, TenantId};
use time::UtcDateTime;

use super::mint::{ATTEMPTS, newest};
use super::{Keys, TenantRoots, tell};
use crate::error::KeyError;
use crate::group::{GroupKind, GroupName, Isolation};
use crate::guard::{Cause, KeyKind};
use crate::record::{KekRecord, KekState};
use crate::store::Swap;

impl Keys {
    /// Mints the tenant's roots, as [`Keys::create_tenant`] does, under KEKs that it shares, or
    /// under KEKs that are made for it alone. What is minted for the tenant later, for its data
    /// subjects and its vaults too, lies under KEKs of the same kind: it cannot be changed.
    ///
    /// # Errors
    /// As [`Keys::create_tenant`]; [`KeyError::OtherIsolation`] when the tenant's roots lie under
    /// KEKs of the other kind; [`KeyError::OneKeyForTwoLayers`] when one backend key stands behind
    /// both of its groups.
    pub async fn create_tenant_with(
        &self,
        tenant: TenantId,
        isolation: Isolation,
    ) -> Result<TenantRoots, KeyError> {
        self.check_gate().await?;
        let owner = Owner::Tenant(tenant);
        if self.store.root_of(owner, Purpose::Data).await?.is_none() {
            let group = |kind| isolation.group(tenant, kind);
            let standard = self.wrapping_kek(&group(GroupKind::Standard)).await?;
            if isolation == Isolation::Dedicated {
                let sensitive = self.wrapping_kek(&group(GroupKind::Sensitive)).await?;
                self.check_two_layers(standard.id, sensitive.id).await?;
            }
            self.mint(owner, Purpose::Data, 1, &group(GroupKind::Standard))
                .await?;
        }
        if self.isolation(tenant).await? != isolation {
            return Err(KeyError::OtherIsolation(tenant));
        }
        let data = self.ensure_root(owner, Purpose::Data).await?.id;
        let sensitive = self.ensure_root(owner, Purpose::Sensitive).await?.id;
        Ok(TenantRoots { data, sensitive })
    }

    /// Whose KEKs the tenant has, as its first root tells; shared ones for a tenant without roots.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn isolation(&self, tenant: TenantId) -> Result<Isolation, KeyError> {
        let owner = Owner::Tenant(tenant);
        let Some(data) = self.store.root_of(owner, Purpose::Data).await? else {
            return Ok(Isolation::Shared);
        };
        let kek = self.store.kek(data.kek).await?;
        let kek = kek.ok_or(KeyError::Damaged(data.id))?;
        Ok(match kek.group.tenant() {
            Some(_) => Isolation::Dedicated,
            None => Isolation::Shared,
        })
    }

    /// Every KEK that the tenant has for itself, by id; none where it shares.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn tenant_keks(&self, tenant: TenantId) -> Result<Vec<KekRecord>, KeyError> {
        let mut keks = self.store.keks().await?;
        keks.retain(|kek| kek.group.tenant() == Some(tenant));
        Ok(keks)
    }

    /// The group of an owner's root; a vault's is chosen by its epoch.
    pub(super) async fn group_for(
        &self,
        owner: Owner,
        purpose: Purpose,
    ) -> Result<GroupName, KeyError> {
        let kind = GroupKind::of(purpose).ok_or(KeyError::NoSuchRoot)?;
        match owner.tenant() {
            Some(tenant) => Ok(self.isolation(tenant).await?.group(tenant, kind)),
            None => Ok(GroupName::shared(kind)),
        }
    }

    /// The KEK of a tenant's own epoch. It dies with the epoch, or with the tenant if that comes
    /// first, however near that is: its keys are planned together, long before.
    pub(super) async fn epoch_of_tenant(
        &self,
        tenant: TenantId,
        group: &GroupName,
        destroy_at: UtcDateTime,
    ) -> Result<KekRecord, KeyError> {
        let known = self.store.keks_of(group).await?;
        let known = newest(&known).and_then(|kek| kek.destroy_at);
        let kek = match (known, self.tenant_ends(tenant).await?) {
            // an earlier end than the epoch's is the tenant's
            (Some(known), _) if known <= destroy_at => self.current_kek(group, Some(known)).await?,
            (None, Some(ends)) if ends < destroy_at => self.last_epoch(group, ends).await?,
            _ => self.current_kek(group, Some(destroy_at)).await?,
        };
        // planned meanwhile
        match self.tenant_ends(tenant).await? {
            Some(ends) if kek.destroy_at.is_none_or(|at| at > ends) => {
                self.plan_kek(kek.id, ends).await?;
                self.store.kek(kek.id).await?.ok_or(KeyError::Absent)
            }
            _ => Ok(kek),
        }
    }

    async fn tenant_ends(&self, tenant: TenantId) -> Result<Option<UtcDateTime>, KeyError> {
        let owner = Owner::Tenant(tenant);
        let data = self.store.root_of(owner, Purpose::Data).await?;
        Ok(data.and_then(|data| data.destroy_at))
    }

    /// Has all KEKs of a tenant go at this instant, unless they go before; none where it shares.
    pub(super) async fn plan_keks(
        &self,
        tenant: TenantId,
        at: UtcDateTime,
    ) -> Result<(), KeyError> {
        for kek in self.tenant_keks(tenant).await? {
            self.plan_kek(kek.id, at).await?;
        }
        Ok(())
    }

    async fn plan_kek(&self, id: KeyId, at: UtcDateTime) -> Result<(), KeyError> {
        for _ in 0..ATTEMPTS {
            let kek = self.store.kek(id).await?.ok_or(KeyError::Absent)?;
            let over = matches!(kek.state, KekState::Dying | KekState::Destroyed);
            if over || kek.destroy_at.is_some_and(|planned| planned <= at) {
                return Ok(());
            }
            let kind = KeyKind::Kek(kek.group.clone());
            self.check_floor(id, &kind, &Cause::Plan, at).await?;
            let actor = ActorContext::service(tell::SERVICE);
            let event = self.key_event(Action::KeyPlanned, Some(id), &actor)?;
            let planned = KekRecord {
                destroy_at: Some(at),
                ..kek
            };
            if self.store.put_kek(&planned, &event).await? == Swap::Done {
                self.cache.forget(id);
                return Ok(());
            }
        }
        Err(KeyError::Contended(id))
    }
}
