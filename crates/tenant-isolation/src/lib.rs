//! Who may touch a tenant's data, decided purely and explained by clause; and stores that refuse
//! any other access.
#![forbid(unsafe_code)]

mod action;
mod clause;
mod decision;
#[cfg(feature = "sqlite")]
mod error;
#[cfg(feature = "sqlite")]
mod guard;
#[cfg(feature = "sqlite")]
mod identity;
#[cfg(feature = "sqlite")]
mod registry;
mod request;
mod rules;
#[cfg(feature = "sqlite")]
mod scope;
#[cfg(feature = "sqlite")]
mod store;
mod tenant;
#[cfg(all(feature = "sqlite", feature = "testing"))]
pub mod testing;

pub use action::{AccessAction, AccessLevel, UnknownAccessAction};
pub use decision::{Decision, Effect, RuleId, RuleSet};
#[cfg(feature = "sqlite")]
pub use error::{BeginError, CommitError, EnterError, LendError};
#[cfg(feature = "sqlite")]
pub use guard::{Attached, Changed, Guard, SCOPE_LIFE, SCOPE_LIFE_MAX};
#[cfg(feature = "sqlite")]
pub use identity::{IDENTITY_LEN_BYTES, IdentityKey, IdentityMismatch, StoreIdentity, StoreModel};
#[cfg(feature = "sqlite")]
pub use registry::{
    DecisionRow, MemoryRegistry, REGISTRY, Registry, RegistryChange, RegistryError, RegistryTx,
    SqlRegistry,
};
pub use request::{AccessRequest, Caller, Principal, ServiceKind};
pub use rules::{Rules, StandardRules};
#[cfg(feature = "sqlite")]
pub use scope::{LOOK_AGE_MAX, Permit, Scope, TenantTx, level};
#[cfg(feature = "sqlite")]
pub use store::{
    Finding, IsolationReport, MaintenanceSlot, Placement, SqliteFileOptions, SqliteFileStore,
    StoreError, StoreMetadata, TenantStore,
};
pub use tenant::{
    IllegalTransition, Role, TenantEpoch, TenantRecord, TenantSnapshot, TenantState, Transition,
    UnknownRole, UnknownState,
};
