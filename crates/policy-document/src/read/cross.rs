//! What must hold between the tables of a document.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::ClauseId;
use covenant_core::digest::Digest;
use toml::de::{DeTable, DeValue};

use super::errors::Errors;
use crate::document::Head;
use crate::store::{Class, Key, KeyDeath, Store, StoreKind};
use crate::{
    Answer, Attestation, Clause, Deviation, ErrorKind, Ignore, Kind, Name, Position, Todo,
};

/// Ids as they are written, those of tables with mistakes included: a mistake in one table is no
/// reason to say that another refers to nothing.
#[derive(Debug)]
pub(super) struct Ids<'t> {
    classes: BTreeSet<&'t str>,
    stores: BTreeSet<&'t str>,
    clauses: BTreeSet<&'t str>,
}

impl<'t> Ids<'t> {
    pub(super) fn of(root: &'t DeTable<'t>) -> Self {
        let of = |key: &str| -> BTreeSet<&'t str> {
            let tables = root.get(key).and_then(|value| value.get_ref().as_array());
            let tables = tables.into_iter().flat_map(|tables| tables.iter());
            let ids = tables.filter_map(|table| table.get_ref().as_table()?.get("id"));
            ids.filter_map(|id| DeValue::as_str(id.get_ref())).collect()
        };
        Self {
            classes: of("class"),
            stores: of("store"),
            clauses: of("clause"),
        }
    }

    fn has_clause(&self, id: ClauseId) -> bool {
        self.clauses.contains(id.to_string().as_str())
    }
}

/// Ids are unique, references lead somewhere, nothing runs in a circle.
pub(super) fn graph(
    ids: &Ids<'_>,
    classes: &[Class],
    stores: &[Store],
    keys: &[Key],
    errors: &mut Errors<'_>,
) {
    unique(
        classes.iter().map(|class| (&class.id, class.at)),
        "class",
        errors,
    );
    unique(
        stores.iter().map(|store| (&store.id, store.at)),
        "store",
        errors,
    );
    unique(keys.iter().map(|key| (&key.id, key.at)), "key", errors);
    let by_id: BTreeMap<&Name, &Store> = stores.iter().map(|store| (&store.id, store)).collect();
    for class in classes {
        require(class.parent.iter(), &ids.classes, "class", class.at, errors);
    }
    for store in stores {
        require(
            store.classes.iter(),
            &ids.classes,
            "class",
            store.at,
            errors,
        );
        require(store.fed_by.iter(), &ids.stores, "store", store.at, errors);
    }
    for key in keys {
        require(key.seals.iter(), &ids.stores, "store", key.at, errors);
        let is_epoch = |id| {
            by_id
                .get(id)
                .is_none_or(|store| store.kind == StoreKind::Epoch)
        };
        if key.death == KeyDeath::WithEpoch && !key.seals.iter().all(is_epoch) {
            let message = format!("key {} has no from and after, yet seals no epochs", key.id);
            errors.push_at(key.at, ErrorKind::Contradiction, message);
        }
    }
    let parents = classes
        .iter()
        .map(|class| (&class.id, class.parent.iter().collect()));
    cycle(
        parents.collect(),
        classes.iter().map(|c| (&c.id, c.at)),
        "parents",
        errors,
    );
    let feeds = stores
        .iter()
        .map(|store| (&store.id, store.fed_by.iter().collect()));
    cycle(
        feeds.collect(),
        stores.iter().map(|s| (&s.id, s.at)),
        "feeds",
        errors,
    );
}

/// Ids are unique and of one letter; what is repeated is there.
pub(super) fn clauses(ids: &Ids<'_>, clauses: &[Clause], errors: &mut Errors<'_>) {
    unique(
        clauses.iter().map(|clause| (&clause.id, clause.at)),
        "clause",
        errors,
    );
    let letter = clauses.first().map(|clause| clause.id.letter());
    for clause in clauses {
        if Some(clause.id.letter()) != letter {
            let message = format!("clause {} has another letter than the first", clause.id);
            errors.push_at(clause.at, ErrorKind::Contradiction, message);
        }
        if let Some(repeats) = clause.repeats
            && (repeats == clause.id || !ids.has_clause(repeats))
        {
            let message = format!("clause {} repeats {repeats}, which is no other", clause.id);
            errors.push_at(clause.at, ErrorKind::Unknown, message);
        }
    }
}

/// A deviation is about something that is delivered, an attestation about something that is not
/// proven; a clause has one of each, a deviation one for each profile.
pub(super) fn reasons(
    ids: &Ids<'_>,
    clauses: &[Clause],
    deviations: &[Deviation],
    attestations: &[Attestation],
    errors: &mut Errors<'_>,
) {
    let kinds: BTreeMap<ClauseId, Kind> = clauses.iter().map(|c| (c.id, c.kind)).collect();
    let mut profiles = BTreeSet::new();
    for deviation in deviations {
        match kinds.get(&deviation.clause) {
            None => require_clause(ids, deviation.clause, deviation.at, errors),
            Some(Kind::Technical | Kind::Partial) => {}
            Some(Kind::Informational | Kind::Organisational) => {
                let message = format!("clause {} has no technical part", deviation.clause);
                errors.push_at(deviation.at, ErrorKind::Contradiction, message);
            }
        }
        if !profiles.insert((deviation.clause, &deviation.profile)) {
            let message = format!(
                "clause {} has two deviations of a profile",
                deviation.clause
            );
            errors.push_at(deviation.at, ErrorKind::Duplicate, message);
        }
    }
    for deviation in deviations
        .iter()
        .filter(|deviation| deviation.profile.is_some())
    {
        if profiles.contains(&(deviation.clause, &None)) {
            let message = format!(
                "clause {} deviates in every profile already",
                deviation.clause
            );
            errors.push_at(deviation.at, ErrorKind::Duplicate, message);
        }
    }
    unique(
        attestations.iter().map(|a| (&a.clause, a.at)),
        "attestation of",
        errors,
    );
    for attestation in attestations {
        match kinds.get(&attestation.clause) {
            None => require_clause(ids, attestation.clause, attestation.at, errors),
            Some(Kind::Technical | Kind::Informational) => {
                let message = format!("clause {} cannot be attested", attestation.clause);
                errors.push_at(attestation.at, ErrorKind::Contradiction, message);
            }
            Some(Kind::Partial | Kind::Organisational) => {}
        }
    }
}

/// An answer is about clauses that are there; a finding is answered once.
pub(super) fn answers(ids: &Ids<'_>, answers: &[Answer], errors: &mut Errors<'_>) {
    let mut seen = BTreeSet::new();
    for answer in answers {
        for clause in &answer.clauses {
            require_clause(ids, *clause, answer.at, errors);
        }
        if !seen.insert((answer.finding, &answer.clauses)) {
            let message = format!("the {} of these clauses is answered twice", answer.finding);
            errors.push_at(answer.at, ErrorKind::Duplicate, message);
        }
    }
}

/// Line numbers lie in the source, are not blank, carry one digest, and serve clauses or an ignore,
/// or are still to do.
pub(super) fn lines(
    head: &Head,
    ignores: &[Ignore],
    clauses: &[Clause],
    todos: &[Todo],
    errors: &mut Errors<'_>,
) {
    for number in head
        .blank
        .iter()
        .filter(|number| !is_in_source(**number, head))
    {
        let message = format!("blank line {number} is not in the source");
        errors.push_at(head.at, ErrorKind::Value, message);
    }
    let mut ignored = BTreeSet::new();
    for ignore in ignores {
        for line in &ignore.lines {
            place(line.number, head, ignore.at, errors);
            if !ignored.insert(line.number) {
                let message = format!("line {} is ignored twice", line.number);
                errors.push_at(ignore.at, ErrorKind::Duplicate, message);
            }
        }
    }
    let mut unread = BTreeSet::new();
    for todo in todos {
        for line in &todo.lines {
            place(line.number, head, todo.at, errors);
            if ignored.contains(&line.number) {
                let message = format!("line {} is ignored and still to do", line.number);
                errors.push_at(todo.at, ErrorKind::Contradiction, message);
            }
            if !unread.insert(line.number) {
                let message = format!("line {} is to do twice", line.number);
                errors.push_at(todo.at, ErrorKind::Duplicate, message);
            }
        }
    }
    let mut digests: BTreeMap<u32, Digest> = BTreeMap::new();
    for clause in clauses {
        for line in &clause.lines {
            place(line.number, head, clause.at, errors);
            if ignored.contains(&line.number) {
                let message = format!(
                    "line {} serves clause {} and is ignored",
                    line.number, clause.id
                );
                errors.push_at(clause.at, ErrorKind::Contradiction, message);
            }
            if unread.contains(&line.number) {
                let message = format!(
                    "line {} serves clause {} and is still to do",
                    line.number, clause.id
                );
                errors.push_at(clause.at, ErrorKind::Contradiction, message);
            }
            if *digests.entry(line.number).or_insert(line.digest) != line.digest {
                let message = format!("line {} has two digests", line.number);
                errors.push_at(clause.at, ErrorKind::Contradiction, message);
            }
        }
    }
}

fn place(number: u32, head: &Head, at: Position, errors: &mut Errors<'_>) {
    if !is_in_source(number, head) {
        let message = format!("line {number} is not in the source of {} lines", head.lines);
        errors.push_at(at, ErrorKind::Value, message);
    } else if head.blank.contains(&number) {
        errors.push_at(
            at,
            ErrorKind::Contradiction,
            format!("line {number} is blank"),
        );
    }
}

fn is_in_source(number: u32, head: &Head) -> bool {
    (1..=head.lines).contains(&number)
}

fn require_clause(ids: &Ids<'_>, id: ClauseId, at: Position, errors: &mut Errors<'_>) {
    if !ids.has_clause(id) {
        errors.push_at(at, ErrorKind::Unknown, format!("there is no clause {id}"));
    }
}

fn unique<'a, T: Ord + std::fmt::Display + 'a>(
    ids: impl Iterator<Item = (&'a T, Position)>,
    what: &str,
    errors: &mut Errors<'_>,
) {
    let mut seen = BTreeSet::new();
    for (id, at) in ids {
        if !seen.insert(id) {
            errors.push_at(
                at,
                ErrorKind::Duplicate,
                format!("{what} {id} is there twice"),
            );
        }
    }
}

fn require<'a>(
    ids: impl Iterator<Item = &'a Name>,
    known: &BTreeSet<&str>,
    what: &str,
    at: Position,
    errors: &mut Errors<'_>,
) {
    for id in ids.filter(|id| !known.contains(id.as_str())) {
        errors.push_at(at, ErrorKind::Unknown, format!("there is no {what} {id}"));
    }
}

/// Removes what leads nowhere until only circles are left, and what leads into them; each edge is
/// looked at once.
fn cycle<'a>(
    edges: BTreeMap<&'a Name, BTreeSet<&'a Name>>,
    places: impl Iterator<Item = (&'a Name, Position)>,
    what: &str,
    errors: &mut Errors<'_>,
) {
    let mut leading: BTreeMap<&Name, Vec<&Name>> = BTreeMap::new();
    let mut left: BTreeMap<&Name, usize> = BTreeMap::new();
    for (id, to) in &edges {
        let known = to.iter().filter(|name| edges.contains_key(*name));
        left.insert(id, known.clone().count());
        for name in known {
            leading.entry(name).or_default().push(id);
        }
    }
    let ends = left.iter().filter(|(_, count)| **count == 0);
    let mut ends: Vec<&Name> = ends.map(|(id, _)| *id).collect();
    while let Some(end) = ends.pop() {
        left.remove(end);
        for id in leading.get(end).into_iter().flatten() {
            if let Some(count) = left.get_mut(id) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ends.push(id);
                }
            }
        }
    }
    for (id, at) in places.filter(|(id, _)| left.contains_key(id)) {
        let message = format!("{id} leads into a circle of {what}");
        errors.push_at(at, ErrorKind::Contradiction, message);
    }
}
