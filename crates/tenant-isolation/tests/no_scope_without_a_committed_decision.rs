//! A scope exists only after its decision and its event are durable, whatever fails or is cancelled
//! on the way; and there is no event without a decision.
#![cfg(all(feature = "sqlite", feature = "testing"))]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use covenant_core::{
    Action, BoxFuture, DecisionId, Event, EventId, EventSink, OutboxTx, Prepared, RegionSet,
    SinkError, TenantId, TxTag, TxnId, UserId,
};
use sql_store::{Args, Db, Durability, Mode, SqliteOptions, SqliteProfile, outbox};
use tenant_isolation::level::Read;
use tenant_isolation::testing::{Backing, Deployment, SuiteError};
use tenant_isolation::{
    AccessAction, Attached, Decision, EnterError, Guard, Registry, RegistryChange, RegistryError,
    RegistryTx, Role, RuleId, RuleSet, StandardRules, TenantEpoch, TenantRecord, TenantSnapshot,
};

/// Gives a future up after so many polls.
struct Polls<F> {
    future: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> Future for Polls<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.future.as_mut().poll(cx).map(Some)
    }
}

async fn control(at: &Deployment) -> Result<Db, SuiteError> {
    let options = SqliteOptions::new(at.folder.join("control.db"), SqliteProfile::Control);
    let options = options.durability(Durability::Off);
    Ok(Db::open_sqlite(options, Arc::clone(&at.clock) as _).await?)
}

async fn events(db: &Db) -> Result<u64, SuiteError> {
    let tag = TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadOnly, tag).await?;
    Ok(outbox::count(&mut tx).await?)
}

#[tokio::test]
async fn dropped_at_every_poll_enter_leaves_both_or_nothing() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let db = control(&at).await?;
    let tenant = Deployment::tenant(1);
    let base = events(&db).await? - at.registry.decisions(tenant).await?;
    let mut cancelled = 0;
    for polls in 0.. {
        let before = at.registry.decisions(tenant).await?;
        let request = Deployment::request(1, AccessAction::RecordRead);
        let future = Box::pin(at.guard.enter::<Read>(request));
        let entered = Polls {
            future,
            left: polls,
        }
        .await;
        let after = at.registry.decisions(tenant).await?;
        assert_eq!(
            events(&db).await?,
            after + base,
            "decision and event, after {polls} polls"
        );
        match entered {
            None => cancelled += 1,
            Some(scope) => {
                let scope = scope?;
                assert_eq!(after, before + 1, "a scope has its decision");
                let known = at.registry.decision(tenant, scope.decision()).await?;
                assert_eq!(known, Some(Decision::allow(RuleId::Member)));
                break;
            }
        }
    }
    assert!(cancelled > 3, "it was cancelled at {cancelled} polls");
    Ok(())
}

#[tokio::test]
async fn dropped_at_every_poll_begin_leaves_the_store_usable() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let scope = at
        .guard
        .enter::<Read>(Deployment::request(1, AccessAction::RecordRead))
        .await?;
    for polls in 0.. {
        at.store.close().await?;
        let begun = Polls {
            future: Box::pin(scope.begin(&at.store)),
            left: polls,
        }
        .await;
        let done = begun.transpose()?.is_some();
        at.notes(&scope)
            .await
            .map_err(|e| format!("after {polls} polls: {e}"))?;
        if done {
            assert!(polls > 3);
            break;
        }
    }
    Ok(())
}

/// Where the sink fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    Prepare,
    Record,
}

#[derive(Debug)]
struct FailingSink {
    inner: Arc<dyn EventSink>,
    at: Failing,
    action: Action,
}

impl EventSink for FailingSink {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        if self.at == Failing::Prepare && event.action == self.action {
            return Box::pin(async { Err(SinkError::Incomplete("it was told to fail")) });
        }
        self.inner.prepare(event)
    }

    fn record<'a>(
        &'a self,
        tx: &'a mut dyn OutboxTx,
        prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        if self.at == Failing::Record && prepared.action == self.action {
            return Box::pin(async { Err(SinkError::Incomplete("it was told to fail")) });
        }
        self.inner.record(tx, prepared)
    }

    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        self.inner.emit(event)
    }
}

fn guard_with(
    at: &Deployment,
    registry: Arc<dyn Registry>,
    sink: Arc<dyn EventSink>,
) -> Result<Guard, SuiteError> {
    let rules = Arc::new(StandardRules::new(RegionSet::new([
        "us-chicago",
        "eu-west",
    ])?));
    Ok(Guard::new(
        rules,
        registry,
        sink,
        Arc::clone(&at.clock) as _,
        Arc::clone(&at.random),
    ))
}

#[tokio::test]
async fn without_an_audit_log_nobody_enters_and_nothing_changes() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let (db, tenant) = (control(&at).await?, Deployment::tenant(1));
    let seen = (events(&db).await?, at.registry.decisions(tenant).await?);
    let facts = at.registry.snapshot(tenant, None).await?;
    for (fails, action) in [
        (Failing::Prepare, Action::AccessAllowed),
        (Failing::Record, Action::AccessAllowed),
        (Failing::Prepare, Action::DatabaseDeleted),
        (Failing::Record, Action::DatabaseDeleted),
    ] {
        let inner = Arc::clone(&at.sink) as _;
        let sink = Arc::new(FailingSink {
            inner,
            at: fails,
            action,
        });
        let guard = guard_with(&at, Arc::clone(&at.registry), sink)?;
        if action == Action::AccessAllowed {
            let request = Deployment::request(1, AccessAction::RecordRead);
            let refused = guard.enter::<Read>(request).await;
            assert!(
                matches!(refused, Err(EnterError::AuditUnavailable(_))),
                "{fails:?}"
            );
        }
        let (caller, change) = (Deployment::admin(1), RegistryChange::Delete);
        let refused = guard.act(caller, tenant, change, Attached::default()).await;
        assert!(
            matches!(refused, Err(EnterError::AuditUnavailable(_))),
            "{fails:?} {action}"
        );
        assert_eq!(
            (events(&db).await?, at.registry.decisions(tenant).await?),
            seen
        );
        assert_eq!(at.registry.snapshot(tenant, None).await?, facts);
    }
    at.act(1, RegistryChange::Delete).await
}

/// Tells facts that are always one change behind.
#[derive(Debug)]
struct StaleRegistry(Arc<dyn Registry>);

impl Registry for StaleRegistry {
    fn snapshot(
        &self,
        tenant: TenantId,
        member: Option<UserId>,
    ) -> BoxFuture<'_, Result<TenantSnapshot, RegistryError>> {
        Box::pin(async move {
            let mut facts = self.0.snapshot(tenant, member).await?;
            if let Some(record) = &mut facts.record {
                record.epoch = TenantEpoch::new(record.epoch.number() - 1);
            }
            Ok(facts)
        })
    }

    fn begin(&self, tag: TxTag) -> BoxFuture<'_, Result<Box<dyn RegistryTx>, RegistryError>> {
        self.0.begin(tag)
    }

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
}

#[tokio::test]
async fn facts_that_change_under_every_try_are_a_denial() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    at.create_tenant(1, "us-chicago").await?;
    let tenant = Deployment::tenant(1);
    let stale = Arc::new(StaleRegistry(Arc::clone(&at.registry)));
    let guard = guard_with(&at, stale, Arc::clone(&at.sink) as _)?;
    let before = at.registry.decisions(tenant).await?;
    let denied = guard
        .enter::<Read>(Deployment::request(1, AccessAction::RecordRead))
        .await;
    let Err(EnterError::Denied { decision_id }) = denied else {
        return Err("not denied".into());
    };
    let known = at.registry.decision(tenant, decision_id).await?;
    assert_eq!(
        known,
        Some(Decision::deny(RuleSet::EMPTY.with(RuleId::Epoch)))
    );
    assert_eq!(
        at.registry.decisions(tenant).await?,
        before + 1,
        "one decision, not one a try"
    );
    let (caller, change) = (Deployment::admin(1), RegistryChange::Delete);
    let denied = guard.act(caller, tenant, change, Attached::default()).await;
    assert!(matches!(denied, Err(EnterError::Denied { .. })));
    let request = Deployment::request(1, AccessAction::RecordRead);
    drop(at.guard.enter::<Read>(request).await?);
    Ok(())
}

#[tokio::test]
async fn facts_that_cannot_be_read_are_a_denial() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let (db, tenant) = (control(&at).await?, Deployment::tenant(1));
    for (sql, readable) in [
        ("UPDATE tenant SET region = 'atlantis'", false),
        ("UPDATE tenant SET region = 'us-chicago'", true),
        ("UPDATE tenant SET state = 'open'", false),
        ("UPDATE tenant SET state = 'active'", true),
    ] {
        let tag = TxTag {
            txn: TxnId::from_bytes([0; 16]),
            tenant: None,
            decision: None,
        };
        let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
        tx.execute(sql, Args::new()).await?;
        tx.commit().await?;
        let entered = at
            .guard
            .enter::<Read>(Deployment::request(1, AccessAction::RecordRead))
            .await;
        match entered {
            Ok(_) => assert!(readable, "{sql}"),
            Err(EnterError::Denied { decision_id }) => {
                assert!(!readable, "{sql}");
                let known = at.registry.decision(tenant, decision_id).await?;
                assert_eq!(
                    known,
                    Some(Decision::deny(RuleSet::EMPTY.with(RuleId::Facts)))
                );
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}
