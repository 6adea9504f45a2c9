//! A deployment in memory.

use std::sync::Arc;

use audit_log::sequencer::Drained;
use audit_log::store::AuditLog;
use audit_log::store::memory::MemoryLog;
use audit_log::testing::{End, EscrowSealer, Rig, SuiteError};
use audit_log::{Inbox, Sink};
use covenant_core::event::{EventSink, Prepared};
use covenant_core::testing::SeededRandom;
use covenant_core::{BoxFuture, ManualClock, Random, TenantId, TxTag, TxnId};
use time::UtcDateTime;

pub(crate) const TAG: TxTag = TxTag {
    txn: TxnId::from_bytes([9; 16]),
    tenant: None,
    decision: None,
};

#[derive(Debug)]
pub(crate) struct MemoryRig {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) sink: Sink,
}

impl MemoryRig {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let log = Arc::new(MemoryLog::new(clock, Arc::clone(&random)));
        let sink = Sink::new(
            Arc::new(EscrowSealer::new()),
            random,
            Arc::clone(&log) as Arc<dyn Inbox>,
        );
        Self { log, sink }
    }
}

impl Rig for MemoryRig {
    fn sink(&self) -> Arc<dyn EventSink> {
        Arc::new(self.sink.clone())
    }

    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::clone(&self.log) as Arc<dyn AuditLog>
    }

    fn transact(
        &self,
        tenant: TenantId,
        events: Vec<Prepared>,
        end: End,
    ) -> BoxFuture<'_, Result<TxnId, SuiteError>> {
        Box::pin(async move {
            let tag = TxTag {
                tenant: Some(tenant),
                ..TAG
            };
            let mut tx = self.log.begin(tag);
            for prepared in events {
                self.sink.record(&mut tx, prepared).await.unwrap();
            }
            if end == End::Commit {
                tx.commit();
            }
            Ok(tag.txn)
        })
    }

    fn drain(&self) -> BoxFuture<'_, Result<Drained, SuiteError>> {
        Box::pin(async move { Ok(self.log.drain()) })
    }
}
