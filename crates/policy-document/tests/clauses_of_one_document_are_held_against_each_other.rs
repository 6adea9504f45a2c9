//! `never-against-does`, `repeated`, `ownership`, `location`, `unbound`: what clauses of one
//! document say of the same thing.

#[path = "support/draft.rs"]
mod draft;

use draft::{Failure, TODAY, clause, document, findings};
use policy_document::{Finding, FindingCode};

const NONE: [String; 0] = [];

fn only(body: &str, code: FindingCode) -> Result<Finding, Failure> {
    let all = document("acme", 4, body)?.lint(TODAY);
    let mut found = all.into_iter().filter(|finding| finding.code == code);
    match (found.next(), found.next()) {
        (Some(finding), None) => Ok(finding),
        other => Err(format!("not one {code}: {other:?}").into()),
    }
}

#[test]
fn what_one_clause_denies_and_others_do_is_one_finding() -> Result<(), Failure> {
    let code = FindingCode::NeverAgainstDoes;
    let deny = clause("A-01", &[1], "denies = [\"third-parties\"]\n");
    let does = clause(
        "A-02",
        &[2, 3],
        "does = [\"third-parties\"]\nwords_on = [3]\n",
    );
    let also = clause("A-03", &[4], "does = [\"third-parties\", \"else\"]\n");
    let found = only(&format!("{deny}{does}{also}"), code)?;
    assert_eq!(
        found.to_string(),
        "never-against-does: A-01, A-02, A-03 (1, 3, 4): third-parties is denied by A-01, done by A-02, A-03"
    );
    let other = clause("A-02", &[2], "does = [\"parties\"]\n");
    for body in [deny.clone(), does, format!("{deny}{other}")] {
        let document = document("acme", 4, &body)?;
        assert_eq!(findings(&document, code), NONE, "{body}");
    }
    Ok(())
}

#[test]
fn a_denial_of_a_right_is_said_to_be_one() -> Result<(), Failure> {
    let right = |article: &str| {
        let deny = format!("denies = [\"deletion\"]\n[clause.controls]\ngdpr = [\"{article}\"]\n");
        let body = clause("A-01", &[1], &deny) + &clause("A-02", &[2], "does = [\"deletion\"]\n");
        only(&body, FindingCode::NeverAgainstDoes)
    };
    assert!(
        right("17(1)")?
            .message
            .ends_with("the denial stands against GDPR 17(1)")
    );
    assert!(!right("28(2)")?.message.contains("GDPR"));
    assert!(!right("5(1)(e)")?.message.contains("GDPR"));
    Ok(())
}

#[test]
fn a_deviation_answers_while_it_is_in_force() -> Result<(), Failure> {
    let body = clause("A-01", &[1], "denies = [\"third-parties\"]\n")
        + &clause("A-02", &[2], "does = [\"third-parties\"]\n")
        + "[[deviation]]\nclause = \"A-01\"\nclass = \"reinterpreted\"\npromised = \"none\"\n\
           delivered = \"the listed\"\nreason = \"they are listed\"\napproved_by = \"Ada\"\n";
    let answered = |by: &str| -> Result<Option<String>, Failure> {
        let found = only(
            &format!("{body}review_by = {by}\n"),
            FindingCode::NeverAgainstDoes,
        )?;
        Ok(found.answered_by.map(|answered| answered.to_string()))
    };
    let said = "reinterpreted deviation on A-01";
    assert_eq!(answered("2026-11-22")?.as_deref(), Some(said));
    assert_eq!(answered("2026-11-21")?, None, "it ended the day before");
    Ok(())
}

#[test]
fn a_promise_twice_is_answered_by_the_same_scenarios() -> Result<(), Failure> {
    let same = clause("A-01", &[1], "") + &clause("A-02", &[2], "repeats = \"A-01\"\n");
    let found = only(&same, FindingCode::Repeated)?;
    assert_eq!(
        found.to_string(),
        "repeated: A-01, A-02 (1, 2): A-02 repeats A-01"
    );
    let shown = found.answered_by.map(|answered| answered.to_string());
    assert_eq!(shown.as_deref(), Some("proven by export::tools"));
    let verify = "repeats = \"A-01\"\n[clause.verify]\nscenarios = [\"export::complete\"]\n\
                  sabotages = [\"export-incomplete\"]\n";
    let other = clause("A-01", &[1], "") + &clause("A-02", &[2], verify);
    assert_eq!(only(&other, FindingCode::Repeated)?.answered_by, None);
    let nothing = "kind = \"organisational\"\n";
    let unproven = clause("A-01", &[1], nothing)
        + &clause("A-02", &[2], &format!("{nothing}repeats = \"A-01\"\n"));
    assert_eq!(only(&unproven, FindingCode::Repeated)?.answered_by, None);
    Ok(())
}

#[test]
fn two_owners_of_one_thing_are_one_finding() -> Result<(), Failure> {
    let own = |id: &str, line: u32, thing: &str, owner: &str| {
        clause(
            id,
            &[line],
            &format!("owner = {{ {thing} = \"{owner}\" }}\n"),
        )
    };
    let one = own("A-01", 1, "key", "customer") + &own("A-02", 2, "key", "customer");
    let apart = own("A-03", 3, "data", "provider");
    let agreed = document("acme", 4, &format!("{one}{apart}"))?;
    assert_eq!(findings(&agreed, FindingCode::Ownership), NONE);
    let other = own("A-04", 4, "key", "provider");
    let found = only(&format!("{one}{apart}{other}"), FindingCode::Ownership)?;
    assert_eq!(
        found.to_string(),
        "ownership: A-01, A-02, A-04 (1, 2, 4): the key is owned by several: customer by A-01, A-02, provider by A-04"
    );
    Ok(())
}

#[test]
fn a_site_outside_the_closed_list_is_found_and_a_declared_one_answers() -> Result<(), Failure> {
    let code = FindingCode::Location;
    let list = clause(
        "A-01",
        &[1],
        "modality = \"set\"\nsites = [\"chicago\"]\n[clause.figure]\none_of = [\"chicago\", \"osaka\"]\n",
    );
    let at = |site: &str, declared: &str| {
        clause("A-02", &[2], &format!("sites = [\"{site}\"]\n{declared}"))
    };
    for body in [
        format!("{list}{}", at("chicago", "")),
        format!("{list}{}", at("osaka", "")),
        at("kyiv", ""),
        list.clone(),
    ] {
        assert_eq!(findings(&document("acme", 4, &body)?, code), NONE, "{body}");
    }
    let found = only(&format!("{list}{}", at("kyiv", "")), code)?;
    assert_eq!(
        found.to_string(),
        "location: A-01, A-02 (1, 2): kyiv is not in the closed list of sites of A-01"
    );
    assert_eq!(found.answered_by, None);
    let declare = |set: &str| {
        format!("[clause.declared]\nsites = {{ set = [{set}], why = \"the second site\" }}\n")
    };
    let with = at("kyiv", &declare("\"chicago\", \"kyiv\""));
    let answered = only(&format!("{list}{with}"), code)?.answered_by;
    let shown = answered.map(|answered| answered.to_string());
    assert_eq!(
        shown.as_deref(),
        Some("declared on A-02: sites = chicago + kyiv")
    );
    let without = at("kyiv", &declare("\"osaka\""));
    assert_eq!(only(&format!("{list}{without}"), code)?.answered_by, None);
    Ok(())
}

#[test]
fn a_technical_part_without_scenario_or_sabotage_is_unbound() -> Result<(), Failure> {
    let code = FindingCode::Unbound;
    let verify = |kind: &str, scenarios: &str, sabotages: &str| {
        let rest =
            format!("{kind}[clause.verify]\nscenarios = {scenarios}\nsabotages = {sabotages}\n");
        clause("A-01", &[1], &rest)
    };
    let (scenario, sabotage) = ("[\"export::tools\"]", "[\"export-incomplete\"]");
    let technical = "kind = \"technical\"\n";
    let partial = "kind = \"partial\"\nattests = \"the rest\"\n";
    for (kind, word) in [(technical, "technical"), (partial, "partial")] {
        let missing = |scenarios: &str, sabotages: &str| -> Result<String, Failure> {
            Ok(only(&verify(kind, scenarios, sabotages), code)?.message)
        };
        let start = format!("a {word} clause names no");
        assert_eq!(
            missing("[]", "[]")?,
            format!("{start} scenario and no sabotage")
        );
        assert_eq!(missing("[]", sabotage)?, format!("{start} scenario"));
        assert_eq!(missing(scenario, "[]")?, format!("{start} sabotage"));
        let bound = document("acme", 1, &verify(kind, scenario, sabotage))?;
        assert_eq!(findings(&bound, code), NONE);
    }
    for kind in ["organisational", "informational"] {
        let body = clause("A-01", &[1], &format!("kind = \"{kind}\"\n"));
        assert_eq!(findings(&document("acme", 1, &body)?, code), NONE, "{kind}");
    }
    Ok(())
}
