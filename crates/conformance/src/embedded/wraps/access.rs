//! Wrong about access: who looked at what is recorded nowhere.

use std::sync::Arc;

use covenant_core::{Action, BoxFuture, Event, EventId, EventSink, OutboxTx, Prepared, SinkError};

/// Says of every access that it was recorded, and records none.
#[derive(Debug)]
pub(super) struct Silent(pub(super) Arc<dyn EventSink>);

const fn is_access(action: Action) -> bool {
    matches!(
        action,
        Action::AccessAllowed
            | Action::AccessDenied
            | Action::StaffAccess
            | Action::FieldRevealed
            | Action::FieldRefused
    )
}

impl EventSink for Silent {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        Box::pin(async move {
            let unlogged = is_access(event.action);
            let mut prepared = self.0.prepare(event).await?;
            if unlogged {
                prepared.rows.clear();
            }
            Ok(prepared)
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
        if is_access(event.action) {
            return Box::pin(std::future::ready(Ok(event.id)));
        }
        self.0.emit(event)
    }
}
