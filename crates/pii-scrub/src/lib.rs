//! Finds personal data in text, completely or not at all.
//!
//! A [`Scrubber`] that answers has read every byte with every rule it has; one that could not says
//! [`ScanError`], and its caller withholds the text. Nothing personal leaves through logs, errors
//! or serialised output (P-37, R-02) only if "found nothing" cannot mean "did not look".
//!
//! - To scan use [`Scrubber::scan`] on an [`Input`].
//! - To find values that are known use [`KnownValues`].
//! - To write a scrubber implement [`Scrubber`], end in [`Scan::complete`] and run
//!   [`testing::scrubber_suite`].
//!
//! ```
//! use pii_scrub::{EntityType, Input, KnownValues, Scrubber};
//!
//! const EMAIL: EntityType = EntityType::of("EMAIL_ADDRESS");
//!
//! let scrubber = KnownValues::new([(EMAIL, "ann@example.com")])?;
//! let line = "login by ann@example.com: ok";
//! let scan = scrubber.scan(Input::utf8(line.as_bytes())?)?;
//! let spans: Vec<_> = scan.findings().iter().map(|finding| finding.span()).collect();
//! assert_eq!(spans, [9..24]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! | feature | adds |
//! |---|---|
//! | `testing` | `testing`: the suite that every scrubber runs |
#![forbid(unsafe_code)]

mod entity;
mod error;
mod input;
mod known;
mod scan;
mod scrubber;
#[cfg(feature = "testing")]
pub mod testing;

pub use entity::{ENTITY_NAME_LEN_BYTES_MAX, EntityType, EntityTypeError};
pub use error::{Reason, ScanError};
pub use input::{INPUT_LEN_BYTES_MAX, Input};
pub use known::{
    KNOWN_VALUE_LEN_BYTES_MAX, KNOWN_VALUES_LEN_BYTES_MAX, KnownValues, KnownValuesError,
};
pub use scan::{FINDINGS_MAX, Finding, Scan};
pub use scrubber::{RuleSetId, Scrubber};
