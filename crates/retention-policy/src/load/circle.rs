//! Which rule overrides which, as arrows between positions: what leads back to itself, and an order in
//! which every rule comes before those that it overrides. The work grows with the arrows, however
//! they are laid.

use std::collections::{BTreeMap, BTreeSet};

use crate::RuleId;
use crate::rule::Rule;

/// What overrides what.
#[derive(Debug)]
pub(super) struct Overrides {
    /// For each rule those that it overrides, as far as they are there.
    arrows: Vec<Vec<usize>>,
    /// The place of each rule in the order.
    rank: Vec<usize>,
    /// Every rule in the order in which walks along the arrows end.
    ended: Vec<usize>,
}

impl Overrides {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let at: BTreeMap<&RuleId, usize> = rules.iter().map(Rule::id).zip(0..).collect();
        let to = |rule: &Rule| {
            let known = rule.overrides().iter().filter_map(|id| at.get(id).copied());
            known.collect()
        };
        let arrows: Vec<Vec<usize>> = rules.iter().map(to).collect();
        let mut seen = BTreeSet::new();
        let mut ended = Vec::with_capacity(arrows.len());
        for start in 0..arrows.len() {
            walk(&arrows, start, &mut seen, &mut ended);
        }
        let mut rank = vec![0; arrows.len()];
        for (place, at) in ended.iter().rev().enumerate() {
            if let Some(rank) = rank.get_mut(*at) {
                *rank = place;
            }
        }
        Self {
            arrows,
            rank,
            ended,
        }
    }

    /// The rules that lead back to themselves (Kosaraju: walks against the arrows, from whatever ended
    /// last).
    pub(super) fn circles(&self) -> BTreeSet<usize> {
        let mut back = vec![Vec::new(); self.arrows.len()];
        for (from, to) in self.arrows.iter().enumerate() {
            for to in to {
                if let Some(back) = back.get_mut(*to) {
                    back.push(from);
                }
            }
        }
        let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
        for start in self.ended.iter().rev() {
            let mut circle = Vec::new();
            walk(&back, *start, &mut seen, &mut circle);
            let to_itself = self.arrows.get(*start).is_some_and(|to| to.contains(start));
            if circle.len() > 1 || to_itself {
                found.extend(circle);
            }
        }
        found
    }

    /// The rules that count among these: all but those that one which counts overrides.
    pub(super) fn counting(&self, candidates: &BTreeSet<usize>) -> Vec<usize> {
        let mut ordered: Vec<usize> = candidates.iter().copied().collect();
        ordered.sort_by_key(|at| self.rank.get(*at));
        let mut dropped = BTreeSet::new();
        for at in ordered {
            if !dropped.contains(&at) {
                dropped.extend(self.arrows.get(at).into_iter().flatten().copied());
            }
        }
        candidates.difference(&dropped).copied().collect()
    }
}

/// Walks along the arrows to everything that was not seen yet, and notes what is left behind last.
fn walk(arrows: &[Vec<usize>], start: usize, seen: &mut BTreeSet<usize>, ended: &mut Vec<usize>) {
    if !seen.insert(start) {
        return;
    }
    let mut open = vec![(start, 0_usize)];
    while let Some((at, next)) = open.pop() {
        match arrows.get(at).and_then(|to| to.get(next)) {
            Some(to) => {
                open.push((at, next.saturating_add(1)));
                if seen.insert(*to) {
                    open.push((*to, 0));
                }
            }
            None => ended.push(at),
        }
    }
}
