//! An engine on memory, with keys, depot, sink, clock and randomness of its own; and the figures of
//! two of the policy documents.

use std::sync::Arc;

use covenant_core::testing::{MemorySink, SeededRandom};
use covenant_core::{ManualClock, Period, Reading, RegionSet, Secret, Zone};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::store::MemoryStore;
use crypto_envelope::{Keys, KeysOptions};
use time::{Duration, UtcDateTime};

use super::{FaultDepot, Faults};
use crate::depot::{Depot, MemoryDepot};
use crate::engine::{Engine, Parts};
use crate::policy::{BackupPolicy, Cadence, Keeping};

/// An instant, written as RFC 3339.
///
/// # Errors
/// When the text is none.
pub fn at(text: &str) -> Result<UtcDateTime, time::error::Parse> {
    UtcDateTime::parse(text, &time::format_description::well_known::Rfc3339)
}

/// The figures of prodb: six months both ways, in Tokyo's civil days.
#[must_use]
pub fn six_months(early: Duration) -> BackupPolicy {
    let zone = Zone::fixed(9 * 3600).unwrap_or(Zone::UTC);
    BackupPolicy {
        cadence: Cadence::Every(Duration::hours(1)),
        reading: Reading::in_zone(zone.clone()),
        zone,
        epoch_days: 1,
        keeping: Keeping::Bounded {
            ceiling: Period::months(6),
            late: Duration::ZERO,
            floor: Period::months(6),
            early,
        },
        sweep: Duration::hours(1),
        replica: Duration::hours(24),
        session: Duration::hours(1),
    }
}

/// The figures of immidb: a month at least, in Chicago's civil nights.
#[must_use]
pub fn a_month() -> BackupPolicy {
    let zone = "America/Chicago".parse().unwrap_or(Zone::UTC);
    BackupPolicy {
        cadence: Cadence::CivilNight {
            at: time::Time::from_hms(2, 30, 0).unwrap_or(time::Time::MIDNIGHT),
        },
        reading: Reading::in_zone(zone.clone()),
        zone,
        epoch_days: 7,
        keeping: Keeping::Kept {
            after_end: Period::days(35),
            floor: Period::days(31),
        },
        sweep: Duration::hours(1),
        replica: Duration::ZERO,
        session: Duration::hours(1),
    }
}

/// Everything a test holds in its hand.
#[derive(Debug)]
pub struct Stage {
    /// Moves time.
    pub clock: Arc<ManualClock>,
    /// Seeded randomness.
    pub random: Arc<SeededRandom>,
    /// The keys.
    pub keys: Arc<Keys>,
    /// What is stored, without faults.
    pub depot: Arc<MemoryDepot>,
    /// Makes the engine's depot fail.
    pub faults: Arc<Faults>,
    /// What was told.
    pub sink: Arc<MemorySink>,
    /// The engine.
    pub engine: Engine,
}

/// An engine with this policy at this instant.
///
/// # Errors
/// When the keys in memory cannot be made.
pub async fn stage(
    policy: BackupPolicy,
    now: UtcDateTime,
) -> Result<Stage, Box<dyn std::error::Error>> {
    let clock = Arc::new(ManualClock::at(now));
    let random = Arc::new(SeededRandom::new(7));
    let keys = Keys::open(
        Arc::new(MemoryStore::new()),
        Arc::new(MemoryBackend::new(random.clone())),
        clock.clone(),
        random.clone(),
        KeysOptions::default(),
    );
    let keys = Arc::new(keys.await?);
    let region = RegionSet::new(["us-chicago"])?.region("us-chicago")?;
    let depot = Arc::new(MemoryDepot::new(region));
    let faults = Arc::new(Faults::default());
    let sink = Arc::new(MemorySink::new());
    let engine = Engine::new(Parts {
        repo: [1; 16],
        depot: Arc::new(FaultDepot::new(depot.clone(), faults.clone())) as Arc<dyn Depot>,
        keys: keys.clone(),
        sink: sink.clone(),
        clock: clock.clone(),
        random: random.clone(),
        naming: Secret::new([5; 32]),
        policy,
    });
    Ok(Stage {
        clock,
        random,
        keys,
        depot,
        faults,
        sink,
        engine,
    })
}
