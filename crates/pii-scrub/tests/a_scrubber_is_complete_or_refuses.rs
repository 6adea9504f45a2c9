//! The suite passes for a scrubber that keeps the contract, and names the sentence that each faulty
//! one breaks.
#![cfg(feature = "testing")]

use std::sync::atomic::AtomicUsize;

use pii_scrub::EntityType;
use pii_scrub::testing::{Sample, scrubber_suite};

use toys::{Fault, Toy, known};

const EMAIL: EntityType = EntityType::of("EMAIL_ADDRESS");
const NAME: EntityType = EntityType::of("PERSON_NAME");

const SAMPLES: &[Sample] = &[
    Sample {
        entity: EMAIL,
        text: "ann@example.com",
    },
    Sample {
        entity: NAME,
        text: "\u{5c71}\u{7530}",
    },
    Sample {
        entity: NAME,
        text: "annann",
    },
];

#[test]
fn known_values_keep_the_contract() {
    scrubber_suite(&known(), SAMPLES).unwrap();
    assert!(scrubber_suite(&known(), &[]).is_err());
}

#[test]
fn every_faulty_one_is_caught() {
    let check = |fault: Fault, expect: &str| {
        let name = format!("{fault:?}");
        let known = known();
        let error = scrubber_suite(&Toy { known, fault }, SAMPLES).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(expect), "{name}: {said}");
        for sample in SAMPLES {
            assert!(!said.contains(sample.text), "{name}: a sample is printed");
        }
    };
    check(Fault::Blind, "alone was not found");
    check(Fault::Characters, "a finding is no span of characters");
    check(Fault::Greedy, "found where nothing is");
    check(Fault::OneType, "was taken for EMAIL_ADDRESS");
    check(Fault::Forgetful(AtomicUsize::new(0)), "not found");
    check(Fault::Refusing, "a harmless text was refused");
    check(Fault::Elsewhere, "about another text");
    check(Fault::Restless(AtomicUsize::new(0)), "the rule set changed");
    check(Fault::Blocks(64), "at the edge of a block was not found");
    check(
        Fault::Blocks(1 << 20),
        "at the edge of a block was not found",
    );
    check(Fault::Truncating, "more findings than the limit");
    check(Fault::Short, "alone was not found");
    check(Fault::Once, "with one space between was not found");
}

/// The good scrubber, and what breaks it.
#[cfg(test)]
mod toys {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use covenant_core::digest::Digest;
    use pii_scrub::{
        FINDINGS_MAX, Finding, Input, KnownValues, Reason, RuleSetId, Scan, ScanError, Scrubber,
    };

    use super::{EMAIL, SAMPLES};

    pub(super) fn known() -> KnownValues {
        KnownValues::new(SAMPLES.iter().map(|sample| (sample.entity, sample.text))).unwrap()
    }

    /// How a toy breaks the contract.
    #[derive(Debug)]
    pub(super) enum Fault {
        /// Finds nothing.
        Blind,
        /// Counts characters instead of bytes.
        Characters,
        /// Covers the whole text.
        Greedy,
        /// Says the first type for everything.
        OneType,
        /// Drops a finding now and then.
        Forgetful(AtomicUsize),
        /// Refuses everything.
        Refusing,
        /// Answers for another text.
        Elsewhere,
        /// Its rules change.
        Restless(AtomicUsize),
        /// Reads blocks, and loses what lies across an edge.
        Blocks(usize),
        /// Answers the first so many.
        Truncating,
        /// Leaves the last byte of every find.
        Short,
        /// Finds only the first occurrence.
        Once,
    }

    #[derive(Debug)]
    pub(super) struct Toy {
        pub(super) known: KnownValues,
        pub(super) fault: Fault,
    }

    impl Scrubber for Toy {
        fn rule_set(&self) -> RuleSetId {
            match &self.fault {
                Fault::Restless(n) => {
                    let n = n.fetch_add(1, Ordering::Relaxed);
                    RuleSetId::new(Digest::of(&n.to_be_bytes()))
                }
                _ => self.known.rule_set(),
            }
        }

        fn scan<'a>(&self, input: Input<'a>) -> Result<Scan<'a>, ScanError> {
            let all = || self.known.scan(input).map(|scan| scan.findings().to_vec());
            let text = input.text();
            let chars = |at: usize| text.get(..at).unwrap().chars().count();
            let findings = match &self.fault {
                Fault::Blind => Vec::new(),
                Fault::Characters => {
                    let found = all()?.into_iter().map(|f| (f.entity(), f.span()));
                    let found = found.map(|(e, s)| Finding::new(e, chars(s.start)..chars(s.end)));
                    found.collect()
                }
                Fault::Greedy if text.is_empty() => Vec::new(),
                Fault::Greedy => vec![Finding::new(EMAIL, 0..text.len())],
                Fault::OneType => {
                    let found = all()?.into_iter();
                    found.map(|f| Finding::new(EMAIL, f.span())).collect()
                }
                Fault::Forgetful(n) => {
                    let mut found = all()?;
                    if n.fetch_add(1, Ordering::Relaxed) % 5 == 4 {
                        found.pop();
                    }
                    found
                }
                Fault::Refusing => {
                    let reason = Reason::RuleFailed;
                    return Err(ScanError::Incomplete { at: 0, reason });
                }
                Fault::Elsewhere => return self.known.scan(Input::utf8(b"lorem")?),
                Fault::Restless(_) => all()?,
                Fault::Blocks(len) => {
                    let inside = |f: &Finding| f.span().start / len == (f.span().end - 1) / len;
                    all()?.into_iter().filter(inside).collect()
                }
                Fault::Truncating => match self.known.scan(input) {
                    Ok(scan) => scan.findings().to_vec(),
                    Err(ScanError::Incomplete { at, .. }) => {
                        let read = self
                            .known
                            .scan(Input::utf8(text.as_bytes().get(..at).unwrap())?)?;
                        let first = read.findings().iter().take(FINDINGS_MAX);
                        first.cloned().collect()
                    }
                    Err(error) => return Err(error),
                },
                Fault::Short => {
                    let shorter = |f: &Finding| {
                        let last = text
                            .get(f.span())
                            .unwrap()
                            .chars()
                            .next_back()
                            .map_or(0, char::len_utf8);
                        Finding::new(f.entity(), f.span().start..f.span().end - last)
                    };
                    all()?.iter().map(shorter).collect()
                }
                Fault::Once => all()?.into_iter().take(1).collect(),
            };
            Scan::complete(input, text.len(), findings)
        }
    }
}
