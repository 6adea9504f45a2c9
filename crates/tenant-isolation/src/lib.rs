//! Who may touch a tenant's data, decided purely and explained by clause; and stores that refuse
//! any other access.
//!
//! Nobody reaches a tenant's rows without a scope, and a scope exists only after the decision that
//! allowed it, and the event of that decision, are durable. A tenant that was deleted is gone at
//! the next transaction, in every process (P-58). One tenant's store is one file, which opens only
//! when it carries the identity that the registry expects of it.
//!
//! To decide without any store use [`StandardRules`] on a [`TenantSnapshot`]; to let somebody in
//! use `Guard::enter`; to create, delete or restore a database and to let members in use
//! `Guard::act`; to read and write use `Scope::begin` on a `SqliteFileStore`; to flush or copy a
//! store use `Scope::maintain`; to keep the facts elsewhere implement `Registry`.
//!
//! ```
//! use covenant_core::{RegionSet, StoreId, TenantId, UserId};
//! use tenant_isolation::{
//!     AccessAction, AccessRequest, Caller, Effect, Role, RuleId, Rules, StandardRules,
//!     TenantEpoch, TenantRecord, TenantSnapshot, TenantState,
//! };
//!
//! let regions = RegionSet::new(["us-chicago"])?;
//! let (tenant, user) = (TenantId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
//! let mut facts = TenantSnapshot {
//!     tenant,
//!     record: Some(TenantRecord {
//!         region: regions.region("us-chicago")?,
//!         state: TenantState::Active,
//!         epoch: TenantEpoch::FIRST,
//!         store: StoreId::from_bytes([3; 16]),
//!         generation: 1,
//!         created: time::UtcDateTime::UNIX_EPOCH,
//!     }),
//!     role: Some((user, Role::Reader)),
//! };
//! let caller = Caller::member(tenant, user, "192.0.2.7".parse()?);
//! let request = AccessRequest::new(caller, tenant, AccessAction::RecordRead);
//! let rules = StandardRules::new(regions);
//! assert_eq!(rules.decide(&request, &facts).effect(), Effect::Allow);
//!
//! facts.record.as_mut().unwrap().state = TenantState::Deleted;
//! let decision = rules.decide(&request, &facts);
//! assert_eq!((decision.effect(), decision.rule()), (Effect::Deny, RuleId::State));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! - none: states, requests, rules and decisions, without I/O or async runtime.
//! - `sqlite`: the guard, the registry in memory and over SQL, and stores as SQLite files.
//! - `testing`: suites for implementors, and a small deployment in a folder (with `sqlite`).
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
    DecisionRow, Expiry, MemoryRegistry, REGISTRY, Registry, RegistryChange, RegistryError,
    RegistryTx, SqlRegistry,
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
