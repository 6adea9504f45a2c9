//! The end of a contract: nobody gets in from its commit on, and where the rules have a ceiling from
//! it, all of the tenant is gone by then: its rows and objects, its backups before their own days, and
//! its keys after the shortest wait that a key has. Holds put all of it off.

use covenant_core::sealer::Purpose;
use covenant_core::{Action, ActorContext, Event, ItemId, Outcome, Owner, Target, TenantId};
use crypto_envelope::{
    AdminCall, Isolation, KeyAdmin as _, KeyError, KeyState, PendingWindow, Role,
};
use retention_policy::{HoldView, Item, Occurrence};
use sql_store::Mode;
use sql_store::due::{self, Due};
use tenant_isolation::{Attached, Caller, RegistryChange, TenantState};
use time::UtcDateTime;

use crate::assembly::Covenant;
use crate::database::{PURGE_AHEAD, store_row};
use crate::error::Error;
use crate::profile::CLASS_DATABASE;
use crate::sweep::kind;

/// What a sweep did about an ended contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All of the tenant is gone.
    Gone,
    /// Its database was brought back before its keys were planned.
    Restored,
    /// Its keys are planned; the rest is due then.
    At(UtcDateTime),
}

impl Covenant {
    /// Ends the contract of the tenant, on the order of an administrator of its database or of the
    /// operator's billing service. From the commit on no read succeeds. Where a promise is counted
    /// from the end of the contract, everything of the tenant goes by then, and cannot be brought
    /// back: rows and files, its backups, and its keys, which work until the shortest wait of a key
    /// is over. Elsewhere its database is purged as a deleted one is, and its backups and keys keep
    /// their own days.
    ///
    /// # Errors
    /// [`Error::Denied`] to everybody else, and where the tenant has no database; else [`Error`].
    // clause
    pub async fn end_contract(&self, caller: &Caller, tenant: TenantId) -> Result<(), Error> {
        let parts = self.parts();
        let now = parts.clock.now();
        let promised = self.gone_with_contract(tenant, now).is_some();
        let known = self.ending(tenant).await?;
        let row = match (promised, known) {
            // It ends but once: the first row keeps its day.
            (true, Some(_)) => None,
            (true, None) => Some(store_row(kind::CONTRACT, tenant, row_key(now), now)),
            (false, _) => match self.state(tenant).await? {
                Some(TenantState::Deleted | TenantState::Purged) => None,
                _ => {
                    let due_at = self.purge_at(tenant, now)?;
                    Some(store_row(kind::DATABASE, tenant, Vec::new(), due_at))
                }
            },
        };
        let mut attached = Attached {
            due: row.iter().cloned().collect(),
            events: Vec::new(),
        };
        if row.as_ref().is_some_and(|row| row.kind == kind::DATABASE) {
            attached.events.push(self.deletion(caller, tenant, now)?);
        }
        let change = RegistryChange::Terminate;
        parts
            .guard
            .act(caller.clone(), tenant, change, attached)
            .await?;
        // What fails of it now is done by a sweep: the row stands.
        if let Some(row) = row.filter(|row| row.kind == kind::CONTRACT)
            && let Ok(Some(die)) = self.plan_end(tenant).await
        {
            let due_at = self.leaves_at(tenant, now, die);
            self.put_due(&Due { due_at, ..row }).await?;
        }
        Ok(())
    }

    /// The deletion of a database that a contract leaves behind, of which nothing else is promised: what
    /// is in its bin goes with it, and the log says from when on (P-52).
    fn deletion(&self, caller: &Caller, tenant: TenantId, at: UtcDateTime) -> Result<Event, Error> {
        let target = Target::of(tenant, "database", ItemId::from(tenant.as_uuid()));
        Ok(Event::new(
            self.mint()?,
            at,
            caller.actor(),
            Action::DatabaseDeleted,
            target,
            Outcome::Ok,
        ))
    }

    /// When rows, files and backups go: with the keys, and no later than the rows may be there.
    fn leaves_at(&self, tenant: TenantId, ended: UtcDateTime, die: UtcDateTime) -> UtcDateTime {
        let rows = self.gone_with_contract(tenant, ended);
        let rows = rows.map(|gone_by| gone_by.saturating_sub(PURGE_AHEAD));
        rows.map_or(die, |rows| rows.min(die))
    }

    /// By when the rows of a tenant whose contract ended at this instant are gone; `None` where no
    /// promise counts from there.
    fn gone_with_contract(&self, tenant: TenantId, ended: UtcDateTime) -> Option<UtcDateTime> {
        self.gone_from_store(tenant, ended, &self.parts().profile.rows)
    }

    fn gone_from_store(
        &self,
        tenant: TenantId,
        ended: UtcDateTime,
        store: &str,
    ) -> Option<UtcDateTime> {
        let events = [Occurrence::new(Action::ContractTerminated.name(), ended)];
        let id = ItemId::from(tenant.as_uuid());
        let item = Item::new(tenant, CLASS_DATABASE, id, &events).in_store(store);
        let (none, moment) = (HoldView::none(), self.moment(ended));
        let verdict = self.parts().retention.evaluate(&item, &none, &moment);
        verdict.gone_by
    }

    /// The row of the tenant's ended contract, as long as not all of it is gone.
    pub(crate) async fn ending(&self, tenant: TenantId) -> Result<Option<Due>, Error> {
        let mut tx = self.control(Mode::ReadOnly).await?;
        let rows = due::find(&mut tx, tenant, kind::CONTRACT).await?;
        Ok(rows.into_iter().next())
    }

    /// Does what is due about an ended contract; may be repeated.
    ///
    /// # Errors
    /// [`Error::Hold`] while anything of the tenant is held: it is put off, never dropped.
    // clause: P-47, Q-23
    pub(crate) async fn end_tenant(&self, row: &Due, now: UtcDateTime) -> Result<Ending, Error> {
        let tenant = row.tenant;
        let ended = ended_at(&row.key).unwrap_or(row.due_at);
        let Some(die) = self.plan_end(tenant).await? else {
            return Ok(Ending::Restored);
        };
        let leaves = self.leaves_at(tenant, ended, die);
        if now < leaves {
            return Ok(Ending::At(leaves));
        }
        self.end_backups(tenant, ended, now).await?;
        self.purge_database(tenant, now).await?;
        Ok(Ending::Gone)
    }

    /// Plans the end of the tenant's keys, and says when it is; `None` when its database was brought
    /// back before they were planned.
    // clause: Q-23
    async fn plan_end(&self, tenant: TenantId) -> Result<Option<UtcDateTime>, Error> {
        let parts = self.parts();
        // No restore comes in between.
        let _replacing = parts.replacing(tenant).await;
        let state = self.state(tenant).await?;
        if !matches!(state, Some(TenantState::Deleted | TenantState::Purged)) {
            return Ok(None);
        }
        let die = PendingWindow::SHORTEST.end(parts.clock.now(), &parts.profile.zone);
        match self.roots_end(tenant).await? {
            Some(planned) if planned <= die => return Ok(Some(planned)),
            // Planned with the purge of its database, which came first: plans do not move.
            Some(planned) => return Ok(Some(self.schedule_keks(tenant, planned).await?)),
            None => {}
        }
        parts.keys.plan_tenant(tenant, die).await?;
        if parts.keys.isolation(tenant).await? == Isolation::Shared {
            self.plan_vaults(tenant, die).await?;
        }
        Ok(Some(die))
    }

    /// When the tenant's roots end, if that is planned or past.
    pub(crate) async fn roots_end(&self, tenant: TenantId) -> Result<Option<UtcDateTime>, Error> {
        let mut roots = self.parts().keys.list().await?;
        let owner = Owner::Tenant(tenant);
        roots.retain(|key| key.owner == owner && key.purpose == Purpose::Data);
        let gone = roots.iter().filter_map(|root| root.destroyed_at).max();
        let mut living = roots.iter().filter(|root| root.destroyed_at.is_none());
        Ok(match living.next() {
            Some(root) => root.destroy_at,
            None => gone,
        })
    }

    /// Has the tenant's own KEKs destroyed after the shortest wait. Says when the last one is, or
    /// `planned` where it has none.
    async fn schedule_keks(
        &self,
        tenant: TenantId,
        planned: UtcDateTime,
    ) -> Result<UtcDateTime, Error> {
        let keys = &self.parts().keys;
        let call = retention_call(tenant);
        let mut last = None;
        for kek in keys.tenant_keks(tenant).await? {
            let ends = match kek.key_state() {
                KeyState::Destroyed => kek.destroyed_at,
                KeyState::PendingDeletion => kek.pending_until,
                KeyState::Enabled | KeyState::Disabled => {
                    let window = PendingWindow::SHORTEST;
                    Some(keys.schedule_destruction(&call, kek.id, window).await?)
                }
            };
            last = last.max(ends);
        }
        Ok(last.map_or(planned, |last| last.min(planned)))
    }

    /// Vaults under the KEK of an epoch that others share end by their own roots.
    async fn plan_vaults(&self, tenant: TenantId, die: UtcDateTime) -> Result<(), Error> {
        let keys = &self.parts().keys;
        let call = retention_call(tenant);
        for key in keys.list().await? {
            let of_vault = matches!(key.owner, Owner::Vault(of, _) if of == tenant);
            if !of_vault || key.key_state == KeyState::Destroyed {
                continue;
            }
            match keys.plan_destruction(&call, key.id, die).await {
                Ok(()) | Err(KeyError::Planned { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Removes the tenant's backups before their days, where a promise says so.
    async fn end_backups(
        &self,
        tenant: TenantId,
        ended: UtcDateTime,
        now: UtcDateTime,
    ) -> Result<(), Error> {
        let parts = self.parts();
        let store = parts.profile.backups.as_deref();
        let promised = store.and_then(|store| self.gone_from_store(tenant, ended, store));
        if promised.is_none() {
            return Ok(());
        }
        let _replacing = parts.replacing(tenant).await;
        let holds = self.hold_view(tenant).await?;
        self.permit_all(tenant, &holds, now)?;
        let domain = Self::domain(tenant).map_err(Error::unavailable)?;
        for item in parts.backups.items(&domain).await? {
            parts.backups.end(&domain, item.epoch).await?;
            let key = item.epoch.to_string().into_bytes();
            self.cancel_due(tenant, kind::EPOCH, &key).await?;
        }
        Ok(())
    }
}

/// What retention does to keys, as an administrator of them.
fn retention_call(tenant: TenantId) -> AdminCall {
    AdminCall {
        actor: ActorContext::service("retention"),
        role: Role::SysAdmin,
        reason: tenant.as_uuid(),
    }
}

/// The end of the contract in the key of its row: whole seconds, rounded down, so that no ceiling is
/// counted from later.
fn row_key(ended: UtcDateTime) -> Vec<u8> {
    ended.unix_timestamp().to_be_bytes().to_vec()
}

fn ended_at(key: &[u8]) -> Option<UtcDateTime> {
    let seconds = i64::from_be_bytes(key.try_into().ok()?);
    UtcDateTime::from_unix_timestamp(seconds).ok()
}
