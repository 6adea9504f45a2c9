//! Minting: KEKs of groups, roots of owners, and the roots of vaults with their planned end.

use covenant_core::sealer::Purpose;
use covenant_core::{BoxFuture, KeyId, Owner, TenantId, VaultId};
use subtle::ConstantTimeEq;
use time::{Duration, UtcDateTime};

use super::{Keys, PLAN_WAIT_DAYS_MIN};
use crate::error::KeyError;
use crate::group::{EpochName, GroupName};
use crate::record::{KekRecord, KekState, RootRecord, RootState, has_root};
use crate::store::Added;
use crate::vault::{VaultKey, VaultKeys, VaultRoot};
use crate::wrapped::wrap_context;

impl Keys {
    /// The group's KEK, enabled. Made in three steps that may be repeated after a crash at any
    /// point: recorded as intended, made in the backend, recorded as enabled. Nothing is wrapped
    /// by it before the third, and a backend key that a crash left behind is adopted by its id.
    pub(super) async fn ensure_kek(
        &self,
        group: &GroupName,
        destroy_at: Option<UtcDateTime>,
    ) -> Result<KekRecord, KeyError> {
        let kek = match self.store.kek_of(group).await? {
            Some(kek) => kek,
            None => {
                self.store
                    .intend_kek(&self.intended(group, destroy_at)?)
                    .await?
            }
        };
        if kek.destroy_at != destroy_at {
            let planned = kek.destroy_at.unwrap_or(UtcDateTime::MAX);
            return Err(KeyError::Planned {
                key: kek.id,
                planned,
            });
        }
        match kek.state {
            KekState::Enabled => Ok(kek),
            KekState::Dying | KekState::Destroyed => Err(KeyError::State("destroyed")),
            KekState::Intended => {
                self.backend.create(kek.id).await?;
                let kek = self.store.enable_kek(kek.id).await?;
                if kek.state != KekState::Enabled {
                    self.backend.destroy(kek.id).await?;
                    return Err(KeyError::State("destroyed"));
                }
                Ok(kek)
            }
        }
    }

    fn intended(
        &self,
        group: &GroupName,
        destroy_at: Option<UtcDateTime>,
    ) -> Result<KekRecord, KeyError> {
        let created_at = self.now();
        let earliest = created_at.saturating_add(Duration::days(PLAN_WAIT_DAYS_MIN));
        if destroy_at.is_some_and(|at| at < earliest) {
            return Err(KeyError::TooSoon { earliest });
        }
        Ok(KekRecord {
            id: KeyId::mint(&*self.terms.clock, &*self.terms.random)?,
            group: group.clone(),
            state: KekState::Intended,
            wraps: 0,
            created_at,
            destroy_at,
            destroyed_at: None,
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
                let group = GroupName::of(purpose).ok_or(KeyError::NoSuchRoot)?;
                let kek = self.ensure_kek(&group, None).await?;
                self.mint(owner, purpose, kek.id).await?
            }
        };
        if root.state != RootState::Active {
            return Err(KeyError::State(root.state.name()));
        }
        Ok(root)
    }

    /// Mints a root and adds it; when another caller was first, his is returned, and ours, which
    /// sealed nothing, is forgotten.
    async fn mint(
        &self,
        owner: Owner,
        purpose: Purpose,
        kek: KeyId,
    ) -> Result<RootRecord, KeyError> {
        let id = KeyId::mint(&*self.terms.clock, &*self.terms.random)?;
        let secret = self.fresh()?;
        let context = wrap_context(kek, owner, purpose, id);
        let wrapped = self.backend.wrap_root(kek, &context, &secret).await?;
        let back = self.backend.unwrap_root(kek, &context, &wrapped).await?;
        if !bool::from(back.expose().ct_eq(secret.expose())) {
            return Err(KeyError::Damaged(id));
        }
        let root = RootRecord {
            id,
            owner,
            purpose,
            kek,
            wrapped: wrapped.as_bytes().to_vec(),
            state: RootState::Active,
            created_at: self.now(),
            destroy_at: None,
            destroyed_at: None,
        };
        match self.store.add_root(&root).await? {
            Added::Stored(root) | Added::Exists(root) => Ok(root),
            Added::Refused(state) => Err(KeyError::State(state)),
            Added::NoTenant => Err(KeyError::Absent),
            Added::Exhausted => Err(KeyError::Exhausted(kek)),
        }
    }

    // clause: Q-13
    async fn mint_vault(
        &self,
        tenant: TenantId,
        vault: VaultId,
        epoch: &EpochName,
        destroy_at: UtcDateTime,
    ) -> Result<VaultRoot, KeyError> {
        let destroy_at = whole_micros(destroy_at);
        let owner = Owner::Vault(tenant, vault);
        let kek = self
            .ensure_kek(&GroupName::Epoch(epoch.clone()), Some(destroy_at))
            .await?;
        if destroy_at <= self.now() {
            return Err(KeyError::State("destroyed"));
        }
        let root = match self.store.root_of(owner, Purpose::Vault).await? {
            Some(root) => root,
            None => self.mint(owner, Purpose::Vault, kek.id).await?,
        };
        if root.state != RootState::Active {
            return Err(KeyError::State(root.state.name()));
        }
        if root.kek != kek.id {
            return Err(KeyError::OtherEpoch(root.id));
        }
        Ok(VaultRoot {
            version: root.id,
            kek: kek.id,
            destroy_at,
        })
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

/// Instants are stored in whole microseconds, so they are compared so.
pub(super) fn whole_micros(at: UtcDateTime) -> UtcDateTime {
    at.replace_microsecond(at.microsecond()).unwrap_or(at)
}
