//! Why a scan has no answer. No variant carries content.

use std::fmt;

use covenant_core::LogSafe;

/// A scan that has no answer: what it would have returned might not be all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// A part was not looked at, or what was found there could not be kept. The caller withholds
    /// the text.
    #[error("not scanned from byte {at} on: {reason}")]
    Incomplete {
        /// First byte of the input that is not accounted for.
        at: usize,
        /// Why.
        reason: Reason,
    },
}

/// Why a scan is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A finding lies outside the input, is empty, splits a character or overlaps another.
    BadSpan,
    /// The input is longer than [`crate::INPUT_LEN_BYTES_MAX`].
    InputTooLong,
    /// The input is no UTF-8.
    InvalidUtf8,
    /// A rule failed.
    RuleFailed,
    /// There are more findings than [`crate::FINDINGS_MAX`].
    TooManyFindings,
    /// The scrubber ended before the input did.
    Unread,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadSpan => "a finding is no span of characters of its own",
            Self::InputTooLong => "the input is too long",
            Self::InvalidUtf8 => "the input is not utf-8",
            Self::RuleFailed => "a rule failed",
            Self::TooManyFindings => "there are too many findings",
            Self::Unread => "the scrubber stopped",
        })
    }
}

impl LogSafe for ScanError {}
impl LogSafe for Reason {}
