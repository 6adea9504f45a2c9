//! [`KeyService`] over the group's KEKs.

use covenant_core::KeyId;
use covenant_core::event::{Action, ActorContext};

use super::mint::newest;
use super::{Keys, tell, unwraps};
use crate::backend::{BackendError, Capabilities};
use crate::error::KeyError;
use crate::group::GroupName;
use crate::record::KekRecord;
use crate::service::{DataKey, KeyFuture, KeyService, Rewrap, WrapContext, WrapInfo};
use crate::state::{KeyState, Verb};
use crate::store::Counted;
use crate::wrapped::{WrappedKey, wrap_context};

impl Keys {
    async fn generate_key(
        &self,
        group: &GroupName,
        context: &WrapContext,
    ) -> Result<(DataKey, WrappedKey), KeyError> {
        self.check_gate().await?;
        let keks = self.store.keks_of(group).await?;
        let kek = newest(&keks).ok_or(KeyError::Absent)?;
        let verb = Verb::Wrap(kek.standing(kek.id, self.now()));
        if let Err(refused) = kek.key_state().answer(verb) {
            return Err(KeyError::State(refused.name()));
        }
        let secret = self.fresh()?;
        let wrapped = self.wrap_for(kek.id, context, &secret).await?;
        Ok((DataKey::from(secret), wrapped))
    }

    /// Wraps for a caller's own records: counted first, so that no wrap goes uncounted.
    async fn wrap_for(
        &self,
        kek: KeyId,
        context: &WrapContext,
        secret: &covenant_core::Secret<[u8; 32]>,
    ) -> Result<WrappedKey, KeyError> {
        match self.store.count_wrap(kek).await? {
            Counted::Done => {}
            Counted::Refused(state) => return Err(KeyError::State(state)),
            Counted::Exhausted => return Err(KeyError::Exhausted(kek)),
        }
        self.wrap_tried(kek, &bound(kek, context), secret).await
    }

    async fn unwrap_for(
        &self,
        wrapped: &WrappedKey,
        context: &WrapContext,
    ) -> Result<(KekRecord, DataKey), KeyError> {
        self.check_gate().await?;
        let kek = self.store.kek(wrapped.kek()).await?;
        let kek = kek.ok_or(KeyError::Absent)?;
        unwraps(kek.key_state())?;
        let now = self.now();
        let dates = [kek.destroy_at, kek.pending_until];
        if dates.into_iter().flatten().any(|at| at <= now) {
            return Err(KeyError::State(KeyState::Destroyed.name()));
        }
        let actor = ActorContext::service(tell::SERVICE);
        let mut event = self.key_event(Action::KeyUnwrapped, Some(context.version), &actor)?;
        event.tenant = context.owner.tenant();
        self.store.add_event(&event).await?;
        let bound = bound(kek.id, context);
        match self.backend.unwrap_root(kek.id, &bound, wrapped).await {
            Err(BackendError::NotAuthentic(_)) => Err(KeyError::NotAuthentic),
            other => Ok((kek, DataKey::from(other?))),
        }
    }

    async fn rewrap_key(
        &self,
        wrapped: &WrappedKey,
        context: &WrapContext,
    ) -> Result<Rewrap, KeyError> {
        if self.describe_key(wrapped).await?.is_current {
            return Ok(Rewrap::Unchanged);
        }
        let (old, key) = self.unwrap_for(wrapped, context).await?;
        let keks = self.store.keks_of(&old.group).await?;
        let new = newest(&keks).ok_or(KeyError::Absent)?;
        let verb = Verb::Wrap(new.standing(new.id, self.now()));
        if let Err(refused) = new.key_state().answer(verb) {
            return Err(KeyError::State(refused.name()));
        }
        let secret = covenant_core::Secret::new(*key.expose());
        let wrapped = self.wrap_for(new.id, context, &secret).await?;
        Ok(Rewrap::Changed(wrapped))
    }

    async fn describe_key(&self, wrapped: &WrappedKey) -> Result<WrapInfo, KeyError> {
        let kek = self.store.kek(wrapped.kek()).await?;
        let kek = kek.ok_or(KeyError::Absent)?;
        let keks = self.store.keks_of(&kek.group).await?;
        let newest = newest(&keks).map_or(kek.id, |newest| newest.id);
        Ok(WrapInfo {
            kek: kek.id,
            state: kek.key_state(),
            standing: kek.standing(newest, self.now()),
            created_at: kek.created_at,
            is_current: kek.id == newest,
            group: kek.group,
        })
    }
}

impl KeyService for Keys {
    fn generate<'a>(
        &'a self,
        group: &'a GroupName,
        context: &'a WrapContext,
    ) -> KeyFuture<'a, (DataKey, WrappedKey)> {
        Box::pin(self.generate_key(group, context))
    }

    fn unwrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a WrapContext,
    ) -> KeyFuture<'a, DataKey> {
        Box::pin(async move { Ok(self.unwrap_for(wrapped, context).await?.1) })
    }

    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a WrapContext,
    ) -> KeyFuture<'a, Rewrap> {
        Box::pin(self.rewrap_key(wrapped, context))
    }

    fn describe<'a>(&'a self, wrapped: &'a WrappedKey) -> KeyFuture<'a, WrapInfo> {
        Box::pin(self.describe_key(wrapped))
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }
}

fn bound(kek: KeyId, context: &WrapContext) -> Vec<u8> {
    let WrapContext {
        owner,
        purpose,
        version,
    } = *context;
    wrap_context(kek, owner, purpose, version)
}
