//! Backups that die on their day.
//!
//! A domain (one tenant's dataset) is backed up into a *vault*: one domain in one epoch of whole
//! civil days, with a root of its own (Q-13). Every chunk is sealed under a random key of its own,
//! and that key stands only in snapshots, which are sealed under the vault's root (P-14, P-16). The
//! epoch's one key-encryption key is planned, when it is made, to be destroyed on the day on which
//! the strictest reading of the promise ends (P-18); until the loosest reading of the floor has
//! passed, every snapshot restores (R-23, with the declared slack). A restore stays shut until the
//! erasures since the snapshot have been replayed.
//!
//! To back up use [`Engine`] and a [`Source`]; to decide when, [`Schedule`]; to restore,
//! [`Backups::restore`], then [`Quarantined::replay`] through a [`Gate`], then [`Replayed::release`];
//! to let an epoch die, destroy its key, then [`Backups::expire`], or
//! [`Backups::end`] before its day, where nothing is owed any more.
//!
//! ```
//! use backup_engine::{BackupPolicy, Cadence, Keeping};
//! use covenant_core::{Period, Reading, Zone};
//! use time::{Date, Duration, UtcDateTime};
//!
//! let zone: Zone = "+09:00".parse()?;
//! let policy = BackupPolicy {
//!     cadence: Cadence::Every(Duration::hours(1)),
//!     reading: Reading::in_zone(zone.clone()),
//!     zone,
//!     epoch_days: 1,
//!     keeping: Keeping::Bounded {
//!         ceiling: Period::months(6),
//!         late: Duration::ZERO,
//!         floor: Period::months(6),
//!         early: Duration::hours(49),
//!     },
//!     sweep: Duration::hours(1),
//!     replica: Duration::hours(24),
//!     session: Duration::hours(1),
//! };
//! policy.validate(Date::from_ordinal_date(2027, 1)?, 366)?;
//! let epoch = policy.epoch_at(UtcDateTime::from_unix_timestamp(1_803_825_000)?);
//! assert_eq!(epoch.to_string(), "20270228");
//! // Six months from its first instant in Tokyo, less a sweep and a replica.
//! assert_eq!(policy.destroy_at(epoch)?, UtcDateTime::from_unix_timestamp(1_819_288_800)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! - `local` (default): depots in a local directory.
//! - `sqlite`: SQLite files as sources.
//! - `testing`: suites for implementors, a depot that fails on demand.
#![forbid(unsafe_code)]

mod backups;
pub mod depot;
mod domain;
mod engine;
mod error;
mod folder;
pub mod format;
pub mod layout;
mod model;
mod policy;
mod quarantine;
pub mod schedule;
pub mod source;
#[cfg(feature = "testing")]
pub mod testing;

pub use backups::{Backups, CheckReport, Expired, ExpiryItem, Snapshot};
pub use depot::Depot;
pub use domain::{DATASET_LEN_BYTES_MAX, DatasetError, Domain, Epoch, EpochError};
pub use engine::{Engine, Parts};
pub use error::{BackupError, GateError};
pub use format::snapshot::LogHead;
pub use model::MemoryBackups;
pub use policy::{BackupPolicy, Cadence, Keeping, PolicyError};
pub use quarantine::{Gate, Quarantined, ReplayReport, Replayed};
pub use schedule::{PromisedSchedule, Schedule};
pub use source::Source;
