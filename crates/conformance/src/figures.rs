//! The figures of a clause that no scenario read while it ran: they stand on the page, and nothing
//! was compared with them.

use std::collections::BTreeSet;

use covenant_core::Period;
use policy_document::{Clause, Figure, Token};

use crate::brief::Read;

/// Keys of declared figures that are those of the bound in force.
const OF_THE_BOUND: [&str; 4] = ["early", "late", "max", "min"];

/// The figures of the clause that are not among those read, each by its key and value.
pub(crate) fn unread(clause: &Clause, read: &BTreeSet<Read>) -> Vec<String> {
    let mut unread = Vec::new();
    let mut figure = |name: &str, value: Option<String>, by: Read| {
        if let Some(value) = value
            && !read.contains(&by)
        {
            unread.push(format!("{name} {value}"));
        }
    };
    if let Some(bound) = &clause.bound {
        let text = |period: Option<Period>| period.map(|period| period.to_string());
        let declared = |period: Period| text(Some(period).filter(|period| *period != Period::ZERO));
        figure("min", text(bound.min), Read::Min);
        figure("max", text(bound.max), Read::Max);
        figure("early", declared(bound.early), Read::Early);
        figure("late", declared(bound.late), Read::Late);
        let per = bound.per.map(|_| "civil-night".to_owned());
        figure("per", per, Read::Nights);
    }
    match &clause.figure {
        Some(Figure::Count(count)) => figure("count", Some(count.to_string()), Read::Count),
        Some(Figure::OneOf(words)) => unread.extend(list("one_of", words, read)),
        Some(Figure::Fields(words)) => unread.extend(list("fields", words, read)),
        Some(Figure::Text(word)) => {
            unread.extend(list("text", &BTreeSet::from([word.clone()]), read));
        }
        Some(share @ Figure::Ratio { over: false, .. }) => {
            figure("ratio", Some(share.to_string()), Read::Share);
        }
        Some(other) => unread.push(format!("ratio {other}")),
        None => {}
    }
    for (name, declared) in &clause.declared {
        let name = name.as_str();
        let counted = name == "count" && clause.figure.is_none() && read.contains(&Read::Count);
        let compared = counted || read.contains(&Read::Declared(name.to_owned()));
        if !compared && !OF_THE_BOUND.contains(&name) {
            unread.push(format!("declared {name} {}", declared.value));
        }
    }
    unread
}

/// The words of a list that are not among those read.
fn list(name: &str, words: &BTreeSet<Token>, read: &BTreeSet<Read>) -> Option<String> {
    let unread: Vec<_> = words
        .iter()
        .map(ToString::to_string)
        .filter(|word| !read.contains(&Read::Word(word.clone())))
        .collect();
    (!unread.is_empty()).then(|| format!("{name} {}", unread.join(", ")))
}
