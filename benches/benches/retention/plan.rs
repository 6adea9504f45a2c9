//! A plan of a million items, hash included: time beside the hash of its bytes alone, and what the
//! process grows by meanwhile for each item, at most.

use std::error::Error;
use std::hint::black_box;

use benches::{Bar, Measure, Stopwatch, compare_samples};
use covenant_core::TenantId;
use retention_policy::{
    HoldView, Item, Moment, Occurrence, Plan, PlanContext, Retention as _, Rules, Verdict, plan,
};
use time::{Duration, UtcDateTime};

const ITEMS: i64 = 1_000_000;

pub(super) fn run() -> Result<(), Box<dyn Error>> {
    let rules = Rules::new()
        .keep("record", "record.deleted", "P30D")
        .gone("record", "record.deleted", "P90D")
        .build()?;
    let tenant = TenantId::from_bytes([9; 16]);
    let events = [Occurrence::new("record.deleted", UtcDateTime::UNIX_EPOCH)];
    let now = UtcDateTime::UNIX_EPOCH + Duration::days(40);
    let found: Vec<(Item<'_>, Verdict)> = (0..ITEMS)
        .map(|n| {
            let item = Item::new(tenant, "record", n, &events);
            let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(now));
            (item, verdict)
        })
        .collect();
    let context = PlanContext::of(&rules);
    let planned = || -> Plan { plan(black_box(&found), now, &context) };

    let before = Memory::now()?;
    let made = planned();
    let hash = made.hash();
    let grown = Memory::now()?.peak_bytes.saturating_sub(before.bytes);
    let bytes = made.bytes();
    if made.items().len() != found.len() || hash != covenant_core::digest::Digest::of(&bytes) {
        return Err("the plan is not of all items".into());
    }
    drop(made);
    Measure {
        id: "retention-policy/plan-memory",
        value: f64::from(u32::try_from(grown)?) / f64::from(u32::try_from(ITEMS)?),
        unit: "bytes an item, a plan of 1,000,000 items made and hashed",
        peer: "limit: 200 bytes",
        bar: Bar::AtMost(200.0),
    }
    .print()?;

    let compared = compare_samples(
        || {
            let watch = Stopwatch::start();
            let made = planned();
            black_box(made.hash());
            let took = watch.elapsed();
            drop(made);
            took
        },
        || {
            let watch = Stopwatch::start();
            black_box(ring::digest::digest(
                &ring::digest::SHA256,
                black_box(&bytes),
            ));
            watch.elapsed()
        },
    );
    Measure {
        id: "retention-policy/plan",
        value: compared.ratio,
        unit: "times the hash alone, a plan of 1,000,000 items made and hashed",
        peer: "ring SHA-256 over the bytes of the plan",
        bar: Bar::AtMost(3.0),
    }
    .print()?;
    Ok(())
}

/// What the process has in memory, as Linux says it; the peak is that since the last look.
struct Memory {
    bytes: u64,
    peak_bytes: u64,
}

impl Memory {
    fn now() -> Result<Self, Box<dyn Error>> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let of = |name: &str| -> Result<u64, Box<dyn Error>> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.split_whitespace().next());
            Ok(kib
                .ok_or("no such line")?
                .parse::<u64>()?
                .saturating_mul(1_024))
        };
        let seen = Self {
            bytes: of("VmRSS:")?,
            peak_bytes: of("VmHWM:")?,
        };
        // proc(5): this takes the peak back to what there is now
        std::fs::write("/proc/self/clear_refs", "5")?;
        Ok(seen)
    }
}
