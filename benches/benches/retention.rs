//! Retention: one period costs no more than the same addition by jiff, and a verdict a microsecond;
//! what a plan costs is in `plan`, what erasure costs in `erasure`.

use std::error::Error;
use std::hint::black_box;

use benches::{Bar, Measure, compare, time};
use covenant_core::{DayRule, HoldId, MonthRule, Period, PrincipalId, TenantId, Zone};
use jiff::{Span, ToSpan as _};
use retention_policy::{
    Hold, HoldMode, HoldScope, HoldView, Item, Later, Moment, Occurrence, Retention as _, RuleSet,
    Rules, State,
};
use time::macros::utc_datetime;
use time::{Duration, UtcDateTime};

#[path = "retention/erasure.rs"]
mod erasure;
#[path = "retention/plan.rs"]
mod plan;

const DELETED: UtcDateTime = utc_datetime!(2026-08-31 12:34:56);
const CHICAGO: &str = "America/Chicago";

fn main() -> Result<(), Box<dyn Error>> {
    period()?;
    verdict()?;
    plan::run()?;
    erasure::run()
}

fn period() -> Result<(), Box<dyn Error>> {
    let (period, zone): (Period, Zone) = ("P6M".parse()?, CHICAGO.parse()?);
    let ours = || period.add_exact(DELETED, &zone, DayRule::Elapsed, MonthRule::Clamp);
    let span: Span = 6.months();
    let at = jiff::Timestamp::from_second(DELETED.unix_timestamp())?;
    let start = at.in_tz(CHICAGO)?;
    let theirs = || start.checked_add(black_box(span));
    let (end, expect) = (ours()?.earliest, theirs()?.timestamp().as_second());
    if end.unix_timestamp() != expect {
        return Err("ours and jiff's ends differ: nothing to compare".into());
    }
    let compared = compare(ours, theirs);
    Measure {
        id: "retention-policy/period",
        value: compared.ratio,
        unit: "times the peer's time",
        peer: "jiff Zoned::checked_add of the same six months in the same zone",
        bar: Bar::AtMost(1.0),
    }
    .print()?;
    Ok(())
}

/// Ten rules about one class.
fn rules() -> Result<RuleSet, Box<dyn Error>> {
    let mut rules = Rules::new();
    for (keep, gone) in [
        ("P30D", "P90D"),
        ("P1M", "P4M"),
        ("P20D", "P1Y"),
        ("P7D", "P2Y"),
        ("PT25H", "P3Y"),
    ] {
        rules = rules
            .keep("record", "record.deleted", keep)
            .gone("record", "record.deleted", gone);
    }
    Ok(rules.build()?)
}

/// Two holds that cover every record of the tenant.
fn holds(tenant: TenantId) -> Result<HoldView, Box<dyn Error>> {
    let mut holds = Vec::new();
    for (n, scope) in [
        (1, HoldScope::Tenant),
        (2, HoldScope::Class("record".parse()?)),
    ] {
        holds.push(Hold {
            id: HoldId::from_bytes([n; 16]),
            tenant,
            matter: format!("case-{n}").parse()?,
            scope,
            later: Later::Covered,
            mode: HoldMode::Governance,
            placed_by: PrincipalId::from_bytes([7; 16]),
            reason: "litigation".parse()?,
            placed_at: DELETED,
        });
    }
    Ok(HoldView::of(tenant, 2, holds))
}

fn verdict() -> Result<(), Box<dyn Error>> {
    let rules = rules()?;
    let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17");
    let holds = holds(tenant)?;
    let events = [Occurrence::new("record.deleted", DELETED)];
    let item = Item::new(tenant, "record", 1_i64, &events);
    let now = Moment::at(DELETED + Duration::days(10));
    let free = rules.evaluate(&item, &HoldView::none(), &now);
    let held = rules.evaluate(&item, &holds, &now);
    if free.state != State::Keep || held.state != State::Held || held.held_by.len() != 2 {
        return Err("the verdict does not come from two holds".into());
    }
    if [&free, &held].map(|verdict| verdict.because.rules().count()) != [10, 10] {
        return Err("the verdict does not come from ten rules".into());
    }
    for (id, holds, unit) in [
        (
            "retention-policy/verdict",
            &holds,
            "verdicts a second, ten rules and two holds, reasons included",
        ),
        (
            "retention-policy/verdict-free",
            &HoldView::none(),
            "verdicts a second, ten rules and no hold, reasons included",
        ),
    ] {
        let took = time(|| rules.evaluate(black_box(&item), holds, &now));
        Measure {
            id,
            value: 1.0 / took.as_secs_f64(),
            unit,
            peer: "limit: one a microsecond",
            bar: Bar::AtLeast(1_000_000.0),
        }
        .print()?;
    }
    Ok(())
}
