//! Rules that tenants of the model set for themselves.

use covenant_core::event::ActorContext;
use covenant_core::{Action, Period};
use time::UtcDateTime;

use super::{Model, Refusal, Sabotage, Seen};
use crate::act::{Asks, Matter, OwnRule, Person, RuleSeen, Tenant, Whose};

impl Model {
    pub(super) fn set_rules(
        &mut self,
        tenant: Tenant,
        rules: &[OwnRule],
        by: Person,
    ) -> Result<Seen, Refusal> {
        if by != Person::DatabaseAdministrator {
            return Err(Refusal::denied("administrators of the database alone"));
        }
        let home = self.home(tenant)?;
        let user = ActorContext::member(home.user, super::acts::ADDRESS);
        let vendor = self.promised();
        for own in rules {
            let against = vendor.iter().find(|rule| self.excludes(rule, own));
            if let Some(rule) = against.filter(|_| !self.is(Sabotage::TenantWeakens)) {
                let told = format!("{} does not go with {}", own.name, rule.name);
                return Err(Refusal::denied(told));
            }
        }
        self.own_rules.insert(tenant, rules.to_vec());
        let item = covenant_core::ItemId::from(i64::from(tenant.0));
        self.record(tenant, user, Action::ChangeRecorded, &item);
        Ok(Seen::Done)
    }

    pub(super) fn rules(&self, tenant: Tenant) -> Vec<RuleSeen> {
        let seen = |whose| move |rule| RuleSeen { rule, whose };
        let own = self.own_rules.get(&tenant).cloned().unwrap_or_default();
        let vendor = self.promised().into_iter().map(seen(Whose::Vendor));
        vendor
            .chain(own.into_iter().map(seen(Whose::Tenant)))
            .collect()
    }

    /// Until when the tenant itself asks for what it deletes now to be kept.
    pub(super) fn own_floor(&self, tenant: Tenant, deleted: UtcDateTime) -> UtcDateTime {
        let own = self.own_rules.get(&tenant).into_iter().flatten();
        let floors = own.filter(|rule| rule.matter == Matter::Record && rule.asks == Asks::Keep);
        let ends = floors.map(|rule| self.figures.over(deleted, rule.period));
        ends.max().unwrap_or(deleted)
    }

    /// What the page promises of records in the bin and of deleted databases.
    fn promised(&self) -> Vec<OwnRule> {
        let mut rules = Vec::new();
        let [bin, database] = &self.figures.promised;
        for (matter, limits, name) in [
            (Matter::Record, bin, "bin"),
            (Matter::Database, database, "database"),
        ] {
            let late_secs = limits.late.as_secs().unwrap_or(0);
            let rule = |asks, period: Period, kind, late_secs| OwnRule {
                name: format!("{name}-{kind}"),
                matter,
                asks,
                period,
                late_secs,
            };
            if let (Matter::Record, Some(min)) = (matter, limits.min) {
                rules.push(rule(Asks::Keep, min, "floor", 0));
            }
            if let Some(max) = limits.max {
                rules.push(rule(Asks::Gone, max, "ceiling", late_secs));
            }
        }
        rules
    }

    /// Whether a rule of the page says more than this one, or cannot be kept together with it.
    fn excludes(&self, vendor: &OwnRule, own: &OwnRule) -> bool {
        let (shortest, longest) = self.figures.secs(own.period);
        let (least, most) = self.figures.secs(vendor.period);
        let room = |late: u64, by: u64| by.saturating_add(late);
        vendor.matter == own.matter
            && match (vendor.asks, own.asks) {
                (Asks::Gone, Asks::Gone) => own.period != vendor.period && shortest > most,
                (Asks::Keep, Asks::Keep) => longest < least,
                (Asks::Keep, Asks::Gone) => room(own.late_secs, shortest) < most,
                (Asks::Gone, Asks::Keep) => room(vendor.late_secs, least) < longest,
            }
    }
}
