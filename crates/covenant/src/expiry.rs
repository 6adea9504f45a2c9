//! The end of a trial or of a subscription: nobody gets in from the commit on. A trial is deleted in
//! its time; a paid database is kept, locked, with its keys switched off, until somebody deletes it
//! or a subscription starts.

use covenant_core::sealer::Purpose;
use covenant_core::{Action, ActorContext, ItemId, Owner, TenantId};
use crypto_envelope::{AdminCall, KeyAdmin as _, KeyState, Role};
use retention_policy::{HoldView, Item, Occurrence};
use sql_store::due::Due;
use tenant_isolation::{Attached, Caller, Expiry, RegistryChange, ServiceKind, TenantState};

use crate::assembly::Covenant;
use crate::database::{PURGE_AHEAD, store_row};
use crate::error::Error;
use crate::profile::CLASS_DATABASE;
use crate::sweep::kind;

impl Covenant {
    /// The tenant's trial has ended: its database is expired from the commit on, and is deleted
    /// without a person as late as the rules let it.
    ///
    /// # Errors
    /// [`Error::Denied`] for a database that is not in use; else [`Error`].
    // clause: P-54, P-55, P-57
    pub async fn end_trial(&self, tenant: TenantId) -> Result<(), Error> {
        self.expire(tenant, Expiry::TrialEnded).await
    }

    /// The tenant's subscription was cancelled: its database is expired from the commit on, and
    /// locked where the rules keep it.
    ///
    /// # Errors
    /// [`Error::Denied`] for a database that is not in use; else [`Error`].
    // clause: P-54, P-55, P-56
    pub async fn cancel_subscription(&self, tenant: TenantId) -> Result<(), Error> {
        self.expire(tenant, Expiry::SubscriptionCancelled).await
    }

    /// A subscription has started: keys first, then an expired or locked database is in use again.
    ///
    /// # Errors
    /// [`Error::Denied`] for a database that is neither expired nor locked; else [`Error`].
    pub async fn start_subscription(&self, tenant: TenantId) -> Result<(), Error> {
        let state = self.state(tenant).await?;
        if matches!(state, Some(TenantState::Expired | TenantState::Locked)) {
            self.switch_keys(tenant, KeyState::Disabled).await?;
        }
        let billing = Caller::service(ServiceKind::Billing);
        let (change, none) = (RegistryChange::Resume, Attached::default());
        let guard = &self.parts().guard;
        guard.act(billing, tenant, change, none).await?;
        for planned in [kind::EXPIRED, kind::LOCK] {
            self.cancel_due(tenant, planned, &[]).await?;
        }
        Ok(())
    }

    async fn expire(&self, tenant: TenantId, expiry: Expiry) -> Result<(), Error> {
        self.refresh_rules().await?;
        let due = self.after_expiry(tenant, expiry);
        let locks = due.kind == kind::LOCK;
        let attached = Attached {
            due: vec![due],
            events: Vec::new(),
        };
        let billing = Caller::service(ServiceKind::Billing);
        let change = RegistryChange::Expire(expiry);
        let guard = &self.parts().guard;
        guard.act(billing, tenant, change, attached).await?;
        // What fails of it now is done by a sweep: it is expired already, and the row stands.
        if locks && self.lock_database(tenant).await.is_ok() {
            self.cancel_due(tenant, kind::LOCK, &[]).await?;
        }
        Ok(())
    }

    /// What is due after an expiry, and when: what has a ceiling is deleted by it, what nothing keeps
    /// may be deleted now, and anything else is locked at once.
    fn after_expiry(&self, tenant: TenantId, expiry: Expiry) -> Due {
        let parts = self.parts();
        let now = parts.clock.now();
        let event = match expiry {
            Expiry::TrialEnded => Action::TrialEnded,
            Expiry::SubscriptionCancelled => Action::SubscriptionCancelled,
        };
        let events = [Occurrence::new(event.name(), now)];
        let id = ItemId::from(tenant.as_uuid());
        let item = Item::new(tenant, CLASS_DATABASE, id, &events).in_store(&parts.profile.rows);
        let verdict = parts
            .retention
            .evaluate(&item, &HoldView::none(), &self.moment(now));
        let deleted = |due_at| store_row(kind::EXPIRED, tenant, Vec::new(), due_at);
        match verdict.gone_by {
            Some(gone_by) => deleted(gone_by.saturating_sub(PURGE_AHEAD)),
            None if verdict.disposes() => deleted(now),
            None => store_row(kind::LOCK, tenant, Vec::new(), now),
        }
    }

    /// Locks an expired database and switches its keys off; may be repeated.
    // clause: P-56
    pub(crate) async fn lock_database(&self, tenant: TenantId) -> Result<(), Error> {
        match self.state(tenant).await? {
            Some(TenantState::Expired) => {
                let caller = Caller::service(ServiceKind::Retention);
                let (change, none) = (RegistryChange::Lock, Attached::default());
                let guard = &self.parts().guard;
                guard.act(caller, tenant, change, none).await?;
            }
            Some(TenantState::Locked) => {}
            _ => return Ok(()),
        }
        self.switch_keys(tenant, KeyState::Enabled).await
    }

    /// Deletes a database whose trial ended long ago, unless it is in use again.
    // clause: P-57
    pub(crate) async fn delete_expired(&self, tenant: TenantId) -> Result<(), Error> {
        if self.state(tenant).await? != Some(TenantState::Expired) {
            return Ok(());
        }
        let caller = Caller::service(ServiceKind::Retention);
        self.delete_database(&caller, tenant).await
    }

    /// Switches the tenant's keys of content that are in this state to the other.
    async fn switch_keys(&self, tenant: TenantId, from: KeyState) -> Result<(), Error> {
        let keys = &self.parts().keys;
        let call = AdminCall {
            actor: ActorContext::service("retention"),
            role: Role::SysAdmin,
            reason: tenant.as_uuid(),
        };
        let of_content = |purpose| matches!(purpose, Purpose::Data | Purpose::Sensitive);
        for key in keys.list().await? {
            let own = key.owner == Owner::Tenant(tenant) && of_content(key.purpose);
            if !own || key.key_state != from {
                continue;
            }
            match from {
                KeyState::Enabled => keys.disable(&call, key.id).await?,
                _ => keys.enable(&call, key.id).await?,
            };
        }
        Ok(())
    }
}
