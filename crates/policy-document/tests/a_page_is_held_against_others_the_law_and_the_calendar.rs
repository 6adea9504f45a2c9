//! `cross-weaker`, `stricter-than-law`, `stale`, `drift`, and names of no table.

#[path = "support/draft.rs"]
mod draft;

use draft::{Failure, TODAY, clause, document, findings, parse, text};
use policy_document::{Document, FindingCode, Severity, lint_all};
use time::macros::date;

const NONE: [String; 0] = [];

/// A document of one closed list.
fn figure(id: &str, clause_id: &str, figure: &str) -> Result<Document, Failure> {
    let rest = format!("modality = \"set\"\n[clause.figure]\n{figure}\n");
    document(id, 1, &clause(clause_id, &[1], &rest))
}

fn weaker(documents: &[&Document]) -> Vec<String> {
    let linted = lint_all(documents, TODAY);
    let all = linted.iter().flat_map(|linted| {
        let found = linted.findings.iter();
        found.map(move |finding| (linted.document.id(), finding))
    });
    all.filter(|(_, finding)| finding.code == FindingCode::CrossWeaker)
        .map(|(id, finding)| format!("{id}: {finding}"))
        .collect()
}

#[test]
fn what_is_weaker_than_another_document_names_the_other() -> Result<(), Failure> {
    let old = figure(
        "old",
        "A-01",
        "one_of = [\"tls-1.0\", \"tls-1.1\", \"tls-1.2\"]",
    )?;
    let new = figure("new", "B-01", "text = \"tls-1.2-or-newer\"")?;
    let newest = figure("newest", "C-01", "text = \"tls-1.3\"")?;
    assert_eq!(
        weaker(&[&old, &new]),
        [
            "old: cross-weaker: A-01 (1): accepts tls-1.0 and tls-1.1, weaker than tls-1.2, the least of B-01 in new"
        ]
    );
    assert_eq!(weaker(&[&new, &old]), weaker(&[&old, &new]));
    assert_eq!(weaker(&[&old, &old]), NONE, "it is not another");
    assert_eq!(weaker(&[&old]), NONE);
    let three = weaker(&[&old, &new, &newest]);
    assert_eq!(three.len(), 2, "{three:?}");
    assert!(three[0].starts_with("old:") && three[0].ends_with("the least of C-01 in newest"));
    assert!(three[1].starts_with("new:") && three[1].contains("accepts tls-1.2, weaker"));
    let lock = figure("lock", "D-01", "text = \"aes-128\"")?;
    let cipher = figure("cipher", "E-01", "text = \"aes-256\"")?;
    assert_eq!(weaker(&[&lock, &old]), NONE, "two scales");
    assert_eq!(weaker(&[&lock, &cipher]).len(), 1);
    assert_eq!(weaker(&[&cipher, &cipher]), NONE);
    let words = figure("words", "F-01", "text = \"tls\"")?;
    assert_eq!(weaker(&[&words, &new]), NONE, "no version of a scale");
    Ok(())
}

#[test]
fn a_deviation_answers_what_is_weaker() -> Result<(), Failure> {
    let rest = "modality = \"set\"\n[clause.figure]\none_of = [\"tls-1.1\", \"tls-1.2\"]\n";
    let body = clause("A-01", &[1], rest)
        + "[[deviation]]\nclause = \"A-01\"\nclass = \"stricter\"\npromised = \"1.1\"\n\
           delivered = \"1.2\"\nreason = \"RFC 8996\"\napproved_by = \"Ada\"\nreview_by = 2027-01-01\n";
    let old = document("old", 1, &body)?;
    let new = figure("new", "B-01", "text = \"tls-1.2\"")?;
    let linted = lint_all(&[&old, &new], TODAY);
    let found = linted[0]
        .findings
        .iter()
        .find(|f| f.code == FindingCode::CrossWeaker);
    let answered = found.and_then(|finding| finding.answered_by.as_ref());
    let shown = answered.map(ToString::to_string);
    assert_eq!(shown.as_deref(), Some("stricter deviation on A-01"));
    Ok(())
}

#[test]
fn seventy_two_hours_from_awareness_is_the_law() -> Result<(), Failure> {
    let notice = |from: &str, max: &str| -> Result<Vec<String>, Failure> {
        let rest = format!(
            "modality = \"ceiling\"\n[clause.bound]\nfrom = \"{from}\"\nto = \"notice.delivered\"\nmax = \"{max}\"\n"
        );
        let document = document("acme", 1, &clause("A-01", &[1], &rest))?;
        Ok(findings(&document, FindingCode::StricterThanLaw))
    };
    let law = "stricter-than-law: A-01 (1): stricter than GDPR 33(1), which gives PT72H from incident.confirmed";
    assert_eq!(
        notice("incident.suspected", "PT72H")?,
        [format!("{law}: it starts at incident.suspected")]
    );
    assert_eq!(
        notice("incident.suspected", "PT72H1S")?,
        NONE,
        "neither is stricter on every day"
    );
    assert_eq!(
        notice("incident.confirmed", "PT71H59M59S")?,
        [format!("{law}: it gives PT71H59M59S")]
    );
    assert_eq!(notice("incident.confirmed", "PT72H")?, NONE);
    assert_eq!(notice("incident.confirmed", "PT73H")?, NONE);
    assert_eq!(notice("staff.access", "PT5M")?, NONE, "another notice");
    Ok(())
}

#[test]
fn a_page_is_stale_after_three_years() -> Result<(), Failure> {
    let stale = |published: &str, figure: &str| -> Result<Vec<String>, Failure> {
        let rest = format!("kind = \"informational\"\n[clause.figure]\ntext = \"{figure}\"\n");
        let body = clause("A-01", &[1], &rest);
        let head = format!("published = {published}\n");
        Ok(findings(
            &parse(&text("acme", "Line.\n", &head, &body))?,
            FindingCode::Stale,
        ))
    };
    assert_eq!(
        stale("2023-11-22", "2023-11-22")?,
        NONE,
        "three years to the day"
    );
    assert_eq!(
        stale("2023-11-21", "2023-11-21")?,
        ["stale: A-01 (1): dated 2023-11-21, more than three years ago"]
    );
    assert_eq!(
        stale("2019-01-28", "other")?,
        ["stale: dated 2019-01-28, more than three years ago"]
    );
    assert_eq!(stale("2027-01-01", "2027-01-01")?, NONE);
    let undated = document("acme", 1, &clause("A-01", &[1], ""))?;
    assert_eq!(findings(&undated, FindingCode::Stale), NONE);
    let leap = text(
        "acme",
        "Line.\n",
        "published = 2024-02-29\n",
        &clause("A-01", &[1], ""),
    );
    let leap = parse(&leap)?;
    let is_stale = |today| {
        leap.lint(today)
            .iter()
            .any(|f| f.code == FindingCode::Stale)
    };
    assert!(
        !is_stale(date!(2027 - 03 - 01)),
        "without a 29th the end of February counts"
    );
    assert!(is_stale(date!(2027 - 03 - 02)));
    Ok(())
}

#[test]
fn every_changed_line_is_drift_with_its_clauses() -> Result<(), Failure> {
    let page = "One.\nTwo.\nThree.\n";
    let body = clause("A-01", &[1], "") + &clause("A-02", &[1], "") + &clause("A-03", &[2], "");
    let document = parse(&text("acme", page, "", &body))?;
    let drift = |source: &str| -> Vec<String> {
        let report = document.check_source(source.as_bytes());
        report.drift().iter().map(ToString::to_string).collect()
    };
    let expected = "drift: (3): the line serves no clause and no ignore".to_owned();
    assert_eq!(drift(page), std::slice::from_ref(&expected));
    assert_eq!(
        drift("Uno.\nTwo.\nThree.\n"),
        [
            "drift: A-01, A-02 (1): the line is not the one that was reviewed".to_owned(),
            expected
        ]
    );
    assert_eq!(
        drift("One.\n"),
        [
            "drift: A-03 (2): the page ends before the line",
            "drift: (3): the page ends before the line",
        ]
    );
    let found = document.lint_source(TODAY, b"Uno.\nTwo.\nThree.\n");
    let drifted = found.iter().filter(|f| f.code == FindingCode::Drift);
    assert_eq!(drifted.clone().count(), 2);
    assert!(drifted.clone().all(policy_document::Finding::fails));
    assert_eq!(FindingCode::Drift.severity(), Severity::Fails);
    Ok(())
}

#[test]
fn names_of_no_table_are_findings_of_a_document_that_does_not_load() {
    let rest = "modality = \"ceiling\"\n[clause.bound]\nfrom = \"note.eaten\"\nto = \"record.purged\"\nmax = \"P1D\"\n\
                [clause.controls]\ngdpr = [\"105\"]\nsoc2 = [\"P4.2\"]\n";
    let body = clause("A-01", &[1], rest) + "surplus = 1\n";
    let errors = Document::parse(&text("acme", "Line.\n", "", &body)).unwrap_err();
    let found = errors.iter().filter_map(policy_document::Finding::of_error);
    let codes: Vec<FindingCode> = found.map(|finding| finding.code).collect();
    assert_eq!(
        codes,
        [FindingCode::UnknownEvent, FindingCode::UnknownControl]
    );
    assert_eq!(errors.len(), 3, "{errors:?}");
}
