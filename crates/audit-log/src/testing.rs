//! For tests of this crate's users and implementors: the suite that every [`AuditLog`] runs, and a
//! sealer without cryptography.
//!
//! [`AuditLog`]: crate::store::AuditLog

mod escrow;
mod suite;

pub use escrow::EscrowSealer;
pub use suite::{End, Rig, SuiteError, audit_log_suite};
