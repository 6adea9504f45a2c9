//! Joints that fail while a switch is on, and are sound otherwise.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use covenant::{ErasedRows, Error, PublicFiles, Reached, RecordTables, Way, Wraps};
use covenant_core::{
    Action, BoxFuture, Event, EventId, EventSink, ItemId, OutboxTx, Prepared, SinkError, TenantId,
};
use retention_policy::apply::{Flush, FlushError, Flushed};
use sql_store::{DbError, Tx};
use time::UtcDateTime;

/// Turns faults on and off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(crate) fn on(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn off(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Flushes fail while the switch is on.
pub(crate) fn flush(switch: &Switch) -> Wraps {
    let switch = switch.clone();
    Wraps {
        flush: Some(Box::new(|sound| Arc::new(BrokenFlush(sound, switch)))),
        ..Wraps::default()
    }
}

/// Flushes do nothing, and say that they did it, while the switch is on.
pub(crate) fn lying_flush(switch: &Switch) -> Wraps {
    let switch = switch.clone();
    Wraps {
        flush: Some(Box::new(|sound| Arc::new(LyingFlush(sound, switch)))),
        ..Wraps::default()
    }
}

/// Rows of records are not erased while the switch is on.
pub(crate) fn tables(switch: &Switch) -> Wraps {
    let switch = switch.clone();
    Wraps {
        tables: Some(Box::new(|sound| Arc::new(BrokenTables(sound, switch)))),
        ..Wraps::default()
    }
}

/// Events of this action are refused while the switch is on.
pub(crate) fn sink(switch: &Switch, action: Action) -> Wraps {
    let switch = switch.clone();
    Wraps {
        sink: Some(Box::new(move |sound| {
            Arc::new(BrokenSink(sound, switch, action))
        })),
        ..Wraps::default()
    }
}

/// Deleted files cannot be removed while the switch is on.
pub(crate) fn files(switch: &Switch) -> Wraps {
    let switch = switch.clone();
    Wraps {
        files: Some(Box::new(|sound| Arc::new(BrokenFiles(sound, switch)))),
        ..Wraps::default()
    }
}

#[derive(Debug)]
struct BrokenFiles(Arc<dyn PublicFiles>, Switch);

impl PublicFiles for BrokenFiles {
    fn unname<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        file: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        self.0.unname(tx, tenant, file)
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if self.1.is_on() {
                return Err(Error::Unavailable("a fault on demand".into()));
            }
            self.0.remove(name).await
        })
    }

    fn reach<'a>(&'a self, name: &'a str, way: &'a Way) -> BoxFuture<'a, Result<Reached, Error>> {
        self.0.reach(name, way)
    }

    fn version<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, Error>> {
        self.0.version(name)
    }
}

#[derive(Debug)]
struct BrokenFlush(Arc<dyn Flush>, Switch);

impl Flush for BrokenFlush {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(async move {
            if self.1.is_on() {
                return Err(FlushError::Full);
            }
            self.0.flush(file).await
        })
    }
}

#[derive(Debug)]
struct LyingFlush(Arc<dyn Flush>, Switch);

impl Flush for LyingFlush {
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>> {
        Box::pin(async move {
            if self.1.is_on() {
                return Ok(Flushed { bytes: 0 });
            }
            self.0.flush(file).await
        })
    }
}

#[derive(Debug)]
struct BrokenTables(Arc<dyn RecordTables>, Switch);

impl RecordTables for BrokenTables {
    fn bin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        self.0.bin(tx, tenant, record, at)
    }

    fn unbin<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        self.0.unbin(tx, tenant, record)
    }

    fn erase<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        record: &'a ItemId,
    ) -> BoxFuture<'a, Result<ErasedRows, DbError>> {
        Box::pin(async move {
            let erased = self.0.erase(tx, tenant, record).await?;
            if self.1.is_on() {
                return Err(DbError::Closed);
            }
            Ok(erased)
        })
    }
}

#[derive(Debug)]
struct BrokenSink(Arc<dyn EventSink>, Switch, Action);

impl BrokenSink {
    fn strike(&self, event: &Event) -> Result<(), SinkError> {
        if self.1.is_on() && event.action == self.2 {
            return Err(SinkError::Unavailable("a fault on demand".into()));
        }
        Ok(())
    }
}

impl EventSink for BrokenSink {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        Box::pin(async move {
            self.strike(&event)?;
            self.0.prepare(event).await
        })
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
            self.strike(&event)?;
            self.0.emit(event).await
        })
    }
}
