//! Retention: one period costs no more than the same addition by jiff, and a verdict a microsecond;
//! what erasure costs is in `erasure`.

use std::error::Error;
use std::hint::black_box;

use benches::{Bar, Measure, compare, time};
use covenant_core::{DayRule, MonthRule, Period, TenantId, Zone};
use jiff::{Span, ToSpan as _};
use retention_policy::{HoldView, Item, Moment, Occurrence, Retention as _, RuleSet, Rules, State};
use time::macros::utc_datetime;
use time::{Duration, UtcDateTime};

#[path = "retention/erasure.rs"]
mod erasure;

const DELETED: UtcDateTime = utc_datetime!(2026-08-31 12:34:56);
const CHICAGO: &str = "America/Chicago";

fn main() -> Result<(), Box<dyn Error>> {
    period()?;
    verdict()?;
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

fn verdict() -> Result<(), Box<dyn Error>> {
    let rules = rules()?;
    let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17");
    let events = [Occurrence::new("record.deleted", DELETED)];
    let item = Item::new(tenant, "record", 1_i64, &events);
    let now = Moment::at(DELETED + Duration::days(10));
    let verdict = rules.evaluate(&item, &HoldView::none(), &now);
    if verdict.state != State::Keep || verdict.because.rules.len() != 10 {
        return Err("the verdict does not come from ten rules".into());
    }
    let took = time(|| rules.evaluate(black_box(&item), &HoldView::none(), &now));
    Measure {
        id: "retention-policy/verdict",
        value: 1.0 / took.as_secs_f64(),
        unit: "verdicts a second, ten rules, reasons included",
        peer: "limit: one a microsecond",
        bar: Bar::AtLeast(1_000_000.0),
    }
    .print()?;
    Ok(())
}
