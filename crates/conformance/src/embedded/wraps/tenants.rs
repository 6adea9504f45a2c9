//! Wrong about tenants: facts that are read once and believed for ever, roles that members give
//! themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use covenant::{HeldStore, Holdings};
use covenant_core::{BoxFuture, DecisionId, OutboxTx, TenantId, TxTag, UserId};
use retention_policy::StoreKind;
use sql_store::due::Due;
use sql_store::{Migrations, Tx};
use tenant_isolation::{
    Decision, DecisionRow, IsolationReport, MaintenanceSlot, Permit, Placement, Registry,
    RegistryError, RegistryTx, Role, StoreError, StoreIdentity, StoreMetadata, TenantEpoch,
    TenantRecord, TenantSnapshot, TenantState, TenantStore,
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

/// Says that a tenant's store is removed, and leaves it.
#[derive(Debug)]
pub(super) struct Unremoved(pub(super) Arc<dyn TenantStore>);

impl TenantStore for Unremoved {
    fn placement(&self) -> Placement {
        self.0.placement()
    }

    fn self_check(&self) -> BoxFuture<'_, Result<IsolationReport, StoreError>> {
        self.0.self_check()
    }

    fn provision<'s>(
        &'s self,
        identity: &'s StoreIdentity,
        tables: &'s [Migrations],
    ) -> BoxFuture<'s, Result<(), StoreError>> {
        self.0.provision(identity, tables)
    }

    fn begin<'s>(&'s self, permit: Permit<'s>) -> BoxFuture<'s, Result<Tx, StoreError>> {
        self.0.begin(permit)
    }

    fn metadata<'s>(
        &'s self,
        permit: Permit<'s>,
    ) -> BoxFuture<'s, Result<StoreMetadata, StoreError>> {
        self.0.metadata(permit)
    }

    fn maintain<'s>(
        &'s self,
        permit: Permit<'s>,
    ) -> BoxFuture<'s, Result<MaintenanceSlot, StoreError>> {
        self.0.maintain(permit)
    }

    fn replace<'s>(
        &'s self,
        permit: Permit<'s>,
        restored: &'s Path,
    ) -> BoxFuture<'s, Result<(), StoreError>> {
        self.0.replace(permit, restored)
    }

    fn remove<'s>(
        &'s self,
        _permit: Permit<'s>,
    ) -> BoxFuture<'s, Result<Vec<PathBuf>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Tells of every store but that of attached files.
#[derive(Debug)]
pub(super) struct WithoutObjects(pub(super) Arc<dyn Holdings>);

impl Holdings for WithoutObjects {
    fn held(&self) -> Vec<HeldStore> {
        let mut held = self.0.held();
        held.retain(|store| store.kind != StoreKind::Object);
        held
    }
}

macro_rules! pass_registry_on {
    ($($method:ident),* $(,)?) => { $(pass_registry_on!(@ $method);)* };
    (@ snapshot) => {
        fn snapshot(
            &self,
            tenant: TenantId,
            member: Option<UserId>,
        ) -> BoxFuture<'_, Result<TenantSnapshot, RegistryError>> {
            self.0.snapshot(tenant, member)
        }
    };
    (@ begin) => {
        fn begin(&self, tag: TxTag) -> BoxFuture<'_, Result<Box<dyn RegistryTx>, RegistryError>> {
            self.0.begin(tag)
        }
    };
    (@ rest) => {
        fn tenants(&self) -> BoxFuture<'_, Result<Vec<(TenantId, TenantRecord)>, RegistryError>> {
            self.0.tenants()
        }

        fn members(
            &self,
            tenant: TenantId,
        ) -> BoxFuture<'_, Result<Vec<(UserId, Role)>, RegistryError>> {
            self.0.members(tenant)
        }

        fn decision(
            &self,
            tenant: TenantId,
            id: DecisionId,
        ) -> BoxFuture<'_, Result<Option<Decision>, RegistryError>> {
            self.0.decision(tenant, id)
        }

        fn decisions(&self, tenant: TenantId) -> BoxFuture<'_, Result<u64, RegistryError>> {
            self.0.decisions(tenant)
        }
    };
}

/// Takes an expired database for one in use.
#[derive(Debug)]
pub(super) struct StillInUse(pub(super) Arc<dyn Registry>);

impl Registry for StillInUse {
    fn snapshot(
        &self,
        tenant: TenantId,
        member: Option<UserId>,
    ) -> BoxFuture<'_, Result<TenantSnapshot, RegistryError>> {
        Box::pin(async move {
            let mut read = self.0.snapshot(tenant, member).await?;
            if let Some(record) = &mut read.record
                && matches!(record.state, TenantState::Expired | TenantState::Locked)
            {
                record.state = TenantState::Active;
            }
            Ok(read)
        })
    }

    pass_registry_on!(begin, rest);
}

/// Records that a tenant has come into a state, and forgets it.
#[derive(Debug)]
pub(super) struct Forgets(Arc<dyn Registry>, TenantState);

impl Forgets {
    pub(super) fn new(sound: Arc<dyn Registry>, state: TenantState) -> Self {
        Self(sound, state)
    }
}

impl Registry for Forgets {
    fn begin(&self, tag: TxTag) -> BoxFuture<'_, Result<Box<dyn RegistryTx>, RegistryError>> {
        Box::pin(async move {
            let sound = self.0.begin(tag).await?;
            Ok(Box::new(ForgetfulTx(sound, self.1)) as Box<dyn RegistryTx>)
        })
    }

    pass_registry_on!(snapshot, rest);
}

#[derive(Debug)]
struct ForgetfulTx(Box<dyn RegistryTx>, TenantState);

impl RegistryTx for ForgetfulTx {
    fn epoch(
        &mut self,
        tenant: TenantId,
    ) -> BoxFuture<'_, Result<Option<TenantEpoch>, RegistryError>> {
        self.0.epoch(tenant)
    }

    fn record(&mut self, row: DecisionRow) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.0.record(row)
    }

    fn create(
        &mut self,
        tenant: TenantId,
        record: TenantRecord,
        admin: UserId,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.0.create(tenant, record, admin)
    }

    fn update(
        &mut self,
        tenant: TenantId,
        expected: TenantEpoch,
        record: TenantRecord,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        if record.state == self.1 {
            return Box::pin(async { Ok(()) });
        }
        self.0.update(tenant, expected, record)
    }

    fn set_member(
        &mut self,
        tenant: TenantId,
        user: UserId,
        role: Option<Role>,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.0.set_member(tenant, user, role)
    }

    fn put_due(&mut self, due: Due) -> BoxFuture<'_, Result<(), RegistryError>> {
        self.0.put_due(due)
    }

    fn outbox(&mut self) -> &mut dyn OutboxTx {
        self.0.outbox()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), RegistryError>> {
        self.0.commit()
    }
}

/// Believes whoever is let in to have the role that the request needs.
#[derive(Debug)]
pub(super) struct RoleByMember(pub(super) Arc<dyn Registry>);

impl Registry for RoleByMember {
    fn snapshot(
        &self,
        tenant: TenantId,
        member: Option<UserId>,
    ) -> BoxFuture<'_, Result<TenantSnapshot, RegistryError>> {
        Box::pin(async move {
            let mut read = self.0.snapshot(tenant, member).await?;
            if let Some((_, role)) = &mut read.role {
                *role = Role::Admin;
            }
            Ok(read)
        })
    }

    pass_registry_on!(begin, rest);
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
