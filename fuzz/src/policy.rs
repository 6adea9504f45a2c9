//! policy-document: no text and no page makes it panic, and what it reports lies inside its input.

use policy_document::{Document, source};

/// A sound document with every key of the format.
const FULL: &str = include_str!("../corpus/policy_toml/full");

/// Mistakes lie in the text; what is accepted is consistent.
pub fn toml(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    match Document::parse(text) {
        Ok(document) => {
            let coverage = document.coverage();
            let parts = [
                &coverage.covered,
                &coverage.ignored,
                &coverage.blank,
                &coverage.uncovered,
            ];
            let lines: usize = parts.iter().map(|part| part.len()).sum();
            assert_eq!(u32::try_from(lines), Ok(document.lines()));
            let _outcome = document.check(document.reviewed());
        }
        Err(errors) => {
            let lines = text.split('\n').count();
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.line >= 1 && error.column >= 1, "{error}");
                assert!(usize::try_from(error.line).is_ok_and(|line| line <= lines));
            }
        }
    }
}

/// Lines join to the page again; only the reviewed page is clean.
pub fn lines(data: &[u8]) {
    let joined = source::lines(data).collect::<Vec<_>>().join(&b'\n');
    assert_eq!(data.strip_suffix(b"\n").unwrap_or(data), joined);
    let Ok(document) = Document::parse(FULL) else {
        return;
    };
    let report = document.check_source(data);
    assert_eq!(report.is_clean(), report.digest == *document.sha256());
    let longest = report.lines.len().max(source::lines(data).count());
    assert_eq!(longest, report.lines.len());
}
