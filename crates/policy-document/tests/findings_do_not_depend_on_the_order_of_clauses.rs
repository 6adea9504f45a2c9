//! The linter is a function of what is said, not of where: clauses in any order give the same
//! findings, and linting twice gives the same.

use policy_document::{Document, Finding, FindingCode, lint_all};
use proptest::prelude::*;
use proptest::sample::Index;
use time::Date;
use time::macros::date;

const TODAY: Date = date!(2026 - 11 - 22);
const POLICIES: [&str; 3] = [
    include_str!("../../../policies/prodb.toml"),
    include_str!("../../../policies/protopie.toml"),
    include_str!("../../../policies/immidb.toml"),
];

/// What stays when clauses change places; a message may list them in another order.
type Core = (FindingCode, Vec<String>, Vec<u32>);

fn core(finding: &Finding) -> Core {
    let clauses = finding.clauses.iter().map(ToString::to_string).collect();
    (finding.code, clauses, finding.lines.clone())
}

/// The same text with two of its clauses in each other's place.
fn swapped(text: &str, one: Index, other: Index) -> String {
    let mut parts: Vec<&str> = text.split("[[clause]]\n").collect();
    // the last part ends with the tables after the clauses
    let clauses = parts.len().saturating_sub(2);
    if clauses > 0 {
        parts.swap(one.index(clauses) + 1, other.index(clauses) + 1);
    }
    parts.join("[[clause]]\n")
}

fn cores(documents: &[Document]) -> Vec<Vec<Core>> {
    let all: Vec<&Document> = documents.iter().collect();
    let linted = lint_all(&all, TODAY).into_iter();
    linted
        .map(|l| l.findings.iter().map(core).collect())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn clauses_in_any_order(swaps in prop::collection::vec((any::<Index>(), any::<Index>()), 1..40)) {
        let parse = |text: &str| Document::parse(text).map_err(|e| TestCaseError::fail(format!("{e:?}")));
        let mut texts = POLICIES.map(str::to_owned);
        let before: Vec<Document> = texts.iter().map(|t| parse(t)).collect::<Result<_, _>>()?;
        for (one, other) in swaps {
            for text in &mut texts {
                *text = swapped(text, one, other);
            }
        }
        let after: Vec<Document> = texts.iter().map(|t| parse(t)).collect::<Result<_, _>>()?;
        prop_assert_eq!(cores(&before), cores(&after));
        let all: Vec<&Document> = after.iter().collect();
        prop_assert_eq!(lint_all(&all, TODAY), lint_all(&all, TODAY));
        prop_assert_eq!(after[0].lint(TODAY), after[0].lint(TODAY));
    }
}
