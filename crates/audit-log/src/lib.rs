//! Tamper-evident record of every access and change: every mutation leaves an entry with date and
//! actor, in the same transaction (R-20); entries stand in one Merkle log per tenant, whose signed
//! checkpoint shows that none was changed, removed or put in between; and the log says what a
//! restore has to delete again.
//!
//! To record a fact use [`Sink`], the [`EventSink`](covenant_core::EventSink) of a deployment; to
//! move committed facts into logs, and to read and prove them, use [`store`]; to learn what became
//! of every item since a head use [`AuditLog::fold`](store::AuditLog::fold); to check a stored log
//! use `verify`, and proofs and checkpoints of anybody's C2SP log [`merkle`] and [`checkpoint`]; to
//! see every row change, whoever makes it, use `changes`, and [`coverage`] to compare with events.
//!
//! # Example
//! ```
//! use audit_log::merkle::{MerkleTree, leaf_hash, verify_inclusion};
//!
//! let mut tree = MerkleTree::new();
//! for entry in ["one", "two", "three"] {
//!     tree.push(leaf_hash(entry.as_bytes()));
//! }
//! let path = tree.inclusion(1, 3).ok_or("no such leaf")?;
//! verify_inclusion(&leaf_hash(b"two"), 1, &path, &tree.head())?;
//! assert!(verify_inclusion(&leaf_hash(b"forged"), 1, &path, &tree.head()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! - `sqlite`: logs in a database, change coverage by triggers.
//! - `testing`: the suite for implementors of [`store::AuditLog`], and a sealer for tests.
#![forbid(unsafe_code)]

pub mod action;
pub mod bundle;
#[cfg(feature = "sqlite")]
pub mod changes;
pub mod checkpoint;
pub mod coverage;
mod error;
pub mod field;
pub mod fold;
pub mod jcs;
pub mod leaf;
pub mod merkle;
mod names;
mod rfc3339;
pub mod sequencer;
mod sink;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "sqlite")]
pub mod verify;

pub use error::LogError;
pub use names::{ServiceHost, ServiceHostError, log_for, log_of, operator_log, tenant_of};
pub use sink::{ADDRESS_PATH, Inbox, MANIFEST_PATH, ROW_KIND_LEAF, Sink};
