//! Rules that a tenant of the embedded subject sets for itself.

use covenant::{CLASS_DATABASE, CLASS_RECORD};
use covenant_core::Action;
use retention_policy::{Bound, Limit, Rule, RuleSpec};

use super::Embedded;
use super::acts::refusal;
use crate::act::{Asks, Matter, OwnRule, Person, RuleSeen, Seen, Tenant, Whose};
use crate::subject::Refusal;

/// Classes and events of what a rule may be about.
const MATTERS: [(Matter, &str, Action); 2] = [
    (Matter::Record, CLASS_RECORD, Action::RecordDeleted),
    (Matter::Database, CLASS_DATABASE, Action::DatabaseDeleted),
];

impl Embedded {
    pub(super) async fn set_rules(
        &self,
        tenant: Tenant,
        rules: &[OwnRule],
        by: Person,
    ) -> Result<Seen, Refusal> {
        let caller = self.caller(tenant, by).await?;
        let rules = rules.iter().map(spec).collect();
        let set = self
            .covenant
            .set_rules(&caller, self.home(tenant)?.id, rules);
        set.await.map_err(refusal)?;
        Ok(Seen::Done)
    }

    pub(super) async fn list_rules(&self, tenant: Tenant) -> Result<Seen, Refusal> {
        let rules = self.covenant.rules_of(self.home(tenant)?.id).await;
        let rules = rules.map_err(refusal)?;
        let rows = self.document.rows.as_str();
        let here = rules
            .iter()
            .filter(|rule| rule.stores().iter().any(|store| store.as_str() == rows));
        Ok(Seen::Rules(here.filter_map(seen).collect()))
    }
}

fn spec(rule: &OwnRule) -> RuleSpec {
    let matter = MATTERS.iter().find(|(matter, _, _)| *matter == rule.matter);
    let late =
        (rule.asks == Asks::Gone && rule.late_secs > 0).then(|| format!("PT{}S", rule.late_secs));
    RuleSpec {
        id: rule.name.clone(),
        classes: matter
            .map(|(_, class, _)| (*class).to_owned())
            .into_iter()
            .collect(),
        bound: match rule.asks {
            Asks::Keep => Bound::Floor,
            Asks::Gone => Bound::Ceiling,
        },
        from: matter.map(|(_, _, from)| from.name().to_owned()),
        period: Some(rule.period.to_string()),
        late,
        ..RuleSpec::default()
    }
}

/// The rule as scenarios know it; `None` for one of another kind.
fn seen(rule: &Rule) -> Option<RuleSeen> {
    let (asks, from, period, late_secs) = match rule.limit() {
        Limit::Floor { from, period, .. } => (Asks::Keep, from, *period, 0),
        Limit::Ceiling {
            from,
            period,
            late_secs,
        } => (Asks::Gone, from, *period, *late_secs),
        Limit::Until { .. } => return None,
    };
    let is_of = |(_, class, event): &&(Matter, &str, Action)| {
        from.as_str() == event.name() && rule.classes().iter().any(|one| one.as_str() == *class)
    };
    let (matter, _, _) = MATTERS.iter().find(is_of)?;
    Some(RuleSeen {
        rule: OwnRule {
            name: rule.id().to_string(),
            matter: *matter,
            asks,
            period,
            late_secs,
        },
        whose: match rule.tenant() {
            Some(_) => Whose::Tenant,
            None => Whose::Vendor,
        },
    })
}
