//! policy-document: no text and no page makes it panic, and what it reports lies inside its input.

use policy_document::monitor::{MonitorSet, Recorded};
use policy_document::{Document, FindingCode, Lock, source};

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
            let found = document.lint(document.reviewed());
            assert!(found.is_sorted_by_key(|finding| finding.code));
            for finding in found {
                assert!(finding.lines.iter().all(|line| *line <= document.lines()));
                let has = |id| document.clause(id).is_ok();
                assert!(finding.clauses.iter().all(has), "{finding}");
                assert!(!finding.message.contains('\n'), "{finding}");
            }
            for row in document.residency() {
                assert!(
                    row.max_days.is_none_or(|most| row.min_days <= most),
                    "{row:?}"
                );
            }
            let midnight = document.reviewed().midnight().as_utc();
            for lifecycle in document.lifecycles() {
                let dates = document.timeline(lifecycle, midnight);
                assert_eq!(dates.is_empty(), lifecycle.start().is_none());
            }
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
    // The words of any page are looked at without a panic; a page that is not clean drifts.
    let found = document.lint_source(document.reviewed(), data);
    let drifts = found.iter().any(|f| f.code == FindingCode::Drift);
    assert_eq!(drifts, report.findings().next().is_some());
    let longest = report.lines.len().max(source::lines(data).count());
    assert_eq!(longest, report.lines.len());
}

/// Every line that is read is an event that monitors take, alone and again.
pub fn exported(data: &[u8]) {
    let Ok(document) = Document::parse(FULL) else {
        return;
    };
    let mut monitors = MonitorSet::new(document.monitors());
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(event) = Recorded::from_exported(line) {
            assert_eq!(Recorded::from_exported(line), Ok(event.clone()));
            let _outcome = monitors.see(&event.observed());
        }
    }
    let _judged = monitors.close(time::UtcDateTime::UNIX_EPOCH);
}

/// Lock files are written in one way.
pub fn lock(data: &[u8]) {
    if let Ok(lock) = Lock::decode(data) {
        assert_eq!(lock.encode().as_bytes(), data);
        if let Ok(document) = Document::parse(FULL) {
            let _differences = lock.compare(&document);
        }
    }
}
