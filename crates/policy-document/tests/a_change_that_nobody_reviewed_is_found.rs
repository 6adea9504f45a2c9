//! Against its lock file a document shows every figure, line and promise that is not as it was, and
//! only a review that was written since lets it stand.

use std::collections::BTreeSet;
use std::error::Error;

use policy_document::{
    Document, FindingCode, LOCK_LEN_BYTES_MAX, Lock, LockChange, LockError, lock_findings,
};
use time::macros::date;

type Outcome = Result<(), Box<dyn Error>>;

const FULL: &str = include_str!("data/full.toml");

fn document(text: &str) -> Result<Document, String> {
    Document::parse(text).map_err(|errors| format!("{errors:?}"))
}

fn lock() -> Result<Lock, String> {
    Ok(Lock::of(&document(FULL)?, date!(2026 - 11 - 22)))
}

fn changed(from: &str, to: &str) -> Result<String, String> {
    if FULL.contains(from) {
        Ok(FULL.replacen(from, to, 1))
    } else {
        Err(format!("{from} is not in the document"))
    }
}

fn review(clause: &str) -> String {
    format!(
        "\n[[review]]\nclause = \"{clause}\"\non = 2026-11-23\nby = \"somebody\"\nchange = \"as \
         the page now says\"\n"
    )
}

/// What is found without a review, and that a review of the clause lets it stand.
fn check(from: &str, to: &str, clause: &str, code: FindingCode, says: &str) -> Outcome {
    let text = changed(from, to)?;
    let differences = lock()?.compare(&document(&text)?);
    let found = lock_findings(&differences);
    let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{from}: {shown:?}");
    for finding in &found {
        assert_eq!(finding.code, code, "{from}");
        assert!(
            finding.fails() && finding.message.contains(says),
            "{shown:?}"
        );
        let clauses: Vec<_> = finding.clauses.iter().map(ToString::to_string).collect();
        assert_eq!(clauses, [clause]);
    }
    let reviewed = document(&format!("{text}{}", review(clause)))?;
    let differences = lock()?.compare(&reviewed);
    assert!(!differences.is_empty() && differences.iter().all(|d| d.review.is_some()));
    assert_eq!(lock_findings(&differences), []);
    let other = document(&format!("{text}{}", review("F-06")))?;
    assert_eq!(lock_findings(&lock()?.compare(&other)).len(), 1, "{from}");
    Ok(())
}

#[test]
fn a_figure_without_its_lines() -> Outcome {
    let code = FindingCode::FigureChanged;
    check(
        "max = \"PT4H\"",
        "max = \"PT8H\"",
        "F-04",
        code,
        "bound.max was PT4H and is PT8H",
    )?;
    check(
        "period = \"PT25H\"",
        "period = \"PT26H\"",
        "F-01",
        code,
        "bound.late was PT25H and is PT26H",
    )?;
    check(
        "count = 8",
        "count = 9",
        "F-04",
        code,
        "declared.cap was 8 and is 9",
    )?;
    check("count = 30", "count = 31", "F-01", code, "figure.count")?;
    check("den = 2", "den = 3", "F-02", code, "was > 1/2 and is > 1/3")?;
    check(
        "waived_by = [\"record.manual_purge\"]\n",
        "",
        "F-01",
        code,
        "was record.manual_purge and is none",
    )?;
    check(
        "modality = \"always\"",
        "modality = \"never\"",
        "F-02",
        code,
        "modality was always and is never",
    )
}

#[test]
fn a_digest_that_was_written_anew() -> Outcome {
    let line = "lines = [3]\ndigests = [\"f4";
    check(
        line,
        "lines = [3]\ndigests = [\"f5",
        "F-01",
        FindingCode::Drift,
        "its lines are others",
    )
}

#[test]
fn a_promise_that_is_gone_and_one_that_is_new() -> Outcome {
    let start = FULL.find("[[clause]]\nid = \"F-06\"").ok_or("no F-06")?;
    let end = FULL.find("[[deviation]]").ok_or("no deviation")?;
    let (head, tail) = (FULL.get(..start), FULL.get(end..));
    let without = [head.unwrap_or(""), tail.unwrap_or("")].concat();
    let differences = lock()?.compare(&document(&without)?);
    assert_eq!(differences.len(), 1);
    assert!(differences.iter().all(|d| d.change == LockChange::Removed));
    let codes: Vec<_> = lock_findings(&differences).iter().map(|f| f.code).collect();
    assert_eq!(codes, [FindingCode::FigureChanged]);
    let reviewed = document(&format!("{without}{}", review("F-06")))?;
    assert_eq!(lock_findings(&lock()?.compare(&reviewed)), []);

    let older = Lock::of(&document(&without)?, date!(2026 - 11 - 22));
    let differences = older.compare(&document(FULL)?);
    assert!(differences.iter().all(|d| d.change == LockChange::Added));
    assert_eq!(
        (differences.len(), lock_findings(&differences).len()),
        (1, 0)
    );
    Ok(())
}

#[test]
fn a_review_counts_once_and_only_for_its_clause() -> Outcome {
    let once = format!("{FULL}{}", review("F-04"));
    let blessed = Lock::of(&document(&once)?, date!(2026 - 11 - 23));
    assert_eq!(blessed.compare(&document(&once)?), []);
    let again = document(&once.replacen("max = \"PT4H\"", "max = \"PT8H\"", 1))?;
    assert_eq!(
        lock_findings(&blessed.compare(&again)).len(),
        1,
        "it is used up"
    );
    let stray = document(&format!("{FULL}{}", review("F-09")))?;
    let codes: Vec<_> = lock_findings(&lock()?.compare(&stray))
        .iter()
        .map(|finding| finding.code)
        .collect();
    assert_eq!(codes, [FindingCode::FigureChanged]);
    assert!(document(&format!("{FULL}{}", review("G-01"))).is_err());
    let twice = format!("{FULL}{}{}", review("F-04"), review("F-04"));
    assert!(document(&twice).is_err());
    let early = document(&once)?;
    assert!(
        early.check(date!(2026 - 11 - 22)).is_err(),
        "a review from the future"
    );
    assert!(early.check(date!(2026 - 11 - 23)).is_ok());
    Ok(())
}

#[test]
fn lines_that_only_moved_are_the_same() -> Outcome {
    let moved = FULL
        .replacen("lines = 4\n", "lines = 5\n", 1)
        .replacen("blank = [2]", "blank = [2, 3]", 1)
        .replace("words_on = [3]", "words_on = [4]")
        .replace("lines = [4]\ndigests", "lines = [5]\ndigests")
        .replace("lines = [3]\ndigests", "lines = [4]\ndigests");
    assert_eq!(lock()?.compare(&document(&moved)?), []);
    Ok(())
}

#[test]
fn every_value_of_a_clause_that_is_a_figure_is_locked() -> Outcome {
    let text = lock()?.encode();
    for name in [
        "kind",
        "modality",
        "bound.from",
        "bound.to",
        "bound.state",
        "bound.of",
        "bound.min",
        "bound.max",
        "bound.per",
        "bound.late",
        "bound.waived_by",
        "figure.count",
        "figure.fields",
        "figure.one_of",
        "figure.ratio",
        "figure.text",
        "declared.cap",
        "declared.flags",
        "declared.word",
    ] {
        assert!(text.contains(&format!("\"{name}\": ")), "{name}");
    }
    Ok(())
}

#[test]
fn a_lock_file_reads_as_it_was_written_and_no_other_way() -> Outcome {
    let with_review = document(&format!("{FULL}{}", review("F-04")))?;
    let lock = Lock::of(&with_review, date!(2026 - 11 - 23));
    let text = lock.encode();
    assert_eq!(Lock::decode(text.as_bytes()), Ok(lock.clone()));
    assert_eq!(
        (lock.document().as_str(), lock.blessed()),
        ("full", date!(2026 - 11 - 23))
    );
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Lock::decode(text.replacen(from, to, 1).as_bytes()).err()
    };
    assert_eq!(
        refused("policy-lock/v1", "policy-lock/v2"),
        Some(LockError::Part("format"))
    );
    assert_eq!(
        refused("\"full\"", "\"Full\""),
        Some(LockError::Part("document"))
    );
    assert_eq!(
        refused("2026-11-23", "2026-11-32"),
        Some(LockError::Part("blessed"))
    );
    assert_eq!(
        refused("\"number\": 3", "\"number\": -3"),
        Some(LockError::Part("number"))
    );
    assert_eq!(
        refused("\"number\": 3,", ""),
        Some(LockError::Part("number"))
    );
    assert_eq!(
        refused("\"id\": \"F-01\"", "\"id\": \"F1\""),
        Some(LockError::Part("id"))
    );
    assert_eq!(
        refused("\"kind\": \"partial\"", "\"kind\": 1"),
        Some(LockError::Part("figures"))
    );
    for (from, to) in [
        ("  \"document\"", "\"document\""),
        ("\"blessed\"", "\"surplus\": 1,\n  \"blessed\""),
        ("\n", "\r\n"),
        ("\"kind\"", "\"kind\": \"partial\", \"kind\""),
        ("full", "\\u0066ull"),
    ] {
        assert_eq!(refused(from, to), Some(LockError::Spelling), "{from}");
    }
    assert!(matches!(
        Lock::decode(b"{"),
        Err(LockError::Syntax { line: 1, .. })
    ));
    let long = vec![b' '; LOCK_LEN_BYTES_MAX + 1];
    assert_eq!(Lock::decode(&long), Err(LockError::TooLong));
    let lines: BTreeSet<_> = text
        .lines()
        .filter(|line| line.contains("digest"))
        .collect();
    assert!(lines.len() >= 2);
    Ok(())
}

/// Each policy of the workspace is as it was when its lock file was written: whoever changes a
/// figure or a digest writes a review, and runs `covenant policy bless`.
#[test]
fn the_three_policies_are_as_they_were_blessed() -> Outcome {
    for (text, lock) in [
        (
            include_str!("../../../policies/prodb.toml"),
            include_str!("../../../policies/prodb.lock.json"),
        ),
        (
            include_str!("../../../policies/protopie.toml"),
            include_str!("../../../policies/protopie.lock.json"),
        ),
        (
            include_str!("../../../policies/immidb.toml"),
            include_str!("../../../policies/immidb.lock.json"),
        ),
    ] {
        let document = document(text)?;
        let lock = Lock::decode(lock.as_bytes())?;
        assert_eq!(lock.document(), document.id());
        let changes = lock.compare(&document);
        let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(changes, [""; 0], "{}", document.id());
    }
    Ok(())
}

// clause: P-33, P-67
#[test]
fn lines_in_another_order_are_other_lines() -> Outcome {
    let text = include_str!("../../../policies/prodb.toml");
    let before = document(text)?;
    let clause = before.clause(&"P-33".parse()?)?;
    let digests: Vec<String> = clause
        .lines
        .iter()
        .map(|line| line.digest.to_string())
        .collect();
    let (first, second) = (&digests[0], &digests[1]);
    let swapped = text.replace(first, "@").replace(second, first);
    let after = document(&swapped.replace('@', second))?;
    let found = Lock::of(&before, date!(2026 - 11 - 22)).compare(&after);
    let changes: Vec<_> = found
        .iter()
        .map(|one| (one.clause.to_string(), &one.change))
        .collect();
    assert_eq!(changes, [("P-33".to_owned(), &LockChange::Line)]);
    Ok(())
}

#[test]
fn of_two_reviews_the_last_one_speaks() -> Outcome {
    let text = changed("max = \"PT4H\"", "max = \"PT8H\"")?;
    let again = review("F-04").replace("as the page now says", "as agreed");
    let reviewed = document(&format!("{text}{}{again}", review("F-04")))?;
    let found = lock()?.compare(&reviewed);
    let said = found[0]
        .review
        .as_ref()
        .map(|review| review.change.as_str());
    assert_eq!(said, Some("as agreed"));
    Ok(())
}
