//! Holds in the model, and backups in the place of its live stores.

use covenant_core::event::ActorContext;
use covenant_core::{Action, Clock, ItemId};

use super::{Model, Refusal, Sabotage, Seen};
use crate::act::{Record, Tenant};

impl Model {
    pub(super) fn place_hold(&mut self, tenant: Tenant) -> Result<Seen, Refusal> {
        self.any_home(tenant)?;
        if !self.is(Sabotage::HoldIgnored) {
            self.held.entry(tenant).or_default();
        }
        let item = ItemId::from(i64::from(tenant.0));
        let legal = ActorContext::service("legal");
        self.record(tenant, legal, Action::HoldPlaced, &item);
        Ok(Seen::Done)
    }

    pub(super) fn release_hold(&mut self, tenant: Tenant) -> Result<Seen, Refusal> {
        self.any_home(tenant)?;
        let now = self.clock.now();
        let waiting = self.held.remove(&tenant).unwrap_or_default();
        let due = waiting.into_iter().map(|number| (now, tenant, number));
        self.purges.extend(due);
        let item = ItemId::from(i64::from(tenant.0));
        let legal = ActorContext::service("legal");
        self.record(tenant, legal, Action::HoldReleased, &item);
        Ok(Seen::Done)
    }

    /// Puts what a backup holds in the place of the live store; what was deleted since stays so.
    pub(super) fn put_back(
        &mut self,
        tenant: Tenant,
        content: Vec<(Record, Vec<u8>)>,
    ) -> Result<Seen, Refusal> {
        self.home(tenant)?;
        if self.is(Sabotage::HoldLostOnRestore) {
            self.held.remove(&tenant);
        }
        let Some(home) = self.homes.get_mut(&tenant) else {
            return Err(Refusal::denied("no such tenant"));
        };
        let known: Vec<Record> = content.iter().map(|(record, _)| *record).collect();
        home.numbered.retain(|record, _| known.contains(record));
        for (record, sealed) in content {
            let row = home.numbered.get(&record).and_then(|n| home.rows.get(n));
            if let Some(slot) = row.map(|row| row.body) {
                home.disk.write(slot, sealed);
            }
        }
        let item = ItemId::from(i64::from(tenant.0));
        let service = ActorContext::service("restore");
        self.record(tenant, service, Action::RestoreCompleted, &item);
        Ok(Seen::Done)
    }
}
