//! Makes an explanation minimal: leaves one label out at a time.

use std::collections::BTreeSet;

/// Drops from the labels, in their order, every one without which it still fails.
///
/// What remains fails, and as failing never ends when a constraint is added, does not fail without
/// any one of its labels.
pub(super) fn minimise(
    labels: BTreeSet<String>,
    fails: impl Fn(&BTreeSet<String>) -> bool,
) -> Vec<String> {
    let mut kept = labels;
    for label in kept.clone() {
        kept.remove(&label);
        if !fails(&kept) {
            kept.insert(label);
        }
    }
    kept.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_fails_and_nothing_can_be_left_out() {
        let all = || ["a", "b", "c", "d"].map(str::to_owned).into();
        let with = |needed: &'static [&str]| {
            move |kept: &BTreeSet<String>| needed.iter().all(|n| kept.contains(*n))
        };
        assert_eq!(minimise(all(), with(&["b", "d"])), ["b", "d"]);
        assert_eq!(minimise(all(), with(&[])), Vec::<String>::new());
        let either = |kept: &BTreeSet<String>| with(&["a", "b"])(kept) || with(&["c"])(kept);
        assert_eq!(minimise(all(), either), ["c"]);
    }
}
