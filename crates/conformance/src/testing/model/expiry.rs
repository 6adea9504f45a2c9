//! The end of a trial and of a subscription in the model.

use covenant_core::event::ActorContext;
use covenant_core::{Action, Clock, ItemId};
use time::{Duration, UtcDateTime};

use super::{DATABASE_WAIT, Model, Refusal, Sabotage, Seen};
use crate::act::{KeyStanding, Person, Record, Tenant};

/// How long before its ceiling a trial is deleted.
const AHEAD: Duration = Duration::HOUR;

impl Model {
    pub(super) fn read_as(
        &mut self,
        tenant: Tenant,
        record: Record,
        by: Person,
    ) -> Result<Seen, Refusal> {
        match by {
            Person::DatabaseAdministrator | Person::Member | Person::Reader => {
                self.read_record(tenant, record)
            }
            Person::Stranger | Person::Staff => Err(Refusal::denied("members alone")),
        }
    }

    pub(super) fn end_trial(&mut self, tenant: Tenant) -> Result<Seen, Refusal> {
        self.end_use(tenant, Action::TrialEnded)?;
        let ceiling = self.figures.trial(self.clock.now());
        let due = if self.is(Sabotage::PurgeLate) {
            ceiling + Duration::seconds(2)
        } else {
            ceiling - AHEAD
        };
        self.trials.insert(tenant, due);
        Ok(Seen::Done)
    }

    pub(super) fn cancel_subscription(&mut self, tenant: Tenant) -> Result<Seen, Refusal> {
        self.end_use(tenant, Action::SubscriptionCancelled)?;
        let service = ActorContext::service("model");
        if self.is(Sabotage::PurgeEarly) {
            return self.delete_database(tenant, service);
        }
        let item = ItemId::from(i64::from(tenant.0));
        self.record(tenant, service, Action::DatabaseLocked, &item);
        if !self.is(Sabotage::LockWithoutKey) {
            self.switch_keys(tenant, KeyStanding::Disabled)?;
        }
        Ok(Seen::Done)
    }

    pub(super) fn start_subscription(&mut self, tenant: Tenant) -> Result<Seen, Refusal> {
        let home = self.any_home(tenant)?;
        if home.deleted || !home.expired {
            return Err(Refusal::denied("the database is not expired"));
        }
        self.trials.remove(&tenant);
        self.switch_keys(tenant, KeyStanding::Enabled)?;
        if let Some(home) = self.homes.get_mut(&tenant) {
            home.expired = false;
        }
        let item = ItemId::from(i64::from(tenant.0));
        let service = ActorContext::service("model");
        self.record(tenant, service, Action::SubscriptionStarted, &item);
        Ok(Seen::Done)
    }

    pub(super) fn delete_database(
        &mut self,
        tenant: Tenant,
        actor: ActorContext,
    ) -> Result<Seen, Refusal> {
        let now = self.clock.now();
        let late = self.figures.database(now) + Duration::seconds(2);
        let due = if self.is(Sabotage::PurgeLate) {
            late
        } else {
            now + DATABASE_WAIT
        };
        let dropped = self.is(Sabotage::DeleteDropped);
        let home = self.homes.get_mut(&tenant).filter(|home| !home.deleted);
        let home = home.ok_or_else(|| Refusal::denied("no such database"))?;
        home.deleted = !dropped;
        let item = ItemId::from(i64::from(tenant.0));
        self.record(tenant, actor, Action::DatabaseDeleted, &item);
        if !dropped {
            self.leaving.insert(tenant, due);
        }
        Ok(Seen::Done)
    }

    pub(super) fn delete_trials(&mut self, at: UtcDateTime) {
        let due = self.trials.iter().filter(|(_, due)| **due <= at);
        let due: Vec<_> = due.map(|(tenant, _)| *tenant).collect();
        for tenant in due {
            self.trials.remove(&tenant);
            if self.any_home(tenant).is_ok_and(|home| home.expired) {
                // one that was deleted meanwhile stays so
                drop(self.delete_database(tenant, ActorContext::service("model")));
            }
        }
    }

    fn end_use(&mut self, tenant: Tenant, event: Action) -> Result<(), Refusal> {
        self.home(tenant)?;
        let forgotten = self.is(Sabotage::TrialForgotten);
        if let Some(home) = self.homes.get_mut(&tenant) {
            home.expired = !forgotten;
        }
        let item = ItemId::from(i64::from(tenant.0));
        self.record(tenant, ActorContext::service("model"), event, &item);
        Ok(())
    }

    fn switch_keys(&mut self, tenant: Tenant, to: KeyStanding) -> Result<(), Refusal> {
        let home = self.any_home(tenant)?;
        for key in [home.data, home.sensitive] {
            if let Some(life) = self.lives.get_mut(&key) {
                life.standing = to;
            }
        }
        Ok(())
    }
}
