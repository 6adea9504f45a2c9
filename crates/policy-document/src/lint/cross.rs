//! Clauses of one document against each other: `never-against-does`, `repeated`, `ownership`,
//! `location`.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::ClauseId;

use super::{Answered, Finding, FindingCode, Linter};
use crate::{Clause, Figure, Modality, Token};

pub(super) fn findings(linter: &Linter<'_>) -> Vec<Finding> {
    let mut found = never_against_does(linter);
    found.extend(linter.clauses().filter_map(|c| repeated(linter, c)));
    found.extend(ownership(linter));
    found.extend(location(linter));
    found
}

/// A finding on those lines of these clauses that carry their words.
fn on_words<'c>(
    code: FindingCode,
    clauses: impl IntoIterator<Item = &'c Clause> + Clone,
    message: String,
) -> Finding {
    let lines: Vec<u32> = clauses
        .clone()
        .into_iter()
        .flat_map(Clause::word_lines)
        .collect();
    Finding::new(code, clauses.into_iter().map(|c| c.id), lines, message)
}

/// One finding a token that some clause denies and some other does.
fn never_against_does(linter: &Linter<'_>) -> Vec<Finding> {
    let mut tokens: BTreeMap<&Token, (Vec<&Clause>, Vec<&Clause>)> = BTreeMap::new();
    for clause in linter.clauses() {
        for token in &clause.denies {
            tokens.entry(token).or_default().0.push(clause);
        }
        for token in clause.does.difference(&clause.denies) {
            tokens.entry(token).or_default().1.push(clause);
        }
    }
    let mut found = Vec::new();
    for (token, (deny, does)) in tokens {
        if deny.is_empty() {
            continue;
        }
        if does.is_empty() {
            continue;
        }
        let mut message = format!(
            "{token} is denied by {}, done by {}",
            ids(&deny),
            ids(&does)
        );
        let rights = deny.iter().flat_map(|clause| &clause.controls.gdpr);
        let rights: BTreeSet<&String> = rights.filter(|article| is_right(article)).collect();
        for article in rights {
            message.push_str(&format!("; the denial stands against GDPR {article}"));
        }
        let both: Vec<&Clause> = deny.into_iter().chain(does).collect();
        let clauses: Vec<ClauseId> = both.iter().map(|clause| clause.id).collect();
        let finding = on_words(FindingCode::NeverAgainstDoes, both, message);
        found.push(finding.with_answer(linter.deviation(&clauses)));
    }
    found
}

/// Whether an article is a right of the person: 15 to 22 of the GDPR.
fn is_right(article: &str) -> bool {
    let number = article.split('(').next().unwrap_or_default();
    number.parse().is_ok_and(|n: u32| (15..=22).contains(&n))
}

/// Answered when the same scenarios prove both.
fn repeated(linter: &Linter<'_>, clause: &Clause) -> Option<Finding> {
    let first = linter.document.clause(&clause.repeats?).ok()?;
    let message = format!("{} repeats {}", clause.id, first.id);
    let scenarios = &clause.verify.scenarios;
    let same = !scenarios.is_empty() && *scenarios == first.verify.scenarios;
    let answered = same.then(|| Answered::SameScenarios {
        scenarios: scenarios.clone(),
    });
    Some(Finding::on(FindingCode::Repeated, [first, clause], message).with_answer(answered))
}

/// One finding a thing that several are said to own.
fn ownership(linter: &Linter<'_>) -> Vec<Finding> {
    let mut things: BTreeMap<&Token, BTreeMap<&Token, Vec<&Clause>>> = BTreeMap::new();
    for clause in linter.clauses() {
        for (thing, owner) in &clause.owner {
            let owners = things.entry(thing).or_default();
            owners.entry(owner).or_default().push(clause);
        }
    }
    let disputed = things.into_iter().filter(|(_, owners)| owners.len() > 1);
    let finding = |(thing, owners): (&Token, BTreeMap<&Token, Vec<&Clause>>)| {
        let each = owners
            .iter()
            .map(|(owner, clauses)| format!("{owner} by {}", ids(clauses)));
        let each: Vec<String> = each.collect();
        let message = format!("the {thing} is owned by several: {}", each.join(", "));
        let clauses: Vec<&Clause> = owners.into_values().flatten().collect();
        on_words(FindingCode::Ownership, clauses, message)
    };
    disputed.map(finding).collect()
}

/// Sites that a clause names and the closed list of sites does not. A declared list answers that
/// has them.
fn location(linter: &Linter<'_>) -> Vec<Finding> {
    let is_list =
        |clause: &&Clause| clause.modality == Some(Modality::Set) && !clause.sites.is_empty();
    let lists: Vec<&Clause> = linter.clauses().filter(is_list).collect();
    let listed: BTreeSet<&Token> = lists.iter().flat_map(|clause| listed_by(clause)).collect();
    if lists.is_empty() {
        return Vec::new();
    }
    let named_in = ids(&lists);
    let finding = |clause: &Clause| {
        let outside = clause.sites.iter().filter(|site| !listed.contains(site));
        let outside: Vec<&Token> = outside.collect();
        let verb = match outside.as_slice() {
            [] => return None,
            [_] => "is",
            _ => "are",
        };
        let sites: Vec<String> = outside.iter().map(ToString::to_string).collect();
        let sites = sites.join(", ");
        let message = format!("{sites} {verb} not in the closed list of sites of {named_in}");
        let both: Vec<&Clause> = lists.iter().copied().chain([clause]).collect();
        let concerned: Vec<ClauseId> = both.iter().map(|clause| clause.id).collect();
        let has_sites = |name: &str, figure: &crate::Declared| {
            let declared = match &figure.value {
                crate::DeclaredValue::Set(declared) if name == "sites" => declared,
                _ => return false,
            };
            outside.iter().all(|site| declared.contains(*site))
        };
        let answered = linter.declared_where(&concerned, has_sites);
        Some(on_words(FindingCode::Location, both, message).with_answer(answered))
    };
    let naming = linter.clauses().filter(|clause| !is_list(clause));
    naming.filter_map(finding).collect()
}

/// The sites of a closed list, its figure included.
fn listed_by(clause: &Clause) -> impl Iterator<Item = &Token> {
    let figure = match &clause.figure {
        Some(Figure::OneOf(words) | Figure::Fields(words)) => Some(words),
        Some(Figure::Count(_) | Figure::Ratio { .. } | Figure::Text(_)) | None => None,
    };
    clause.sites.iter().chain(figure.into_iter().flatten())
}

fn ids(clauses: &[&Clause]) -> String {
    let ids: Vec<String> = clauses.iter().map(|clause| clause.id.to_string()).collect();
    ids.join(", ")
}
