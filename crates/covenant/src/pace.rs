//! Whose turn it is to rewrite or to read a tenant's file, how long a rewrite takes here, and whether
//! what is due can be done in time: told while there is still time to do something about it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use covenant_core::event::Datum;
use covenant_core::{
    Action, ActorContext, BoxFuture, Clock, Event, ItemId, Outcome, Target, TenantId, TxTag,
};
use retention_policy::apply::{Flush, FlushError, Flushed};
use retention_policy::physical::{BACKUP_READ_MAX, FlushRate, Forecast, Turn, Turns};
use retention_policy::{Infeasible, Rate, Work, feasible};
use sql_store::Mode;
use sql_store::due;
use time::{Duration, UtcDateTime};

use crate::assembly::{Covenant, lock};
use crate::error::Error;
use crate::sweep::kind;

/// Smallest file whose flush says how fast files are rewritten: a figure of ours, below which the
/// disk's answer to a sync is most of the time.
const MEASURED_LEN_BYTES_MIN: u64 = 1 << 20;
/// What a night's flush may take after its midnight (P-52, the tolerance beyond the reading).
const NIGHT: Duration = Duration::hours(1);
/// How far ahead nights are looked at: longer than any floor of a bin.
const AHEAD: Duration = Duration::days(366);

/// Turns, and the rate of flushes as measured.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    turns: Turns,
    /// The last two measurements: the slower one counts, and one slow night is forgotten.
    rates: Mutex<[Option<FlushRate>; 2]>,
    told: Mutex<BTreeSet<Told>>,
}

/// What an alarm was raised for, and has not passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// A night has more to do than it has time.
    Night,
    /// A tenant's file takes too long.
    Slow(TenantId),
}

/// A flush that is timed.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) sound: Arc<dyn Flush>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pace: Arc<Pace>,
}

impl Flush for Timed {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(async move {
            let began = self.clock.monotonic();
            let flushed = self.sound.flush(file).await?;
            let took = self.clock.monotonic().saturating_sub(began);
            if flushed.bytes >= MEASURED_LEN_BYTES_MIN
                && let Some(rate) = FlushRate::measured(flushed.bytes, took)
            {
                let mut rates = lock(&self.pace.rates);
                let [last, _] = *rates;
                *rates = [Some(rate), last];
            }
            Ok(flushed)
        })
    }
}

impl Pace {
    fn rate(&self) -> Option<FlushRate> {
        let rates = *lock(&self.rates);
        rates.into_iter().flatten().reduce(FlushRate::slower)
    }
}

impl Covenant {
    /// The tenant's turn for a flush: a backup that runs finishes first, the next one waits.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when a backup does not end within its own bound.
    // clause: P-52
    pub(crate) async fn flush_turn(&self, tenant: TenantId) -> Result<Turn, Error> {
        let turn = self.parts().pace.turns.flush(tenant, BACKUP_READ_MAX).await;
        turn.map_err(Error::unavailable)
    }

    /// The tenant's turn for a backup, after every flush that waits.
    pub(crate) async fn backup_turn(&self, tenant: TenantId) -> Turn {
        self.parts().pace.turns.backup(tenant).await
    }

    /// Whether a purge of this tenant waits for a backup to end: nothing new that reads all of its
    /// file should begin.
    #[must_use]
    pub fn flush_waits(&self, tenant: TenantId) -> bool {
        self.parts().pace.turns.flush_waits(tenant)
    }

    /// Tells the log what will be late at the rate of the last flushes: a file that keeps others out
    /// for too long, a night with more to do than time. Each is told once, until it has passed;
    /// returns how many were told now.
    // clause: P-52
    pub(crate) async fn tell_pace(&self, now: UtcDateTime) -> Result<u64, Error> {
        let Some(rate) = self.parts().pace.rate() else {
            return Ok(0);
        };
        let mut nights: BTreeMap<UtcDateTime, Vec<(TenantId, u64)>> = BTreeMap::new();
        for (tenant, due_at) in self.planned_flushes(now).await? {
            let bytes = self.file_bytes(tenant);
            nights.entry(due_at).or_default().push((tenant, bytes));
        }
        let mut alarms = 0_u64;
        for (tenant, bytes) in nights.values().flatten() {
            // how much room there is on the disk nobody here can ask: a full one fails the flush
            let slow = match rate.forecast(*bytes, u64::MAX) {
                Forecast::TooSlow { takes } => Some(takes.as_secs()),
                _ => None,
            };
            if self.begins(Told::Slow(*tenant), slow.as_ref()) {
                let target = Target::of(*tenant, "database", ItemId::from(tenant.as_uuid()));
                let data = [
                    ("file_bytes", *bytes),
                    ("takes_secs", slow.unwrap_or_default()),
                ];
                self.alarm(target, now, data).await?;
                alarms = alarms.saturating_add(1);
            }
        }
        let late = first_late(&nights, rate, now);
        if self.begins(Told::Night, late.as_ref()) {
            let target = Target::operator("flush", ItemId::try_from("night")?);
            let shortfall = late.map_or(0, |late| late.shortfall.as_secs());
            let flushes = nights.values().map(Vec::len).sum::<usize>();
            let flushes = u64::try_from(flushes).unwrap_or(u64::MAX);
            let data = [("shortfall_secs", shortfall), ("flushes", flushes)];
            self.alarm(target, now, data).await?;
            alarms = alarms.saturating_add(1);
        }
        Ok(alarms)
    }

    /// Which bins are to be flushed, and when.
    async fn planned_flushes(
        &self,
        now: UtcDateTime,
    ) -> Result<Vec<(TenantId, UtcDateTime)>, Error> {
        let tag = TxTag {
            txn: self.mint()?,
            tenant: None,
            decision: None,
        };
        let control = &self.parts().control;
        let mut tx = control.begin_with(Mode::ReadOnly, tag).await?;
        let rows = due::of_kind(&mut tx, kind::BIN, now.saturating_add(AHEAD)).await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.tenant, row.due_at))
            .collect())
    }

    /// Size of the tenant's file; zero for one that is not there.
    fn file_bytes(&self, tenant: TenantId) -> u64 {
        let parts = self.parts();
        let file = parts.layout.tenant_file(&parts.region, tenant);
        std::fs::metadata(file).map_or(0, |about| about.len())
    }

    /// Notes whether there is reason for this alarm now; says whether there was none before.
    fn begins<R>(&self, what: Told, reason: Option<&R>) -> bool {
        let mut told = lock(&self.parts().pace.told);
        match reason {
            Some(_) => told.insert(what),
            None => {
                told.remove(&what);
                false
            }
        }
    }

    async fn alarm(
        &self,
        target: Target,
        at: UtcDateTime,
        data: [(&'static str, u64); 2],
    ) -> Result<(), Error> {
        let event = Event::new(
            self.mint()?,
            at,
            ActorContext::service("retention"),
            Action::CapacityAlerted,
            target,
            Outcome::Error,
        );
        let [(one, first), (other, second)] = data;
        let event = event
            .with(one, Datum::Count(first))
            .with(other, Datum::Count(second));
        self.parts().sink.emit(event).await?;
        Ok(())
    }
}

/// The first night whose flushes do not all end in time, one after the other from its midnight on.
fn first_late(
    nights: &BTreeMap<UtcDateTime, Vec<(TenantId, u64)>>,
    rate: FlushRate,
    now: UtcDateTime,
) -> Option<Infeasible> {
    let rate = Rate {
        items: u64::MAX,
        bytes: rate.bytes_a_second(),
    };
    nights.iter().find_map(|(due_at, files)| {
        let deadline = due_at.saturating_add(NIGHT);
        let work: Vec<Work> = files
            .iter()
            .map(|(_, bytes)| Work {
                deadline,
                items: 1,
                bytes: *bytes,
            })
            .collect();
        feasible(&work, &rate, (*due_at).max(now)).err()
    })
}
