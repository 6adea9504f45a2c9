//! First use, whole: one store, UTC, no rule file.
use covenant_core::TenantId;
use retention_policy::{HoldView, Item, Moment, Occurrence, Retention as _, Rules};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let invoice = Rules::new().keep("invoice", "invoice.issued", "P7Y");
    let rules = invoice.gone("invoice", "order.closed", "P8Y").build()?;
    let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17");
    let issued = time::UtcDateTime::UNIX_EPOCH;
    let events = [Occurrence::new("invoice.issued", issued)];
    let item = Item::new(tenant, "invoice", 42_i64, &events);
    let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(issued));
    println!("{}", verdict.state.name());
    Ok(())
}
