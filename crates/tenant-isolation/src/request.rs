//! Who asks, from where, for what: the one input of a decision beside the facts.

use std::fmt;
use std::net::IpAddr;

use covenant_core::event::{ActorContext, ActorKind, Path};
use covenant_core::{LogSafe, Redacted, StaffId, TenantId, UserId};

use crate::{AccessAction, AccessLevel};

/// A part of the system that works by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ServiceKind {
    /// Signs customers up.
    Billing,
    /// Copies stores into backups.
    Backup,
    /// Puts restored stores in place.
    Restore,
    /// Disposes of what is due.
    Retention,
    /// Removes the stores of deleted tenants.
    Purge,
}

impl ServiceKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Billing,
        Self::Backup,
        Self::Restore,
        Self::Retention,
        Self::Purge,
    ];

    /// The name, as stored and printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Billing => "billing",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Retention => "retention",
            Self::Purge => "purge",
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl LogSafe for ServiceKind {}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Principal {
    /// A member of a tenant, which need not be the tenant asked about.
    Member {
        /// The tenant that the member belongs to.
        tenant: TenantId,
        /// The member.
        user: UserId,
    },
    /// A person of the operator's staff; refused everything as long as no rule admits staff.
    Staff {
        /// The person.
        staff: StaffId,
    },
    /// A part of the system.
    Service {
        /// Which.
        kind: ServiceKind,
    },
}

/// A principal and where it speaks from; a person cannot be without a source address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    principal: Principal,
    address: Option<Redacted<IpAddr>>,
}

impl Caller {
    /// A member of this tenant, from this address.
    #[must_use]
    pub const fn member(tenant: TenantId, user: UserId, address: IpAddr) -> Self {
        Self {
            principal: Principal::Member { tenant, user },
            address: Some(Redacted(address)),
        }
    }

    /// A person of the operator's staff, from this address.
    #[must_use]
    pub const fn staff(staff: StaffId, address: IpAddr) -> Self {
        Self {
            principal: Principal::Staff { staff },
            address: Some(Redacted(address)),
        }
    }

    /// A part of the system; it has no address.
    #[must_use]
    pub const fn service(kind: ServiceKind) -> Self {
        Self {
            principal: Principal::Service { kind },
            address: None,
        }
    }

    /// Who asks.
    #[must_use]
    pub const fn principal(&self) -> Principal {
        self.principal
    }

    /// The source address; `None` only for a service.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address.as_ref().map(|address| address.0)
    }

    /// The same, as events name an actor; a caller of a scope records what it does under this.
    #[must_use]
    pub fn actor(&self) -> ActorContext {
        let person = |kind, id| ActorContext {
            kind,
            id: Some(id),
            on_behalf_of: None,
            path: Path::App,
            address: self.address.clone(),
        };
        match self.principal {
            Principal::Member { user, .. } => person(ActorKind::Member, user.as_uuid()),
            Principal::Staff { staff } => person(ActorKind::Staff, staff.as_uuid()),
            Principal::Service { kind } => ActorContext::service(kind.name()),
        }
    }
}

/// What one decision is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    caller: Caller,
    tenant: TenantId,
    action: AccessAction,
    level: Option<AccessLevel>,
}

impl AccessRequest {
    /// A request of this caller to do this in this tenant, at the level that the action needs.
    #[must_use]
    pub const fn new(caller: Caller, tenant: TenantId, action: AccessAction) -> Self {
        Self {
            caller,
            tenant,
            action,
            level: action.level(),
        }
    }

    /// The same request at another level; a level above that of the action is refused by rule
    /// `level`.
    #[must_use]
    pub const fn at_level(mut self, level: AccessLevel) -> Self {
        self.level = Some(level);
        self
    }

    /// Who asks, and from where.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whose data it is about.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// What is asked for.
    #[must_use]
    pub const fn action(&self) -> AccessAction {
        self.action
    }

    /// The level asked for; `None` for an action on the registry.
    #[must_use]
    pub const fn level(&self) -> Option<AccessLevel> {
        self.level
    }
}
