//! A security page as typed data, line by line: what it promises, in which figures, and which lines
//! of the page say so.
//!
//! A [`Document`] is read from a policy file and exists only in valid form. Every line of the page
//! is pinned by its digest (P-67: a changed line fails until it is reviewed; P-01, R-28: the date
//! of revision and the digest of the whole are part of the document). The page's own sentences are
//! not in it.
//!
//! - To read a policy file use [`Document::parse`]; it lists every mistake with line and column.
//! - To begin one from a page use [`Draft::write`].
//! - To compare with the page use [`Document::check_source`]; without the page,
//!   [`Document::coverage`].
//! - To ask what may not be accepted today use [`Document::check`].
//! - To take a figure use [`Clause::bound`], [`Clause::figure`] and [`Clause::declared`].
//! - To ask where promises are at odds or say too much use [`Document::lint`], of several documents
//!   [`lint_all`]; to compare with reviewed findings [`ExpectedFindings`].
//! - To watch a history of events use [`Document::monitors`] and [`monitor::MonitorSet`]; for a
//!   pattern of your own [`Monitor::new`].
//! - To compare two versions use [`Document::diff`]; to find what changed since the last review,
//!   [`Lock::compare`].
//! - To see where data lies use [`Document::stores`] and [`Document::keys`]; how long it stays,
//!   [`Document::residency`]; what happens when, [`Document::timeline`].
//!
//! ```
//! use policy_document::{Document, LineState};
//!
//! let page = b"Deleted notes stay for 30 days.\n";
//! let policy = r#"
//!     [document]
//!     format = "covenant/policy/v1"
//!     id = "acme"
//!     vendor = "Acme"
//!     source = "security.txt"
//!     sha256 = "7559a2ad9abbcedf16cc6fd727c5869d5ec275343d6b481b880aa5609d47070d"
//!     lines = 1
//!     blank = []
//!     reviewed = 2026-11-21
//!     zones = ["UTC"]
//!     day = ["elapsed", "end-of-day"]
//!
//!     [[clause]]
//!     id = "A-01"
//!     lines = [1]
//!     digests = ["68c04eae0fd82462464e27ea93904d83d76b8a3d95d550a4737b273148fcdaa4"]
//!     says = "a deleted note can be brought back for 30 days"
//!     kind = "technical"
//!     modality = "floor"
//!     crates = ["retention-policy"]
//!
//!     [clause.bound]
//!     from = "record.deleted"
//!     to = "record.purged"
//!     min = "P30D"
//! "#;
//! let document = Document::parse(policy).expect("the policy is sound");
//! let clause = &document.clauses()[0];
//! assert_eq!(clause.bound.as_ref().and_then(|bound| bound.min), Some("P30D".parse()?));
//! assert!(document.check_source(page).is_clean());
//! let changed = document.check_source(b"Deleted notes stay for 10 days.\n");
//! assert_eq!(changed.lines[0].state, LineState::Drifted);
//! # Ok::<(), covenant_core::PeriodError>(())
//! ```
//!
//! # Features
//! None. The crate does no I/O and has no async.
#![forbid(unsafe_code)]

mod answer;
mod attestation;
pub mod catalogue;
mod clause;
mod consistency;
mod control;
mod deviation;
mod diff;
mod document;
mod error;
mod expected;
mod figure;
mod lifecycle;
mod lint;
mod lock;
pub mod monitor;
mod name;
mod read;
mod residency;
mod review;
mod scaffold;
pub mod source;
mod store;
mod timeline;

pub use answer::Answer;
pub use attestation::{Attestation, AttestationState};
pub use catalogue::Catalogue;
pub use clause::{Alternative, Clause, Kind, Modality, PinnedLine, Verify};
pub use control::{Controls, Framework};
pub use deviation::{Deviation, DeviationClass};
pub use diff::{Difference, Direction, Part};
pub use document::{
    DOCUMENT_LEN_BYTES_MAX, Document, FORMAT, Ignore, IgnoreReason, SAYS_LEN_CHARS_MAX,
    SOURCE_LINES_MAX, UnknownClause,
};
pub use error::{DocumentError, ErrorKind, Position};
pub use expected::{
    EXPECTED_FINDINGS_FORMAT, ExpectedFinding, ExpectedFindings, ExpectedFindingsError, Mismatch,
};
pub use figure::{Bound, Declared, DeclaredValue, Figure, Per, State};
pub use lifecycle::Lifecycle;
pub use lint::{Answered, Finding, FindingCode, Linted, Severity, UnknownFindingCode, lint_all};
pub use lock::{
    LOCK_FORMAT, LOCK_LEN_BYTES_MAX, Lock, LockChange, LockDifference, LockError, lock_findings,
};
pub use monitor::{Judgement, Monitor, MonitorError, MonitorSpec, Observed, Pattern};
pub use name::{NAME_LEN_BYTES_MAX, Name, NameError, Token, TokenError};
pub use residency::{Residency, Tolerance};
pub use review::Review;
pub use scaffold::{Draft, DraftError, Todo};
pub use source::{Coverage, LineReport, LineState, SourceReport};
pub use store::{Cadence, Class, Erase, Key, KeyDeath, Store, StoreKind};
pub use timeline::{Mark, Milestone};
