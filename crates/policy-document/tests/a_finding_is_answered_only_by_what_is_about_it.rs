//! What lets a finding stand is about that finding: a tolerance that is none, a set of other sites,
//! a scenario too few, a choice that only a tolerance allows answer nothing.

#[path = "support/draft.rs"]
mod draft;

use draft::{Failure, TODAY, clause, document, findings};
use policy_document::{Document, Finding, FindingCode, lint_all};

/// The one finding of a code.
fn one(document: &Document, code: FindingCode) -> Result<Finding, Failure> {
    assert_eq!(findings(document, code).len(), 1);
    let mut found = document.lint(TODAY);
    found.retain(|finding| finding.code == code);
    Ok(found.remove(0))
}

fn answer(finding: &Finding) -> Option<String> {
    finding.answered_by.as_ref().map(ToString::to_string)
}

// clause
#[test]
fn a_choice_that_only_a_tolerance_allows_does_not_answer_the_page() -> Result<(), Failure> {
    let chosen = |wait: &str| {
        let wait = format!(
            "modality = \"exact\"\n[clause.bound]\nfrom = \"key.scheduled\"\nto = \"key.destroyed\"\n\
             min = \"P7D\"\nmax = \"P30D\"\n[clause.declared]\n\
             wait = {{ period = \"{wait}\", why = \"chosen\" }}\n"
        );
        let end = "modality = \"ceiling\"\n[clause.bound]\nfrom = \"contract.terminated\"\n\
                   to = \"key.destroyed\"\nmax = \"P14D\"\n[clause.declared]\n\
                   late = { period = \"P2D\", why = \"a sweep\" }\n";
        let body = clause("A-01", &[1], &wait) + &clause("A-02", &[2], end);
        one(
            &document("acme", 2, &body)?,
            FindingCode::ContradictionAlways,
        )
    };
    let within = chosen("P14D")?;
    assert_eq!(
        answer(&within).as_deref(),
        Some("declared on A-01: wait = P14D")
    );
    let beyond = chosen("P15D")?;
    assert_eq!(answer(&beyond), None);
    assert!(beyond.fails());
    Ok(())
}

// clause: P-18, P-60
#[test]
fn either_tolerance_answers_a_lack_of_width_and_none_at_all_does_not() -> Result<(), Failure> {
    let declared = |tolerances: &str| {
        let exact = format!(
            "modality = \"exact\"\n[clause.bound]\nfrom = \"trial.ended\"\nto = \"database.deleted\"\n\
             min = \"P6M\"\nmax = \"P6M\"\n[clause.declared]\n{tolerances}"
        );
        one(
            &document("acme", 1, &clause("A-01", &[1], &exact))?,
            FindingCode::ZeroWidth,
        )
    };
    let late = "late = { period = \"PT24H\", why = \"a sweep\" }\n";
    let shown = Some("declared on A-01: late = PT24H".to_owned());
    assert_eq!(answer(&declared(late)?), shown);
    let none = "early = { period = \"PT0S\", why = \"never sooner\" }\n";
    assert_eq!(answer(&declared(&format!("{none}{late}"))?), shown);
    Ok(())
}

// clause: P-17
#[test]
fn a_set_of_another_name_is_no_list_of_sites() -> Result<(), Failure> {
    let list = clause(
        "A-01",
        &[1],
        "modality = \"set\"\nsites = [\"chicago\"]\n[clause.figure]\none_of = [\"chicago\"]\n",
    );
    let named = |name: &str| {
        let rest = format!(
            "sites = [\"kyiv\"]\n[clause.declared]\n{name} = {{ set = [\"kyiv\"], why = \"there\" }}\n"
        );
        let body = format!("{list}{}", clause("A-02", &[2], &rest));
        one(&document("acme", 2, &body)?, FindingCode::Location)
    };
    assert!(answer(&named("sites")?).is_some());
    assert_eq!(answer(&named("offices")?), None);
    Ok(())
}

// clause: P-16
#[test]
fn a_promise_said_twice_is_proven_by_all_scenarios_of_the_first() -> Result<(), Failure> {
    let verify = |scenarios: &str| {
        format!(
            "\n[clause.verify]\nscenarios = [{scenarios}]\nsabotages = [\"backup-plaintext\"]\n"
        )
    };
    let both = "\"at_rest::backups\", \"at_rest::rows\"";
    let said = |scenarios: &str| {
        let again = format!("repeats = \"A-01\"\n{}", verify(scenarios));
        let body = clause("A-01", &[1], &verify(both)) + &clause("A-02", &[2], &again);
        one(&document("acme", 2, &body)?, FindingCode::Repeated)
    };
    assert!(answer(&said(both)?).is_some());
    assert_eq!(answer(&said("\"at_rest::backups\"")?), None);
    Ok(())
}

// clause: P-10
#[test]
fn what_another_document_shows_can_be_answered() -> Result<(), Failure> {
    let figure = |id: &str, word: &str| {
        let rest = format!("modality = \"set\"\n[clause.figure]\ntext = \"{word}\"\n");
        clause(id, &[1], &rest)
    };
    let answered =
        "[[answer]]\nfinding = \"cross-weaker\"\nclauses = [\"A-01\"]\nreason = \"by contract\"\n";
    let old = document(
        "old",
        1,
        &format!("{}{answered}", figure("A-01", "tls-1.2")),
    )?;
    let new = document("new", 1, &figure("B-01", "tls-1.3"))?;
    let linted = lint_all(&[&old, &new], TODAY);
    let mut found = linted[0].findings.iter();
    let weaker = found.find(|finding| finding.code == FindingCode::CrossWeaker);
    let answer = answer(weaker.ok_or("it is weaker")?);
    assert_eq!(answer.as_deref(), Some("by contract"));
    Ok(())
}
