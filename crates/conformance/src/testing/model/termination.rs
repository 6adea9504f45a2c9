//! The end of a contract in the model: all of the tenant goes when its keys have waited.

use covenant_core::event::ActorContext;
use covenant_core::{Action, Clock, ItemId};
use time::Duration;

use super::{Model, Refusal, Sabotage, Seen};
use crate::act::Tenant;

/// Days that the keys of the tenant wait, the least and the most.
const WAIT: (u8, u8) = (7, 30);

impl Model {
    pub(super) fn end_contract(&mut self, tenant: Tenant) -> Result<Seen, Refusal> {
        let now = self.clock.now();
        let ceiling = self.figures.contract(now);
        let waited = self.figures.wait(now, WAIT.0, WAIT.1);
        let home = self.homes.get_mut(&tenant);
        let home = home.ok_or_else(|| Refusal::denied("no such database"))?;
        home.deleted = true;
        self.trials.remove(&tenant);
        let item = ItemId::from(i64::from(tenant.0));
        let service = ActorContext::service("model");
        self.record(tenant, service, Action::ContractTerminated, &item);
        let late = self.is(Sabotage::TerminationLate);
        let due = match ceiling.filter(|_| !late) {
            Some(ceiling) => {
                self.ended.insert(tenant);
                waited.min(ceiling)
            }
            // as any other deletion
            None => self.figures.database(now) - Duration::HOUR,
        };
        self.leaving.entry(tenant).or_insert(due);
        Ok(Seen::Done)
    }

    /// Its vaults and the keys of its contents are destroyed before their days.
    pub(super) fn end_backups_and_keys(&mut self, tenant: Tenant) {
        let own = self.vaults.keys().filter(|(of, _)| *of == tenant);
        let own: Vec<_> = own.copied().collect();
        for place in own {
            if let Some(vault) = self.vaults.remove(&place) {
                self.keys.remove(&vault.root);
                self.note(tenant, Action::KeyDestroyed, vault.id);
                self.note(tenant, Action::BackupPurged, vault.id);
            }
        }
        let Some(home) = self.homes.get(&tenant) else {
            return;
        };
        let now = self.clock.now();
        for key in [home.data, home.sensitive] {
            if let Some(life) = self.lives.get_mut(&key) {
                life.ends = Some(now);
            }
        }
    }
}
