//! Passes 1 and 2: differences in whole seconds, by Bellman-Ford.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::VecDeque;

use super::calendar::Calendar;
use super::constraint::{Constraint, Kind};
use crate::Reading;

/// `t[to] - t[from] <= secs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) secs: i64,
    /// Index of the constraint it comes from.
    pub(super) constraint: usize,
}

/// Which end of its range every length has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Floors shortest, ceilings longest.
    Optimistic,
    /// Floors longest, ceilings shortest.
    Pessimistic,
}

/// The edges of one constraint: one of a floor or a ceiling, both of a plan.
pub(super) fn edges(
    constraint: &Constraint,
    (index, from, to): (usize, usize, usize),
    reading: &Reading,
    outlook: Outlook,
    calendar: &Calendar,
) -> Vec<Edge> {
    let lengths = constraint.lengths(reading, calendar);
    let (floor, ceiling) = match outlook {
        Outlook::Optimistic => (lengths.shortest, lengths.longest),
        Outlook::Pessimistic => (lengths.longest, lengths.shortest),
    };
    let least = Edge {
        from: to,
        to: from,
        secs: floor.saturating_neg(),
        constraint: index,
    };
    let most = Edge {
        from,
        to,
        secs: ceiling,
        constraint: index,
    };
    match constraint.kind() {
        Kind::Floor => vec![least],
        Kind::Ceiling => vec![most],
        Kind::Plan => vec![least, most],
    }
}

/// The constraints of a cycle of negative length, by index; none when all differences can hold.
pub(super) fn negative_cycle(nodes: usize, edges: &[Edge]) -> Option<Vec<usize>> {
    // every node starts at 0, as if one more node came before all of them
    let mut found = Distances::new(vec![Some(0); nodes]);
    let mut last = None;
    for _ in 0..nodes {
        last = found.relax_all(edges);
        last?;
    }
    // a node that still moves after as many rounds as there are nodes is led to by a cycle
    let mut node = last?;
    for _ in 0..nodes {
        node = found.edge_into(node)?.from;
    }
    let (first, mut cycle) = (node, Vec::new());
    loop {
        let edge = found.edge_into(node)?;
        cycle.push(edge.constraint);
        node = edge.from;
        if node == first || cycle.len() > nodes {
            return Some(cycle);
        }
    }
}

/// Shortest way from one node to another and the constraints along it; none when no way leads
/// there. There must be no negative cycle.
pub(super) fn shortest_way(
    nodes: usize,
    edges: &[Edge],
    (from, to): (usize, usize),
) -> Option<(i64, Vec<usize>)> {
    let start = (0..nodes).map(|node| (node == from).then_some(0));
    let mut found = Distances::new(start.collect());
    for _ in 0..nodes {
        if found.relax_all(edges).is_none() {
            break;
        }
    }
    let length = found.at(to)?;
    let mut way = VecDeque::new();
    let mut node = to;
    while node != from && way.len() <= nodes {
        let edge = found.edge_into(node)?;
        way.push_front(edge.constraint);
        node = edge.from;
    }
    Some((length, way.into()))
}

/// Distances found so far, and the edge that gave each.
struct Distances {
    secs: Vec<Option<i64>>,
    into: Vec<Option<Edge>>,
}

impl Distances {
    fn new(secs: Vec<Option<i64>>) -> Self {
        let into = vec![None; secs.len()];
        Self { secs, into }
    }

    fn at(&self, node: usize) -> Option<i64> {
        self.secs.get(node).copied().flatten()
    }

    fn edge_into(&self, node: usize) -> Option<Edge> {
        self.into.get(node).copied().flatten()
    }

    /// Uses each edge once; a node that came nearer, if any did.
    fn relax_all(&mut self, edges: &[Edge]) -> Option<usize> {
        let mut moved = None;
        for edge in edges {
            let Some(start) = self.at(edge.from) else {
                continue;
            };
            let secs = start.saturating_add(edge.secs);
            if self.at(edge.to).is_some_and(|old| old <= secs) {
                continue;
            }
            if let (Some(old), Some(into)) =
                (self.secs.get_mut(edge.to), self.into.get_mut(edge.to))
            {
                (*old, *into) = (Some(secs), Some(*edge));
                moved = Some(edge.to);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: usize, to: usize, secs: i64, constraint: usize) -> Edge {
        Edge {
            from,
            to,
            secs,
            constraint,
        }
    }

    #[test]
    fn a_negative_cycle_is_found_and_named() {
        let mut edges = vec![edge(0, 1, 5, 0), edge(1, 2, -3, 1), edge(2, 0, -2, 2)];
        assert_eq!(negative_cycle(3, &edges), None);
        edges.push(edge(2, 1, 2, 3));
        let mut cycle = negative_cycle(3, &edges).unwrap();
        cycle.sort_unstable();
        assert_eq!(cycle, [1, 3]);
        assert_eq!(negative_cycle(1, &[edge(0, 0, -1, 7)]), Some(vec![7]));
        assert_eq!(negative_cycle(0, &[]), None);
    }

    #[test]
    fn shortest_ways() {
        let edges = [edge(0, 1, 5, 0), edge(1, 2, -3, 1), edge(0, 2, 4, 2)];
        assert_eq!(shortest_way(3, &edges, (0, 2)), Some((2, vec![0, 1])));
        assert_eq!(shortest_way(3, &edges, (2, 0)), None);
        assert_eq!(shortest_way(3, &edges, (1, 1)), Some((0, vec![])));
    }
}
