//! Creating, deleting and letting members in: decision, change, events and reminders are one commit.
#![cfg(all(feature = "sqlite", feature = "testing"))]

use covenant_core::event::Datum;
use covenant_core::{Action, Outcome};
use sql_store::due::Due;
use tenant_isolation::level::Read;
use tenant_isolation::testing::{Backing, Deployment, SuiteError};
use tenant_isolation::{
    AccessAction, AccessRequest, Attached, Caller, EnterError, MemoryRegistry, RegistryChange,
    RegistryError, Role, ServiceKind, TenantState,
};

#[tokio::test]
async fn a_deletion_brings_its_event_and_its_reminder() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Memory).await?;
    at.create_tenant(1, "us-chicago").await?;
    let tenant = Deployment::tenant(1);
    let due_at = at.clock_now();
    let due = Due {
        due_at,
        kind: "purge".into(),
        tenant,
        key: Vec::new(),
    };
    let attached = Attached {
        due: vec![due.clone()],
        events: Vec::new(),
    };
    let changed = at
        .guard
        .act(
            Deployment::admin(1),
            tenant,
            RegistryChange::Delete,
            attached,
        )
        .await?;
    assert_eq!(changed.record.state, TenantState::Deleted);

    let events = at.sink.events();
    let [.., access, deleted] = events.as_slice() else {
        return Err("two events".into());
    };
    assert_eq!(
        (access.action, access.outcome),
        (Action::AccessAllowed, Outcome::Ok)
    );
    assert_eq!(access.id, changed.decision);
    assert_eq!(access.code, Some("member"));
    assert_eq!(
        access.data.get("action"),
        Some(&Datum::Token("database.delete"))
    );
    let address = access.actor.address.as_ref().map(|address| address.0);
    assert_eq!(
        address,
        Some(Deployment::address()),
        "the source address is in the event"
    );
    assert_eq!(deleted.action, Action::DatabaseDeleted);
    assert_eq!(deleted.decision, Some(changed.decision));
    assert_eq!(deleted.target.tenant, Some(tenant));
    Ok(())
}

#[tokio::test]
async fn reminders_reach_the_queue_only_when_allowed() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let registry = MemoryRegistry::new();
    let at = Deployment::with_registry(folder.path(), registry.clone())?;
    at.create_tenant(1, "us-chicago").await?;
    let tenant = Deployment::tenant(1);
    let due = Due {
        due_at: at.clock_now(),
        kind: "purge".into(),
        tenant,
        key: vec![1],
    };
    let attached = Attached {
        due: vec![due.clone()],
        events: Vec::new(),
    };
    let stranger = Caller::member(tenant, Deployment::user(8), Deployment::address());
    let before = registry.outbox().len();
    let denied = at
        .guard
        .act(stranger, tenant, RegistryChange::Delete, attached.clone())
        .await;
    assert!(matches!(denied, Err(EnterError::Denied { .. })));
    assert_eq!(registry.due(), []);
    assert_eq!(registry.outbox().len(), before + 1, "the denial alone");
    at.guard
        .act(
            Deployment::admin(1),
            tenant,
            RegistryChange::Delete,
            attached,
        )
        .await?;
    assert_eq!(registry.due(), [due]);
    assert_eq!(registry.outbox().len(), before + 3);
    Ok(())
}

#[tokio::test]
async fn only_admins_let_members_in_and_one_admin_stays() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let (tenant, user) = (Deployment::tenant(1), Deployment::user(8));
    let them = Caller::member(tenant, user, Deployment::address());
    let read = AccessRequest::new(them.clone(), tenant, AccessAction::RecordRead);
    let enter = || at.guard.enter::<Read>(read.clone());
    let set = |caller: Caller, user, role| {
        let change = RegistryChange::SetMember { user, role };
        at.guard.act(caller, tenant, change, Attached::default())
    };
    assert!(
        matches!(enter().await, Err(EnterError::Denied { .. })),
        "not let in yet"
    );
    let self_made = set(them.clone(), user, Some(Role::Admin)).await;
    assert!(matches!(self_made, Err(EnterError::Denied { .. })));
    set(Deployment::admin(1), user, Some(Role::Member)).await?;
    drop(enter().await?);
    let role_event = at
        .sink
        .events()
        .into_iter()
        .rfind(|e| e.data.contains_key("role"));
    let role_event = role_event.ok_or("no event names the role")?;
    assert_eq!(role_event.data.get("role"), Some(&Datum::Token("member")));
    assert_eq!(
        role_event.data.get("member"),
        Some(&Datum::Id(user.as_uuid()))
    );

    let last = set(Deployment::admin(1), Deployment::user(1), None).await;
    let last_admin = matches!(last, Err(EnterError::Registry(RegistryError::LastAdmin(_))));
    assert!(last_admin);
    set(Deployment::admin(1), user, None).await?;
    assert!(
        matches!(enter().await, Err(EnterError::Denied { .. })),
        "put out again"
    );
    Ok(())
}

#[tokio::test]
async fn what_the_state_does_not_allow_is_denied_and_changes_nothing() -> Result<(), SuiteError> {
    let folder = tempfile::tempdir()?;
    let at = Deployment::create(folder.path(), Backing::Sql).await?;
    at.create_tenant(1, "us-chicago").await?;
    let tenant = Deployment::tenant(1);
    let act = |caller, change| at.guard.act(caller, tenant, change, Attached::default());
    let region = at.regions.region("eu-west")?;
    let again = RegistryChange::Create {
        region,
        admin: Deployment::user(1),
    };
    let service = Caller::service;
    for (caller, change) in [
        (service(ServiceKind::Billing), again),
        (service(ServiceKind::Purge), RegistryChange::Purge),
        (service(ServiceKind::Restore), RegistryChange::Restore),
        (Deployment::admin(1), RegistryChange::Restore),
        (service(ServiceKind::Purge), RegistryChange::Delete),
    ] {
        let before = at.registry.snapshot(tenant, None).await?;
        let denied = act(caller, change.clone()).await;
        assert!(
            matches!(denied, Err(EnterError::Denied { .. })),
            "{change:?}"
        );
        assert_eq!(at.registry.snapshot(tenant, None).await?, before);
    }
    act(Deployment::admin(1), RegistryChange::Delete).await?;
    act(service(ServiceKind::Purge), RegistryChange::Purge).await?;
    let restored = act(Deployment::admin(1), RegistryChange::Restore).await?;
    assert_eq!(
        (restored.record.state, restored.record.generation),
        (TenantState::Active, 2)
    );
    Ok(())
}
