//! A backup that runs finishes, then the purge that waits for it has its turn, and only then the next
//! backup, which therefore reads nothing of what was purged; other tenants wait for nobody.

use std::path::Path;
use std::sync::{Arc, Mutex};

use covenant::{Covenant, FromBin, Wraps};
use covenant_core::{
    Action, BoxFuture, Event, EventId, EventSink, OutboxTx, Prepared, SinkError, TenantId,
};
use retention_policy::apply::{Flush, FlushError, Flushed};
use tokio::sync::Notify;

use crate::common::{Outcome, Stage, admin, admin_id, full, item, profile, tenant};

/// Whose files were flushed and backed up, in order.
#[derive(Debug, Default)]
struct Course {
    told: Mutex<Vec<(&'static str, TenantId)>>,
    reached: Notify,
    go_on: Notify,
}

impl Course {
    fn tell(&self, what: &'static str, tenant: TenantId) -> usize {
        let mut told = self.told.lock().expect("no test panics here");
        told.push((what, tenant));
        told.len()
    }
}

#[derive(Debug)]
struct Noted(Arc<dyn Flush>, Arc<Course>);

impl Flush for Noted {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        let of = [1, 2].map(tenant).into_iter();
        let mut of = of.filter(|tenant| file.to_string_lossy().contains(&tenant.simple()));
        if let Some(tenant) = of.next() {
            self.1.tell("flush", tenant);
        }
        self.0.flush(file)
    }
}

/// The first backup stops before it says that it is complete.
#[derive(Debug)]
struct Stopped(Arc<dyn EventSink>, Arc<Course>);

impl EventSink for Stopped {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        self.0.prepare(event)
    }

    fn record<'a>(
        &'a self,
        tx: &'a mut dyn OutboxTx,
        prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        self.0.record(tx, prepared)
    }

    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        Box::pin(async move {
            if let (Action::BackupCompleted, Some(tenant)) = (event.action, event.target.tenant)
                && self.1.tell("backup", tenant) == 1
            {
                self.1.reached.notify_one();
                self.1.go_on.notified().await;
            }
            self.0.emit(event).await
        })
    }
}

async fn purge(covenant: Covenant, number: u8) -> Result<u64, covenant::Error> {
    let who = admin(number);
    let purged = covenant.purge(&who, tenant(number), FromBin::All).await?;
    Ok(purged.records)
}

// clause: P-52
#[tokio::test]
async fn and_others_wait_for_nobody() -> Outcome {
    let course = Arc::new(Course::default());
    let (flush, sink) = (Arc::clone(&course), Arc::clone(&course));
    let wraps = Wraps {
        flush: Some(Box::new(move |sound| Arc::new(Noted(sound, flush)))),
        sink: Some(Box::new(move |sound| Arc::new(Stopped(sound, sink)))),
        ..Wraps::default()
    };
    let stage = Stage::with(profile("prodb")?, wraps).await?;
    let (covenant, me) = (&stage.covenant, tenant(1));
    for number in [1, 2] {
        covenant
            .create_tenant(tenant(number), admin_id(number))
            .await?;
        let (who, id) = (admin(number), item("gone")?);
        covenant
            .put(&who, tenant(number), &id, &full("gone"))
            .await?;
        covenant.delete(&who, tenant(number), &id).await?;
    }
    let back_up = |covenant: &Covenant| {
        let covenant = covenant.clone();
        tokio::spawn(async move { covenant.back_up(me).await.map(drop) })
    };
    let running = back_up(covenant);
    course.reached.notified().await;
    let next = back_up(covenant);
    let waiting = tokio::spawn(purge(covenant.clone(), 1));
    while !covenant.flush_waits(me) {
        tokio::task::yield_now().await;
    }
    assert_eq!(purge(covenant.clone(), 2).await?, 1);
    course.go_on.notify_one();
    running.await??;
    assert_eq!(waiting.await??, 1);
    next.await??;
    let told = course.told.lock().expect("no test panics here").clone();
    let mine: Vec<&str> = told
        .iter()
        .filter(|(_, tenant)| *tenant == me)
        .map(|(what, _)| *what)
        .collect();
    assert_eq!(mine, ["backup", "flush", "backup"], "{told:?}");
    assert_eq!(told.get(1), Some(&("flush", tenant(2))), "{told:?}");
    Ok(())
}
