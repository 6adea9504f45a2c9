//! Rules out of a file: what goes, when, and why; deleting is left to the service.
use covenant_core::TenantId;
use retention_policy::{HoldView, Item, Moment, Occurrence, Retention as _, RuleSet};
use time::{Duration, UtcDateTime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rules = RuleSet::from_toml(include_str!("../rules.toml"))?;
    for class in rules.classes() {
        for row in rules.residency(class) {
            println!("{class} from {}: {}", row.from, row.stays());
        }
    }
    let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17.example");
    let deleted = UtcDateTime::UNIX_EPOCH;
    let restored = Occurrence::new("note.restored", deleted + Duration::days(1));
    let bin = [Occurrence::new("note.deleted", deleted)];
    let back = [bin[0], restored];
    for (id, events) in [(1_i64, &bin[..]), (2, &back[..])] {
        let note = Item::new(tenant, "note", id, events);
        for days in [29, 31] {
            let moment = Moment::at(deleted + Duration::days(days));
            let verdict = rules.evaluate(&note, &HoldView::none(), &moment);
            let rules = verdict.because.rules().filter(|rule| rule.decided);
            let why: Vec<&str> = rules.map(|rule| rule.rule.as_str()).collect();
            println!("{id}, day {days}: {} by {why:?}", verdict.state.name());
        }
    }
    Ok(())
}
