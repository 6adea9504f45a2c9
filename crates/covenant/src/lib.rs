//! One profile, one set of stores, the six crates wired together.
//!
//! A [`Profile`] is made of a policy document's clauses; [`Covenant`] runs on it. A record's way: the
//! request is decided and the decision is durable before a scope exists; content is sealed under the
//! tenant's key and bound to its place (P-12, P-13, Q-14), an especially sensitive field twice
//! the row and its event commit together; the sequencer moves the event into the
//! tenant's Merkle log; a deleted record stays in the bin for its floor (P-51), then its bytes leave
//! the file (P-52); a deleted database is unreadable at the next read (P-58); backups lie in vaults
//! that die on their day (P-14, P-18, Q-13, R-22, R-23), and give nothing back that was deleted since.
//!
//! To start use [`Covenant::create`] or [`Covenant::open`]; to work with records use
//! [`Covenant::put`], [`Covenant::get`], [`Covenant::delete`] and their like; to have background work
//! done call [`Covenant::sweep`] whenever [`Covenant::next_due`] says; to give a backup back use
//! [`Covenant::restore_beside`] or [`Covenant::restore_in_place`]; to keep what would be deleted use
//! [`Covenant::place_hold`]; after a look at a clock that was
//! in doubt, [`Covenant::confirm_clock`]; when a contract ends, [`Covenant::end_contract`].
//!
//! # Features
//! - `sqlite` (default): the assembly on SQLite files and local directories below one folder.
//!   Without it only [`Profile`] is left.
#![cfg_attr(doctest, doc = include_str!("../../../README.md"))]
#![forbid(unsafe_code)]

#[cfg(feature = "sqlite")]
mod aged;
#[cfg(feature = "sqlite")]
mod assembly;
#[cfg(feature = "sqlite")]
mod backup;
#[cfg(feature = "sqlite")]
mod bucket;
#[cfg(feature = "sqlite")]
mod bulk;
#[cfg(feature = "sqlite")]
mod certificate;
#[cfg(feature = "sqlite")]
mod control;
#[cfg(feature = "sqlite")]
mod database;
#[cfg(feature = "sqlite")]
mod disposal;
#[cfg(feature = "sqlite")]
mod error;
#[cfg(feature = "sqlite")]
mod expiry;
#[cfg(feature = "sqlite")]
mod files;
#[cfg(feature = "sqlite")]
mod floors;
#[cfg(feature = "sqlite")]
mod held;
#[cfg(feature = "sqlite")]
pub mod hold;
#[cfg(feature = "sqlite")]
mod joints;
#[cfg(feature = "sqlite")]
mod key_copies;
#[cfg(feature = "sqlite")]
mod key_desk;
#[cfg(feature = "sqlite")]
mod keyring;
#[cfg(feature = "sqlite")]
mod own_rules;
#[cfg(feature = "sqlite")]
mod pace;
#[cfg(feature = "sqlite")]
mod pending;
#[cfg(feature = "sqlite")]
mod plans;
mod profile;
#[cfg(feature = "sqlite")]
mod purge;
#[cfg(feature = "sqlite")]
mod record;
#[cfg(feature = "sqlite")]
mod recover;
mod rules;
#[cfg(feature = "sqlite")]
mod stores;
#[cfg(feature = "sqlite")]
mod sweep;
#[cfg(feature = "sqlite")]
mod termination;
#[cfg(feature = "sqlite")]
mod trusted_time;
#[cfg(feature = "sqlite")]
mod withdraw;

#[cfg(feature = "sqlite")]
pub use aged::TooShort;
#[cfg(feature = "sqlite")]
pub use assembly::{Covenant, Settings};
#[cfg(feature = "sqlite")]
pub use backup::Restored;
#[cfg(feature = "sqlite")]
pub use certificate::{Certificate, Progress};
#[cfg(feature = "sqlite")]
pub use error::{Error, StartError};
#[cfg(feature = "sqlite")]
pub use files::{PublicFiles, Reached, StoreFiles, Way};
#[cfg(feature = "sqlite")]
pub use held::{HeldStore, Holdings, RuledStore};
#[cfg(feature = "sqlite")]
pub use joints::{Wrap, WrapEach, Wraps};
#[cfg(feature = "sqlite")]
pub use key_copies::RecoveredKeys;
#[cfg(feature = "sqlite")]
pub use key_desk::KeyDesk;
#[cfg(feature = "sqlite")]
pub use own_rules::{Narrowing, OWN_RULES_MAX, OnlyNarrower, Preview, TenantRules};
#[cfg(feature = "sqlite")]
pub use plans::{PlanKind, WaitingPlan, Waits};
pub use profile::{
    CLASS_ATTACHMENT, CLASS_DATABASE, CLASS_RECORD, DeclaredStore, Profile, ProfileError,
};
#[cfg(feature = "sqlite")]
pub use purge::{FromBin, Purged};
#[cfg(feature = "sqlite")]
pub use record::map::{Column, DATA_MAP, Kept, body_place, object_place, sensitive_place};
#[cfg(feature = "sqlite")]
pub use record::{
    ATTACHMENTS_MAX, Attachment, ErasedRows, NewRecord, Record, RecordTables, Session, SqlTables,
    Written,
};
pub use rules::DocumentRules;
#[cfg(feature = "sqlite")]
pub use stores::Layout;
#[cfg(feature = "sqlite")]
pub use sweep::{Failed, Swept};
#[cfg(feature = "sqlite")]
pub use withdraw::Withdrawn;
