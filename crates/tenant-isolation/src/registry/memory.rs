//! A registry in memory: the model of the SQL one, and enough for a service without tenants of its
//! own to keep. A transaction works on a copy, which replaces the state when it commits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use covenant_core::{
    BoxFuture, DecisionId, EventId, OutboxError, OutboxRow, OutboxTx, StoreId, TenantId, TxTag,
    UserId,
};
use sql_store::due::Due;
use time::UtcDateTime;
use tokio::sync::OwnedMutexGuard;

use super::{DecisionRow, Registry, RegistryError, RegistryTx};
use crate::{Decision, Role, TenantEpoch, TenantRecord, TenantSnapshot};

/// Facts in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryRegistry {
    committed: Arc<Mutex<State>>,
    writer: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    tenants: BTreeMap<TenantId, TenantRecord>,
    stores: BTreeSet<StoreId>,
    members: BTreeMap<(TenantId, UserId), Role>,
    decisions: BTreeMap<(TenantId, DecisionId), Decision>,
    outbox: BTreeMap<EventId, OutboxRow>,
    due: BTreeMap<(TenantId, String, Vec<u8>), UtcDateTime>,
}

impl MemoryRegistry {
    /// A registry without tenants.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows that committed transactions put into the outbox, in the order of event ids.
    #[must_use]
    pub fn outbox(&self) -> Vec<OutboxRow> {
        self.look(|state| state.outbox.values().cloned().collect())
    }

    /// The due-queue, in the order of tenant, kind and key.
    #[must_use]
    pub fn due(&self) -> Vec<Due> {
        self.look(|state| {
            let row =
                |((tenant, kind, key), at): (&(TenantId, String, Vec<u8>), &UtcDateTime)| Due {
                    due_at: *at,
                    kind: kind.clone(),
                    tenant: *tenant,
                    key: key.clone(),
                };
            state.due.iter().map(row).collect()
        })
    }

    fn look<T>(&self, at: impl FnOnce(&State) -> T) -> T {
        at(&self
            .committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }

    fn answer<T: Send + 'static>(
        &self,
        at: impl FnOnce(&State) -> T,
    ) -> BoxFuture<'_, Result<T, RegistryError>> {
        let found = self.look(at);
        Box::pin(std::future::ready(Ok(found)))
    }
}

impl Registry for MemoryRegistry {
    fn snapshot(
        &self,
        tenant: TenantId,
        member: Option<UserId>,
    ) -> BoxFuture<'_, Result<TenantSnapshot, RegistryError>> {
        self.answer(|state| TenantSnapshot {
            tenant,
            record: state.tenants.get(&tenant).cloned(),
            role: member.and_then(|user| Some((user, *state.members.get(&(tenant, user))?))),
        })
    }

    fn begin(&self, tag: TxTag) -> BoxFuture<'_, Result<Box<dyn RegistryTx>, RegistryError>> {
        Box::pin(async move {
            let turn = Arc::clone(&self.writer).lock_owned().await;
            let work = self.look(State::clone);
            let committed = Arc::clone(&self.committed);
            Ok(Box::new(MemoryTx {
                committed,
                turn,
                work,
                tag,
            }) as Box<dyn RegistryTx>)
        })
    }

    fn tenants(&self) -> BoxFuture<'_, Result<Vec<(TenantId, TenantRecord)>, RegistryError>> {
        self.answer(|state| {
            state
                .tenants
                .iter()
                .map(|(id, row)| (*id, row.clone()))
                .collect()
        })
    }

    fn members(
        &self,
        tenant: TenantId,
    ) -> BoxFuture<'_, Result<Vec<(UserId, Role)>, RegistryError>> {
        self.answer(|state| {
            let of_tenant = state.members.iter().filter(|((of, _), _)| *of == tenant);
            of_tenant.map(|((_, user), role)| (*user, *role)).collect()
        })
    }

    fn decision(
        &self,
        tenant: TenantId,
        id: DecisionId,
    ) -> BoxFuture<'_, Result<Option<Decision>, RegistryError>> {
        self.answer(|state| state.decisions.get(&(tenant, id)).copied())
    }

    fn decisions(&self, tenant: TenantId) -> BoxFuture<'_, Result<u64, RegistryError>> {
        self.answer(|state| {
            let about = state.decisions.keys().filter(|(of, _)| *of == tenant);
            u64::try_from(about.count()).unwrap_or(u64::MAX)
        })
    }
}

/// One transaction: a copy of the state, and the turn to replace it.
#[derive(Debug)]
struct MemoryTx {
    committed: Arc<Mutex<State>>,
    turn: OwnedMutexGuard<()>,
    work: State,
    tag: TxTag,
}

impl MemoryTx {
    fn done<T: Send + 'static>(
        result: Result<T, RegistryError>,
    ) -> BoxFuture<'static, Result<T, RegistryError>> {
        Box::pin(std::future::ready(result))
    }

    fn replace(
        &mut self,
        tenant: TenantId,
        expected: TenantEpoch,
        record: TenantRecord,
    ) -> Result<(), RegistryError> {
        let known = self.work.tenants.get_mut(&tenant);
        let known = known.filter(|known| known.epoch == expected);
        let known = known.ok_or(RegistryError::Stale(tenant))?;
        let TenantRecord {
            region: _,
            state,
            epoch,
            store: _,
            generation,
            created: _,
        } = record;
        (known.state, known.epoch, known.generation) = (state, epoch, generation);
        Ok(())
    }

    fn set_role(
        &mut self,
        tenant: TenantId,
        user: UserId,
        role: Option<Role>,
    ) -> Result<(), RegistryError> {
        match role {
            Some(role) => self.work.members.insert((tenant, user), role),
            None => self.work.members.remove(&(tenant, user)),
        };
        let admin =
            |((of, _), role): (&(TenantId, UserId), &Role)| *of == tenant && *role == Role::Admin;
        if self.work.members.iter().any(admin) {
            Ok(())
        } else {
            Err(RegistryError::LastAdmin(tenant))
        }
    }
}

impl RegistryTx for MemoryTx {
    fn epoch(
        &mut self,
        tenant: TenantId,
    ) -> BoxFuture<'_, Result<Option<TenantEpoch>, RegistryError>> {
        Self::done(Ok(self
            .work
            .tenants
            .get(&tenant)
            .map(|record| record.epoch)))
    }

    fn record(&mut self, row: DecisionRow) -> BoxFuture<'_, Result<(), RegistryError>> {
        let DecisionRow {
            id,
            at: _,
            request,
            decision,
        } = row;
        self.work.decisions.insert((request.tenant(), id), decision);
        Self::done(Ok(()))
    }

    fn create(
        &mut self,
        tenant: TenantId,
        mut record: TenantRecord,
        admin: UserId,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        let new = !self.work.tenants.contains_key(&tenant) && self.work.stores.insert(record.store);
        if !new {
            return Self::done(Err(RegistryError::Exists(tenant)));
        }
        // As the SQL registry keeps it: to the microsecond.
        record.created = sql_store_instant(record.created);
        self.work.tenants.insert(tenant, record);
        self.work.members.insert((tenant, admin), Role::Admin);
        Self::done(Ok(()))
    }

    fn update(
        &mut self,
        tenant: TenantId,
        expected: TenantEpoch,
        record: TenantRecord,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        Self::done(self.replace(tenant, expected, record))
    }

    fn set_member(
        &mut self,
        tenant: TenantId,
        user: UserId,
        role: Option<Role>,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        Self::done(self.set_role(tenant, user, role))
    }

    fn put_due(&mut self, due: Due) -> BoxFuture<'_, Result<(), RegistryError>> {
        let Due {
            due_at,
            kind,
            tenant,
            key,
        } = due;
        self.work.due.insert((tenant, kind, key), due_at);
        Self::done(Ok(()))
    }

    fn outbox(&mut self) -> &mut dyn OutboxTx {
        self
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), RegistryError>> {
        let Self {
            committed,
            turn,
            work,
            tag: _,
        } = *self;
        *committed.lock().unwrap_or_else(PoisonError::into_inner) = work;
        drop(turn);
        Self::done(Ok(()))
    }
}

impl OutboxTx for MemoryTx {
    fn tag(&self) -> TxTag {
        self.tag
    }

    fn put(&mut self, row: OutboxRow) -> BoxFuture<'_, Result<(), OutboxError>> {
        let event = row.event;
        let taken = self.work.outbox.insert(event, row).is_some();
        Box::pin(std::future::ready(if taken {
            Err(OutboxError::Store(
                format!("event {event} is in the outbox already").into(),
            ))
        } else {
            Ok(())
        }))
    }
}

fn sql_store_instant(at: UtcDateTime) -> UtcDateTime {
    at.replace_nanosecond(at.microsecond().saturating_mul(1_000))
        .unwrap_or(at)
}
