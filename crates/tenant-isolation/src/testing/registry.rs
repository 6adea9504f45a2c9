//! What every registry must do.

use covenant_core::{EventId, Region, StoreId, TenantId, TxTag, TxnId, UserId};
use sql_store::due::Due;
use time::UtcDateTime;

use super::{SuiteError, refused, same};
use crate::{
    AccessAction, AccessRequest, Caller, Decision, DecisionRow, Registry, RegistryError, Role,
    RuleId, RuleSet, ServiceKind, TenantEpoch, TenantRecord, TenantSnapshot, TenantState,
    Transition,
};

const NOW: UtcDateTime = UtcDateTime::UNIX_EPOCH;

/// Checks a registry that is empty, and can keep tenants of this region.
///
/// # Errors
/// The first requirement that the registry does not meet.
pub async fn registry_suite(registry: &dyn Registry, region: &Region) -> Result<(), SuiteError> {
    let suite = Suite { registry, region };
    suite.nothing_is_known_of_a_stranger().await?;
    suite.only_a_commit_is_seen().await?;
    suite.a_tenant_is_created_once().await?;
    suite.a_change_needs_the_epoch_it_was_decided_on().await?;
    suite.members_are_of_one_tenant_and_an_admin_stays().await?;
    suite.decisions_are_read_back().await?;
    suite.lists_are_complete().await
}

struct Suite<'r> {
    registry: &'r dyn Registry,
    region: &'r Region,
}

const fn tenant(n: u8) -> TenantId {
    TenantId::from_bytes([n; 16])
}

const fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

const fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([9; 16]),
        tenant: None,
        decision: None,
    }
}

impl Suite<'_> {
    fn record(&self, n: u8) -> TenantRecord {
        TenantRecord {
            region: self.region.clone(),
            state: TenantState::Active,
            epoch: TenantEpoch::FIRST,
            store: StoreId::from_bytes([n; 16]),
            generation: 1,
            created: NOW,
        }
    }

    async fn create(&self, n: u8) -> Result<(), RegistryError> {
        let mut tx = self.registry.begin(tag()).await?;
        tx.create(tenant(n), self.record(n), user(n)).await?;
        tx.commit().await
    }

    async fn nothing_is_known_of_a_stranger(&self) -> Result<(), SuiteError> {
        let facts = self.registry.snapshot(tenant(1), Some(user(1))).await?;
        same(
            facts,
            TenantSnapshot::absent(tenant(1)),
            "a tenant that never was",
        )?;
        let mut tx = self.registry.begin(tag()).await?;
        same(tx.epoch(tenant(1)).await?, None, "its epoch")
    }

    async fn only_a_commit_is_seen(&self) -> Result<(), SuiteError> {
        let mut tx = self.registry.begin(tag()).await?;
        tx.create(tenant(1), self.record(1), user(1)).await?;
        same(
            tx.epoch(tenant(1)).await?,
            Some(TenantEpoch::FIRST),
            "seen by its transaction",
        )?;
        let facts = self.registry.snapshot(tenant(1), None).await?;
        same(facts.record, None, "seen by others before the commit")?;
        drop(tx);
        let facts = self.registry.snapshot(tenant(1), None).await?;
        same(facts.record, None, "seen after a rollback")
    }

    async fn a_tenant_is_created_once(&self) -> Result<(), SuiteError> {
        self.create(1).await?;
        self.create(2).await?;
        let facts = self.registry.snapshot(tenant(1), Some(user(1))).await?;
        same(facts.record, Some(self.record(1)), "the record")?;
        same(facts.role, Some((user(1), Role::Admin)), "its first admin")?;
        let again = refused(self.create(1).await, "a second tenant of the same id")?;
        same(matches!(again, RegistryError::Exists(_)), true, "Exists")?;
        let mut tx = self.registry.begin(tag()).await?;
        let taken = tx.create(tenant(3), self.record(1), user(3)).await;
        refused(taken, "a second tenant with the same store").map(drop)
    }

    async fn a_change_needs_the_epoch_it_was_decided_on(&self) -> Result<(), SuiteError> {
        let deleted = self.record(1).after(Transition::Delete)?;
        let mut tx = self.registry.begin(tag()).await?;
        let stale = tx
            .update(tenant(1), TenantEpoch::new(2), deleted.clone())
            .await;
        same(
            matches!(stale, Err(RegistryError::Stale(_))),
            true,
            "a stale epoch is refused",
        )?;
        drop(tx);
        let mut tx = self.registry.begin(tag()).await?;
        tx.update(tenant(1), TenantEpoch::FIRST, deleted.clone())
            .await?;
        tx.commit().await?;
        let facts = self.registry.snapshot(tenant(1), None).await?;
        same(facts.record, Some(deleted.clone()), "the changed record")?;
        let other = self.registry.snapshot(tenant(2), None).await?;
        same(
            other.record,
            Some(self.record(2)),
            "another tenant's record",
        )?;
        let restored = deleted.after(Transition::Restore)?;
        same(restored.generation, 2, "a restore raises the generation")?;
        let mut tx = self.registry.begin(tag()).await?;
        tx.update(tenant(1), deleted.epoch, restored.clone())
            .await?;
        tx.commit().await?;
        let facts = self.registry.snapshot(tenant(1), None).await?;
        same(facts.record, Some(restored), "the restored record")
    }

    async fn members_are_of_one_tenant_and_an_admin_stays(&self) -> Result<(), SuiteError> {
        let mut tx = self.registry.begin(tag()).await?;
        tx.set_member(tenant(1), user(5), Some(Role::Reader))
            .await?;
        tx.commit().await?;
        let here = self.registry.snapshot(tenant(1), Some(user(5))).await?;
        same(
            here.role,
            Some((user(5), Role::Reader)),
            "the role in its tenant",
        )?;
        let there = self.registry.snapshot(tenant(2), Some(user(5))).await?;
        same(there.role, None, "the role in another tenant")?;
        for role in [None, Some(Role::Member)] {
            let mut tx = self.registry.begin(tag()).await?;
            let last = tx.set_member(tenant(1), user(1), role).await;
            same(
                matches!(last, Err(RegistryError::LastAdmin(_))),
                true,
                "the last admin stays",
            )?;
        }
        let mut tx = self.registry.begin(tag()).await?;
        tx.set_member(tenant(1), user(5), Some(Role::Admin)).await?;
        tx.set_member(tenant(1), user(1), None).await?;
        tx.commit().await?;
        let members = self.registry.members(tenant(1)).await?;
        same(members, vec![(user(5), Role::Admin)], "the members")
    }

    async fn decisions_are_read_back(&self) -> Result<(), SuiteError> {
        let (rule, also) = (
            RuleId::State,
            RuleSet::EMPTY.with(RuleId::Member).with(RuleId::Level),
        );
        let answers = [
            Decision::allow(RuleId::Service),
            Decision::deny(also.with(rule)),
        ];
        for (n, decision) in (1_u8..).zip(answers) {
            let id = EventId::from_bytes([n; 16]);
            let caller = Caller::service(ServiceKind::Backup);
            let request = AccessRequest::new(caller, tenant(2), AccessAction::StoreBackup);
            let mut tx = self.registry.begin(tag()).await?;
            tx.record(DecisionRow {
                id,
                at: NOW,
                request,
                decision,
            })
            .await?;
            let due = Due {
                due_at: NOW,
                kind: "suite".into(),
                tenant: tenant(2),
                key: vec![n],
            };
            tx.put_due(due).await?;
            same(tx.outbox().tag(), tag(), "the tag of the transaction")?;
            tx.commit().await?;
            let found = self.registry.decision(tenant(2), id).await?;
            same(found, Some(decision), "a decision")?;
            let other = self.registry.decision(tenant(1), id).await?;
            same(other, None, "a decision about another tenant")?;
        }
        same(
            self.registry.decisions(tenant(2)).await?,
            2,
            "how many decisions",
        )?;
        same(
            self.registry.decisions(tenant(1)).await?,
            0,
            "how many about the other tenant",
        )
    }

    async fn lists_are_complete(&self) -> Result<(), SuiteError> {
        let ids: Vec<TenantId> = self
            .registry
            .tenants()
            .await?
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        same(ids, vec![tenant(1), tenant(2)], "the tenants")
    }
}
