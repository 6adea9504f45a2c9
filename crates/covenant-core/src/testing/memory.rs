//! A sink and an outbox that keep what they are given, and do no more.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::event::{Event, EventSink, Prepared, SinkError};
use crate::outbox::{LEAF_LEN_BYTES_MAX, OutboxError, OutboxRow, OutboxTx, TxTag};
use crate::{Action, BoxFuture, EventId, LogId};

/// Keeps events in memory: those emitted, and those recorded in an outbox.
///
/// An event that was only prepared is not kept. A recorded one is kept when its rows were put: this
/// sink does not learn of a later rollback.
#[derive(Debug, Default)]
pub struct MemorySink {
    inner: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    prepared: BTreeMap<EventId, Event>,
    recorded: Vec<Event>,
}

impl Kept {
    fn find(&self, id: EventId) -> Option<&Event> {
        self.recorded.iter().find(|event| event.id == id)
    }
}

impl MemorySink {
    /// A sink that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The events, in the order in which they were recorded.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recorded
            .clone()
    }

    /// The actions, in the order in which they were recorded.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        self.events().iter().map(|event| event.action).collect()
    }

    fn keep(&self, event: Event) -> Result<EventId, SinkError> {
        let mut kept = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let id = event.id;
        match kept.find(id) {
            Some(same) if *same == event => Ok(id),
            Some(_) => Err(SinkError::Taken(id)),
            None => {
                kept.recorded.push(event);
                Ok(id)
            }
        }
    }
}

impl EventSink for MemorySink {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        Box::pin(async move {
            let row = OutboxRow {
                event: event.id,
                log: LogId::from_uuid(
                    event
                        .target
                        .tenant
                        .map_or_else(uuid::Uuid::nil, |t| t.as_uuid()),
                ),
                kind: 0,
                leaf: format!("{} {}", event.action, event.id).into_bytes(),
                sealed: Vec::new(),
            };
            let prepared = Prepared {
                event: event.id,
                tenant: event.target.tenant,
                action: event.action,
                rows: vec![row],
            };
            let mut kept = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            if kept
                .prepared
                .get(&event.id)
                .is_some_and(|other| *other != event)
            {
                return Err(SinkError::Taken(event.id));
            }
            kept.prepared.insert(event.id, event);
            Ok(prepared)
        })
    }

    fn record<'a>(
        &'a self,
        tx: &'a mut dyn OutboxTx,
        prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        Box::pin(async move {
            let Prepared {
                event: id,
                tenant,
                action: _,
                rows,
            } = prepared;
            // a control transaction, without a tenant, carries events of every tenant
            if tx.tag().tenant.is_some_and(|owner| Some(owner) != tenant) {
                return Err(SinkError::WrongTenant);
            }
            let event = {
                let kept = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
                kept.prepared.get(&id).cloned()
            };
            let event = event.ok_or(SinkError::Incomplete("not prepared here"))?;
            for row in rows {
                tx.put(row).await.map_err(SinkError::Outbox)?;
            }
            self.keep(event)
        })
    }

    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        Box::pin(async move { self.keep(event) })
    }
}

/// A transaction that is nothing but an outbox.
#[derive(Debug)]
pub struct MemoryOutboxTx {
    tag: TxTag,
    rows: Vec<OutboxRow>,
}

#[derive(Debug, thiserror::Error)]
#[error("the event is in the outbox already")]
struct Twice;

impl MemoryOutboxTx {
    /// An open transaction with this tag.
    #[must_use]
    pub const fn new(tag: TxTag) -> Self {
        Self {
            tag,
            rows: Vec::new(),
        }
    }

    /// The rows put so far, in order.
    #[must_use]
    pub fn rows(&self) -> &[OutboxRow] {
        &self.rows
    }

    /// Ends the transaction and hands out its rows.
    #[must_use]
    pub fn commit(self) -> Vec<OutboxRow> {
        self.rows
    }
}

impl OutboxTx for MemoryOutboxTx {
    fn tag(&self) -> TxTag {
        self.tag
    }

    fn put(&mut self, row: OutboxRow) -> BoxFuture<'_, Result<(), OutboxError>> {
        Box::pin(async move {
            if row.leaf.len() > LEAF_LEN_BYTES_MAX {
                return Err(OutboxError::TooLarge);
            }
            if self.rows.iter().any(|other| other.event == row.event) {
                return Err(OutboxError::Store(Box::new(Twice)));
            }
            self.rows.push(row);
            Ok(())
        })
    }
}
