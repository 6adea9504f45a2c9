//! Joints that fail while a switch is on, and are sound otherwise.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use covenant::Wraps;
use covenant_core::{Action, BoxFuture, Event, EventId, EventSink, OutboxTx, Prepared, SinkError};
use retention_policy::apply::{Flush, FlushError, Flushed};

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
