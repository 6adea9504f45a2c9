//! The joints of Covenant: what two crates of the workspace share is defined here, once.
//!
//! To name things use [`TenantId`], [`EventId`], [`ItemId`], [`ClauseId`], [`Region`]; to take time
//! and chance as arguments use [`Clock`] and [`Random`]; to compute a period in every admissible
//! reading use [`Period`] and [`Reading`]; to record a fact use [`Event`] and an [`EventSink`]; to
//! seal bytes use a [`Sealer`] and the [`Place`] it binds; to sign text use a [`NoteSigner`], and
//! the `note` and `statement` modules (feature `digest`).
//!
//! The crate has no I/O, no async runtime and no global state. Traits with asynchronous methods
//! return [`BoxFuture`], so that every one of them is object-safe and its futures are `Send`.
//!
//! # Features
//! - `digest`: SHA-256, the C2SP note codec and the statement format; brings `ring`.
//! - `zones`: civil time zones by name; brings `jiff`'s database behind one adapter.
//! - `serde`: settings types read from policy and rule files.
//! - `testing`: [`ManualClock`] fixtures and suites for implementors.
#![forbid(unsafe_code)]

pub mod canon;
mod clause;
mod clock;
#[cfg(feature = "digest")]
pub mod digest;
pub mod event;
mod id;
pub mod log_safe;
#[cfg(feature = "digest")]
pub mod note;
pub mod outbox;
mod period;
mod random;
mod region;
pub mod sealer;
mod secret;
#[cfg(feature = "serde")]
mod settings;
mod signer;
#[cfg(feature = "digest")]
pub mod statement;
#[cfg(feature = "testing")]
pub mod testing;
mod zones;

pub use clause::{ClauseId, ClauseIdError};
pub use clock::{Clock, ManualClock, Monotonic, SystemClock};
pub use event::{Action, ActorContext, Event, EventSink, Outcome, Prepared, SinkError, Target};
pub use id::{
    DecisionId, EventId, ITEM_ID_LEN_BYTES_MAX, Id, IdError, ItemId, ItemIdError, KeyId, LogId,
    OrderId, SnapshotId, StaffId, StoreId, TenantId, TxnId, UserId, VaultId, kind,
};
pub use log_safe::{LogSafe, Redacted};
pub use outbox::{OutboxError, OutboxRow, OutboxTx, TxTag};
pub use period::{
    Bounds, DayRule, MonthRule, PERIOD_DAYS_MAX, PERIOD_MONTHS_MAX, PERIOD_SECS_MAX, Period,
    PeriodError, Reading, Window,
};
#[cfg(feature = "digest")]
pub use random::SystemRandom;
pub use random::{Random, RandomError};
pub use region::{REGION_LEN_BYTES_MAX, Region, RegionError, RegionSet};
pub use sealer::{Owner, Place, Sealer};
pub use secret::Secret;
pub use signer::{NoteSigner, SignerError};
pub use zones::{ZONE_OFFSET_SECS_MAX, Zone, ZoneError};

/// A boxed, `Send` future: what every asynchronous method of a joint returns.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
