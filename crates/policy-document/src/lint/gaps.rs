//! What no clause says: `unbounded`, `uncovered`.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::{Action, ClauseId};

use super::{Finding, FindingCode, Linter};
use crate::{Bound, Clause, Erase, Figure, Modality, Store, StoreKind};

/// Events that take data out of use and start the clock of its end.
const DELETED: &[Action] = &[
    Action::RecordDeleted,
    Action::ObjectDeleted,
    Action::DatabaseDeleted,
];
/// Events that end a contract, or what stands for one.
const ENDED: &[Action] = &[
    Action::ContractTerminated,
    Action::SubscriptionCancelled,
    Action::TrialEnded,
];
/// Events that a customer must hear of as a breach.
const BREACH: &[Action] = &[Action::IncidentSuspected, Action::IncidentConfirmed];
/// Events that tell somebody.
const TOLD: &[Action] = &[Action::NoticeDelivered, Action::NoticeQueued];

pub(super) fn findings(linter: &Linter<'_>) -> Vec<Finding> {
    let mut found = unbounded(linter);
    let missing = missing_ends(linter);
    if !missing.is_empty() {
        let message = format!("no clause says when data goes {}", missing.join(" or "));
        found.push(Finding::new(FindingCode::Uncovered, [], [], message));
    }
    if missing.len() < ENDS.len() {
        found.extend(stores_without_end(linter));
    }
    found.extend(terms_of_place(linter));
    found.extend(breach(linter));
    found
}

/// Bounds with an upper end: of a ceiling, or of an exact promise.
fn ceilings<'d>(linter: &Linter<'d>) -> impl Iterator<Item = (&'d Clause, &'d Bound)> {
    let bounds = linter
        .clauses()
        .filter_map(|c| c.bound.as_ref().map(|bound| (c, bound)));
    bounds.filter(|(clause, bound)| {
        matches!(clause.modality, Some(Modality::Ceiling | Modality::Exact)) && bound.max.is_some()
    })
}

/// Floors whose end no chain of ceilings from their start leads to.
fn unbounded(linter: &Linter<'_>) -> Vec<Finding> {
    let floors = linter
        .clauses()
        .filter(|c| c.modality == Some(Modality::Floor));
    let open = floors.filter(|floor| {
        let ends = floor.bound.as_ref();
        ends.is_some_and(|bound| !leads_to(linter, &bound.from, &bound.to))
    });
    let finding = |floor: &Clause| {
        let message = "a floor without a ceiling: nothing says when the data goes".to_owned();
        Finding::on(FindingCode::Unbounded, [floor], message)
    };
    open.map(finding).collect()
}

fn leads_to(linter: &Linter<'_>, from: &BTreeSet<Action>, to: &BTreeSet<Action>) -> bool {
    let mut reached = from.clone();
    loop {
        let before = reached.len();
        for (_, bound) in ceilings(linter) {
            if !bound.from.is_disjoint(&reached) {
                reached.extend(&bound.to);
            }
        }
        if !reached.is_disjoint(to) {
            return true;
        }
        if reached.len() == before {
            return false;
        }
    }
}

/// Moments after which a page is expected to say when data goes.
const ENDS: &[(&[Action], &str)] = &[(DELETED, "after a deletion"), (ENDED, "after the contract")];

fn missing_ends(linter: &Linter<'_>) -> Vec<&'static str> {
    let is_missing = |starts: &[Action]| {
        let from_them = |bound: &Bound| bound.from.iter().any(|action| starts.contains(action));
        !ceilings(linter).any(|(_, bound)| !bound.to.is_empty() && from_them(bound))
    };
    let missing = ENDS.iter().filter(|(starts, _)| is_missing(starts));
    missing.map(|(_, when)| *when).collect()
}

/// Events that end the data of a store of this kind, whatever key seals it.
const fn ends_of(kind: StoreKind) -> &'static [Action] {
    match kind {
        StoreKind::Sql => &[
            Action::RecordPurged,
            Action::DatabasePurged,
            Action::ErasureCompleted,
        ],
        StoreKind::Object => &[
            Action::ObjectUnreachable,
            Action::DatabasePurged,
            Action::ErasureCompleted,
        ],
        StoreKind::Epoch => &[Action::BackupPurged, Action::BackupUnrestorable],
        StoreKind::Log | StoreKind::External => &[],
    }
}

/// Classes in stores that no ceiling reaches: by an event of such a store, by the death of a key
/// that erases it, or by its name. One finding for the clauses that name the stores.
fn stores_without_end(linter: &Linter<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<BTreeSet<ClauseId>, (Vec<&Clause>, Vec<String>)> = BTreeMap::new();
    let stores = linter.document.stores().iter();
    for store in stores.filter(|store| !store.classes.is_empty() && !has_end(linter, store)) {
        let naming: Vec<&Clause> = linter.clauses().filter(|c| names(c, store)).collect();
        let ids = naming.iter().map(|clause| clause.id).collect();
        let entry = groups.entry(ids).or_insert((naming, Vec::new()));
        let classes: Vec<&str> = store.classes.iter().map(crate::Name::as_str).collect();
        entry
            .1
            .push(format!("{} in {}", classes.join(", "), store.id));
    }
    let finding = |(clauses, data): (Vec<&Clause>, Vec<String>)| {
        let message = format!("no clause says when these go: {}", data.join("; "));
        Finding::on(FindingCode::Uncovered, clauses, message)
    };
    groups.into_values().map(finding).collect()
}

fn has_end(linter: &Linter<'_>, store: &Store) -> bool {
    let keys = linter.document.keys().iter();
    let sealed =
        store.erase.contains(&Erase::Key) && keys.clone().any(|k| k.seals.contains(&store.id));
    ceilings(linter).any(|(clause, bound)| {
        let by_event = ends_of(store.kind).iter().any(|end| bound.to.contains(end));
        let by_key = sealed && bound.to.contains(&Action::KeyDestroyed);
        by_event || by_key || names(clause, store)
    })
}

/// Whether the figure of a clause names the store.
fn names(clause: &Clause, store: &Store) -> bool {
    match &clause.figure {
        Some(Figure::Fields(words) | Figure::OneOf(words)) => words.contains(store.id.as_str()),
        Some(Figure::Text(word)) => word.as_str() == store.id.as_str(),
        Some(Figure::Count(_) | Figure::Ratio { .. }) | None => false,
    }
}

/// A ceiling on the end of data that speaks of the vendor's own thing: our stores are not named.
/// Answered where `[terms]` says what the thing is.
fn terms_of_place(linter: &Linter<'_>) -> Vec<Finding> {
    let ends = ceilings(linter).filter(|(_, bound)| {
        let all = [StoreKind::Sql, StoreKind::Object, StoreKind::Epoch];
        let mut ends = all.iter().flat_map(|kind| ends_of(*kind));
        ends.any(|end| bound.to.contains(end))
    });
    let stores = linter.document.stores().iter();
    let stores = stores.filter(|store| store.kind != StoreKind::Log);
    let stores: Vec<&str> = stores.map(|store| store.id.as_str()).collect();
    let speaking = ends.flat_map(|(clause, _)| clause.terms.iter().map(move |term| (clause, term)));
    let finding = |(clause, term): (&Clause, &crate::Token)| {
        let message = format!("says \"{term}\" alone: {} are not named", stores.join(", "));
        let lines = clause.word_lines();
        Finding::new(FindingCode::Uncovered, [clause.id], lines, message)
            .with_answer(linter.term(term.as_str()))
    };
    speaking.map(finding).collect()
}

fn breach(linter: &Linter<'_>) -> Option<Finding> {
    let tells = |bound: &Bound| {
        let from = bound.from.iter().any(|action| BREACH.contains(action));
        from && bound.to.iter().any(|action| TOLD.contains(action))
    };
    let mut bounds = linter.clauses().filter_map(|c| c.bound.as_ref());
    (!bounds.any(tells)).then(|| {
        let message = "no clause tells customers of a breach (GDPR 33(2))".to_owned();
        Finding::new(FindingCode::Uncovered, [], [], message)
    })
}
