//! The status of a clause, over every outcome of up to two scenarios and two sabotages, every
//! attestation, deviation and kind, against the rules of the design said again in the naive way.

use conformance::status::{
    Attested, Content, Deviating, SabotageOutcome, ScenarioOutcome, judge, technical,
};
use policy_document::Kind;

use SabotageOutcome::{Caught, Missed, Unsupported};
use ScenarioOutcome::{Failed, NotRun, Passed};

/// Every list of at most `len` of these.
fn lists<T: Copy>(of: &[T], len: usize) -> Vec<Vec<T>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..len {
        let longer = last.iter().flat_map(|list| {
            of.iter().map(move |one| {
                let mut list = list.clone();
                list.push(*one);
                list
            })
        });
        last = longer.collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// Design 4.5, step by step, in the words of the document: every rule looks at everything.
fn naive_outcome(
    scenarios: &[(ScenarioOutcome, Vec<SabotageOutcome>)],
    named: &[SabotageOutcome],
) -> &'static str {
    let mut failed = false;
    let mut not_run = scenarios.is_empty();
    let mut without_teeth = false;
    for (outcome, sabotages) in scenarios {
        match outcome {
            Failed => failed = true,
            NotRun => not_run = true,
            Passed => {}
        }
        let mut catches = 0;
        for sabotage in sabotages {
            if *sabotage == Caught {
                catches += 1;
            }
        }
        if catches == 0 {
            without_teeth = true;
        }
    }
    let mut caught = 0;
    let mut missed = 0;
    let mut unsupported = 0;
    for sabotage in named {
        match sabotage {
            Caught => caught += 1,
            Missed => missed += 1,
            Unsupported => unsupported += 1,
        }
    }
    if missed > 0 || (unsupported > 0 && caught == 0) {
        without_teeth = true;
    }
    if failed {
        "broken"
    } else if not_run {
        "untested"
    } else if without_teeth {
        "toothless"
    } else {
        "kept"
    }
}

fn naive_status(
    kind: Kind,
    outcome: &'static str,
    attested: Attested,
    deviating: Deviating,
    content: Content,
) -> &'static str {
    let word = match attested {
        Attested::Valid => "attested",
        Attested::Expired => "expired",
        Attested::None => "unattested",
    };
    let proven = match (outcome, deviating) {
        ("kept", Deviating::InForce) => "superseded",
        ("kept", Deviating::Expired) => "expired",
        (other, _) => other,
    };
    match kind {
        Kind::Informational => "informational",
        Kind::Organisational => word,
        Kind::Technical if content == Content::Sealed => proven,
        _ => {
            let order = "broken toothless untested expired unattested superseded attested";
            let mut worst = "";
            for status in order.split(' ').rev() {
                if status == proven || status == word {
                    worst = status;
                }
            }
            worst
        }
    }
}

#[test]
fn every_cell_of_the_table_is_as_the_design_says() {
    let sabotages = lists(&[Caught, Missed, Unsupported], 2);
    let mut bound = Vec::new();
    for outcome in [Passed, Failed, NotRun] {
        bound.extend(sabotages.iter().map(|list| (outcome, list.clone())));
    }
    let mut scenarios: Vec<Vec<_>> = vec![Vec::new()];
    scenarios.extend(bound.iter().map(|one| vec![one.clone()]));
    for one in &bound {
        scenarios.extend(bound.iter().map(|two| vec![one.clone(), two.clone()]));
    }
    let mut cells = 0_u64;
    for scenarios in &scenarios {
        for named in &sabotages {
            let outcome = technical(scenarios, named);
            let expect = naive_outcome(scenarios, named);
            assert_eq!(outcome.status().name(), expect, "{scenarios:?} {named:?}");
            for kind in Kind::ALL {
                for attested in [Attested::Valid, Attested::Expired, Attested::None] {
                    for deviating in [Deviating::No, Deviating::InForce, Deviating::Expired] {
                        for content in [Content::Sealed, Content::Plain] {
                            let status = judge(*kind, outcome, attested, deviating, content);
                            let expect = naive_status(*kind, expect, attested, deviating, content);
                            assert_eq!(
                                status.name(),
                                expect,
                                "{kind:?} {attested:?} {deviating:?} {content:?} {scenarios:?}"
                            );
                            cells += 1;
                        }
                    }
                }
            }
        }
    }
    let lists = 1 + 3 + 9;
    let bound = 3 * lists;
    assert_eq!(cells, (1 + bound + bound * bound) * lists * 4 * 3 * 3 * 2);
}
