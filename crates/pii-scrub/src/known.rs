//! A scrubber for values that are known: every occurrence, byte for byte, in one pass.
//!
//! The automaton is Aho's and Corasick's, in the plainest form that is linear: it is the model that
//! others are compared with, not the fast one. It knows no case, width or other spelling of a value;
//! a caller that needs them gives them as values.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use covenant_core::canon::Writer;
use covenant_core::digest::Digest;

use crate::{
    EntityType, FINDINGS_MAX, Finding, Input, Reason, RuleSetId, Scan, ScanError, Scrubber,
};

/// Longest known value in bytes, 4 KiB (ours): a field of an account is far shorter.
pub const KNOWN_VALUE_LEN_BYTES_MAX: usize = 4_096;
/// Most bytes of all known values together, 1 MiB (ours): the automaton has one state a byte.
pub const KNOWN_VALUES_LEN_BYTES_MAX: usize = 1 << 20;

/// Finds every occurrence of given values. Its `Debug` shows no value; the values lie in memory in
/// the open and are not wiped.
pub struct KnownValues {
    rule_set: RuleSetId,
    states: Vec<State>,
}

/// The values cannot be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KnownValuesError {
    /// A value without a byte would be everywhere.
    #[error("a known value is empty")]
    Empty,
    /// A value is longer than [`KNOWN_VALUE_LEN_BYTES_MAX`].
    #[error("a known value is longer than {KNOWN_VALUE_LEN_BYTES_MAX} bytes")]
    TooLong,
    /// All together are longer than [`KNOWN_VALUES_LEN_BYTES_MAX`].
    #[error("the known values have more than {KNOWN_VALUES_LEN_BYTES_MAX} bytes")]
    TooMany,
}

/// What was read so far ends in a prefix of a value: the longest such prefix is the state.
#[derive(Default)]
struct State {
    /// The state after one more byte of a value.
    next: BTreeMap<u8, usize>,
    /// The state of the longest proper suffix that is a prefix of a value.
    fallback: usize,
    /// The longest value that ends here: its type and length.
    value: Option<(EntityType, usize)>,
}

impl KnownValues {
    /// Searches for these values, each of its type. A value that is given twice has the type that
    /// sorts first.
    ///
    /// # Errors
    /// [`KnownValuesError`] for a value that is empty or too long, or too many of them.
    pub fn new<'v>(
        values: impl IntoIterator<Item = (EntityType, &'v str)>,
    ) -> Result<Self, KnownValuesError> {
        let mut states = vec![State::default()];
        let mut entities = BTreeSet::new();
        for (entity, value) in values {
            if value.is_empty() {
                return Err(KnownValuesError::Empty);
            }
            if value.len() > KNOWN_VALUE_LEN_BYTES_MAX {
                return Err(KnownValuesError::TooLong);
            }
            entities.insert(entity);
            add(&mut states, entity, value);
            // one state for the empty text
            if states.len() > KNOWN_VALUES_LEN_BYTES_MAX + 1 {
                return Err(KnownValuesError::TooMany);
            }
        }
        link(&mut states);
        let mut rules = Writer::new();
        rules.text("pii-scrub/known-values/v1");
        entities.iter().for_each(|entity| {
            rules.text(entity.name());
        });
        Ok(Self {
            rule_set: RuleSetId::new(Digest::of(rules.as_bytes())),
            states,
        })
    }

    /// The state after one more byte. Falls back at most as often as bytes were read in all.
    fn step(&self, mut at: usize, byte: u8) -> Option<usize> {
        loop {
            let state = self.states.get(at)?;
            if let Some(next) = state.next.get(&byte) {
                return Some(*next);
            }
            if at == 0 {
                return Some(0);
            }
            at = state.fallback;
        }
    }
}

/// Adds the states of a value.
fn add(states: &mut Vec<State>, entity: EntityType, value: &str) {
    let mut at = 0;
    for byte in value.bytes() {
        let fresh = states.len();
        let Some(state) = states.get_mut(at) else {
            return;
        };
        at = *state.next.entry(byte).or_insert(fresh);
        if at == fresh {
            states.push(State::default());
        }
    }
    if let Some(state) = states.get_mut(at) {
        let first = state.value.map_or(entity, |(other, _)| other.min(entity));
        state.value = Some((first, value.len()));
    }
}

/// Fills the fallbacks, shorter prefixes first; a value that ends in a suffix ends here too.
fn link(states: &mut [State]) {
    let children = |states: &[State], at: usize| -> Vec<(u8, usize)> {
        let next = states.get(at).map(|state| state.next.iter());
        next.into_iter().flatten().map(|(b, n)| (*b, *n)).collect()
    };
    let mut queue: VecDeque<usize> = children(states, 0).into_iter().map(|(_, n)| n).collect();
    while let Some(at) = queue.pop_front() {
        for (byte, child) in children(states, at) {
            queue.push_back(child);
            let mut from = at;
            let fallback = loop {
                if from == 0 {
                    break 0;
                }
                from = states.get(from).map_or(0, |state| state.fallback);
                if let Some(next) = states.get(from).and_then(|s| s.next.get(&byte)) {
                    break *next;
                }
            };
            let shorter = states.get(fallback).and_then(|state| state.value);
            if let Some(state) = states.get_mut(child) {
                state.fallback = fallback;
                state.value = state.value.or(shorter);
            }
        }
    }
}

impl Scrubber for KnownValues {
    fn rule_set(&self) -> RuleSetId {
        self.rule_set
    }

    fn scan<'a>(&self, input: Input<'a>) -> Result<Scan<'a>, ScanError> {
        let mut findings: Vec<Finding> = Vec::new();
        let mut state = 0;
        let mut read_bytes = 0_usize;
        for byte in input.text().bytes() {
            let failed = ScanError::Incomplete {
                at: read_bytes,
                reason: Reason::RuleFailed,
            };
            state = self.step(state, byte).ok_or(failed)?;
            read_bytes = read_bytes.saturating_add(1);
            let Some((entity, len)) = self.states.get(state).and_then(|state| state.value) else {
                continue;
            };
            let start = read_bytes.saturating_sub(len);
            cover(&mut findings, entity, start, read_bytes);
            // A later value takes in at most as many findings as it has bytes: what is before them
            // stays, and is already too much.
            if let Some(lost) = findings
                .len()
                .checked_sub(KNOWN_VALUE_LEN_BYTES_MAX + 1)
                .filter(|kept| *kept >= FINDINGS_MAX)
                .and_then(|_| findings.get(FINDINGS_MAX))
            {
                return Err(ScanError::Incomplete {
                    at: lost.span().start,
                    reason: Reason::TooManyFindings,
                });
            }
        }
        Scan::complete(input, read_bytes, findings)
    }
}

/// Adds a value's occurrence, which ends after every earlier one: what it contains it takes in;
/// where it overlaps an earlier one, the rest of it keeps its own type.
fn cover(findings: &mut Vec<Finding>, entity: EntityType, start: usize, end: usize) {
    while findings
        .last()
        .is_some_and(|last| last.span().start >= start)
    {
        findings.pop();
    }
    let covered = findings.last().map_or(0, |last| last.span().end);
    findings.push(Finding::new(entity, start.max(covered)..end));
}

impl fmt::Debug for KnownValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownValues")
            .field("rule_set", &self.rule_set)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: EntityType = EntityType::of("A");
    const B: EntityType = EntityType::of("B");

    #[test]
    fn what_cannot_be_searched_for_is_refused() {
        let check = |values: &[&str], expect: Option<KnownValuesError>| {
            let values = values.iter().map(|value| (A, *value));
            assert_eq!(KnownValues::new(values).err(), expect);
        };
        check(&[], None);
        check(&["ann"], None);
        check(&[""], Some(KnownValuesError::Empty));
        check(&["ann", ""], Some(KnownValuesError::Empty));
        let longest = "x".repeat(KNOWN_VALUE_LEN_BYTES_MAX);
        check(&[&longest], None);
        check(&[&(longest.clone() + "x")], Some(KnownValuesError::TooLong));
        let many: Vec<_> = (0..257)
            .map(|n| format!("{n:04}{}", longest.get(4..).unwrap()))
            .collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        check(&many[..250], None);
        check(&many, Some(KnownValuesError::TooMany));
    }

    #[test]
    fn touching_and_overlapping_values_are_covered_to_the_last_byte() {
        let check = |values: &[(EntityType, &str)], text: &str, expect: &[(EntityType, &str)]| {
            let scrubber = KnownValues::new(values.iter().copied()).unwrap();
            let scan = scrubber
                .scan(Input::utf8(text.as_bytes()).unwrap())
                .unwrap();
            let found = scan.findings().iter();
            let found: Vec<_> = found
                .map(|f| (f.entity(), text.get(f.span()).unwrap()))
                .collect();
            assert_eq!(found, expect, "{text}");
        };
        check(
            &[(A, "ann")],
            "ann annann",
            &[(A, "ann"), (A, "ann"), (A, "ann")],
        );
        check(
            &[(A, "abcd"), (B, "cdef")],
            "abcdef",
            &[(A, "abcd"), (B, "ef")],
        );
        check(&[(A, "b"), (B, "abc")], "abcb", &[(B, "abc"), (A, "b")]);
        check(&[(A, "b"), (B, "abc")], "abd", &[(A, "b")]);
        check(&[(A, "aa")], "aaa", &[(A, "aa"), (A, "a")]);
        check(&[(B, "x"), (A, "x")], "x", &[(A, "x")]);
        check(&[(A, "\u{e9}")], "\u{e9}\u{e8}", &[(A, "\u{e9}")]);
        check(
            &[(A, "ab"), (A, "bcd"), (B, "cdefg")],
            "abcdefg",
            &[(A, "ab"), (B, "cdefg")],
        );
        check(&[(A, "Ann")], "ann", &[]);
        check(&[], "ann", &[]);
    }

    #[test]
    fn ids_and_debug_give_no_value_away() {
        let rules = |values: &[(EntityType, &str)]| {
            KnownValues::new(values.iter().copied()).unwrap().rule_set()
        };
        assert_eq!(rules(&[(A, "ann")]), rules(&[(A, "bob"), (A, "eve")]));
        assert_ne!(rules(&[(A, "ann")]), rules(&[(B, "ann")]));
        let shown = format!("{:?}", KnownValues::new([(A, "ann")]).unwrap());
        assert!(!shown.contains("ann"), "{shown}");
    }
}
