//! `[[answer]]`: it lets a finding of exactly its clauses stand, and is refused when there is none.

#[path = "support/draft.rs"]
mod draft;

use draft::{Failure, TODAY, clause, document, findings, text};
use policy_document::{Answered, Document, ErrorKind, FindingCode, Severity};

fn answer(code: &str, clauses: &str) -> String {
    format!(
        "[[answer]]\nfinding = \"{code}\"\nclauses = [{clauses}]\nreason = \"it may stand\"\n\n"
    )
}

/// Two clauses with a vague word each, and these answers; its page is covered.
fn with(answers: &str) -> Result<Document, Failure> {
    let body = clause("A-01", &[1], "hedges = [\"rapid\"]\n")
        + &clause("A-02", &[1], "")
        + &clause("A-03", &[2], "hedges = [\"small\"]\n");
    document("acme", 2, &format!("{answers}{body}"))
}

fn idle(document: &Document) -> Vec<(ErrorKind, u32, String)> {
    let errors = document.check(TODAY).err().unwrap_or_default();
    let errors = errors.into_iter().map(|e| (e.kind, e.line, e.message));
    errors.collect()
}

#[test]
fn an_answer_is_for_exactly_its_clauses() -> Result<(), Failure> {
    let document = with(&answer("vague", "\"A-02\", \"A-01\""))?;
    assert_eq!(document.check(TODAY), Ok(()));
    let found = document.lint(TODAY);
    let vague: Vec<_> = found
        .iter()
        .filter(|f| f.code == FindingCode::Vague)
        .collect();
    assert_eq!(findings(&document, FindingCode::Vague).len(), 2);
    let reason = "it may stand".to_owned();
    assert_eq!(vague[0].answered_by, Some(Answered::Answer { reason }));
    assert_eq!(vague[1].answered_by, None);
    Ok(())
}

#[test]
fn an_idle_answer_is_refused_with_its_place() -> Result<(), Failure> {
    for idle_answer in [
        answer("vague", "\"A-01\""),
        answer("vague", "\"A-01\", \"A-02\", \"A-03\""),
        answer("hedge", "\"A-01\", \"A-02\""),
        answer("vague", ""),
    ] {
        let document = with(&(answer("vague", "\"A-03\"") + &idle_answer))?;
        let found = idle(&document);
        assert_eq!(found.len(), 1, "{idle_answer}: {found:?}");
        assert_eq!(found[0].0, ErrorKind::IdleAnswer);
        assert_eq!(found[0].1, document.answers()[1].at.line);
    }
    Ok(())
}

#[test]
fn an_answer_about_no_clause_answers_what_is_missing() -> Result<(), Failure> {
    let document = with(&answer("uncovered", ""))?;
    assert_eq!(document.check(TODAY), Ok(()));
    let found = document.lint(TODAY);
    let mut missing = found.iter().filter(|f| f.code == FindingCode::Uncovered);
    assert!(missing.all(|finding| finding.answered_by.is_some()));
    Ok(())
}

#[test]
fn whether_another_document_is_weaker_is_not_asked_of_one() -> Result<(), Failure> {
    let document = with(&answer("cross-weaker", "\"A-01\""))?;
    assert_eq!(document.check(TODAY), Ok(()));
    Ok(())
}

#[test]
fn what_needs_a_review_or_a_correction_cannot_be_answered() {
    for code in FindingCode::ALL.iter().copied() {
        let body = answer(code.name(), "\"A-01\"") + &clause("A-01", &[1], "");
        let parsed = Document::parse(&text("acme", "One.\n", "", &body));
        let kinds = parsed.err().unwrap_or_default();
        let kinds: Vec<ErrorKind> = kinds.iter().map(|error| error.kind).collect();
        let refused = matches!(
            code,
            FindingCode::Drift
                | FindingCode::FigureChanged
                | FindingCode::UnknownControl
                | FindingCode::UnknownEvent
        );
        let expected: &[ErrorKind] = if refused {
            &[ErrorKind::Contradiction]
        } else {
            &[]
        };
        assert_eq!(kinds, expected, "{code}");
    }
}

#[test]
fn every_code_has_its_name_and_its_weight() {
    let failing = "contradiction-always contradiction-some-dates undecided zero-width \
        key-before-floor key-past-ceiling start-unstated drift figure-changed unknown-control \
        unknown-event";
    let failing: Vec<&str> = failing.split_whitespace().collect();
    for code in FindingCode::ALL {
        assert_eq!(code.name().parse(), Ok(*code));
        let fails = code.severity() == Severity::Fails;
        assert_eq!(fails, failing.contains(&code.name()), "{code}");
    }
    assert_eq!(FindingCode::ALL.len(), 25);
    assert!("Vague".parse::<FindingCode>().is_err());
}
