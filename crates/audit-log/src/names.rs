//! Which log an event belongs to, and what a log is called towards the outside.

use covenant_core::{LogId, TenantId};
use uuid::{Uuid, uuid};

/// Version 5 UUID of `covenant/audit/operator` in the OID namespace.
const OPERATOR: Uuid = uuid!("2479a179-0b97-5074-95b9-56c369735bf4");

/// The log of a tenant: the same 16 bytes as the tenant's id. It outlives the tenant.
#[must_use]
pub const fn log_of(tenant: TenantId) -> LogId {
    LogId::from_uuid(tenant.as_uuid())
}

/// The log of what belongs to no tenant.
#[must_use]
pub const fn operator_log() -> LogId {
    LogId::from_uuid(OPERATOR)
}

/// The tenant whose log it is; `None` for the operator's.
#[must_use]
pub fn tenant_of(log: LogId) -> Option<TenantId> {
    (log != operator_log()).then(|| TenantId::from_uuid(log.as_uuid()))
}

/// The log that an event with this target belongs to: of keys, which are no tenant's, the operator's.
// clause: Q-16
#[must_use]
pub fn log_for(tenant: Option<TenantId>) -> LogId {
    tenant.map_or_else(operator_log, log_of)
}

/// Name of a service in origins: a host name of at most 200 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceHost(String);

/// A text cannot name a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a service host has 1 to 200 lower-case letters, digits, dots and hyphens")]
pub struct ServiceHostError;

impl std::str::FromStr for ServiceHost {
    type Err = ServiceHostError;

    fn from_str(text: &str) -> Result<Self, ServiceHostError> {
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
        if !(1..=200).contains(&text.len()) || !text.bytes().all(ok) {
            return Err(ServiceHostError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl ServiceHost {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Origin of a log's checkpoints, and name of the key that signs them: no tenant's name in it.
    #[must_use]
    pub fn origin(&self, log: LogId) -> String {
        format!("{}/audit/{}", self.0, log.simple())
    }
}
