//! The retention rules alone: what must be kept, what must be gone by when, and why. No database,
//! no async runtime, no clock; deleting is left to the service.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use covenant_core::TenantId;
use retention_policy::{
    HoldView, Item, Moment, Occurrence, PlanContext, Retention as _, Rules, plan,
};
use time::Duration;
use time::macros::utc_datetime;

fn main() -> Result<(), Box<dyn Error>> {
    let rules = Rules::new()
        .keep("note", "note.deleted", "P30D")
        .gone("note", "note.deleted", "P30D")
        .late("PT25H")
        .cancel("note.restored", "note.deleted")
        .build()?;
    let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17.example");
    let deleted = utc_datetime!(2026-01-31 12:00);
    let events = [Occurrence::new("note.deleted", deleted)];
    let note = Item::new(tenant, "note", 42_i64, &events);
    for days in [10, 31] {
        let now = deleted + Duration::days(days);
        let verdict = rules.evaluate(&note, &HoldView::none(), &Moment::at(now));
        let found = [(note.clone(), verdict.clone())];
        let due = plan(&found, now, &PlanContext::of(&rules)).items().len();
        println!("after {days} days: {:?}, {due} to delete", verdict.state);
        for reason in verdict.because.rules().filter(|r| r.decided) {
            println!("  because of {}", reason.rule);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
