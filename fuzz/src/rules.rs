//! retention-policy: a rule file that is accepted writes back to itself; every question in JSON has an
//! answer in JSON.

use retention_policy::{FileErrorKind, Items, RuleSet, RulesFile, answer};

/// Longest text that is looked at: what takes longer to check finds nothing more.
const TEXT_LEN_BYTES_MAX: usize = 16 << 10;

/// Rule files in either language write back to themselves, and rules that load say how long
/// everything stays.
pub fn file(data: &[u8]) {
    let Some(text) = text(data) else { return };
    for file in [RulesFile::from_toml(text), RulesFile::from_json(text)] {
        let Ok(file) = file else { continue };
        let written = file.to_json();
        let again = RulesFile::from_json(&written);
        assert_eq!(again.as_ref().map(RulesFile::to_json), Ok(written));
        let sets = [Ok(file), again].map(|file| file.ok().and_then(|f| RuleSet::load(f).ok()));
        let [Some(set), Some(same)] = sets else {
            assert_eq!(sets, [None, None], "only one of two equal files loads");
            continue;
        };
        assert_eq!(set.canonical(), same.canonical());
        for class in set.classes() {
            for row in set.residency(class) {
                let least = row.shortest.secs;
                assert!(row.longest.is_none_or(|most| least <= most.secs), "{class}");
            }
        }
    }
}

/// Every request is answered with one object of JSON.
pub fn json(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let answer = answer(text);
    assert!(
        answer.starts_with("{\"ok\":") || answer.starts_with("{\"errors\":[{"),
        "{answer}"
    );
    // another kind of object, but one
    let errors = Items::from_json(&answer).expect_err("an answer is no list of items");
    let is_syntax = |kind: &FileErrorKind| matches!(kind, FileErrorKind::Syntax(_));
    let broken = errors
        .as_slice()
        .iter()
        .find(|error| is_syntax(&error.kind));
    assert_eq!(broken, None, "{answer}");
}

fn text(data: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(data).ok()?;
    (text.len() <= TEXT_LEN_BYTES_MAX).then_some(text)
}
