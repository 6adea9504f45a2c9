//! Two versions of a document compared, promise by promise: is it stricter, weaker or only another.
//!
//! A promise is weaker when anything about it is, whatever else became stricter: who relied on that
//! part has lost it. Where no order exists, as between two events, it has changed.

mod figure;
mod order;

use std::collections::BTreeSet;
use std::fmt;

use covenant_core::{ClauseId, Reading};

use crate::clause::words;
use crate::{Clause, Document};

words! {
    /// What became of a promise, or of a part of it.
    Direction {
        /// It is new.
        Added = "added",
        /// It is gone.
        Removed = "removed",
        /// It promises less than before.
        Weaker = "weaker",
        /// It is another, and neither promises less than the other on every date.
        Changed = "changed",
        /// It promises more than before.
        Stricter = "stricter",
    }
}

/// One part of a promise that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Which: `bound.max`, `figure`, `says`.
    pub name: String,
    /// What it was; empty when there was none.
    pub before: String,
    /// What it is; empty when there is none.
    pub after: String,
    /// What that means.
    pub direction: Direction,
}

/// One promise that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The clause.
    pub clause: ClauseId,
    /// What became of it.
    pub direction: Direction,
    /// Its parts that changed; empty for a promise that is new or gone.
    pub parts: Vec<Part>,
}

impl Difference {
    /// Whether somebody who relied on the document has lost something.
    #[must_use]
    pub const fn is_loss(&self) -> bool {
        matches!(self.direction, Direction::Weaker | Direction::Removed)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |text: &str| {
            if text.is_empty() {
                "none".to_owned()
            } else {
                text.to_owned()
            }
        };
        let (before, after) = (word(&self.before), word(&self.after));
        write!(f, "{}: {before} -> {after}: {}", self.name, self.direction)
    }
}

impl Document {
    /// What became of every promise of this document in a later one, by clause; promises that are
    /// as they were are left out. Periods are compared over every date and every reading of both.
    ///
    /// ```
    /// # use policy_document::{Direction, Document};
    /// # let text = include_str!("../tests/data/full.toml");
    /// let before = Document::parse(text).expect("the policy is sound");
    /// let after = text.replace("max = \"PT4H\"", "max = \"PT8H\"");
    /// let after = Document::parse(&after).expect("the policy is sound");
    /// let found = before.diff(&after);
    /// assert_eq!(found.len(), 1);
    /// assert_eq!(found[0].direction, Direction::Weaker);
    /// assert_eq!(found[0].parts[0].to_string(), "bound.max: PT4H -> PT8H: weaker");
    /// ```
    #[must_use]
    pub fn diff(&self, later: &Self) -> Vec<Difference> {
        let ids = self.clauses().iter().chain(later.clauses());
        let ids: BTreeSet<ClauseId> = ids.map(|clause| clause.id).collect();
        let readings = [self.reading(), later.reading()];
        let of = |clause| {
            let found = (self.clause(&clause).ok(), later.clause(&clause).ok());
            let (direction, parts) = match found {
                (None, None) => return None,
                (None, Some(_)) => (Direction::Added, Vec::new()),
                (Some(_), None) => (Direction::Removed, Vec::new()),
                (Some(before), Some(after)) => {
                    let parts = parts(before, after, readings);
                    (overall(&parts)?, parts)
                }
            };
            Some(Difference {
                clause,
                direction,
                parts,
            })
        };
        ids.into_iter().filter_map(of).collect()
    }
}

/// The worst of the parts; `None` when there is none.
fn overall(parts: &[Part]) -> Option<Direction> {
    parts.iter().map(|part| part.direction).min()
}

fn parts(before: &Clause, after: &Clause, readings: [&Reading; 2]) -> Vec<Part> {
    let mut parts = figure::parts(before, after, readings);
    let mut part = |name: &str, before: String, after: String, direction: Option<Direction>| {
        parts.extend(direction.map(|direction| Part {
            name: name.to_owned(),
            before,
            after,
            direction,
        }));
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let page = |clause: &Clause| {
        let digests = clause.lines.iter().map(|line| line.digest.to_string());
        digests.collect::<Vec<_>>()
    };
    part(
        "lines",
        order::joined(before.line_numbers()),
        order::joined(after.line_numbers()),
        order::other(&page(before), &page(after)),
    );
    part(
        "says",
        before.says.clone(),
        after.says.clone(),
        order::other(&before.says, &after.says),
    );
    part(
        "attests",
        text(&before.attests),
        text(&after.attests),
        order::other(&before.attests, &after.attests),
    );
    part(
        "hedges",
        order::joined(&before.hedges),
        order::joined(&after.hedges),
        order::set(&before.hedges, &after.hedges, order::More::Weaker),
    );
    part(
        "denies",
        order::joined(&before.denies),
        order::joined(&after.denies),
        order::set(&before.denies, &after.denies, order::More::Stricter),
    );
    part(
        "does",
        order::joined(&before.does),
        order::joined(&after.does),
        order::other(&before.does, &after.does),
    );
    for (name, before, after) in [
        (
            "scenarios",
            &before.verify.scenarios,
            &after.verify.scenarios,
        ),
        (
            "sabotages",
            &before.verify.sabotages,
            &after.verify.sabotages,
        ),
    ] {
        let sets = (before.iter().collect(), after.iter().collect());
        let direction = order::set::<&String>(&sets.0, &sets.1, order::More::Stricter);
        part(name, order::joined(before), order::joined(after), direction);
    }
    parts
}
