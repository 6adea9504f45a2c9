//! The answer of a scan. It keeps its input, so that its offsets cannot meet another text.

use std::fmt;
use std::ops::Range;

use crate::{EntityType, Input, Reason, ScanError};

/// Most findings of one scan (ours): one for every 16 bytes of the longest input.
pub const FINDINGS_MAX: usize = 1_048_576;

/// A piece of personal data: bytes of the source, on character boundaries, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    entity: EntityType,
    span: Range<usize>,
}

impl Finding {
    /// These bytes of the source are of this type. [`Scan::complete`] checks the span.
    #[must_use]
    pub const fn new(entity: EntityType, span: Range<usize>) -> Self {
        Self { entity, span }
    }

    /// What it is.
    #[must_use]
    pub const fn entity(&self) -> EntityType {
        self.entity
    }

    /// Where it is, in bytes of the source.
    #[must_use]
    pub const fn span(&self) -> Range<usize> {
        self.span.start..self.span.end
    }
}

/// All that was found in an input: findings in the order of the text, none overlapping another.
#[derive(Clone, PartialEq, Eq)]
pub struct Scan<'a> {
    input: Input<'a>,
    findings: Vec<Finding>,
}

impl<'a> Scan<'a> {
    /// The answer of a scrubber that has read so many bytes of the input with every rule it has.
    ///
    /// # Errors
    /// [`ScanError::Incomplete`] when that is not the whole input, when there are more than
    /// [`FINDINGS_MAX`] findings, or when one is empty, out of order, overlaps the one before,
    /// splits a character or lies outside.
    pub fn complete(
        input: Input<'a>,
        read_bytes: usize,
        findings: Vec<Finding>,
    ) -> Result<Self, ScanError> {
        let incomplete = |at, reason| Err(ScanError::Incomplete { at, reason });
        if read_bytes != input.len_bytes() {
            return incomplete(read_bytes.min(input.len_bytes()), Reason::Unread);
        }
        if let Some(first_lost) = findings.get(FINDINGS_MAX) {
            return incomplete(first_lost.span.start, Reason::TooManyFindings);
        }
        let mut end = 0;
        for finding in &findings {
            let span = finding.span();
            let apart = span.start >= end && !span.is_empty();
            if !apart || input.text().get(span.clone()).is_none() {
                return incomplete(end, Reason::BadSpan);
            }
            end = span.end;
        }
        Ok(Self { input, findings })
    }

    /// What was scanned.
    #[must_use]
    pub const fn input(&self) -> Input<'a> {
        self.input
    }

    /// What was found, in the order of the text.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether nothing was found, although everything was read.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Debug for Scan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("input", &self.input)
            .field("findings", &self.findings.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: EntityType = EntityType::of("NAME");

    fn check(read_bytes: usize, spans: &[Range<usize>], expect: Option<(usize, Reason)>) {
        // bytes: a 0, e-acute 1-2, b 3, c 4
        let input = Input::utf8("a\u{e9}bc".as_bytes()).unwrap();
        let findings = spans.iter().map(|s| Finding::new(NAME, s.clone()));
        let found = Scan::complete(input, read_bytes, findings.collect()).err();
        let expect = expect.map(|(at, reason)| ScanError::Incomplete { at, reason });
        assert_eq!(found, expect, "{read_bytes} {spans:?}");
    }

    #[test]
    fn only_a_whole_answer_is_one() {
        let whole = 0..5;
        check(5, &[], None);
        check(5, std::slice::from_ref(&whole), None);
        check(5, &[0..1, 1..3, 4..5], None);
        check(4, &[], Some((4, Reason::Unread)));
        check(0, &[whole], Some((0, Reason::Unread)));
        check(6, &[], Some((5, Reason::Unread)));
        let bad = |span: Range<usize>| check(5, &[span], Some((0, Reason::BadSpan)));
        bad(3..3);
        bad(0..2);
        bad(2..4);
        bad(3..6);
        check(5, &[0..3, 1..4], Some((3, Reason::BadSpan)));
        check(5, &[3..4, 0..1], Some((4, Reason::BadSpan)));
        check(5, &[0..1, 0..1], Some((1, Reason::BadSpan)));
        #[expect(clippy::reversed_empty_ranges, reason = "a scrubber could return it")]
        bad(4..3);
    }

    #[test]
    fn the_limit_of_findings_is_an_error_and_no_truncation() {
        let text = vec![b'a'; FINDINGS_MAX + 1];
        let input = Input::utf8(&text).unwrap();
        let mut findings: Vec<_> = (0..FINDINGS_MAX)
            .map(|at| Finding::new(NAME, at..at + 1))
            .collect();
        assert!(Scan::complete(input, text.len(), findings.clone()).is_ok());
        findings.push(Finding::new(NAME, FINDINGS_MAX..FINDINGS_MAX + 1));
        let expect = ScanError::Incomplete {
            at: FINDINGS_MAX,
            reason: Reason::TooManyFindings,
        };
        assert_eq!(Scan::complete(input, text.len(), findings), Err(expect));
    }
}
