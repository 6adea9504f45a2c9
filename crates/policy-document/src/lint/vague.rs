//! Words instead of figures: `vague`, `hedge`, `empty-claim`, `over-claim`.
//!
//! The words that are on a line come from the document's `hedges[]` and `terms[]`, and from the
//! page itself where it is at hand. A word is a run of letters and digits, compared in ASCII lower
//! case as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answered, Finding, FindingCode, Linter};
use crate::{Clause, IgnoreReason, Token};

/// Words that promise without a figure.
const VAGUE: &[&str] = &[
    "advanced",
    "appropriate",
    "closely",
    "comprehensive",
    "highest",
    "rapid",
    "regular",
    "robust",
    "secure",
    "securely",
    "small",
    "strong",
    "transparent",
];

/// Words that take a promise back.
const HEDGES: &[&str] = &[
    "almost",
    "generally",
    "normally",
    "quickly",
    "several",
    "typically",
];

/// Terms that say more than is kept, each with what is wrong about it. A hyphen stands for a space
/// as well.
const OVER_CLAIMS: &[(&str, &str)] = &[
    ("bank-grade", "it names no measure of any bank"),
    (
        "end-to-end",
        "it is said of a hop: the service itself opens what it carries",
    ),
    ("military-grade", "it names no measure of any army"),
    (
        "ssl",
        "it is not TLS: no version of it may be offered any more (RFC 6176, RFC 7568)",
    ),
    ("unbreakable", "no measure is"),
];

/// `page` holds the lines of the source, where it is at hand.
pub(super) fn findings(linter: &Linter<'_>, page: Option<&[&[u8]]>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, clauses) in by_line(linter) {
        let text = page.map(|lines| words_of(line(lines, number)));
        words_without_figure(linter, number, &clauses, text.as_deref(), &mut found);
        over_claims(linter, number, &clauses, text.as_deref(), &mut found);
    }
    found.extend(linter.clauses().filter_map(|c| empty_claim(linter, c)));
    found
}

fn by_line<'d>(linter: &Linter<'d>) -> BTreeMap<u32, Vec<&'d Clause>> {
    let mut lines: BTreeMap<u32, Vec<&Clause>> = BTreeMap::new();
    for clause in linter.clauses() {
        for number in clause.line_numbers() {
            lines.entry(number).or_default().push(clause);
        }
    }
    lines
}

fn line<'p>(page: &[&'p [u8]], number: u32) -> &'p [u8] {
    let before = usize::try_from(number).unwrap_or(usize::MAX);
    let line = before.checked_sub(1).and_then(|index| page.get(index));
    line.copied().unwrap_or_default()
}

/// The words of a line, in ASCII lower case.
fn words_of(line: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(line).to_ascii_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Whether the words of a term stand side by side.
fn has_term(words: &[String], term: &str) -> bool {
    let parts: Vec<&str> = term.split('-').collect();
    words
        .windows(parts.len())
        .any(|window| window.iter().eq(parts.iter()))
}

/// One finding a line and code. A word of `hedges[]` that no list has is a hedge.
fn words_without_figure(
    linter: &Linter<'_>,
    number: u32,
    clauses: &[&Clause],
    page: Option<&[String]>,
    found: &mut Vec<Finding>,
) {
    let carrying = clauses.iter().filter(|c| carries(c, number));
    let named: BTreeSet<String> = carrying
        .flat_map(|clause| &clause.hedges)
        .map(|word| word.as_str().to_ascii_lowercase())
        .collect();
    let listed = VAGUE.iter().chain(HEDGES).map(|word| (*word).to_owned());
    let on_page: BTreeSet<String> = page.map_or_else(BTreeSet::new, |words| {
        listed.filter(|word| has_term(words, word)).collect()
    });
    let is_vague = |word: &&String| VAGUE.contains(&word.as_str());
    let all: BTreeSet<&String> = named.union(&on_page).collect();
    let (vague, hedges): (Vec<&String>, Vec<&String>) = all.into_iter().partition(is_vague);
    let kinds = [
        (FindingCode::Vague, vague, "in place of a figure"),
        (FindingCode::Hedge, hedges, "which takes the promise back"),
    ];
    for (code, words, what) in kinds {
        if words.is_empty() {
            continue;
        }
        let mut message = format!("says {} {what}", quoted(words.iter().copied()));
        if let Some(page) = page {
            let unnamed = words.iter().copied().filter(|w| !named.contains(*w));
            let absent = words.iter().copied().filter(|w| !has_term(page, w));
            complain(&mut message, unnamed, "not named in hedges");
            complain(&mut message, absent, "named in hedges and not on the line");
        }
        let answered = meaning(linter, clauses, &words);
        let ids = clauses.iter().map(|clause| clause.id);
        found.push(Finding::new(code, ids, [number], message).with_answer(answered));
    }
}

/// The figure that gives the first of the words its meaning, where each of them has one: declared
/// for that word, on a clause of the line that is proven.
fn meaning(linter: &Linter<'_>, clauses: &[&Clause], words: &[&String]) -> Option<Answered> {
    let proven = clauses.iter().filter(|clause| clause.is_proven());
    let proven: Vec<_> = proven.map(|clause| clause.id).collect();
    let of = |word: &str| {
        let is_meant = |answered: &Token| answered.as_str().eq_ignore_ascii_case(word);
        linter.declared_where(&proven, |_, figure| figure.answers.iter().any(is_meant))
    };
    let mut each = words.iter().map(|word| of(word));
    let first = each.next()??;
    each.all(|answered| answered.is_some()).then_some(first)
}

fn complain<'w>(message: &mut String, words: impl Iterator<Item = &'w String>, what: &str) {
    let words = quoted(words);
    if !words.is_empty() {
        message.push_str(&format!("; {words} is {what}"));
    }
}

/// One finding a line and term. A term is answered where the document says what it means by it.
fn over_claims(
    linter: &Linter<'_>,
    number: u32,
    clauses: &[&Clause],
    page: Option<&[String]>,
    found: &mut Vec<Finding>,
) {
    for (term, wrong) in OVER_CLAIMS {
        let names = |clause: &&&Clause| carries(clause, number) && clause.terms.contains(*term);
        let mut carrying: Vec<&Clause> = clauses.iter().filter(names).copied().collect();
        let is_named = !carrying.is_empty();
        let is_on_page = page.is_none_or(|words| has_term(words, term));
        let mut message = format!("says \"{term}\": {wrong}");
        match (is_named, is_on_page, page) {
            (true, true, _) => {}
            (false, true, Some(_)) => {
                message.push_str("; it is not named in terms");
                carrying = clauses.to_vec();
            }
            (true, false, _) => message.push_str("; it is named in terms and not on the line"),
            (false, _, _) => continue,
        }
        let ids = carrying.iter().map(|clause| clause.id);
        let finding = Finding::new(FindingCode::OverClaim, ids, [number], message);
        found.push(finding.with_answer(linter.term(term)));
    }
}

/// A clause that is a heading, and the next line that is not blank is one too, or there is none.
fn empty_claim(linter: &Linter<'_>, clause: &Clause) -> Option<Finding> {
    let last = clause.line_numbers().last().filter(|_| clause.heading)?;
    let document = linter.document;
    let mut after = (last.saturating_add(1)..=document.lines())
        .skip_while(|number| document.blank().contains(number));
    let is_heading = |number: u32| {
        let ignored = document.ignores().iter().any(|ignore| {
            matches!(ignore.reason, IgnoreReason::Heading | IgnoreReason::Title)
                && ignore.lines.iter().any(|line| line.number == number)
        });
        let headed =
            |clause: &Clause| clause.heading && clause.line_numbers().any(|own| own == number);
        ignored || linter.clauses().any(headed)
    };
    after.next().is_none_or(is_heading).then(|| {
        let message = "a heading with nothing under it claims nothing".to_owned();
        Finding::on(FindingCode::EmptyClaim, [clause], message)
    })
}

fn carries(clause: &Clause, number: u32) -> bool {
    clause.word_lines().any(|own| own == number)
}

fn quoted<'w>(words: impl Iterator<Item = &'w String>) -> String {
    let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    words.join(", ")
}
