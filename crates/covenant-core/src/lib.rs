//! The joints of Covenant: what two crates of the workspace share is defined here, once.
//!
//! To name things use [`TenantId`], [`EventId`], [`ItemId`], [`ClauseId`], [`Region`]; to take time
//! and chance as arguments use [`Clock`] and [`Random`]; to compute a period in every admissible
//! reading use [`Period`] and [`Reading`]; to prove that promises about time can all be kept use
//! [`network`]; to record a fact use [`Event`] and an [`EventSink`]; to seal bytes use a [`Sealer`]
//! and the [`Place`] it binds; to sign text use a [`NoteSigner`], and the `note` and `statement`
//! modules (feature `digest`).
//!
//! The crate has no I/O, no async runtime and no global state. Traits with asynchronous methods
//! return [`BoxFuture`], so that every one of them is object-safe and its futures are `Send`.
//!
//! ```
//! use covenant_core::{Period, Reading};
//! use time::macros::utc_datetime;
//!
//! let deleted = utc_datetime!(2026-01-31 12:00);
//! let bin: Period = "P30D".parse()?;
//! let window = bin.resolve(deleted, &Reading::default())?;
//! // a floor keeps until the latest reading, a ceiling is met by the earliest
//! assert_eq!(window.earliest, utc_datetime!(2026-03-02 12:00));
//! assert_eq!(window.latest, utc_datetime!(2026-03-03 0:00));
//! # Ok::<(), covenant_core::PeriodError>(())
//! ```
//!
//! # Features
//! - `digest`: computes SHA-256; the C2SP note codec and the statement format; brings `ring`.
//! - `zones`: civil time zones by name; brings `jiff`'s database behind one adapter.
//! - `serde`: settings types read from policy and rule files.
//! - `testing`: suites for implementors of the joints, a seeded [`Random`], a sink in memory.
#![forbid(unsafe_code)]

pub mod canon;
mod clause;
mod clock;
pub mod digest;
pub mod event;
mod id;
pub mod log_safe;
pub mod network;
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
    DecisionId, EventId, HoldId, ITEM_ID_LEN_BYTES_MAX, Id, IdError, ItemId, ItemIdError, KeyId,
    LogId, OrderId, PrincipalId, SnapshotId, StaffId, StoreId, TenantId, TxnId, UserId, VaultId,
    kind,
};
pub use log_safe::{LogSafe, Redacted};
pub use outbox::{OutboxError, OutboxRow, OutboxTx, TxTag};
pub use period::{
    Bounds, DayRule, Ends, MonthRule, PERIOD_DAYS_MAX, PERIOD_MONTHS_MAX, PERIOD_SECS_MAX, Period,
    PeriodError, Reading, Start, UnixTime, Window,
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
