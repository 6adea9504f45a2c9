//! Which monitors follow from a document alone.
//!
//! A bound between events gives one for each event of `to` and each side, where the two events are
//! about the same thing by themselves: both about one kind of thing, or both about the tenant as a
//! whole. What is about two kinds of things (a record and the backups that hold it, a suspicion and
//! the notices of it), about a state, or names no event, gives none.

use std::collections::BTreeSet;

use covenant_core::Action;

use super::timed::{is_of_tenant, noun};
use super::{Cases, Monitor, MonitorSpec, Pattern, Rhythm};
use crate::{Bound, Clause, Document, Modality, Per};

impl Document {
    /// The monitors of the clauses that are proven, in the order of the document: those that follow
    /// from a bound, and those that a clause names in full. They have seen nothing yet.
    #[must_use]
    pub fn monitors(&self) -> Vec<Monitor> {
        let proven = self.clauses().iter().filter(|clause| clause.is_proven());
        let of = |clause: &Clause| {
            let named = clause.verify.monitors.iter();
            let in_full = named.filter_map(|spec| match spec {
                MonitorSpec::Pattern(pattern) => Some(pattern.clone()),
                _ => None,
            });
            let patterns = derived(clause).into_iter().chain(in_full);
            let monitor = |p| Monitor::new(clause.id, p, self.reading());
            patterns.map(monitor).collect::<Vec<_>>()
        };
        proven.flat_map(of).collect()
    }
}

/// The patterns that follow from the bound of a clause.
pub(crate) fn derived(clause: &Clause) -> Vec<Pattern> {
    let bounds = clause.bound.iter();
    bounds.flat_map(|bound| patterns(clause, bound)).collect()
}

fn patterns(clause: &Clause, bound: &Bound) -> Vec<Pattern> {
    if bound.of.is_some() {
        return Vec::new();
    }
    if clause.modality == Some(Modality::Every) {
        return bound
            .to
            .iter()
            .filter_map(|action| every(*action, bound))
            .collect();
    }
    let joined = bound
        .to
        .iter()
        .filter_map(|to| Some((*to, join(&bound.from, *to)?)));
    let sides = |(to, cases)| [floor(to, cases, bound), ceiling(to, cases, bound)];
    joined.flat_map(sides).flatten().collect()
}

fn every(action: Action, bound: &Bound) -> Option<Pattern> {
    let rhythm = match (bound.per, bound.max) {
        (Some(Per::CivilNight), _) => Rhythm::CivilNight,
        (None, Some(max)) => Rhythm::Period(max),
        (None, None) => return None,
    };
    Some(Pattern::Every {
        action,
        rhythm,
        late: bound.late,
        ended_by: [
            Action::ContractTerminated,
            Action::DatabaseDeleted,
            Action::DatabasePurged,
        ]
        .into(),
        cases: Cases::Tenant,
    })
}

fn floor(to: Action, cases: Cases, bound: &Bound) -> Option<Pattern> {
    let mut ended_by = undone_by(&bound.from, to);
    ended_by.extend(&bound.waived_by);
    Some(Pattern::NotBefore {
        from: bound.from.clone(),
        to,
        min: bound.min?,
        early: bound.early,
        ended_by,
        cases,
    })
}

fn ceiling(to: Action, cases: Cases, bound: &Bound) -> Option<Pattern> {
    Some(Pattern::Within {
        from: bound.from.clone(),
        to,
        max: bound.max?,
        late: bound.late,
        ended_by: undone_by(&bound.from, to),
        cases,
    })
}

/// What the events of both sides have in common; `None` when only a person can say.
fn join(from: &BTreeSet<Action>, to: Action) -> Option<Cases> {
    let all = |meets: &dyn Fn(Action) -> bool| !from.is_empty() && from.iter().all(|a| meets(*a));
    if is_of_tenant(to) && all(&is_of_tenant) {
        return Some(Cases::Tenant);
    }
    if to == Action::BackupPurged && all(&|a| a == Action::BackupCompleted) {
        return Some(Cases::Vault);
    }
    all(&|a| noun(a) == noun(to)).then_some(Cases::Thing)
}

/// What takes the start back, or takes the thing away with all of its tenant: what a database holds
/// when it is deleted ends with it.
fn undone_by(from: &BTreeSet<Action>, to: Action) -> BTreeSet<Action> {
    let undoing = from.iter().flat_map(|start| match start {
        Action::RecordDeleted => &[
            Action::RecordRestored,
            Action::DatabaseDeleted,
            Action::DatabasePurged,
        ][..],
        Action::ObjectDeleted => &[Action::DatabaseDeleted, Action::DatabasePurged],
        Action::TrialEnded => &[Action::SubscriptionStarted],
        Action::DatabaseDeleted => &[Action::DatabaseRestored],
        Action::KeyScheduled => &[Action::KeyCancelled],
        _ => &[],
    });
    undoing.copied().filter(|action| *action != to).collect()
}
