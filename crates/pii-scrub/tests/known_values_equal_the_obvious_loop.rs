//! Known values cover exactly the bytes that the obvious loop over all values and all places covers.

use proptest::collection::vec;
use proptest::prelude::*;

use pii_scrub::{EntityType, Input, KnownValues, Scrubber};

const ANY: EntityType = EntityType::of("ANY");

/// Which bytes lie in an occurrence of a value.
fn naive(values: &[String], text: &str) -> Vec<bool> {
    let mut covered = vec![false; text.len()];
    for value in values {
        for start in 0..text.len() {
            let rest = text.as_bytes().get(start..).unwrap_or_default();
            if rest.starts_with(value.as_bytes()) {
                let bytes = covered.iter_mut().skip(start).take(value.len());
                bytes.for_each(|byte| *byte = true);
            }
        }
    }
    covered
}

fn text(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(prop::sample::select(words), 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_same_bytes_are_covered(
        values in vec("[ab\u{e9}\u{3042}]{1,6}", 0..8),
        text in text(&["a", "b", "ab", "aab", "\u{e9}", "\u{3042}", "\u{ea}", " "]),
    ) {
        let scrubber = KnownValues::new(values.iter().map(|v| (ANY, v.as_str()))).unwrap();
        let scan = scrubber.scan(Input::utf8(text.as_bytes()).unwrap()).unwrap();
        let mut covered = vec![false; text.len()];
        for finding in scan.findings() {
            let bytes = covered.get_mut(finding.span()).unwrap();
            bytes.fill(true);
        }
        prop_assert_eq!(covered, naive(&values, &text));
    }
}
