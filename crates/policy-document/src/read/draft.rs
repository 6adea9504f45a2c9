//! `[[todo]]` and `[[review]]`: what is not finished, and what was looked at again.

use std::collections::BTreeSet;

use super::errors::Errors;
use super::head::pinned_lines;
use super::value::{self, Fields};
use crate::{Clause, ErrorKind, Review, Todo};

pub(super) fn todo(mut fields: Fields<'_>, errors: &mut Errors<'_>) -> Option<Todo> {
    let at = fields.at(errors);
    let lines = pinned_lines(&mut fields, errors);
    fields.finish(errors);
    Some(Todo { at, lines: lines? })
}

pub(super) fn review(mut fields: Fields<'_>, errors: &mut Errors<'_>) -> Option<Review> {
    let at = fields.at(errors);
    let clause = fields
        .required("clause", errors)
        .and_then(|v| value::parsed(v, errors));
    let on = fields
        .required("on", errors)
        .and_then(|v| value::date(v, errors));
    let by = fields
        .required("by", errors)
        .and_then(|v| value::words(v, errors));
    let change = fields
        .required("change", errors)
        .and_then(|v| value::words(v, errors));
    fields.finish(errors);
    Some(Review {
        clause: clause?,
        at,
        on: on?,
        by: by?,
        change: change?,
    })
}

/// A review is about a clause of this document, though perhaps of an earlier version of it, and
/// stands there once.
pub(super) fn reviews(clauses: &[Clause], reviews: &[Review], errors: &mut Errors<'_>) {
    let letter = clauses.first().map(|clause| clause.id.letter());
    let mut seen = BTreeSet::new();
    for review in reviews {
        if letter.is_some_and(|letter| letter != review.clause.letter()) {
            let message = format!("clause {} has another letter than the first", review.clause);
            errors.push_at(review.at, ErrorKind::Unknown, message);
        }
        if !seen.insert((review.clause, review.on, &review.by, &review.change)) {
            let message = format!("the same review of {} is there twice", review.clause);
            errors.push_at(review.at, ErrorKind::Duplicate, message);
        }
    }
}
