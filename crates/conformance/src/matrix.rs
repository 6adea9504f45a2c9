//! Sabotage x clause: which clauses each sabotage breaks, and by which scenario.
//!
//! A sabotage's own group is the areas of the scenarios that are built to catch it. What it breaks
//! elsewhere is a crossing, marked as such: a golden matrix then shows when a scenario starts to see
//! more than it should, or stops to see anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use policy_document::Document;

use crate::runner::{Outcome, full_id};
use crate::sabotage::Sabotage;
use crate::scenario::Scenario;
use crate::status::SabotageOutcome;

/// Whether what a sabotage broke is of its own group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it is or it is not")]
pub enum Group {
    /// A scenario of its area is built to catch the sabotage.
    Own,
    /// None is.
    Other,
}

/// What each sabotage broke.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix(BTreeMap<Sabotage, BTreeMap<(Group, String), BTreeSet<String>>>);

impl Matrix {
    /// The matrix of a run over these documents that gave all sabotages
    /// ([`crate::runner::Given::All`]) to these scenarios.
    #[must_use]
    pub fn of(documents: &[&Document], outcome: &Outcome, catalogue: &[Scenario]) -> Self {
        let mut matrix = Self::default();
        for (document, verdicts) in documents.iter().zip(&outcome.documents) {
            for verdict in verdicts {
                let clause = full_id(document, verdict.clause.id);
                let parts = verdict.technical.iter();
                for scenario in parts.flat_map(|part| &part.scenarios) {
                    let named = scenario.sabotages.iter();
                    let named = named.filter(|(_, outcome)| *outcome == SabotageOutcome::Caught);
                    let caught = named.map(|(sabotage, _)| sabotage);
                    for sabotage in caught.chain(&scenario.crossings) {
                        let group = group(*sabotage, &scenario.id, catalogue);
                        let row = matrix.0.entry(*sabotage).or_default();
                        let cells = row.entry((group, scenario.id.clone())).or_default();
                        cells.insert(clause.clone());
                    }
                }
            }
        }
        matrix
    }

    /// The sabotages that broke something of the group.
    #[must_use]
    pub fn breaking(&self, group: Group) -> BTreeSet<Sabotage> {
        let rows = self.0.iter();
        let has = rows.filter(|(_, row)| row.keys().any(|(found, _)| *found == group));
        has.map(|(sabotage, _)| *sabotage).collect()
    }

    /// The same without what one scenario saw.
    #[must_use]
    pub fn without(&self, scenario: &str) -> Self {
        let mut matrix = self.clone();
        for row in matrix.0.values_mut() {
            row.retain(|(_, id), _| id != scenario);
        }
        matrix.0.retain(|_, row| !row.is_empty());
        matrix
    }
}

/// One line for each sabotage and scenario; a crossing begins with `+`.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sabotage, row) in &self.0 {
            writeln!(f, "{sabotage}")?;
            for ((group, scenario), clauses) in row {
                let mark = match group {
                    Group::Own => ' ',
                    Group::Other => '+',
                };
                let clauses: Vec<_> = clauses.iter().map(String::as_str).collect();
                writeln!(f, "{mark} {scenario:<38} {}", clauses.join(" "))?;
            }
        }
        Ok(())
    }
}

fn group(sabotage: Sabotage, scenario: &str, catalogue: &[Scenario]) -> Group {
    let mut built = catalogue
        .iter()
        .filter(|built| built.kills.contains(&sabotage));
    if built.any(|built| area(built.id) == area(scenario)) {
        Group::Own
    } else {
        Group::Other
    }
}

/// The part of a scenario's id before `::`.
fn area(id: &str) -> &str {
    id.split_once("::").map_or(id, |(area, _)| area)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::CATALOGUE;

    #[test]
    fn the_group_is_the_area_of_a_scenario_that_is_built_to_catch_it() {
        let check = |sabotage, scenario, expect| {
            assert_eq!(group(sabotage, scenario, CATALOGUE), expect, "{sabotage}");
        };
        check(Sabotage::PurgeEarly, "bin::purged_in_time", Group::Own);
        check(Sabotage::PurgeEarly, "backup::six_months", Group::Other);
        check(Sabotage::LineChanged, "bin::purged_in_time", Group::Other);
        assert_eq!(group(Sabotage::PurgeEarly, "bin::x", &[]), Group::Other);
    }

    #[test]
    fn a_crossing_is_marked_and_a_scenario_can_be_taken_out() {
        let cell = |group, scenario: &str| {
            (
                (group, scenario.to_owned()),
                BTreeSet::from(["p.P-01".to_owned()]),
            )
        };
        let own = cell(Group::Own, "bin::a");
        let other = cell(Group::Other, "backup::b");
        let row = BTreeMap::from([own, other]);
        let matrix = Matrix(BTreeMap::from([(Sabotage::PurgeLate, row)]));
        let lines: Vec<_> = matrix.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "purge-late");
        assert!(lines[1].starts_with("  bin::a ") && lines[1].ends_with(" p.P-01"));
        assert!(lines[2].starts_with("+ backup::b "));
        assert_eq!(matrix.breaking(Group::Own).len(), 1);
        assert_eq!(matrix.without("bin::a").breaking(Group::Own).len(), 0);
        assert_eq!(
            matrix.without("bin::a").without("backup::b"),
            Matrix::default()
        );
    }
}
