//! Wrong about tenants: facts that are read once and believed for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use covenant_core::{BoxFuture, DecisionId, OutboxTx, TenantId, TxTag, UserId};
use sql_store::due::Due;
use tenant_isolation::{
    Decision, DecisionRow, Registry, RegistryError, RegistryTx, Role, TenantEpoch, TenantRecord,
    TenantSnapshot,
};

/// What was read of each tenant, for each member who asked.
type Known = Arc<Mutex<BTreeMap<(TenantId, Option<UserId>), TenantSnapshot>>>;

/// Answers from a cache that nothing invalidates.
#[derive(Debug)]
pub(super) struct Cached {
    sound: Arc<dyn Registry>,
    known: Known,
}

impl Cached {
    pub(super) fn new(sound: Arc<dyn Registry>) -> Self {
        Self {
            sound,
            known: Arc::default(),
        }
    }
}

impl Registry for Cached {
    fn snapshot(
        &self,
        tenant: TenantId,
        member: Option<UserId>,
    ) -> BoxFuture<'_, Result<TenantSnapshot, RegistryError>> {
        Box::pin(async move {
            let key = (tenant, member);
            let known = self
                .known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&key)
                .cloned();
            if let Some(known) = known {
                return Ok(known);
            }
            let read = self.sound.snapshot(tenant, member).await?;
            if read.record.is_some() {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(key, read.clone());
            }
            Ok(read)
        })
    }

    fn begin(&self, tag: TxTag) -> BoxFuture<'_, Result<Box<dyn RegistryTx>, RegistryError>> {
        Box::pin(async move {
            let sound = self.sound.begin(tag).await?;
            let known = Arc::clone(&self.known);
            Ok(Box::new(CachedTx { sound, known }) as Box<dyn RegistryTx>)
        })
    }

    fn tenants(&self) -> BoxFuture<'_, Result<Vec<(TenantId, TenantRecord)>, RegistryError>> {
        self.sound.tenants()
    }

    fn members(
        &self,
        tenant: TenantId,
    ) -> BoxFuture<'_, Result<Vec<(UserId, Role)>, RegistryError>> {
        self.sound.members(tenant)
    }

    fn decision(
        &self,
        tenant: TenantId,
        id: DecisionId,
    ) -> BoxFuture<'_, Result<Option<Decision>, RegistryError>> {
        self.sound.decision(tenant, id)
    }

    fn decisions(&self, tenant: TenantId) -> BoxFuture<'_, Result<u64, RegistryError>> {
        self.sound.decisions(tenant)
    }
}

/// A transaction that compares epochs with the cache too.
#[derive(Debug)]
struct CachedTx {
    sound: Box<dyn RegistryTx>,
    known: Known,
}

impl RegistryTx for CachedTx {
    fn epoch(
        &mut self,
        tenant: TenantId,
    ) -> BoxFuture<'_, Result<Option<TenantEpoch>, RegistryError>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = known
            .iter()
            .find(|((id, _), _)| *id == tenant)
            .and_then(|(_, s)| s.epoch());
        drop(known);
        match cached {
            Some(epoch) => Box::pin(async move { Ok(Some(epoch)) }),
            None => self.sound.epoch(tenant),
        }
    }

    fn record(&mut self, row: DecisionRow) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.sound.record(row)
    }

    fn create(
        &mut self,
        tenant: TenantId,
        record: TenantRecord,
        admin: UserId,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.sound.create(tenant, record, admin)
    }

    fn update(
        &mut self,
        tenant: TenantId,
        expected: TenantEpoch,
        record: TenantRecord,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.sound.update(tenant, expected, record)
    }

    fn set_member(
        &mut self,
        tenant: TenantId,
        user: UserId,
        role: Option<Role>,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.sound.set_member(tenant, user, role)
    }

    fn put_due(&mut self, due: Due) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.sound.put_due(due)
    }

    fn outbox(&mut self) -> &mut dyn OutboxTx {
        self.sound.outbox()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), RegistryError>> {
        self.sound.commit()
    }
}
