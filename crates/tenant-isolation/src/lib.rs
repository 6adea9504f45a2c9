//! Who may touch a tenant's data, decided purely and explained by clause; and stores that refuse
//! any other access.
#![forbid(unsafe_code)]

mod action;
mod clause;
mod decision;
#[cfg(feature = "sqlite")]
mod identity;
mod request;
mod rules;
mod tenant;

pub use action::{AccessAction, AccessLevel, UnknownAccessAction};
pub use decision::{Decision, Effect, RuleId, RuleSet};
#[cfg(feature = "sqlite")]
pub use identity::{IDENTITY_LEN_BYTES, IdentityKey, IdentityMismatch, StoreIdentity, StoreModel};
pub use request::{AccessRequest, Caller, Principal, ServiceKind};
pub use rules::{Rules, StandardRules};
pub use tenant::{
    IllegalTransition, Role, TenantEpoch, TenantRecord, TenantSnapshot, TenantState, Transition,
    UnknownRole, UnknownState,
};
