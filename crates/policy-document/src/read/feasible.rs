//! Promises in force that cannot all be kept: such a document is refused.

use crate::consistency::{self, Conflict};
use crate::{Document, DocumentError, ErrorKind, FindingCode, Position};

/// Splits what cannot be kept into mistakes, and what could not be found out.
pub(super) fn check(document: &Document) -> (Vec<DocumentError>, Vec<Conflict>) {
    let (certain, open): (Vec<_>, Vec<_>) = consistency::in_force(document)
        .into_iter()
        .partition(Conflict::is_decided);
    let errors = certain.iter().map(|conflict| error(document, conflict));
    (errors.collect(), open)
}

fn error(document: &Document, conflict: &Conflict) -> DocumentError {
    let (members, dates) = (conflict.members(), conflict.dates());
    let (kind, message) = match conflict.code {
        FindingCode::ZeroWidth => (
            ErrorKind::ZeroWidth,
            format!("{members}: no width, {dates}: a tolerance must be declared"),
        ),
        FindingCode::KeyBeforeFloor => (
            ErrorKind::KeyBeforeFloor,
            format!("{members}: the key dies before the floor has ended, {dates}"),
        ),
        FindingCode::KeyPastCeiling => (
            ErrorKind::KeyPastCeiling,
            format!("{members}: a copy of the key is left when the ceiling ends, {dates}"),
        ),
        _ => (
            ErrorKind::Infeasible,
            format!("{members}: cannot all be kept, {dates}"),
        ),
    };
    let witness = conflict.when.as_ref().map(|when| when.date);
    DocumentError::new(place(document, conflict), kind, message).about(&conflict.clauses, witness)
}

/// The first clause, or else the first key or store.
fn place(document: &Document, conflict: &Conflict) -> Position {
    let clauses = document.clauses.iter();
    let mut clauses = clauses.filter(|clause| conflict.clauses.contains(&clause.id));
    let is_named = |id: &crate::Name| conflict.others.iter().any(|name| name == id.as_str());
    let mut keys = document.keys.iter().filter(|key| is_named(&key.id));
    let mut stores = document.stores.iter().filter(|store| is_named(&store.id));
    let clause = clauses.next().map(|clause| clause.at);
    clause
        .or_else(|| keys.next().map(|key| key.at))
        .or_else(|| stores.next().map(|store| store.at))
        .unwrap_or(document.head.at)
}
