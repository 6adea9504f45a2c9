//! The catalogue of scenarios: each proves one shape of promise on any subject.
//!
//! A scenario knows a shape (a floor from one event to another, the absence of bytes) and no figure;
//! figures come from the clause. A scenario that is not in this catalogue is not built yet, and its
//! clauses are untested.

use crate::act::ActKind;
use crate::brief::{BriefError, Figures};
use crate::sabotage::Sabotage;
use crate::stage::ScenarioFn;

mod at_rest;
mod audit;
mod backup;
mod backup_after;
mod bin;
mod bin_by_hand;
mod bin_object;
mod database;
mod expiry;
mod held;
mod key_access;
mod key_expiry;
mod key_life;
mod key_wait;
mod keys;
mod own_rules;
mod privacy;
mod ruled;
mod steps;
mod termination;
mod transit;

/// What kind of promise a scenario proves, and so which figures it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Not before `min` after the event.
    Floor,
    /// By `max` after the event.
    Ceiling,
    /// Both.
    Exact,
    /// Once in every civil night of the document's zone.
    EveryNight,
    /// A state that holds at once and without end.
    State,
    /// So many of something.
    Count,
    /// Words of a closed list; those of all clauses of the document that bind the scenario.
    Words,
    /// By a period that the clause declares beside its bound under this name.
    Declared(&'static str),
}

impl Shape {
    /// Whether the figures are of this shape.
    ///
    /// # Errors
    /// [`BriefError::Missing`] names the figure that the clause lacks.
    pub fn fits(self, figures: &Figures) -> Result<(), BriefError> {
        let limits = figures.limits.as_ref();
        let min = || {
            limits
                .and_then(|l| l.min)
                .ok_or(BriefError::Missing("floor"))
        };
        let max = || {
            limits
                .and_then(|l| l.max)
                .ok_or(BriefError::Missing("ceiling"))
        };
        match self {
            Self::Floor => min().map(drop),
            Self::Ceiling => max().map(drop),
            Self::Exact => min().and_then(|_| max()).map(drop),
            Self::Declared(name) => {
                let declared = figures.declared.as_ref();
                declared.ok_or(BriefError::Missing(name)).map(drop)
            }
            Self::Count => figures.count.ok_or(BriefError::Missing("count")).map(drop),
            Self::EveryNight | Self::State | Self::Words => Ok(()),
        }
    }
}

/// When the sound subject starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Starts {
    /// On both sides of a month's end, and at an instant drawn from the seed.
    Bounds,
    /// In the weeks in which the document's zone changes its clock, and in one drawn from the seed.
    Nights,
    /// Once: the promise is not about time.
    Once,
}

/// One scenario of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// `area::name`.
    pub id: &'static str,
    /// Which figures it reads.
    pub shape: Shape,
    /// When it starts.
    pub starts: Starts,
    /// The acts that a subject must support.
    pub needs: &'static [ActKind],
    /// The sabotages that it is built to catch.
    pub kills: &'static [Sabotage],
    /// The scenario itself.
    pub run: ScenarioFn,
}

/// Every scenario that is built, ordered by id.
pub const CATALOGUE: &[Scenario] = &[
    expiry::EXPIRED_DENIED,
    at_rest::ATTACHMENTS,
    at_rest::BACKUPS,
    at_rest::ROWS,
    at_rest::SECOND_LAYER,
    audit::EVERY_CHANGE,
    backup_after::DELETED_DATABASE_RESIDENCE,
    backup::EVERY_NIGHT,
    backup::MONTH_FLOOR,
    backup_after::PURGED_RECORD_GONE,
    backup::SIX_MONTHS,
    bin::INVISIBLE_AT_COMMIT,
    bin_by_hand::ADMIN_ONLY,
    bin_by_hand::BYTES,
    bin_object::GONE_EVERY_WAY,
    bin_object::UNREACHABLE,
    bin::PURGED_IN_TIME,
    bin::RESTORABLE_FOR_THE_WHOLE_FLOOR,
    database::BYTES_ABSENT,
    held::DELETE_IN_EVERY_STATE,
    database::DELETED_UNREADABLE,
    expiry::EXPIRES_ON_BOTH_EVENTS,
    expiry::PAID_LOCKED,
    own_rules::TENANT_RULES_ONLY_NARROW,
    expiry::TRIAL_DELETED,
    key_access::ADMIN_ONLY,
    key_life::DISABLE_WORKS,
    key_expiry::EXPIRY_VALUES,
    keys::ONE_KEY_PER_VAULT,
    key_wait::WAIT_WINDOW,
    ruled::EVERY_STORE_RULED,
    privacy::MASKED_UNTIL_REVEALED,
    termination::ALL_STORES_AND_KEYS,
    termination::NOTHING_BEFORE_THE_END,
    transit::CHAIN_AND_SUITES,
    transit::NO_PLAINTEXT_ENDPOINT,
    transit::VERSIONS,
];

/// The scenario of this id; `None` when it is not built.
#[must_use]
pub fn find(id: &str) -> Option<&'static Scenario> {
    CATALOGUE.iter().find(|scenario| scenario.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_unique_and_have_an_area() {
        let ids: Vec<_> = CATALOGUE.iter().map(|scenario| scenario.id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
        assert!(ids.iter().all(|id| id.split("::").count() == 2), "{ids:?}");
        assert!(CATALOGUE.iter().all(|scenario| !scenario.kills.is_empty()));
    }

    #[test]
    fn names_are_those_that_policies_may_use() {
        let known = policy_document::Catalogue::PUBLISHED;
        assert!(
            CATALOGUE
                .iter()
                .all(|scenario| known.scenarios.contains(&scenario.id))
        );
        let mut ours: Vec<_> = Sabotage::ALL
            .iter()
            .map(|sabotage| sabotage.name())
            .collect();
        let mut theirs = known.sabotages.to_vec();
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }
}
