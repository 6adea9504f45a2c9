//! Says, for any item at any instant, what must be kept, what may go, what must be gone by when,
//! and why; then removes it and checks the bytes (P-18, P-51, P-52, P-58, R-23).
//!
//! To write rules use [`Rules`], or [`RulesFile`] and [`RuleSet::load`]; to judge an item use
//! [`Retention::evaluate`]; to keep it whatever the rules say place a [`Hold`]; to see the future use
//! [`simulate`]; to collect what goes and have it approved use [`plan()`] and [`Limits`]; to know
//! whether deletions may trust the clock use [`ClockGuard`]; to carry out one deletion durably use
//! [`Disposal`]; to bring a restored copy up to date use [`Ledger`], [`replay`] and [`RestoreGate`];
//! to remove bytes from SQLite files and to look for what is left use `SqliteFlush` (feature
//! `sqlite`) and `scan` (feature `apply`).
//!
//! The default build is pure: no I/O, no async runtime, no database, no cryptography, no clock.
//!
//! ```
//! use covenant_core::TenantId;
//! use retention_policy::{HoldView, Item, Moment, Occurrence, Retention, Rules, State};
//! use time::{Duration, UtcDateTime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rules = Rules::new()
//!     .keep("invoice", "invoice.issued", "P7Y")
//!     .gone("invoice", "order.closed", "P8Y")
//!     .build()?;
//! let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17");
//! let issued = UtcDateTime::UNIX_EPOCH;
//! let events = [Occurrence::new("invoice.issued", issued)];
//! let item = Item::new(tenant, "invoice", 42_i64, &events);
//! let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(issued + Duration::days(2_000)));
//! assert_eq!(verdict.state, State::Keep); // and `verdict.because` says why
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! - `digest`: digest of rules and plans, and the memory ledger; brings `ring`.
//! - `zones`: civil time zones by name.
//! - `serde`: rule files in TOML and JSON, lists of items, and questions in JSON (`answer`).
//! - `apply`: the traits that carry out disposals, and the byte scan of files.
//! - `sql`: holds and ledgers in the database of the data, through `sql-store`, and `rows`: rows of an
//!   integrator, disposed of by plan.
//! - `sqlite`, `postgres`: the same with a driver, and physical erasure on SQLite files and PostgreSQL
//!   servers.
//! - `testing`: the suites that implementors of [`Holds`] and of the traits of `physical` run.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

#[cfg(feature = "serde")]
mod answer;
#[cfg(feature = "apply")]
pub mod apply;
mod builder;
mod clock_guard;
mod copies;
mod error;
mod evaluate;
mod feasible;
#[cfg(feature = "serde")]
mod file;
mod gate;
pub mod hold;
mod item;
#[cfg(any(feature = "serde", feature = "sql"))]
mod items;
pub mod ledger;
mod lifecycle;
mod limits;
mod load;
mod name;
mod part;
#[cfg(feature = "apply")]
pub mod physical;
mod plan;
mod probe;
mod protocol;
mod residency;
#[cfg(feature = "sql")]
pub mod rows;
mod rule;
mod rule_set;
#[cfg(feature = "apply")]
pub mod scan;
mod schedule;
mod selected;
mod simulate;
mod spec;
#[cfg(feature = "testing")]
pub mod testing;
mod timeline;
mod trigger;
mod verdict;
mod words;

#[cfg(feature = "serde")]
pub use answer::{CHANGES_MAX, REQUEST_LEN_BYTES_MAX, answer, what_if};
pub use builder::Rules;
pub use clock_guard::{ClockDoubt, ClockGuard, Trust};
pub use copies::{Every, SealingKey, Store};
pub use error::{RuleError, RuleErrors, Witness};
pub use evaluate::Retention;
#[cfg(feature = "serde")]
pub use file::{
    FILE_LEN_BYTES_MAX, FileError, FileErrorKind, FileErrors, RULES_FORMAT, RULES_SCHEMA,
};
pub use gate::{
    GateOrder, GateOutcome, GateRefused, GateReport, GateStep, RestoreGate, SchemaAge, overdue,
};
pub use hold::{
    DisposalTarget, HOLD_ITEMS_MAX, Hold, HoldAct, HoldError, HoldGuard, HoldMode, HoldRecord,
    HoldRefused, HoldScope, HoldView, Holds, ItemList, ItemListError, Later, MemoryHolds, Passed,
    Placed, Release,
};
pub use item::{Item, Moment, STORE_MAIN};
#[cfg(feature = "serde")]
pub use items::{ITEM_EVENTS_MAX, ITEMS_FORMAT, ITEMS_LEN_BYTES_MAX};
#[cfg(any(feature = "serde", feature = "sql"))]
pub use items::{Items, OwnedItem};
pub use ledger::{
    DatabaseFate, Entry, Head, ItemFate, Ledger, LedgerError, LedgerKey, ReplayPlan, replay,
};
pub use lifecycle::{Copies, DatabaseState, Forbidden, Held, RecordState, Standing};
pub use limits::{Limits, Population, Refused};
pub use load::{CLASSES_MAX, KEYS_MAX, RULES_MAX, RULES_PER_ITEM_MAX, STORES_MAX};
pub use name::{
    ClassId, KeyName, Matter, NAME_LEN_BYTES_MAX, NameError, ReasonCode, RuleId, StoreName, Trigger,
};
pub use part::{Basis, DisposalPart, KeyLine, KeyState, LineState, PartItem, Remain, StoreLine};
#[cfg(feature = "sqlite")]
pub use physical::sqlite::SqliteFlush;
pub use plan::{Plan, PlanBytesError, PlanContext, PlanItem, SweepMode, plan, sweep_mode};
pub use probe::{InvertedProbe, PROBE_LEN_BYTES, Probe};
pub use protocol::{Disposal, JournalError, OwnsKey, ProtocolError, Step, StepOutcome};
pub use residency::{Residency, Stay};
pub use rule::{Act, Authority, Bound, Limit, Method, Rule};
pub use rule_set::RuleSet;
pub use schedule::{
    Infeasible, Rate, Slack, TokenBucket, Work, done_by, feasible, flush_after, start_by,
};
pub use simulate::{Change, Span, simulate};
pub use spec::{
    CIVIL_NIGHT, CancelSpec, ClassSpec, FieldSpec, KeySpec, RuleSpec, RulesFile, StoreKind,
    StoreSpec,
};
pub use timeline::{Count, DayCount, per_day};
pub use trigger::{BACKUP_COMPLETED, BACKUP_CONSISTENT, Occurrence};
pub use verdict::{
    Effect, HoldReason, KeepUntil, Reason, Reasons, State, Unclassified, Verdict, Window,
};
