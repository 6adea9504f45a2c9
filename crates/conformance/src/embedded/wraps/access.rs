//! Wrong about what happened: some acts are recorded nowhere.

use std::sync::Arc;

use covenant_core::{Action, BoxFuture, Event, EventId, EventSink, OutboxTx, Prepared, SinkError};

/// Says of every event that it was recorded, and records none of these actions.
#[derive(Debug)]
pub(super) struct Silent {
    pub(super) sound: Arc<dyn EventSink>,
    pub(super) about: fn(Action) -> bool,
}

/// Who looked at what.
pub(super) const fn is_access(action: Action) -> bool {
    matches!(
        action,
        Action::AccessAllowed
            | Action::AccessDenied
            | Action::StaffAccess
            | Action::FieldRevealed
            | Action::FieldRefused
    )
}

/// What was changed.
pub(super) const fn is_change(action: Action) -> bool {
    matches!(action, Action::ChangeRecorded)
}

impl EventSink for Silent {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        Box::pin(async move {
            let unlogged = (self.about)(event.action);
            let mut prepared = self.sound.prepare(event).await?;
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
        self.sound.record(tx, prepared)
    }

    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        if (self.about)(event.action) {
            return Box::pin(std::future::ready(Ok(event.id)));
        }
        self.sound.emit(event)
    }
}
