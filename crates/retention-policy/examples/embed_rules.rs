//! The rules alone, in a service that has no database of ours: who goes, when, and why.
use covenant_core::TenantId;
use retention_policy::{HoldView, Item, Limits, Moment, Occurrence, PlanContext, Population};
use retention_policy::{Retention, Rules, plan};
use time::{Duration, UtcDateTime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rules = Rules::new()
        .keep("record", "record.deleted", "P30D")
        .waived_by("record.manual_purge")
        .gone("record", "record.deleted", "P30D")
        .late("PT25H")
        .cancel("record.restored", "record.deleted")
        .build()?;
    let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17");
    let deleted = UtcDateTime::UNIX_EPOCH;
    let events = [Occurrence::new("record.deleted", deleted)];
    let now = deleted + Duration::days(31);
    let found: Vec<_> = (1..=3_i64)
        .map(|id| Item::new(tenant, "record", id, &events))
        .map(|item| {
            (
                item.clone(),
                rules.evaluate(&item, &HoldView::none(), &Moment::at(now)),
            )
        })
        .collect();
    for reason in found
        .iter()
        .flat_map(|(_, verdict)| verdict.because.rules())
    {
        assert!(reason.decided, "{} has nothing to say", reason.rule);
    }
    let plan = plan(&found, now, &PlanContext::of(&rules));
    assert_eq!(plan.items().len(), 3);
    let limits = Limits {
        items_max: Some(2),
        ..Limits::default()
    };
    assert!(limits.check(&plan, &Population::new()).is_err());
    Ok(())
}
