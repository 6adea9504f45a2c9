//! At the rate of the last flushes, a file that would keep others out for more than five minutes, and
//! a night with more to do than an hour, are told in the log, once, before they are late; at a good
//! rate nothing is told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit_log::log_of;
use audit_log::store::entries_from;
use covenant::{FromBin, Wraps};
use covenant_core::{Action, BoxFuture, ManualClock};
use retention_policy::apply::{Flush, FlushError, Flushed};

use crate::common::{Outcome, START, Stage, admin, admin_id, full, item, profile, tenant};

/// A flush of what it says is a mebibyte, which takes so long.
#[derive(Debug)]
struct Slow {
    sound: Arc<dyn Flush>,
    clock: Arc<ManualClock>,
    takes: Duration,
}

impl Flush for Slow {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(async move {
            self.sound.flush(file).await?;
            self.clock.advance(self.takes);
            Ok(Flushed { bytes: 1 << 20 })
        })
    }
}

/// What is told after a purge by hand whose flush took so long, with another record in the bin.
async fn told(takes: Duration) -> Outcome<(u64, usize)> {
    // the flush has a clock of its own to move, which the deployment reads too
    let clock = Arc::new(ManualClock::at(START));
    let (seen, moved) = (Arc::clone(&clock), Arc::clone(&clock));
    let wraps = Wraps {
        clock: Some(Box::new(move |_| seen)),
        flush: Some(Box::new(move |sound| {
            let clock = moved;
            Arc::new(Slow {
                sound,
                clock,
                takes,
            })
        })),
        ..Wraps::default()
    };
    let stage = Stage::with(profile("prodb")?, wraps).await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    for name in ["now", "later"] {
        let id = item(name)?;
        covenant.put(&who, me, &id, &full(name)).await?;
        covenant.delete(&who, me, &id).await?;
    }
    assert_eq!(
        covenant.sweep().await?.alarms,
        0,
        "nothing was measured yet"
    );
    covenant
        .purge(&who, me, FromBin::One(&item("now")?))
        .await?;
    let alarms = covenant.sweep().await?.alarms;
    assert_eq!(covenant.sweep().await?.alarms, 0, "told once");
    let entries = entries_from(covenant.log().as_ref(), log_of(me), 0).await?;
    let mine = entries.iter();
    let mine = mine.filter(|entry| entry.leaf.action == Action::CapacityAlerted);
    Ok((alarms, mine.count()))
}

// clause: P-52
#[tokio::test]
async fn as_its_rate_says() -> Outcome {
    // a mebibyte a second
    assert_eq!(told(Duration::from_secs(1)).await?, (0, 0));
    // a mebibyte in half a day: the tenant's file takes more than an hour
    assert_eq!(told(Duration::from_secs(43_200)).await?, (2, 1));
    Ok(())
}
