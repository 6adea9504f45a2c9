//! The rules: pure, total, complete. Every deny rule is evaluated, so that an answer names all
//! that stood against a request; what no rule allows is denied.

use std::fmt::Debug;

use covenant_core::RegionSet;

use crate::{
    AccessAction, AccessLevel, AccessRequest, Decision, Principal, Role, RuleId, RuleSet,
    ServiceKind, TenantSnapshot, TenantState,
};

/// Who may do what.
///
/// # Contract
/// `decide` is pure and total: the same request on the same facts gives the same answer, without
/// I/O, and every request has one. A wrapper may restrict; one that allows more gives up what this
/// crate promises.
///
/// # Implementing
/// Use [`StandardRules`], and wrap it to deny more.
pub trait Rules: Debug + Send + Sync {
    /// The answer to the request on these facts.
    fn decide(&self, request: &AccessRequest, facts: &TenantSnapshot) -> Decision;
}

/// The rules of this crate, for a deployment that serves these regions.
#[derive(Debug, Clone)]
pub struct StandardRules {
    served: RegionSet,
}

impl StandardRules {
    /// The rules of a deployment that serves these regions.
    #[must_use]
    pub const fn new(served: RegionSet) -> Self {
        Self { served }
    }
}

impl Rules for StandardRules {
    fn decide(&self, request: &AccessRequest, facts: &TenantSnapshot) -> Decision {
        // Facts about another tenant are no facts about this one.
        if facts.tenant != request.tenant() {
            return Decision::deny(RuleSet::EMPTY.with(RuleId::Facts));
        }
        let mut denials = RuleSet::EMPTY;
        let mut check = |rule: RuleId, verdict: Verdict| {
            if verdict == Verdict::Against {
                denials = denials.with(rule);
            }
        };
        check(RuleId::Region, self.region(facts));
        check(RuleId::State, state(request, facts));
        check(RuleId::Member, member(request, facts));
        check(RuleId::Service, service(request));
        check(RuleId::Level, level(request, facts));
        if !denials.is_empty() {
            return Decision::deny(denials);
        }
        match request.caller().principal() {
            Principal::Member { .. } => Decision::allow(RuleId::Member),
            Principal::Service { .. } => Decision::allow(RuleId::Service),
            // No rule admits staff: that takes a roster and grants.
            Principal::Staff { .. } => Decision::deny(RuleSet::EMPTY),
        }
    }
}

/// What a deny rule says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing against it.
    Silent,
    /// Denied.
    Against,
}

const fn unless(granted: Granted) -> Verdict {
    match granted {
        Granted::Yes => Verdict::Silent,
        Granted::No => Verdict::Against,
    }
}

/// What a table of permissions says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Granted {
    Yes,
    No,
}

impl StandardRules {
    fn region(&self, facts: &TenantSnapshot) -> Verdict {
        match &facts.record {
            Some(record) if !self.served.contains(&record.region) => Verdict::Against,
            // Of a tenant that is not there, rule `state` speaks.
            Some(_) | None => Verdict::Silent,
        }
    }
}

fn state(request: &AccessRequest, facts: &TenantSnapshot) -> Verdict {
    let action = request.action();
    let Some(record) = &facts.record else {
        return unless(if action == AccessAction::DatabaseCreate {
            Granted::Yes
        } else {
            Granted::No
        });
    };
    let principal = request.caller().principal();
    // clause: P-55, P-56, P-58
    unless(match record.state {
        TenantState::Active => in_active(principal, action),
        TenantState::Expired => in_expired(principal, action),
        TenantState::Locked => in_locked(principal, action),
        TenantState::Deleted => in_deleted(principal, action),
        TenantState::Purged => in_purged(principal, action),
        TenantState::Gone => Granted::No,
    })
}

/// No service deletes a database that is in use.
const fn in_active(principal: Principal, action: AccessAction) -> Granted {
    match (principal, action) {
        (Principal::Service { .. }, AccessAction::DatabaseDelete) => Granted::No,
        (
            _,
            AccessAction::MetadataRead
            | AccessAction::RecordRead
            | AccessAction::RecordWrite
            | AccessAction::RecordPurge
            | AccessAction::StoreSweep
            | AccessAction::StoreBackup
            | AccessAction::StoreRestore
            | AccessAction::DatabaseExpire
            | AccessAction::DatabaseDelete
            | AccessAction::DatabaseTerminate
            | AccessAction::DatabaseRepoint
            | AccessAction::MemberSet
            | AccessAction::RulesSet,
        ) => Granted::Yes,
        _ => Granted::No,
    }
}

/// Nobody reads it; its users may delete it, backups and purges of its bin go on, and whoever bills
/// for it may let it be used again.
const fn in_expired(principal: Principal, action: AccessAction) -> Granted {
    match (principal, action) {
        (Principal::Service { .. }, AccessAction::DatabaseLock) => Granted::Yes,
        _ => in_locked_or_trial(principal, action, Granted::Yes),
    }
}

/// As an expired one, but nothing deletes it by itself.
const fn in_locked(principal: Principal, action: AccessAction) -> Granted {
    in_locked_or_trial(principal, action, Granted::No)
}

const fn in_locked_or_trial(
    principal: Principal,
    action: AccessAction,
    deleted_by_itself: Granted,
) -> Granted {
    // clause: P-47
    match (principal, action) {
        (_, AccessAction::DatabaseTerminate)
        | (Principal::Member { .. }, AccessAction::DatabaseDelete)
        | (
            Principal::Service { .. },
            AccessAction::StoreSweep
            | AccessAction::StoreBackup
            | AccessAction::StoreRestore
            | AccessAction::DatabaseRepoint
            | AccessAction::DatabaseResume,
        ) => Granted::Yes,
        (Principal::Service { .. }, AccessAction::DatabaseDelete) => deleted_by_itself,
        _ => Granted::No,
    }
}

/// Backups go on until the purge; its users see nothing of it any more, but may order it back.
const fn in_deleted(principal: Principal, action: AccessAction) -> Granted {
    match (principal, action) {
        (_, AccessAction::DatabaseTerminate)
        | (Principal::Member { .. }, AccessAction::DatabaseRestore)
        | (
            Principal::Service { .. },
            AccessAction::StoreBackup
            | AccessAction::StoreRestore
            | AccessAction::StoreRemove
            | AccessAction::DatabaseRestore
            | AccessAction::DatabasePurge,
        ) => Granted::Yes,
        _ => Granted::No,
    }
}

const fn in_purged(principal: Principal, action: AccessAction) -> Granted {
    match (principal, action) {
        (_, AccessAction::DatabaseTerminate)
        | (Principal::Member { .. }, AccessAction::DatabaseRestore)
        | (Principal::Service { .. }, AccessAction::StoreRestore | AccessAction::DatabaseRestore) => {
            Granted::Yes
        }
        _ => Granted::No,
    }
}

fn member(request: &AccessRequest, facts: &TenantSnapshot) -> Verdict {
    let Principal::Member { tenant, user } = request.caller().principal() else {
        return Verdict::Silent;
    };
    // clause: Q-25
    if tenant != request.tenant() {
        return Verdict::Against;
    }
    match facts.role_of(user) {
        Some(role) => unless(role_has(role, request.action())),
        None => Verdict::Against,
    }
}

const fn role_has(role: Role, action: AccessAction) -> Granted {
    match action {
        AccessAction::MetadataRead | AccessAction::RecordRead => Granted::Yes,
        // clause: Q-24
        AccessAction::RecordWrite => match role {
            Role::Member | Role::Admin => Granted::Yes,
            Role::Reader => Granted::No,
        },
        // clause: P-53
        AccessAction::RecordPurge
        | AccessAction::DatabaseDelete
        | AccessAction::DatabaseTerminate
        | AccessAction::DatabaseRestore
        | AccessAction::MemberSet
        | AccessAction::RulesSet => match role {
            Role::Admin => Granted::Yes,
            Role::Member | Role::Reader => Granted::No,
        },
        AccessAction::StoreSweep
        | AccessAction::StoreBackup
        | AccessAction::StoreRestore
        | AccessAction::StoreRemove
        | AccessAction::DatabaseCreate
        | AccessAction::DatabaseExpire
        | AccessAction::DatabaseLock
        | AccessAction::DatabaseResume
        | AccessAction::DatabaseRepoint
        | AccessAction::DatabasePurge => Granted::No,
    }
}

const fn service(request: &AccessRequest) -> Verdict {
    match request.caller().principal() {
        Principal::Service { kind } => unless(service_has(kind, request.action())),
        Principal::Member { .. } | Principal::Staff { .. } => Verdict::Silent,
    }
}

const fn service_has(kind: ServiceKind, action: AccessAction) -> Granted {
    match (kind, action) {
        (
            ServiceKind::Billing,
            AccessAction::DatabaseCreate
            | AccessAction::DatabaseExpire
            | AccessAction::DatabaseResume
            | AccessAction::DatabaseTerminate,
        )
        | (ServiceKind::Backup, AccessAction::StoreBackup)
        | (
            ServiceKind::Restore,
            AccessAction::StoreRestore
            | AccessAction::DatabaseRestore
            | AccessAction::DatabaseRepoint,
        )
        | (
            ServiceKind::Retention,
            AccessAction::StoreSweep | AccessAction::DatabaseLock | AccessAction::DatabaseDelete,
        )
        | (ServiceKind::Purge, AccessAction::StoreRemove | AccessAction::DatabasePurge) => {
            Granted::Yes
        }
        _ => Granted::No,
    }
}

fn level(request: &AccessRequest, facts: &TenantSnapshot) -> Verdict {
    let Some(asked) = request.level() else {
        return Verdict::Silent;
    };
    let ceiling = match request.caller().principal() {
        Principal::Member { user, .. } => facts.role_of(user).map(|role| match role {
            Role::Reader => AccessLevel::Read,
            Role::Member | Role::Admin => AccessLevel::Write,
        }),
        Principal::Service { .. } => Some(AccessLevel::Maintain),
        Principal::Staff { .. } => None,
    };
    // A registry action needs no level, so no level is low enough for it.
    let needed = request.action().level();
    match (ceiling, needed) {
        (Some(ceiling), Some(needed)) if asked <= ceiling && asked <= needed => Verdict::Silent,
        // Without a role or with no rule for staff, there is no ceiling to be above of.
        (None, Some(needed)) if asked <= needed => Verdict::Silent,
        _ => Verdict::Against,
    }
}
