//! The trait that every scanner implements.

use std::fmt;

use covenant_core::LogSafe;
use covenant_core::digest::Digest;

use crate::{Input, Scan, ScanError};

/// Finds personal data in a text.
///
/// # Contract
/// - *Complete or nothing*: an answer means that every byte was read with every rule. Any limit,
///   failure or doubt is a [`ScanError`], never a shorter answer.
/// - *Every byte of a find is covered*: no byte of anything that a rule accepts lies outside the
///   findings, also where two finds touch or overlap.
/// - *Pure*: the same input gives the same findings, whatever was scanned before, on any thread.
/// - *Bounded*: time grows with the length of the input, not with its content.
/// - *Silent*: nothing of the input goes anywhere but into the offsets of the answer.
///
/// # Errors
/// [`ScanError::Incomplete`]: the caller withholds the text, whatever it was for.
///
/// # Implementing
/// Collect findings in the order of the text and end in [`Scan::complete`]. Run
/// [`testing::scrubber_suite`](crate::testing::scrubber_suite), feature `testing`.
pub trait Scrubber: fmt::Debug + Send + Sync {
    /// Which rules these are: two scrubbers of the same id find the same types by the same rules.
    fn rule_set(&self) -> RuleSetId;

    /// Everything personal in the input.
    ///
    /// # Errors
    /// [`ScanError::Incomplete`] when not everything could be looked at.
    fn scan<'a>(&self, input: Input<'a>) -> Result<Scan<'a>, ScanError>;
}

/// Names a set of rules: SHA-256 over the version and the rules. Never over personal data: the id
/// is printed, and a digest of a guessable value gives it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleSetId(Digest);

impl RuleSetId {
    /// The id of the rules with this digest.
    #[must_use]
    pub const fn new(rules: Digest) -> Self {
        Self(rules)
    }

    /// The digest.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Display for RuleSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl LogSafe for RuleSetId {}
