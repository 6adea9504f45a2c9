//! Wrong about the rules of tenants: what a tenant asks for takes the place of what holds for all.

use covenant::{Narrowing, TenantRules};
use retention_policy::{RuleErrors, RuleSet, RuleSpec};

/// Lets a tenant's rule stand instead of the vendor's of its kind.
#[derive(Debug)]
pub(super) struct InPlace;

impl Narrowing for InPlace {
    fn narrowed(&self, in_force: &RuleSet, all: &TenantRules) -> Result<RuleSet, RuleErrors> {
        let mut file = in_force.file().clone();
        for own in all.values().flatten() {
            for rule in file.rules.iter_mut().filter(|rule| is_like(rule, own)) {
                rule.period.clone_from(&own.period);
                rule.late.clone_from(&own.late);
            }
        }
        RuleSet::load(file)
    }
}

fn is_like(rule: &RuleSpec, own: &RuleSpec) -> bool {
    let shares = rule.classes.iter().any(|class| own.classes.contains(class));
    shares && rule.bound == own.bound && rule.from == own.from
}
